/**
 * Bringing a file to its device and its server: pages in rounds of adjacent ones, blocks for them as they are needed, then size and times.
 *
 * What is beyond validEnd and not cached is a hole: it is written from the page of zeros, and never takes memory. Want of memory, here or
 * in the server, gives nothing up: pages stay dirty, and the file on the dirty list. What the device or the server refuses is given up.
 *
 * Locking  writeMutex throughout. A round takes its pages and makes them read-only everywhere with ioMutex free, for a fault may wait for
 *          that with its address space locked; what a truncation did meanwhile shows in ServedInode.cuts.
 */
import { BlockOp } from "../../../abi/block-ring";
import { Errno } from "../../../abi/errno";
import { zeroPage } from "../../../core/mm/fault";
import { framePut, frameRefInc, frameRefs } from "../../../core/mm/frame";
import { scratchPop, scratchPush } from "../../../core/sched/scratch";
import { errseqSet } from "../../../lib/errseq";
import { wordAt, wordSet } from "../../../lib/words";
import { pagesProtect } from "../file-pages";
import { NO_PAGE, pageCacheFind, pageCacheNext } from "../page-cache";
import { superErrors } from "../super-block";
import { Inode, inodeOf, superOf } from "../types";
import { blocksAllocate, blocksCut, blocksOf } from "./blocks";
import { dataPageGet, pagesTransfer, READ_AHEAD } from "./data";
import { dirtyMark, errorsOf, fsOf, ioLock, ioUnlock, ServedInode, servedPagesTrim, writeLock, writeUnlock } from "./inode";
import { pageIsWanted, pageReturn, pagesUndirty, pageTake, pageWritten } from "./page-state";

const PAGE: u32 = 4096;
/** Tries when memory is short, and the pages that others give back before each. */
const TRIES: u32 = 4;
const TRIM: u32 = 256;
/** Rounds that may fail before the rest of the file is given up untried. */
const FAILURES_MOST: u32 = 8;

/** Adjacent pages on their way to the device. */
@final @unmanaged
class Round {
  first: u64;    // page
  count: u32;
  cuts: u32;     // ServedInode.cuts when they were taken
  failed: i32;   // first failure of all rounds so far
  failures: u32; // rounds that failed
}

/**
 * Brings pages, size and times of a file to the device and the server (who may hold metadata back until it is synced); waits for who does
 * that already. 0; -ENOMEM: it is to be tried again; or the first failure, which si.errors keeps: pages that could not be written are given up.
 */
export function inodeWriteBack(si: ServedInode): i32 {
  if (si.inode == 0) return 0;
  const inode = inodeOf(si.inode);
  writeLock(si);
  let failed = writeBackLocked(si, inode);
  for (let tries: u32 = 1; failed == -Errno.NOMEM && tries < TRIES; tries++) {
    servedPagesTrim(TRIM);
    failed = writeBackLocked(si, inode);
  }
  if (failed == -Errno.NOMEM) dirtyMark(si);
  else if (failed < 0) failureKeep(si, inode, failed);
  writeUnlock(si);
  return failed;
}

function writeBackLocked(si: ServedInode, inode: Inode): i32 {
  if (inode.nlink == 0 && inode.refs <= 1) return 0; // nobody will ask for it any more
  const failed = pagesWriteBack(si, inode);
  if (failed == -Errno.NOMEM) return failed;
  const told = sizeTell(si, inode);
  return failed < 0 ? failed : told;
}

/** The server learns how far the file reaches on the device, and its times. */
function sizeTell(si: ServedInode, inode: Inode): i32 {
  ioLock(si);
  const reached = min<u64>(inode.size, si.validEnd);
  let failed: i32 = 0;
  if (si.diskSize != reached || si.hasNewTimes) {
    si.hasNewTimes = 0;
    failed = blocksAllocate(si, si.blocks, reached, inode.mtimeNs);
    if (failed < 0) si.hasNewTimes = 1;
  }
  ioUnlock(si);
  return failed;
}

/** The server keeps no blocks behind the end it knows. */
function failureKeep(si: ServedInode, inode: Inode, failed: i32): void {
  errseqSet(errorsOf(si), failed);
  errseqSet(superErrors(superOf(inode.sb)), failed);
  ioLock(si);
  if (si.blocks > blocksOf(si, si.diskSize)) blocksCut(si, inode, si.diskSize); // best effort: the device may be gone
  ioUnlock(si);
}

// ---- Pages ----

/** Writes every page that must be: dirty ones, and all from validEnd on, where the device holds nothing yet. */
function pagesWriteBack(si: ServedInode, inode: Inode): i32 {
  const pfns = scratchPush(READ_AHEAD << 2);
  const round = changetype<Round>(scratchPush(offsetof<Round>())); // SAFETY: scratch of that size
  const end = (inode.size + PAGE - 1) >> 12;
  round.failed = 0;
  round.failures = 0;
  let index = pageNextWanted(si, inode, 0, end);
  while (index < end && round.failed != -Errno.NOMEM && round.failures < FAILURES_MOST) {
    const failed = roundDo(si, inode, round, pfns, index, end);
    if (failed < 0 && failed != -Errno.AGAIN) {
      round.failures++;
      if (failed == -Errno.NOMEM || round.failed == 0) round.failed = failed;
    }
    index = pageNextWanted(si, inode, failed == -Errno.AGAIN ? index : index + max<u32>(1, round.count), end);
  }
  if (round.failures == FAILURES_MOST) restGiveUp(si, inode);
  const result = round.failed;
  scratchPop(offsetof<Round>());
  scratchPop(READ_AHEAD << 2);
  return result;
}

