/**
 * Areas as ranges: splitting, merging, taking away.
 *
 * Locking  AddressSpace.lock, held by the caller of everything here.
 */
import { Errno } from "../../abi/errno";
import { gatherBegin, gatherEnd, rangeZap } from "./gather";
import { AddressSpace, Vma, VmFlag, vmaOf, vmaPages, vmaPtr } from "./mm-struct";
import { vmaFind, vmaInsert, vmaRemove, vmaResize } from "./vma";
import { vmaCopy } from "./vma-alloc";

/** Most areas of one address space (vm.max_map_count). */
export const MAX_AREAS: u32 = 65530;

/** Flags in which two areas may differ and still merge. */
const MERGE_IGNORES: u32 = VmFlag.HAS_ANON;

/** True when memory with these flags counts against RLIMIT_DATA. */
export function isData(flags: u32): bool {
  return (flags & (VmFlag.WRITE | VmFlag.SHARED | VmFlag.STACK)) == VmFlag.WRITE;
}

/** Adds `delta` pages with `flags` to the totals of `mm`. */
export function mmAccount(mm: AddressSpace, flags: u32, delta: i64): void {
  mm.totalPages += delta;
  if (isData(flags)) mm.dataPages += delta;
  if (flags & VmFlag.LOCKED) mm.lockedPages += delta;
}

/** True when `high` continues `low`: one area could be both. */
export function areaCanMerge(low: Vma, high: Vma): bool {
  if (low.end != high.start || ((low.flags ^ high.flags) & ~MERGE_IGNORES)) return false;
  if (low.flags & VmFlag.SPECIAL || low.file != high.file || low.pages != high.pages || low.name != high.name) return false;
  if (!low.file && !low.pages) return true;
  return low.pgoff + vmaPages(low) == high.pgoff;
}

/** Takes `vma` out of the tree; mmUnlock frees it. */
export function areaKill(mm: AddressSpace, vma: Vma): void {
  vmaRemove(mm, vma);
  vma.next = mm.dead;
  mm.dead = vmaPtr(vma);
}

/** Merges `vma` with neighbours that continue it; the area that is left. */
export function areaMerge(mm: AddressSpace, vma: Vma): Vma {
  let at = vma;
  if (at.next && areaCanMerge(at, vmaOf(at.next))) {
    const high = vmaOf(at.next);
    const end = high.end;
    at.flags |= high.flags & MERGE_IGNORES;
    areaKill(mm, high);
    vmaResize(mm, at, at.start, end);
  }
  if (at.prev && areaCanMerge(vmaOf(at.prev), at)) {
    const low = vmaOf(at.prev);
    const end = at.end;
    low.flags |= at.flags & MERGE_IGNORES;
    areaKill(mm, at);
    vmaResize(mm, low, low.start, end);
    at = low;
  }
  return at;
}

/** Cuts `vma` at `at`, inside it; the upper part, or null when memory is full. */
export function areaSplit(mm: AddressSpace, vma: Vma, at: u64): Vma | null {
  if (mm.vmaCount >= MAX_AREAS) return null;
  const high = vmaCopy(vma);
  if (!high) return null;
  high.start = at;
  if (high.file || high.pages) high.pgoff += (at - vma.start) >> 12;
  vmaResize(mm, vma, vma.start, at);
  vmaInsert(mm, high);
  return high;
}

/** Cuts areas so that none reaches over `start` or `end`; false when memory is full. */
export function areaIsolate(mm: AddressSpace, start: u64, end: u64): bool {
  const low = vmaFind(mm, start);
  if (low && low.start < start && !areaSplit(mm, low, start)) return false;
  const high = vmaFind(mm, end - 1);
  if (high && high.start < end && high.end > end && !areaSplit(mm, high, end)) return false;
  return true;
}

/** Unmaps all of [start, end): 0, or -NOMEM when an area could not be cut. */
export function areasRemove(mm: AddressSpace, start: u64, end: u64): i32 {
  const first = vmaFind(mm, start);
  if (!first || first.start >= end) return 0;
  if (!areaIsolate(mm, start, end)) return -Errno.NOMEM;
  gatherBegin(mm);
  let vma = vmaFind(mm, start);
  while (vma && vma.start < end) {
    const next = vma.next;
    rangeZap(mm, vma.start, vma.end);
    mmAccount(mm, vma.flags, -<i64>vmaPages(vma));
    areaKill(mm, vma);
    vma = next ? vmaOf(next) : null;
  }
  gatherEnd(mm, start, end);
  return 0;
}

/** True when areas cover all of [start, end). */
export function areasCover(mm: AddressSpace, start: u64, end: u64): bool {
  let at = start;
  let vma = vmaFind(mm, start);
  while (vma && vma.start <= at) {
    at = vma.end;
    if (at >= end) return true;
    vma = vma.next ? vmaOf(vma.next) : null;
  }
  return false;
}
