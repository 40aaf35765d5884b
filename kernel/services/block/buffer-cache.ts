/**
 * The buffer cache: metadata of mounted disks, in pages whose sectors are valid or not, dirty or not, one by one.
 *
 * A page may hold a sector of metadata beside one of file data, which is none of our business: only sectors that were read or written
 * here count, and buffersForget takes back what has become data.
 *
 * Invariants  B1  a dirty sector is valid.
 *             B2  buffers are on the LRU list of all, last used last, and in one chain of BUCKETS.
 *             B3  buffersCommit does all of its writes or none, and nobody sees a part.
 * Locking     BUFFER_MUTEX around everything, transfers included.
 * Units       offsets: bytes on the disk. Masks: bit n is sector n of the page.
 */
import { physCopy, physCopyOut } from "../../../arch/current";
import { BlockOp, BlockWrite } from "../../abi/block-ring";
import { Errno } from "../../abi/errno";
import { pageAlloc } from "../../core/mm/buddy";
import { framePut, frameRefInc, pfnToPa } from "../../core/mm/frame";
import { SlabCache, slabAlloc, slabFree, slabInit } from "../../core/mm/slab";
import { mutexAt, mutexInit, mutexLock, mutexUnlock } from "../../core/sync/mutex";
import { ListNode, listAppend, listInit, listNodeAt, listRemove, listSame } from "../../lib/list";
import { bytesFill } from "../../lib/bytes";
import { wordAt, wordSet } from "../../lib/words";
import { bufFromPhys } from "../vfs/io-buf";
import { Disk, diskAt, diskTransfer } from "./disk";
import { Request, requestAdd, requestCreate, requestCreatePages, requestFree, REQUEST_PIECES, requestPiecePa } from "./request";

@final @unmanaged
class Buffer {
  node: u64;     // a ListNode held by value: BUFFERS (B2)
  next: u32;     // Buffer in the same bucket
  pfn: u32;
  page: u32;     // offset / 4096
  disk: u8;
  valid: u8;
  dirty: u8;
  pad: u8;
}

const PAGE: u32 = 4096;
const ALL: u32 = 0xff;
const BUCKETS: u32 = 4096;
/** 16 MiB of metadata. */
const BUFFERS_MAX: u32 = 4096;
const TABLE: usize = memory.data(4096 * 4, 4);
const BUFFER_MUTEX: usize = memory.data(32, 8);
const BUFFERS = changetype<ListNode>(memory.data(offsetof<ListNode>()));
const BUFFER_SLAB = changetype<SlabCache>(memory.data(offsetof<SlabCache>(), 64));
/** [0] buffers, [1] those with dirty sectors. */
const COUNTS: usize = memory.data(8, 4);

export function bufferCacheInit(): void {
  mutexInit(mutexAt(BUFFER_MUTEX));
  slabInit(BUFFER_SLAB, "buffer", offsetof<Buffer>());
  listInit(BUFFERS);
}

function bufferOf(address: usize): Buffer { return changetype<Buffer>(address); } // SAFETY: the caller names one
function bufferNode(buffer: Buffer): ListNode { return listNodeAt(changetype<usize>(buffer)); }
function bucketOfPage(disk: Disk, page: u32): u32 { return (page ^ disk.index * 977) & (BUCKETS - 1); }

/** Buffers with sectors that the disk does not have yet. */
export function buffersDirty(): u32 { return wordAt(COUNTS, 1); }

function bufferFind(disk: Disk, page: u32): Buffer | null {
  let at = wordAt(TABLE, bucketOfPage(disk, page));
  while (at != 0) {
    const buffer = bufferOf(at);
    if (buffer.page == page && buffer.disk == <u8>disk.index) return buffer;
    at = buffer.next;
  }
  return null;
}

