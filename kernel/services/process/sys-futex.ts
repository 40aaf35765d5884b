/**
 * futex(2) and futex_waitv's errno: decoding of operations and timeouts.
 *
 * Spec  futex(2); FUTEX_LOCK_PI and its kin answer ENOSYS until priority inheritance exists.
 */
import { userCopyIn } from "../../../arch/current";
import { monoNowNs } from "../../../arch/x86_64/timer";
import { Errno } from "../../abi/errno";
import { userRangeOk } from "../../core/mm/layout";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { FUTEX_BITSET_ALL, futexRequeue, futexWait, futexWake, futexWakeOp } from "../../core/sync/futex";
import { clockRealToMono } from "../../core/time/clock";

const enum FutexOp { WAIT = 0, WAKE = 1, REQUEUE = 3, CMP_REQUEUE = 4, WAKE_OP = 5, WAIT_BITSET = 9, WAKE_BITSET = 10 }
const FUTEX_PRIVATE: u32 = 128;
const FUTEX_CLOCK_REALTIME: u32 = 256;
const NS_PER_S: u64 = 1_000_000_000;
/** Timeouts beyond this many seconds are no timeouts. */
const FOREVER_SECONDS: u64 = 1 << 33;

export function sysFutex(va: u64, op: u32, value: u32, timeoutVa: u64, va2: u64, value3: u32): i64 {
  const command = op & ~(FUTEX_PRIVATE | FUTEX_CLOCK_REALTIME);
  const isPrivate = (op & FUTEX_PRIVATE) != 0;
  const isReal = (op & FUTEX_CLOCK_REALTIME) != 0;
  if (isReal && command != FutexOp.WAIT && command != FutexOp.WAIT_BITSET) return -Errno.NOSYS;
  if (!userRangeOk(va, 4)) return -Errno.FAULT;
  const count2 = <u32>timeoutVa; // the same register carries a count for the requeue family
  switch (command) {
    case FutexOp.WAIT: return waitUntil(va, isPrivate, value, FUTEX_BITSET_ALL, timeoutVa, false, isReal);
    case FutexOp.WAIT_BITSET: return waitUntil(va, isPrivate, value, value3, timeoutVa, true, isReal);
    case FutexOp.WAKE: return futexWake(va, isPrivate, value, FUTEX_BITSET_ALL);
    case FutexOp.WAKE_BITSET: return futexWake(va, isPrivate, value, value3);
    case FutexOp.REQUEUE:
    case FutexOp.CMP_REQUEUE:
      if (<i32>value < 0 || <i32>count2 < 0) return -Errno.INVAL;
      if (!userRangeOk(va2, 4)) return -Errno.FAULT;
      return futexRequeue(va, isPrivate, value, va2, count2, command == FutexOp.CMP_REQUEUE, value3);
    case FutexOp.WAKE_OP:
      if (!userRangeOk(va2, 4)) return -Errno.FAULT;
      return futexWakeOp(va, isPrivate, value, va2, count2, value3);
    default: return -Errno.NOSYS;
  }
}

/** WAIT has a relative timeout, WAIT_BITSET an absolute one. */
function waitUntil(
  va: u64, isPrivate: bool, expected: u32, bitset: u32, timeoutVa: u64, isAbsolute: bool, isReal: bool,
): i64 {
  let deadlineNs: u64 = 0;
  if (timeoutVa != 0) {
    const ns = timespecRead(timeoutVa);
    if (ns < 0) return ns;
    if (!isAbsolute) deadlineNs = monoNowNs() + <u64>ns;
    else deadlineNs = isReal ? clockRealToMono(<u64>ns) : <u64>ns;
    if (deadlineNs == 0) deadlineNs = 1; // 0 means none
  }
  const result = futexWait(va, isPrivate, expected, bitset, deadlineNs);
  if (result != -Errno.INTR) return result;
  return timeoutVa == 0 ? -Errno.RESTARTSYS : -Errno.RESTARTNOHAND;
}

/** A struct timespec of user memory in ns, -EINVAL or -EFAULT. */
function timespecRead(va: u64): i64 {
  if (!userRangeOk(va, 16)) return -Errno.FAULT;
  const at = scratchPush(16);
  const failed = userCopyIn(at, va, 16);
  const seconds = load<u64>(at);
  const nanoseconds = load<u64>(at, 8);
  scratchPop(16);
  if (failed != 0) return failed;
  if (<i64>seconds < 0 || nanoseconds >= NS_PER_S) return -Errno.INVAL;
  return <i64>(min<u64>(seconds, FOREVER_SECONDS) * NS_PER_S + nanoseconds);
}
