/**
 * Sleeping with a deadline.
 *
 * Each task has one timer for this; a task sleeps once at a time, so it is enough.
 *
 * Units  deadlines in ns of monoNowNs(); 0 or NEVER: none.
 */
import { monoNowNs } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { NEVER, Timer, timerAt, timerCancelSync, timerInit, timerStart } from "../time/timer";
import { currentTask } from "./cpu";
import { schedule, taskSignalPending, taskStateSet, taskWake } from "./sched";
import { Task, TaskState, WakeReason, taskOf } from "./task";

function sleepTimerOf(task: Task): Timer {
  return timerAt(changetype<usize>(task) + offsetof<Task>("sleepTimer"));
}

/** The sleep's deadline has come. */
function sleepExpired(address: u32): void {
  const task = taskOf(address);
  atomic.store<u32>(<usize>address, 1, offsetof<Task>("sleepTimedOut"));
  taskWake(task, WakeReason.TIMEOUT); // false when it woke up by itself: nothing to do
}

/**
 * Sleeps in the state already set (taskStateSet), at most until `deadlineNs`. 0 when woken before, -ETIMEDOUT when the
 * deadline came first. A signal counts as being woken: the caller looks at taskSignalPending.
 */
export function schedTimeout(deadlineNs: u64): i32 {
  if (deadlineNs == 0 || deadlineNs == NEVER) {
    schedule();
    return 0;
  }
  const task = currentTask();
  if (deadlineNs <= monoNowNs()) {
    taskStateSet(TaskState.RUNNABLE);
    return -Errno.TIMEDOUT;
  }
  task.sleepTimedOut = 0;
  const timer = sleepTimerOf(task);
  timerInit(timer, sleepExpired, <u32>changetype<usize>(task));
  timerStart(timer, deadlineNs);
  schedule();
  if (!timerCancelSync(timer) && task.sleepTimedOut) return -Errno.TIMEDOUT;
  return 0;
}

/** Sleeps until `deadlineNs`: 0, or -EINTR when a signal came first. */
export function sleepUntil(deadlineNs: u64): i32 {
  const task = currentTask();
  while (true) {
    taskStateSet(TaskState.SLEEPING);
    if (taskSignalPending(task)) {
      taskStateSet(TaskState.RUNNABLE);
      return -Errno.INTR;
    }
    if (schedTimeout(deadlineNs) == -Errno.TIMEDOUT) return 0;
  }
}

/** Sleeps for `ns`, signals or not (kernel threads). */
export function sleepNs(ns: u64): void {
  const deadlineNs = monoNowNs() + ns;
  while (true) {
    taskStateSet(TaskState.UNINTERRUPTIBLE);
    if (schedTimeout(deadlineNs) == -Errno.TIMEDOUT) return;
  }
}
