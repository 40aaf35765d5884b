/**
 * The page cache of disks: what /dev/vda and its partitions show, and the metadata of mounted file systems, which are the same bytes.
 *
 * A page may hold a sector of metadata beside one of file data, which is none of our business: only sectors that were read or written
 * here count, and buffersForget takes back what has become data.
 *
 * Invariants  B3  buffersCommit does all of its writes or none.
 * Locking     buffer-table.ts. What was looked up before the mutex was given up is looked up again.
 * Units       offsets: bytes on the disk, partitions already added. Masks: bit n is sector n of the page.
 */
import { physCopy, physCopyOut } from "../../../arch/current";
import { BlockOp, BlockWrite } from "../../abi/block-ring";
import { Errno } from "../../abi/errno";
import { framePut, frameRefInc, pfnToPa } from "../../core/mm/frame";
import { listEmpty } from "../../lib/list";
import { bufFromPhys } from "../vfs/io-buf";
import { isErrPtr } from "../vfs/types";
import {
  ALL_SECTORS, Buffer, bufferDrop, bufferFind, bufferGet, bufferOf, buffersForgotten, buffersLock, buffersUnlock, buffersVisit, dirtyHead,
  orderLock, orderOf, orderUnlock, sectorsForget, sectorsWritten,
} from "./buffer-table";
import { levelsWrite } from "./buffer-write";
import { Disk, diskTransfer } from "./disk";
import { Request, requestCreatePages, requestFree, requestPiecePa, requestPieceSwap, REQUEST_PIECES } from "./request";
import { sectorPlace, stageBegin, stageEnter, StageWalk } from "./write-order";

const PAGE: u32 = 4096;
const SECTOR: u32 = 512;
/** A StageWalk, under BUFFER_MUTEX. */
const WALK = changetype<StageWalk>(memory.data(offsetof<StageWalk>()));

/** Sectors [from, to) of bytes within one page. */
function sectorMask(from: u32, to: u32): u32 {
  return ((1 << ((to + 511) >> 9)) - 1) & ~((1 << (from >> 9)) - 1);
}

// ---- Reading ----

/**
 * The buffer of `page` with the sectors of `mask` valid, read when they must be with the pages behind it up to `pages`; a negated errno
 * as pointer. The mutex is given up meanwhile.
 */
function bufferRead(disk: Disk, page: u32, mask: u32, pages: u32): usize {
  while (true) {
    const buffer = bufferGet(disk, page);
    if (!buffer) return <usize>-Errno.NOMEM;
    if ((buffer.valid & mask) == mask) return changetype<usize>(buffer);
    const failed = pagesRead(disk, page, pages);
    if (failed < 0) return <usize>failed;
  }
}

/** Reads `page` and those behind it of which nothing is known, in one transfer. 0 or a negated errno. */
function pagesRead(disk: Disk, page: u32, pages: u32): i32 {
  let run: u32 = 1;
  for (; run < min<u32>(pages, REQUEST_PIECES); run++) {
    const next = bufferFind(disk, page + run);
    if (next && next.valid != 0) break;
  }
  const start = <u64>page << 12;
  const end = min<u64>(disk.sectors * SECTOR, start + (<u64>run << 12));
  if (end <= start) return -Errno.IO;
  const request = requestCreatePages(BlockOp.READ, start / SECTOR, <u32>(end - start));
  if (!request) return run > 1 ? pagesRead(disk, page, 1) : -Errno.NOMEM;
  const forgotten = buffersForgotten();
  buffersUnlock();
  const failed = diskTransfer(disk, request);
  buffersLock();
  // What was forgotten meanwhile may have been among these: then what was read is old, and it is read again.
  for (let i: u32 = 0; i < request.pieces && failed == 0 && buffersForgotten() == forgotten; i++) pieceTake(disk, page + i, request, i);
  requestFree(request);
  return failed < 0 && run > 1 ? pagesRead(disk, page, 1) : failed; // what lies ahead is nobody's concern yet
}

/** Piece `index` of what was read goes to where nothing is known yet (B1: what is, is newer). Without memory it is not kept. */
function pieceTake(disk: Disk, page: u32, request: Request, index: u32): void {
  const buffer = bufferGet(disk, page);
  if (!buffer) return;
  if (buffer.valid == 0) {
    buffer.pfn = requestPieceSwap(request, index, buffer.pfn); // no byte is copied
  } else {
    for (let sector: u32 = 0; sector < 8; sector++) {
      if (buffer.valid >> <u8>sector & 1) continue;
      physCopy(pfnToPa(buffer.pfn) + sector * SECTOR, requestPiecePa(request, index) + sector * SECTOR, SECTOR);
    }
  }
  buffer.valid = <u8>ALL_SECTORS;
}

