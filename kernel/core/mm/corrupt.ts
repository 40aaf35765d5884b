/**
 * A program's memory made wrong on purpose: what fault injection does to servers.
 *
 * Invariants  C1  a page that others see too (a file's, a relative's) is copied first and keeps the rights of its area: nobody but the
 *                 chosen program meets the change, and no file is spoilt. SHARED areas are changed in place: sharing is what they are for.
 * Locking     takes AddressSpace.lock.
 */
import { physLoad64, physLoad8, physStore64, physStore8 } from "../../../arch/current";
import { FlipRegion } from "../../abi/debug";
import { Errno } from "../../abi/errno";
import { FaultBit, FaultResult, faultLocked, pageOwn } from "./fault";
import { PAGE_MASK, PAGE_SIZE } from "./layout";
import { mmLock, mmUnlock } from "./mm-lock";
import { AddressSpace, Vma, VmFlag, vmaOf } from "./mm-struct";
import { pteSlot } from "./page-table";
import { PTE_ADDRESS, Pte } from "./pte";
import { tlbFlushPage } from "./tlb";
import { vmaAt } from "./vma";

/** How far above the stack pointer a frame that is still in use is looked for. */
const STACK_REACH: u64 = 2048;
const COUNT_ALL: u32 = ~0;

/** Replaces the byte at `va` by (byte & keep) ^ flip, whatever the rights of its area (C1): 0, -FAULT or -NOMEM. */
export function mmByteSpoil(mm: AddressSpace, va: u64, keep: u32, flip: u32): i32 {
  mmLock(mm);
  const vma = vmaAt(mm, va);
  const result = vma ? byteSpoilLocked(mm, vma, va, keep, flip) : -Errno.FAULT;
  mmUnlock(mm);
  return result;
}

function byteSpoilLocked(mm: AddressSpace, vma: Vma, va: u64, keep: u32, flip: u32): i32 {
  if (vma.flags & (VmFlag.SPECIAL | VmFlag.IO)) return -Errno.FAULT;
  const page = va & ~PAGE_MASK;
  let entry = entryOf(mm, page);
  if (!(entry & Pte.PRESENT)) {
    if (faultLocked(mm, page, FaultBit.USER) != FaultResult.RESOLVED) return -Errno.FAULT;
    entry = entryOf(mm, page);
  }
  if (!(vma.flags & VmFlag.SHARED)) {
    if (pageOwn(mm, vma, page, pteSlot(mm, page), entry) != FaultResult.RESOLVED) return -Errno.NOMEM;
    rightsRestore(mm, vma, page);
    entry = entryOf(mm, page);
  }
  const pa = (entry & PTE_ADDRESS) + (va & PAGE_MASK);
  physStore8(pa, (physLoad8(pa) & keep) ^ flip);
  return 0;
}

/** The page's own copy is writable as after a fault; in an area that may not be written it is not (C1). */
function rightsRestore(mm: AddressSpace, vma: Vma, page: u64): void {
  if (vma.flags & VmFlag.WRITE) return;
  const slot = pteSlot(mm, page);
  physStore64(slot, physLoad64(slot) & ~<u64>Pte.WRITE);
  tlbFlushPage(mm, page);
}

function entryOf(mm: AddressSpace, page: u64): u64 {
  const slot = pteSlot(mm, page);
  return slot != 0 ? physLoad64(slot) : 0;
}

/** A byte of `region` that is in memory now, chosen by `random`; `sp`: the program's stack pointer. 0 when there is none. */
export function mmRegionPick(mm: AddressSpace, region: u32, sp: u64, random: u64): u64 {
  mmLock(mm);
  const count = pageNth(mm, region, sp, COUNT_ALL);
  const page = count != 0 ? pageNth(mm, region, sp, <u32>((random >> 32) % count)) : 0;
  mmUnlock(mm);
  if (page == 0) return 0;
  if (region != <u32>FlipRegion.STACK) return page + (random & PAGE_MASK);
  const low = max(page, sp);
  return low + random % (page + PAGE_SIZE - low);
}

/** Address of the `n`th present page of the region, or with COUNT_ALL how many there are. */
function pageNth(mm: AddressSpace, region: u32, sp: u64, n: u32): u64 {
  let seen: u32 = 0;
  for (let at = mm.first; at; at = vmaOf(at).next) {
    const vma = vmaOf(at);
    if (!isOfRegion(vma, region)) continue;
    const start = region == <u32>FlipRegion.STACK ? max(vma.start, sp & ~PAGE_MASK) : vma.start;
    const end = region == <u32>FlipRegion.STACK ? min(vma.end, sp + STACK_REACH) : vma.end;
    for (let va = start; va < end; va += PAGE_SIZE) {
      if ((entryOf(mm, va) & (Pte.PRESENT | Pte.SPECIAL)) != <u64>Pte.PRESENT) continue;
      if (seen++ == n) return va;
    }
  }
  return n == COUNT_ALL ? seen : 0;
}

function isOfRegion(vma: Vma, region: u32): bool {
  const flags = vma.flags;
  if (flags & (VmFlag.SPECIAL | VmFlag.IO) || !(flags & VmFlag.PROT)) return false;
  const isShared = (flags & VmFlag.SHARED) != 0;
  const isOfFile = vma.file != 0 && !isShared;
  switch (region) {
    case FlipRegion.TEXT: return isOfFile && (flags & VmFlag.EXEC) != 0;
    case FlipRegion.DATA: return isOfFile && !(flags & VmFlag.EXEC);
    case FlipRegion.STACK: return (flags & VmFlag.STACK) != 0;
    case FlipRegion.HEAP: return vma.file == 0 && !isShared && !(flags & VmFlag.STACK);
    case FlipRegion.SHARED: return isShared;
    default: return false;
  }
}
