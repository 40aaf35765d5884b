/**
 * Slab caches: objects of one size, packed into blocks of heap pages.
 *
 * Each CPU has a short chain of free objects of its own (a magazine): alloc and free are a push or a pop on it,
 * without a lock. A magazine that is empty or too long moves half its limit from or to the slabs under the lock.
 *
 *   slab block   | header, 64 bytes | object 0 | object 1 | … |
 *
 * Invariants  C1  a free object's first word chains it, in a magazine or in its slab.
 *             C2  a slab is on `partial` exactly when it has a free object in itself (magazines not counted).
 *             C3  objects whose size is a multiple of 64 lie on multiples of 64; all others on multiples of 8.
 * Locking     SlabCache.lock (Rank.SLAB) guards slabs; magazines belong to their CPU.
 */
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";
import { Rank } from "../../lib/lock-rank";
import { ListNode, listEmpty, listInit, listInsertAfter, listNodeAt, listRemove } from "../../lib/list";
import { thisCpu } from "../sched/cpu";
import { heapDesc, heapDescSet, heapPagesAlloc, heapPagesFree } from "./heap";
import { PAGE_SIZE } from "./layout";

const SLAB_HEADER: u32 = 64;
const SLAB_MAX_ORDER: u32 = 3;

/** Most slab caches. */
const MAX_CACHES: u32 = 128;
/** A row of MAX_CACHES magazines for each CPU. */
const MAGAZINES: usize = memory.data(64 * 128 * 8, 64);

@final @unmanaged
export class SlabCache {
  lock0: u64;       // a SpinLock held by value
  lock1: u64;
  partial: u64;     // a ListNode held by value: slabs with free objects
  name: usize;      // a string
  size: u32;        // bytes of an object, rounded
  order: u32;       // pages of a slab: 2^order
  perSlab: u32;     // objects in a slab
  limit: u32;       // a magazine holding more drains half
  slabCount: u32;
  magazine: u32;    // byte offset of its magazine in a CPU's row
  inUse: u32;       // objects out of the slabs (handed out or in magazines)
}

@final @unmanaged
class Magazine {
  head: usize;
  count: u32;
}
if (offsetof<Magazine>() != 8) ERROR("MAGAZINES is indexed by id << 3");

@final @unmanaged
class Slab {
  node: u64;      // a ListNode held by value, on SlabCache.partial (C2)
  free: usize;    // chain of free objects
  inUse: u32;     // objects handed out or in magazines
  fresh: u32;     // objects from this index on were never used and are not chained yet
}

/** All caches, for slabAt. */
const CACHES: usize = memory.data(128 * 4, 4);
let cacheCount: u32 = 0;

/** Forgets all caches (tests, before heapInit). */
export function slabReset(): void {
  cacheCount = 0;
  memory.fill(MAGAZINES, 0, 64 * 128 * 8);
}

export function slabCount(): u32 {
  return cacheCount;
}

/** Cache number `i`, for statistics. */
export function slabAt(i: u32): SlabCache {
  return changetype<SlabCache>(load<usize>(CACHES + (<usize>i << 2))); // SAFETY: i < slabCount()
}

function lockOf(cache: SlabCache): SpinLock {
  return changetype<SpinLock>(cache); // SAFETY: lock0 and lock1 are a SpinLock at offset 0
}

function partialOf(cache: SlabCache): ListNode {
  return listNodeAt(changetype<usize>(cache) + offsetof<SlabCache>("partial"));
}

function magazineOf(cache: SlabCache): Magazine {
  // SAFETY: cpu id < MAX_CPUS and magazine < a row
  return changetype<Magazine>(MAGAZINES + (<usize>thisCpu().id << 10) + cache.magazine);
}

function slabBytes(cache: SlabCache): u32 {
  return PAGE_SIZE << cache.order;
}

/** Prepares `cache` for objects of `size` bytes (at most 8 KiB); `name` is a literal, for statistics. */
export function slabInit(cache: SlabCache, name: string, size: u32): void {
  assert(cacheCount < MAX_CACHES && size <= 8192);
  memory.fill(changetype<usize>(cache), 0, offsetof<SlabCache>());
  spinInit(lockOf(cache), Rank.SLAB);
  listInit(partialOf(cache));
  cache.name = changetype<usize>(name);
  cache.size = max<u32>((size + 7) & ~7, 16);
  while (cache.order < SLAB_MAX_ORDER && slabBytes(cache) / cache.size < 9) cache.order++;
  cache.perSlab = (slabBytes(cache) - SLAB_HEADER) / cache.size;
  cache.limit = min<u32>(64, max<u32>(8, 16384 / cache.size));
  cache.magazine = cacheCount << 3;
  store<usize>(CACHES + (<usize>cacheCount << 2), changetype<usize>(cache));
  cacheCount++;
}

