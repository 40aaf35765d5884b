/**
 * Operations of the port: 0 or more, or a negated errno.
 *
 * Generated from kernel/abi/protocol/file-system-port.ts by toolchain/protocol; do not edit.
 */
import { FileSystemOp } from "../../../kernel/abi/file-system-port.gen";
import { linearVa } from "../intrinsics";
import { serviceCall } from "../native-calls";

/**
 * Offers the type whose name stands there (NUL-terminated, at most 15 bytes). EEXIST: another server has it. Result: the
 * handle of its window. Errors: EXIST.
 */
export function fileSystemRegister(port: u32, type: usize, endpoint: u32): i64 {
  return serviceCall(port, FileSystemOp.REGISTER, linearVa(type), endpoint, 0, 0);
}

/** Bytes of the device, at most 1 MiB, through the kernel's buffer cache. */
export function fileSystemRead(port: u32, mount: u32, offset: u64, to: usize, bytes: u64): i32 {
  return <i32>serviceCall(port, FileSystemOp.READ, mount, offset, linearVa(to), bytes);
}

/**
 * BlockWrite[count] (kernel/abi/block-ring.ts), at most 256 of 512 KiB in all. All of it or nothing is done, as far as
 * servers see. The medium gets it later, sector by sector, in any order but that of the pieces' stages. Errors: ROFS.
 */
export function fileSystemCommit(port: u32, mount: u32, writes: usize, count: u32): i32 {
  return <i32>serviceCall(port, FileSystemOp.COMMIT, mount, linearVa(writes), count, 0);
}

/** The device's size. Result: bytes. */
export function fileSystemDeviceBytes(port: u32, mount: u32): i64 {
  return serviceCall(port, FileSystemOp.DEVICE_BYTES, mount, 0, 0, 0);
}
