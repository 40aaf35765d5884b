/**
 * madvise, msync, mincore: what a program says and asks about its pages.
 *
 * Locking  takes AddressSpace.lock.
 * Spec     madvise(2), msync(2), mincore(2).
 */
import { physLoad64 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { thisCpu } from "../sched/cpu";
import { areaMerge, areaSplit } from "./area";
import { rangePopulate } from "./fault";
import { framePut } from "./frame";
import { rangeUnmapPages } from "./gather";
import { PAGE_MASK, PAGE_SIZE, pageAlignUp, userRangeOk } from "./layout";
import { MM_HOOKS } from "./mm-hooks";
import { mmLock, mmUnlock } from "./mm-lock";
import { AddressSpace, Vma, VmFlag } from "./mm-struct";
import { pteSlot } from "./page-table";
import { sharedPageRemove, sharedPagesOf } from "./shared-pages";
import { vmaAt, vmaFind } from "./vma";

export const enum Advice {
  NORMAL = 0, RANDOM = 1, SEQUENTIAL = 2, WILLNEED = 3, DONTNEED = 4, FREE = 8, REMOVE = 9, DONTFORK = 10, DOFORK = 11,
  MERGEABLE = 12, UNMERGEABLE = 13, HUGEPAGE = 14, NOHUGEPAGE = 15, DONTDUMP = 16, DODUMP = 17, WIPEONFORK = 18,
  KEEPONFORK = 19, COLD = 20, PAGEOUT = 21, POPULATE_READ = 22, POPULATE_WRITE = 23, DONTNEED_LOCKED = 24,
}

/** True for every advice we honour, and for hints that ask nothing of a kernel without swap and huge pages. */
function adviceIsKnown(advice: u32): bool {
  return advice <= <u32>Advice.DONTNEED || (advice >= <u32>Advice.FREE && advice <= <u32>Advice.DONTNEED_LOCKED);
}

/** madvise(2): 0 or -errno. */
export function mmAdvise(mm: AddressSpace, va: u64, len: u64, advice: u32): i32 {
  if (!adviceIsKnown(advice) || va & PAGE_MASK) return -Errno.INVAL;
  const size = pageAlignUp(len);
  if (len && !size || va + size < va) return -Errno.INVAL;
  if (size == 0) return 0;
  if (!userRangeOk(va, size)) return -Errno.NOMEM;
  mmLock(mm);
  const result = adviseLocked(mm, va, va + size, advice);
  mmUnlock(mm);
  return result;
}

function adviseLocked(mm: AddressSpace, start: u64, end: u64, advice: u32): i32 {
  let hole: i32 = 0;
  let at = start;
  while (at < end) {
    const vma = vmaFind(mm, at);
    if (!vma || vma.start >= end) return -Errno.NOMEM;
    if (vma.start > at) hole = -Errno.NOMEM; // reported at the end: the rest is advised, as on Linux
    const from = max(at, vma.start);
    const to = min(end, vma.end);
    const result = areaAdvise(mm, vma, from, to, advice);
    if (result) return result;
    at = to;
  }
  return hole;
}

function areaAdvise(mm: AddressSpace, vma: Vma, start: u64, end: u64, advice: u32): i32 {
  switch (advice) {
    case Advice.DONTNEED:
    case Advice.FREE:
    case Advice.DONTNEED_LOCKED: return areaDrop(mm, vma, start, end, advice);
    case Advice.REMOVE: return areaPunch(mm, vma, start, end);
    case Advice.POPULATE_READ:
    case Advice.POPULATE_WRITE: {
      if (advice == Advice.POPULATE_WRITE && !(vma.flags & VmFlag.WRITE)) return -Errno.INVAL;
      return rangePopulate(mm, vma, start, end);
    }
    case Advice.NORMAL:
    case Advice.SEQUENTIAL: return areaFlag(mm, vma, start, end, 0, VmFlag.RANDOM_READ);
    case Advice.RANDOM: return areaFlag(mm, vma, start, end, VmFlag.RANDOM_READ, 0);
    case Advice.DONTFORK: return areaFlag(mm, vma, start, end, VmFlag.NO_FORK, 0);
    case Advice.DOFORK: {
      if (vma.flags & (VmFlag.IO | VmFlag.SPECIAL)) return -Errno.INVAL;
      return areaFlag(mm, vma, start, end, 0, VmFlag.NO_FORK);
    }
    case Advice.WIPEONFORK: {
      if (vma.file || vma.flags & VmFlag.SHARED) return -Errno.INVAL;
      return areaFlag(mm, vma, start, end, VmFlag.WIPE_FORK, 0);
    }
    case Advice.KEEPONFORK: return areaFlag(mm, vma, start, end, 0, VmFlag.WIPE_FORK);
    case Advice.DONTDUMP: return areaFlag(mm, vma, start, end, VmFlag.NO_DUMP, 0);
    case Advice.DODUMP: return areaFlag(mm, vma, start, end, 0, VmFlag.NO_DUMP);
    default: return 0; // hints about swap, page merging and huge pages: there is nothing they could change here
  }
}

function areaDrop(mm: AddressSpace, vma: Vma, start: u64, end: u64, advice: u32): i32 {
  if (vma.flags & (VmFlag.IO | VmFlag.SPECIAL)) return -Errno.INVAL;
  if (vma.flags & VmFlag.LOCKED && advice != Advice.DONTNEED_LOCKED) return -Errno.INVAL;
  if (advice == Advice.FREE && (vma.file || vma.flags & VmFlag.SHARED)) return -Errno.INVAL;
  rangeUnmapPages(mm, start, end);
  return 0;
}

/** MADV_REMOVE: the shared pages themselves go. */
function areaPunch(mm: AddressSpace, vma: Vma, start: u64, end: u64): i32 {
  if (vma.flags & VmFlag.LOCKED || !vma.pages) return -Errno.INVAL;
  if (!(vma.flags & VmFlag.WRITE)) return -Errno.ACCES;
  rangeUnmapPages(mm, start, end);
  for (let va = start; va < end; va += PAGE_SIZE) {
    sharedPageRemove(sharedPagesOf(vma.pages), vma.pgoff + ((va - vma.start) >> 12));
  }
  return 0;
}

/** Sets and clears flags of [start, end) of `vma`; 0 or -NOMEM. */
export function areaFlag(mm: AddressSpace, vma: Vma, start: u64, end: u64, set: u32, clear: u32): i32 {
  if (((vma.flags | set) & ~clear) == vma.flags) return 0;
  let part = vma;
  if (part.start < start) {
    const high = areaSplit(mm, part, start);
    if (!high) return -Errno.NOMEM;
    part = high;
  }
  if (part.end > end && !areaSplit(mm, part, end)) return -Errno.NOMEM;
  part.flags = (part.flags | set) & ~clear;
  areaMerge(mm, part);
  return 0;
}

const MS_ASYNC: u32 = 1;
const MS_INVALIDATE: u32 = 2;
const MS_SYNC: u32 = 4;

/** msync(2): shared pages are the file's own; with MS_SYNC each file is brought to its medium, without it that is left to write-back. 0 or -errno. */
export function mmSync(mm: AddressSpace, va: u64, len: u64, flags: u32): i32 {
  if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || va & PAGE_MASK) return -Errno.INVAL;
  if ((flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC)) return -Errno.INVAL;
  const size = pageAlignUp(len);
  if (va + size < va) return -Errno.NOMEM;
  let hole: i32 = 0;
  for (let at = va; at < va + size;) {
    mmLock(mm);
    const vma = vmaFind(mm, at);
    if (!vma || vma.start >= va + size) {
      mmUnlock(mm);
      return -Errno.NOMEM;
    }
    if (vma.start > at) hole = -Errno.NOMEM; // reported at the end: the rest is synced, as on Linux
    const file = fileToSync(vma, flags);
    const isRefused = (flags & MS_INVALIDATE) != 0 && (vma.flags & VmFlag.LOCKED) != 0;
    at = vma.end;
    if (file != 0) MM_HOOKS.fileRef(file, 1);
    mmUnlock(mm);
    const failed = isRefused ? -Errno.BUSY : file != 0 ? MM_HOOKS.fileSync(file) : 0;
    if (file != 0) MM_HOOKS.fileRef(file, -1);
    if (failed != 0) return failed;
  }
  return hole;
}

