/** Attributes and sizes: chmod, chown, utimes and their kin, truncate, fallocate. */
import { userCopyIn } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { File, FileMode, FileRight, Inode, Path, dentryOf, inodeOf, inodeOpsOf, isErrPtr, superOf } from "./types";
import { inodeLock, inodeTouchModified, inodeUnlock } from "./inode";
import { mountWritable, pathPut } from "./mount";
import { May, inodePermission } from "./credentials";
import { AT_FDCWD } from "./walk";
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, filePath, pathAt, pathLookup } from "./namei";
import { pathFetch } from "./path-buffer";
import { fdBorrow, fdReturn, heldFile } from "./fd-table";
import { TIME_KEEP, TIME_NOW, UTIME_NOW, UTIME_OMIT, inodeChmod, inodeChown, inodeSetTimes, truncateLocked } from "./attributes";
import { FallocFlag, pagesTruncate } from "./file-pages";
import { sizeLimitCheck } from "./file-io";

const NS_PER_SEC: i64 = 1000000000;
const F_SEAL_SHRINK: u32 = 2;
const F_SEAL_GROW: u32 = 4;
const F_SEAL_WRITE: u32 = 8;

/** What to do with a path that was found. */
const enum Change { CHMOD = 0, CHOWN = 1, TIMES = 2 }

/** Does one change to the inode of `place`, with its two arguments. */
function changePlace(place: Path, what: u32, a: i64, b: i64): i32 {
  const readOnly = mountWritable(place.mount);
  if (readOnly) return readOnly;
  const inode = inodeOf(dentryOf(place.dentry).inode);
  if (what == Change.TIMES) return inodeSetTimes(inode, a, b);
  if (what == Change.CHOWN) return inodeChown(inode, <u32>a, <u32>b);
  if ((inode.mode & <u32>FileMode.IFMT) == FileMode.IFLNK) return -(<i32>Errno.OPNOTSUPP);
  return inodeChmod(inode, <u32>a);
}

function changeAt(dirFd: i32, pathVa: u64, flags: u32, what: u32, a: i64, b: i64): i64 {
  const path = pathFetch(pathVa);
  if (isErrPtr(path)) return <i32>path;
  const place = pathAt(scratchPush(offsetof<Path>()));
  let r = pathLookup(dirFd, path, flags, place);
  if (r == 0) {
    r = changePlace(place, what, a, b);
    pathPut(place);
  }
  scratchPop(offsetof<Path>());
  return r;
}

function changeFd(fd: i32, what: u32, a: i64, b: i64): i64 {
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  const file = heldFile(held);
  let r: i32 = -(<i32>Errno.BADF);
  if (!(file.mode & FileRight.PATH_ONLY)) {
    const place = pathAt(scratchPush(offsetof<Path>()));
    r = filePath(file, place);
    if (r == 0) {
      r = changePlace(place, what, a, b);
      pathPut(place);
    }
    scratchPop(offsetof<Path>());
  }
  fdReturn(held);
  return r;
}

export function sysChmod(pathVa: u64, mode: u32): i64 {
  return changeAt(AT_FDCWD, pathVa, 0, Change.CHMOD, mode, 0);
}

export function sysFchmodat(dirFd: i32, pathVa: u64, mode: u32): i64 {
  return changeAt(dirFd, pathVa, 0, Change.CHMOD, mode, 0);
}

export function sysFchmod(fd: i32, mode: u32): i64 {
  return changeFd(fd, Change.CHMOD, mode, 0);
}

export function sysChown(pathVa: u64, uid: i32, gid: i32): i64 {
  return changeAt(AT_FDCWD, pathVa, 0, Change.CHOWN, uid, gid);
}

export function sysLchown(pathVa: u64, uid: i32, gid: i32): i64 {
  return changeAt(AT_FDCWD, pathVa, AT_SYMLINK_NOFOLLOW, Change.CHOWN, uid, gid);
}

export function sysFchown(fd: i32, uid: i32, gid: i32): i64 {
  return changeFd(fd, Change.CHOWN, uid, gid);
}

