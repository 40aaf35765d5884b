/**
 * Advisory locks: flock(2), and POSIX and OFD record locks of fcntl(2).
 *
 * All locks of an inode form one list (Inode.lockList). A lock has a range (flock: everything) and an owner: the
 * descriptor table for POSIX locks, the File for OFD locks and flock. flock and record locks do not see each other.
 *
 * Invariants  K1  record locks of one owner on one inode do not overlap and are sorted by nothing.
 * Locking     LOCKS.lock guards every list; blocked callers sleep on LOCKS.queue and look again when any lock goes.
 * Spec        fcntl(2), flock(2): struct flock of x86-64.
 */
import { userCopyIn, userCopyOut } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { kfree, kmalloc } from "../../core/mm/slab";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { WaitQueue, waitQueueAt, waitQueueInit, waitSleep, wakeUpAll } from "../../core/sync/wait-queue";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";
import { Rank } from "../../lib/lock-rank";
import { currentProcess } from "../process/process";
import { File, FileRight, Inode, inodeOf } from "./types";

const enum LockKind { POSIX = 0, OFD = 1, FLOCK = 2 }
const enum LockType { READ = 0, WRITE = 1, NONE = 2 } // F_RDLCK, F_WRLCK, F_UNLCK
const LOCK_MAND: u32 = 32;
const END: u64 = 0x7fffffffffffffff;

@final @unmanaged
class FileLock {
  next: usize;
  owner: usize;
  kind: u32;
  type: u32;
  start: u64;
  last: u64;   // inclusive
  pid: u32;
  pad: u32;
}

@final @unmanaged
class LockTable {
  lock0: u64;  // a SpinLock by value
  lock1: u64;
  queue: u64;  // a WaitQueue by value, 32 bytes
  queue1: u64;
  queue2: u64;
  queue3: u64;
}
const LOCKS = changetype<LockTable>(memory.data(offsetof<LockTable>(), 8));

/** struct flock. */
@final @unmanaged
class FlockArg {
  type: i16;
  whence: i16;
  pad: u32;
  start: i64;
  length: i64;
  pid: i32;
  pad1: u32;
}
if (offsetof<FlockArg>() != 32) ERROR("struct flock has 32 bytes");

function tableLock(): SpinLock { return changetype<SpinLock>(LOCKS); } // SAFETY: lock0 stands first
function tableQueue(): WaitQueue { return waitQueueAt(changetype<usize>(LOCKS) + offsetof<LockTable>("queue")); }
function lockAt(p: usize): FileLock { return changetype<FileLock>(p); } // SAFETY: p is on a lock list
function listAt(inode: Inode): usize { return changetype<usize>(inode) + offsetof<Inode>("lockList"); }

export function fileLockInit(): void {
  spinInit(tableLock(), Rank.INODE);
  waitQueueInit(tableQueue());
}

/** flock(2): LOCK_SH 1, LOCK_EX 2, LOCK_NB 4, LOCK_UN 8. */
export function flockFile(file: File, operation: u32): i64 {
  if (operation & LOCK_MAND) return 0; // mandatory locks are gone from Linux, which ignores the request
  const what = operation & ~4;
  if (what != 1 && what != 2 && what != 8) return -(<i64>Errno.INVAL);
  const type: u32 = what == 1 ? LockType.READ : what == 2 ? LockType.WRITE : LockType.NONE;
  return lockApply(inodeOf(file.inode), LockKind.FLOCK, changetype<usize>(file), type, 0, END, !(operation & 4));
}

/** F_GETLK 5, F_SETLK 6, F_SETLKW 7 and their OFD forms 36, 37, 38. */
export function fcntlLock(file: File, cmd: u32, argVa: u64): i64 {
  const arg = changetype<FlockArg>(scratchPush(offsetof<FlockArg>())); // SAFETY: scratch of that size
  let r: i64 = userCopyIn(changetype<usize>(arg), argVa, offsetof<FlockArg>());
  if (r == 0) r = recordLock(file, cmd, arg, argVa);
  scratchPop(offsetof<FlockArg>());
  return r;
}

function recordLock(file: File, cmd: u32, arg: FlockArg, argVa: u64): i64 {
  const isOfd = cmd >= 36;
  const kind: u32 = isOfd ? LockKind.OFD : LockKind.POSIX;
  const owner = isOfd ? changetype<usize>(file) : <usize>currentProcess().files;
  if (isOfd && arg.pid) return -(<i64>Errno.INVAL);
  if (<u32>arg.type > <u32>LockType.NONE) return -(<i64>Errno.INVAL);
  const inode = inodeOf(file.inode);
  let start = arg.start;
  if (arg.whence == 1) start += <i64>file.pos;
  else if (arg.whence == 2) start += <i64>inode.size;
  else if (arg.whence) return -(<i64>Errno.INVAL);
  let last = <i64>END;
  if (arg.length > 0) last = start + arg.length - 1;
  else if (arg.length < 0) {
    last = start - 1;
    start += arg.length;
  }
  if (start < 0) return -(<i64>Errno.INVAL);
  if (last < start) return -(<i64>Errno.OVERFLOW);
  if (cmd == 5 || cmd == 36) return lockQuery(inode, kind, owner, arg, start, last, argVa);
  if (arg.type == LockType.READ && !(file.mode & FileRight.READ)) return -(<i64>Errno.BADF);
  if (arg.type == LockType.WRITE && !(file.mode & FileRight.WRITE)) return -(<i64>Errno.BADF);
  return lockApply(inode, kind, owner, arg.type, start, last, cmd == 7 || cmd == 38);
}

