/** open, openat, openat2, creat, close, close_range. */
import { userCopyIn, userLoad64 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { currentProcess } from "../process/process";
import { OpenFlag, fileOf, isErrPtr } from "./types";
import { AT_FDCWD, WalkFlag } from "./walk";
import { pathFetch } from "./path-buffer";
import { vfsOpen } from "./open";
import { filePut } from "./file";
import { fdClose, fdCloexecSet, fdInstall, fdTableClone, fdTableNextOpen, fdTableNow, fdTablePut } from "./fd-table";

export function sysOpen(pathVa: u64, flags: u32, mode: u32): i64 {
  return openUser(AT_FDCWD, pathVa, flags, mode, 0);
}

export function sysOpenat(dirFd: i32, pathVa: u64, flags: u32, mode: u32): i64 {
  return openUser(dirFd, pathVa, flags, mode, 0);
}

export function sysCreat(pathVa: u64, mode: u32): i64 {
  return openUser(AT_FDCWD, pathVa, OpenFlag.CREAT | OpenFlag.WRONLY | OpenFlag.TRUNC, mode, 0);
}

function openUser(dirFd: i32, pathVa: u64, flags: u32, mode: u32, walkFlags: u32): i64 {
  const path = pathFetch(pathVa);
  if (isErrPtr(path)) return <i32>path;
  const file = vfsOpen(dirFd, path, flags, mode, walkFlags);
  if (isErrPtr(file)) return <i32>file;
  const fd = fdInstall(fileOf(file), (flags & <u32>OpenFlag.CLOEXEC) != 0);
  if (fd < 0) filePut(fileOf(file));
  return fd;
}

/** struct open_how: flags, mode, resolve. */
const HOW_BYTES: u64 = 24;
const HOW_MAX: u64 = 4096;
/** O_* that openat2 knows. */
const OPEN_KNOWN: u64 = 0x7fffc3;

export function sysOpenat2(dirFd: i32, pathVa: u64, howVa: u64, size: u64): i64 {
  if (size < HOW_BYTES) return -(<i64>Errno.INVAL);
  if (size > HOW_MAX) return -(<i64>Errno.TOOBIG);
  const how = scratchPush(<u32>HOW_BYTES);
  let r: i64 = userCopyIn(how, howVa, <u32>HOW_BYTES);
  const flags = load<u64>(how);
  const mode = load<u64>(how + 8);
  const resolve = load<u64>(how + 16);
  scratchPop(<u32>HOW_BYTES);
  if (r == 0) r = howRestIsZero(howVa, size);
  if (r < 0) return r;
  if (flags & ~OPEN_KNOWN || mode & ~0o7777 || resolve & ~0x1f) return -(<i64>Errno.INVAL);
  const makes = flags & (<u64>OpenFlag.CREAT | 0x400000);
  if (mode && !makes) return -(<i64>Errno.INVAL);
  const isBoth = (resolve & 0x18) == 0x18; // BENEATH with IN_ROOT
  if (isBoth) return -(<i64>Errno.INVAL);
  return openUser(dirFd, pathVa, <u32>flags, <u32>mode, resolveFlags(<u32>resolve));
}

/** A newer caller's struct is fine as long as what we do not know is 0. */
function howRestIsZero(howVa: u64, size: u64): i64 {
  const word = scratchPush(8);
  let r: i64 = 0;
  for (let at = HOW_BYTES; at + 8 <= size && r == 0; at += 8) {
    r = userLoad64(word, howVa + at);
    if (r == 0 && load<u64>(word)) r = -(<i64>Errno.TOOBIG);
  }
  scratchPop(8);
  return r;
}

/** RESOLVE_* to WalkFlag. */
function resolveFlags(resolve: u32): u32 {
  let flags: u32 = 0;
  if (resolve & 1) flags |= WalkFlag.NO_XDEV;
  if (resolve & 2) flags |= WalkFlag.NO_MAGICLINKS;
  if (resolve & 4) flags |= WalkFlag.NO_SYMLINKS | WalkFlag.NO_MAGICLINKS;
  if (resolve & 8) flags |= WalkFlag.BENEATH;
  if (resolve & 16) flags |= WalkFlag.IN_ROOT;
  return flags;
}

export function sysClose(fd: i32): i64 {
  return fdClose(fd);
}

const CLOSE_RANGE_UNSHARE: u32 = 2;
const CLOSE_RANGE_CLOEXEC: u32 = 4;

export function sysCloseRange(first: u32, last: u32, flags: u32): i64 {
  if (first > last || flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) return -(<i64>Errno.INVAL);
  if (flags & CLOSE_RANGE_UNSHARE) {
    const r = tableUnshare();
    if (r < 0) return r;
  }
  let fd = fdTableNextOpen(fdTableNow(), first);
  while (fd >= 0 && <u32>fd <= last) {
    // Another thread may close it first: then there is nothing left to do for it.
    if (flags & CLOSE_RANGE_CLOEXEC) fdCloexecSet(fd, true);
    else fdClose(fd);
    fd = fdTableNextOpen(fdTableNow(), fd + 1);
  }
  return 0;
}

/** Gives the caller a table of its own. */
export function tableUnshare(): i64 {
  const process = currentProcess();
  const table = fdTableNow();
  if (atomic.load<u32>(changetype<usize>(table)) == 1) return 0;
  const copy = fdTableClone(table);
  if (!copy) return -(<i64>Errno.NOMEM);
  process.files = <u32>changetype<usize>(copy);
  fdTablePut(table);
  return 0;
}
