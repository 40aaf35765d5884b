/**
 * Buffers: pages of disks in memory, whose sectors are valid or not, dirty or not, one by one; and where to find them.
 *
 * Invariants  B1  a dirty sector is valid.
 *             B2  buffers are on the LRU list of all, last used last, and in one chain of BUCKETS; those with dirty sectors are also on
 *                 the dirty list of their disk, first dirtied first.
 *             B4  a buffer that is being written stays, and its page with it.
 *             B5  the medium gets dirty sectors in the order of write-order.ts.
 * Locking     BUFFER_MUTEX around everything, never held while a disk is at work, nor while user memory is touched (a fault there may
 *             need the buffers of the same disk). Before it the disk's order mutex, over transfers too: it keeps apart commits, writing
 *             back and forgetting (B5); who reads, or writes to a device's node, waits for none of them.
 * Units       page: offset on the disk / 4096. Masks: bit n is sector n of the page.
 */
import { monoNowNs } from "../../../arch/current";
import { freePageCount, pageAlloc, totalPageCount } from "../../core/mm/buddy";
import { framePut } from "../../core/mm/frame";
import { SlabCache, slabAlloc, slabFree, slabInit } from "../../core/mm/slab";
import { mutexAt, mutexInit, mutexLock, mutexUnlock } from "../../core/sync/mutex";
import { bytesFill } from "../../lib/bytes";
import { ListNode, listAppend, listInit, listNodeAt, listRemove, listSame, ownerOf } from "../../lib/list";
import { wordAt, wordSet } from "../../lib/words";
import { Disk, DISKS_MAX } from "./disk";
import { orderForget, SectorOrder } from "./write-order";

@final @unmanaged
export class Buffer {
  node: u64;      // a ListNode held by value: BUFFERS (B2)
  dirtyNode: u64; // a ListNode held by value: the dirty list of its disk
  dirtyAtNs: u64; // when its first dirty sector became so
  next: u32;      // Buffer in the same bucket
  pfn: u32;
  page: u32;
  disk: u8;
  valid: u8;
  dirty: u8;
  isWriting: u8;  // its page is with the device (B4)
  time: u32;      // BufferCounts.time when it became dirty
  levels: u64;    // a SectorOrder held by value
  ahead: u32;
  again: u32;     // sectors that changed while it was with the device
}

/** Counters of the cache. */
@final @unmanaged
class BufferCounts {
  all: u32;
  dirty: u32;
  time: u32;      // grows with every buffer that becomes dirty
  forgotten: u32; // how often sectors were forgotten or buffers dropped: who read meanwhile has read what may be old
}

export const ALL_SECTORS: u32 = 0xff;
const BUCKETS: u32 = 8192;
const TABLE: usize = memory.data(8192 * 4, 4);
const BUFFERS_LEAST: u32 = 1024;
const BUFFERS_MOST: u32 = 65536;
const BUFFER_MUTEX: usize = memory.data(32, 8);
const BUFFERS = changetype<ListNode>(memory.data(offsetof<ListNode>()));
const BUFFER_SLAB = changetype<SlabCache>(memory.data(offsetof<SlabCache>(), 64));
const COUNTS = changetype<BufferCounts>(memory.data(offsetof<BufferCounts>()));
/** A Mutex for each disk. */
const ORDER_MUTEXES: usize = memory.data(8 * 32, 8);
/** Heads of the dirty lists by disk. */
const DIRTY: usize = memory.data(8 * 8, 8);
if (offsetof<ListNode>() != 8) ERROR("DIRTY has 8 bytes for each head");

export function bufferTableInit(): void {
  mutexInit(mutexAt(BUFFER_MUTEX));
  for (let i: u32 = 0; i < DISKS_MAX; i++) {
    mutexInit(mutexAt(ORDER_MUTEXES + (<usize>i << 5)));
    listInit(dirtyHeadOf(i));
  }
  slabInit(BUFFER_SLAB, "buffer", offsetof<Buffer>());
  listInit(BUFFERS);
}

export function buffersLock(): void { mutexLock(mutexAt(BUFFER_MUTEX)); }
export function buffersUnlock(): void { mutexUnlock(mutexAt(BUFFER_MUTEX)); }
/** Nobody else changes what of this disk has to reach the medium in order, or brings it there. */
export function orderLock(disk: Disk): void { mutexLock(mutexAt(ORDER_MUTEXES + (<usize>disk.index << 5))); }
export function orderUnlock(disk: Disk): void { mutexUnlock(mutexAt(ORDER_MUTEXES + (<usize>disk.index << 5))); }