/** The buffer of a page, made when there is none; null when memory is full. */
function bufferGet(disk: Disk, page: u32): Buffer | null {
  const known = bufferFind(disk, page);
  if (known) {
    listRemove(bufferNode(known));
    listAppend(BUFFERS, bufferNode(known));
    return known;
  }
  if (wordAt(COUNTS, 0) >= BUFFERS_MAX) buffersTrim();
  const address = slabAlloc(BUFFER_SLAB);
  const pfn = address != 0 ? pageAlloc() : 0;
  if (pfn == 0) {
    if (address != 0) slabFree(BUFFER_SLAB, address);
    return null;
  }
  const buffer = bufferOf(address);
  bytesFill(address, 0, offsetof<Buffer>());
  buffer.pfn = pfn;
  buffer.page = page;
  buffer.disk = <u8>disk.index;
  buffer.next = wordAt(TABLE, bucketOfPage(disk, page));
  wordSet(TABLE, bucketOfPage(disk, page), <u32>address);
  listAppend(BUFFERS, bufferNode(buffer));
  wordSet(COUNTS, 0, wordAt(COUNTS, 0) + 1);
  return buffer;
}

function bufferDrop(buffer: Buffer): void {
  const bucket = bucketOfPage(changetype<Disk>(diskAt(buffer.disk)), buffer.page); // SAFETY: a disk made it, disks stay
  const address = <u32>changetype<usize>(buffer);
  if (wordAt(TABLE, bucket) == address) wordSet(TABLE, bucket, buffer.next);
  else {
    let before = bufferOf(wordAt(TABLE, bucket));
    while (before.next != address) before = bufferOf(before.next);
    before.next = buffer.next;
  }
  dirtySet(buffer, 0);
  listRemove(bufferNode(buffer));
  framePut(buffer.pfn);
  slabFree(BUFFER_SLAB, address);
  wordSet(COUNTS, 0, wordAt(COUNTS, 0) - 1);
}

/** Drops buffers that are clean, the longest unused first: a quarter of all, or what there is. */
function buffersTrim(): void {
  let left = BUFFERS_MAX >> 2;
  for (let node = BUFFERS.next; left != 0 && !listSame(node, BUFFERS);) {
    const buffer = bufferOf(changetype<usize>(node));
    node = node.next;
    if (buffer.dirty != 0) continue;
    bufferDrop(buffer);
    left--;
  }
}

function dirtySet(buffer: Buffer, mask: u32): void {
  const delta = (mask != 0 ? 1 : 0) - (buffer.dirty != 0 ? 1 : 0);
  buffer.dirty = <u8>mask;
  wordSet(COUNTS, 1, wordAt(COUNTS, 1) + delta);
}

/** Sectors [from, to) of bytes within one page. */
function sectorMask(from: u32, to: u32): u32 {
  return ((1 << ((to + 511) >> 9)) - 1) & ~((1 << (from >> 9)) - 1);
}

/** Makes the sectors of `mask` of `page` valid, and all of the pages behind it up to `pages` in one transfer. 0 or a negated errno. */
function buffersFill(disk: Disk, page: u32, mask: u32, pages: u32): i32 {
  const first = bufferGet(disk, page);
  if (!first) return -Errno.NOMEM;
  if ((first.valid & mask) == mask) return 0;
  let run: u32 = 1;
  while (run < min<u32>(pages, REQUEST_PIECES)) {
    const next = bufferFind(disk, page + run);
    if (next && next.valid != 0) break;
    run++;
  }
  const end = min<u64>(disk.sectors << 9, <u64>(page + run) << 12);
  const start = <u64>page << 12;
  if (end <= start) return -Errno.IO;
  const request = requestCreatePages(BlockOp.READ, start >> 9, <u32>(end - start));
  if (!request) return -Errno.NOMEM;
  let failed = diskTransfer(disk, request);
  for (let i: u32 = 0; i < request.pieces && failed == 0; i++) failed = bufferTake(disk, page + i, request, i);
  requestFree(request);
  return failed;
}

/** Copies what was read into the sectors that are not valid yet (B1: those are newer). */
function bufferTake(disk: Disk, page: u32, request: Request, index: u32): i32 {
  const buffer = bufferGet(disk, page);
  if (!buffer) return -Errno.NOMEM;
  const missing = ALL & ~<u32>buffer.valid;
  for (let sector: u32 = 0; sector < 8; sector++) {
    if (missing >> sector & 1) physCopy(pfnToPa(buffer.pfn) + (sector << 9), requestPiecePa(request, index) + (sector << 9), 512);
  }
  buffer.valid = <u8>ALL;
  return 0;
}

