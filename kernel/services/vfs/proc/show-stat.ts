/**
 * /proc/PID/stat: 52 fields in one line.
 *
 * Spec  proc(5) "/proc/pid/stat"; numbers in comments are its field numbers.
 */
import { Errno } from "../../../abi/errno";
import { AddressSpace, mmPut, mmRssPages, mmTotalPages } from "../../../core/mm/address-space";
import { taskSystemNs, taskUserNs } from "../../../core/sched/cpu-time";
import { Task, TaskState } from "../../../core/sched/task";
import { taskPut } from "../../../core/sched/task-table";
import { bytesLength } from "../../../lib/bytes";
import { Process, ProcessState, processOf } from "../../process/process";
import { processByPid, processPut } from "../../process/process-table";
import { rlimitSoft } from "../../process/rlimit";
import { processSystemNs, processUserNs } from "../../process/rusage";
import { sigActionOf, sigHandOf } from "../../signal/sig-hand";
import { ttyOf } from "../../tty/tty";
import { SeqBuf, seqByte, seqBytes, seqDec, seqInt, seqSpaceDec } from "./seq-buf";
import { procMm, procTask } from "./subject";
import { taskComm } from "./tasks-log";

const COMM_BYTES: u32 = 16;
const NS_PER_TICK: u64 = 10_000_000;
const PAGE_SHIFT: u64 = 12;
const RLIMIT_RSS: u32 = 5;
const NICE_BASE: i64 = 20;
const RT_BASE: i64 = -1;
const SIGNALS: u32 = 64;

/** Signals of a process whose handler is `handler` (1: ignored) or, with 2, any function: a set as sigset_t. */
export function procSignalSet(process: Process, isCaught: bool): u64 {
  if (process.sigHand == 0) return 0;
  const hand = sigHandOf(process.sigHand);
  let set: u64 = 0;
  for (let sig: u32 = 1; sig <= SIGNALS; sig++) {
    const handler = sigActionOf(hand, sig).handler;
    if (isCaught ? handler > 1 : handler == 1) set |= <u64>1 << (sig - 1);
  }
  return set;
}

/** R, S, D, T or Z. */
export function procStateLetter(process: Process, task: Task | null): u32 {
  if (!task || process.state == <u32>ProcessState.ZOMBIE) return 0x5a;
  if (process.state == <u32>ProcessState.STOPPED || task.state == TaskState.STOPPED) return 0x54;
  if (task.state == TaskState.RUNNABLE) return 0x52;
  if (task.state == TaskState.SLEEPING) return 0x53;
  return task.state == TaskState.UNINTERRUPTIBLE ? 0x44 : 0x5a;
}

export function statShowProcess(seq: SeqBuf, pid: u32, tid: u32): i32 {
  const process = processByPid(pid);
  if (!process) return -(<i32>Errno.SRCH);
  const task = procTask(process, tid);
  if (tid != 0 && !task) {
    processPut(process);
    return -(<i32>Errno.SRCH);
  }
  const mm = procMm(process);
  identityFields(seq, process, task, tid);
  timeFields(seq, process, task, tid);
  memoryFields(seq, process, task, mm);
  if (mm) mmPut(mm);
  if (task) taskPut(task);
  processPut(process);
  return 0;
}

/** Fields 1 to 9. */
function identityFields(seq: SeqBuf, process: Process, task: Task | null, tid: u32): void {
  seqDec(seq, tid != 0 ? tid : process.pid);
  seqByte(seq, 0x20);
  seqByte(seq, 0x28);
  const comm = task ? taskComm(task) : changetype<usize>(process) + offsetof<Process>("comm0");
  seqBytes(seq, comm, bytesLength(comm, COMM_BYTES));
  seqByte(seq, 0x29);
  seqByte(seq, 0x20);
  seqByte(seq, procStateLetter(process, task));
  seqSpaceDec(seq, process.parent != 0 ? processOf(process.parent).pid : 0);
  seqSpaceDec(seq, process.pgid);
  seqSpaceDec(seq, process.sid);
  seqSpaceDec(seq, process.ctty != 0 ? <u32>ttyOf(process.ctty).rdev : 0);
  seqByte(seq, 0x20);
  seqInt(seq, process.ctty != 0 ? <i64>ttyOf(process.ctty).pgrp : -1);
  seqSpaceDec(seq, 0);
}

