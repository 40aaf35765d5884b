/**
 * mprotect: new rights for areas, and for the pages already there.
 *
 * Rights are only ever taken from entries here; a right that is added shows at the next fault, so that pages shared
 * copy-on-write need no look. Entries of PROT_NONE areas keep their frame but lose PRESENT.
 */
import { physLoad64, physStore64, physXchg64 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { areaMerge, areaSplit, areasCover, isData, mmAccount } from "./area";
import { kernelNoExecute } from "./kernel-map";
import { PAGE_MASK, PAGE_SIZE, pageAlignUp, userRangeOk } from "./layout";
import { MM_HOOKS } from "./mm-hooks";
import { mmLock, mmUnlock } from "./mm-lock";
import { AddressSpace, Vma, VmFlag, vmaOf, vmaPages } from "./mm-struct";
import { nextTable, pteSlot, tableAtOrAfter } from "./page-table";
import { PTE_NX, Pte } from "./pte";
import { RLIMIT_DATA } from "./stack";
import { tlbFlushRange } from "./tlb";
import { vmaFind } from "./vma";

const PROT_GROWSDOWN: u32 = 0x01000000;
const PROT_GROWSUP: u32 = 0x02000000;
const MAP_SHARED: u32 = 1;

/** mprotect(2): 0 or -errno. */
export function mmProtect(mm: AddressSpace, va: u64, len: u64, prot: u32): i32 {
  if (va & PAGE_MASK || prot & ~(VmFlag.PROT | PROT_GROWSDOWN | PROT_GROWSUP)) return -Errno.INVAL;
  if ((prot & (PROT_GROWSDOWN | PROT_GROWSUP)) == (PROT_GROWSDOWN | PROT_GROWSUP)) return -Errno.INVAL;
  if (len == 0) return 0;
  if (!userRangeOk(va, len)) return -Errno.NOMEM;
  mmLock(mm);
  const result = protectLocked(mm, va, va + pageAlignUp(len), prot);
  mmUnlock(mm);
  return result;
}

function protectLocked(mm: AddressSpace, from: u64, end: u64, prot: u32): i32 {
  let start = from;
  if (prot & PROT_GROWSUP) return -Errno.INVAL;
  if (prot & PROT_GROWSDOWN) {
    const vma = vmaFind(mm, start);
    if (!vma || vma.start >= end) return -Errno.NOMEM;
    if (!(vma.flags & VmFlag.GROWS_DOWN)) return -Errno.INVAL;
    start = vma.start;
  }
  const rights = prot & VmFlag.PROT;
  let at = start;
  while (at < end) {
    const vma = vmaFind(mm, at);
    if (!vma || vma.start > at) return -Errno.NOMEM; // what lies before keeps its new rights, as on Linux
    const top = min(end, vma.end);
    const result = areaProtect(mm, vma, at, top, rights);
    if (result) return result;
    at = top;
  }
  return 0;
}

/** Gives [start, end) of `vma` the rights `prot`. */
function areaProtect(mm: AddressSpace, vma: Vma, start: u64, end: u64, prot: u32): i32 {
  if ((vma.flags & VmFlag.PROT) == prot) return 0;
  const allowed = areaMayHave(mm, vma, (end - start) >> 12, prot);
  if (allowed) return allowed;
  let part = vma;
  if (part.start < start) {
    const high = areaSplit(mm, part, start);
    if (!high) return -Errno.NOMEM;
    part = high;
  }
  if (part.end > end && !areaSplit(mm, part, end)) return -Errno.NOMEM;
  mmAccount(mm, part.flags, -<i64>vmaPages(part));
  part.flags = (part.flags & ~VmFlag.PROT) | prot;
  mmAccount(mm, part.flags, vmaPages(part));
  entriesRestrict(mm, part);
  areaMerge(mm, part);
  return 0;
}

function areaMayHave(mm: AddressSpace, vma: Vma, pages: u64, prot: u32): i32 {
  if (prot & VmFlag.WRITE && !(vma.flags & VmFlag.MAY_WRITE)) return -Errno.ACCES;
  if (vma.file && vma.flags & VmFlag.SHARED && prot & ~vma.flags) {
    const answer = MM_HOOKS.fileMmap(vma.file, prot, MAP_SHARED);
    if (answer < 0) return answer;
  }
  if (isData((vma.flags & ~VmFlag.PROT) | prot) && !isData(vma.flags)) {
    const limit = MM_HOOKS.limit(RLIMIT_DATA);
    if (limit != ~<u64>0 && mm.dataPages + pages > limit >> 12) return -Errno.NOMEM;
  }
  return 0;
}

/** The entry with no more rights than `vma` has. */
function entryRestricted(entry: u64, vma: Vma): u64 {
  if (!(vma.flags & VmFlag.PROT)) return entry & ~Pte.PRESENT & ~Pte.WRITE;
  let bits = (entry | Pte.PRESENT) & ~PTE_NX;
  if (!(vma.flags & VmFlag.WRITE)) bits &= ~Pte.WRITE;
  return vma.flags & VmFlag.EXEC ? bits : bits | kernelNoExecute();
}

function entriesRestrict(mm: AddressSpace, vma: Vma): void {
  let isChanged = false;
  let va = tableAtOrAfter(mm, vma.start, vma.end);
  while (va < vma.end) {
    const top = min(nextTable(va), vma.end);
    let slot = pteSlot(mm, va);
    for (; va < top; va += PAGE_SIZE) {
      const entry = physLoad64(slot);
      if (entry) {
        const bits = entryRestricted(entry, vma);
        if (bits != entry) {
          // The CPU may set DIRTY meanwhile; nothing is written back by it (X2 of fault.ts), so losing that bit is harmless.
          physXchg64(slot, bits);
          isChanged = true;
        }
      }
      slot += 8;
    }
    va = tableAtOrAfter(mm, va, vma.end);
  }
  if (isChanged) tlbFlushRange(mm, vma.start, vma.end);
}

/** Takes WRITE out of the entries of [start, end), and flushes. */
export function rangeWriteProtect(mm: AddressSpace, start: u64, end: u64): void {
  let isChanged = false;
  let va = tableAtOrAfter(mm, start, end);
  while (va < end) {
    const top = min(nextTable(va), end);
    let slot = pteSlot(mm, va);
    for (; va < top; va += PAGE_SIZE) {
      const entry = physLoad64(slot);
      if (entry & Pte.WRITE) {
        physXchg64(slot, entry & ~Pte.WRITE); // as above: a lost DIRTY is harmless
        isChanged = true;
      }
      slot += 8;
    }
    va = tableAtOrAfter(mm, va, end);
  }
  if (isChanged) tlbFlushRange(mm, start, end);
}
