/**
 * The address map: where the kernel's linear window and user space lie.
 *
 *   linear 0x00000000   unmapped: a null struct faults
 *          0x00010000   static data (linked in)
 *          0x01000000   FRAME_TABLE: one Frame per page of RAM, sized at boot
 *          heapBase     heap: slabs and page blocks, grows upwards (heap.ts)
 *          stackBase    kernel stacks between guard pages (kernel-stack.ts)
 *          windowEnd    kernel text follows natively; nothing linear lies beyond
 *
 * Units  linear addresses are usize; user and physical addresses are u64.
 */
export const PAGE_SHIFT: u32 = 12;
export const PAGE_SIZE: u32 = 4096;
export const PAGE_MASK: u64 = 4095;
/** Frame records start here; static data must end before. */
export const FRAME_TABLE: usize = 0x01000000;
/** End of the linear window on the metal: text begins at native 0xffffffffe0000000. */
export const LINEAR_WINDOW_END: usize = 0x60000000;
/** First address above user space (one page below the canonical hole, as Linux: SYSRET must never return there). */
export const USER_TOP: u64 = 0x00007ffffffff000;
/** Lowest address a user mapping may have (vm.mmap_min_addr). */
export const USER_MIN: u64 = 0x10000;
/** Largest buddy block: 8 MiB. */
export const MAX_ORDER: u32 = 11;

/** `bytes` rounded up to whole pages; wraps to 0 within a page of 2^64. */
export function pageAlignUp(bytes: u64): u64 {
  return (bytes + PAGE_MASK) & ~PAGE_MASK;
}

/** Smallest order whose block holds `bytes`. */
export function orderOf(bytes: u32): u32 {
  if (bytes <= PAGE_SIZE) return 0;
  return 32 - clz((bytes - 1) >> PAGE_SHIFT);
}

/**
 * True when [va, va + len) lies in user space. Says nothing of what is mapped there.
 */
export function userRangeOk(va: u64, len: u64): bool {
  return len <= USER_TOP && va <= USER_TOP - len;
}
