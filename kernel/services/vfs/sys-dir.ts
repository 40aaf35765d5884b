/** Directories and names: getdents, chdir, mkdir, rmdir, unlink, mknod, link, symlink, readlink, rename. */
import { userCopyOut } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { File, FileMode, FileRight, Inode, Path, dentryOf, fileOpsOf, inodeOf, inodeOpsOf, isErrPtr, mountOf } from "./types";
import { dentryGet } from "./dcache";
import { inodeLock, inodeUnlock } from "./inode";
import { mountGet, pathPut } from "./mount";
import { Cap, May, credHasCap, credNow, inodePermission } from "./credentials";
import { AT_FDCWD, Walk, WalkFlag, inodeIsDirectory } from "./walk";
import {
  AT_EMPTY_PATH, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, cwdIsGone, pathAt, pathLookup, pathToBytes, pathWalk, walkAt,
} from "./namei";
import { PATH_BUFFER_BYTES, pathBuffer, pathFetch, pathFetchSecond, pathSecondFree } from "./path-buffer";
import { fdBorrow, fdReturn, heldFile } from "./fd-table";
import { fsCwdSet, fsNow, fsRootSet } from "./fs-context";
import { DirCursor, dirCursorOf, dirFinish } from "./dir-emit";
import { fileAccessed } from "./file-pages";
import { bufRangeOk } from "./io-buf";
import { NewName, nameMake, nameRmdir, nameUnlink } from "./directory";
import { RENAME_EXCHANGE_FLAG, RENAME_NOREPLACE, nameMove } from "./rename";
import { PATH_MAX } from "./name";

export function sysGetdents64(fd: i32, bufVa: u64, count: u32): i64 {
  return direntsRead(fd, bufVa, count, 0);
}

export function sysGetdents(fd: i32, bufVa: u64, count: u32): i64 {
  return direntsRead(fd, bufVa, count, 1);
}

function direntsRead(fd: i32, bufVa: u64, count: u32, isOld: u32): i64 {
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  const r = direntsOf(heldFile(held), bufVa, count, isOld);
  fdReturn(held);
  return r;
}

function direntsOf(file: File, bufVa: u64, count: u32, isOld: u32): i64 {
  if (!(file.mode & FileRight.READ)) return -(<i64>Errno.BADF);
  const inode = inodeOf(file.inode);
  if (!inodeIsDirectory(inode)) return -(<i64>Errno.NOTDIR);
  if (!bufRangeOk(bufVa, count)) return -(<i64>Errno.FAULT);
  const stage = pathBuffer();
  if (!stage) return -(<i64>Errno.NOMEM);
  const cursor = dirCursorOf(scratchPush(offsetof<DirCursor>()));
  memory.fill(changetype<usize>(cursor), 0, offsetof<DirCursor>());
  cursor.bufVa = bufVa;
  cursor.file = changetype<usize>(file);
  cursor.room = min<u32>(count, 0x7fffffff);
  cursor.isOld = isOld;
  cursor.stage = stage;
  cursor.stageSize = PATH_BUFFER_BYTES;
  inodeLock(inode);
  let r: i64 = inode.nlink ? fileOpsOf(file).readdir(file, changetype<usize>(cursor)) : -(<i32>Errno.NOENT);
  if (r == 0) r = dirFinish(cursor);
  inodeUnlock(inode);
  if (r == 0) r = <i64>(min<u32>(count, 0x7fffffff) - cursor.room);
  scratchPop(offsetof<DirCursor>());
  fileAccessed(file, inode);
  return r;
}