export function bufferOf(address: usize): Buffer { return changetype<Buffer>(address); } // SAFETY: the caller names one
export function orderOf(buffer: Buffer): SectorOrder {
  return changetype<SectorOrder>(changetype<usize>(buffer) + offsetof<Buffer>("levels")); // SAFETY: held by value there
}
function nodeOf(buffer: Buffer): ListNode { return listNodeAt(changetype<usize>(buffer)); }
function bucketOf(disk: u32, page: u32): u32 { return (page ^ page >> 13 ^ disk * 977) & (BUCKETS - 1); }
export function bufferIsOf(buffer: Buffer, disk: Disk): bool { return buffer.disk == <u8>disk.index; }

/** Most buffers: an eighth of memory, within bounds. */
function most(): u32 { return min<u32>(BUFFERS_MOST, max<u32>(BUFFERS_LEAST, <u32>(totalPageCount() >> 3))); }

/** Pages in the cache, and how many of them have sectors the disk does not have yet. */
export function buffersCount(): u32 { return COUNTS.all; }
export function buffersDirty(): u32 { return COUNTS.dirty; }
/** So many dirty buffers that writers wait. */
export function buffersCrowded(): bool { return COUNTS.dirty > most() >> 1; }
/** Changes when sectors are forgotten: who has read meanwhile may have read what is old. */
export function buffersForgotten(): u32 { return COUNTS.forgotten; }

export function bufferFind(disk: Disk, page: u32): Buffer | null {
  let at = wordAt(TABLE, bucketOf(disk.index, page));
  while (at != 0) {
    const buffer = bufferOf(at);
    if (buffer.page == page && bufferIsOf(buffer, disk)) return buffer;
    at = buffer.next;
  }
  return null;
}

/** The buffer of a page, made when there is none; null when memory is full. Others may be dropped for it. */
export function bufferGet(disk: Disk, page: u32): Buffer | null {
  const known = bufferFind(disk, page);
  if (known) {
    listRemove(nodeOf(known));
    listAppend(BUFFERS, nodeOf(known));
    return known;
  }
  if (COUNTS.all >= most() || freePageCount() < totalPageCount() >> 5) buffersTrim();
  const address = slabAlloc(BUFFER_SLAB);
  const pfn = address != 0 ? pageAlloc() : 0;
  if (pfn == 0) {
    if (address != 0) slabFree(BUFFER_SLAB, address);
    return null;
  }
  const buffer = bufferOf(address);
  bytesFill(address, 0, offsetof<Buffer>());
  listInit(dirtyNodeOf(buffer));
  buffer.pfn = pfn;
  buffer.page = page;
  buffer.disk = <u8>disk.index;
  buffer.next = wordAt(TABLE, bucketOf(disk.index, page));
  wordSet(TABLE, bucketOf(disk.index, page), <u32>address);
  listAppend(BUFFERS, nodeOf(buffer));
  COUNTS.all++;
  return buffer;
}

/** Not one that is being written (B4). */
export function bufferDrop(buffer: Buffer): void {
  const bucket = bucketOf(buffer.disk, buffer.page);
  const address = <u32>changetype<usize>(buffer);
  if (wordAt(TABLE, bucket) == address) wordSet(TABLE, bucket, buffer.next);
  else {
    let before = bufferOf(wordAt(TABLE, bucket));
    while (before.next != address) before = bufferOf(before.next);
    before.next = buffer.next;
  }
  dirtySet(buffer, 0);
  listRemove(nodeOf(buffer));
  framePut(buffer.pfn);
  slabFree(BUFFER_SLAB, address);
  COUNTS.all--;
  COUNTS.forgotten++;
}

/** Drops buffers that are clean, the longest unused first: a quarter of all, or what there is. */
function buffersTrim(): void {
  let left = most() >> 2;
  for (let node = BUFFERS.next; left != 0 && !listSame(node, BUFFERS);) {
    const buffer = bufferOf(changetype<usize>(node));
    node = node.next;
    if (buffer.dirty != 0 || buffer.isWriting) continue;
    bufferDrop(buffer);
    left--;
  }
}

