/**
 * The machine's clocks, for a server whose manifest needs `time`; with `clock` instead it may set the wall clock, too.
 *
 * Without either, asking for the time is a mistake in the server, and ends it: the log says where.
 *
 * Units  ns: of monotonic time since boot, of real time since 1970-01-01 UTC.
 */
import { clockRead, clockWrite, notificationTimer, timeRead } from "./native-calls";

let time: u32 = 0;

/** From now on the TIME capability `handle` is used. */
export function timeTake(handle: u32): void { time = handle; }
export function timeHandle(): u32 { return time; }

/** Monotonic time. */
export function timeNow(): u64 {
  const now = timeRead(time);
  assert(now >= 0); // the manifest needs `time`
  return <u64>now;
}

/** Sets `bits` of notification `n` at `deadlineNs`, then every `periodNs` unless that is 0. One timer a notification; deadline 0 stops it. */
export function timerSet(n: u32, bits: u64, deadlineNs: u64, periodNs: u64): void {
  const result = notificationTimer(n, bits, deadlineNs, periodNs, time);
  assert(result >= 0); // the manifest needs `time`
}

/** The date. */
export function clockNow(): u64 {
  const now = clockRead(time);
  assert(now >= 0); // the manifest needs `time`
  return <u64>now;
}

/** Sets the date: false when the manifest does not need `clock`. */
export function clockSet(realNs: u64): bool { return clockWrite(time, realNs) >= 0; }
