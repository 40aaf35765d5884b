/** Timeouts of poll(2) and its family: relative times of user space to deadlines and back. */
import { userCopyIn, userCopyOut } from "../../../arch/current";
import { monoNowNs } from "../../../arch/x86_64/timer";
import { Errno } from "../../abi/errno";
import { userRangeOk } from "../../core/mm/layout";
import { scratchPop, scratchPush } from "../../core/sched/scratch";

const NS_PER_S: u64 = 1_000_000_000;
/** A deadline that has always passed: look once, do not sleep. */
export const POLL_NOW: u64 = 1;
const FOREVER_SECONDS: u64 = 1 << 33;

/** The deadline of a poll timeout in milliseconds; negative means none (0). */
export function deadlineOfMs(timeoutMs: i32): u64 {
  if (timeoutMs < 0) return 0;
  return timeoutMs == 0 ? POLL_NOW : monoNowNs() + <u64>timeoutMs * 1_000_000;
}

/** The deadline of a struct timespec (unit 1) or timeval (unit 1000) at `va`, 0 for a null pointer; -EINVAL, -EFAULT. */
export function deadlineOfTime(va: u64, unitNs: u64): i64 {
  if (va == 0) return 0;
  if (!userRangeOk(va, 16)) return -Errno.FAULT;
  const at = scratchPush(16);
  const failed = userCopyIn(at, va, 16);
  const seconds = load<u64>(at);
  const fraction = load<u64>(at, 8);
  scratchPop(16);
  if (failed != 0) return failed;
  if (<i64>seconds < 0 || fraction >= NS_PER_S / unitNs) return -Errno.INVAL;
  if (seconds >= FOREVER_SECONDS) return 0;
  const ns = seconds * NS_PER_S + fraction * unitNs;
  return <i64>(ns == 0 ? POLL_NOW : monoNowNs() + ns);
}

/** Writes what is left of the time back to `va`, as Linux does; a failure to write is not reported. */
export function timeLeftStore(va: u64, deadlineNs: u64, unitNs: u64): void {
  if (va == 0 || deadlineNs == 0) return;
  const now = monoNowNs();
  const leftNs = deadlineNs > now ? deadlineNs - now : 0;
  const at = scratchPush(16);
  store<u64>(at, leftNs / NS_PER_S);
  store<u64>(at, leftNs % NS_PER_S / unitNs, 8);
  userCopyOut(va, at, 16); // cannot matter: the call's own result stands
  scratchPop(16);
}
