/** read, write and their positioned and vectored forms, lseek. */
import { userCopyIn } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { kfree, kmalloc } from "../../core/mm/slab";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { File, FileRight, PollEvent, fileOpsOf } from "./types";
import { fdBorrow, fdReturn, heldFile } from "./fd-table";
import { IO_MAX, fileAppend, fileRead, fileReadAt, fileWrite, fileWriteAt, fileWritten } from "./file-io";
import { filePosLock, filePosUnlock } from "./file";
import { bufRangeOk } from "./io-buf";

const IOV_MAX: u64 = 1024;
const IOV_BYTES: u32 = 16;
/** Vectors up to this many live in scratch memory. */
const IOV_FAST: u32 = 8;
const RWF_APPEND: u32 = 16;
const RWF_KNOWN: u32 = 31;
const RWF_NOWAIT: u32 = 8;
/** RWF_DSYNC, RWF_SYNC. */
const RWF_SYNCS: u32 = 2 | 4;
/** "At the file's position" for the vectored calls. */
const AT_POSITION: i64 = -1;

export function sysRead(fd: i32, bufVa: u64, count: u64): i64 {
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  const r = bufRangeOk(bufVa, count) ? fileRead(heldFile(held), bufVa, <u32>min<u64>(count, IO_MAX)) : badBuffer(held, FileRight.READ);
  fdReturn(held);
  return r;
}

export function sysWrite(fd: i32, bufVa: u64, count: u64): i64 {
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  let r = bufRangeOk(bufVa, count) ? fileWrite(heldFile(held), bufVa, <u32>min<u64>(count, IO_MAX)) : badBuffer(held, FileRight.WRITE);
  r = fileWritten(heldFile(held), r, false);
  fdReturn(held);
  return r;
}

/** A descriptor without the right is EBADF before the buffer is EFAULT. */
function badBuffer(held: usize, right: u32): i64 {
  return heldFile(held).mode & right ? -(<i64>Errno.FAULT) : -(<i64>Errno.BADF);
}

export function sysPread64(fd: i32, bufVa: u64, count: u64, pos: i64): i64 {
  if (pos < 0) return -(<i64>Errno.INVAL);
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  const r = bufRangeOk(bufVa, count) ? fileReadAt(heldFile(held), bufVa, <u32>min<u64>(count, IO_MAX), pos) : badBuffer(held, FileRight.READ);
  fdReturn(held);
  return r;
}

export function sysPwrite64(fd: i32, bufVa: u64, count: u64, pos: i64): i64 {
  if (pos < 0) return -(<i64>Errno.INVAL);
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  let r = bufRangeOk(bufVa, count) ? fileWriteAt(heldFile(held), bufVa, <u32>min<u64>(count, IO_MAX), pos, false) : badBuffer(held, FileRight.WRITE);
  r = fileWritten(heldFile(held), r, false);
  fdReturn(held);
  return r;
}

export function sysReadv(fd: i32, iovVa: u64, count: u64): i64 {
  return vectorIo(fd, iovVa, count, AT_POSITION, 0, false);
}

export function sysWritev(fd: i32, iovVa: u64, count: u64): i64 {
  return vectorIo(fd, iovVa, count, AT_POSITION, 0, true);
}

export function sysPreadv(fd: i32, iovVa: u64, count: u64, posLow: u64, posHigh: u64): i64 {
  return <i64>posLow < 0 ? -(<i64>Errno.INVAL) : vectorIo(fd, iovVa, count, posLow, 0, false);
}

export function sysPwritev(fd: i32, iovVa: u64, count: u64, posLow: u64, posHigh: u64): i64 {
  return <i64>posLow < 0 ? -(<i64>Errno.INVAL) : vectorIo(fd, iovVa, count, posLow, 0, true);
}

export function sysPreadv2(fd: i32, iovVa: u64, count: u64, posLow: u64, posHigh: u64, flags: u32): i64 {
  if (<i64>posLow < AT_POSITION) return -(<i64>Errno.INVAL);
  if (flags & ~RWF_KNOWN || flags & RWF_NOWAIT) return -(<i64>Errno.OPNOTSUPP);
  return vectorIo(fd, iovVa, count, posLow, flags, false);
}

