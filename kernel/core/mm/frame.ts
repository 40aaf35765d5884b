/**
 * References to frames: who maps or uses a page holds one; the last one out frees it.
 *
 * Locking  atomic counters. Whoever holds the only reference may act on the frame alone: nobody else can reach it.
 */
import { pageFree, pagesFree } from "./buddy";
import { FrameFlag, frameOf } from "./frame-table";

export { Frame, FrameFlag, frameOf, frameLimit, pfnToPa, paToPfn } from "./frame-table";

/** One more user of page `pfn`; the caller holds a reference or a lock that keeps one alive. */
export function frameRefInc(pfn: u32): void {
  atomic.add<u32>(changetype<usize>(frameOf(pfn)), 1);
}

/** References held on page `pfn`. */
export function frameRefs(pfn: u32): u32 {
  return atomic.load<u32>(changetype<usize>(frameOf(pfn)));
}

/** Drops one reference of a single page; the last one frees it. */
export function framePut(pfn: u32): void {
  const frame = frameOf(pfn);
  // With one reference left, ours, there is nobody to race with.
  if (atomic.load<u32>(changetype<usize>(frame)) != 1 && atomic.sub<u32>(changetype<usize>(frame), 1) != 1) return;
  frame.flags = <u8>FrameFlag.RAM;
  frame.dirty = 0;
  pageFree(pfn);
}

/** Drops one reference of a block of 2^order pages. */
export function frameBlockPut(pfn: u32, order: u32): void {
  const frame = frameOf(pfn);
  if (atomic.sub<u32>(changetype<usize>(frame), 1) != 1) return;
  frame.flags = <u8>FrameFlag.RAM;
  pagesFree(pfn, order);
}
