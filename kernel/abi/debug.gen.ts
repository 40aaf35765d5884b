/**
 * Numbers of the methods.
 *
 * Generated from kernel/abi/protocol/debug.ts by toolchain/protocol; do not edit.
 */
export const enum DebugOp { KILL = 1, HANG = 2, FLIP = 3, IRQ = 4, RING = 5, REPLY = 6, DMA = 7 }
