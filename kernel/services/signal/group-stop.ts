/**
 * Job-control stops: every thread of the process parks itself, and the last one tells the parent.
 *
 * Invariants  J1  process.state is STOPPED exactly when stopSignal != 0 and all live threads are parked.
 * Locking     processLock.
 */
import { currentTask } from "../../core/sched/cpu";
import { schedule, taskStateSet } from "../../core/sched/sched";
import { Task, TaskState, TaskWork, taskWorkSet, WakeReason } from "../../core/sched/task";
import { listSame } from "../../lib/list";
import { sigBit, Signal } from "../../abi/signal";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { Process, ProcessState } from "../process/process";
import { processLock, threadHeadOf } from "../process/process-table";
import { taskInterrupt, threadOf } from "./send";

/** Tells the parent that its child stopped; set by wait.ts. */
@final @unmanaged
export class StopHooks {
  stopped: (process: Process) => void;
}
export const STOP_HOOKS = changetype<StopHooks>(memory.data(offsetof<StopHooks>()));

/** The running thread took a stop signal: all its siblings shall park, then it does. */
export function groupStopBegin(process: Process, sig: u32): void {
  const self = currentTask();
  spinLock(processLock);
  const killPending = ((self.sigPending | process.sigPendingShared) & sigBit(Signal.KILL)) != 0;
  if (process.stopSignal == 0 && !killPending && process.isGroupExiting == 0) {
    process.stopSignal = sig;
    process.stoppedThreads = 0;
    const head = threadHeadOf(process);
    for (let node = head.next; !listSame(node, head); node = node.next) {
      const task = threadOf(node);
      if (task == self) continue;
      taskWorkSet(task, TaskWork.STOP);
      taskInterrupt(task, WakeReason.SIGNAL);
    }
  }
  spinUnlock(processLock);
}

/** Parks the running thread while its process is to be stopped; false when there is no stop (any more). */
export function groupStopJoin(process: Process, task: Task): bool {
  spinLock(processLock);
  if (process.stopSignal == 0 || process.isGroupExiting != 0) {
    spinUnlock(processLock);
    return false;
  }
  process.stoppedThreads++;
  if (process.stoppedThreads == process.liveThreads) {
    process.state = ProcessState.STOPPED; // J1
    STOP_HOOKS.stopped(process);
  }
  taskStateSet(TaskState.STOPPED);
  spinUnlock(processLock);
  schedule(); // woken by SIGCONT or SIGKILL (send.ts), whose effect the caller's loop sees
  return true;
}
