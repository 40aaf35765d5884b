/**
 * The dentry cache: which name in which directory is which inode, negative answers included.
 *
 *   hash bucket -> dentry -> dentry          parent <-child list-> children
 *   LRU: hashed dentries that nobody holds, oldest first; one on it may be held again (the shrinker drops it then)
 *
 * Invariants  D1  refs rises from 0 and falls to 0 only under dentryLock.
 *             D2  a cached child holds a reference on its parent.
 *             D3  a dentry with refs == 0 is HASHED (and on the LRU) or being freed by whoever unhashed it.
 *             D4  DentryFlag.HASHED exactly while it is in a bucket.
 * Locking     dentryLock (Rank.DENTRY) guards buckets, child lists, the LRU, Dentry.inode and names. Insertions and
 *             removals of a name also hold the directory's Inode.lock.
 */
import { bytesCopy, wordAt32 } from "../../lib/bytes";
import { SlabCache, kfree, kmalloc, slabAlloc, slabFree, slabInit } from "../../core/mm/slab";
import { ListNode, listAppend, listEmpty, listInit, listNodeAt, listRemove, listSame, ownerOf } from "../../lib/list";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";
import { Rank } from "../../lib/lock-rank";
import { Dentry, Inode, dentryOf, inodeOf, superOf } from "./types";
import { dentryNameBuffer, nameBufferOf, nameSwap, nameTake } from "./dentry-name";
import { inodePut } from "./inode";
import { nameEqual, nameEqualFolded, nameHashFolded } from "./name";

export const enum DentryFlag {
  HASHED = 1,
  ON_LRU = 2,
  REFERENCED = 4,  // used again since it came to the LRU
  UNLINKED = 8,    // its name was removed: " (deleted)"
  REVALIDATE = 16, // ask ops.revalidate before believing it
  NAMELESS = 32,   // of an anonymous inode: "pipe"
}

/** The shrinker frees this many at a time when the LRU is too long. */
const SHRINK_BATCH: u32 = 64;

@final @unmanaged
class Dcache {
  lock0: u64;     // dentryLock: a SpinLock by value
  lock1: u64;
  lru: u64;       // a ListNode by value
  buckets: usize; // Dentry pointers
  mask: u32;
  lruCount: u32;
  lruLimit: u32;
  count: u32;     // dentries alive (atomic)
}
const DCACHE = changetype<Dcache>(memory.data(offsetof<Dcache>(), 64));
const DENTRY_SLAB = changetype<SlabCache>(memory.data(offsetof<SlabCache>(), 64));

function lruHead(): ListNode { return listNodeAt(changetype<usize>(DCACHE) + offsetof<Dcache>("lru")); }
function childHead(d: Dentry): ListNode { return listNodeAt(changetype<usize>(d) + offsetof<Dentry>("childHead")); }
function siblingNode(d: Dentry): ListNode { return listNodeAt(changetype<usize>(d) + offsetof<Dentry>("siblingNode")); }
function lruNode(d: Dentry): ListNode { return listNodeAt(changetype<usize>(d) + offsetof<Dentry>("lruNode")); }

/** `bucketCount` is a power of two, at most 262,144; `lruLimit` bounds the names nobody uses. */
export function dcacheInit(bucketCount: u32, lruLimit: u32): void {
  memory.fill(changetype<usize>(DCACHE), 0, offsetof<Dcache>());
  slabInit(DENTRY_SLAB, "dentry", offsetof<Dentry>());
  DCACHE.buckets = kmalloc(bucketCount << 2);
  assert(DCACHE.buckets != 0);
  memory.fill(DCACHE.buckets, 0, bucketCount << 2);
  DCACHE.mask = bucketCount - 1;
  DCACHE.lruLimit = lruLimit;
  listInit(lruHead());
  spinInit(changetype<SpinLock>(DCACHE), Rank.DENTRY); // SAFETY: lock0 stands first
}

export function dcacheLock(): void { spinLock(changetype<SpinLock>(DCACHE)); } // SAFETY: as dcacheInit
export function dcacheUnlock(): void { spinUnlock(changetype<SpinLock>(DCACHE)); } // SAFETY: as dcacheInit
/** Dentries alive. */
export function dcacheCount(): u32 { return DCACHE.count; }

