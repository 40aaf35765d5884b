/**
 * Numbers of the methods.
 *
 * Generated from kernel/abi/protocol/channel.ts by toolchain/protocol; do not edit.
 */
export const enum ChannelMethod { ATTACH = 1, CHECK = 2 }
