/** User memory of any address space, by page: exec's arguments, /proc/PID/mem, ptrace, shared futexes. */
import { physCopyIn, physCopyOut, physLoad64, physZero, physStore8 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { FaultBit, FaultResult, faultLocked } from "./fault";
import { framePut, frameLimit, frameRefInc, paToPfn, pfnToPa } from "./frame";
import { PAGE_MASK, PAGE_SIZE, userRangeOk } from "./layout";
import { mmLock, mmUnlock } from "./mm-lock";
import { AddressSpace } from "./mm-struct";
import { oomHandle } from "./oom";
import { pteSlot } from "./page-table";
import { PTE_ADDRESS, Pte } from "./pte";

/** The frame that an entry allows to be read (or written), 0 when it does not. */
function entryPage(slot: u64, forWrite: u32): u32 {
  if (!slot) return 0;
  const entry = physLoad64(slot);
  if (!(entry & Pte.PRESENT) || (forWrite && !(entry & Pte.WRITE))) return 0;
  const pfn = paToPfn(entry & PTE_ADDRESS);
  return pfn < frameLimit() ? pfn : 0;
}

function pageGetLocked(mm: AddressSpace, va: u64, forWrite: u32): i32 {
  let pfn = entryPage(pteSlot(mm, va), forWrite);
  if (!pfn) {
    const result = faultLocked(mm, va, forWrite ? FaultBit.USER | FaultBit.WRITE : FaultBit.USER);
    if (result == FaultResult.RESOLVED) pfn = entryPage(pteSlot(mm, va), forWrite);
    else if (result >= 0x200) return -Errno.NOMEM;
    if (!pfn) return -Errno.FAULT;
  }
  frameRefInc(pfn);
  return pfn;
}

/**
 * The frame behind `va`, faulted in for reading or writing, with one reference; its pfn, or -FAULT, -NOMEM. Takes
 * the lock of `mm`.
 */
export function mmPageGet(mm: AddressSpace, va: u64, forWrite: u32): i32 {
  if (!userRangeOk(va, 1)) return -Errno.FAULT;
  mmLock(mm);
  let pfn = pageGetLocked(mm, va & ~PAGE_MASK, forWrite);
  mmUnlock(mm);
  if (pfn != -<i32>Errno.NOMEM || !oomHandle()) return pfn;
  mmLock(mm);
  pfn = pageGetLocked(mm, va & ~PAGE_MASK, forWrite);
  mmUnlock(mm);
  return pfn;
}

/** Copies linear `ptr` into `mm` at `va`: 0 or -errno. */
export function mmWriteRemote(mm: AddressSpace, va: u64, ptr: usize, size: u32): i32 {
  let done: u32 = 0;
  while (done < size) {
    const at = va + done;
    const part = min<u32>(size - done, PAGE_SIZE - <u32>(at & PAGE_MASK));
    const pfn = mmPageGet(mm, at, 1);
    if (pfn < 0) return pfn;
    physCopyOut(pfnToPa(pfn) + (at & PAGE_MASK), ptr + done, part);
    framePut(pfn);
    done += part;
  }
  return 0;
}

/** Copies from `mm` at `va` to linear `ptr`: 0 or -errno. */
export function mmReadRemote(mm: AddressSpace, va: u64, ptr: usize, size: u32): i32 {
  let done: u32 = 0;
  while (done < size) {
    const at = va + done;
    const part = min<u32>(size - done, PAGE_SIZE - <u32>(at & PAGE_MASK));
    const pfn = mmPageGet(mm, at, 0);
    if (pfn < 0) return pfn;
    physCopyIn(ptr + done, pfnToPa(pfn) + (at & PAGE_MASK), part);
    framePut(pfn);
    done += part;
  }
  return 0;
}

/** Clears memory of `mm`: 0 or -errno. */
export function mmZeroRemote(mm: AddressSpace, va: u64, size: u64): i32 {
  let at = va;
  const end = va + size;
  while (at < end) {
    const top = min(end, (at | PAGE_MASK) + 1);
    const pfn = mmPageGet(mm, at, 1);
    if (pfn < 0) return pfn;
    bytesZero(pfnToPa(pfn) + (at & PAGE_MASK), <u32>(top - at));
    framePut(pfn);
    at = top;
  }
  return 0;
}

/** physZero wants whole words: the ragged ends go by byte. */
function bytesZero(from: u64, size: u32): void {
  let pa = from;
  const end = from + size;
  while (pa < end && pa & 7) physStore8(pa++, 0);
  const words = <u32>(end - pa) & ~7;
  physZero(pa, words);
  pa += words;
  while (pa < end) physStore8(pa++, 0);
}
