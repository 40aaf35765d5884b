/**
 * A small, complete server, to copy: it adds two numbers, says how often it did, and shows a sign of life when the supervisor asks.
 *
 * Capabilities: `endpoint` to be called on, `notification` to be woken by, `log`, `heartbeat`.
 */
import { serveCalls, Words } from "../runtime/loop";
import { handleNamed, log, runtimeStart, serverBuffer } from "../runtime/start";
import { add, sumsSoFar } from "./add";

export { serverBuffer };

/** Labels of calls; the answer's label is 0, or a negated errno. */
const enum Label {
  ADD = 1,   // w0 + w1 in w0
  COUNT = 2, // how many sums so far in w0
}
const ENOSYS: i32 = 38;

export function serverMain(count: u32): u32 {
  runtimeStart(count);
  log("ready");
  serveCalls(handleNamed("endpoint"), handleNamed("notification"), onCall, onBits);
  return 0; // only when the endpoint is gone
}

export function onCall(label: i32, words: Words): i32 {
  switch (label) {
    case Label.ADD:
      words.w0 = add(words.w0, words.w1);
      return 0;
    case Label.COUNT:
      words.w0 = sumsSoFar();
      return 0;
    default: return -ENOSYS;
  }
}

/** The loop answers the supervisor by itself; other bits come from interrupts and timers, of which this server has none. */
function onBits(bits: u64): void {
  log("bits came that nobody asked for");
}
