/**
 * Bringing dirty buffers to their disks: level after level (write-order.ts) with a flush behind each, in runs of adjacent pages.
 *
 * A page may be changed while it is with the device: it stays dirty then. An error is kept for everybody who is to hear of it
 * (Disk.errors). What could not be written is given up when nothing waits for it: it stays readable.
 *
 * Locking  the disk's order mutex and BUFFER_MUTEX are held on entry and on return, the latter not while the disk is at work.
 */
import { BlockOp } from "../../abi/block-ring";
import { Errno } from "../../abi/errno";
import { frameRefInc } from "../../core/mm/frame";
import { errseqSet } from "../../lib/errseq";
import { ListNode } from "../../lib/list";
import { wordAt, wordSet } from "../../lib/words";
import {
  ALL_SECTORS, Buffer, bufferFind, buffersLock, buffersUnlock, dirtyAfter, dirtyHead, dirtyNodeOf, dirtyTime, orderOf, writingBegin,
  writingEnd,
} from "./buffer-table";
import { Disk, diskErrors, diskTransfer } from "./disk";
import { diskFlush } from "./disk-flush";
import { Request, requestAdd, requestCreate, requestFree, REQUEST_PIECES } from "./request";
import { LEVEL_MOST, maskAtLevel } from "./write-order";

const PAGE: u32 = 4096;
/** levelWrite's answer when sectors at higher levels are dirty. */
const MORE: i32 = 1;
/** A word a disk: what was written there is not flushed yet. */
const UNFLUSHED: usize = memory.data(8 * 4, 4);

/** Everything that is dirty now, level after level, and on the medium then. 0 or the first error; higher levels are not written then. */
export function levelsWrite(disk: Disk): i32 {
  const time = dirtyTime();
  let failed: i32 = 0;
  for (let level: u32 = 0; level <= LEVEL_MOST && failed == 0; level++) {
    const done = levelWrite(disk, level, time);
    failed = done < 0 ? done : flush(disk);
    if (done == 0) break;
  }
  return failed;
}

/** Want of memory is no error of the disk's: the flush is still owed then. */
function flush(disk: Disk): i32 {
  if (wordAt(UNFLUSHED, disk.index) == 0) return 0;
  wordSet(UNFLUSHED, disk.index, 0);
  buffersUnlock();
  const failed = diskFlush(disk);
  if (failed < 0 && failed != -Errno.NOMEM) errseqSet(diskErrors(disk), failed);
  buffersLock();
  if (failed == -Errno.NOMEM) wordSet(UNFLUSHED, disk.index, 1);
  return failed;
}

/** Writes the dirty sectors at `level`: 0, MORE, or the first error. */
function levelWrite(disk: Disk, level: u32, time: u32): i32 {
  let result: i32 = 0;
  let failed: i32 = 0;
  let before: ListNode = dirtyHead(disk); // the head, or a buffer that stays on the list: it has nothing at this level
  for (let buffer = dirtyAfter(disk, before, time); buffer; buffer = dirtyAfter(disk, before, time)) {
    const mask = maskAtLevel(orderOf(buffer), buffer.dirty, level);
    if (mask != buffer.dirty) result = MORE;
    if (mask == 0) {
      before = dirtyNodeOf(buffer);
      continue;
    }
    const written = mask == ALL_SECTORS ? runWrite(disk, buffer, level) : sectorsWrite(disk, buffer, mask, level);
    if (written < 0 && failed == 0) failed = written;
    if (written < 0 && (maskAtLevel(orderOf(buffer), buffer.dirty, level) & mask) == mask) break; // it was not given up
  }
  return failed < 0 ? failed : result;
}

/** Writes this page, all of whose sectors are dirty at `level`, and those like it beside it. */
function runWrite(disk: Disk, buffer: Buffer, level: u32): i32 {
  let first = buffer.page;
  while (first > 0 && buffer.page - first < (REQUEST_PIECES >> 1) && isWhole(bufferFind(disk, first - 1), level)) first--;
  const request = requestCreate(BlockOp.WRITE, <u64>first << 3);
  if (!request) return -Errno.NOMEM;
  let page = first;
  for (let at = bufferFind(disk, page); at && isWhole(at, level) && request.pieces < REQUEST_PIECES; at = bufferFind(disk, ++page)) {
    frameRefInc(at.pfn);
    requestAdd(request, at.pfn, 0, PAGE);
    writingBegin(at);
  }
  return requestWrite(disk, request, level, ALL_SECTORS);
}

function isWhole(buffer: Buffer | null, level: u32): bool {
  return buffer != null && buffer.dirty == <u8>ALL_SECTORS && maskAtLevel(orderOf(buffer), ALL_SECTORS, level) == ALL_SECTORS;
}

/** Writes the first group of adjacent sectors of `mask`. */
function sectorsWrite(disk: Disk, buffer: Buffer, mask: u32, level: u32): i32 {
  const from = ctz(mask);
  const length = ctz(~(mask >> from));
  const request = requestCreate(BlockOp.WRITE, (<u64>buffer.page << 3) + from);
  if (!request) return -Errno.NOMEM;
  frameRefInc(buffer.pfn);
  requestAdd(request, buffer.pfn, from << 9, length << 9);
  writingBegin(buffer);
  return requestWrite(disk, request, level, ((1 << length) - 1) << from);
}

/** The transfer of pages that are being written: sectors of `mask` in each. */
function requestWrite(disk: Disk, request: Request, level: u32, mask: u32): i32 {
  const first = <u32>(request.sector >> 3);
  const pages = request.pieces;
  buffersUnlock();
  const failed = diskTransfer(disk, request);
  requestFree(request);
  if (failed < 0) errseqSet(diskErrors(disk), failed);
  buffersLock();
  wordSet(UNFLUSHED, disk.index, 1);
  for (let page = first; page < first + pages; page++) {
    const buffer = bufferFind(disk, page);
    assert(buffer != null); // B4
    if (!buffer) continue;
    const isWanted = level != 0 || (orderOf(buffer).ahead & mask) != 0; // others wait for it
    writingEnd(buffer, failed == 0 || !isWanted ? mask : 0);
  }
  return failed;
}
