/**
 * mlock and its family: pages that are always present. There is no swap, so locking means faulting in and counting.
 *
 * Locking  takes AddressSpace.lock.
 * Spec     mlock(2).
 */
import { Errno } from "../../abi/errno";
import { areaFlag } from "./advise";
import { rangePopulate } from "./fault";
import { PAGE_MASK, pageAlignUp, userRangeOk } from "./layout";
import { MM_HOOKS } from "./mm-hooks";
import { mmLock, mmUnlock } from "./mm-lock";
import { AddressSpace, MmFlag, VmFlag, vmaOf } from "./mm-struct";
import { RLIMIT_MEMLOCK } from "./stack";
import { vmaAt } from "./vma";

export const enum LockKind { UNLOCK = 0, LOCK = 1, ON_FAULT = 2 }
export const enum LockAll { CURRENT = 1, FUTURE = 2, ON_FAULT = 4 }

/** 0, or why `pages` more must not be locked. */
function lockLimit(mm: AddressSpace, pages: u64): i32 {
  if (MM_HOOKS.mayLockAny()) return 0;
  const limit = MM_HOOKS.limit(RLIMIT_MEMLOCK);
  if (limit == 0) return -Errno.PERM;
  return mm.lockedPages + pages > limit >> 12 ? -Errno.NOMEM : 0;
}

/** mlock(2), mlock2(2), munlock(2): 0 or -errno. */
export function mmLockRange(mm: AddressSpace, va: u64, len: u64, kind: u32): i32 {
  const start = va & ~PAGE_MASK;
  const size = pageAlignUp(len + (va & PAGE_MASK));
  if (start + size < start) return -Errno.INVAL;
  if (size == 0) return 0;
  if (!userRangeOk(start, size)) return -Errno.NOMEM;
  mmLock(mm);
  let result: i32 = kind == LockKind.UNLOCK ? 0 : lockLimit(mm, size >> 12);
  if (!result) result = rangeLock(mm, start, start + size, kind);
  mmUnlock(mm);
  return result;
}

function rangeLock(mm: AddressSpace, start: u64, end: u64, kind: u32): i32 {
  let at = start;
  while (at < end) {
    const vma = vmaAt(mm, at);
    if (!vma) return -Errno.NOMEM;
    const to = min(end, vma.end);
    const wasLocked = (vma.flags & VmFlag.LOCKED) != 0;
    const pages = (to - at) >> 12;
    if (kind == LockKind.UNLOCK) {
      const result = areaFlag(mm, vma, at, to, 0, VmFlag.LOCKED);
      if (result) return result;
      if (wasLocked) mm.lockedPages -= pages;
    } else {
      const result = areaFlag(mm, vma, at, to, VmFlag.LOCKED, 0);
      if (result) return result;
      if (!wasLocked) mm.lockedPages += pages;
      const locked = vmaAt(mm, at);
      if (kind == LockKind.LOCK && locked && locked.flags & VmFlag.PROT && rangePopulate(mm, locked, at, to)) {
        return -Errno.NOMEM;
      }
    }
    at = to;
  }
  return 0;
}

/** mlockall(2): 0 or -errno. */
export function mmLockAll(mm: AddressSpace, flags: u32): i32 {
  if (flags & ~(LockAll.CURRENT | LockAll.FUTURE | LockAll.ON_FAULT) || flags == 0 || flags == LockAll.ON_FAULT) {
    return -Errno.INVAL;
  }
  mmLock(mm);
  let result = flags & LockAll.CURRENT ? lockLimit(mm, mm.totalPages - mm.lockedPages) : lockLimit(mm, 0);
  if (!result) {
    mm.flags = flags & LockAll.FUTURE ? mm.flags | MmFlag.LOCK_FUTURE : mm.flags & ~MmFlag.LOCK_FUTURE;
    if (flags & LockAll.CURRENT) {
      eachLock(mm, flags & LockAll.ON_FAULT ? LockKind.ON_FAULT : LockKind.LOCK); // what cannot be paged in is left, as on Linux
    }
  }
  mmUnlock(mm);
  return result;
}

function eachLock(mm: AddressSpace, kind: u32): void {
  let at: u64 = 0;
  let next = mm.first;
  while (next) {
    const vma = vmaOf(next);
    at = vma.end;
    if (!(vma.flags & (VmFlag.SPECIAL | VmFlag.IO))) rangeLock(mm, vma.start, vma.end, kind);
    next = mm.first;
    while (next && vmaOf(next).start < at) next = vmaOf(next).next; // areas may have merged
  }
}

/** munlockall(2). */
export function mmUnlockAll(mm: AddressSpace): void {
  mmLock(mm);
  mm.flags &= ~MmFlag.LOCK_FUTURE;
  eachLock(mm, LockKind.UNLOCK);
  mmUnlock(mm);
}
