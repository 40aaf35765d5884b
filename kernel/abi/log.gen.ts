/**
 * Numbers of the methods.
 *
 * Generated from kernel/abi/protocol/log.ts by toolchain/protocol; do not edit.
 */
export const enum LogOp { LINE = 1 }