/** Copies [offset, offset + bytes) of the disk to a buffer address. 0 or a negated errno: EFAULT, EIO, ENOMEM. */
export function buffersRead(disk: Disk, offset: u64, bufVa: u64, bytes: u32): i32 {
  return buffersReadAhead(disk, offset, bufVa, bytes, 0);
}

/** The same; where it has to read it reads up to `ahead` pages more. */
export function buffersReadAhead(disk: Disk, offset: u64, bufVa: u64, bytes: u32, ahead: u32): i32 {
  let failed: i32 = 0;
  for (let done: u32 = 0; done < bytes && failed == 0;) {
    const within = <u32>(offset + done) & (PAGE - 1);
    const part = min<u32>(PAGE - within, bytes - done);
    const pages = ((bytes - done + within + PAGE - 1) >> 12) + ahead;
    const pfn = pageHold(disk, <u32>((offset + done) >> 12), sectorMask(within, within + part), pages);
    if (pfn < 0) return pfn;
    if (bufFromPhys(bufVa + done, pfnToPa(pfn) + within, part) != 0) failed = -Errno.FAULT;
    framePut(pfn);
    done += part;
  }
  return failed;
}

/** The frame of a page with these sectors valid, one reference; or a negated errno. */
function pageHold(disk: Disk, page: u32, mask: u32, pages: u32): i32 {
  buffersLock();
  const found = bufferRead(disk, page, mask, pages);
  const pfn = isErrPtr(found) ? <i32>found : <i32>bufferOf(found).pfn;
  if (pfn > 0) frameRefInc(pfn);
  buffersUnlock();
  return pfn;
}

// ---- Writing ----

/** [offset, offset + bytes) of the disk, within one page, is from now on what lies at `pa`. 0 or a negated errno. */
export function buffersPut(disk: Disk, offset: u64, pa: u64, bytes: u32): i32 {
  const page = <u32>(offset >> 12);
  const within = <u32>offset & (PAGE - 1);
  buffersLock();
  const found = bufferRead(disk, page, partialMask(within, within + bytes), 1);
  const failed = isErrPtr(found) ? <i32>found : 0;
  if (failed == 0) {
    const buffer = bufferOf(found);
    physCopy(pfnToPa(buffer.pfn) + within, pa, bytes);
    sectorsWritten(buffer, sectorMask(within, within + bytes));
  }
  buffersUnlock();
  return failed;
}

/** Sectors that [from, to) of a page covers in part. */
function partialMask(from: u32, to: u32): u32 {
  return (from & 511 ? sectorMask(from, from + 1) : 0) | (to & 511 ? sectorMask(to - 1, to) : 0);
}

/**
 * Applies `count` writes (BlockWrite at `writes`, offsets checked against the disk; their bytes lie one after the other at `data`).
 * 0, or a negated errno with nothing changed (B3).
 */
export function buffersCommit(disk: Disk, writes: usize, count: u32, data: usize): i32 {
  orderLock(disk);
  buffersLock();
  let failed = writesMakeReady(disk, writes, count);
  if (failed == 0 && !writesPlace(disk, writes, count, false)) { // what stands in the way of the order goes first
    failed = levelsWrite(disk);
    if (failed == 0) failed = writesMakeReady(disk, writes, count);
  }
  if (failed == 0) writesPlace(disk, writes, count, true);
  let from = data;
  for (let i: u32 = 0; i < count && failed == 0; i++) {
    writeApply(disk, writeAt(writes, i), from);
    from += writeAt(writes, i).bytes;
  }
  buffersUnlock();
  orderUnlock(disk);
  return failed;
}

/** Finds, and sets if `isFinal`, the places in the order of all sectors the writes touch. False: there are none. */
function writesPlace(disk: Disk, writes: usize, count: u32, isFinal: bool): bool {
  stageBegin(WALK, writeAt(writes, 0), writeAt(writes, count - 1), listEmpty(dirtyHead(disk)) ? 0 : disk.leads);
  for (let i: u32 = 0; i < count; i++) {
    const write = writeAt(writes, i);
    stageEnter(WALK, write.stage);
    for (let at = write.offset & ~511; at < write.offset + write.bytes; at += SECTOR) {
      const buffer = bufferFind(disk, <u32>(at >> 12));
      assert(buffer != null); // writesReady saw it
      if (!buffer) return true;
      const sector = <u32>(at >> 9) & 7;
      if (!sectorPlace(WALK, orderOf(buffer), sector, (<u32>buffer.dirty >> sector & 1) != 0, isFinal)) return false;
    }
  }
  if (isFinal) disk.leads = WALK.leads;
  return true;
}

