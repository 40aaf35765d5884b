/**
 * Areas that grow downwards, and the random places of a new program image.
 *
 *   USER_TOP  | random gap | main stack, grows down | guard gap | mmapBase: mappings grow down … | heap ↑ | image |
 *
 * Invariants  W1  at least STACK_GUARD bytes stay free below a growing area, unless its neighbour grows down too.
 */
import { PAGE_SIZE, USER_MIN, USER_TOP, pageAlignUp } from "./layout";
import { MM_HOOKS } from "./mm-hooks";
import { AddressSpace, Vma, VmFlag, vmaOf } from "./mm-struct";
import { mmAccount } from "./area";
import { vmaResize } from "./vma";

/** Pages kept free below a stack (Linux: stack_guard_gap). */
const STACK_GUARD: u64 = 256 * 4096;
export const RLIMIT_DATA: u32 = 2;
export const RLIMIT_STACK: u32 = 3;
export const RLIMIT_MEMLOCK: u32 = 8;
export const RLIMIT_AS: u32 = 9;
/** Bits of randomness, in pages, as on x86-64 Linux: mmap_rnd_bits 28, stack 22, brk 13 (32 MiB). */
const MMAP_RANDOM_MASK: u64 = (1 << 28) - 1;
const STACK_RANDOM_MASK: u64 = (1 << 22) - 1;
const BRK_RANDOM_MASK: u64 = (1 << 13) - 1;
const STACK_GAP_MIN: u64 = 128 << 20;
/** Where position-independent programs go: two thirds up, so that the heap has room and low addresses stay free. */
const PIE_BASE: u64 = 0x555555554000;

function randomPages(mask: u64): u64 {
  return (MM_HOOKS.random() & mask) << 12;
}

/** A random page-aligned base for a position-independent program. */
export function mmPieBase(): u64 {
  return PIE_BASE + randomPages(MMAP_RANDOM_MASK);
}

/** A random page-aligned break at or above `end`. */
export function brkRandom(end: u64): u64 {
  return pageAlignUp(end) + randomPages(BRK_RANDOM_MASK);
}

/** A random top for the main stack. */
export function stackTopRandom(): u64 {
  return USER_TOP - randomPages(STACK_RANDOM_MASK);
}

/** Where mappings start to be placed, downwards, below a main stack that may become `stackLimit` bytes long. */
export function mmapBaseRandom(stackLimit: u64): u64 {
  const gap = min(max(stackLimit, STACK_GAP_MIN), USER_TOP / 6 * 5) + (STACK_RANDOM_MASK << 12) + STACK_GUARD;
  return USER_TOP - pageAlignUp(gap) - randomPages(MMAP_RANDOM_MASK);
}

/** True when `pages` more may be mapped under RLIMIT_AS. */
export function mmMayMap(mm: AddressSpace, pages: u64): bool {
  const limit = MM_HOOKS.limit(RLIMIT_AS);
  return limit == ~<u64>0 || mm.totalPages + pages <= limit >> 12;
}

/** Lets `vma`, the lowest area above `va`, grow down to it; false when it must not. */
export function stackGrow(mm: AddressSpace, vma: Vma, va: u64): bool {
  if (!(vma.flags & VmFlag.GROWS_DOWN) || va < USER_MIN) return false;
  const limit = MM_HOOKS.limit(RLIMIT_STACK);
  if (vma.end - va > limit) return false;
  if (vma.prev) {
    const below = vmaOf(vma.prev); // W1
    if (!(below.flags & VmFlag.GROWS_DOWN) && below.flags & VmFlag.PROT && va - below.end < STACK_GUARD) return false;
    if (va < below.end) return false;
  }
  const pages = (vma.start - va) / PAGE_SIZE;
  if (!mmMayMap(mm, pages)) return false;
  vmaResize(mm, vma, va, vma.end);
  mmAccount(mm, vma.flags, pages);
  return true;
}
