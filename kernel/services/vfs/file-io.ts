/**
 * Reading and writing open files: rights, positions, O_APPEND, the file size limit.
 *
 * Locking  posLock around calls that use the position of a shared file; Inode.lock around writes to regular files.
 */
import { Errno } from "../../abi/errno";
import { currentTask } from "../../core/sched/cpu";
import { File, FileMode, FileRight, Inode, OpenFlag, fileOpsOf, inodeOf, superOf } from "./types";
import { filePosLock, filePosUnlock } from "./file";
import { inodeLock, inodeUnlock } from "./inode";
import { MountFlag } from "./mount";
import { setIdDropLocked } from "./attributes";
import { rlimitNow } from "./fd-table";

/** Most bytes one call moves (Linux's MAX_RW_COUNT). */
export const IO_MAX: u32 = 0x7ffff000;
const RLIMIT_FSIZE: u32 = 1;
const RLIM_INFINITY: u64 = ~<u64>0;

@final @unmanaged
class FileIoHooks {
  /** Sends SIGXFSZ to the caller. */
  sizeSignal: () => void;
}
const HOOKS = changetype<FileIoHooks>(memory.data(offsetof<FileIoHooks>()));

function noSignal(): void {}
export function fileIoInit(): void { HOOKS.sizeSignal = noSignal; }
export function fileSizeSignalSet(send: () => void): void { HOOKS.sizeSignal = send; }

/** Reads at the file's position and moves it. The buffer was range-checked. */
export function fileRead(file: File, bufVa: u64, count: u32): i64 {
  if (!(file.mode & FileRight.READ)) return -(<i64>Errno.BADF);
  if (!(file.mode & FileRight.SEEKABLE)) return fileOpsOf(file).read(file, bufVa, count, 0);
  const isTaken = filePosLock(file);
  const n = fileOpsOf(file).read(file, bufVa, count, file.pos);
  if (n > 0) file.pos += n;
  filePosUnlock(file, isTaken);
  return n;
}

/** Reads at `pos`; ESPIPE for what has no positions. */
export function fileReadAt(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  if (!(file.mode & FileRight.READ)) return -(<i64>Errno.BADF);
  if (!(file.mode & FileRight.SEEKABLE)) return -(<i64>Errno.SPIPE);
  return fileOpsOf(file).read(file, bufVa, count, pos);
}

/** Writes at the file's position (or its end) and moves it. */
export function fileWrite(file: File, bufVa: u64, count: u32): i64 {
  if (!(file.mode & FileRight.WRITE)) return -(<i64>Errno.BADF);
  if (!(file.mode & FileRight.SEEKABLE)) return fileOpsOf(file).write(file, bufVa, count, 0);
  const isTaken = filePosLock(file);
  const n = writeSeekable(file, bufVa, count, file.pos, (file.flags & <u32>OpenFlag.APPEND) != 0, true);
  filePosUnlock(file, isTaken);
  return n;
}

/** Writes at the end of the file and leaves the position behind what was written (RWF_APPEND). */
export function fileAppend(file: File, bufVa: u64, count: u32): i64 {
  if (!(file.mode & FileRight.SEEKABLE)) return fileWrite(file, bufVa, count);
  if (!(file.mode & FileRight.WRITE)) return -(<i64>Errno.BADF);
  const isTaken = filePosLock(file);
  const n = writeSeekable(file, bufVa, count, file.pos, true, true);
  filePosUnlock(file, isTaken);
  return n;
}

/** Writes at `pos`; as on Linux, O_APPEND wins over it. */
export function fileWriteAt(file: File, bufVa: u64, count: u32, pos: u64, appends: bool): i64 {
  if (!(file.mode & FileRight.WRITE)) return -(<i64>Errno.BADF);
  if (!(file.mode & FileRight.SEEKABLE)) return -(<i64>Errno.SPIPE);
  return writeSeekable(file, bufVa, count, pos, appends || (file.flags & <u32>OpenFlag.APPEND) != 0, false);
}

/**
 * What a write that moved `n` bytes answers: with O_SYNC or O_DSYNC, on a mount with "sync", or when `isAsked` (RWF_DSYNC, RWF_SYNC), they
 * are on the medium first; an error on the way there takes the place of `n`, as on Linux. The caller holds no lock of the file's.
 */
export function fileWritten(file: File, n: i64, isAsked: bool): i64 {
  if (n <= 0) return n;
  const inode = inodeOf(file.inode);
  const isWanted = isAsked || file.flags & <u32>OpenFlag.DSYNC || superOf(inode.sb).flags & MountFlag.SYNCHRONOUS;
  if (!isWanted) return n;
  const kind = inode.mode & <u32>FileMode.IFMT;
  if (kind != FileMode.IFREG && kind != FileMode.IFBLK) return n;
  const failed = fileOpsOf(file).fsync(file);
  return failed < 0 ? <i64>failed : n;
}

function writeSeekable(file: File, bufVa: u64, count: u32, pos: u64, appends: bool, moves: bool): i64 {
  const inode = inodeOf(file.inode);
  const isRegular = (inode.mode & <u32>FileMode.IFMT) == FileMode.IFREG;
  if (!isRegular) {
    const n = fileOpsOf(file).write(file, bufVa, count, pos);
    if (n > 0 && moves) file.pos = pos + n;
    return n;
  }
  inodeLock(inode);
  const at = appends ? inode.size : pos;
  const n = writeRegularLocked(file, inode, bufVa, count, at);
  inodeUnlock(inode);
  if (n > 0 && moves) file.pos = at + n;
  return n;
}

function writeRegularLocked(file: File, inode: Inode, bufVa: u64, count: u32, pos: u64): i64 {
  if (!count) return 0;
  const room = writeRoom(inode, pos);
  if (room <= 0) return room;
  setIdDropLocked(inode);
  return fileOpsOf(file).write(file, bufVa, <u32>min<u64>(count, <u64>room), pos);
}

/** Bytes that may be written from `pos` on, or -EFBIG (with SIGXFSZ when it is the process's own limit). */
function writeRoom(inode: Inode, pos: u64): i64 {
  const most = superOf(inode.sb).maxBytes;
  if (pos >= most) return -(<i64>Errno.FBIG);
  const limit = sizeLimit();
  if (pos < limit) return <i64>(min<u64>(most, limit) - pos);
  HOOKS.sizeSignal();
  return -(<i64>Errno.FBIG);
}

function sizeLimit(): u64 {
  return currentTask().process ? min<u64>(rlimitNow(RLIMIT_FSIZE), RLIM_INFINITY >> 1) : RLIM_INFINITY >> 1;
}

/** 0 when a file may grow to `size`, else -EFBIG with the signal. */
export function sizeLimitCheck(size: u64): i32 {
  if (size <= sizeLimit()) return 0;
  HOOKS.sizeSignal();
  return -(<i32>Errno.FBIG);
}