export function sysGetcwd(bufVa: u64, size: u64): i64 {
  const buffer = pathBuffer();
  if (!buffer) return -(<i64>Errno.NOMEM);
  const fs = fsNow();
  if (cwdIsGone(fs)) return -(<i64>Errno.NOENT);
  const place = pathAt(scratchPush(offsetof<Path>()));
  place.mount = fs.cwdMount;
  place.dentry = fs.cwdDentry;
  const length = pathToBytes(place, buffer, PATH_MAX);
  scratchPop(offsetof<Path>());
  if (length < 0) return length;
  if (<u64>length + 1 > size) return -(<i64>Errno.RANGE);
  const r = userCopyOut(bufVa, buffer, length + 1);
  return r < 0 ? r : length + 1;
}

export function sysChdir(pathVa: u64): i64 {
  const path = pathFetch(pathVa);
  if (isErrPtr(path)) return <i32>path;
  const place = pathAt(scratchPush(offsetof<Path>()));
  let r = pathWalk(AT_FDCWD, path, WalkFlag.FOLLOW | WalkFlag.DIRECTORY, place);
  if (r == 0) {
    r = inodePermission(inodeOf(dentryOf(place.dentry).inode), May.EXEC);
    if (r == 0) fsCwdSet(fsNow(), place.mount, place.dentry);
    else pathPut(place);
  }
  scratchPop(offsetof<Path>());
  return r;
}

export function sysFchdir(fd: i32): i64 {
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  const r = chdirFile(heldFile(held));
  fdReturn(held);
  return r;
}

function chdirFile(file: File): i32 {
  const inode = inodeOf(file.inode);
  if (!file.dentry || !inodeIsDirectory(inode)) return -(<i32>Errno.NOTDIR);
  const denied = inodePermission(inode, May.EXEC);
  if (denied) return denied;
  mountGet(mountOf(file.mount));
  dentryGet(dentryOf(file.dentry));
  fsCwdSet(fsNow(), file.mount, file.dentry);
  return 0;
}

export function sysChroot(pathVa: u64): i64 {
  const path = pathFetch(pathVa);
  if (isErrPtr(path)) return <i32>path;
  const place = pathAt(scratchPush(offsetof<Path>()));
  let r = pathWalk(AT_FDCWD, path, WalkFlag.FOLLOW | WalkFlag.DIRECTORY, place);
  if (r == 0) {
    r = inodePermission(inodeOf(dentryOf(place.dentry).inode), May.EXEC);
    if (r == 0 && !credHasCap(credNow(), Cap.SYS_CHROOT)) r = -(<i32>Errno.PERM);
    if (r == 0) fsRootSet(fsNow(), place.mount, place.dentry);
    else pathPut(place);
  }
  scratchPop(offsetof<Path>());
  return r;
}

export function sysUmask(mask: u32): i64 {
  const fs = fsNow();
  const old = fs.umask;
  fs.umask = mask & 0o777;
  return old;
}

// ---- Making ----

/** Makes an inode of `mode` at a user path. */
function makeAt(dirFd: i32, pathVa: u64, mode: u32, rdev: u64): i64 {
  const path = pathFetch(pathVa);
  if (isErrPtr(path)) return <i32>path;
  const what = changetype<NewName>(scratchPush(offsetof<NewName>())); // SAFETY: scratch of that size
  memory.fill(changetype<usize>(what), 0, offsetof<NewName>());
  what.mode = mode;
  what.rdevLow = <u32>rdev;
  what.rdevHigh = <u32>(rdev >> 32);
  const r = makeName(dirFd, path, what);
  scratchPop(offsetof<NewName>());
  return r;
}

function makeName(dirFd: i32, path: usize, what: NewName): i64 {
  const w = walkAt(scratchPush(offsetof<Walk>()));
  const r = nameMake(w, dirFd, path, what);
  scratchPop(offsetof<Walk>());
  return r;
}

export function sysMkdir(pathVa: u64, mode: u32): i64 {
  return sysMkdirat(AT_FDCWD, pathVa, mode);
}

export function sysMkdirat(dirFd: i32, pathVa: u64, mode: u32): i64 {
  return makeAt(dirFd, pathVa, FileMode.IFDIR | (mode & 0o1777 & ~fsNow().umask), 0);
}

