/**
 * Page faults: demand paging, copy-on-write, file pages, stack growth.
 *
 * Invariants  X1  an ANON entry with WRITE names a frame nobody else maps, or whose other mappings are read-only:
 *                 fork clears WRITE in both, and a write to a frame with more than one reference copies it.
 *             X2  an entry of a TRACKED area has WRITE only since its file was asked (getPage forWrite); mmFileProtect takes it away.
 * Locking     takes AddressSpace.lock; the hooks run under it.
 * Spec        SDM vol. 3, 5.7 (page-fault exceptions).
 */
import { physCopy, physLoad64, physStore64, physZero } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { pageAlloc, userPagesLeft } from "./buddy";
import { frameLimit, framePut, frameRefs, paToPfn, pfnToPa } from "./frame";
import { kernelNoExecute } from "./kernel-map";
import { PAGE_MASK, PAGE_SIZE, USER_TOP } from "./layout";
import { MM_HOOKS } from "./mm-hooks";
import { mmLock, mmUnlock } from "./mm-lock";
import { AddressSpace, MmFlag, Vma, VmFlag } from "./mm-struct";
import { oomHandle } from "./oom";
import { pteSlotMake, tableCountAdd } from "./page-table";
import { PTE_ADDRESS, PTE_NX, Pte } from "./pte";
import { sharedPageGet, sharedPagesOf } from "./shared-pages";
import { stackGrow } from "./stack";
import { tlbFlushPage, tlbFlushPageLocal } from "./tlb";
import { vmaFind } from "./vma";
import { thisCpu } from "../sched/cpu";

/** What mmFault answers: 0, or what the program is told. */
export const enum FaultResult {
  RESOLVED = 0,
  SEGV_MAPERR = 1,    // SIGSEGV, si_code SEGV_MAPERR
  SEGV_ACCERR = 2,    // SIGSEGV, si_code SEGV_ACCERR
  BUS_ADRERR = -2,    // SIGBUS, si_code BUS_ADRERR (2), negated
  KILLED = 0x200,     // out of memory: the task must end
}

/** Bits of a page fault's error code. */
export const enum FaultBit { PRESENT = 1, WRITE = 2, USER = 4, RESERVED = 8, FETCH = 16 }

/** Internal answer of the ...Locked functions: no memory; nothing was changed. */
const NO_MEMORY: i32 = 0x400;

/** Pages looked at around a file fault, aligned. */
const AROUND_PAGES: u64 = 16;
const AROUND: usize = memory.data(64 * 64, 64); // sixteen u32 for each CPU

let zeroPfn: u32 = 0;

/** Makes the shared page of zeros that reads of untouched memory see. */
export function faultInit(): void {
  zeroPfn = pageAlloc();
  if (zeroPfn) physZero(pfnToPa(zeroPfn), PAGE_SIZE);
}

/** The shared page of zeros. */
export function zeroPage(): u32 {
  return zeroPfn;
}

/** One page for user space, not cleared; 0 when only the kernel's reserve is left. */
function userPageAlloc(mm: AddressSpace): u32 {
  if (!userPagesLeft() && !(mm.flags & MmFlag.OOM_VICTIM)) return 0;
  return pageAlloc();
}

/** Protection bits of a present entry of `vma`, without WRITE. */
function readBits(vma: Vma): u64 {
  return vma.flags & VmFlag.EXEC
    ? Pte.PRESENT | Pte.USER | Pte.ACCESSED
    : Pte.PRESENT | Pte.USER | Pte.ACCESSED | kernelNoExecute();
}

/** Fills the empty entry at `slot`. */
function entryInstall(slot: u64, entry: u64): void {
  physStore64(slot, entry);
  tableCountAdd(slot, 1);
}

/**
 * Resolves a fault at user address `va`; `errorCode` as the CPU pushed it, `userSp` the user stack pointer (0 when
 * unknown). A FaultResult; on RESOLVED the access is simply tried again.
 */
export function mmFault(mm: AddressSpace, va: u64, errorCode: u32, userSp: u64): i32 {
  if (va >= USER_TOP) return FaultResult.SEGV_MAPERR;
  mmLock(mm);
  const result = faultLocked(mm, va & ~PAGE_MASK, errorCode);
  mmUnlock(mm);
  if (result != NO_MEMORY) return result;
  return oomHandle() ? FaultResult.RESOLVED : FaultResult.KILLED;
}

