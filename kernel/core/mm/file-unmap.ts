/**
 * Truncation of mapped files: pages beyond the new end leave every address space that shows them.
 *
 * Locking  takes AddressSpace.lock of each space in turn; the caller holds no spinlock and no lock that a page fault
 *          takes.
 */
import { rangeUnmapPages } from "./gather";
import { mmNext } from "./mm-life";
import { mmLock, mmUnlock } from "./mm-lock";
import { AddressSpace, Vma, vmaOf, vmaPages } from "./mm-struct";

/** Unmaps pages `first` and above of all areas whose file answers true to `isMeant(file, key)`. */
export function mmFileUnmap(key: usize, first: u64, isMeant: (file: usize, key: usize) => bool): void {
  let mm = mmNext(null);
  while (mm) {
    mmLock(mm);
    for (let at = mm.first; at; at = vmaOf(at).next) {
      const vma = vmaOf(at);
      if (vma.file && isMeant(vma.file, key)) areaUnmapFrom(mm, vma, first);
    }
    mmUnlock(mm);
    mm = mmNext(mm);
  }
}

function areaUnmapFrom(mm: AddressSpace, vma: Vma, first: u64): void {
  if (first >= vma.pgoff + vmaPages(vma)) return;
  const start = first <= vma.pgoff ? vma.start : vma.start + ((first - vma.pgoff) << 12);
  rangeUnmapPages(mm, start, vma.end);
}
