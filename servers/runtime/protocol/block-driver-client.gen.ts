/**
 * Operations of the port: 0 or more, or a negated errno.
 *
 * Generated from kernel/abi/protocol/block-driver.ts by toolchain/protocol; do not edit.
 */
import { BlockDriverOp } from "../../../kernel/abi/block-driver.gen";
import { linearVa } from "../intrinsics";
import { serviceCall } from "../native-calls";

/**
 * Registers, or takes over, the disk the port is for, as the BlockGeometry says it is. How many of its queues the kernel
 * uses: as many as there are CPUs. Result: queues.
 */
export function blockDriverAttach(port: u32, geometry: usize, notification: u32, pci: u32): i64 {
  return serviceCall(port, BlockDriverOp.ATTACH, linearVa(geometry), notification, pci, 0);
}

/** That queue's ring, for the driver to map. Result: the handle of its memory. */
export function blockDriverRing(port: u32, queue: u32): i64 {
  return serviceCall(port, BlockDriverOp.RING, queue, 0, 0, 0);
}

/** Completions stand in the ring. Result: taken. */
export function blockDriverComplete(port: u32, queue: u32): i64 {
  return serviceCall(port, BlockDriverOp.COMPLETE, queue, 0, 0, 0);
}

/** The driver is ready: requests may flow, on all its queues. */
export function blockDriverStart(port: u32): i32 {
  return <i32>serviceCall(port, BlockDriverOp.START, 0, 0, 0, 0);
}