/** Fields 10 to 22. */
function timeFields(seq: SeqBuf, process: Process, task: Task | null, tid: u32): void {
  const one = tid != 0 && task != null;
  seqSpaceDec(seq, task ? task.minorFaults : 0);
  seqSpaceDec(seq, process.childMinorFaults);
  seqSpaceDec(seq, 0);
  seqSpaceDec(seq, 0);
  seqSpaceDec(seq, (one ? taskUserNs(task!) : processUserNs(process)) / NS_PER_TICK);
  seqSpaceDec(seq, (one ? taskSystemNs(task!) : processSystemNs(process)) / NS_PER_TICK);
  seqSpaceDec(seq, process.childUserNs / NS_PER_TICK);
  seqSpaceDec(seq, process.childSystemNs / NS_PER_TICK);
  const nice: i64 = task ? task.nice : 0;
  seqByte(seq, 0x20);
  seqInt(seq, task && task.rtPriority != 0 ? RT_BASE - <i64>task.rtPriority : NICE_BASE + nice); // 18
  seqByte(seq, 0x20);
  seqInt(seq, nice);
  seqSpaceDec(seq, process.liveThreads); // 20
  seqSpaceDec(seq, 0);
  seqSpaceDec(seq, (one ? task!.startNs : process.startNs) / NS_PER_TICK); // 22
}

/** Fields 23 to 52. */
function memoryFields(seq: SeqBuf, process: Process, task: Task | null, mm: AddressSpace | null): void {
  seqSpaceDec(seq, mm ? mmTotalPages(mm) << PAGE_SHIFT : 0); // 23
  seqSpaceDec(seq, mm ? mmRssPages(mm) : 0);
  seqSpaceDec(seq, rlimitSoft(process, RLIMIT_RSS));
  seqSpaceDec(seq, mm ? mm.codeStart : 0);
  seqSpaceDec(seq, mm ? mm.codeEnd : 0);
  seqSpaceDec(seq, mm ? mm.stackTop : 0); // 28
  seqSpaceDec(seq, 0);
  seqSpaceDec(seq, 0);
  seqSpaceDec(seq, task ? task.sigPending & 0x7fffffff : 0); // 31
  seqSpaceDec(seq, task ? task.sigMask & 0x7fffffff : 0);
  seqSpaceDec(seq, procSignalSet(process, false) & 0x7fffffff);
  seqSpaceDec(seq, procSignalSet(process, true) & 0x7fffffff);
  seqSpaceDec(seq, task && task.state != TaskState.RUNNABLE ? 1 : 0); // 35 wchan: 1 for "sleeping somewhere"
  seqSpaceDec(seq, 0);
  seqSpaceDec(seq, 0);
  seqSpaceDec(seq, process.exitSignal); // 38
  seqSpaceDec(seq, task ? task.cpu : 0); // 39
  seqSpaceDec(seq, task ? task.rtPriority : 0);
  seqSpaceDec(seq, task ? task.policy : 0);
  for (let i = 0; i < 3; i++) seqSpaceDec(seq, 0); // 42 to 44
  seqSpaceDec(seq, mm ? mm.dataStart : 0);
  seqSpaceDec(seq, mm ? mm.dataEnd : 0);
  seqSpaceDec(seq, mm ? mm.brkStart : 0);
  seqSpaceDec(seq, mm ? mm.argStart : 0);
  seqSpaceDec(seq, mm ? mm.argEnd : 0);
  seqSpaceDec(seq, mm ? mm.envStart : 0);
  seqSpaceDec(seq, mm ? mm.envEnd : 0);
  seqSpaceDec(seq, process.exitStatus);
  seqByte(seq, 0x0a);
}
