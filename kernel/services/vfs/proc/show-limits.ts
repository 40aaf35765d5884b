/** /proc/PID/limits. Spec: Linux fs/proc/base.c proc_pid_limits. */
import { Errno } from "../../../abi/errno";
import { processByPid, processPut } from "../../process/process-table";
import { RLIM_INFINITY, rlimitHard, rlimitSoft } from "../../process/rlimit";
import { SeqBuf, seqByte, seqDec, seqStr } from "./seq-buf";

const NAME_WIDTH: u32 = 26;
const VALUE_WIDTH: u32 = 21;
const LIMITS: u32 = 16;

export function limitsShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  const process = processByPid(pid);
  if (!process) return -(<i32>Errno.SRCH);
  seqStr(seq, "Limit                     Soft Limit           Hard Limit           Units     \n");
  for (let i: u32 = 0; i < LIMITS; i++) {
    column(seq, limitName(i), NAME_WIDTH);
    valueColumn(seq, rlimitSoft(process, i));
    valueColumn(seq, rlimitHard(process, i));
    column(seq, limitUnit(i), 10);
    seqByte(seq, 0x0a);
  }
  processPut(process);
  return 0;
}

function column(seq: SeqBuf, text: string, width: u32): void {
  seqStr(seq, text);
  for (let i = <u32>text.length; i < width; i++) seqByte(seq, 0x20);
}

function valueColumn(seq: SeqBuf, value: u64): void {
  if (value == RLIM_INFINITY) return column(seq, "unlimited", VALUE_WIDTH);
  const before = seq.length;
  seqDec(seq, value);
  for (let i = seq.length - before; i < VALUE_WIDTH; i++) seqByte(seq, 0x20);
}

function limitName(i: u32): string {
  switch (i) {
    case 0: return "Max cpu time";
    case 1: return "Max file size";
    case 2: return "Max data size";
    case 3: return "Max stack size";
    case 4: return "Max core file size";
    case 5: return "Max resident set";
    case 6: return "Max processes";
    case 7: return "Max open files";
    case 8: return "Max locked memory";
    case 9: return "Max address space";
    case 10: return "Max file locks";
    case 11: return "Max pending signals";
    case 12: return "Max msgqueue size";
    case 13: return "Max nice priority";
    case 14: return "Max realtime priority";
    default: return "Max realtime timeout";
  }
}

function limitUnit(i: u32): string {
  switch (i) {
    case 0: return "seconds";
    case 6: return "processes";
    case 7: return "files";
    case 10: return "locks";
    case 11: return "signals";
    case 13: case 14: return "";
    case 15: return "us";
    default: return "bytes";
  }
}