export function sysFchownat(dirFd: i32, pathVa: u64, uid: i32, gid: i32, flags: u32): i64 {
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return -(<i64>Errno.INVAL);
  return changeAt(dirFd, pathVa, flags, Change.CHOWN, uid, gid);
}

// ---- Times ----

export function sysUtimensat(dirFd: i32, pathVa: u64, timesVa: u64, flags: u32): i64 {
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return -(<i64>Errno.INVAL);
  return timesChange(dirFd, pathVa, timesVa, flags, 1);
}

export function sysUtimes(pathVa: u64, timesVa: u64): i64 {
  return timesChange(AT_FDCWD, pathVa, timesVa, 0, 1000);
}

export function sysFutimesat(dirFd: i32, pathVa: u64, timesVa: u64): i64 {
  return timesChange(dirFd, pathVa, timesVa, 0, 1000);
}

/** Reads two times whose fraction counts `unitNs`; a null pointer is "now" for both. */
function timesChange(dirFd: i32, pathVa: u64, timesVa: u64, flags: u32, unitNs: i64): i64 {
  let atime = TIME_NOW;
  let mtime = TIME_NOW;
  if (timesVa) {
    const words = scratchPush(32);
    let r: i64 = userCopyIn(words, timesVa, 32);
    atime = timeOf(words, unitNs);
    mtime = timeOf(words + 16, unitNs);
    scratchPop(32);
    if (r == 0 && (atime == TIME_BAD || mtime == TIME_BAD)) r = -(<i64>Errno.INVAL);
    if (r < 0) return r;
  }
  if (atime == TIME_KEEP && mtime == TIME_KEEP) return 0; // nothing to do, not even to look
  if (!pathVa && dirFd != AT_FDCWD) return changeFd(dirFd, Change.TIMES, atime, mtime);
  return changeAt(dirFd, pathVa, flags, Change.TIMES, atime, mtime);
}
const TIME_BAD: i64 = i64.MIN_VALUE + 2;

function timeOf(words: usize, unitNs: i64): i64 {
  const seconds = load<i64>(words);
  const fraction = load<i64>(words + 8);
  if (unitNs == 1 && fraction == UTIME_NOW) return TIME_NOW;
  if (unitNs == 1 && fraction == UTIME_OMIT) return TIME_KEEP;
  if (<u64>fraction >= <u64>(NS_PER_SEC / unitNs)) return TIME_BAD;
  // What lies outside 1970..2262 becomes the nearest representable time.
  const whole = min<i64>(max<i64>(seconds, 0), 9223372035);
  return whole * NS_PER_SEC + fraction * unitNs;
}

export function sysUtime(pathVa: u64, timesVa: u64): i64 {
  let atime = TIME_NOW;
  let mtime = TIME_NOW;
  if (timesVa) {
    const words = scratchPush(16);
    const r = userCopyIn(words, timesVa, 16);
    atime = min<i64>(max<i64>(load<i64>(words), 0), 9223372035) * NS_PER_SEC;
    mtime = min<i64>(max<i64>(load<i64>(words + 8), 0), 9223372035) * NS_PER_SEC;
    scratchPop(16);
    if (r < 0) return r;
  }
  return changeAt(AT_FDCWD, pathVa, 0, Change.TIMES, atime, mtime);
}

// ---- Sizes ----

export function sysTruncate(pathVa: u64, length: i64): i64 {
  if (length < 0) return -(<i64>Errno.INVAL);
  const path = pathFetch(pathVa);
  if (isErrPtr(path)) return <i32>path;
  const place = pathAt(scratchPush(offsetof<Path>()));
  let r = pathLookup(AT_FDCWD, path, 0, place);
  if (r == 0) {
    r = truncatePlace(place, length);
    pathPut(place);
  }
  scratchPop(offsetof<Path>());
  return r;
}

