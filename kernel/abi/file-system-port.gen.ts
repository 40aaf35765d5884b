/**
 * Numbers of the methods.
 *
 * Generated from kernel/abi/protocol/file-system-port.ts by toolchain/protocol; do not edit.
 */
export const enum FileSystemOp { REGISTER = 1, READ = 2, COMMIT = 3, DEVICE_BYTES = 4 }
