/**
 * /proc directories: fixed names from the node table; numbers for processes, threads and descriptors.
 *
 * Positions of readdir: 0 and 1 the dots; 2 + node number for fixed names; FIRST_NUMBER + n for the number n.
 *
 * Locking  look-ups ask the process table anew each time; cached names of numbers are believed only while a task has
 *          that number (revalidate runs with the dentry lock held, so it may only ask the thread table).
 */
import { taskPut } from "../../../core/sched/task-table";
import { taskByTid } from "../../../core/sched/tid";
import { byteAt, bytePut } from "../../../lib/bytes";
import { processByPid, processNext, processPut } from "../../process/process-table";
import { dirEmit, dirEmitDots } from "../dir-emit";
import { Dentry, File, Inode, inodeOf } from "../types";
import { ProcNodeId, procNodeAt, procNodeCount, procNodeFind, procNodeNameLength } from "./node";
import { procFdIsOpen, procFdNext } from "./proc-fd";
import { procInodeNew, procInodeNumber } from "./proc-inode";
import { procNextTid } from "./subject";
import { scratchPop, scratchPush } from "../../../core/sched/scratch";

const FIRST_NUMBER: u64 = 1024;
const DOTS: u64 = 2;
const DT_DIR: u32 = 4;
const DT_SHIFT: u32 = 12;
const NAME_BYTES: u32 = 64;
const NO_NUMBER: u32 = ~0;
const NUMBER_MAX: u32 = 1 << 22;

/** The decimal number a name spells, without leading zeroes; NO_NUMBER for anything else. */
export function procNumberOf(name: usize, length: u32): u32 {
  if (length == 0 || length > 7 || (length > 1 && byteAt(name, 0) == 0x30)) return NO_NUMBER;
  let value: u32 = 0;
  for (let i: u32 = 0; i < length; i++) {
    const digit = byteAt(name, i) - 0x30;
    if (digit > 9) return NO_NUMBER;
    value = value * 10 + digit;
  }
  return value < NUMBER_MAX ? value : NO_NUMBER;
}

/** Node under which the fixed names of directory `id` are filed: threads show what processes show. */
function tableParent(id: u32): u32 {
  return id == ProcNodeId.TID_DIR ? <u32>ProcNodeId.PID_DIR : id;
}

/** True when a directory of kind `id` has no entry `child`: a thread has no threads of its own. */
function isHidden(id: u32, child: u32): bool {
  return id == ProcNodeId.TID_DIR && child == ProcNodeId.TASK_DIR;
}

export function procLookup(dir: Inode, name: usize, length: u32, fresh: Dentry): usize {
  const id = dir.data;
  const child = procNodeFind(tableParent(id), name, length);
  if (child != 0 && !isHidden(id, child)) return procInodeNew(dir, child, dir.data1, dir.data2, 0);
  const number = procNumberOf(name, length);
  return number != NO_NUMBER ? lookupNumber(dir, id, number) : 0;
}

function lookupNumber(dir: Inode, id: u32, number: u32): usize {
  if (id == ProcNodeId.ROOT) return pidExists(number) ? procInodeNew(dir, ProcNodeId.PID_DIR, number, 0, 0) : 0;
  if (id == ProcNodeId.TASK_DIR) {
    return nextTid(dir.data1, number) == number ? procInodeNew(dir, ProcNodeId.TID_DIR, dir.data1, number, 0) : 0;
  }
  if (id != ProcNodeId.FD_DIR && id != ProcNodeId.FDINFO_DIR) return 0;
  if (!procFdIsOpen(dir.data1, number)) return 0;
  const kind: u32 = id == ProcNodeId.FD_DIR ? ProcNodeId.FD_LINK : ProcNodeId.FDINFO_FILE;
  return procInodeNew(dir, kind, dir.data1, dir.data2, number);
}

function pidExists(pid: u32): bool {
  const process = processByPid(pid);
  if (!process) return false;
  processPut(process);
  return true;
}

/** The least thread number >= `from` of process `pid`, or 0. */
function nextTid(pid: u32, from: u32): u32 {
  const process = processByPid(pid);
  if (!process) return 0;
  const tid = procNextTid(process, from);
  processPut(process);
  return tid;
}

