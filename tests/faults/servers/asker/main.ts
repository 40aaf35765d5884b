/** A server that asks another one for two sums, and how many those were. */
import { callServer } from "../../../../servers/runtime/client";
import { templateAdd, templateAddSum, templateCount, templateCountSums } from "../../../../servers/runtime/protocol/template-client.gen";
import { handleNamed, log, runtimeStart, serverBuffer } from "../../../../servers/runtime/start";

export { serverBuffer };

/** No method's number. */
const UNKNOWN: i32 = 77;

export function serverMain(count: u32): u32 {
  runtimeStart(count);
  const template = handleNamed("call:template");
  if (templateAdd(template, 40, 2) != 0) return 1;
  log("40 + 2 is " + templateAddSum().toString());
  if (templateAdd(template, u64.MAX_VALUE, 2) != 0) return 1;
  log("the largest number + 2 is " + templateAddSum().toString());
  if (templateCount(template) != 0) return 1;
  log("sums: " + templateCountSums().toString() + ", of a thing unknown: " + callServer(template, UNKNOWN, 0, 0, 0, 0).toString());
  return 0;
}
