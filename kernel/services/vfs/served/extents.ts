/**
 * Where the blocks of a served file are on its device, as far as the server has been asked.
 *
 * Invariants, locking  S2 of inode.ts; ioMutex.
 */
import { Errno } from "../../../abi/errno";
import { FsExtent, FsExtents, FsMethod } from "../../../abi/file-system.gen";
import { kfree, kmalloc } from "../../../core/mm/slab";
import { bytesCopy, wordAt64 } from "../../../lib/bytes";
import { wordAt, wordSet } from "../../../lib/words";
import { callBegin, callEnd, callMake, Connection, reply32, replyAt, requestPut64, requestPutNode } from "./connection";
import { fsOf, mountOfFs, ServedInode } from "./inode";

const EXTENT_BYTES: u32 = 12;
const EXTENTS_FIRST: u32 = 8;
const EXTENTS_MOST: u32 = 262144;

function extentWord(si: ServedInode, index: u32, field: u32): u32 { return wordAt(si.extents, index * 3 + field); }

/** Adds [deviceBlock, + blocks) behind what is mapped (S2). False: memory is full. */
function extentAppend(si: ServedInode, deviceBlock: u32, blocks: u32): bool {
  const last = si.extentCount - 1;
  if (si.extentCount != 0 && extentWord(si, last, 1) + extentWord(si, last, 2) == deviceBlock) {
    wordSet(si.extents, last * 3 + 2, extentWord(si, last, 2) + blocks);
  } else {
    if (si.extentCount == si.extentRoom && !extentsGrow(si)) return false;
    wordSet(si.extents, si.extentCount * 3, si.mapped);
    wordSet(si.extents, si.extentCount * 3 + 1, deviceBlock);
    wordSet(si.extents, si.extentCount * 3 + 2, blocks);
    si.extentCount++;
  }
  si.mapped += blocks;
  return true;
}

function extentsGrow(si: ServedInode): bool {
  const room = si.extentRoom == 0 ? EXTENTS_FIRST : si.extentRoom << 1;
  const fresh = room <= EXTENTS_MOST ? kmalloc(room * EXTENT_BYTES) : 0;
  if (fresh == 0) return false;
  bytesCopy(fresh, si.extents, si.extentCount * EXTENT_BYTES);
  if (si.extents != 0) kfree(si.extents);
  si.extents = <u32>fresh;
  si.extentRoom = room;
  return true;
}

/** Forgets what lies at or behind block `end`. */
export function extentsCut(si: ServedInode, end: u32): void {
  while (si.extentCount != 0 && extentWord(si, si.extentCount - 1, 0) >= end) si.extentCount--;
  if (si.extentCount != 0) {
    const last = si.extentCount - 1;
    const length = min<u32>(extentWord(si, last, 2), end - extentWord(si, last, 0));
    wordSet(si.extents, last * 3 + 2, length);
  }
  si.mapped = min<u32>(si.mapped, end);
}

/**
 * Takes the extents of a reply (count at `field`, elements at `at`), which must go on where the map ends, and end by block `limit`. 0, EIO,
 * ENOMEM.
 */
export function extentsTake(si: ServedInode, c: Connection, field: u32, at: u32, limit: u32): i32 {
  const count = reply32(c, field);
  if (count > <u32>FsExtents.R_EXTENTS_MOST) return -Errno.IO;
  for (let i: u32 = 0; i < count; i++) {
    const extent = replyAt(c, at) + i * <u32>FsExtent.BYTES;
    const deviceBlock = wordAt64(extent + FsExtent.DEVICE_BLOCK);
    const blocks = wordAt64(extent + FsExtent.BLOCKS);
    const fs = fsOf(si);
    const most = (fs.deviceBytes - fs.deviceStart) / fs.blockBytes;
    const isSound = wordAt64(extent + FsExtent.FILE_BLOCK) == si.mapped && blocks != 0 && deviceBlock < most && blocks <= most - deviceBlock;
    if (!isSound || most > u32.MAX_VALUE || blocks > limit - si.mapped) return -Errno.IO;
    if (!extentAppend(si, <u32>deviceBlock, <u32>blocks)) return -Errno.NOMEM;
  }
  return 0;
}

/** Makes the map reach beyond block `block` (< blocks). ioMutex is held. 0 or a negated errno. */
function extentsReach(si: ServedInode, block: u32): i32 {
  const fs = fsOf(si);
  while (si.mapped <= block) {
    const before = si.mapped;
    const c = callBegin(mountOfFs(fs));
    requestPutNode(c, FsExtents.NODE, si.n0, si.n1);
    requestPut64(c, FsExtents.FILE_BLOCK, si.mapped);
    requestPut64(c, FsExtents.BLOCKS, si.blocks - si.mapped);
    let result = callMake(c, mountOfFs(fs), FsMethod.EXTENTS, FsExtents.REQUEST_END, FsExtents.REPLY_END);
    if (result == 0) result = extentsTake(si, c, FsExtents.R_EXTENTS, FsExtents.R_EXTENTS_AT, si.blocks);
    callEnd(c);
    if (result < 0) return result;
    if (si.mapped == before) return -Errno.IO; // the chain is shorter than the server said
  }
  return 0;
}

/** Where a byte of a file is. */
@final @unmanaged
export class DevicePlace {
  offset: u64; // byte of the disk
  bytes: u64;  // that follow it there
}

/** Device block of block `block` (< blocks). ioMutex is held. A negated errno. */
export function deviceBlockOf(si: ServedInode, block: u32): i64 {
  const failed = extentsReach(si, block);
  if (failed < 0) return failed;
  const index = extentOf(si, block);
  return <i64>extentWord(si, index, 1) + (block - extentWord(si, index, 0));
}

/** Index of the extent that has block `block` (< mapped). */
function extentOf(si: ServedInode, block: u32): u32 {
  let low: u32 = 0;
  let high = si.extentCount;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (extentWord(si, middle, 0) <= block) low = middle;
    else high = middle;
  }
  return low;
}

/** Finds byte `at` of the file, which lies in one of its blocks. ioMutex is held. 0 or a negated errno. */
export function placeFind(si: ServedInode, at: u64, out: DevicePlace): i32 {
  const fs = fsOf(si);
  const block = at / fs.blockBytes;
  if (block >= si.blocks) return -Errno.IO;
  const failed = extentsReach(si, <u32>block);
  if (failed < 0) return failed;
  const low = extentOf(si, <u32>block);
  const within = at - <u64>extentWord(si, low, 0) * fs.blockBytes;
  out.offset = fs.deviceStart + <u64>extentWord(si, low, 1) * fs.blockBytes + within;
  out.bytes = <u64>extentWord(si, low, 2) * fs.blockBytes - within;
  return 0;
}
