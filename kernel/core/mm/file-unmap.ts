/**
 * What is taken from everybody who maps pages of a file: the pages, when it was truncated; the right to write to them, when they are
 * written back.
 *
 * Locking  takes AddressSpace.lock of each space in turn; the caller holds no spinlock and no lock that a page fault
 *          takes.
 */
import { rangeUnmapPages } from "./gather";
import { mmNext } from "./mm-life";
import { mmLock, mmUnlock } from "./mm-lock";
import { AddressSpace, VmFlag, Vma, vmaOf, vmaPages } from "./mm-struct";
import { rangeWriteProtect } from "./protect";

/** What happens to a file's pages, and so to private copies that programs made of them. */
export const enum UnmapKind {
  TRUNCATE = 0, // the file ends before: private copies go too (SIGBUS from now on)
  PUNCH = 1,    // pages are replaced by zeros: private mappings keep what they have
}

/** Beside UnmapKind: pages of shared areas become read-only. */
const PROTECT: u32 = 2;

/** Unmaps pages [first, end) of the file from all areas for whose file `isMeant(file, key)` answers true. */
export function mmFileUnmap(
  key: usize, first: u64, end: u64, kind: u32, isMeant: (file: usize, key: usize) => bool,
): void {
  spacesVisit(key, first, end, kind, isMeant);
}

/** Makes those pages read-only in all its shared areas: who stores to them after this has returned has faulted (X2 of fault.ts). */
export function mmFileProtect(key: usize, first: u64, end: u64, isMeant: (file: usize, key: usize) => bool): void {
  spacesVisit(key, first, end, PROTECT, isMeant);
}

function spacesVisit(key: usize, first: u64, end: u64, kind: u32, isMeant: (file: usize, key: usize) => bool): void {
  let mm = mmNext(null);
  while (mm) {
    mmLock(mm);
    for (let at = mm.first; at; at = vmaOf(at).next) {
      const vma = vmaOf(at);
      if (!vma.file || (kind != UnmapKind.TRUNCATE && !(vma.flags & VmFlag.SHARED))) continue;
      if (isMeant(vma.file, key)) areaVisitPart(mm, vma, first, end, kind);
    }
    mmUnlock(mm);
    mm = mmNext(mm);
  }
}

function areaVisitPart(mm: AddressSpace, vma: Vma, first: u64, end: u64, kind: u32): void {
  const from = max(first, vma.pgoff);
  const to = min(end, vma.pgoff + vmaPages(vma));
  if (from >= to) return;
  const start = vma.start + ((from - vma.pgoff) << 12);
  const top = vma.start + ((to - vma.pgoff) << 12);
  if (kind == PROTECT) rangeWriteProtect(mm, start, top);
  else rangeUnmapPages(mm, start, top);
}
