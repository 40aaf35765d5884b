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
import { FsAllocate, FsExtent, FsMethod } from "../../../abi/file-system.gen";
import { freePageCount, totalPageCount } from "../../../core/mm/buddy";
import { userPageGet } from "../../../core/mm/oom";
import { frameOf, framePut, frameRefInc, frameRefs, pfnToPa } from "../../../core/mm/frame";
import { scratchPop, scratchPush } from "../../../core/sched/scratch";
import { errseqSet } from "../../../lib/errseq";
import { wordAt, wordSet } from "../../../lib/words";
import { buffersForget } from "../../block/buffer-cache";
import { diskTransfer } from "../../block/disk";
import { Request, requestAdd, requestCreate, requestFree, REQUEST_PIECES } from "../../block/request";
import { pageZeroPart } from "../file-pages";
import { pageCacheFind, pageCacheGet, pageCacheInsert, pageCacheInsertRead, pageCacheNext } from "../page-cache";
import { superErrors } from "../super-block";
import { Inode, inodeOf, superOf } from "../types";
import { callBegin, callEnd, callMake, Connection, reply32, reply64, replyAt, requestPut64, requestPutNode } from "./connection";
import { DevicePlace, extentsTake, placeFind } from "./extents";
import {
  diskOfFs, errorsOf, fsOf, ioLock, ioUnlock, mountOfFs, nodeTake, pageClean, pagesUndirty, reserveSet, ServedInode, servedPagesTrim,
} from "./inode";

const PAGE: u32 = 4096;
/** Blocks asked for in one ALLOCATE. */
const ALLOCATE_MOST: u64 = 4096;
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
 * Moves pages [index, index + count) between the frames at `pfns` and the device, adjacent sectors in one request. Reads take only as
 * much as the file has blocks for. 0 or a negated errno.
 */
