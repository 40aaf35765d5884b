/**
 * Operations of the port: 0 or more, or a negated errno.
 *
 * Generated from kernel/abi/protocol/debug.ts by toolchain/protocol; do not edit.
 */
import { DebugOp } from "../../../kernel/abi/debug.gen";
import { serviceCall } from "../native-calls";

/** Sends it a signal. Errors: SRCH PERM NODEV BUSY AGAIN. */
export function debugKill(port: u32, pid: u32, signal: u32): i32 {
  return <i32>serviceCall(port, DebugOp.KILL, pid, signal, 0, 0);
}

/** kind: HangKind. Errors: SRCH PERM NODEV BUSY AGAIN. */
export function debugHang(port: u32, pid: u32, kind: u32): i32 {
  return <i32>serviceCall(port, DebugOp.HANG, pid, kind, 0, 0);
}

/** Flips 1 to FLIPS_MOST bits of the FlipRegion. Errors: SRCH PERM NODEV BUSY AGAIN. */
export function debugFlip(port: u32, pid: u32, region: u32, seed: u64, bits: u64): i32 {
  return <i32>serviceCall(port, DebugOp.FLIP, pid, region, seed, bits);
}

/** For so long messages of its device are treated as the IrqFault says. Errors: SRCH PERM NODEV BUSY AGAIN. */
export function debugIrq(port: u32, pid: u32, fault: u32, ns: u64): i32 {
  return <i32>serviceCall(port, DebugOp.IRQ, pid, fault, ns, 0);
}

/** RingFault of the disk the server drives, when it next completes a request. Errors: SRCH PERM NODEV BUSY AGAIN. */
export function debugRing(port: u32, pid: u32, fault: u32, seed: u64): i32 {
  return <i32>serviceCall(port, DebugOp.RING, pid, fault, seed, 0);
}

/** ReplyFault of its next answer to a call of the kernel. Errors: SRCH PERM NODEV BUSY AGAIN. */
export function debugReply(port: u32, pid: u32, fault: u32, seed: u64): i32 {
  return <i32>serviceCall(port, DebugOp.REPLY, pid, fault, seed, 0);
}

/**
 * one: 1. The next request to the disk's device names memory it was not given; ENODEV unless an IOMMU is in its way.
 * Errors: SRCH PERM NODEV BUSY AGAIN.
 */
export function debugDma(port: u32, pid: u32, one: u32, seed: u64): i32 {
  return <i32>serviceCall(port, DebugOp.DMA, pid, one, seed, 0);
}