/** F_GETLK: the first lock in the way, or F_UNLCK. */
function lockQuery(inode: Inode, kind: u32, owner: usize, arg: FlockArg, start: u64, last: u64, argVa: u64): i64 {
  if (arg.type == LockType.NONE) return -(<i64>Errno.INVAL);
  spinLock(tableLock());
  const found = conflictLocked(inode, kind, owner, arg.type, start, last);
  if (!found) {
    arg.type = <i16>LockType.NONE;
  } else {
    const lock = lockAt(found);
    arg.type = <i16>lock.type;
    arg.whence = 0;
    arg.start = lock.start;
    arg.length = lock.last == END ? 0 : <i64>(lock.last - lock.start + 1);
    arg.pid = lock.kind == LockKind.POSIX ? <i32>lock.pid : -1;
  }
  spinUnlock(tableLock());
  return userCopyOut(argVa, changetype<usize>(arg), offsetof<FlockArg>());
}

/** The first lock that forbids this one, or 0. */
function conflictLocked(inode: Inode, kind: u32, owner: usize, type: u32, start: u64, last: u64): usize {
  for (let at = <usize>inode.lockList; at; at = lockAt(at).next) {
    const lock = lockAt(at);
    if ((lock.kind == LockKind.FLOCK) != (kind == LockKind.FLOCK)) continue;
    if (lock.owner == owner && lock.kind == kind) continue;
    if (lock.last < start || lock.start > last) continue;
    if (lock.type == LockType.WRITE || type == LockType.WRITE) return at;
  }
  return 0;
}

/** Sets or clears a lock, waiting for others when `waits`. 0 or -errno. */
function lockApply(inode: Inode, kind: u32, owner: usize, type: u32, start: u64, last: u64, waits: bool): i64 {
  // Two fresh records are enough for any change: one for the lock, one for the second half of a split.
  const fresh = kmalloc(offsetof<FileLock>());
  const spare = kmalloc(offsetof<FileLock>());
  let r: i64 = fresh && spare ? 0 : -(<i64>Errno.NOLCK);
  let unused = fresh;
  let unusedSpare = spare;
  if (r == 0) {
    spinLock(tableLock());
    r = type == LockType.NONE ? 0 : conflictWaitLocked(inode, kind, owner, type, start, last, waits);
    if (r == 0) {
      if (rangeClearLocked(inode, kind, owner, start, last, spare)) unusedSpare = 0;
      if (type != LockType.NONE) {
        lockFill(fresh, kind, owner, type, start, last);
        lockAt(fresh).next = inode.lockList;
        inode.lockList = fresh;
        unused = 0;
      }
      wakeUpAll(tableQueue());
    }
    spinUnlock(tableLock());
  }
  kfree(unused);
  kfree(unusedSpare);
  return r;
}

/** 0 when nothing is in the way any more. flock gives up its own lock before it waits for a different kind. */
function conflictWaitLocked(inode: Inode, kind: u32, owner: usize, type: u32, start: u64, last: u64, waits: bool): i64 {
  while (conflictLocked(inode, kind, owner, type, start, last)) {
    if (!waits) return -(<i64>Errno.AGAIN);
    if (kind == LockKind.FLOCK) {
      rangeClearLocked(inode, kind, owner, start, last, 0);
      wakeUpAll(tableQueue());
    }
    const r = waitSleep(tableQueue(), tableLock(), 0);
    if (r == -(<i32>Errno.INTR)) return -(<i64>Errno.RESTARTSYS);
    if (r < 0) return r;
  }
  return 0;
}

function lockFill(p: usize, kind: u32, owner: usize, type: u32, start: u64, last: u64): void {
  const lock = lockAt(p);
  lock.owner = owner;
  lock.kind = kind;
  lock.type = type;
  lock.start = start;
  lock.last = last;
  lock.pid = currentProcess().pid;
}

/** Removes the owner's locks from [start, last], cutting what sticks out; true when `spare` was used for a split. */
function rangeClearLocked(inode: Inode, kind: u32, owner: usize, start: u64, last: u64, spare: usize): bool {
  let usedSpare = false;
  let link = listAt(inode);
  while (load<usize>(link)) {
    const at = load<usize>(link);
    const lock = lockAt(at);
    const isMine = lock.kind == kind && lock.owner == owner && lock.last >= start && lock.start <= last;
    if (isMine) {
      if (lock.start < start && lock.last > last) { // K1: at most one lock can surround the range
        lockFill(spare, kind, owner, lock.type, last + 1, lock.last);
        lockAt(spare).next = lock.next;
        lock.next = spare;
        lock.last = start - 1;
        usedSpare = true;
      } else if (lock.start < start) {
        lock.last = start - 1;
      } else if (lock.last > last) {
        lock.start = last + 1;
      } else {
        store<usize>(link, lock.next);
        kfree(at);
        continue;
      }
    }
    link = at + offsetof<FileLock>("next");
  }
  return usedSpare;
}

/** close(2) of any descriptor of the file drops the table's POSIX locks. */
export function recordLocksRelease(inode: Inode, owner: usize): void {
  releaseAll(inode, LockKind.POSIX, LockKind.POSIX, owner);
}

/** The last reference of a File is gone: its flock and OFD locks go. */
export function fileLocksRelease(inode: Inode, owner: usize): void {
  releaseAll(inode, LockKind.OFD, LockKind.FLOCK, owner);
}

function releaseAll(inode: Inode, firstKind: u32, lastKind: u32, owner: usize): void {
  spinLock(tableLock());
  for (let kind = firstKind; kind <= lastKind; kind++) rangeClearLocked(inode, kind, owner, 0, END, 0);
  wakeUpAll(tableQueue());
  spinUnlock(tableLock());
}