/** Copies [offset, offset + bytes) of the disk to a buffer address. 0 or a negated errno: EFAULT, EIO, ENOMEM. */
export function buffersRead(disk: Disk, offset: u64, bufVa: u64, bytes: u32): i32 {
  mutexLock(mutexAt(BUFFER_MUTEX));
  let failed: i32 = 0;
  for (let done: u32 = 0; done < bytes && failed == 0;) {
    const at = offset + done;
    const within = <u32>at & (PAGE - 1);
    const part = min<u32>(PAGE - within, bytes - done);
    const page = <u32>(at >> 12);
    failed = buffersFill(disk, page, sectorMask(within, within + part), (bytes - done + within + PAGE - 1) >> 12);
    if (failed == 0) failed = bufferCopyOut(disk, page, within, bufVa + done, part);
    done += part;
  }
  mutexUnlock(mutexAt(BUFFER_MUTEX));
  return failed;
}

function bufferCopyOut(disk: Disk, page: u32, within: u32, bufVa: u64, part: u32): i32 {
  const buffer = bufferGet(disk, page);
  if (!buffer) return -Errno.NOMEM;
  return bufFromPhys(bufVa, pfnToPa(buffer.pfn) + within, part) != 0 ? -Errno.FAULT : 0;
}

/**
 * Applies `count` writes (BlockWrite at `writes`, offsets checked against the disk; their bytes lie one after the other at `data`).
 * 0, or a negated errno with nothing changed (B3).
 */
export function buffersCommit(disk: Disk, writes: usize, count: u32, data: usize): i32 {
  mutexLock(mutexAt(BUFFER_MUTEX));
  let failed: i32 = 0;
  for (let i: u32 = 0; i < count && failed == 0; i++) failed = writePrepare(disk, writeAt(writes, i));
  let from = data;
  for (let i: u32 = 0; i < count && failed == 0; i++) {
    failed = writeApply(disk, writeAt(writes, i), from);
    from += writeAt(writes, i).bytes;
  }
  mutexUnlock(mutexAt(BUFFER_MUTEX));
  return failed;
}

function writeAt(writes: usize, index: u32): BlockWrite {
  return changetype<BlockWrite>(writes + index * offsetof<BlockWrite>()); // SAFETY: index < count
}

/** Buffers exist, and sectors that are written in part are valid. Fewer pages than BUFFERS_MAX are touched, so none is trimmed again. */
function writePrepare(disk: Disk, write: BlockWrite): i32 {
  const end = write.offset + write.bytes;
  for (let at = write.offset & ~4095; at < end; at += PAGE) {
    const page = <u32>(at >> 12);
    const from = <u32>(max<u64>(write.offset, at) - at);
    const to = <u32>(min<u64>(end, at + PAGE) - at);
    const partial = (from & 511 ? sectorMask(from, from + 1) : 0) | (to & 511 ? sectorMask(to - 1, to) : 0);
    const failed = partial != 0 ? buffersFill(disk, page, partial, 1) : bufferGet(disk, page) ? 0 : -Errno.NOMEM;
    if (failed != 0) return failed;
  }
  return 0;
}

function writeApply(disk: Disk, write: BlockWrite, from: usize): i32 {
  for (let done: u32 = 0; done < write.bytes;) {
    const at = write.offset + done;
    const within = <u32>at & (PAGE - 1);
    const part = min<u32>(PAGE - within, write.bytes - done);
    const buffer = bufferFind(disk, <u32>(at >> 12));
    assert(buffer != null); // writePrepare made it
    if (!buffer) return -Errno.IO;
    physCopyOut(pfnToPa(buffer.pfn) + within, from + done, part);
    buffer.valid |= <u8>sectorMask(within, within + part);
    dirtySet(buffer, buffer.dirty | sectorMask(within, within + part));
    done += part;
  }
  return 0;
}

/** Sectors [offset, offset + bytes) hold file data from now on: what was known of them is worth nothing. */
export function buffersForget(disk: Disk, offset: u64, bytes: u64): void {
  mutexLock(mutexAt(BUFFER_MUTEX));
  const end = offset + bytes;
  if (bytes >> 12 > wordAt(COUNTS, 0)) forgetByList(disk, offset, end);
  else for (let at = offset & ~4095; at < end; at += PAGE) forgetPart(bufferFind(disk, <u32>(at >> 12)), offset, end);
  mutexUnlock(mutexAt(BUFFER_MUTEX));
}

