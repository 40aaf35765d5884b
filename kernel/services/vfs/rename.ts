/**
 * rename: two names, up to four inodes, one lock order.
 *
 * Locking  renameMutex first when the directories differ, so that nobody's ancestry changes meanwhile; then the
 *          directories, an ancestor before its descendant, else by address; then a directory that is replaced.
 * Spec     renameat2(2).
 */
import { Errno } from "../../abi/errno";
import { mutexAt, mutexInit, mutexLock, mutexUnlock } from "../../core/sync/mutex";
import { Dentry, Inode, dentryOf, inodeOf, inodeOpsOf, isErrPtr, superOf } from "./types";
import { dcacheLock, dcachePrune, dcacheUnlock, dentryExchange, dentryIsBelowLocked, dentryMove, dentryPut, dentryRespell } from "./dcache";
import { dentryNameBuffer, nameBufferFree } from "./dentry-name";
import { inodeLock, inodeLockTwo, inodeUnlock, inodeUnlockTwo } from "./inode";
import { May, inodePermission } from "./credentials";
import { nameEqual } from "./name";
import { dentryLookupLocked } from "./lookup";
import { LastKind, Walk, WalkFlag, inodeIsDirectory, walkEnd, walkPath } from "./walk";
import { mayCreate } from "./open";
import { mayRemove } from "./directory";

export const RENAME_NOREPLACE: u32 = 1;
export const RENAME_EXCHANGE_FLAG: u32 = 2;

const RENAME_MUTEX: usize = memory.data(32, 8);

export function renameInit(): void {
  mutexInit(mutexAt(RENAME_MUTEX));
}

/** Moves `oldPath` to `newPath`; `from` and `to` are walks to use. 0 or -errno. */
export function nameMove(from: Walk, oldFd: i32, oldPath: usize, to: Walk, newFd: i32, newPath: usize, flags: u32): i32 {
  let r = walkPath(from, oldFd, oldPath, WalkFlag.PARENT);
  if (r < 0) return r;
  r = walkPath(to, newFd, newPath, WalkFlag.PARENT);
  if (r == 0) {
    r = moveWalked(from, to, flags);
    walkEnd(to);
  }
  walkEnd(from);
  return r;
}

function moveWalked(from: Walk, to: Walk, flags: u32): i32 {
  if (from.mount != to.mount) return -(<i32>Errno.XDEV);
  if (from.lastKind != LastKind.NORMAL) return -(<i32>Errno.BUSY);
  if (to.lastKind != LastKind.NORMAL) return flags & RENAME_NOREPLACE ? -(<i32>Errno.EXIST) : -(<i32>Errno.BUSY);
  const oldDir = inodeOf(dentryOf(from.dentry).inode);
  const newDir = inodeOf(dentryOf(to.dentry).inode);
  const isAcross = from.dentry != to.dentry;
  if (isAcross) mutexLock(mutexAt(RENAME_MUTEX));
  directoriesLock(from.dentry, to.dentry);
  const r = moveLocked(from, to, flags);
  inodeUnlockTwo(oldDir, newDir);
  if (isAcross) mutexUnlock(mutexAt(RENAME_MUTEX));
  return r;
}

function directoriesLock(a: usize, b: usize): void {
  dcacheLock();
  const aAbove = a != b && dentryIsBelowLocked(b, a);
  const bAbove = a != b && dentryIsBelowLocked(a, b);
  dcacheUnlock();
  const inodeA = inodeOf(dentryOf(a).inode);
  const inodeB = inodeOf(dentryOf(b).inode);
  if (!aAbove && !bAbove) return inodeLockTwo(inodeA, inodeB);
  inodeLock(aAbove ? inodeA : inodeB);
  inodeLock(aAbove ? inodeB : inodeA);
}

function moveLocked(from: Walk, to: Walk, flags: u32): i32 {
  const source = dentryLookupLocked(dentryOf(from.dentry), from.lastName, from.lastLength, from.lastHash);
  if (isErrPtr(source)) return <i32>source;
  const target = dentryLookupLocked(dentryOf(to.dentry), to.lastName, to.lastLength, to.lastHash);
  let r = <i32>target;
  if (!isErrPtr(target)) {
    r = moveChecked(from, to, dentryOf(source), dentryOf(target), flags);
    dentryPut(dentryOf(target));
  }
  dentryPut(dentryOf(source));
  return r;
}