/** There is no place for what is left. */
function restGiveUp(si: ServedInode, inode: Inode): void {
  pagesUndirty(inode, 0);
  if (si.isMappedShared) pagesProtect(inode, 0, NO_PAGE);
}

/** The first page at or behind `from` to write, in the file as it is now; `end` when there is none. */
function pageNextWanted(si: ServedInode, inode: Inode, from: u64, end: u64): u64 {
  const size = inode.size;
  const stop = min<u64>(end, (size + PAGE - 1) >> 12);
  const allFrom = si.validEnd < size ? si.validEnd >> 12 : stop;
  let index = pageCacheNext(inode, from);
  while (index < min<u64>(stop, allFrom)) {
    const pfn = pageCacheFind(inode, index);
    const isWanted = pfn != 0 && pageIsWanted(pfn);
    if (pfn != 0) framePut(pfn);
    if (isWanted) return index;
    index = pageCacheNext(inode, index + 1);
  }
  const next = max<u64>(from, allFrom);
  return next < stop ? next : end;
}

/** One round from page `index` on. 0; -EAGAIN: the file was cut meanwhile, and all is to be looked at again; or another negated errno. */
function roundDo(si: ServedInode, inode: Inode, round: Round, pfns: usize, index: u64, end: u64): i32 {
  round.first = index;
  round.count = 0;
  round.cuts = atomic.load<u32>(changetype<usize>(si) + offsetof<ServedInode>("cuts"));
  while (round.count < READ_AHEAD && (round.count == 0 || pageNextWanted(si, inode, index + round.count, end) == index + round.count)) {
    const got = pageForWrite(si, inode, index + round.count);
    if (got < 0 && round.count == 0) return got;
    if (got < 0) break;
    pageTake(got);
    wordSet(pfns, round.count++, got);
  }
  if (isMappedAnywhere(si, round, pfns)) pagesProtect(inode, index, index + round.count);
  const failed = roundWrite(si, inode, round, pfns);
  for (let i: u32 = 0; i < round.count; i++) {
    const pfn = wordAt(pfns, i);
    if (failed == -Errno.NOMEM || failed == -Errno.AGAIN) pageReturn(pfn);
    else pageWritten(pfn);
    framePut(pfn);
  }
  return failed;
}

/** A page to write, with one reference: of a hole the page of zeros. */
function pageForWrite(si: ServedInode, inode: Inode, index: u64): i32 {
  const known = pageCacheFind(inode, index);
  if (known != 0) return <i32>known;
  if (index << 12 < si.validEnd) return dataPageGet(si, inode, index, 0); // the device has its first part
  frameRefInc(zeroPage());
  return <i32>zeroPage();
}

/** True when a page of the round may be in an address space: somebody has a reference beside the cache and the round. */
function isMappedAnywhere(si: ServedInode, round: Round, pfns: usize): bool {
  if (atomic.load<u32>(changetype<usize>(si) + offsetof<ServedInode>("isMappedShared")) == 0) return false;
  for (let i: u32 = 0; i < round.count; i++) {
    const pfn = wordAt(pfns, i);
    if (pfn != zeroPage() && frameRefs(pfn) > 2) return true;
  }
  return false;
}

function roundWrite(si: ServedInode, inode: Inode, round: Round, pfns: usize): i32 {
  ioLock(si);
  let failed: i32 = si.cuts == round.cuts ? blocksReach(si, inode, (round.first + round.count) << 12) : -Errno.AGAIN;
  if (failed == 0) failed = pagesTransfer(si, BlockOp.WRITE, round.first, pfns, round.count);
  if (failed == 0) validAdvance(si, inode, round);
  ioUnlock(si);
  return failed;
}

/** Sees to it that the file has blocks up to byte `end`, as far as it reaches; the server learns what is on the device already. */
function blocksReach(si: ServedInode, inode: Inode, end: u64): i32 {
  let failed: i32 = 0;
  while (failed == 0 && si.blocks < blocksOf(si, min<u64>(end, inode.size))) {
    failed = blocksAllocate(si, blocksOf(si, inode.size), max<u64>(si.diskSize, min<u64>(inode.size, si.validEnd)), inode.mtimeNs);
  }
  return failed;
}

/** The device holds the round's pages now. */
function validAdvance(si: ServedInode, inode: Inode, round: Round): void {
  const end = min<u64>(min<u64>((round.first + round.count) << 12, <u64>si.blocks * fsOf(si).blockBytes), inode.size);
  if (round.first << 12 <= si.validEnd && end > si.validEnd) si.validEnd = end;
}
