/**
 * Operations of the port: 0 or more, or a negated errno.
 *
 * Generated from kernel/abi/protocol/log.ts by toolchain/protocol; do not edit.
 */
import { LogOp } from "../../../kernel/abi/log.gen";
import { linearVa } from "../intrinsics";
import { serviceCall } from "../native-calls";

/**
 * One line: its first 240 bytes are taken, control characters become question marks. Beyond 50 lines a second lines are
 * counted only. Result: taken. Errors: FAULT.
 */
export function logLine(port: u32, text: usize, bytes: u64): i64 {
  return serviceCall(port, LogOp.LINE, linearVa(text), bytes, 0, 0);
}
