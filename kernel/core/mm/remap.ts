/**
 * mremap: growing, shrinking and moving an area without copying its pages.
 *
 * Locking  takes AddressSpace.lock.
 * Spec     mremap(2).
 */
import { physLoad64, physStore64, physXchg64 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { MAX_AREAS, areaMerge, areasRemove, mmAccount } from "./area";
import { rangePopulate } from "./fault";
import { rangeUnmapPages } from "./gather";
import { PAGE_MASK, PAGE_SIZE, USER_MIN, USER_TOP, pageAlignUp, userRangeOk } from "./layout";
import { mmLock, mmUnlock } from "./mm-lock";
import { AddressSpace, Vma, VmFlag, vmaOf } from "./mm-struct";
import { mapLimits, placeFind } from "./mmap";
import { nextTable, pteSlot, pteSlotMake, tableAtOrAfter, tableCountAdd } from "./page-table";
import { tlbFlushRange } from "./tlb";
import { vmaAt, vmaInsert, vmaResize } from "./vma";
import { vmaCopy } from "./vma-alloc";

export const enum RemapFlag { MAYMOVE = 1, FIXED = 2, DONTUNMAP = 4 }

/** mremap(2): the address of the resized mapping, or -errno. */
export function mmRemap(
  mm: AddressSpace, oldVa: u64, oldLen: u64, newLen: u64, flags: u32, newVa: u64,
): i64 {
  const oldSize = pageAlignUp(oldLen);
  const newSize = pageAlignUp(newLen);
  const checked = remapCheck(oldVa, oldSize, newSize, flags, newVa);
  if (checked) return checked;
  mmLock(mm);
  const result = remapLocked(mm, oldVa, oldSize, newSize, flags, newVa);
  mmUnlock(mm);
  return result;
}

function remapCheck(oldVa: u64, oldSize: u64, newSize: u64, flags: u32, newVa: u64): i32 {
  if (flags & ~(RemapFlag.MAYMOVE | RemapFlag.FIXED | RemapFlag.DONTUNMAP)) return -Errno.INVAL;
  if (flags & (RemapFlag.FIXED | RemapFlag.DONTUNMAP) && !(flags & RemapFlag.MAYMOVE)) return -Errno.INVAL;
  if (flags & RemapFlag.DONTUNMAP && oldSize != newSize) return -Errno.INVAL;
  if (oldVa & PAGE_MASK || newSize == 0 || newSize > USER_TOP || !userRangeOk(oldVa, oldSize)) return -Errno.INVAL;
  if (!(flags & RemapFlag.FIXED)) return 0;
  if (newVa & PAGE_MASK || newVa < USER_MIN || !userRangeOk(newVa, newSize)) return -Errno.INVAL;
  return newVa < oldVa + oldSize && oldVa < newVa + newSize ? -Errno.INVAL : 0;
}

function remapLocked(mm: AddressSpace, oldVa: u64, oldSize: u64, newSize: u64, flags: u32, newVa: u64): i64 {
  let vma = vmaAt(mm, oldVa);
  if (!vma) return -Errno.FAULT;
  const mustMove = (flags & (RemapFlag.FIXED | RemapFlag.DONTUNMAP)) != 0;
  if (oldSize == 0 && !(vma.flags & VmFlag.SHARED && flags & RemapFlag.MAYMOVE)) return -Errno.INVAL;
  if (vma.flags & VmFlag.SPECIAL) return -Errno.INVAL;
  if (oldVa + oldSize > vma.end) return -Errno.FAULT;
  if (flags & RemapFlag.FIXED) {
    const removed = areasRemove(mm, newVa, newVa + newSize);
    if (removed) return removed;
  }
  let size = oldSize;
  if (size > newSize) {
    const removed = areasRemove(mm, oldVa + newSize, oldVa + size);
    if (removed) return removed;
    size = newSize;
    vma = vmaAt(mm, oldVa);
    if (!vma) return -Errno.FAULT;
  }
  if (!mustMove && size == newSize) return oldVa;
  if (newSize > size) {
    const limits = mapLimits(mm, vma.flags, (newSize - size) >> 12);
    if (limits) return limits;
    if (!mustMove && growInPlace(mm, vma, oldVa + size, newSize - size)) return oldVa;
  }
  if (!(flags & RemapFlag.MAYMOVE)) return -Errno.NOMEM;
  let target: i64 = newVa;
  if (!(flags & RemapFlag.FIXED)) target = placeFind(mm, 0, newSize, 0);
  return target < 0 ? target : areaMove(mm, vma, oldVa, size, target, newSize, (flags & RemapFlag.DONTUNMAP) != 0);
}

/** Lets `vma` reach `more` bytes beyond `end` when that is its end and the room is free. */
function growInPlace(mm: AddressSpace, vma: Vma, end: u64, more: u64): bool {
  if (vma.end != end || !userRangeOk(end, more)) return false;
  if (vma.next && vmaOf(vma.next).start < end + more) return false;
  vmaResize(mm, vma, vma.start, end + more);
  mmAccount(mm, vma.flags, more >> 12);
  if (vma.flags & VmFlag.LOCKED) rangePopulate(mm, vma, end, end + more);
  areaMerge(mm, vma);
  return true;
}

/** Moves [oldVa, oldVa + oldSize) of `vma` to the free place `newVa`. */
function areaMove(
  mm: AddressSpace, vma: Vma, oldVa: u64, oldSize: u64, newVa: u64, newSize: u64, keepsOld: bool,
): i64 {
  if (mm.vmaCount + 3 >= MAX_AREAS) return -Errno.NOMEM;
  const twin = vmaCopy(vma);
  if (!twin) return -Errno.NOMEM;
  twin.start = newVa;
  twin.end = newVa + newSize;
  twin.flags &= ~(VmFlag.HEAP | VmFlag.STACK);
  if (twin.file || twin.pages) twin.pgoff += (oldVa - vma.start) >> 12;
  vmaInsert(mm, twin);
  mmAccount(mm, twin.flags, newSize >> 12);
  if (oldSize && !entriesMove(mm, oldVa, newVa, oldSize)) {
    entriesMove(mm, newVa, oldVa, oldSize); // the tables of the old place still stand
    areasRemove(mm, newVa, newVa + newSize);
    return -Errno.NOMEM;
  }
  if (oldSize && !keepsOld) {
    const removed = areasRemove(mm, oldVa, oldVa + oldSize);
    if (removed) return removed;
  } else if (oldSize) {
    rangeUnmapPages(mm, oldVa, oldVa + oldSize); // only empty tables are left there
  }
  if (twin.flags & VmFlag.LOCKED) rangePopulate(mm, twin, newVa, newVa + newSize);
  areaMerge(mm, twin);
  return newVa;
}

/** Moves entries from [from, from + size) to [to, …); false when a table could not be made. */
function entriesMove(mm: AddressSpace, from: u64, to: u64, size: u64): bool {
  const end = from + size;
  let isDone = true;
  let va = tableAtOrAfter(mm, from, end);
  while (va < end && isDone) {
    const top = min(nextTable(va), end);
    for (; va < top; va += PAGE_SIZE) {
      const slot = pteSlot(mm, va);
      const entry = physLoad64(slot);
      if (!entry) continue;
      const target = pteSlotMake(mm, to + (va - from));
      isDone = target != 0;
      if (!isDone) break;
      physStore64(target, physXchg64(slot, 0));
      tableCountAdd(slot, -1);
      tableCountAdd(target, 1);
    }
    va = tableAtOrAfter(mm, va, end);
  }
  tlbFlushRange(mm, from, end);
  return isDone;
}
