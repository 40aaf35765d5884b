/**
 * Memory before the buddy allocator: the usable ranges of the firmware's map, carved as boot code needs pages.
 *
 * Locking  none: only the boot CPU runs.
 * Units    pa, bytes.
 */
import { PAGE_MASK, PAGE_SIZE, pageAlignUp } from "./layout";

const MAX_RANGES: u32 = 128;
/** Pairs of u64: start, end. An empty range has start == end. */
const RANGES: usize = memory.data(128 * 16, 8);
/** Boot page tables map the direct map only up to here. */
const EARLY_LIMIT: u64 = 0x100000000;
/** The first MiB is left to firmware tables and the application processors' trampoline until the buddy takes over. */
const EARLY_FLOOR: u64 = 0x100000;

let rangeCount: u32 = 0;

export function earlyRangeCount(): u32 {
  return rangeCount;
}

export function earlyRangeStart(i: u32): u64 {
  return load<u64>(RANGES + (<usize>i << 4));
}

export function earlyRangeEnd(i: u32): u64 {
  return load<u64>(RANGES + (<usize>i << 4), 8);
}

function rangeSet(i: u32, start: u64, end: u64): void {
  store<u64>(RANGES + (<usize>i << 4), start);
  store<u64>(RANGES + (<usize>i << 4), end, 8);
}

/** Forgets everything (tests). */
export function earlyReset(): void {
  rangeCount = 0;
}

/** Adds usable RAM [pa, pa + size), shrunk to whole pages; overlaps with earlier ranges are cut off. */
export function earlyRangeAdd(pa: u64, size: u64): void {
  let start = pageAlignUp(pa);
  const end = (pa + size) & ~PAGE_MASK;
  if (start == 0) start = PAGE_SIZE; // pfn 0 means none
  if (start >= end) return;
  earlyReserve(start, end - start);
  if (rangeCount == MAX_RANGES) return;
  rangeSet(rangeCount++, start, end);
}

/** Takes [pa, pa + size), rounded out to whole pages, away from the usable ranges. */
export function earlyReserve(pa: u64, size: u64): void {
  const start = pa & ~PAGE_MASK;
  const end = pageAlignUp(pa + size);
  const count = rangeCount;
  for (let i: u32 = 0; i < count; i++) {
    const low = earlyRangeStart(i);
    const high = earlyRangeEnd(i);
    if (end <= low || start >= high) continue;
    rangeSet(i, low, max(low, start));
    if (end >= high) continue;
    if (start <= low) rangeSet(i, end, high);
    else if (rangeCount < MAX_RANGES) rangeSet(rangeCount++, end, high);
  }
}

/** Takes `size` bytes aligned to `align` (a power of two) from the top of a range below 4 GiB; 0 when none fits. */
export function earlyAlloc(size: u64, align: u64): u64 {
  for (let i: u32 = 0; i < rangeCount; i++) {
    const low = max(earlyRangeStart(i), EARLY_FLOOR);
    const high = min(earlyRangeEnd(i), EARLY_LIMIT);
    if (high <= low || high - low < size) continue;
    const pa = (high - size) & ~(align - 1);
    if (pa < low) continue;
    earlyReserve(pa, size);
    return pa;
  }
  return 0;
}

/** Takes one page, not cleared; 0 when memory is full. */
export function earlyPageAlloc(): u64 {
  return earlyAlloc(PAGE_SIZE, PAGE_SIZE);
}
