/**
 * The page cache of one inode: a radix tree from page index to pfn.
 *
 * Each level resolves 6 bits; depth 0 means that `pages` is the pfn of page 0 itself, so a small file needs no node.
 *
 *   Inode.pages -> node (64 words) -> node (64 words) -> pfn
 *
 * Invariants  P1  an index at or beyond 64^pagesDepth is absent.
 *             P2  the tree holds one frame reference per page; pageCount and sb.usedPages count them.
 *             P3  pages of a file system that lives in memory (SuperBlock.isMemory) are counted in shmem.ts as well.
 * Locking     Inode.pagesLock (Rank.MAPPING) guards the tree; usedPages is atomic.
 */
import { Errno } from "../../abi/errno";
import { physZero } from "../../../arch/current";
import { frameOf, framePut, frameRefInc, frameRefs, pfnToPa } from "../../core/mm/frame";
import { PAGE_SIZE } from "../../core/mm/layout";
import { userPageGet } from "../../core/mm/oom";
import { shmemCharge, shmemUncharge } from "../../core/mm/shmem";
import { SlabCache, slabAlloc, slabFree, slabInit } from "../../core/mm/slab";
import { wordAt32, wordPut32 } from "../../lib/bytes";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { Inode, SuperBlock, superOf } from "./types";
import { inodePagesLock } from "./inode";

const LEVEL_BITS: u32 = 6;
const NODE_BYTES: u32 = 256;
/** 64^9 pages are more than a file can have. */
const DEPTH_MAX: u32 = 9;
/** Pages freed in one hold of the lock. */
const FREE_BATCH: u32 = 128;
/** No page: the answer of pageNextLocked. */
export const NO_PAGE: u64 = ~<u64>0;

const NODE_SLAB = changetype<SlabCache>(memory.data(offsetof<SlabCache>(), 64));

export function pageCacheInit(): void {
  slabInit(NODE_SLAB, "page-node", NODE_BYTES);
}

/** True when `index` lies beyond what the tree's depth reaches (P1). */
function isBeyond(inode: Inode, index: u64): bool {
  return index >> (LEVEL_BITS * inode.pagesDepth) != 0;
}

/** Linear address of the word that holds the pfn of `index`, or 0 when nodes are missing. */
function slotFindLocked(inode: Inode, index: u64): usize {
  if (isBeyond(inode, index)) return 0;
  let slot = changetype<usize>(inode) + offsetof<Inode>("pages");
  let shift = LEVEL_BITS * inode.pagesDepth;
  while (shift) {
    const node = load<usize>(slot);
    if (!node) return 0;
    shift -= LEVEL_BITS;
    slot = node + ((<u32>(index >> shift) & 63) << 2);
  }
  return slot;
}

function nodeNew(): usize {
  const node = slabAlloc(NODE_SLAB);
  if (node) memory.fill(node, 0, NODE_BYTES);
  return node;
}

/** The same, making the nodes on the way; 0 when memory is full or the index absurd. */
function slotMakeLocked(inode: Inode, index: u64): usize {
  while (isBeyond(inode, index)) {
    if (inode.pagesDepth == DEPTH_MAX) return 0;
    if (inode.pages) {
      const top = nodeNew();
      if (!top) return 0;
      store<u32>(top, inode.pages);
      inode.pages = top;
    }
    inode.pagesDepth = inode.pagesDepth + 1;
  }
  let slot = changetype<usize>(inode) + offsetof<Inode>("pages");
  let shift = LEVEL_BITS * inode.pagesDepth;
  while (shift) {
    let node = load<usize>(slot);
    if (!node) {
      node = nodeNew();
      if (!node) return 0;
      store<usize>(slot, node);
    }
    shift -= LEVEL_BITS;
    slot = node + ((<u32>(index >> shift) & 63) << 2);
  }
  return slot;
}