/** Whether a cached name may be believed; dentry lock held. */
export function procRevalidate(dir: Inode, name: usize, length: u32, inode: usize): bool {
  if (inode == 0) return false;
  const number = procNumberOf(name, length);
  if (number == NO_NUMBER) return true;
  if (dir.data == ProcNodeId.FD_DIR || dir.data == ProcNodeId.FDINFO_DIR) return false;
  const task = taskByTid(number);
  if (!task) return false;
  taskPut(task);
  return true;
}

// ---- readdir ----

export function procReaddir(file: File, cursor: usize): i32 {
  const dir = inodeOf(file.inode);
  if (!dirEmitDots(cursor)) return 0;
  const name = scratchPush(NAME_BYTES);
  if (file.pos >= FIRST_NUMBER || emitFixed(file, dir, cursor, name)) emitNumbers(file, dir, cursor, name);
  scratchPop(NAME_BYTES);
  return 0;
}

/** The fixed names; false when the reader's buffer is full. */
function emitFixed(file: File, dir: Inode, cursor: usize, name: usize): bool {
  const parent = tableParent(dir.data);
  for (let id = <u32>max<u64>(file.pos - DOTS, ProcNodeId.TASK_DIR); id < procNodeCount(); id++) {
    const node = procNodeAt(id);
    const length = procNodeNameLength(id);
    if (node.parent != parent || length == 0 || isHidden(dir.data, id)) continue;
    file.pos = DOTS + id;
    for (let i: u32 = 0; i < length; i++) bytePut(name, i, changetype<string>(node.name).charCodeAt(i)); // SAFETY: a literal
    if (!dirEmit(cursor, name, length, procInodeNumber(id, dir.data1, dir.data2, 0), node.mode >> DT_SHIFT)) return false;
  }
  file.pos = FIRST_NUMBER;
  return true;
}

/** The numbers of a directory that has them. */
function emitNumbers(file: File, dir: Inode, cursor: usize, name: usize): void {
  while (true) {
    const number = nextNumber(dir, <u32>(file.pos - FIRST_NUMBER));
    if (number < 0) return;
    file.pos = FIRST_NUMBER + <u64>number;
    const length = numberBytes(number, name);
    if (!dirEmit(cursor, name, length, numberInode(dir, number), numberType(dir.data))) return;
    file.pos = FIRST_NUMBER + <u64>number + 1;
  }
}

/** The least number >= `from` that directory `dir` shows, or -1. */
function nextNumber(dir: Inode, from: u32): i32 {
  if (dir.data == ProcNodeId.ROOT) return nextPid(from);
  if (dir.data == ProcNodeId.TASK_DIR) {
    const tid = nextTid(dir.data1, from);
    return tid != 0 ? <i32>tid : -1;
  }
  if (dir.data == ProcNodeId.FD_DIR || dir.data == ProcNodeId.FDINFO_DIR) return procFdNext(dir.data1, from);
  return -1;
}

function nextPid(from: u32): i32 {
  const process = processNext(from);
  if (!process) return -1;
  const pid = process.pid;
  processPut(process);
  return pid;
}

function numberInode(dir: Inode, number: u32): u64 {
  if (dir.data == ProcNodeId.ROOT) return procInodeNumber(ProcNodeId.PID_DIR, number, 0, 0);
  if (dir.data == ProcNodeId.TASK_DIR) return procInodeNumber(ProcNodeId.TID_DIR, dir.data1, number, 0);
  const kind: u32 = dir.data == ProcNodeId.FD_DIR ? ProcNodeId.FD_LINK : ProcNodeId.FDINFO_FILE;
  return procInodeNumber(kind, dir.data1, dir.data2, number);
}

function numberType(id: u32): u32 {
  if (id == ProcNodeId.FD_DIR) return procNodeAt(ProcNodeId.FD_LINK).mode >> DT_SHIFT;
  if (id == ProcNodeId.FDINFO_DIR) return procNodeAt(ProcNodeId.FDINFO_FILE).mode >> DT_SHIFT;
  return DT_DIR;
}

/** Decimal digits of `number` to linear `to`; their count. */
export function numberBytes(number: u32, to: usize): u32 {
  let divisor: u32 = 1;
  while (number / divisor >= 10) divisor *= 10;
  let length: u32 = 0;
  for (; divisor > 0; divisor /= 10) bytePut(to, length++, 0x30 + number / divisor % 10);
  return length;
}
