/**
 * The shortest switch: from a task that goes to sleep straight to the end of the system call that another one sleeps in.
 *
 * A task that sleeps for a message and will find it in its registers needs nothing of what is on its kernel stack. It says so, and
 * whoever brings the message leaves by that task's TrapFrame as if its call had just returned. Like handoff.ts this happens only where
 * the run queue would have chosen the same task, and time is charged to who runs.
 *
 * Every load and store here is paid twice by each call between two programs: docs/ipc.md has the count.
 *
 * Invariants  U1  a task with resumeCpu of CPU n, asleep (SLEEPING), was last on CPU n and holds nothing by its stack: no reference, no
 *                 lock, no timer; scratch memory is whatever its waker says.
 *             U2  a task with work to do neither leaves nor is resumed that way: tracer, signals and suspension see every call.
 *             U3  both are of the fair class and weigh the same: who leaves and who comes count the same in the queue's books.
 * Locking     the run queue of this CPU, taken by resumeBegin and given up by resumeTo on the other stack. resumeCpu is its task's
 *             own until it sleeps, then the run queue's.
 */
import { mfence, rdtsc, syscallResume, tssStackSet } from "../../../arch/current";
import { rbNodeAt } from "../../lib/rb-tree";
import { spinIsWatched, spinTryQuiet, spinUnlockQuiet } from "../../lib/spinlock";
import { mmOf } from "../mm/mm-struct";
import { mmExchange } from "../mm/tlb";
import { Cpu, thisCpu } from "./cpu";
import { RunQueue, fairTreeOf, runQueueSpinLock } from "./run-queue";
import { userStateExchange } from "./switch";
import { SchedClass, Task, TaskState, TaskWork } from "./task";

if (offsetof<Task>("savedSp") != 16) ERROR("entry.S stores into it");
if (offsetof<Task>("onCpu") != 52) ERROR("entry.S stores into it");

/** Work that changes nothing about how a system call ends. */
const HARMLESS: u32 = TaskWork.CONFINED;

function workOf(task: Task): u32 { return atomic.load<u32>(changetype<usize>(task)); }

/** The running task will sleep as U1 says. Nothing is locked; it clears resumeCpu when it has woken. */
export function resumeAllow(task: Task): void {
  task.resumeCpu = task.schedClass == SchedClass.FAIR && !spinIsWatched() ? thisCpu().id + 1 : 0;
  mfence(); // who changes its class or its CPUs clears resumeCpu, or leaves work that is seen here
  if (workOf(task) & ~HARMLESS) task.resumeCpu = 0;
}

/**
 * Locks this CPU's (`id`) queue and lets the running task sleep if `next`, which is given what it waits for, may be resumed in its place:
 * resumeTo must follow. False: nothing was done. The caller holds the lock by which it found `next`.
 */
export function resumeBeginInline(id: u32, rq: RunQueue, prev: Task, next: Task): bool {
  if (!spinTryQuiet(runQueueSpinLock(rq))) return false;
  if (next.resumeCpu == id + 1 && next.state == TaskState.SLEEPING) { // asleep here, as U1 says
    next.onCpu = 1; // who leaves it work from now on sends an interrupt
    atomic.store<u32>(changetype<usize>(prev), TaskState.SLEEPING, offsetof<Task>("state")); // before anybody's work is looked at (H2)
    if (resumeMay(rq, prev, next)) return true;
    next.onCpu = 0;
    prev.state = TaskState.RUNNABLE;
  }
  spinUnlockQuiet(runQueueSpinLock(rq));
  return false;
}

/** True when nothing else is to be done (U2), nothing to be lent (U3), and `next` is whom the queue would choose. */
function resumeMay(rq: RunQueue, prev: Task, next: Task): bool {
  if ((workOf(prev) | workOf(next)) & ~HARMLESS) return false;
  return prev.schedClass == SchedClass.FAIR && prev.weight == next.weight && (rq.count == 1 || isFirst(rq, next));
}

/** True when no waiting task comes before `next`. */
function isFirst(rq: RunQueue, next: Task): bool {
  const first = fairTreeOf(rq).leftmost;
  return rq.rtCount == 0 && (first == 0 || next.vruntime <= rbNodeAt(first).key);
}

/**
 * Ends the system call of `next`, whose frame is filled. Never returns: whoever wakes `prev` otherwise sends it through syscallResumed.
 * Since resumeBegin a lock was given up.
 */
export function resumeToInline(cpu: Cpu, id: u32, rq: RunQueue, prev: Task, next: Task): void {
  const stackTop = next.stackTop;
  turnEnd(rq, prev, next);
  userStateExchange(cpu, prev, next);
  cpu.current = <u32>changetype<usize>(next);
  cpu.kernelSp = stackTop;
  tssStackSet(id, stackTop);
  if (next.mm != cpu.currentMm) mmExchange(cpu, mmOf(next.mm));
  syscallResume(changetype<usize>(prev), next.frame, changetype<usize>(rq));
}

/** The scheduler's record of the switch. The time is a debt that `prev` pays when it is next accounted. */
function turnEnd(rq: RunQueue, prev: Task, next: Task): void {
  const now = rdtsc();
  prev.debtTicks += now - prev.execStartTsc;
  next.execStartTsc = now;
  prev.isQueued = 0;
  next.isQueued = 1;
  prev.voluntarySwitches++;
  const here = next.resumeCpu;
  prev.resumeCpu = here;
  next.fpuCpu = here; // W2 of switch.ts
  next.resumeCpu = 0;
  next.state = TaskState.RUNNABLE;
  rq.current = <u32>changetype<usize>(next);
  rq.handoffs++;
}
