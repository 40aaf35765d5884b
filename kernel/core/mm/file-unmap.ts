/**
 * Truncation of mapped files: pages beyond the new end leave every address space that shows them.
 *
 * Locking  takes AddressSpace.lock of each space in turn; the caller holds no spinlock and no lock that a page fault
 *          takes.
 */
import { rangeUnmapPages } from "./gather";
import { mmNext } from "./mm-life";
import { mmLock, mmUnlock } from "./mm-lock";
import { AddressSpace, VmFlag, Vma, vmaOf, vmaPages } from "./mm-struct";

/** What happens to a file's pages, and so to private copies that programs made of them. */
export const enum UnmapKind {
  TRUNCATE = 0, // the file ends before: private copies go too (SIGBUS from now on)
  PUNCH = 1,    // pages are replaced by zeros: private mappings keep what they have
}

/** Unmaps pages [first, end) of the file from all areas for whose file `isMeant(file, key)` answers true. */
export function mmFileUnmap(
  key: usize, first: u64, end: u64, kind: u32, isMeant: (file: usize, key: usize) => bool,
): void {
  let mm = mmNext(null);
  while (mm) {
    mmLock(mm);
    for (let at = mm.first; at; at = vmaOf(at).next) {
      const vma = vmaOf(at);
      if (!vma.file || (kind == UnmapKind.PUNCH && !(vma.flags & VmFlag.SHARED))) continue;
      if (isMeant(vma.file, key)) areaUnmapPart(mm, vma, first, end);
    }
    mmUnlock(mm);
    mm = mmNext(mm);
  }
}

function areaUnmapPart(mm: AddressSpace, vma: Vma, first: u64, end: u64): void {
  const from = max(first, vma.pgoff);
  const to = min(end, vma.pgoff + vmaPages(vma));
  if (from >= to) return;
  rangeUnmapPages(mm, vma.start + ((from - vma.pgoff) << 12), vma.start + ((to - vma.pgoff) << 12));
}
