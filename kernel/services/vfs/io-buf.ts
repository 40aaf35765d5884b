/**
 * I/O buffers: one 64-bit address that is either user memory or the kernel's linear memory.
 *
 * The same file operation serves read(2) into a user page and the ELF loader's read into a kernel buffer. A user
 * address is below USER_TOP and was range-checked by the system call; a kernel one was made by kernelBuf().
 *
 * Units  bufVa: 64-bit virtual address.  pa: physical address.  ptr: linear address.
 */
import {
  linearBase, physCopyIn, physCopyOut, userCopyFromPhys, userCopyIn, userCopyOut, userCopyToPhys, userZero,
} from "../../../arch/current";
import { Errno } from "../../abi/errno";

/** Exclusive end of user addresses. */
export const USER_TOP: u64 = 0x00007ffffffff000;

/** The buffer address of linear `ptr`. */
export function kernelBuf(ptr: usize): u64 {
  return linearBase() + <u64>ptr;
}

/** True when the buffer is kernel memory. */
export function bufIsKernel(bufVa: u64): bool {
  return bufVa >= linearBase();
}

/** True when [va, va + length) lies in user space (or the length is 0 and va does). */
export function bufRangeOk(va: u64, length: u64): bool {
  return length <= USER_TOP && va <= USER_TOP - length;
}

/** Linear memory -> buffer. 0 or -EFAULT. */
export function bufCopyOut(bufVa: u64, ptr: usize, n: u32): i32 {
  if (!bufIsKernel(bufVa)) return userCopyOut(bufVa, ptr, n);
  memory.copy(<usize>(bufVa - linearBase()), ptr, n);
  return 0;
}

/** Buffer -> linear memory. 0 or -EFAULT. */
export function bufCopyIn(ptr: usize, bufVa: u64, n: u32): i32 {
  if (!bufIsKernel(bufVa)) return userCopyIn(ptr, bufVa, n);
  memory.copy(ptr, <usize>(bufVa - linearBase()), n);
  return 0;
}

/** Physical memory -> buffer. Returns the number of bytes NOT copied. */
export function bufFromPhys(bufVa: u64, pa: u64, n: u32): u32 {
  if (!bufIsKernel(bufVa)) return userCopyFromPhys(bufVa, pa, n);
  physCopyIn(<usize>(bufVa - linearBase()), pa, n);
  return 0;
}

/** Buffer -> physical memory. Returns the number of bytes NOT copied. */
export function bufToPhys(pa: u64, bufVa: u64, n: u32): u32 {
  if (!bufIsKernel(bufVa)) return userCopyToPhys(pa, bufVa, n);
  physCopyOut(pa, <usize>(bufVa - linearBase()), n);
  return 0;
}

/** Zeroes buffer bytes (holes of sparse files). Returns the number of bytes NOT cleared. */
export function bufZero(bufVa: u64, n: u32): u32 {
  if (!bufIsKernel(bufVa)) return userZero(bufVa, n);
  memory.fill(<usize>(bufVa - linearBase()), 0, n);
  return 0;
}

export const EFAULT_RESULT: i32 = -(<i32>Errno.FAULT);
