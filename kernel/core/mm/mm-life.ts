/**
 * Address spaces are born and die here.
 *
 * Locking  MM_LIST_LOCK (Rank.MM_LIST): the list of all address spaces.
 */
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";
import { Rank } from "../../lib/lock-rank";
import { ListNode, listAppend, listInit, listNodeAt, listRemove, listSame, ownerOf } from "../../lib/list";
import { gatherBegin, gatherEndDead, rangeZap } from "./gather";
import { PAGE_MASK, USER_TOP } from "./layout";
import { mmLockInit } from "./mm-lock";
import { AddressSpace, vmaOf } from "./mm-struct";
import { rootAlloc, rootFree } from "./page-table";
import { pcidContextAssign } from "./pcid";
import { kfree } from "./slab";
import { SlabCache, slabAlloc, slabFree, slabInit } from "./slab-cache";
import { tlbLeaveMm } from "./tlb";
import { vmaChainFree } from "./vma-alloc";

const CACHE = changetype<SlabCache>(memory.data(offsetof<SlabCache>()));
const MM_LIST_LOCK = changetype<SpinLock>(memory.data(offsetof<SpinLock>()));
const MM_LIST = changetype<ListNode>(memory.data(offsetof<ListNode>()));

export function mmCacheInit(): void {
  slabInit(CACHE, "address_space", offsetof<AddressSpace>());
  spinInit(MM_LIST_LOCK, Rank.MM_LIST);
  listInit(MM_LIST);
}

function nodeOf(mm: AddressSpace): ListNode {
  return listNodeAt(changetype<usize>(mm) + offsetof<AddressSpace>("allNode"));
}

/** An empty address space with one reference, or null when memory is full. */
export function mmCreate(): AddressSpace | null {
  const ptr = slabAlloc(CACHE);
  if (!ptr) return null;
  memory.fill(ptr, 0, offsetof<AddressSpace>());
  const mm = changetype<AddressSpace>(ptr); // SAFETY: fresh object of this type's cache
  mm.rootPa = rootAlloc();
  if (!mm.rootPa) {
    slabFree(CACHE, ptr);
    return null;
  }
  mm.refs = 1;
  pcidContextAssign(mm);
  mm.mmapBase = (USER_TOP >> 1) & ~PAGE_MASK;
  mmLockInit(mm);
  spinLock(MM_LIST_LOCK);
  listAppend(MM_LIST, nodeOf(mm));
  spinUnlock(MM_LIST_LOCK);
  return mm;
}

/** One more reference. */
export function mmGet(mm: AddressSpace): AddressSpace {
  atomic.add<u32>(changetype<usize>(mm), 1);
  return mm;
}

/** Drops a reference; the last one unmaps and frees everything. May sleep. */
export function mmPut(mm: AddressSpace): void {
  if (atomic.sub<u32>(changetype<usize>(mm), 1) != 1) return;
  spinLock(MM_LIST_LOCK);
  listRemove(nodeOf(mm));
  spinUnlock(MM_LIST_LOCK);
  tlbLeaveMm(mm);
  gatherBegin(mm);
  for (let at = mm.first; at; at = vmaOf(at).next) rangeZap(mm, vmaOf(at).start, vmaOf(at).end);
  gatherEndDead();
  vmaChainFree(mm.first);
  rootFree(mm.rootPa);
  kfree(mm.auxv);
  slabFree(CACHE, changetype<usize>(mm));
}

/** A reference to `mm`, unless its last one is gone already. */
function mmTryGet(mm: AddressSpace): bool {
  let refs = atomic.load<u32>(changetype<usize>(mm));
  while (refs) {
    const found = atomic.cmpxchg<u32>(changetype<usize>(mm), refs, refs + 1);
    if (found == refs) return true;
    refs = found;
  }
  return false;
}

/**
 * Walks all address spaces: the one after `mm` (null: the first) with a reference, or null at the end. The reference
 * to `mm` is dropped.
 */
export function mmNext(mm: AddressSpace | null): AddressSpace | null {
  spinLock(MM_LIST_LOCK);
  let node = mm ? nodeOf(mm).next : MM_LIST.next;
  let found: AddressSpace | null = null;
  while (!found && !listSame(node, MM_LIST)) {
    const candidate = ownerOf<AddressSpace>(node, offsetof<AddressSpace>("allNode"));
    if (mmTryGet(candidate)) found = candidate;
    node = node.next;
  }
  spinUnlock(MM_LIST_LOCK);
  if (mm) mmPut(mm);
  return found;
}