function bucketOf(parent: usize, hash: u32): usize {
  const mixed = hash ^ (<u32>parent >> 3) * 0x9e3779b1;
  return DCACHE.buckets + (((mixed ^ (mixed >> 15)) & DCACHE.mask) << 2);
}

/** The cached child of that name, negative or not, without a new reference; 0 when unknown. */
export function dentryFindLocked(parent: usize, hash: u32, name: usize, length: u32): usize {
  if (superOf(dentryOf(parent).sb).foldsCase) return findFoldedLocked(parent, nameHashFolded(name, length), name, length);
  let d = load<usize>(bucketOf(parent, hash));
  while (d) {
    const dentry = dentryOf(d);
    if (dentry.nameHash == hash && dentry.parent == parent && dentry.nameLength == length &&
        nameEqual(dentry.namePtr, name, length)) return d;
    d = dentry.hashNext;
  }
  return 0;
}

/** The same in a file system that tells no capital letters from small ones. */
function findFoldedLocked(parent: usize, hash: u32, name: usize, length: u32): usize {
  let d = wordAt32(bucketOf(parent, hash));
  while (d) {
    const dentry = dentryOf(d);
    if (dentry.nameHash == hash && dentry.parent == parent && dentry.nameLength == length &&
        nameEqualFolded(dentry.namePtr, name, length)) return d;
    d = dentry.hashNext;
  }
  return 0;
}

/** `d`'s name is spelt like `name` from now on, which differs in case alone. */
export function dentryRespell(d: Dentry, name: usize): void {
  dcacheLock();
  bytesCopy(d.namePtr, name, d.nameLength);
  dcacheUnlock();
}

/** A new unhashed dentry with one reference, holding one on `parent` (0 makes a root); null when memory is full. */
export function dentryAlloc(parent: usize, sb: usize, hash: u32, name: usize, length: u32): Dentry | null {
  if (DCACHE.lruCount > DCACHE.lruLimit) dcacheShrink(SHRINK_BATCH);
  const ptr = slabAlloc(DENTRY_SLAB);
  if (!ptr) return null;
  memory.fill(ptr, 0, offsetof<Dentry>());
  const d = dentryOf(ptr);
  const buffer = dentryNameBuffer(length);
  if (buffer == <usize>-1) {
    slabFree(DENTRY_SLAB, ptr);
    return null;
  }
  nameTake(d, buffer, name, length);
  d.nameHash = superOf(sb).foldsCase ? nameHashFolded(name, length) : hash;
  d.sb = sb;
  d.refs = 1;
  d.parent = parent ? parent : ptr;
  if (parent) dentryGet(dentryOf(parent));
  listInit(childHead(d));
  listInit(siblingNode(d));
  listInit(lruNode(d));
  atomic.add<u32>(changetype<usize>(DCACHE), 1, offsetof<Dcache>("count"));
  return d;
}

/** One more reference; the caller holds one, or dentryLock. */
export function dentryGet(d: Dentry): Dentry {
  atomic.add<u32>(changetype<usize>(d), 1, offsetof<Dentry>("refs"));
  return d;
}

/** Drops one reference. The last one leaves a hashed dentry in the cache, unless it needs revalidation, and frees any other. */
export function dentryPut(d: Dentry): void {
  let at = d;
  while (true) {
    if (dentryDrop(at)) return;
    const parent = at.parent;
    const isRoot = parent == changetype<usize>(at);
    dentryFree(at);
    if (isRoot) return;
    at = dentryOf(parent);
  }
}

/** Drops a reference; true unless the caller must free `d` and then drop its parent's. */
function dentryDrop(d: Dentry): bool {
  const refsAt = changetype<usize>(d) + offsetof<Dentry>("refs");
  let refs = atomic.load<u32>(refsAt);
  while (refs > 1) {
    const found = atomic.cmpxchg<u32>(refsAt, refs, refs - 1);
    if (found == refs) return true;
    refs = found;
  }
  dcacheLock();
  const kept = dentryDropLastLocked(d);
  dcacheUnlock();
  return kept;
}