/** `mask` are the dirty sectors from now on. */
export function dirtySet(buffer: Buffer, mask: u32): void {
  const wasDirty = buffer.dirty != 0;
  orderForget(orderOf(buffer), ~mask);
  buffer.dirty = <u8>mask;
  if (mask != 0 && !wasDirty) {
    COUNTS.dirty++;
    buffer.dirtyAtNs = monoNowNs();
    dirtyAppend(buffer);
  } else if (mask == 0 && wasDirty) {
    COUNTS.dirty--;
    listRemove(dirtyNodeOf(buffer));
  }
}

function dirtyAppend(buffer: Buffer): void {
  buffer.time = ++COUNTS.time;
  listAppend(dirtyHeadOf(buffer.disk), dirtyNodeOf(buffer));
}

/** Sectors of `mask` were written to, here. */
export function sectorsWritten(buffer: Buffer, mask: u32): void {
  buffer.valid |= <u8>mask;
  if (buffer.isWriting) buffer.again |= mask;
  dirtySet(buffer, buffer.dirty | mask);
}

/** These sectors hold something else from now on. The order mutex is held. */
export function sectorsForget(buffer: Buffer, mask: u32): void {
  buffer.valid &= <u8>~mask;
  dirtySet(buffer, buffer.dirty & ~mask);
  COUNTS.forgotten++;
}

/** The page goes to the device: what changes from here on is to be written again. */
export function writingBegin(buffer: Buffer): void {
  buffer.isWriting = 1;
  buffer.again = 0;
}

/** It is back, and sectors of `mask` are on the disk as they were when it left. */
export function writingEnd(buffer: Buffer, mask: u32): void {
  buffer.isWriting = 0;
  dirtySet(buffer, buffer.dirty & ~(mask & ~buffer.again));
  if (buffer.again == 0 || buffer.dirty & ~buffer.again) return;
  listRemove(dirtyNodeOf(buffer)); // all that is dirty is so since later
  dirtyAppend(buffer);
}

// ---- The dirty list of a disk: only who holds the disk's order mutex takes buffers off it, so he may keep his place on it ----

/** Buffers that become dirty from now on have a greater time. */
export function dirtyTime(): u32 { return COUNTS.time; }
export function dirtyHead(disk: Disk): ListNode { return dirtyHeadOf(disk.index); }
function dirtyHeadOf(index: u32): ListNode { return listNodeAt(DIRTY + (<usize>index << 3)); }
/** The buffer behind `node` on the disk's list, if it became dirty up to `time`; null at the end. */
export function dirtyAfter(disk: Disk, node: ListNode, time: u32): Buffer | null {
  if (listSame(node.next, dirtyHead(disk))) return null;
  const buffer = ownerOf<Buffer>(node.next, offsetof<Buffer>("dirtyNode"));
  return <i32>(buffer.time - time) > 0 ? null : buffer;
}
export function dirtyNodeOf(buffer: Buffer): ListNode { return listNodeAt(changetype<usize>(buffer) + offsetof<Buffer>("dirtyNode")); }

/** Since when something of `disk` is dirty; u64.MAX_VALUE: nothing is. */
export function dirtySinceNs(disk: Disk): u64 {
  buffersLock();
  const since = dirtySinceLocked(disk);
  buffersUnlock();
  return since;
}

function dirtySinceLocked(disk: Disk): u64 {
  const first = dirtyHead(disk).next;
  return listSame(first, dirtyHead(disk)) ? u64.MAX_VALUE : ownerOf<Buffer>(first, offsetof<Buffer>("dirtyNode")).dirtyAtNs;
}

/** Calls `visit` for every buffer of bytes [from, to) of a disk; it may drop that one, and not give the mutex up. */
export function buffersVisit(disk: Disk, from: u64, to: u64, visit: (buffer: Buffer, from: u64, to: u64) => void): void {
  const end = (to + 4095) >> 12;
  if (end - (from >> 12) < COUNTS.all) {
    for (let page = from >> 12; page < end; page++) {
      const buffer = bufferFind(disk, <u32>page);
      if (buffer) visit(buffer, from, to);
    }
    return;
  }
  for (let node = BUFFERS.next; !listSame(node, BUFFERS);) {
    const buffer = bufferOf(changetype<usize>(node));
    node = node.next;
    if (bufferIsOf(buffer, disk) && buffer.page >= from >> 12 && buffer.page < end) visit(buffer, from, to);
  }
}