export function sysMknod(pathVa: u64, mode: u32, dev: u32): i64 {
  return sysMknodat(AT_FDCWD, pathVa, mode, dev);
}

export function sysMknodat(dirFd: i32, pathVa: u64, mode: u32, dev: u32): i64 {
  let kind = mode & <u32>FileMode.IFMT;
  if (!kind) kind = FileMode.IFREG;
  const isDevice = kind == FileMode.IFCHR || kind == FileMode.IFBLK;
  if (kind == FileMode.IFDIR) return -(<i64>Errno.PERM);
  if (kind != FileMode.IFREG && kind != FileMode.IFIFO && kind != FileMode.IFSOCK && !isDevice) return -(<i64>Errno.INVAL);
  if (isDevice && !credHasCap(credNow(), Cap.MKNOD)) return -(<i64>Errno.PERM);
  // The 32-bit dev_t of this call: 12 bits of major between 8 and 12 bits of minor.
  const rdev = isDevice ? <u64>dev : 0;
  return makeAt(dirFd, pathVa, kind | (mode & 0o7777 & ~fsNow().umask), rdev);
}

export function sysSymlink(targetVa: u64, pathVa: u64): i64 {
  return sysSymlinkat(targetVa, AT_FDCWD, pathVa);
}

export function sysSymlinkat(targetVa: u64, dirFd: i32, pathVa: u64): i64 {
  const target = pathFetchSecond(targetVa);
  if (isErrPtr(target)) return <i32>target;
  const r = symlinkTo(target, dirFd, pathVa);
  pathSecondFree(target);
  return r;
}

function symlinkTo(target: usize, dirFd: i32, pathVa: u64): i64 {
  let length: u32 = 0;
  while (load<u8>(target + length)) length++;
  if (!length) return -(<i64>Errno.NOENT);
  const path = pathFetch(pathVa);
  if (isErrPtr(path)) return <i32>path;
  const what = changetype<NewName>(scratchPush(offsetof<NewName>())); // SAFETY: scratch of that size
  memory.fill(changetype<usize>(what), 0, offsetof<NewName>());
  what.mode = FileMode.IFLNK | 0o777;
  what.target = target;
  what.targetLength = length;
  const r = makeName(dirFd, path, what);
  scratchPop(offsetof<NewName>());
  return r;
}

export function sysLink(oldVa: u64, newVa: u64): i64 {
  return sysLinkat(AT_FDCWD, oldVa, AT_FDCWD, newVa, 0);
}

export function sysLinkat(oldFd: i32, oldVa: u64, newFd: i32, newVa: u64, flags: u32): i64 {
  if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) return -(<i64>Errno.INVAL);
  if (flags & AT_EMPTY_PATH && !credHasCap(credNow(), Cap.DAC_READ_SEARCH)) return -(<i64>Errno.NOENT);
  const oldPath = pathFetch(oldVa);
  if (isErrPtr(oldPath)) return <i32>oldPath;
  const place = pathAt(scratchPush(offsetof<Path>()));
  let r: i64 = flags & AT_EMPTY_PATH && !load<u8>(oldPath)
    ? pathLookup(oldFd, oldPath, AT_EMPTY_PATH, place)
    : pathWalk(oldFd, oldPath, flags & AT_SYMLINK_FOLLOW ? WalkFlag.FOLLOW : 0, place);
  if (r == 0) {
    r = linkPlace(place, newFd, newVa);
    pathPut(place);
  }
  scratchPop(offsetof<Path>());
  return r;
}

function linkPlace(place: Path, newFd: i32, newVa: u64): i64 {
  const path = pathFetch(newVa);
  if (isErrPtr(path)) return <i32>path;
  const what = changetype<NewName>(scratchPush(offsetof<NewName>())); // SAFETY: scratch of that size
  memory.fill(changetype<usize>(what), 0, offsetof<NewName>());
  what.inode = dentryOf(place.dentry).inode;
  what.mount = place.mount;
  const r = makeName(newFd, path, what);
  scratchPop(offsetof<NewName>());
  return r;
}