function moveChecked(from: Walk, to: Walk, source: Dentry, target: Dentry, flags: u32): i32 {
  let r = moveAllowed(from, to, source, target, flags);
  if (r < 0) return r;
  if (changetype<usize>(source) == changetype<usize>(target)) return respell(from, to, source, flags);
  if (source.inode == target.inode) return 0; // two names of one file: nothing happens
  const replaced = target.inode && !(flags & RENAME_EXCHANGE_FLAG) && inodeIsDirectory(inodeOf(target.inode)) ? target.inode : 0;
  if (replaced) {
    dcachePrune(target);
    inodeLock(inodeOf(replaced));
  }
  r = moveNames(from, to, source, target, flags);
  if (replaced) inodeUnlock(inodeOf(replaced));
  return r;
}

/** One entry, spelt in another case: the file system is told, where case counts at all. By another of its names: nothing happens. */
function respell(from: Walk, to: Walk, d: Dentry, flags: u32): i32 {
  if (!superOf(d.sb).foldsCase || to.lastLength != d.nameLength || nameEqual(d.namePtr, to.lastName, d.nameLength)) return 0;
  const dir = inodeOf(dentryOf(from.dentry).inode);
  const r = inodeOpsOf(dir).rename(dir, d.namePtr, d.nameLength, inodeOf(d.inode), dir, to.lastName, to.lastLength, 0, flags);
  if (r == 0) dentryRespell(d, to.lastName);
  return r;
}

/** Everything that forbids the move, in Linux's order. */
function moveAllowed(from: Walk, to: Walk, source: Dentry, target: Dentry, flags: u32): i32 {
  if (!source.inode) return -(<i32>Errno.NOENT);
  const exchanges = (flags & RENAME_EXCHANGE_FLAG) != 0;
  if (flags & RENAME_NOREPLACE && target.inode) return -(<i32>Errno.EXIST);
  if (exchanges && !target.inode) return -(<i32>Errno.NOENT);
  const inode = inodeOf(source.inode);
  const isDirectory = inodeIsDirectory(inode);
  const needsDirectory = from.hasSlash || (!exchanges && to.hasSlash);
  if (needsDirectory && !isDirectory) return -(<i32>Errno.NOTDIR);
  if (exchanges && to.hasSlash && !inodeIsDirectory(inodeOf(target.inode))) return -(<i32>Errno.NOTDIR);
  dcacheLock();
  const intoItself = dentryIsBelowLocked(to.dentry, changetype<usize>(source));
  const overAncestor = dentryIsBelowLocked(from.dentry, changetype<usize>(target));
  dcacheUnlock();
  if (intoItself) return -(<i32>Errno.INVAL);
  if (overAncestor) return exchanges ? -(<i32>Errno.INVAL) : -(<i32>Errno.NOTEMPTY);
  return moveRights(from, to, source, target, isDirectory, exchanges);
}

function moveRights(from: Walk, to: Walk, source: Dentry, target: Dentry, isDirectory: bool, exchanges: bool): i32 {
  const oldDir = inodeOf(dentryOf(from.dentry).inode);
  const newDir = inodeOf(dentryOf(to.dentry).inode);
  let r = mayRemove(from.mount, oldDir, source, -1);
  if (r < 0) return r;
  if (!target.inode) r = mayCreate(to.mount, newDir);
  else r = mayRemove(to.mount, newDir, target, exchanges ? -1 : isDirectory ? 1 : 0);
  if (r < 0 || from.dentry == to.dentry) return r;
  // A directory that moves gets a new "..": that is a write to it.
  if (isDirectory) r = inodePermission(inodeOf(source.inode), May.WRITE);
  if (r == 0 && exchanges && inodeIsDirectory(inodeOf(target.inode))) r = inodePermission(inodeOf(target.inode), May.WRITE);
  return r;
}

function moveNames(from: Walk, to: Walk, source: Dentry, target: Dentry, flags: u32): i32 {
  const buffer = dentryNameBuffer(target.nameLength);
  if (buffer == <usize>-1) return -(<i32>Errno.NOMEM);
  const oldDir: Inode = inodeOf(dentryOf(from.dentry).inode);
  const newDir: Inode = inodeOf(dentryOf(to.dentry).inode);
  const r = inodeOpsOf(oldDir).rename(
    oldDir, source.namePtr, source.nameLength, inodeOf(source.inode),
    newDir, target.namePtr, target.nameLength, target.inode, flags);
  const exchanges = (flags & RENAME_EXCHANGE_FLAG) != 0;
  if (r < 0 || exchanges) {
    nameBufferFree(buffer);
    if (r == 0) dentryExchange(source, target);
    return r;
  }
  dentryPut(dentryOf(dentryMove(source, target, buffer)));
  return 0;
}
