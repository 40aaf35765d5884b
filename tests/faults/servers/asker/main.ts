/** A server that asks another one for two sums, and how many those were. */
import { callServer, callWords } from "../../../../servers/runtime/client";
import { handleNamed, log, runtimeStart, serverBuffer } from "../../../../servers/runtime/start";

export { serverBuffer };

const ADD: i32 = 1;
const COUNT: i32 = 2;
const UNKNOWN: i32 = 77;

export function serverMain(count: u32): u32 {
  runtimeStart(count);
  const template = handleNamed("call:template");
  if (callServer(template, ADD, 40, 2, 0, 0) != 0) return 1;
  log("40 + 2 is " + callWords().w0.toString());
  if (callServer(template, ADD, u64.MAX_VALUE, 2, 0, 0) != 0) return 1;
  log("the largest number + 2 is " + callWords().w0.toString());
  if (callServer(template, COUNT, 0, 0, 0, 0) != 0) return 1;
  log("sums: " + callWords().w0.toString() + ", of a thing unknown: " + callServer(template, UNKNOWN, 0, 0, 0, 0).toString());
  return 0;
}
