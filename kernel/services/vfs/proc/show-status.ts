/** /proc/PID/status and statm. Spec: proc(5); Linux fs/proc/array.c, task_mmu.c. */
import { Errno } from "../../../abi/errno";
import { AddressSpace, mmPeakPages, mmPut, mmRssPages, mmTotalPages } from "../../../core/mm/address-space";
import { Task } from "../../../core/sched/task";
import { taskPut } from "../../../core/sched/task-table";
import { bytesLength, wordAt32 } from "../../../lib/bytes";
import { Process, credOf, processOf } from "../../process/process";
import { processByPid, processPut } from "../../process/process-table";
import { procSignalSet, procStateLetter } from "./show-stat";
import { SeqBuf, seqByte, seqBytes, seqDec, seqDecPad, seqHex, seqOct, seqSpaceDec, seqStr } from "./seq-buf";
import { fsContextPut } from "../fs-context";
import { procFs, procMm, procTask } from "./subject";
import { taskComm } from "./tasks-log";

const COMM_BYTES: u32 = 16;
const PAGE_SHIFT: u64 = 12;
const KIB_PER_PAGE: u64 = 4;
const SET_DIGITS: u32 = 16;

export function statmShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  const process = processByPid(pid);
  if (!process) return -(<i32>Errno.SRCH);
  const mm = procMm(process);
  processPut(process);
  seqDec(seq, mm ? mmTotalPages(mm) : 0);
  seqSpaceDec(seq, mm ? mmRssPages(mm) : 0);
  seqSpaceDec(seq, mm ? mm.rssFile : 0);
  seqSpaceDec(seq, mm ? codePages(mm) : 0);
  seqSpaceDec(seq, 0);
  seqSpaceDec(seq, mm ? mm.dataPages : 0);
  seqStr(seq, " 0\n");
  if (mm) mmPut(mm);
  return 0;
}

function codePages(mm: AddressSpace): u64 {
  return mm.codeEnd > mm.codeStart ? (mm.codeEnd - mm.codeStart + 4095) >> PAGE_SHIFT : 0;
}

export function statusShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  const process = processByPid(pid);
  if (!process) return -(<i32>Errno.SRCH);
  const task = procTask(process, tid);
  identity(seq, process, task, tid);
  credentials(seq, process);
  const mm = procMm(process);
  if (mm) {
    memory(seq, mm);
    mmPut(mm);
  }
  number(seq, "Threads:\t", process.liveThreads);
  signals(seq, process, task);
  scheduling(seq, task);
  if (task) taskPut(task);
  processPut(process);
  return 0;
}

function number(seq: SeqBuf, name: string, value: u64): void {
  seqStr(seq, name);
  seqDec(seq, value);
  seqByte(seq, 0x0a);
}

function identity(seq: SeqBuf, process: Process, task: Task | null, tid: u32): void {
  seqStr(seq, "Name:\t");
  const comm = task ? taskComm(task) : changetype<usize>(process) + offsetof<Process>("comm0");
  seqBytes(seq, comm, bytesLength(comm, COMM_BYTES));
  const fs = procFs(process);
  if (fs) {
    seqStr(seq, "\nUmask:\t");
    seqOct(seq, fs.umask, 4);
    fsContextPut(fs);
  }
  seqStr(seq, "\nState:\t");
  const letter = procStateLetter(process, task);
  seqByte(seq, letter);
  seqStr(seq, stateName(letter));
  number(seq, "Tgid:\t", process.pid);
  number(seq, "Ngid:\t", 0);
  number(seq, "Pid:\t", tid != 0 ? tid : process.pid);
  number(seq, "PPid:\t", process.parent != 0 ? processOf(process.parent).pid : 0);
  number(seq, "TracerPid:\t", 0);
}

function stateName(letter: u32): string {
  switch (letter) {
    case 0x52: return " (running)\n";
    case 0x53: return " (sleeping)\n";
    case 0x44: return " (disk sleep)\n";
    case 0x54: return " (stopped)\n";
    default: return " (zombie)\n";
  }
}

function four(seq: SeqBuf, name: string, a: u32, b: u32, c: u32, d: u32): void {
  seqStr(seq, name);
  seqDec(seq, a);
  seqByte(seq, 0x09);
  seqDec(seq, b);
  seqByte(seq, 0x09);
  seqDec(seq, c);
  seqByte(seq, 0x09);
  seqDec(seq, d);
  seqByte(seq, 0x0a);
}

function credentials(seq: SeqBuf, process: Process): void {
  if (process.creds == 0) return;
  const cred = credOf(process.creds);
  four(seq, "Uid:\t", cred.uid, cred.euid, cred.suid, cred.fsuid);
  four(seq, "Gid:\t", cred.gid, cred.egid, cred.sgid, cred.fsgid);
  seqStr(seq, "FDSize:\t64\nGroups:\t");
  for (let i: u32 = 0; i < cred.groupCount; i++) {
    seqDec(seq, wordAt32(cred.groups + (i << 2)));
    seqByte(seq, 0x20);
  }
  seqByte(seq, 0x0a);
}

function kib(seq: SeqBuf, name: string, pages: u64): void {
  seqStr(seq, name);
  seqDecPad(seq, pages * KIB_PER_PAGE, 8, 0x20);
  seqStr(seq, " kB\n");
}

function memory(seq: SeqBuf, mm: AddressSpace): void {
  kib(seq, "VmPeak:\t", mmTotalPages(mm));
  kib(seq, "VmSize:\t", mmTotalPages(mm));
  kib(seq, "VmLck:\t", mm.lockedPages);
  kib(seq, "VmPin:\t", 0);
  kib(seq, "VmHWM:\t", mmPeakPages(mm));
  kib(seq, "VmRSS:\t", mmRssPages(mm));
  kib(seq, "RssAnon:\t", mm.rssAnon);
  kib(seq, "RssFile:\t", mm.rssFile);
  kib(seq, "RssShmem:\t", 0);
  kib(seq, "VmData:\t", mm.dataPages);
  kib(seq, "VmExe:\t", codePages(mm));
  kib(seq, "VmSwap:\t", 0);
}

function set(seq: SeqBuf, name: string, value: u64): void {
  seqStr(seq, name);
  seqHex(seq, value, SET_DIGITS);
  seqByte(seq, 0x0a);
}

function signals(seq: SeqBuf, process: Process, task: Task | null): void {
  set(seq, "SigPnd:\t", task ? task.sigPending : 0);
  set(seq, "ShdPnd:\t", process.sigPendingShared);
  set(seq, "SigBlk:\t", task ? task.sigMask : 0);
  set(seq, "SigIgn:\t", procSignalSet(process, false));
  set(seq, "SigCgt:\t", procSignalSet(process, true));
  if (process.creds == 0) return;
  const cred = credOf(process.creds);
  set(seq, "CapInh:\t", cred.capInheritable);
  set(seq, "CapPrm:\t", cred.capPermitted);
  set(seq, "CapEff:\t", cred.capEffective);
  set(seq, "CapBnd:\t", cred.capBounding);
  set(seq, "CapAmb:\t", cred.capAmbient);
  number(seq, "NoNewPrivs:\t", process.noNewPrivs);
}

function scheduling(seq: SeqBuf, task: Task | null): void {
  if (!task) return;
  set(seq, "Cpus_allowed:\t", task.affinity);
  number(seq, "voluntary_ctxt_switches:\t", task.voluntarySwitches);
  number(seq, "nonvoluntary_ctxt_switches:\t", task.involuntarySwitches);
}
