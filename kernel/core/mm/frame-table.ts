/**
 * Physical frames: one 16-byte record per 4 KiB page of RAM.
 *
 * Invariants  F1  FREE is set exactly on the first frame of a block on a zone's free list.
 *             F2  a frame with refs == 0 is mapped nowhere and owned by nobody but the allocator.
 *             F3  records exist for every page of each 8 MiB block that holds RAM, so a buddy can always be looked at.
 * Locking     FREE frames: the lock of their zone. refs: atomic. link and owner: whoever owns the allocated frame.
 * Units       pfn: page number, 0 = none (page 0 is never handed out).  pa: physical byte address.
 *
 *   0      4       5       6      7     8      12      16
 *   | refs | flags | order | node | dirty | link | owner |
 */
import { FRAME_TABLE, PAGE_SHIFT } from "./layout";

@final @unmanaged
export class Frame {
  refs: u32;  // mappings plus kernel users (F2)
  flags: u8;  // FrameFlag bits
  order: u8;  // size of the block this frame heads
  node: u8;   // NUMA node
  dirty: u8;  // page of a file on a device: its bytes are newer there
  link: u32;  // free: next pfn; page table: entries present; else the owner's
  owner: u32; // free: previous pfn; else the owner's
}
if (offsetof<Frame>() != 16) ERROR("the frame table is indexed by pfn << 4");

export const enum FrameFlag {
  FREE = 1,      // heads a block on a free list
  RAM = 2,       // the allocator may own it (unset: hole, firmware, device)
  PAGE_TABLE = 4,
  CACHE = 8,     // page of a file or of shared anonymous memory
}

/** One past the highest pfn that has a record; set once at boot. */
let framePfnEnd: u32 = 0;

export function frameLimitSet(pfnEnd: u32): void {
  framePfnEnd = pfnEnd;
}

export function frameLimit(): u32 {
  return framePfnEnd;
}

/** The record of page `pfn`, which is RAM. */
export function frameOf(pfn: u32): Frame {
  return changetype<Frame>(FRAME_TABLE + (<usize>pfn << 4)); // SAFETY: F3; the table is mapped for all RAM
}

/** Physical address of page `pfn`. */
export function pfnToPa(pfn: u32): u64 {
  return <u64>pfn << PAGE_SHIFT;
}

export function paToPfn(pa: u64): u32 {
  return <u32>(pa >> PAGE_SHIFT);
}