/** The pfn of page `index` with one extra frame reference, or 0. */
export function pageCacheFind(inode: Inode, index: u64): u32 {
  if (!inode.pageCount) return 0;
  spinLock(inodePagesLock(inode));
  const slot = slotFindLocked(inode, index);
  const pfn = slot ? load<u32>(slot) : 0;
  if (pfn) frameRefInc(pfn);
  spinUnlock(inodePagesLock(inode));
  return pfn;
}

/** Fills `outPtr` with up to `count` pfns from `index` on, 0 where absent, a reference each; how many are not 0. */
export function pageCacheFindMany(inode: Inode, index: u64, count: u32, outPtr: usize): u32 {
  let found: u32 = 0;
  spinLock(inodePagesLock(inode));
  for (let i: u32 = 0; i < count; i++) {
    const slot = slotFindLocked(inode, index + i);
    const pfn = slot ? load<u32>(slot) : 0;
    store<u32>(outPtr + (i << 2), pfn);
    if (!pfn) continue;
    frameRefInc(pfn);
    found++;
  }
  spinUnlock(inodePagesLock(inode));
  return found;
}

/**
 * Puts page `pfn` (whose reference passes to the tree) at `index`. 1: done; 0: another page is there already;
 * -ENOMEM or -ENOSPC: nothing changed.
 */
export function pageCacheInsert(inode: Inode, index: u64, pfn: u32): i32 {
  return insertUnless(inode, index, pfn, false, 0);
}

/**
 * The same for a page that was read from a device while `pagesDropped` was `dropped`: 0 as well when pages left the cache meanwhile,
 * because what was read may be older than what one of them held.
 */
export function pageCacheInsertRead(inode: Inode, index: u64, pfn: u32, dropped: u32): i32 {
  return insertUnless(inode, index, pfn, true, dropped);
}

function insertUnless(inode: Inode, index: u64, pfn: u32, isRead: bool, dropped: u32): i32 {
  if (!superCharge(inode.sb)) return -(<i32>Errno.NOSPC);
  spinLock(inodePagesLock(inode));
  const slot = slotMakeLocked(inode, index);
  const isFree = slot != 0 && wordAt32(slot) == 0 && (!isRead || inode.pagesDropped == dropped);
  if (isFree) {
    store<u32>(slot, pfn);
    inode.pageCount = inode.pageCount + 1;
    inode.blocks += 8;
  }
  spinUnlock(inodePagesLock(inode));
  if (isFree) return 1;
  superUncharge(inode.sb, 1);
  return slot ? 0 : -(<i32>Errno.NOMEM);
}

/** Counts one page against the limit of the file system and that of all in memory (P3); false when one is reached. */
function superCharge(sb: usize): bool {
  const used = atomic.add<u32>(sb, 1, offsetof<SuperBlock>("usedPages"));
  const limit = superOf(sb).maxPages;
  if ((!limit || used < limit) && (!superOf(sb).isMemory || shmemCharge())) return true;
  atomic.sub<u32>(sb, 1, offsetof<SuperBlock>("usedPages"));
  return false;
}

function superUncharge(sb: usize, count: u32): void {
  atomic.sub<u32>(sb, count, offsetof<SuperBlock>("usedPages"));
  if (superOf(sb).isMemory) shmemUncharge(count);
}

/** The pfn of page `index` with one extra frame reference; absent: a zeroed one when `create`, else 0; or -errno. */
export function pageCacheGet(inode: Inode, index: u64, create: bool): i32 {
  while (true) {
    const known = pageCacheFind(inode, index);
    if (known || !create) return <i32>known;
    const fresh = userPageGet();
    if (!fresh) return -(<i32>Errno.NOMEM);
    physZero(pfnToPa(fresh), PAGE_SIZE);
    frameRefInc(fresh);
    const r = pageCacheInsert(inode, index, fresh);
    if (r == 1) return <i32>fresh;
    framePut(fresh);
    framePut(fresh);
    if (r < 0) return r;
  }
}

