/**
 * The kernel heap: page blocks in linear memory, the ground under slabs and large kmalloc.
 *
 * The window grows by chunks of 2 MiB, each backed by one large page (or by 512 single ones when memory is too
 * fragmented). Page 0 of a chunk is its header: one descriptor a page. The rest is a buddy system of blocks of
 * 4 KiB to 1 MiB whose free lists run through the free blocks themselves.
 *
 *   chunk   | header page | 4K | 8K | 16K | … | 1M |
 *
 * Invariants  H1  desc[page] of a free block's first page is FREE_TAG | order << 8, of a large allocation's
 *                 LARGE_TAG | order << 8, of every page of a slab its SlabCache (at least 64 KiB, so never a tag).
 *             H2  bit n of CHUNK_MAP is set exactly while chunk n is mapped; free pages of chunks count as free memory.
 *             H3  a chunk without a used page gives its frames back only in heapTrim: free memory may stay mapped.
 * Locking     HEAP_LOCK (Rank.HEAP).
 */
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";
import { Rank } from "../../lib/lock-rank";
import { ListNode, listEmpty, listInit, listInsertAfter, listNodeAt, listRemove } from "../../lib/list";
import { freeHeldAdd, pageAlloc, pageFree, pagesAlloc, pagesFree } from "./buddy";
import { LARGE_PAGE, kernelMapLarge, kernelMapPage, kernelUnmapLarge, kernelUnmapPage, kernelUnmapTable } from "./kernel-map";
import { frameOf, paToPfn, pfnToPa } from "./frame-table";
import { PAGE_SHIFT, PAGE_SIZE } from "./layout";
import { tlbFlushKernel } from "./tlb";

export { kstackAlloc, kstackFree } from "./kernel-stack";

/** Largest block: 1 MiB. */
export const HEAP_MAX_ORDER: u32 = 8;
const CHUNK_ORDER: u32 = 9;
const CHUNK_PAGES: u32 = 512;
const CHUNK_MASK: usize = 0x1fffff;
const LARGE_SHIFT: u32 = 21;
const FREE_TAG: u32 = 1;
const LARGE_TAG: u32 = 2;

const HEAP_LOCK = changetype<SpinLock>(memory.data(offsetof<SpinLock>()));
const FREE_LISTS: usize = memory.data(9 * 8, 8); // a ListNode head for each order

@final @unmanaged
class HeapState {
  base: usize;     // first chunk
  end: usize;      // after the last chunk ever mapped
  limit: usize;    // the heap may not grow beyond
  freePages: u32;  // in free blocks
  chunks: u32;     // mapped
}
const CHUNK_MAP: usize = memory.data(96, 4); // H2, room for 768 chunks
const HEAP = changetype<HeapState>(memory.data(offsetof<HeapState>()));

function listOf(order: u32): ListNode {
  return listNodeAt(FREE_LISTS + (<usize>order << 3));
}

/** The heap owns linear [base, limit); both are multiples of 2 MiB. */
export function heapInit(base: usize, limit: usize): void {
  spinInit(HEAP_LOCK, Rank.HEAP);
  for (let order: u32 = 0; order <= HEAP_MAX_ORDER; order++) listInit(listOf(order));
  HEAP.base = base;
  HEAP.end = base;
  HEAP.limit = limit;
  HEAP.freePages = 0;
  HEAP.chunks = 0;
  memory.fill(CHUNK_MAP, 0, 96);
}

/** Address of the descriptor of the page that holds `ptr`. */
function descAt(ptr: usize): usize {
  return (ptr & ~CHUNK_MASK) + ((ptr & CHUNK_MASK) >> PAGE_SHIFT << 2);
}

/** Descriptor of the page at `ptr` (H1). */
export function heapDesc(ptr: usize): u32 {
  return load<u32>(descAt(ptr));
}

/** Marks all pages of an allocated block with `desc`. */
export function heapDescSet(ptr: usize, order: u32, desc: u32): void {
  const pages: usize = 1 << order;
  for (let page: usize = 0; page < pages; page++) store<u32>(descAt(ptr) + (page << 2), desc);
}

/** Order of the large allocation that starts at `ptr`. */
export function heapLargeOrder(ptr: usize): u32 {
  const desc = heapDesc(ptr);
  assert((desc & 0xff) == LARGE_TAG); // H1: not the start of an allocated block
  return desc >> 8;
}

function heapFreeAdd(pages: i32): void {
  HEAP.freePages += pages;
  freeHeldAdd(pages);
}

function blockPush(ptr: usize, order: u32): void {
  store<u32>(descAt(ptr), FREE_TAG | (order << 8));
  listInsertAfter(listOf(order), listNodeAt(ptr));
}

/** Backs [at, at + 2 MiB) with single pages; false (everything given back but page tables) when memory is full. */
function chunkBackSingly(at: usize): bool {
  for (let page: u32 = 0; page < CHUNK_PAGES; page++) {
    const pfn = pageAlloc();
    if (!pfn || !kernelMapPage(at + (page << PAGE_SHIFT), pfnToPa(pfn))) {
      if (pfn) pageFree(pfn);
      heapUnback(at, page);
      return false;
    }
  }
  return true;
}