/** The same with the lock held; may answer NO_MEMORY. */
export function faultLocked(mm: AddressSpace, va: u64, errorCode: u32): i32 {
  const vma = vmaFind(mm, va);
  if (!vma || (va < vma.start && !stackGrow(mm, vma, va))) return FaultResult.SEGV_MAPERR;
  const flags = vma.flags;
  if (errorCode & FaultBit.WRITE) {
    if (!(flags & VmFlag.WRITE)) return FaultResult.SEGV_ACCERR;
  } else if (errorCode & FaultBit.FETCH) {
    if (!(flags & VmFlag.EXEC)) return FaultResult.SEGV_ACCERR;
  } else if (!(flags & VmFlag.PROT)) {
    return FaultResult.SEGV_ACCERR;
  }
  const slot = pteSlotMake(mm, va);
  if (!slot) return NO_MEMORY;
  const entry = physLoad64(slot);
  if (entry) return presentFault(mm, vma, va, slot, entry, errorCode);
  if (vma.file) return fileFault(mm, vma, va, slot, errorCode);
  if (vma.pages) return sharedFault(mm, vma, va, slot);
  if (flags & VmFlag.SPECIAL) return FaultResult.BUS_ADRERR;
  return anonFault(mm, vma, slot, errorCode);
}

/** First touch of private anonymous memory: a cleared page, or the page of zeros while it is only read. */
function anonFault(mm: AddressSpace, vma: Vma, slot: u64, errorCode: u32): i32 {
  if (!(errorCode & FaultBit.WRITE)) {
    entryInstall(slot, pfnToPa(zeroPfn) | readBits(vma) | Pte.SPECIAL);
    return FaultResult.RESOLVED;
  }
  const pfn = userPageAlloc(mm);
  if (!pfn) return NO_MEMORY;
  const pa = pfnToPa(pfn);
  physZero(pa, PAGE_SIZE);
  entryInstall(slot, pa | readBits(vma) | Pte.WRITE | Pte.DIRTY | Pte.ANON);
  mm.rssAnon++;
  return FaultResult.RESOLVED;
}

/** The entry is there: a write to a read-only one, or another CPU was faster. */
function presentFault(mm: AddressSpace, vma: Vma, va: u64, slot: u64, found: u64, errorCode: u32): i32 {
  let entry = found;
  if (!(entry & Pte.PRESENT)) { // was PROT_NONE for a while
    entry = (entry & ~(PTE_NX | Pte.WRITE)) | readBits(vma);
    physStore64(slot, entry);
  }
  if (!(errorCode & FaultBit.WRITE) || entry & Pte.WRITE) {
    tlbFlushPageLocal(va);
    return FaultResult.RESOLVED;
  }
  if (vma.flags & VmFlag.TRACKED) return trackedWrite(mm, vma, va, slot, entry);
  if (vma.flags & VmFlag.SHARED) {
    physStore64(slot, entry | Pte.WRITE | Pte.DIRTY);
    tlbFlushPageLocal(va);
    return FaultResult.RESOLVED;
  }
  return pageOwn(mm, vma, va, slot, entry);
}

/** A store to a page that is mapped for reading: the file is told, and says what its page is now. */
function trackedWrite(mm: AddressSpace, vma: Vma, va: u64, slot: u64, entry: u64): i32 {
  const pfn = MM_HOOKS.getPage(vma.file, vma.pgoff + ((va - vma.start) >> 12), 1);
  if (pfn < 0) return pfn == -<i32>Errno.NOMEM ? NO_MEMORY : FaultResult.BUS_ADRERR;
  const old = paToPfn(entry & PTE_ADDRESS);
  physStore64(slot, sharedEntry(vma, pfn) | Pte.DIRTY);
  if (pfn == old) tlbFlushPageLocal(va);
  else tlbFlushPage(mm, va);
  framePut(old); // the entry's reference, or the one just got
  return FaultResult.RESOLVED;
}

/** Makes the present page at `slot` this space's own and writable, by a copy if others see it too. RESOLVED, or NO_MEMORY. */
export function pageOwn(mm: AddressSpace, vma: Vma, va: u64, slot: u64, entry: u64): i32 {
  const old = paToPfn(entry & PTE_ADDRESS);
  if (entry & Pte.ANON && frameRefs(old) == 1) {
    physStore64(slot, entry | Pte.WRITE | Pte.DIRTY); // X1: the relatives are gone
    tlbFlushPageLocal(va);
    return FaultResult.RESOLVED;
  }
  const pfn = userPageAlloc(mm);
  if (!pfn) return NO_MEMORY;
  const pa = pfnToPa(pfn);
  if (old == zeroPfn) physZero(pa, PAGE_SIZE);
  else physCopy(pa, entry & PTE_ADDRESS, PAGE_SIZE);
  physStore64(slot, pa | readBits(vma) | Pte.WRITE | Pte.DIRTY | Pte.ANON);
  tlbFlushPage(mm, va);
  if (!(entry & Pte.ANON)) {
    mm.rssAnon++;
    if (vma.file) vma.flags |= VmFlag.HAS_ANON;
    if (!(entry & Pte.SPECIAL)) mm.rssFile--;
  }
  if (!(entry & Pte.SPECIAL)) framePut(old);
  return FaultResult.RESOLVED;
}

function sharedFault(mm: AddressSpace, vma: Vma, va: u64, slot: u64): i32 {
  const pfn = sharedPageGet(sharedPagesOf(vma.pages), vma.pgoff + ((va - vma.start) >> 12));
  if (pfn < 0) return pfn == -<i32>Errno.NOMEM ? NO_MEMORY : FaultResult.BUS_ADRERR;
  entryInstall(slot, sharedEntry(vma, pfn));
  mm.rssFile++;
  return FaultResult.RESOLVED;
}