function dentryDropLastLocked(d: Dentry): bool {
  if (atomic.sub<u32>(changetype<usize>(d), 1, offsetof<Dentry>("refs")) != 1) return true; // D1
  const isLasting = !(d.flags & DentryFlag.REVALIDATE); // names of processes would pile up: /proc/PID
  if (d.flags & DentryFlag.HASHED && isLasting) {
    if (d.flags & DentryFlag.ON_LRU) d.flags |= DentryFlag.REFERENCED;
    else lruAddLocked(d);
    return true;
  }
  dentryDetachLocked(d);
  return false;
}

function lruAddLocked(d: Dentry): void {
  d.flags |= DentryFlag.ON_LRU;
  listAppend(lruHead(), lruNode(d));
  DCACHE.lruCount++;
}

function lruRemoveLocked(d: Dentry): void {
  d.flags &= ~(<u32>DentryFlag.ON_LRU | <u32>DentryFlag.REFERENCED);
  listRemove(lruNode(d));
  DCACHE.lruCount--;
}

/** Takes `d` off every list; it keeps its parent pointer and reference (D2). */
function dentryDetachLocked(d: Dentry): void {
  dentryUnhashLocked(d);
  if (d.flags & DentryFlag.ON_LRU) lruRemoveLocked(d);
  listRemove(siblingNode(d));
}

/** Frees a detached dentry; its parent's reference passes to the caller. */
function dentryFree(d: Dentry): void {
  if (d.inode) inodePut(inodeOf(d.inode));
  kfree(nameBufferOf(d));
  slabFree(DENTRY_SLAB, changetype<usize>(d));
  atomic.sub<u32>(changetype<usize>(DCACHE), 1, offsetof<Dcache>("count"));
}

/** Puts `d` into its bucket and its parent's child list. */
export function dentryHashLocked(d: Dentry): void {
  const bucket = bucketOf(d.parent, d.nameHash);
  const first = load<usize>(bucket);
  d.hashNext = first;
  d.hashPrev = bucket | 1; // tagged: the bucket itself
  if (first) dentryOf(first).hashPrev = changetype<usize>(d);
  store<usize>(bucket, changetype<usize>(d));
  d.flags |= DentryFlag.HASHED;
  if (listEmpty(siblingNode(d))) listAppend(childHead(dentryOf(d.parent)), siblingNode(d));
}

/** Takes `d` out of its bucket: no walk finds it any more. */
export function dentryUnhashLocked(d: Dentry): void {
  if (!(d.flags & DentryFlag.HASHED)) return;
  const next = d.hashNext;
  const prev = d.hashPrev;
  if (next) dentryOf(next).hashPrev = prev;
  if (prev & 1) store<usize>(prev & ~1, next);
  else dentryOf(prev).hashNext = next;
  d.flags &= ~DentryFlag.HASHED;
}

/** Makes walks forget `d` (a revalidation failed). */
export function dentryInvalidate(d: Dentry): void {
  dcacheLock();
  dentryUnhashLocked(d);
  dcacheUnlock();
}

/** A negative dentry becomes `inode` (consumes a reference) and is found by walks. */
export function dentryInstantiate(d: Dentry, inode: Inode): void {
  dcacheLock();
  d.inode = changetype<usize>(inode);
  if (!(d.flags & DentryFlag.HASHED)) dentryHashLocked(d);
  dcacheUnlock();
}

/** The name is gone from the file system: negative when only the caller holds it, else unhashed and marked deleted. */
export function dentryUnlink(d: Dentry): void {
  let inode: usize = 0;
  dcacheLock();
  if (d.refs == 1 && listEmpty(childHead(d))) {
    inode = d.inode;
    d.inode = 0;
  } else {
    dentryUnhashLocked(d);
    d.flags |= DentryFlag.UNLINKED;
  }
  dcacheUnlock();
  if (inode) inodePut(inodeOf(inode));
}

