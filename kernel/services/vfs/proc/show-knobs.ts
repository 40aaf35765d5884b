/** /proc/PID settings: strace, oom_score_adj. Spec: proc(5); strace is this kernel's own: 1 traces, 0 stops. */
import { Errno } from "../../../abi/errno";
import { mmPut, mmRssPages } from "../../../core/mm/address-space";
import { totalPageCount } from "../../../core/mm/buddy";
import { TaskWork, taskWorkClear, taskWorkSet } from "../../../core/sched/task";
import { taskPut } from "../../../core/sched/task-table";
import { byteAt } from "../../../lib/bytes";
import { Process, currentCred } from "../../process/process";
import { processByPid, processPut } from "../../process/process-table";
import { SeqBuf, seqByte, seqDec, seqInt } from "./seq-buf";
import { procMm, procNextTid, procTask } from "./subject";

const ADJ_MAX: i32 = 1000;
const SCORE_MAX: u64 = 1000;
const SRCH: i32 = -(<i32>Errno.SRCH);

export function traceShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  const process = processByPid(pid);
  if (!process) return SRCH;
  seqDec(seq, process.traceEnabled);
  seqByte(seq, 0x0a);
  processPut(process);
  return 0;
}

/** `1` logs every system call of the process and of what it starts; `0` ends that. */
export function traceWrite(pid: u32, tid: u32, ptr: usize, size: u32): i32 {
  if (size == 0 || (byteAt(ptr, 0) != 0x30 && byteAt(ptr, 0) != 0x31)) return -(<i32>Errno.INVAL);
  const process = processByPid(pid);
  if (!process) return SRCH;
  process.traceEnabled = byteAt(ptr, 0) - 0x30;
  for (let next = procNextTid(process, 1); next != 0; next = procNextTid(process, next + 1)) {
    traceTask(process, next);
  }
  processPut(process);
  return 0;
}

function traceTask(process: Process, tid: u32): void {
  const task = procTask(process, tid);
  if (!task) return;
  if (process.traceEnabled) taskWorkSet(task, TaskWork.TRACE);
  else taskWorkClear(task, TaskWork.TRACE);
  taskPut(task);
}

export function oomScoreAdjShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  const process = processByPid(pid);
  if (!process) return SRCH;
  seqInt(seq, process.oomScoreAdj);
  seqByte(seq, 0x0a);
  processPut(process);
  return 0;
}

export function oomScoreAdjWrite(pid: u32, tid: u32, ptr: usize, size: u32): i32 {
  const isNegative = size > 0 && byteAt(ptr, 0) == 0x2d;
  let value: i32 = 0;
  for (let i: u32 = isNegative ? 1 : 0; i < size && byteAt(ptr, i) != 0x0a; i++) {
    const digit = byteAt(ptr, i) - 0x30;
    if (digit > 9 || value > ADJ_MAX) return -(<i32>Errno.INVAL);
    value = value * 10 + <i32>digit;
  }
  if (value > ADJ_MAX) return -(<i32>Errno.INVAL);
  if (isNegative) value = -value;
  const process = processByPid(pid);
  if (!process) return SRCH;
  const isAllowed = value >= process.oomScoreAdj || currentCred().euid == 0;
  if (isAllowed) process.oomScoreAdj = value;
  processPut(process);
  return isAllowed ? 0 : -(<i32>Errno.ACCES);
}

/** Share of memory in thousandths, shifted by the adjustment. */
export function oomScoreShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  const process = processByPid(pid);
  if (!process) return SRCH;
  const mm = procMm(process);
  let score: i64 = process.oomScoreAdj;
  if (mm) {
    score += <i64>(mmRssPages(mm) * SCORE_MAX / totalPageCount());
    mmPut(mm);
  }
  seqDec(seq, score > 0 ? score : 0);
  seqByte(seq, 0x0a);
  processPut(process);
  return 0;
}