export function sysPwritev2(fd: i32, iovVa: u64, count: u64, posLow: u64, posHigh: u64, flags: u32): i64 {
  if (<i64>posLow < AT_POSITION) return -(<i64>Errno.INVAL);
  if (flags & ~RWF_KNOWN || flags & RWF_NOWAIT) return -(<i64>Errno.OPNOTSUPP);
  return vectorIo(fd, iovVa, count, posLow, flags, true);
}

function vectorIo(fd: i32, iovVa: u64, count: u64, pos: i64, flags: u32, writes: bool): i64 {
  if (count > IOV_MAX) return -(<i64>Errno.INVAL);
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  let r = vectorFetch(heldFile(held), iovVa, <u32>count, pos, flags, writes);
  if (writes) r = fileWritten(heldFile(held), r, (flags & RWF_SYNCS) != 0);
  fdReturn(held);
  return r;
}

/** Brings the vector in, checks all of it, then moves the data. */
function vectorFetch(file: File, iovVa: u64, count: u32, pos: i64, flags: u32, writes: bool): i64 {
  if (!(file.mode & (writes ? FileRight.WRITE : FileRight.READ))) return -(<i64>Errno.BADF);
  if (!count) return 0;
  const isFast = count <= IOV_FAST;
  const iov = isFast ? scratchPush(count * IOV_BYTES) : kmalloc(count * IOV_BYTES);
  if (!iov) return -(<i64>Errno.NOMEM);
  let r: i64 = userCopyIn(iov, iovVa, count * IOV_BYTES);
  if (r == 0) r = vectorCheck(iov, count);
  if (r == 0) r = vectorMove(file, iov, count, pos, flags, writes);
  if (isFast) scratchPop(count * IOV_BYTES);
  else kfree(iov);
  return r;
}

/** Linux's rules: every length fits an ssize_t, the sum is cut at IO_MAX, every range is user memory. */
function vectorCheck(iov: usize, count: u32): i64 {
  let total: u64 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const base = load<u64>(iov + (i << 4));
    const length = load<u64>(iov + (i << 4) + 8);
    if (<i64>length < 0) return -(<i64>Errno.INVAL);
    if (!bufRangeOk(base, length)) return -(<i64>Errno.FAULT);
    const taken = min<u64>(length, IO_MAX - total);
    store<u64>(iov + (i << 4) + 8, taken);
    total += taken;
  }
  return 0;
}

function vectorMove(file: File, iov: usize, count: u32, pos: i64, flags: u32, writes: bool): i64 {
  let done: i64 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const base = load<u64>(iov + (i << 4));
    const length = <u32>load<u64>(iov + (i << 4) + 8);
    if (!length) continue;
    // A stream that has given something must not make the caller wait for more.
    if (done && !writes && !(file.mode & FileRight.SEEKABLE) && !(fileOpsOf(file).poll(file, 0) & PollEvent.IN)) break;
    const n = pieceMove(file, base, length, pos, flags, writes);
    if (n < 0) return done ? done : n;
    done += n;
    if (pos >= 0) pos += n;
    if (n < <i64>length) break;
  }
  return done;
}

function pieceMove(file: File, base: u64, length: u32, pos: i64, flags: u32, writes: bool): i64 {
  if (pos >= 0) {
    return writes ? fileWriteAt(file, base, length, pos, (flags & RWF_APPEND) != 0) : fileReadAt(file, base, length, pos);
  }
  if (writes && flags & RWF_APPEND) return fileAppend(file, base, length);
  return writes ? fileWrite(file, base, length) : fileRead(file, base, length);
}

export function sysLseek(fd: i32, offset: i64, whence: u32): i64 {
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  const file = heldFile(held);
  let r: i64 = -(<i64>Errno.BADF);
  if (!(file.mode & FileRight.PATH_ONLY)) {
    const isTaken = filePosLock(file);
    r = fileOpsOf(file).seek(file, offset, whence);
    filePosUnlock(file, isTaken);
  }
  fdReturn(held);
  return r;
}