function truncatePlace(place: Path, length: u64): i32 {
  const inode = inodeOf(dentryOf(place.dentry).inode);
  const kind = inode.mode & <u32>FileMode.IFMT;
  if (kind == FileMode.IFDIR) return -(<i32>Errno.ISDIR);
  if (kind != FileMode.IFREG) return -(<i32>Errno.INVAL);
  let r = mountWritable(place.mount);
  if (r == 0) r = inodePermission(inode, May.WRITE);
  if (r == 0 && atomic.load<i32>(changetype<usize>(inode), offsetof<Inode>("writeDeny")) < 0) r = -(<i32>Errno.TXTBSY);
  return r < 0 ? r : sizeChange(inode, length, 0);
}

/** Changes the size under the lock, respecting memfd seals. */
function sizeChange(inode: Inode, length: u64, seals: u32): i32 {
  const tooLong = length > inode.size ? sizeLimitCheck(length) : 0;
  if (tooLong) return tooLong;
  inodeLock(inode);
  let r: i32 = 0;
  if ((seals & F_SEAL_SHRINK && length < inode.size) || (seals & F_SEAL_GROW && length > inode.size)) r = -(<i32>Errno.PERM);
  else r = truncateLocked(inode, length);
  inodeUnlock(inode);
  return r;
}

export function sysFtruncate(fd: i32, length: i64): i64 {
  if (length < 0) return -(<i64>Errno.INVAL);
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  const file = heldFile(held);
  const inode = inodeOf(file.inode);
  let r: i32 = -(<i32>Errno.INVAL);
  if (file.mode & FileRight.PATH_ONLY) r = -(<i32>Errno.BADF);
  else if (file.mode & FileRight.WRITE && (inode.mode & <u32>FileMode.IFMT) == FileMode.IFREG) r = sizeChange(inode, length, sealsOf(inode));
  fdReturn(held);
  return r;
}

/** Seals of a memfd; other regular files have none. */
function sealsOf(inode: Inode): u32 {
  return hasPages(inode) ? inode.data3 : 0;
}

/** True when the file's data is its page cache. */
function hasPages(inode: Inode): bool {
  return inodeOpsOf(inode).truncate == pagesTruncate;
}

export function sysFallocate(fd: i32, mode: u32, offset: i64, length: i64): i64 {
  if (offset < 0 || length <= 0) return -(<i64>Errno.INVAL);
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  const r = fallocateFile(heldFile(held), mode, offset, length);
  fdReturn(held);
  return r;
}

function fallocateFile(file: File, mode: u32, offset: u64, length: u64): i64 {
  if (!(file.mode & FileRight.WRITE)) return -(<i64>Errno.BADF);
  const inode = inodeOf(file.inode);
  const kind = inode.mode & <u32>FileMode.IFMT;
  if (kind == FileMode.IFIFO) return -(<i64>Errno.SPIPE);
  if (kind != FileMode.IFREG) return -(<i64>Errno.NODEV);
  const isKnown = mode == 0 || mode == FallocFlag.KEEP_SIZE || mode == FallocFlag.ZERO_RANGE ||
    mode == <u32>(FallocFlag.ZERO_RANGE | FallocFlag.KEEP_SIZE) || mode == <u32>(FallocFlag.PUNCH_HOLE | FallocFlag.KEEP_SIZE);
  if (!isKnown) return -(<i64>Errno.OPNOTSUPP);
  const end = offset + length;
  if (<i64>end < 0 || end > superOf(inode.sb).maxBytes) return -(<i64>Errno.FBIG);
  const tooLong = mode & FallocFlag.KEEP_SIZE || end <= inode.size ? 0 : sizeLimitCheck(end);
  if (tooLong) return tooLong;
  const seals = sealsOf(inode);
  if (seals & F_SEAL_WRITE && mode & <u32>(FallocFlag.PUNCH_HOLE | FallocFlag.ZERO_RANGE)) return -(<i64>Errno.PERM);
  if (seals & F_SEAL_GROW && end > inode.size) return -(<i64>Errno.PERM);
  inodeLock(inode);
  const r = inodeOpsOf(inode).allocate(inode, mode, offset, length);
  if (r == 0) inodeTouchModified(inode);
  inodeUnlock(inode);
  return r;
}