/** The file that MS_SYNC brings to its medium, of an area that may have changed it; 0: none. */
function fileToSync(vma: Vma, flags: u32): usize {
  return flags & MS_SYNC && vma.flags & VmFlag.SHARED && vma.file != 0 ? vma.file : 0;
}

/** mincore(2) for up to `count` pages from `va`: a byte for each at linear `ptr`; 0, or -NOMEM at a hole. */
export function mmResident(mm: AddressSpace, va: u64, count: u32, ptr: usize): i32 {
  mmLock(mm);
  let result: i32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const at = va + (<u64>i << 12);
    const vma = vmaAt(mm, at);
    if (!vma) {
      result = -Errno.NOMEM;
      break;
    }
    store<u8>(ptr + i, pageIsResident(mm, vma, at) ? 1 : 0);
  }
  mmUnlock(mm);
  return result;
}

const PROBES: usize = memory.data(64 * 4, 4); // one pfn for each CPU

function pageIsResident(mm: AddressSpace, vma: Vma, va: u64): bool {
  const slot = pteSlot(mm, va);
  if (slot && physLoad64(slot)) return true;
  if (!vma.file) return false;
  const probe = PROBES + (<usize>thisCpu().id << 2);
  if (!MM_HOOKS.cachedPages(vma.file, vma.pgoff + ((va - vma.start) >> 12), 1, probe)) return false;
  framePut(load<u32>(probe));
  return true;
}
