/**
 * Writing to a terminal: user bytes through output processing into the driver's ring.
 *
 * Locking  takes Tty.lock a chunk at a time; user memory is copied between.
 */
import { Errno } from "../../abi/errno";
import { LocalFlag } from "../../abi/termios";
import { Signal } from "../../abi/signal";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { waitSleep } from "../../core/sync/wait-queue";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { bufCopyIn } from "../vfs/io-buf";
import { ttyCheckBackground } from "./job-control";
import { ldiscKickLocked, ldiscWriteLocked } from "./ldisc-output";
import { Tty, TtyFlag, ttyLock, ttyOutUsed, ttyTermios, ttyWriteWait } from "./tty";

const CHUNK: u32 = 256;
const SCRATCH_MIN: u32 = 256;
if (CHUNK > SCRATCH_MIN) ERROR("a write may take a quarter of the scratch area only");

/** write(2) on a terminal. */
export function ttyWrite(tty: Tty, bufVa: u64, count: u32, isNonblocking: bool): i64 {
  if (ttyTermios(tty).lflag & LocalFlag.TOSTOP) {
    const r = ttyCheckBackground(tty, Signal.TTOU);
    if (r != 0) return r;
  }
  const chunk = scratchPush(CHUNK);
  let done: u32 = 0;
  let result: i32 = 0;
  while (done < count && result == 0) {
    const n = count - done < CHUNK ? count - done : CHUNK;
    if (bufCopyIn(chunk, bufVa + done, n) != 0) {
      result = -(<i32>Errno.FAULT);
      break;
    }
    const sent = writeChunk(tty, chunk, n, isNonblocking);
    done += sent & SENT_COUNT;
    if ((sent & SENT_COUNT) < n) result = -(<i32>(sent >> SENT_ERROR_SHIFT));
  }
  scratchPop(CHUNK);
  return done != 0 ? <i64>done : <i64>result;
}

const SENT_COUNT: u32 = 0xffff;
const SENT_ERROR_SHIFT: u32 = 16;

/** Sends all of `n` bytes, sleeping for room; bytes sent | errno << 16. */
function writeChunk(tty: Tty, ptr: usize, n: u32, isNonblocking: bool): u32 {
  let sent: u32 = 0;
  let error: u32 = 0;
  spinLock(ttyLock(tty));
  while (true) {
    if (tty.flags & TtyFlag.HUNG_UP) {
      error = Errno.IO;
      break;
    }
    sent += ldiscWriteLocked(tty, ptr + sent, n - sent);
    ldiscKickLocked(tty);
    if (sent == n) break;
    if (ttyOutUsed(tty) == 0) continue; // the driver took all of it at once
    if (isNonblocking) {
      error = Errno.AGAIN;
      break;
    }
    if (waitSleep(ttyWriteWait(tty), ttyLock(tty), 0) != 0) {
      error = Errno.RESTARTSYS;
      break;
    }
  }
  spinUnlock(ttyLock(tty));
  return sent | error << SENT_ERROR_SHIFT;
}

/** Waits until everything written is on the wire (tcdrain): 0 or -ERESTARTSYS. */
export function ttyDrain(tty: Tty): i32 {
  let r: i32 = 0;
  spinLock(ttyLock(tty));
  while (r == 0 && ttyOutUsed(tty) != 0 && !(tty.flags & TtyFlag.HUNG_UP)) {
    r = waitSleep(ttyWriteWait(tty), ttyLock(tty), 0);
  }
  spinUnlock(ttyLock(tty));
  return r == 0 ? 0 : -(<i32>Errno.RESTARTSYS);
}
