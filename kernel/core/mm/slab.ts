/**
 * kmalloc: memory of any size up to 1 MiB, from a slab cache of the next size up or from heap pages.
 *
 * Invariants  M1  CLASS_OF[(size + 15) / 16] is the smallest class that holds `size`, for sizes up to 2 KiB.
 */
import { heapDesc, heapLargeOrder, heapPagesAlloc, heapPagesFree, HEAP_MAX_ORDER } from "./heap";
import { orderOf } from "./layout";
import { SlabCache, slabAlloc, slabFree, slabInit } from "./slab-cache";

export { SlabCache, slabAlloc, slabFree, slabInit, slabTrim } from "./slab-cache";

const CLASS_COUNT: u32 = 14;
const CLASS_MAX: u32 = 2048;
const SIZES: usize = memory.data<u16>([16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048]);
const CLASSES: usize = memory.data(14 * 64, 64); // SlabCache, one a size
const CLASS_OF: usize = memory.data(136);        // M1
/** Descriptors below are tags of the heap, above are SlabCache addresses. */
const FIRST_CACHE: u32 = 65536;

if (offsetof<SlabCache>() > 64) ERROR("CLASSES has 64 bytes for each cache");

function classAt(i: u32): SlabCache {
  return changetype<SlabCache>(CLASSES + (<usize>i << 6)); // SAFETY: i < CLASS_COUNT
}

export function kmallocInit(): void {
  let size: u32 = 0;
  for (let i: u32 = 0; i < CLASS_COUNT; i++) {
    const top = <u32>load<u16>(SIZES + (i << 1));
    slabInit(classAt(i), "kmalloc", top);
    while (size <= top) {
      store<u8>(CLASS_OF + (size >> 4), <u8>i);
      size += 16;
    }
  }
}

/** Takes `size` bytes, not cleared; 0 when memory is full or `size` is above 1 MiB. Multiples of 64 are so aligned. */
export function kmalloc(size: u32): usize {
  if (size <= CLASS_MAX) return slabAlloc(classAt(load<u8>(CLASS_OF + ((size + 15) >> 4))));
  const order = orderOf(size);
  return order > HEAP_MAX_ORDER ? 0 : heapPagesAlloc(order);
}

/** kmalloc, cleared. */
export function kzalloc(size: u32): usize {
  const ptr = kmalloc(size);
  if (ptr) memory.fill(ptr, 0, size);
  return ptr;
}

/** Gives back memory of kmalloc or kzalloc; 0 is fine. */
export function kfree(ptr: usize): void {
  if (!ptr) return;
  const desc = heapDesc(ptr);
  if (desc >= FIRST_CACHE) slabFree(changetype<SlabCache>(desc), ptr); // SAFETY: H1 of heap.ts
  else heapPagesFree(ptr, heapLargeOrder(ptr));
}
