/**
 * Suspending single threads (thread_suspend): a thread stands in the kernel, on its way back to user mode, until it is resumed.
 *
 * Not a signal: a call that the thread waits in goes on, and ends as ever; only its return waits. So a suspension costs nobody an EINTR.
 *
 * Invariants  U1  TaskFlag.SUSPENDED is set exactly while the thread sleeps in threadSuspendJoin: resuming wakes nobody whom a job-control
 *                 stop holds.
 *             U2  once TaskWork.SUSPEND is set and the task was seen off its CPU, it makes no step in user mode while the bit is set: every way
 *                 there looks at Task.work last, with interrupts off.
 * Locking     processLock.
 */
import { monoNowNs } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { sigBit, Signal } from "../../abi/signal";
import { currentTask } from "../../core/sched/cpu";
import { schedule, taskStateSet, taskWake } from "../../core/sched/sched";
import { sleepUntil } from "../../core/sched/sleep";
import { Task, TaskFlag, TaskState, TaskWork, taskWorkClear, taskWorkSet, WakeReason } from "../../core/sched/task";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { Process } from "../process/process";
import { processLock } from "../process/process-table";
import { taskKick } from "./send";

/** How often a suspender looks whether the thread has left its CPU. */
const LOOK_NS: u64 = 50_000;

/** Whether `task` is off its CPU: its user registers are in its frame, and stay there while it is suspended (U2). */
export function threadStands(task: Task): bool {
  return atomic.load<u32>(changetype<usize>(task) + offsetof<Task>("onCpu")) == 0;
}

/** Suspends a thread: it stands soon. */
export function threadSuspendLocked(task: Task): void {
  taskWorkSet(task, TaskWork.SUSPEND);
}

/** Waits until a suspended thread stands; 0 or -EINTR. The caller itself stands as soon as its call is over. */
export function threadSuspendAwait(task: Task): i32 {
  if (task == currentTask()) return 0;
  taskKick(task);
  while (!threadStands(task)) if (sleepUntil(monoNowNs() + LOOK_NS) != 0) return -Errno.INTR;
  return 0;
}

/** Lets a thread go on; harmless for one that is not suspended. */
export function threadResumeLocked(task: Task): void {
  taskWorkClear(task, TaskWork.SUSPEND);
  if (task.flags & TaskFlag.SUSPENDED) taskWake(task, WakeReason.CONTINUE); // U1
}

/** Parks the running thread while it is suspended; false when it is not (any more), or is to end. */
export function threadSuspendJoin(process: Process, task: Task): bool {
  spinLock(processLock);
  const work = atomic.load<u32>(changetype<usize>(task));
  const isKilled = ((task.sigPending | process.sigPendingShared) & sigBit(Signal.KILL)) != 0;
  if ((work & TaskWork.SUSPEND) == 0 || work & TaskWork.EXIT || isKilled || process.isGroupExiting != 0) {
    spinUnlock(processLock);
    return false;
  }
  task.flags |= TaskFlag.SUSPENDED;
  taskStateSet(TaskState.STOPPED);
  spinUnlock(processLock);
  schedule(); // woken by threadResume, SIGCONT or SIGKILL, whose effect the caller's loop sees
  spinLock(processLock);
  task.flags &= ~TaskFlag.SUSPENDED;
  spinUnlock(processLock);
  return true;
}