/** Entry of a page that is shared: writable as soon as the area is. */
function sharedEntry(vma: Vma, pfn: u32): u64 {
  const bits = pfnToPa(pfn) | readBits(vma);
  return vma.flags & VmFlag.WRITE ? bits | Pte.WRITE : bits;
}

function fileFault(mm: AddressSpace, vma: Vma, va: u64, slot: u64, errorCode: u32): i32 {
  const isShared = (vma.flags & VmFlag.SHARED) != 0;
  const isWrite = (errorCode & FaultBit.WRITE) != 0;
  if (!isWrite && !(vma.flags & (VmFlag.RANDOM_READ | VmFlag.IO)) && fileFaultAround(mm, vma, va, slot)) {
    return FaultResult.RESOLVED;
  }
  const index = vma.pgoff + ((va - vma.start) >> 12);
  const isWritable = isShared && (vma.flags & VmFlag.TRACKED ? isWrite : (vma.flags & VmFlag.WRITE) != 0); // X2
  const pfn = MM_HOOKS.getPage(vma.file, index, isWritable ? 1 : 0);
  if (pfn < 0) return pfn == -<i32>Errno.NOMEM ? NO_MEMORY : FaultResult.BUS_ADRERR;
  if (vma.flags & VmFlag.IO || <u32>pfn >= frameLimit()) {
    entryInstall(slot, sharedEntry(vma, pfn) | Pte.SPECIAL);
    return FaultResult.RESOLVED;
  }
  if (isWrite && !isShared) return filePageCopy(mm, vma, slot, pfn);
  entryInstall(slot, isWritable ? sharedEntry(vma, pfn) : pfnToPa(pfn) | readBits(vma));
  mm.rssFile++;
  return FaultResult.RESOLVED;
}

/** First touch of a private file page is a write: the copy is made at once. Drops the reference to `source`. */
function filePageCopy(mm: AddressSpace, vma: Vma, slot: u64, source: u32): i32 {
  const pfn = userPageAlloc(mm);
  if (pfn) {
    physCopy(pfnToPa(pfn), pfnToPa(source), PAGE_SIZE);
    entryInstall(slot, pfnToPa(pfn) | readBits(vma) | Pte.WRITE | Pte.DIRTY | Pte.ANON);
    mm.rssAnon++;
    vma.flags |= VmFlag.HAS_ANON;
  }
  framePut(source);
  return pfn ? FaultResult.RESOLVED : NO_MEMORY;
}

/** Maps the cached pages around `va` for reading; true when that of `va` is among them. */
function fileFaultAround(mm: AddressSpace, vma: Vma, va: u64, slot: u64): bool {
  const block = AROUND_PAGES << 12;
  const start = max(vma.start, va & ~(block - 1));
  const end = min(vma.end, (va & ~(block - 1)) + block);
  const count = <u32>((end - start) >> 12);
  const pfns = AROUND + (<usize>thisCpu().id << 6);
  if (!MM_HOOKS.cachedPages(vma.file, vma.pgoff + ((start - vma.start) >> 12), count, pfns)) return false;
  const isWritable = (vma.flags & (VmFlag.SHARED | VmFlag.WRITE | VmFlag.TRACKED)) == (VmFlag.SHARED | VmFlag.WRITE); // X2
  const bits = isWritable ? readBits(vma) | Pte.WRITE : readBits(vma);
  let at = slot - (((va - start) >> 12) << 3);
  let mapped: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const pfn = load<u32>(pfns + (<usize>i << 2));
    if (pfn) {
      if (physLoad64(at)) {
        framePut(pfn);
      } else {
        physStore64(at, pfnToPa(pfn) | bits);
        mapped++;
      }
    }
    at += 8;
  }
  tableCountAdd(slot, mapped);
  mm.rssFile += mapped;
  return physLoad64(slot) != 0;
}

/** Faults in [start, end) as far as possible (MAP_POPULATE, mlock): 0, or -NOMEM/-FAULT at the first page that fails. */
export function rangePopulate(mm: AddressSpace, vma: Vma, start: u64, end: u64): i32 {
  const isWrite = (vma.flags & (VmFlag.WRITE | VmFlag.SHARED)) == VmFlag.WRITE;
  const code = isWrite ? FaultBit.USER | FaultBit.WRITE : FaultBit.USER;
  for (let va = start; va < end; va += PAGE_SIZE) {
    const slot = pteSlotMake(mm, va);
    if (slot) {
      const entry = physLoad64(slot);
      if (entry && (!isWrite || entry & Pte.WRITE)) continue;
    }
    const result = faultLocked(mm, va, code);
    if (result == NO_MEMORY) return -Errno.NOMEM;
    if (result) return -Errno.FAULT;
  }
  return 0;
}
