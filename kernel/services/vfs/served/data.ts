/**
 * File data between the page cache and the device, by extents; the server has no part in it.
 *
 * Invariants  T1  a page enters the cache when all of it is defined: read, or zeros where the device holds nothing (S3).
 *             T2  pages beyond the blocks a file has are dirty until write-back has allotted them blocks.
 * Locking     ioMutex of the file where said. Nothing is held while a page is read: pagesDropped tells whether it is stale.
 */
import { physStore8, physZero } from "../../../../arch/current";
import { BlockOp } from "../../../abi/block-ring";
import { Errno } from "../../../abi/errno";
import { freePageCount, totalPageCount } from "../../../core/mm/buddy";
import { userPageGet } from "../../../core/mm/oom";
import { framePut, frameRefInc, pfnToPa } from "../../../core/mm/frame";
import { scratchPop, scratchPush } from "../../../core/sched/scratch";
import { wordAt, wordSet } from "../../../lib/words";
import { diskTransfer } from "../../block/disk";
import { Request, requestAdd, requestCreate, requestFree, REQUEST_PIECES } from "../../block/request";
import { pageZeroPart } from "../file-pages";
import { pageCacheFind, pageCacheInsert, pageCacheInsertRead, pageCacheNext } from "../page-cache";
import { Inode } from "../types";
import { DevicePlace, placeFind } from "./extents";
import { diskOfFs, fsOf, ioLock, ioUnlock, ServedInode, servedPagesTrim } from "./inode";

const PAGE: u32 = 4096;
/** Pages taken from the cache at a time when memory is short. */
const TRIM: u32 = 256;
/** Most pages of a read-ahead. */
export const READ_AHEAD: u32 = REQUEST_PIECES;

/** A page for file data; the cache of other files gives way first. 0: memory is full. */
export function dataPageAlloc(): u32 {
  if (freePageCount() < totalPageCount() >> 4) servedPagesTrim(TRIM);
  return userPageGet();
}

// ---- Reading ----

/** Page `index` (below the end of the file) with one reference, read when it must be, with up to `ahead` behind it; or a negated errno. */
export function dataPageGet(si: ServedInode, inode: Inode, index: u64, ahead: u32): i32 {
  while (true) {
    const known = pageCacheFind(inode, index);
    if (known != 0) return <i32>known;
    const failed = index << 12 >= si.validEnd ? zeroPageAdd(inode, index) : pagesRead(si, inode, index, ahead);
    if (failed < 0 && failed != -Errno.AGAIN) return failed;
  }
}

/** A page the device holds nothing of. */
function zeroPageAdd(inode: Inode, index: u64): i32 {
  const pfn = dataPageAlloc();
  if (pfn == 0) return -Errno.NOMEM;
  physZero(pfnToPa(pfn), PAGE);
  const result = pageCacheInsert(inode, index, pfn);
  if (result != 1) framePut(pfn);
  return result < 0 ? result : 0;
}

/** Reads page `index` and up to `ahead` missing ones behind it. 0 or a negated errno; somebody else may have put them meanwhile. */
function pagesRead(si: ServedInode, inode: Inode, index: u64, ahead: u32): i32 {
  const pfns = scratchPush(READ_AHEAD << 2);
  const end = (si.validEnd + PAGE - 1) >> 12;
  const dropped = inode.pagesDropped;
  let count: u32 = 0;
  while (count < min<u32>(ahead + 1, READ_AHEAD) && index + count < end && (count == 0 || pageCacheNext(inode, index + count) != index + count)) {
    const pfn = dataPageAlloc();
    if (pfn == 0) break;
    wordSet(pfns, count++, pfn);
  }
  let failed: i32 = count == 0 ? -Errno.NOMEM : pagesTransfer(si, BlockOp.READ, index, pfns, count);
  if (failed < 0 && count > 1) { // what lies ahead is nobody's concern yet
    while (count > 1) framePut(wordAt(pfns, --count));
    failed = pagesTransfer(si, BlockOp.READ, index, pfns, 1);
  }
  for (let i: u32 = 0; i < count; i++) {
    const pfn = wordAt(pfns, i);
    tailZero(si, index + i, pfn);
    const result = failed == 0 ? pageCacheInsertRead(inode, index + i, pfn, dropped) : 0;
    if (result != 1) framePut(pfn);
    if (result < 0 && i == 0) failed = result;
  }
  scratchPop(READ_AHEAD << 2);
  return failed;
}

/** What the device holds behind validEnd is no part of the file. */
function tailZero(si: ServedInode, index: u64, pfn: u32): void {
  const start = index << 12;
  if (si.validEnd >= start + PAGE) return;
  const from = si.validEnd > start ? <u32>(si.validEnd - start) : 0;
  const whole = (from + 7) & ~7;
  for (let at = from; at < whole; at++) physStore8(pfnToPa(pfn) + at, 0);
  if (whole < PAGE) physZero(pfnToPa(pfn) + whole, PAGE - whole);
}

/**
 * Moves pages [index, index + count) between the frames at `pfns` and the device, adjacent sectors in one request, as far as the file has
 * blocks. Who writes holds ioMutex, who reads does not. 0 or a negated errno.
 */
export function pagesTransfer(si: ServedInode, op: u32, index: u64, pfns: usize, count: u32): i32 {
  const place = changetype<DevicePlace>(scratchPush(offsetof<DevicePlace>())); // SAFETY: scratch of that size
  const fs = fsOf(si);
  const end = min<u64>((index + count) << 12, <u64>si.blocks * fs.blockBytes);
  let at = index << 12;
  let failed: i32 = at < end || op == <u32>BlockOp.WRITE ? 0 : -Errno.AGAIN; // the file was cut meanwhile
  while (at < end && failed == 0) {
    ioLockForRead(si, op);
    failed = placeFind(si, at, place);
    ioUnlockForRead(si, op);
    if (failed < 0) break;
    const bytes = min<u64>(place.bytes, end - at);
    const request = requestCreate(op, place.offset >> 9);
    if (!request) {
      failed = -Errno.NOMEM;
      break;
    }
    at += piecesAdd(request, pfns, at - (index << 12), bytes);
    failed = diskTransfer(diskOfFs(fs), request);
    requestFree(request);
  }
  scratchPop(offsetof<DevicePlace>());
  return failed;
}

/** Who writes has the lock already. */
function ioLockForRead(si: ServedInode, op: u32): void { if (op == <u32>BlockOp.READ) ioLock(si); }
function ioUnlockForRead(si: ServedInode, op: u32): void { if (op == <u32>BlockOp.READ) ioUnlock(si); }

/** Adds pieces of the frames from byte `from` on, up to `bytes`; how many bytes went in. */
function piecesAdd(request: Request, pfns: usize, from: u64, bytes: u64): u64 {
  let done: u64 = 0;
  while (done < bytes) {
    const within = <u32>(from + done) & (PAGE - 1);
    const part = <u32>min<u64>(PAGE - within, bytes - done);
    const pfn = wordAt(pfns, <u32>((from + done) >> 12));
    frameRefInc(pfn);
    if (!requestAdd(request, pfn, within, part)) {
      framePut(pfn);
      break;
    }
    done += part;
  }
  return done;
}

/** What follows `size` in the last page reads as zeros from now on, when it is cached: a mapping may have been written to there. */
export function lastPageZero(inode: Inode, size: u64): void {
  const offset = <u32>size & (PAGE - 1);
  if (offset != 0) pageZeroPart(inode, size >> 12, offset, PAGE - offset);
}