/** Unmaps `pages` single pages and their table; frees them after the flush, until when another CPU may reach them. */
function heapUnback(at: usize, pages: u32): void {
  let chain: u32 = 0;
  for (let page: u32 = 0; page < pages; page++) {
    const pfn = paToPfn(kernelUnmapPage(at + (page << PAGE_SHIFT)));
    frameOf(pfn).link = chain;
    chain = pfn;
  }
  const table = kernelUnmapTable(at);
  tlbFlushKernel();
  if (table) pageFree(paToPfn(table));
  while (chain) {
    const next = frameOf(chain).link;
    pageFree(chain);
    chain = next;
  }
}

function chunkBack(at: usize): bool {
  const pfn = pagesAlloc(CHUNK_ORDER);
  if (!pfn) return chunkBackSingly(at);
  if (kernelMapLarge(at, pfnToPa(pfn))) return true;
  pagesFree(pfn, CHUNK_ORDER);
  return false;
}

function chunkIsMapped(at: usize): bool {
  const n = <u32>((at - HEAP.base) >> LARGE_SHIFT);
  return (load<u32>(CHUNK_MAP + (n >> 5 << 2)) >> (n & 31) & 1) != 0;
}

function chunkMark(at: usize): void {
  const n = <u32>((at - HEAP.base) >> LARGE_SHIFT);
  const word = CHUNK_MAP + (n >> 5 << 2);
  store<u32>(word, load<u32>(word) ^ (1 << (n & 31)));
}

function chunkAddLocked(): bool {
  let at = HEAP.base;
  while (at < HEAP.end && chunkIsMapped(at)) at += LARGE_PAGE;
  if (at + LARGE_PAGE > HEAP.limit || !chunkBack(at)) return false;
  HEAP.end = max<usize>(HEAP.end, at + LARGE_PAGE);
  HEAP.chunks++;
  chunkMark(at);
  memory.fill(at, 0, PAGE_SIZE);
  store<u32>(at, LARGE_TAG); // the header page itself
  for (let order: u32 = 0; order <= HEAP_MAX_ORDER; order++) {
    blockPush(at + (PAGE_SIZE << order), order);
  }
  heapFreeAdd(<i32>CHUNK_PAGES - 1);
  return true;
}

function blockTakeLocked(order: u32): usize {
  let at = order;
  while (at <= HEAP_MAX_ORDER && listEmpty(listOf(at))) at++;
  if (at > HEAP_MAX_ORDER) return 0;
  const node = listOf(at).next;
  listRemove(node);
  const ptr = changetype<usize>(node);
  while (at > order) {
    at--;
    blockPush(ptr + (PAGE_SIZE << at), at);
  }
  store<u32>(descAt(ptr), LARGE_TAG | (order << 8));
  heapFreeAdd(-(1 << order));
  return ptr;
}

/** Takes a block of 2^order pages aligned to its size, not cleared; 0 when memory is full. */
export function heapPagesAlloc(order: u32): usize {
  if (order > HEAP_MAX_ORDER) return 0;
  spinLock(HEAP_LOCK);
  let ptr = blockTakeLocked(order);
  if (!ptr && chunkAddLocked()) ptr = blockTakeLocked(order);
  spinUnlock(HEAP_LOCK);
  return ptr;
}

function blockFreeLocked(ptr: usize, order: u32): void {
  heapFreeAdd(1 << order);
  heapDescSet(ptr, order, 0);
  let at = ptr;
  let size = order;
  while (size < HEAP_MAX_ORDER) {
    const buddy = at ^ (PAGE_SIZE << size);
    if (heapDesc(buddy) != (FREE_TAG | (size << 8))) break;
    listRemove(listNodeAt(buddy));
    store<u32>(descAt(buddy), 0);
    at &= buddy;
    size++;
  }
  blockPush(at, size);
}

/** Gives back a block of heapPagesAlloc. */
export function heapPagesFree(ptr: usize, order: u32): void {
  spinLock(HEAP_LOCK);
  blockFreeLocked(ptr, order);
  spinUnlock(HEAP_LOCK);
}

/** Pages the heap holds but nobody uses. */
export function heapFreePages(): u32 {
  return HEAP.freePages;
}

/** Pages of RAM that back the heap. */
export function heapTotalPages(): u32 {
  return HEAP.chunks * CHUNK_PAGES;
}

/** Gives chunks without a used page, all but one, back to the page allocator (low memory). */
export function heapTrim(): void {
  spinLock(HEAP_LOCK);
  let isSpared = false;
  for (let at = HEAP.base; at < HEAP.end; at += LARGE_PAGE) {
    if (!chunkIsMapped(at) || !chunkIsEmpty(at)) continue;
    if (isSpared) chunkReleaseLocked(at);
    isSpared = true;
  }
  spinUnlock(HEAP_LOCK);
}

/** An empty chunk has one free block of each order. */
function chunkIsEmpty(at: usize): bool {
  for (let order: u32 = 0; order <= HEAP_MAX_ORDER; order++) {
    if (heapDesc(at + (PAGE_SIZE << order)) != (FREE_TAG | (order << 8))) return false;
  }
  return true;
}

/** Unmaps first and frees after the flush: until then another CPU may still have the translation. */
function chunkReleaseLocked(at: usize): void {
  for (let order: u32 = 0; order <= HEAP_MAX_ORDER; order++) listRemove(listNodeAt(at + (PAGE_SIZE << order)));
  heapFreeAdd(1 - <i32>CHUNK_PAGES);
  HEAP.chunks--;
  chunkMark(at);
  const large = kernelUnmapLarge(at);
  if (large) {
    tlbFlushKernel();
    pagesFree(paToPfn(large), CHUNK_ORDER);
    return;
  }
  heapUnback(at, CHUNK_PAGES);
}
