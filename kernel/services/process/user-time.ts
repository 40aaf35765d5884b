/**
 * Time values in user memory: struct timespec and struct timeval, pairs of i64.
 *
 * Units  ns inside. A value too large for the clock means "for ever" and saturates at FOREVER_NS.
 */
import { userCopyIn, userCopyOut } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { NS_PER_SEC, NS_PER_USEC } from "../../core/time/clock";

/** Some 146 years: far enough, and two of them still fit an i64. */
export const FOREVER_NS: i64 = i64.MAX_VALUE / 2;
const FOREVER_SECONDS: i64 = 4_611_686_018;

/** ns of seconds and a fraction in ns, both checked to be in range; saturating. */
export function timeToNs(seconds: i64, fractionNs: i64): i64 {
  return seconds >= FOREVER_SECONDS ? FOREVER_NS : seconds * <i64>NS_PER_SEC + fractionNs;
}

/** Reads a pair whose second half counts units of `unitNs`; ns, -EFAULT, or -EINVAL when it is not normal. */
function pairRead(va: u64, unitNs: i64): i64 {
  const ptr = scratchPush(16);
  const failed = userCopyIn(ptr, va, 16) != 0;
  const seconds = load<i64>(ptr);
  const fraction = load<i64>(ptr, 8);
  scratchPop(16);
  if (failed) return -Errno.FAULT;
  if (seconds < 0 || fraction < 0 || fraction >= <i64>NS_PER_SEC / unitNs) return -Errno.INVAL;
  return timeToNs(seconds, fraction * unitNs);
}

function pairWrite(va: u64, ns: i64, unitNs: i64): i64 {
  const ptr = scratchPush(16);
  store<i64>(ptr, ns / <i64>NS_PER_SEC);
  store<i64>(ptr, ns % <i64>NS_PER_SEC / unitNs, 8);
  const failed = userCopyOut(va, ptr, 16) != 0;
  scratchPop(16);
  return failed ? -Errno.FAULT : 0;
}

/** A struct timespec: its ns >= 0, or -EFAULT, -EINVAL. */
export function timespecReadNs(va: u64): i64 { return pairRead(va, 1); }
/** A struct timeval: its ns >= 0, or -EFAULT, -EINVAL. */
export function timevalReadNs(va: u64): i64 { return pairRead(va, <i64>NS_PER_USEC); }
/** 0 or -EFAULT. */
export function timespecWriteNs(va: u64, ns: i64): i64 { return pairWrite(va, ns, 1); }
/** 0 or -EFAULT. */
export function timevalWriteNs(va: u64, ns: i64): i64 { return pairWrite(va, ns, <i64>NS_PER_USEC); }
