/**
 * /proc/PID files: stat, statm, status, comm, cmdline, environ, limits, links.
 *
 * Spec  proc(5); field order and spelling of Linux 6.1 fs/proc/array.c.
 */
import { Errno } from "../../../abi/errno";
import { AddressSpace, mmPut } from "../../../core/mm/address-space";
import { kfree, kmalloc } from "../../../core/mm/slab";
import { mmReadRemote } from "../../../core/mm/user-pages";
import { taskPut } from "../../../core/sched/task-table";
import { bytesLength, bytesFill, bytesCopy, byteAt } from "../../../lib/bytes";
import { Process } from "../../process/process";
import { processByPid, processPut } from "../../process/process-table";
import { filePut } from "../file";
import { fsContextPut, FsContext } from "../fs-context";
import { fileNameBytes, filePath, pathToBytes } from "../namei";
import { pathGet } from "../mount";
import { Path } from "../types";
import { ProcNodeId, procFileAdd, procMagicAdd, procWriteSet } from "./node";
import { SeqBuf, seqBytes, seqByte } from "./seq-buf";
import { limitsShow } from "./show-limits";
import { mapsShow } from "./show-maps";
import { mountInfoShow, mountsShow } from "./show-mounts";
import { statShowProcess } from "./show-stat";
import { statmShow, statusShow } from "./show-status";
import { procExe, procFs, procMm, procTask } from "./subject";
import { taskComm } from "./tasks-log";
import { traceShow, traceWrite, oomScoreAdjShow, oomScoreAdjWrite, oomScoreShow } from "./show-knobs";

const COMM_BYTES: u32 = 16;
const ARGS_MAX: u64 = 131072;
const CHUNK: u32 = 1024;
const NAME_MAX: u32 = 4096;
const SRCH: i32 = -(<i32>Errno.SRCH);

export function processNodesAdd(): void {
  const pid = ProcNodeId.PID_DIR;
  procFileAdd(pid, "stat", 0o444, statShowProcess);
  procFileAdd(pid, "statm", 0o444, statmShow);
  procFileAdd(pid, "status", 0o444, statusShow);
  procWriteSet(procFileAdd(pid, "comm", 0o644, commShow), commWrite);
  procFileAdd(pid, "cmdline", 0o444, processCmdlineShow);
  procFileAdd(pid, "environ", 0o400, environShow);
  procFileAdd(pid, "limits", 0o444, limitsShow);
  procFileAdd(pid, "maps", 0o444, mapsShow);
  procFileAdd(pid, "mounts", 0o444, mountsShow);
  procFileAdd(pid, "mountinfo", 0o444, mountInfoShow);
  procFileAdd(pid, "oom_score", 0o444, oomScoreShow);
  procWriteSet(procFileAdd(pid, "oom_score_adj", 0o644, oomScoreAdjShow), oomScoreAdjWrite);
  procWriteSet(procFileAdd(pid, "strace", 0o644, traceShow), traceWrite);
  procMagicAdd(pid, "exe", exeShow, exeFollow);
  procMagicAdd(pid, "cwd", cwdShow, cwdFollow);
  procMagicAdd(pid, "root", rootShow, rootFollow);
}

function commShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  const process = processByPid(pid);
  if (!process) return SRCH;
  const task = procTask(process, tid);
  const from = task ? taskComm(task) : changetype<usize>(process) + offsetof<Process>("comm0");
  seqBytes(seq, from, bytesLength(from, COMM_BYTES));
  seqByte(seq, 0x0a);
  if (task) taskPut(task);
  processPut(process);
  return 0;
}

function commWrite(pid: u32, tid: u32, ptr: usize, size: u32): i32 {
  const process = processByPid(pid);
  if (!process) return SRCH;
  const task = procTask(process, tid);
  if (task) {
    let length = min<u32>(size, COMM_BYTES - 1);
    if (length > 0 && byteAt(ptr, length - 1) == 0x0a) length--;
    bytesFill(taskComm(task), 0, COMM_BYTES);
    bytesCopy(taskComm(task), ptr, length);
    taskPut(task);
  }
  processPut(process);
  return 0;
}

function processCmdlineShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  return memoryShow(seq, pid, true);
}

function environShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  return memoryShow(seq, pid, false);
}

/** Copies the argument or environment strings out of the process; nothing for kernel threads and zombies. */
function memoryShow(seq: SeqBuf, pid: u32, isArgs: bool): i32 {
  const process = processByPid(pid);
  if (!process) return SRCH;
  const mm = procMm(process);
  processPut(process);
  if (!mm) return 0;
  const from = isArgs ? mm.argStart : mm.envStart;
  const to = isArgs ? mm.argEnd : mm.envEnd;
  const r = remotePut(seq, mm, from, min<u64>(to, from + ARGS_MAX));
  mmPut(mm);
  return r;
}

function remotePut(seq: SeqBuf, mm: AddressSpace, from: u64, to: u64): i32 {
  const chunk = kmalloc(CHUNK);
  if (chunk == 0) return -(<i32>Errno.NOMEM);
  for (let va = from; va < to; va += CHUNK) {
    const n = <u32>min<u64>(CHUNK, to - va);
    if (mmReadRemote(mm, va, chunk, n) != 0) break; // the program unmapped its own strings
    seqBytes(seq, chunk, n);
  }
  kfree(chunk);
  return 0;
}

// ---- links ----

function exeShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  const process = processByPid(pid);
  if (!process) return SRCH;
  const file = procExe(process);
  processPut(process);
  if (!file) return -(<i32>Errno.NOENT);
  const name = kmalloc(NAME_MAX);
  let length: i32 = -(<i32>Errno.NOMEM);
  if (name != 0) {
    length = fileNameBytes(file, name, NAME_MAX);
    if (length > 0) seqBytes(seq, name, length);
    kfree(name);
  }
  filePut(file);
  return length < 0 ? length : 0;
}

function exeFollow(path: Path, pid: u32): i32 {
  const process = processByPid(pid);
  if (!process) return SRCH;
  const file = procExe(process);
  processPut(process);
  if (!file) return -(<i32>Errno.NOENT);
  const r = filePath(file, path);
  filePut(file);
  return r;
}

function cwdShow(seq: SeqBuf, pid: u32, tid: u32): i32 { return directoryShow(seq, pid, false); }
function rootShow(seq: SeqBuf, pid: u32, tid: u32): i32 { return directoryShow(seq, pid, true); }
function cwdFollow(path: Path, pid: u32): i32 { return directoryFollow(path, pid, false); }
function rootFollow(path: Path, pid: u32): i32 { return directoryFollow(path, pid, true); }

function contextOf(pid: u32): FsContext | null {
  const process = processByPid(pid);
  if (!process) return null;
  const fs = procFs(process);
  processPut(process);
  return fs;
}

function directoryFollow(path: Path, pid: u32, isRoot: bool): i32 {
  const fs = contextOf(pid);
  if (!fs) return SRCH;
  path.mount = isRoot ? fs.rootMount : fs.cwdMount;
  path.dentry = isRoot ? fs.rootDentry : fs.cwdDentry;
  pathGet(path);
  fsContextPut(fs);
  return 0;
}

function directoryShow(seq: SeqBuf, pid: u32, isRoot: bool): i32 {
  const fs = contextOf(pid);
  if (!fs) return SRCH;
  const name = kmalloc(NAME_MAX + offsetof<Path>());
  let length: i32 = -(<i32>Errno.NOMEM);
  if (name != 0) {
    const path = changetype<Path>(name + NAME_MAX); // SAFETY: room made behind the name
    path.mount = isRoot ? fs.rootMount : fs.cwdMount;
    path.dentry = isRoot ? fs.rootDentry : fs.cwdDentry;
    length = pathToBytes(path, name, NAME_MAX);
    if (length > 0) seqBytes(seq, name, length);
    kfree(name);
  }
  fsContextPut(fs);
  return length < 0 ? length : 0;
}
