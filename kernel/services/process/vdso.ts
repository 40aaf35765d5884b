/**
 * The vDSO in a program's address space: one data page, then the image (arch/x86_64/vdso/vdso.c).
 *
 * Locking  the data page is written under a sequence count by vdsoUpdate, whose callers are serialised by the clock's.
 * Units    pa, va; the layout of the data page is `struct vvar` of vdso.c.
 */
import {
  ImageSymbol, imageAddress, physCopy, physLoad32, physStore32, physStore64, physZero,
} from "../../../arch/current";
import { TIMEKEEPER } from "../../../arch/x86_64/timer";
import { pageAlloc } from "../../core/mm/buddy";
import { pfnToPa } from "../../core/mm/frame-table";
import { mmMapSpecial } from "../../core/mm/mmap";
import { AddressSpace } from "../../core/mm/mm-struct";
import { clockOnSet, clockRealOffsetNs } from "../../core/time/clock";

const PAGE: u32 = 4096;
const MAX_PAGES: u32 = 8;
const PROT_READ_EXEC: u32 = 5;

// struct vvar
const SEQUENCE: u64 = 0;
const IS_TSC_USABLE: u64 = 4;
const TSC_BASE: u64 = 8;
const MULT: u64 = 16;
const REAL_OFFSET_NS: u64 = 24;

const PFNS: usize = memory.data(8 * 4); // the data page, then the image's pages
let pageCount: u32 = 0;

/** Copies the image out of the kernel's; after the clock is set. False when memory is full or there is no image. */
export function vdsoInit(): bool {
  const image = imageAddress(ImageSymbol.VDSO_VA);
  const imagePages = <u32>((imageAddress(ImageSymbol.VDSO_END_VA) - image) / PAGE);
  if (imagePages == 0 || imagePages >= MAX_PAGES) return false;
  for (let i: u32 = 0; i <= imagePages; i++) {
    const pfn = pageAlloc();
    if (pfn == 0) return false;
    store<u32>(PFNS + (i << 2), pfn);
    if (i == 0) physZero(pfnToPa(pfn), PAGE);
    else physCopy(pfnToPa(pfn), image - imageAddress(ImageSymbol.KERNEL_OFFSET) + (i - 1) * PAGE, PAGE);
  }
  pageCount = imagePages + 1;
  clockOnSet(vdsoUpdate);
  vdsoUpdate();
  return true;
}

/** Publishes the clock's parameters. */
export function vdsoUpdate(): void {
  if (pageCount == 0) return;
  const page = pfnToPa(load<u32>(PFNS));
  const sequence = physLoad32(page + SEQUENCE);
  physStore32(page + SEQUENCE, sequence + 1);
  physStore64(page + TSC_BASE, TIMEKEEPER.tscBase);
  physStore64(page + MULT, TIMEKEEPER.mult);
  physStore64(page + REAL_OFFSET_NS, clockRealOffsetNs());
  physStore32(page + IS_TSC_USABLE, TIMEKEEPER.mult != 0 ? 1 : 0);
  physStore32(page + SEQUENCE, sequence + 2);
}

/** Maps data page and image into `mm`; the image's address (AT_SYSINFO_EHDR), or 0 when there is none. */
export function vdsoMap(mm: AddressSpace): u64 {
  if (pageCount == 0) return 0;
  const va = mmMapSpecial(mm, PFNS, pageCount, PROT_READ_EXEC, "[vdso]");
  return va < 0 ? 0 : <u64>va + PAGE;
}