/** Frees the chain of detached dentries linked by hashNext, and what they held. */
function dentryFreeChain(chain: usize): void {
  while (chain) {
    const d = dentryOf(chain);
    chain = d.hashNext;
    const parent = d.parent;
    const isRoot = parent == changetype<usize>(d);
    dentryFree(d);
    if (!isRoot) dentryPut(dentryOf(parent));
  }
}

/** Frees up to `count` unused dentries, the longest unused first; how many it freed. May sleep. */
export function dcacheShrink(count: u32): u32 {
  let chain: usize = 0;
  let freed: u32 = 0;
  dcacheLock();
  let scan = DCACHE.lruCount;
  while (freed < count && scan-- && !listEmpty(lruHead())) {
    const d = ownerOf<Dentry>(lruHead().next, offsetof<Dentry>("lruNode"));
    const wasReferenced = d.flags & DentryFlag.REFERENCED;
    lruRemoveLocked(d);
    if (d.refs) continue;
    if (wasReferenced) {
      lruAddLocked(d);
      continue;
    }
    dentryDetachLocked(d);
    d.hashNext = chain;
    chain = changetype<usize>(d);
    freed++;
  }
  dcacheUnlock();
  dentryFreeChain(chain);
  return freed;
}

/** Frees unused cached names below `dir`, to any depth. */
export function dcachePrune(dir: Dentry): void {
  dcacheLock();
  const chain = pruneLocked(dir);
  dcacheUnlock();
  dentryFreeChain(chain);
}

/** Walks the tree below `top` children first, detaching what nobody holds; no recursion: trees may be deep. */
function pruneLocked(top: Dentry): usize {
  let chain: usize = 0;
  let at = firstLeafLocked(top);
  while (changetype<usize>(at) != changetype<usize>(top)) {
    const parent = dentryOf(at.parent);
    const after = siblingNode(at).next;
    const next = listSame(after, childHead(parent))
      ? parent
      : firstLeafLocked(ownerOf<Dentry>(after, offsetof<Dentry>("siblingNode")));
    if (!at.refs) {
      dentryDetachLocked(at);
      atomic.sub<u32>(changetype<usize>(parent), 1, offsetof<Dentry>("refs")); // D2
      at.parent = changetype<usize>(at);
      at.hashNext = chain;
      chain = changetype<usize>(at);
    }
    at = next;
  }
  return chain;
}

/** The leaf reached by first children. */
function firstLeafLocked(d: Dentry): Dentry {
  let at = d;
  while (!listEmpty(childHead(at))) at = ownerOf<Dentry>(childHead(at).next, offsetof<Dentry>("siblingNode"));
  return at;
}

/** True when `d` is `ancestor` or lies below it. */
export function dentryIsBelowLocked(d: usize, ancestor: usize): bool {
  while (true) {
    if (d == ancestor) return true;
    const parent = dentryOf(d).parent;
    if (parent == d) return false;
    d = parent;
  }
}

/**
 * `d` takes over the parent, name and place of `target` (which is unhashed). `buffer` is dentryNameBuffer of the new
 * name and is consumed. The old parent's reference returned must be put by the caller.
 */
export function dentryMove(d: Dentry, target: Dentry, buffer: usize): usize {
  dcacheLock();
  dentryUnhashLocked(target);
  dentryUnhashLocked(d);
  listRemove(siblingNode(d));
  if (target.inode) target.flags |= DentryFlag.UNLINKED;
  const oldName = nameBufferOf(d);
  nameTake(d, buffer, target.namePtr, target.nameLength);
  d.nameHash = target.nameHash;
  const oldParent = d.parent;
  d.parent = target.parent;
  dentryGet(dentryOf(target.parent));
  dentryHashLocked(d);
  dcacheUnlock();
  kfree(oldName);
  return oldParent;
}

/** Two names change places (RENAME_EXCHANGE). */
export function dentryExchange(a: Dentry, b: Dentry): void {
  dcacheLock();
  dentryUnhashLocked(a);
  dentryUnhashLocked(b);
  listRemove(siblingNode(a));
  listRemove(siblingNode(b));
  const parent = a.parent;
  a.parent = b.parent;
  b.parent = parent;
  nameSwap(a, b);
  dentryHashLocked(a);
  dentryHashLocked(b);
  dcacheUnlock();
}
