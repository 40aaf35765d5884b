/**
 * What a page of a served file has that the device does not have: Frame.dirty.
 *
 *   CLEAN ──store──▶ DIRTY ──write-back──▶ TAKEN ──on the device──▶ CLEAN
 *                      ◀──────store, or no memory──────┘
 *
 * Invariants  P1  a page that is not CLEAN stays in the cache until its file is cut, or forgotten.
 *             P2  no address space may write to a CLEAN page without a fault, which makes it DIRTY (X2 of core/mm/fault.ts). Write-back
 *                 takes the page first and takes that right from everybody then: what is stored before reaches the device with the
 *                 page, what is stored later finds it TAKEN or CLEAN, and makes it DIRTY.
 * Locking     states are atomic; only who holds the file's writeMutex takes pages. Whoever changes bytes does so before pageDirty.
 */
import { Frame, frameOf, framePut } from "../../../core/mm/frame";
import { NO_PAGE, pageCacheFind, pageCacheNext } from "../page-cache";
import { Inode } from "../types";
import { dirtyMark, ServedInode } from "./inode";

const enum PageState { CLEAN = 0, DIRTY = 1, TAKEN = 2 }

/** [0] pages of all served files that are not CLEAN. */
const COUNTS: usize = memory.data(8, 4);

function stateAt(pfn: u32): usize { return changetype<usize>(frameOf(pfn)) + offsetof<Frame>("dirty"); }

/** Pages of all served files that wait to be written. */
export function dirtyPages(): u32 { return atomic.load<u32>(COUNTS); }

/** The page has bytes the device does not have; they were changed before, or the caller may change them until mmFileProtect. */
export function pageDirty(si: ServedInode, pfn: u32): void {
  if (atomic.xchg<u8>(stateAt(pfn), PageState.DIRTY) == <u8>PageState.CLEAN) atomic.add<u32>(COUNTS, 1);
  dirtyMark(si);
}

/** A DIRTY page is TAKEN from now on; a CLEAN one stays so. */
export function pageTake(pfn: u32): void { atomic.cmpxchg<u8>(stateAt(pfn), PageState.DIRTY, PageState.TAKEN); }

/** A page that is still TAKEN reached the device, or is given up. */
export function pageWritten(pfn: u32): void {
  if (atomic.cmpxchg<u8>(stateAt(pfn), PageState.TAKEN, PageState.CLEAN) == <u8>PageState.TAKEN) atomic.sub<u32>(COUNTS, 1);
}

/** A page that was TAKEN did not reach the device: it is to be tried again. */
export function pageReturn(pfn: u32): void { atomic.cmpxchg<u8>(stateAt(pfn), PageState.TAKEN, PageState.DIRTY); }

/** The page has bytes that are to reach the device. */
export function pageIsWanted(pfn: u32): bool { return atomic.load<u8>(stateAt(pfn)) != <u8>PageState.CLEAN; }

/** The page's bytes are worth nothing any more. */
function pageClean(pfn: u32): void {
  if (atomic.xchg<u8>(stateAt(pfn), PageState.CLEAN) != <u8>PageState.CLEAN) atomic.sub<u32>(COUNTS, 1);
}

/** Dirty pages from `first` on need not reach the device any more. */
export function pagesUndirty(inode: Inode, first: u64): void {
  for (let index = pageCacheNext(inode, first); index != NO_PAGE; index = pageCacheNext(inode, index + 1)) {
    const pfn = pageCacheFind(inode, index);
    if (pfn == 0) continue;
    pageClean(pfn);
    framePut(pfn);
  }
}
