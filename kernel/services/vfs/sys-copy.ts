/** Moving data between files inside the kernel: sendfile, copy_file_range; splice and its kin say that they cannot. */
import { userCopyIn, userStore64 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { kfree, kmalloc } from "../../core/mm/slab";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { schedYieldPoint } from "../../core/sched/sched";
import { File, FileMode, FileRight, OpenFlag, inodeOf } from "./types";
import { fdBorrow, fdReturn, heldFile } from "./fd-table";
import { IO_MAX, fileReadAt, fileWrite, fileWriteAt, fileWritten } from "./file-io";
import { kernelBuf } from "./io-buf";

const CHUNK: u32 = 32768;
const NONE: i64 = -1;

/** Copies up to `count` bytes; positions < 0 mean the file's own. Returns bytes or -errno. */
function fileCopy(input: File, inPos: u64, output: File, outPos: i64, count: u32): i64 {
  const buffer = kmalloc(CHUNK);
  if (!buffer) return -(<i64>Errno.NOMEM);
  let done: i64 = 0;
  let r: i64 = 0;
  while (done < <i64>count) {
    const want = <u32>min<i64>(CHUNK, count - done);
    const got = fileReadAt(input, kernelBuf(buffer), want, inPos + done);
    if (got <= 0) {
      r = got;
      break;
    }
    const put = outPos < 0 ? fileWrite(output, kernelBuf(buffer), <u32>got)
      : fileWriteAt(output, kernelBuf(buffer), <u32>got, outPos + done, false);
    if (put < 0) {
      r = put;
      break;
    }
    done += put;
    if (put < got) break;
    schedYieldPoint();
  }
  kfree(buffer);
  return done ? fileWritten(output, done, false) : r;
}

/** Brings a user offset in: 0, or -errno; NONE when the pointer is null. */
function offsetFetch(va: u64, out: usize): i64 {
  if (!va) {
    store<i64>(out, NONE);
    return 0;
  }
  const r = userCopyIn(out, va, 8);
  if (r < 0) return r;
  return load<i64>(out) < 0 ? -(<i64>Errno.INVAL) : 0;
}

export function sysSendfile(outFd: i32, inFd: i32, offsetVa: u64, count: u64): i64 {
  if (<i64>count < 0) return -(<i64>Errno.INVAL);
  const heldIn = fdBorrow(inFd);
  if (!heldIn) return -(<i64>Errno.BADF);
  const heldOut = fdBorrow(outFd);
  const r = heldOut ? sendfileHeld(heldFile(heldOut), heldFile(heldIn), offsetVa, <u32>min<u64>(count, IO_MAX)) : -(<i64>Errno.BADF);
  fdReturn(heldIn);
  if (heldOut) fdReturn(heldOut);
  return r;
}

function sendfileHeld(output: File, input: File, offsetVa: u64, count: u32): i64 {
  if (!(input.mode & FileRight.READ) || !(output.mode & FileRight.WRITE)) return -(<i64>Errno.BADF);
  const kind = inodeOf(input.inode).mode & <u32>FileMode.IFMT;
  if (!(input.mode & FileRight.SEEKABLE) || kind == FileMode.IFDIR) return -(<i64>Errno.INVAL);
  if (output.flags & <u32>OpenFlag.APPEND) return -(<i64>Errno.INVAL);
  const word = scratchPush(8);
  let r = offsetFetch(offsetVa, word);
  const offset = load<i64>(word);
  scratchPop(8);
  if (r < 0) return r;
  const start = offset == NONE ? input.pos : <u64>offset;
  r = fileCopy(input, start, output, NONE, count);
  if (r <= 0) return r;
  if (offset == NONE) input.pos = start + r;
  else if (userStore64(offsetVa, start + r) < 0) return -(<i64>Errno.FAULT);
  return r;
}

export function sysCopyFileRange(inFd: i32, inVa: u64, outFd: i32, outVa: u64, length: u64, flags: u32): i64 {
  if (flags) return -(<i64>Errno.INVAL);
  const heldIn = fdBorrow(inFd);
  if (!heldIn) return -(<i64>Errno.BADF);
  const heldOut = fdBorrow(outFd);
  const r = heldOut ? copyRangeHeld(heldFile(heldIn), inVa, heldFile(heldOut), outVa, <u32>min<u64>(length, IO_MAX)) : -(<i64>Errno.BADF);
  fdReturn(heldIn);
  if (heldOut) fdReturn(heldOut);
  return r;
}

function copyRangeHeld(input: File, inVa: u64, output: File, outVa: u64, count: u32): i64 {
  if (!(input.mode & FileRight.READ) || !(output.mode & FileRight.WRITE) || output.flags & <u32>OpenFlag.APPEND) return -(<i64>Errno.BADF);
  const inKind = inodeOf(input.inode).mode & <u32>FileMode.IFMT;
  const outKind = inodeOf(output.inode).mode & <u32>FileMode.IFMT;
  if (inKind == FileMode.IFDIR || outKind == FileMode.IFDIR) return -(<i64>Errno.ISDIR);
  if (inKind != FileMode.IFREG || outKind != FileMode.IFREG) return -(<i64>Errno.INVAL);
  const words = scratchPush(16);
  let r = offsetFetch(inVa, words);
  if (r == 0) r = offsetFetch(outVa, words + 8);
  const inAt = load<i64>(words) == NONE ? <i64>input.pos : load<i64>(words);
  const outAt = load<i64>(words + 8) == NONE ? <i64>output.pos : load<i64>(words + 8);
  scratchPop(16);
  if (r < 0) return r;
  const overlaps = input.inode == output.inode && inAt < outAt + count && outAt < inAt + count;
  if (overlaps) return -(<i64>Errno.INVAL);
  r = fileCopy(input, inAt, output, outAt, count);
  if (r <= 0) return r;
  if (!inVa) input.pos = inAt + r;
  else if (userStore64(inVa, inAt + r) < 0) return -(<i64>Errno.FAULT);
  if (!outVa) output.pos = outAt + r;
  else if (userStore64(outVa, outAt + r) < 0) return -(<i64>Errno.FAULT);
  return r;
}

/** Programs fall back to read and write on EINVAL, the answer for files that cannot be spliced. */
export function sysSplice(inFd: i32, inVa: u64, outFd: i32, outVa: u64, length: u64, flags: u32): i64 {
  return spliceAnswer(inFd, outFd);
}

export function sysTee(inFd: i32, outFd: i32, length: u64, flags: u32): i64 {
  return spliceAnswer(inFd, outFd);
}

export function sysVmsplice(fd: i32, iovVa: u64, count: u64, flags: u32): i64 {
  return spliceAnswer(fd, fd);
}

function spliceAnswer(a: i32, b: i32): i64 {
  const heldA = fdBorrow(a);
  const heldB = fdBorrow(b);
  if (heldA) fdReturn(heldA);
  if (heldB) fdReturn(heldB);
  return heldA && heldB ? -(<i64>Errno.INVAL) : -(<i64>Errno.BADF);
}
