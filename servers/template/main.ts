/**
 * The smallest complete server: it answers one kind of call, adding two numbers.
 *
 * Capabilities: `endpoint` to receive on, `notification` to be woken by, `log`.
 */
import { serveCalls, Words } from "../runtime/loop";
import { handleNamed, log, runtimeStart, serverBuffer } from "../runtime/start";

export { serverBuffer };

const LABEL_ADD: i32 = 1;
const ENOSYS: i32 = 38;

export function serverMain(count: u32): u32 {
  runtimeStart(count);
  log("ready");
  serveCalls(handleNamed("endpoint"), handleNamed("notification"), onCall, onBits);
  return 0;
}

/** ADD: w0 + w1 in w0. */
export function onCall(label: i32, words: Words): i32 {
  if (label != LABEL_ADD) return -ENOSYS;
  words.w0 += words.w1;
  return 0;
}

function onBits(bits: u64): void {
  log("bits came that nobody was asked for");
}
