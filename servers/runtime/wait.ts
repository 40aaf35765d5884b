/**
 * Time and waiting inside a server that is not in its loop (loop.ts): bringing a device up, one command at a time.
 *
 * The manifest needs `time`. Bits that arrive and were not waited for are kept, and given by the next wait that asks for them; signs of life are given meanwhile.
 */
import { timeNow, timerSet } from "./clock";
import { HEARTBEAT } from "./loop";
import { notificationSignal, notificationWait } from "./native-calls";
import { heartbeatHandle, heartbeatMask } from "./start";

let kept: u64 = 0;

/** Waits until one of `bits` of `n` is set, at most `limitNs`: those that are, 0 when time is over. */
export function waitBits(n: u32, bits: u64, limitNs: u64): u64 {
  const deadlineNs = timeNow() + limitNs;
  while ((kept & bits) == 0 && timeNow() < deadlineNs) {
    const got = notificationWait(n, deadlineNs);
    if (got < 0) continue; // a signal, or time is over
    if (<u64>got & HEARTBEAT) notificationSignal(heartbeatHandle(), heartbeatMask());
    kept |= <u64>got & ~HEARTBEAT;
  }
  const found = kept & bits;
  kept &= ~found;
  return found;
}

/** Sets `bits` of `n` after `afterNs`, and every `periodNs` then unless that is 0. One timer a notification: a new one replaces the old. */
export function timerStart(n: u32, bits: u64, afterNs: u64, periodNs: u64): void {
  timerSet(n, bits, timeNow() + afterNs, periodNs);
}
export function timerStop(n: u32): void { timerSet(n, 0, 0, 0); }