/** Sees to it that writesReady is true; the mutex may be given up meanwhile, and is held since it was found so. 0 or a negated errno. */
function writesMakeReady(disk: Disk, writes: usize, count: u32): i32 {
  let failed: i32 = 0;
  while (failed == 0 && !writesReady(disk, writes, count)) {
    for (let i: u32 = 0; i < count && failed == 0; i++) failed = writePrepare(disk, writeAt(writes, i));
  }
  return failed;
}

function writeAt(writes: usize, index: u32): BlockWrite {
  return changetype<BlockWrite>(writes + index * offsetof<BlockWrite>()); // SAFETY: index < count
}

/** Within page `at` (a multiple of 4096): where `write` begins, and where it ends. */
function partFrom(write: BlockWrite, at: u64): u32 { return <u32>(max<u64>(write.offset, at) - at); }
function partTo(write: BlockWrite, at: u64): u32 { return <u32>(min<u64>(write.offset + write.bytes, at + PAGE) - at); }

/** True when every write finds its buffers, and the sectors it covers in part are valid. */
function writesReady(disk: Disk, writes: usize, count: u32): bool {
  for (let i: u32 = 0; i < count; i++) {
    const write = writeAt(writes, i);
    for (let at = write.offset & ~4095; at < write.offset + write.bytes; at += PAGE) {
      const buffer = bufferFind(disk, <u32>(at >> 12));
      const mask = partialMask(partFrom(write, at), partTo(write, at));
      if (!buffer || (buffer.valid & mask) != mask) return false;
    }
  }
  return true;
}

/** Sees to that for one write; others may lose theirs meanwhile. 0 or a negated errno. */
function writePrepare(disk: Disk, write: BlockWrite): i32 {
  for (let at = write.offset & ~4095; at < write.offset + write.bytes; at += PAGE) {
    const found = bufferRead(disk, <u32>(at >> 12), partialMask(partFrom(write, at), partTo(write, at)), 1);
    if (isErrPtr(found)) return <i32>found;
  }
  return 0;
}

function writeApply(disk: Disk, write: BlockWrite, from: usize): void {
  for (let at = write.offset & ~4095; at < write.offset + write.bytes; at += PAGE) {
    const within = partFrom(write, at);
    const part = partTo(write, at) - within;
    const buffer = bufferFind(disk, <u32>(at >> 12));
    assert(buffer != null); // writesReady saw it
    if (!buffer) return;
    physCopyOut(pfnToPa(buffer.pfn) + within, from + <u32>(at + within - write.offset), part);
    sectorsWritten(buffer, sectorMask(within, within + part));
  }
}

// ---- Writing back, forgetting ----

/**
 * Brings to the medium, in order, what was dirty when it was called. 0 or the first error. What nothing waits for is given up then; what
 * has to come before other sectors stays dirty, as they do.
 */
export function buffersWrite(disk: Disk): i32 {
  orderLock(disk); // what another one is writing is waited for, its flush too
  buffersLock();
  const failed = levelsWrite(disk);
  buffersUnlock();
  orderUnlock(disk);
  return failed;
}

/** Sectors [offset, offset + bytes) hold something else from now on: what was known of them is worth nothing, and not on its way. */
export function buffersForget(disk: Disk, offset: u64, bytes: u64): void {
  orderLock(disk);
  buffersLock();
  buffersVisit(disk, offset, offset + bytes, partForget);
  buffersUnlock();
  orderUnlock(disk);
}

function partForget(buffer: Buffer, from: u64, to: u64): void {
  const at = <u64>buffer.page << 12;
  sectorsForget(buffer, sectorMask(<u32>(max<u64>(from, at) - at), <u32>(min<u64>(to, at + PAGE) - at)));
}

/** Forgets what it knows of [offset, offset + bytes) of a disk, but for pages with something still to be written. */
export function buffersDropClean(disk: Disk, offset: u64, bytes: u64): void {
  buffersLock();
  buffersVisit(disk, offset, offset + bytes, cleanDrop);
  buffersUnlock();
}
function cleanDrop(buffer: Buffer, from: u64, to: u64): void { if (buffer.dirty == 0 && !buffer.isWriting) bufferDrop(buffer); }

/** Forgets pages [offset, offset + bytes) of a disk altogether. */
export function buffersDropAll(disk: Disk, offset: u64, bytes: u64): void {
  orderLock(disk);
  buffersLock();
  buffersVisit(disk, offset, offset + bytes, allDrop);
  buffersUnlock();
  orderUnlock(disk);
}
function allDrop(buffer: Buffer, from: u64, to: u64): void { bufferDrop(buffer); }
