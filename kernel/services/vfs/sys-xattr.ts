/**
 * Extended attributes: no file system here stores them.
 *
 * The answers are those of Linux for such a file system: the path or descriptor is checked first, reads and writes of
 * any attribute are EOPNOTSUPP, and the list is empty.
 */
import { Errno } from "../../abi/errno";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { Path } from "./types";
import { pathPut } from "./mount";
import { AT_FDCWD } from "./walk";
import { AT_SYMLINK_NOFOLLOW, pathAt, pathLookupUser } from "./namei";
import { fdBorrow, fdReturn } from "./fd-table";

/** `answer` when the path exists, else why not. */
function answerPath(pathVa: u64, flags: u32, answer: i64): i64 {
  const place = pathAt(scratchPush(offsetof<Path>()));
  const r = pathLookupUser(AT_FDCWD, pathVa, flags, place);
  if (r == 0) pathPut(place);
  scratchPop(offsetof<Path>());
  return r < 0 ? r : answer;
}

function answerFd(fd: i32, answer: i64): i64 {
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  fdReturn(held);
  return answer;
}

const UNSUPPORTED: i64 = -(<i64>Errno.OPNOTSUPP);
const NOFOLLOW: u32 = AT_SYMLINK_NOFOLLOW;

export function sysSetxattr(path: u64, name: u64, value: u64, size: u64, flags: u32): i64 { return answerPath(path, 0, UNSUPPORTED); }
export function sysLsetxattr(path: u64, name: u64, value: u64, size: u64, flags: u32): i64 { return answerPath(path, NOFOLLOW, UNSUPPORTED); }
export function sysFsetxattr(fd: i32, name: u64, value: u64, size: u64, flags: u32): i64 { return answerFd(fd, UNSUPPORTED); }
export function sysGetxattr(path: u64, name: u64, value: u64, size: u64): i64 { return answerPath(path, 0, UNSUPPORTED); }
export function sysLgetxattr(path: u64, name: u64, value: u64, size: u64): i64 { return answerPath(path, NOFOLLOW, UNSUPPORTED); }
export function sysFgetxattr(fd: i32, name: u64, value: u64, size: u64): i64 { return answerFd(fd, UNSUPPORTED); }
export function sysListxattr(path: u64, list: u64, size: u64): i64 { return answerPath(path, 0, 0); }
export function sysLlistxattr(path: u64, list: u64, size: u64): i64 { return answerPath(path, NOFOLLOW, 0); }
export function sysFlistxattr(fd: i32, list: u64, size: u64): i64 { return answerFd(fd, 0); }
export function sysRemovexattr(path: u64, name: u64): i64 { return answerPath(path, 0, UNSUPPORTED); }
export function sysLremovexattr(path: u64, name: u64): i64 { return answerPath(path, NOFOLLOW, UNSUPPORTED); }
export function sysFremovexattr(fd: i32, name: u64): i64 { return answerFd(fd, UNSUPPORTED); }
