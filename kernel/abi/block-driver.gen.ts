/**
 * Numbers of the methods.
 *
 * Generated from kernel/abi/protocol/block-driver.ts by toolchain/protocol; do not edit.
 */
export const enum BlockDriverOp { ATTACH = 1, RING = 2, COMPLETE = 3, START = 4 }
