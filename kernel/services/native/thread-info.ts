/**
 * thread_info: what a thread does, and where it stands. Its registers are told when it is off its CPU, or the caller's own.
 *
 * Its frame lies on a kernel stack that goes when it ends, so it is read under processLock, which an ending thread must pass first.
 */
import { FRAME_IS_SYSCALL, TrapFrame, trapFrameOf, userCopyOut } from "../../../arch/current";
import { CapRight } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { THREAD_INFO_BYTES, ThreadInfo, ThreadState, ThreadWait } from "../../abi/thread";
import { mmPut } from "../../core/mm/address-space";
import { userRangeOk } from "../../core/mm/layout";
import { currentTask } from "../../core/sched/cpu";
import { taskSystemNs, taskUserNs } from "../../core/sched/cpu-time";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { Task, TaskFlag, taskOf, TaskState, TaskWork } from "../../core/sched/task";
import { taskPut } from "../../core/sched/task-table";
import { bytesFill } from "../../lib/bytes";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { taskProcess } from "../process/process";
import { processLock } from "../process/process-table";
import { userFramesTell } from "../process/user-frames";
import { threadStands } from "../signal/thread-suspend";
import { procMm } from "../vfs/proc/subject";
import { isErrPtr } from "../vfs/types";
import { threadLookup } from "./thread-object";

export function nativeThreadInfo(thread: u32, infoVa: u64): i64 {
  if (!userRangeOk(infoVa, THREAD_INFO_BYTES)) return -Errno.FAULT;
  const found = threadLookup(thread, CapRight.READ);
  if (isErrPtr(found)) return <i32>found;
  const ptr = scratchPush(THREAD_INFO_BYTES);
  bytesFill(ptr, 0, THREAD_INFO_BYTES);
  const info = changetype<ThreadInfo>(ptr); // SAFETY: scratch of that size
  const result = infoFill(info, taskOf(<u32>found));
  const failed = result == 0 && userCopyOut(infoVa, ptr, THREAD_INFO_BYTES) != 0;
  scratchPop(THREAD_INFO_BYTES);
  taskPut(taskOf(<u32>found));
  return failed ? -Errno.FAULT : result;
}

function infoFill(info: ThreadInfo, task: Task): i32 {
  info.tid = task.tid;
  info.cpu = task.cpu;
  info.policy = task.policy;
  info.priority = task.rtPriority;
  info.nice = task.nice;
  info.userNs = taskUserNs(task);
  info.systemNs = taskSystemNs(task);
  spinLock(processLock);
  const hasEnded = (task.flags & TaskFlag.EXITING) != 0;
  const frame = trapFrameOf(task.frame);
  const framePointer = hasEnded ? 0 : frame.rbp;
  if (!hasEnded) stateFill(info, task, frame);
  spinUnlock(processLock);
  if (hasEnded) return -Errno.STALE;
  if (info.hasRegisters) framesFill(info, task, framePointer);
  return 0;
}

function stateFill(info: ThreadInfo, task: Task, frame: TrapFrame): void {
  info.state = stateOf(task);
  if (info.state == <u32>ThreadState.WAITING) {
    const isCall = frame.error == FRAME_IS_SYSCALL;
    info.waits = isCall ? ThreadWait.CALL : ThreadWait.FAULT;
    if (isCall) info.call = <u32>frame.vector;
  }
  if (!threadStands(task) && task != currentTask()) return;
  info.hasRegisters = 1;
  info.rip = frame.rip;
  info.rsp = frame.rsp;
}

function stateOf(task: Task): u32 {
  if (task.state == TaskState.RUNNABLE) {
    if (!threadStands(task)) return ThreadState.RUNNING;
    return task.work & TaskWork.SUSPEND ? ThreadState.SUSPENDED : ThreadState.READY;
  }
  if (task.state != TaskState.STOPPED) return ThreadState.WAITING;
  return task.flags & TaskFlag.SUSPENDED ? ThreadState.SUSPENDED : ThreadState.STOPPED;
}

/** Where it stands; its memory may be gone already. */
function framesFill(info: ThreadInfo, task: Task, framePointer: u64): void {
  const mm = procMm(taskProcess(task));
  if (!mm) return;
  info.frames = userFramesTell(mm, info.rip, framePointer, changetype<usize>(info) + offsetof<ThreadInfo>("frame0"));
  mmPut(mm);
}