export function sysReadlink(pathVa: u64, bufVa: u64, size: i32): i64 {
  return sysReadlinkat(AT_FDCWD, pathVa, bufVa, size);
}

export function sysReadlinkat(dirFd: i32, pathVa: u64, bufVa: u64, size: i32): i64 {
  if (size <= 0) return -(<i64>Errno.INVAL);
  const path = pathFetch(pathVa);
  if (isErrPtr(path)) return <i32>path;
  const isEmpty = load<u8>(path) == 0;
  const place = pathAt(scratchPush(offsetof<Path>()));
  let r: i64 = isEmpty && dirFd >= 0 ? pathLookup(dirFd, path, AT_EMPTY_PATH, place) : pathWalk(dirFd, path, 0, place);
  if (r == 0) {
    r = readlinkOut(inodeOf(dentryOf(place.dentry).inode), bufVa, size, isEmpty);
    pathPut(place);
  }
  scratchPop(offsetof<Path>());
  return r;
}

function readlinkOut(inode: Inode, bufVa: u64, size: u32, isEmpty: bool): i64 {
  if ((inode.mode & <u32>FileMode.IFMT) != FileMode.IFLNK) return isEmpty ? -(<i64>Errno.NOENT) : -(<i64>Errno.INVAL);
  const length = inodeOpsOf(inode).readlink(inode, pathBuffer(), PATH_MAX);
  if (length < 0) return length;
  const taken = min<u32>(length, size); // a short buffer gets the beginning
  const r = userCopyOut(bufVa, pathBuffer(), taken);
  return r < 0 ? r : taken;
}

// ---- Removing and moving ----

export function sysUnlink(pathVa: u64): i64 {
  return sysUnlinkat(AT_FDCWD, pathVa, 0);
}

export function sysRmdir(pathVa: u64): i64 {
  return sysUnlinkat(AT_FDCWD, pathVa, AT_REMOVEDIR);
}

export function sysUnlinkat(dirFd: i32, pathVa: u64, flags: u32): i64 {
  if (flags & ~AT_REMOVEDIR) return -(<i64>Errno.INVAL);
  const path = pathFetch(pathVa);
  if (isErrPtr(path)) return <i32>path;
  const w = walkAt(scratchPush(offsetof<Walk>()));
  const r = flags ? nameRmdir(w, dirFd, path) : nameUnlink(w, dirFd, path);
  scratchPop(offsetof<Walk>());
  return r;
}

export function sysRename(oldVa: u64, newVa: u64): i64 {
  return sysRenameat2(AT_FDCWD, oldVa, AT_FDCWD, newVa, 0);
}

export function sysRenameat(oldFd: i32, oldVa: u64, newFd: i32, newVa: u64): i64 {
  return sysRenameat2(oldFd, oldVa, newFd, newVa, 0);
}

export function sysRenameat2(oldFd: i32, oldVa: u64, newFd: i32, newVa: u64, flags: u32): i64 {
  if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE_FLAG)) return -(<i64>Errno.INVAL);
  if (flags == (RENAME_NOREPLACE | RENAME_EXCHANGE_FLAG)) return -(<i64>Errno.INVAL);
  const newPath = pathFetchSecond(newVa);
  if (isErrPtr(newPath)) return <i32>newPath;
  const oldPath = pathFetch(oldVa);
  let r: i64 = <i32>oldPath;
  if (!isErrPtr(oldPath)) {
    const from = walkAt(scratchPush(offsetof<Walk>()));
    const to = walkAt(scratchPush(offsetof<Walk>()));
    r = nameMove(from, oldFd, oldPath, to, newFd, newPath, flags);
    scratchPop(offsetof<Walk>());
    scratchPop(offsetof<Walk>());
  }
  pathSecondFree(newPath);
  return r;
}