function forgetByList(disk: Disk, offset: u64, end: u64): void {
  for (let node = BUFFERS.next; !listSame(node, BUFFERS); node = node.next) {
    const buffer = bufferOf(changetype<usize>(node));
    const at = <u64>buffer.page << 12;
    if (buffer.disk == <u8>disk.index && at < end && at + PAGE > offset) forgetPart(buffer, offset, end);
  }
}

function forgetPart(buffer: Buffer | null, offset: u64, end: u64): void {
  if (!buffer) return;
  const at = <u64>buffer.page << 12;
  const gone = sectorMask(<u32>(max<u64>(offset, at) - at), <u32>(min<u64>(end, at + PAGE) - at));
  buffer.valid &= <u8>~gone;
  dirtySet(buffer, buffer.dirty & ~gone);
}

/** Forgets a disk's buffers altogether (they are clean: it was unmounted). */
export function buffersDropAll(disk: Disk): void {
  mutexLock(mutexAt(BUFFER_MUTEX));
  for (let node = BUFFERS.next; !listSame(node, BUFFERS);) {
    const buffer = bufferOf(changetype<usize>(node));
    node = node.next;
    if (buffer.disk == <u8>disk.index) bufferDrop(buffer);
  }
  mutexUnlock(mutexAt(BUFFER_MUTEX));
}

/** Writes every dirty sector of `disk` (the device may hold it back until diskFlush). The first error, with the sectors still dirty. */
export function buffersWrite(disk: Disk): i32 {
  if (wordAt(COUNTS, 1) == 0) return 0;
  mutexLock(mutexAt(BUFFER_MUTEX));
  let failed: i32 = 0;
  for (let node = BUFFERS.next; failed == 0 && !listSame(node, BUFFERS); node = node.next) {
    const buffer = bufferOf(changetype<usize>(node));
    if (buffer.dirty != 0 && buffer.disk == <u8>disk.index) failed = buffer.dirty == <u8>ALL ? runWrite(disk, buffer) : piecesWrite(disk, buffer);
  }
  mutexUnlock(mutexAt(BUFFER_MUTEX));
  return failed;
}

/** Writes this wholly dirty page and those like it beside it. */
function runWrite(disk: Disk, buffer: Buffer): i32 {
  let first = buffer.page;
  while (first > 0 && buffer.page - first < (REQUEST_PIECES >> 1) && isWhollyDirty(bufferFind(disk, first - 1))) first--;
  const request = requestCreate(BlockOp.WRITE, <u64>first << 3);
  if (!request) return -Errno.NOMEM;
  let page = first;
  for (let at = bufferFind(disk, page); at && at.dirty == <u8>ALL && request.pieces < REQUEST_PIECES; at = bufferFind(disk, ++page)) {
    frameRefInc(at.pfn);
    requestAdd(request, at.pfn, 0, PAGE);
  }
  const failed = diskTransfer(disk, request);
  requestFree(request);
  for (let done = first; done < page && failed == 0; done++) {
    const written = bufferFind(disk, done);
    if (written) dirtySet(written, 0);
  }
  return failed;
}

function isWhollyDirty(buffer: Buffer | null): bool { return buffer != null && buffer.dirty == <u8>ALL; }

/** Writes the dirty sectors of a page, each group of adjacent ones by itself. */
function piecesWrite(disk: Disk, buffer: Buffer): i32 {
  let mask = <u32>buffer.dirty;
  while (mask != 0) {
    const from = ctz(mask);
    const length = ctz(~(mask >> from));
    const request = requestCreate(BlockOp.WRITE, (<u64>buffer.page << 3) + from);
    if (!request) return -Errno.NOMEM;
    frameRefInc(buffer.pfn);
    requestAdd(request, buffer.pfn, from << 9, length << 9);
    const failed = diskTransfer(disk, request);
    requestFree(request);
    if (failed != 0) return failed;
    mask &= ~(((1 << length) - 1) << from);
  }
  dirtySet(buffer, 0);
  return 0;
}
