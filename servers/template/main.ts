/**
 * A small, complete server, to copy: it adds two numbers, says how often it did, and shows a sign of life when the supervisor asks.
 *
 * What it can be asked is its protocol, kernel/abi/protocol/template.ts; who calls it does so by what is generated for that.
 *
 * Capabilities: `endpoint` to be called on, `notification` to be woken by, `log`, `heartbeat`.
 */
import { serveCalls, Words } from "../runtime/loop";
import { handleNamed, log, runtimeStart, serverBuffer } from "../runtime/start";
import { Adder } from "./add";

export { serverBuffer };

const ADDER = new Adder();

export function serverMain(count: u32): u32 {
  runtimeStart(count);
  log("ready");
  serveCalls(handleNamed("endpoint"), handleNamed("notification"), onCall, onBits);
  return 0; // only when the endpoint is gone
}

function onCall(label: i32, words: Words): i32 { return ADDER.serve(label, words); }

/** The loop answers the supervisor by itself; other bits come from interrupts and timers, of which this server has none. */
function onBits(bits: u64): void {
  log("bits came that nobody asked for");
}
