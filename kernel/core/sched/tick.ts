/**
 * The timer interrupt: due timers, then the scheduler's tick if it is due.
 *
 * A CPU ticks only while it runs something other than its idle task; an idle CPU sleeps until its next timer.
 *
 * Invariants  T3  runs with no lock held: interrupts arrive in user mode, in idle and in irqWindow() only.
 * Locking     the run queue of this CPU.
 */
import { rdtsc, tscToNs } from "../../../arch/current";
import { timerExpire, timerTickSet } from "../time/timer";
import { balancePeriodic } from "./balance";
import { MAX_CPUS, currentTask, thisCpu } from "./cpu";
import { cpusIdle, reschedule } from "./placement";
import { RunQueue, runQueueAt, runQueueLock, runQueueUnlock } from "./run-queue";
import { TICK_NS } from "./sched";
import { classAccount, classTick } from "./sched-class";
import { SchedClass, Task } from "./task";

/** Told of each tick that hit a task with a process: CPU-time limits and timers (services). */
@final @unmanaged
class TickHooks {
  userTick: (task: Task, wasUser: bool) => void;
  isSet: u32;
}
const HOOKS = changetype<TickHooks>(memory.data(offsetof<TickHooks>()));

export function tickHookSet(userTick: (task: Task, wasUser: bool) => void): void {
  HOOKS.userTick = userTick;
  HOOKS.isSet = 1;
}

/** Vector.TIMER. `wasUser`: it interrupted ring 3. */
export function timerInterrupt(wasUser: bool): void {
  thisCpu().ticks++;
  if (timerExpire()) schedTick(wasUser);
}

/** One tick: accounting, slices, balancing. */
export function schedTick(wasUser: bool): void {
  const cpu = thisCpu();
  const task = currentTask();
  if (task.schedClass == SchedClass.IDLE) return;
  const rq = runQueueAt(cpu.id);
  runQueueLock(rq);
  rq.nowTsc = rdtsc();
  const nowNs = tscToNs(rq.nowTsc);
  classAccount(rq, task, rq.nowTsc);
  if (classTick(rq, task)) reschedule(rq);
  balancePeriodic(rq, nowNs);
  const hasWaiting = rq.count > 1;
  runQueueUnlock(rq);
  if (hasWaiting && cpusIdle() != 0) idleKick(<u32>ctz(cpusIdle()));
  if (wasUser) {
    task.userTicks++;
    cpu.userNs += TICK_NS;
  } else {
    task.systemTicks++;
    cpu.systemNs += TICK_NS;
  }
  timerTickSet(nowNs + TICK_NS);
  if (task.process != 0 && HOOKS.isSet) HOOKS.userTick(task, wasUser);
}

/** Makes an idle CPU look for work: tasks wait here, and its own attempt to pull found the queue locked. */
function idleKick(id: u32): void {
  if (id >= MAX_CPUS) return; // it went to work meanwhile
  const rq: RunQueue = runQueueAt(id);
  runQueueLock(rq);
  if (rq.current == rq.idle) reschedule(rq);
  runQueueUnlock(rq);
}
