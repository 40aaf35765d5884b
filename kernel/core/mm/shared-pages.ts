/**
 * Shared anonymous memory: the pages behind MAP_SHARED | MAP_ANONYMOUS, kept by every area that shows them.
 *
 * Locking  refs atomic; SharedPages.lock (Rank.MAPPING) guards the tree.
 */
import { Errno } from "../../abi/errno";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";
import { Rank } from "../../lib/lock-rank";
import { pageAllocUserZeroed } from "./buddy";
import { framePut, frameRefInc } from "./frame";
import { PageTree, pageTreeClear, pageTreeGet, pageTreeSet } from "./page-tree";
import { shmemCharge, shmemUncharge } from "./shmem";
import { SlabCache, slabAlloc, slabFree, slabInit } from "./slab-cache";

const CACHE = changetype<SlabCache>(memory.data(offsetof<SlabCache>()));

@final @unmanaged
export class SharedPages {
  lock0: u64; // a SpinLock held by value
  lock1: u64;
  tree: u64;  // a PageTree held by value; each page in it has one reference
  refs: u32;  // areas, atomic
  count: u32; // pages in the tree
}

export function sharedPagesInit(): void {
  slabInit(CACHE, "shared_pages", offsetof<SharedPages>());
}

function lockOf(shared: SharedPages): SpinLock {
  return changetype<SpinLock>(shared); // SAFETY: lock0 and lock1 are a SpinLock at offset 0
}

function treeOf(shared: SharedPages): PageTree {
  // SAFETY: `tree` has the size of a PageTree
  return changetype<PageTree>(changetype<usize>(shared) + offsetof<SharedPages>("tree"));
}

export function sharedPagesOf(address: u32): SharedPages {
  return changetype<SharedPages>(address); // SAFETY: Vma.pages
}

/** An empty object with one reference, or null. */
export function sharedPagesCreate(): SharedPages | null {
  const ptr = slabAlloc(CACHE);
  if (!ptr) return null;
  memory.fill(ptr, 0, offsetof<SharedPages>());
  const shared = changetype<SharedPages>(ptr); // SAFETY: fresh object of this type's cache
  spinInit(lockOf(shared), Rank.MAPPING);
  shared.refs = 1;
  return shared;
}

export function sharedPagesGet(shared: SharedPages): void {
  atomic.add<u32>(changetype<usize>(shared) + offsetof<SharedPages>("refs"), 1);
}

function pageDrop(pfn: u32): void {
  framePut(pfn);
}

export function sharedPagesPut(shared: SharedPages): void {
  if (atomic.sub<u32>(changetype<usize>(shared) + offsetof<SharedPages>("refs"), 1) != 1) return;
  pageTreeClear(treeOf(shared), pageDrop);
  shmemUncharge(shared.count);
  slabFree(CACHE, changetype<usize>(shared));
}

/** Page `index`, made when missing, with one reference for the caller; -ENOMEM, or -ENOSPC when there may not be more (shmem.ts). */
export function sharedPageGet(shared: SharedPages, index: u64): i32 {
  spinLock(lockOf(shared));
  const known = pageTreeGet(treeOf(shared), index);
  const pfn = known ? <i32>known : pageMakeLocked(shared, index);
  if (pfn > 0) frameRefInc(pfn);
  spinUnlock(lockOf(shared));
  return pfn;
}

function pageMakeLocked(shared: SharedPages, index: u64): i32 {
  if (!shmemCharge()) return -Errno.NOSPC;
  const pfn = pageAllocUserZeroed();
  if (pfn && pageTreeSet(treeOf(shared), index, pfn)) {
    shared.count++;
    return pfn;
  }
  if (pfn) framePut(pfn);
  shmemUncharge(1);
  return -Errno.NOMEM;
}

/** Drops page `index` (MADV_REMOVE): the next touch finds zeros. */
export function sharedPageRemove(shared: SharedPages, index: u64): void {
  spinLock(lockOf(shared));
  const pfn = pageTreeGet(treeOf(shared), index);
  if (pfn && pageTreeSet(treeOf(shared), index, 0)) {
    shared.count--;
    framePut(pfn);
    shmemUncharge(1);
  }
  spinUnlock(lockOf(shared));
}