/** The lowest present index >= `from`, or NO_PAGE. */
export function pageNextLocked(inode: Inode, from: u64): u64 {
  let index = from;
  while (!isBeyond(inode, index)) {
    let slot = changetype<usize>(inode) + offsetof<Inode>("pages");
    let shift = LEVEL_BITS * inode.pagesDepth;
    while (shift && load<usize>(slot)) {
      shift -= LEVEL_BITS;
      slot = load<usize>(slot) + ((<u32>(index >> shift) & 63) << 2);
    }
    if (load<u32>(slot)) return index;
    const span = <u64>1 << shift;
    const next = (index & ~(span - 1)) + span; // skip the whole missing subtree
    if (next <= index) return NO_PAGE;
    index = next;
  }
  return NO_PAGE;
}

/** The lowest present index >= `from`, or NO_PAGE. */
export function pageCacheNext(inode: Inode, from: u64): u64 {
  spinLock(inodePagesLock(inode));
  const index = pageNextLocked(inode, from);
  spinUnlock(inodePagesLock(inode));
  return index;
}

/** Frees every page with first <= index < end (end NO_PAGE: all above). */
export function pageCacheFreeRange(inode: Inode, first: u64, end: u64): void {
  let at = first;
  while (inode.pageCount && at < end) {
    spinLock(inodePagesLock(inode));
    let freed: u32 = 0;
    while (freed < FREE_BATCH) {
      at = pageNextLocked(inode, at);
      if (at >= end) break;
      const slot = slotFindLocked(inode, at);
      framePut(load<u32>(slot));
      store<u32>(slot, 0);
      freed++;
      at++;
    }
    inode.pageCount = inode.pageCount - freed;
    inode.blocks -= <u64>freed << 3;
    inode.pagesDropped++;
    spinUnlock(inodePagesLock(inode));
    superUncharge(inode.sb, freed);
    if (freed < FREE_BATCH) break;
  }
}

/** Frees up to `count` pages that are clean and that nobody else holds; how many. They can be read again. */
export function pageCacheTrim(inode: Inode, count: u32): u32 {
  let freed: u32 = 0;
  spinLock(inodePagesLock(inode));
  for (let at = pageNextLocked(inode, 0); at != NO_PAGE && freed < count; at = pageNextLocked(inode, at + 1)) {
    const slot = slotFindLocked(inode, at);
    const pfn = wordAt32(slot);
    if (frameOf(pfn).dirty || frameRefs(pfn) != 1) continue;
    framePut(pfn);
    wordPut32(slot, 0);
    freed++;
  }
  inode.pageCount = inode.pageCount - freed;
  inode.blocks -= <u64>freed << 3;
  if (freed) inode.pagesDropped++;
  spinUnlock(inodePagesLock(inode));
  superUncharge(inode.sb, freed);
  return freed;
}

/** Frees every page with index >= `first`. */
export function pageCacheTruncate(inode: Inode, first: u64): void {
  pageCacheFreeRange(inode, first, NO_PAGE);
  if (first) return;
  spinLock(inodePagesLock(inode));
  if (!inode.pageCount) nodesFreeLocked(inode);
  spinUnlock(inodePagesLock(inode));
}

/** Frees the nodes of an empty tree, leaves first, without recursion. */
function nodesFreeLocked(inode: Inode): void {
  const root = changetype<usize>(inode) + offsetof<Inode>("pages");
  while (inode.pagesDepth && load<usize>(root)) {
    // Go down to a node without child nodes and free it.
    let slot = root;
    let level = inode.pagesDepth;
    while (level > 1) {
      const child = firstChild(load<usize>(slot));
      if (!child) break;
      slot = child;
      level--;
    }
    slabFree(NODE_SLAB, load<usize>(slot));
    store<usize>(slot, 0);
  }
  inode.pagesDepth = 0;
}

/** Address of the first word of `node` that is not 0, or 0. */
function firstChild(node: usize): usize {
  for (let at = node; at < node + NODE_BYTES; at += 4) if (load<u32>(at)) return at;
  return 0;
}
