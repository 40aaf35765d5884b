/**
 * Handing the CPU to a task that sleeps, without the run queue's tree: for calls and replies between two programs on one CPU.
 *
 * scheduleTo is taskWake and schedule in one, so whatever makes the short way wrong simply takes the long one: another CPU, real-time
 * tasks, a pending signal or turn, a waiting task that has had less time. What is left is exactly what the long way would have chosen.
 *
 * Locking  the run queue of this CPU, taken below the lock that guards what the two tasks wait for.
 */
import { rdtsc } from "../../../arch/current";
import { rbNodeAt } from "../../lib/rb-tree";
import { SpinLock, spinUnlock } from "../../lib/spinlock";
import { currentTask, thisCpu } from "./cpu";
import { fairReplace } from "./fair";
import { RunQueue, fairTreeOf, runQueueAt, runQueueLock, runQueueUnlock } from "./run-queue";
import { schedule, switchDone, taskWake } from "./sched";
import { classAccount } from "./sched-class";
import { taskSwitch } from "./switch";
import { SchedClass, Task, TaskState, TaskWork, WakeReason } from "./task";

/** Work that must be looked at before the running task leaves the CPU. */
const BUSY: u32 = TaskWork.RESCHED | TaskWork.SIGNAL | TaskWork.EXIT;

/**
 * Ends the sleep of `next`, which was given what it waits for, and sleeps in the state already set (taskStateSet) with nothing locked.
 * `lock`, which keeps `next` from going away, is given up. Returns when the running task was woken; its wakeReason is HANDOFF when that
 * was done by this function.
 */
export function scheduleTo(next: Task, lock: SpinLock): void {
  const rq = runQueueAt(thisCpu().id);
  const prev = currentTask();
  runQueueLock(rq);
  if (handoffMay(rq, prev, next)) {
    spinUnlock(lock); // nobody else can wake `next` while its queue is locked
    handoffLocked(rq, prev, next);
    return;
  }
  runQueueUnlock(rq);
  taskWake(next, WakeReason.EVENT);
  spinUnlock(lock);
  schedule();
}

/** True when `next` sleeps here and is whom the queue would choose. */
function handoffMay(rq: RunQueue, prev: Task, next: Task): bool {
  if (next.cpu != rq.cpu || next.isQueued || !isAsleep(next)) return false;
  if (prev.state == TaskState.RUNNABLE || atomic.load<u32>(changetype<usize>(prev)) & BUSY) return false;
  if (prev.schedClass != SchedClass.FAIR || next.schedClass != SchedClass.FAIR || rq.rtCount != 0) return false;
  if (((next.affinity >> rq.cpu) & 1) == 0) return false;
  const first = fairTreeOf(rq).leftmost;
  return first == 0 || next.vruntime <= rbNodeAt(first).key;
}

function isAsleep(task: Task): bool {
  return task.state == TaskState.SLEEPING || task.state == TaskState.UNINTERRUPTIBLE;
}

function handoffLocked(rq: RunQueue, prev: Task, next: Task): void {
  rq.nowTsc = rdtsc();
  classAccount(rq, prev, rq.nowTsc);
  prev.isQueued = 0;
  prev.voluntarySwitches++;
  next.isQueued = 1;
  next.wakeReason = WakeReason.HANDOFF;
  next.state = TaskState.RUNNABLE;
  fairReplace(rq, prev, next);
  rq.handoffs++;
  taskSwitch(thisCpu(), rq, prev, next);
  switchDone();
}
