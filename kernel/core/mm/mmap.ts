/** Mapping and unmapping: the mmap family on an address space. */
import { AddressSpace } from "./mm-struct";

/** Flags of mmap(2). */
export const enum MapFlag {
  SHARED = 1, PRIVATE = 2, SHARED_VALIDATE = 3, TYPE = 15, FIXED = 0x10, ANONYMOUS = 0x20, MAP_32BIT = 0x40,
  GROWSDOWN = 0x100, DENYWRITE = 0x800, EXECUTABLE = 0x1000, LOCKED = 0x2000, NORESERVE = 0x4000, POPULATE = 0x8000,
  NONBLOCK = 0x10000, STACK = 0x20000, HUGETLB = 0x40000, SYNC = 0x80000, FIXED_NOREPLACE = 0x100000,
  UNINITIALIZED = 0x4000000,
}

/** Maps `len` bytes as mmap(2); `file` is 0 for anonymous memory, pgoff in pages. The address, or -errno. Takes mm's lock. */
export function mmMap(mm: AddressSpace, addr: u64, len: u64, prot: u32, flags: u32, file: usize, pgoff: u64): i64 { unreachable(); return 0; }
/** Unmaps [va, va + len): 0 or -errno. Takes mm's lock. */
export function mmUnmap(mm: AddressSpace, va: u64, len: u64): i32 { unreachable(); return 0; }
/** mprotect(2): 0 or -errno. Takes mm's lock. */
export function mmProtect(mm: AddressSpace, va: u64, len: u64, prot: u32): i32 { unreachable(); return 0; }
/** brk(2): the new break, or the old one when it cannot be. Takes mm's lock. */
export function mmBrk(mm: AddressSpace, newBrk: u64): u64 { unreachable(); return 0; }
/** exec: the break starts at or (randomised) above `end`. */
export function mmBrkInit(mm: AddressSpace, end: u64): void { unreachable(); }
/** exec: makes the main stack below a random top and sets the mmap base; the top, or -errno. */
export function mmSetupStack(mm: AddressSpace, stackLimit: u64, isExecutable: bool): i64 { unreachable(); return 0; }
/** A random page-aligned base for a position-independent program (exec). */
export function mmPieBase(): u64 { unreachable(); return 0; }
/** Maps `count` kernel-owned frames (u32 pfns at `pfnsPtr`; RAM pages get one reference each) at a free address; the address or -errno. */
export function mmMapSpecial(mm: AddressSpace, pfnsPtr: usize, count: u32, prot: u32, name: string): i64 { unreachable(); return 0; }