/** Takes an object, not cleared; 0 when memory is full. */
export function slabAlloc(cache: SlabCache): usize {
  const magazine = magazineOf(cache);
  const head = magazine.head;
  if (!head) return slabAllocSlow(cache);
  magazine.head = load<usize>(head); // C1
  magazine.count--;
  return head;
}

/** Gives back an object of slabAlloc. */
export function slabFree(cache: SlabCache, ptr: usize): void {
  assert(heapDesc(ptr) == <u32>changetype<usize>(cache)); // not an object of this cache
  const magazine = magazineOf(cache);
  store<usize>(ptr, magazine.head);
  magazine.head = ptr;
  magazine.count++;
  if (magazine.count > cache.limit) magazineDrain(cache, cache.limit >> 1);
}

/** Refills the magazine with half its limit and takes one object. */
function slabAllocSlow(cache: SlabCache): usize {
  const magazine = magazineOf(cache);
  const want = cache.limit >> 1;
  spinLock(lockOf(cache));
  while (magazine.count < want) {
    const slab = slabWithRoom(cache, magazine.count == 0);
    if (!slab) break;
    const ptr = slabTakeLocked(cache, slab);
    store<usize>(ptr, magazine.head);
    magazine.head = ptr;
    magazine.count++;
  }
  spinUnlock(lockOf(cache));
  const head = magazine.head;
  if (!head) return 0;
  magazine.head = load<usize>(head);
  magazine.count--;
  return head;
}

/** A slab with a free object; makes one when `mayGrow`. */
function slabWithRoom(cache: SlabCache, mayGrow: bool): Slab | null {
  const list = partialOf(cache);
  if (!listEmpty(list)) return changetype<Slab>(list.next); // SAFETY: node is at offset 0 of a Slab
  if (!mayGrow) return null;
  const ptr = heapPagesAlloc(cache.order);
  if (!ptr) return null;
  heapDescSet(ptr, cache.order, <u32>changetype<usize>(cache));
  const slab = changetype<Slab>(ptr); // SAFETY: a fresh block, its first bytes are the header
  slab.free = 0;
  slab.inUse = 0;
  slab.fresh = 0;
  listInsertAfter(list, listNodeAt(ptr));
  cache.slabCount++;
  return slab;
}

function slabTakeLocked(cache: SlabCache, slab: Slab): usize {
  let ptr = slab.free;
  if (ptr) {
    slab.free = load<usize>(ptr);
  } else {
    ptr = changetype<usize>(slab) + SLAB_HEADER + slab.fresh * cache.size;
    slab.fresh++;
  }
  slab.inUse++;
  cache.inUse++;
  if (slab.inUse == cache.perSlab) listRemove(listNodeAt(changetype<usize>(slab)));
  return ptr;
}

function slabGiveLocked(cache: SlabCache, ptr: usize): void {
  const slab = changetype<Slab>(ptr & ~(<usize>slabBytes(cache) - 1)); // SAFETY: slabs are aligned to their size
  const list = partialOf(cache);
  const node = listNodeAt(changetype<usize>(slab));
  if (slab.inUse == cache.perSlab) listInsertAfter(list, node);
  store<usize>(ptr, slab.free);
  slab.free = ptr;
  slab.inUse--;
  cache.inUse--;
  if (slab.inUse) return;
  listRemove(node);
  cache.slabCount--;
  heapPagesFree(changetype<usize>(slab), cache.order);
}

/** Moves `count` objects of this CPU's magazine back to their slabs. */
function magazineDrain(cache: SlabCache, count: u32): void {
  const magazine = magazineOf(cache);
  spinLock(lockOf(cache));
  for (let i: u32 = 0; i < count; i++) {
    const ptr = magazine.head;
    magazine.head = load<usize>(ptr);
    slabGiveLocked(cache, ptr);
  }
  magazine.count -= count;
  spinUnlock(lockOf(cache));
}

/** Empties this CPU's magazines, so that idle slabs return to the heap (low memory, and tests). */
export function slabTrim(): void {
  for (let i: u32 = 0; i < cacheCount; i++) {
    const cache = slabAt(i);
    magazineDrain(cache, magazineOf(cache).count);
  }
}
