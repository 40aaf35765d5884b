/** User memory of any address space, by page: exec's arguments, /proc/PID/mem, ptrace, shared futexes. */
import { AddressSpace } from "./mm-struct";

/** The frame behind `va`, faulted in for reading or writing, with one reference; its pfn, or -FAULT, -NOMEM. Takes mm's lock. */
export function mmPageGet(mm: AddressSpace, va: u64, forWrite: u32): i32 { unreachable(); return 0; }
/** Copies linear `ptr` into `mm` at `va` (protection bits are not asked): 0 or -errno. */
export function mmWriteRemote(mm: AddressSpace, va: u64, ptr: usize, size: u32): i32 { unreachable(); return 0; }
/** Copies from `mm` at `va` to linear `ptr`: 0 or -errno. */
export function mmReadRemote(mm: AddressSpace, va: u64, ptr: usize, size: u32): i32 { unreachable(); return 0; }
/** Clears memory of `mm`: 0 or -errno. */
export function mmZeroRemote(mm: AddressSpace, va: u64, size: u64): i32 { unreachable(); return 0; }