function pagesTransfer(si: ServedInode, op: u32, index: u64, pfns: usize, count: u32): i32 {
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

/** Write-back has the lock already. */
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

// ---- Writing back ----

/** The frames of one round of write-back. */
@final @unmanaged
class Round {
  first: u64;  // page
  count: u32;
  pad: u32;
}

/**
 * Brings pages, size and times of a file to the device and the server (who may hold metadata back until it is synced). Takes ioMutex.
 * 0 or the first failure, which si.errors keeps: what could not be written is given up then, as there is no place for it.
 */
export function inodeWriteBack(si: ServedInode): i32 {
  if (si.inode == 0) return 0;
  const inode = inodeOf(si.inode);
  ioLock(si);
  let failed = inode.nlink == 0 ? namelessDrop(si, inode) : writeBackLocked(si, inode);
  if (failed < 0) {
    errseqSet(errorsOf(si), failed);
    errseqSet(superErrors(superOf(inode.sb)), failed);
    pagesUndirty(inode, 0);
  }
  ioUnlock(si);
  return failed;
}

/** A file without a name need not reach the device while it fits into memory. */
function namelessDrop(si: ServedInode, inode: Inode): i32 {
  return inode.refs > 1 ? writeBackLocked(si, inode) : 0;
}

function writeBackLocked(si: ServedInode, inode: Inode): i32 {
  const fs = fsOf(si);
  const size = inode.size;
  const need = (size + fs.blockBytes - 1) / fs.blockBytes;
  while (si.blocks < need) {
    const failed = blocksAllocate(si, need, si.diskSize, inode.mtimeNs);
    if (failed < 0) return failed;
  }
  const failed = pagesWriteBack(si, inode, size);
  if (failed < 0) return failed;
  const reached = min<u64>(size, inode.size); // it may have been cut meanwhile
  if (reached > si.validEnd) si.validEnd = reached;
  if (si.diskSize == reached && !si.hasNewTimes) return 0;
  si.hasNewTimes = 0;
  return blocksAllocate(si, si.blocks, reached, inode.mtimeNs);
}

/** One ALLOCATE: more blocks, or just size and time. 0 or a negated errno. */
function blocksAllocate(si: ServedInode, need: u64, size: u64, timeNs: u64): i32 {
  const fs = fsOf(si);
  const wanted = min<u64>(need, si.blocks + ALLOCATE_MOST);
  // New extents must follow the map without a gap.
  const c = callBegin(mountOfFs(fs));
  requestPutNode(c, FsAllocate.NODE, si.n0, si.n1);
  requestPut64(c, FsAllocate.HAVE, si.blocks);
  requestPut64(c, FsAllocate.BLOCKS, wanted);
  requestPut64(c, FsAllocate.SIZE, size);
  requestPut64(c, FsAllocate.TIME_NS, timeNs);
  let result = callMake(c, mountOfFs(fs), FsMethod.ALLOCATE, FsAllocate.REQUEST_END, FsAllocate.REPLY_END);
  if (result == 0) result = allocationTake(si, c, wanted);
  callEnd(c);
  if (result == 0) si.diskSize = min<u64>(size, <u64>si.blocks * fs.blockBytes);
  return result;
}

function allocationTake(si: ServedInode, c: Connection, wanted: u64): i32 {
  const fs = fsOf(si);
  const blocks = reply64(c, FsAllocate.R_BLOCKS);
  const most = (fs.deviceBytes - fs.deviceStart) / fs.blockBytes;
  if (blocks < si.blocks || blocks > min<u64>(most, u32.MAX_VALUE) || (wanted > si.blocks && blocks == si.blocks)) return -Errno.IO;
  nodeTake(si, replyAt(c, FsAllocate.R_NODE));
  fs.blocksFree = reply64(c, FsAllocate.R_BLOCKS_FREE);
  const grown = <u32>blocks - si.blocks;
  if (grown == 0) return 0;
  // Unknown extents before the new ones are read later: the map then grows to them by itself.
  let failed: i32 = 0;
  if (si.mapped == si.blocks) failed = extentsTake(si, c, FsAllocate.R_EXTENTS, FsAllocate.R_EXTENTS_AT, <u32>blocks);
  forgetNew(si, c);
  si.blocks = <u32>blocks;
  reserveSet(si, si.reserved > grown ? si.reserved - grown : 0);
  if (si.mapped > si.blocks) failed = -Errno.IO;
  return failed;
}

/** New blocks may have been metadata before. */
function forgetNew(si: ServedInode, c: Connection): void {
  const fs = fsOf(si);
  const count = min<u32>(FsAllocate.R_EXTENTS_MOST, reply32(c, FsAllocate.R_EXTENTS));
  const most = (fs.deviceBytes - fs.deviceStart) / fs.blockBytes;
  for (let i: u32 = 0; i < count; i++) {
    const at = FsAllocate.R_EXTENTS_AT + i * FsExtent.BYTES;
    const block = reply64(c, at + FsExtent.DEVICE_BLOCK);
    const blocks = reply64(c, at + FsExtent.BLOCKS);
    if (block < most && blocks <= most - block) buffersForget(diskOfFs(fs), fs.deviceStart + block * fs.blockBytes, blocks * fs.blockBytes);
  }
}

/** Writes every page that must be: dirty ones, and all from validEnd on, where the device holds nothing yet. */
function pagesWriteBack(si: ServedInode, inode: Inode, size: u64): i32 {
  const pfns = scratchPush(READ_AHEAD << 2);
  const round = changetype<Round>(scratchPush(offsetof<Round>())); // SAFETY: scratch of that size
  const end = (size + PAGE - 1) >> 12;
  let failed: i32 = 0;
  round.first = 0;
  round.count = 0;
  let index = pageNextWanted(si, inode, 0, end);
  while (index < end && failed == 0) {
    if (round.count != 0 && (round.first + round.count != index || round.count == READ_AHEAD)) failed = roundWrite(si, round, pfns);
    if (failed == 0) failed = roundAdd(si, inode, round, pfns, index);
    if (failed == 0) index = pageNextWanted(si, inode, index + 1, end);
  }
  const last = roundWrite(si, round, pfns);
  scratchPop(offsetof<Round>());
  scratchPop(READ_AHEAD << 2);
  return failed < 0 ? failed : last;
}

/** The first page at or behind `from` to write; `end` when there is none. */
function pageNextWanted(si: ServedInode, inode: Inode, from: u64, end: u64): u64 {
  const allFrom = si.validEnd < inode.size ? si.validEnd >> 12 : end;
  let index = pageCacheNext(inode, from);
  while (index < min<u64>(end, allFrom)) {
    const pfn = pageCacheFind(inode, index);
    const isDirty = pfn != 0 && frameOf(pfn).dirty != 0;
    if (pfn != 0) framePut(pfn);
    if (isDirty) return index;
    index = pageCacheNext(inode, index + 1);
  }
  return min<u64>(max<u64>(from, allFrom), end);
}

function roundAdd(si: ServedInode, inode: Inode, round: Round, pfns: usize, index: u64): i32 {
  // A page that begins behind validEnd and is not cached is a hole: it is written as zeros.
  const got = index << 12 >= si.validEnd ? pageCacheGet(inode, index, true) : pageForWrite(si, inode, index);
  if (got < 0) return got;
  if (round.count == 0) round.first = index;
  wordSet(pfns, round.count++, <u32>got);
  // Programs that have it mapped may write on: it stays dirty while they have.
  if (!si.isMappedShared || frameRefs(got) <= 2) pageClean(got);
  return 0;
}

/** A page of which the device has the first part; ioMutex is held, so the read must not take it. */
function pageForWrite(si: ServedInode, inode: Inode, index: u64): i32 {
  const known = pageCacheFind(inode, index);
  if (known != 0) return <i32>known;
  ioUnlock(si);
  const got = dataPageGet(si, inode, index, 0);
  ioLock(si);
  return got;
}

function roundWrite(si: ServedInode, round: Round, pfns: usize): i32 {
  if (round.count == 0) return 0;
  const failed = pagesTransfer(si, BlockOp.WRITE, round.first, pfns, round.count);
  for (let i: u32 = 0; i < round.count; i++) framePut(wordAt(pfns, i));
  round.count = 0;
  return failed;
}

/** The rest of the last page reads as zeros from now on, when it is cached. */
export function lastPageZero(inode: Inode, size: u64): void {
  const offset = <u32>size & (PAGE - 1);
  if (offset != 0) pageZeroPart(inode, size >> 12, offset, PAGE - offset);
}
