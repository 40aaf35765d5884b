/**
 * Calls: 0, or a negated errno of the server's or the call's own; EIO for an answer that is none. Then the reply's fields, up to the next call.
 *
 * Generated from kernel/abi/protocol/template.ts by toolchain/protocol; do not edit.
 */
import { TemplateMethod } from "../../../kernel/abi/template.gen";
import { callServer, callWords, statusOf } from "../client";

/** a + b modulo 2^64. */
export function templateAdd(endpoint: u32, a: u64, b: u64): i32 {
  return statusOf(callServer(endpoint, TemplateMethod.ADD, a, b, 0, 0));
}
export function templateAddSum(): u64 { return callWords().w0; }

/** How many sums so far. */
export function templateCount(endpoint: u32): i32 {
  return statusOf(callServer(endpoint, TemplateMethod.COUNT, 0, 0, 0, 0));
}
export function templateCountSums(): u64 { return callWords().w0; }
