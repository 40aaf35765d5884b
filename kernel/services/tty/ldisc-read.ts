/**
 * Reading a terminal: whole lines in canonical mode, VMIN and VTIME in raw mode.
 *
 * Locking  takes Tty.lock; user memory is copied between, a chunk at a time. Two readers at once may interleave
 *          chunks, as POSIX allows.
 * Spec     POSIX.1-2017 11.1.6, 11.1.7.
 */
import { Errno } from "../../abi/errno";
import { Cc, LocalFlag } from "../../abi/termios";
import { monoNowNs } from "../../../arch/current";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { waitSleep } from "../../core/sync/wait-queue";
import { bytePut } from "../../lib/bytes";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { bufCopyOut } from "../vfs/io-buf";
import { ttyReceiveRoom, ttyUnthrottleLocked } from "./ldisc-input";
import { Tty, TtyFlag, ttyCc, ttyInByte, ttyLineEnd, ttyLock, ttyReadWait, ttyTermios } from "./tty";

const CHUNK: u32 = 256;
const NS_PER_DECISECOND: u64 = 100_000_000;

/** read(2) on a terminal once job control has agreed. */
export function ldiscRead(tty: Tty, bufVa: u64, count: u32, isNonblocking: bool): i64 {
  if (count == 0) return 0;
  while (true) {
    spinLock(ttyLock(tty));
    const ready = waitInputLocked(tty, count, isNonblocking);
    spinUnlock(ttyLock(tty));
    if (ready <= 0) return ready;
    const got = copyChunks(tty, bufVa, count);
    if (got != NOTHING) return got;
  }
}

function isCanonical(tty: Tty): bool {
  return (ttyTermios(tty).lflag & LocalFlag.ICANON) != 0;
}

/** True when a read would give something, be it an end-of-file mark. */
export function ldiscReadableLocked(tty: Tty): bool {
  const available = tty.canonHead - tty.inTail;
  if (isCanonical(tty)) return available != 0;
  const min = ttyCc(tty, Cc.TIME) == 0 ? ttyCc(tty, Cc.MIN) : 1;
  return available >= (min == 0 ? 1 : min);
}

/** Sleeps until a read may go on: 1 then, 0 for end of file or time over, or -errno. */
function waitInputLocked(tty: Tty, count: u32, isNonblocking: bool): i32 {
  let deadline: u64 = 0;
  while (true) {
    const canonical = isCanonical(tty);
    const available = tty.canonHead - tty.inTail;
    const min = ttyCc(tty, Cc.MIN);
    const time = <u64>ttyCc(tty, Cc.TIME) * NS_PER_DECISECOND;
    if (canonical ? available != 0 : available >= wanted(min, count)) {
      if (canonical || available != 0) return 1;
      if (time == 0) return 0; // MIN = TIME = 0 polls
    }
    if (tty.flags & TtyFlag.HUNG_UP) return available != 0 && !canonical ? 1 : 0;
    if (isNonblocking) return available != 0 && !canonical ? 1 : -(<i32>Errno.AGAIN);
    // TIME runs from the call when MIN is 0, else from the latest byte.
    if (canonical || time == 0 || (min != 0 && available == 0)) deadline = 0;
    else if (deadline == 0 || min != 0) deadline = monoNowNs() + time;
    const r = waitSleep(ttyReadWait(tty), ttyLock(tty), deadline);
    if (r == -(<i32>Errno.TIMEDOUT)) return tty.canonHead != tty.inTail ? 1 : 0;
    if (r != 0) return tty.canonHead != tty.inTail && !isCanonical(tty) ? 1 : -(<i32>Errno.RESTARTSYS);
  }
}

/** Bytes that end a raw wait. */
function wanted(min: u32, count: u32): u32 {
  return min < count ? min : count;
}

/** Moves input to the buffer until the line, the input or the buffer ends; NOTHING when another reader, or a flush, took it all before. */
function copyChunks(tty: Tty, bufVa: u64, count: u32): i64 {
  const chunk = scratchPush(CHUNK);
  let done: u32 = 0;
  let result: i64 = 0;
  while (true) {
    spinLock(ttyLock(tty));
    const room = count - done < CHUNK ? count - done : CHUNK;
    const taken = takeLocked(tty, chunk, room);
    if (ttyReceiveRoom(tty) != 0) ttyUnthrottleLocked(tty);
    spinUnlock(ttyLock(tty));
    const n = taken & TAKE_COUNT;
    if (n != 0 && bufCopyOut(bufVa + done, chunk, n) != 0) {
      result = -(<i64>Errno.FAULT);
      break;
    }
    done += n;
    if ((taken & TAKE_NONE) != 0) result = NOTHING;
    if ((taken & TAKE_LAST) != 0 || done == count || n == 0) break;
  }
  scratchPop(CHUNK);
  return done != 0 ? <i64>done : result;
}

const TAKE_COUNT: u32 = 0xffff;
const TAKE_LAST: u32 = 0x10000; // the line or the input ended
const TAKE_NONE: u32 = 0x20000; // there was no input, not even the mark of an end of file
/** No answer of a read. */
const NOTHING: i64 = i64.MIN_VALUE;

/** Takes up to `room` bytes, at most to the end of one line; count, TAKE_LAST and TAKE_NONE. */
function takeLocked(tty: Tty, ptr: usize, room: u32): u32 {
  const canonical = isCanonical(tty);
  let n: u32 = 0;
  if (tty.inTail == tty.canonHead) return TAKE_LAST | TAKE_NONE;
  while (tty.inTail != tty.canonHead) {
    const c = ttyInByte(tty, tty.inTail);
    const isEnd = canonical && ttyLineEnd(tty, tty.inTail);
    if (isEnd && c == 0) { // Y3: the mark is consumed with the bytes before it
      tty.inTail++;
      return n | TAKE_LAST;
    }
    if (n == room) return n;
    bytePut(ptr, n, c);
    n++;
    tty.inTail++;
    if (isEnd) return n | TAKE_LAST;
  }
  return n | TAKE_LAST;
}
