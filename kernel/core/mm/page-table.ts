/**
 * The user half of page tables: finding and making entries, and the pages they live in.
 *
 * Table pages that become empty are all zero again, so they are kept in a cache for each CPU and never cleared twice.
 *
 * Invariants  T1  Frame.link of a table page counts its present entries (of a PML4: the user half's).
 *             T2  a cached table page is all zero (a PML4: but for the kernel half, which is the same everywhere).
 *             T3  TABLES.cached pages count as free memory (freeHeldAdd).
 * Locking     AddressSpace.lock for tables in use; caches belong to their CPU.
 * Spec        SDM vol. 3, 5.5 (4-level paging).
 */
import { physCopy, physLoad64, physStore64, physZero } from "../../../arch/current";
import { thisCpu } from "../sched/cpu";
import { freeHeldAdd, pageAlloc, pageFree } from "./buddy";
import { FrameFlag, frameOf, paToPfn, pfnToPa } from "./frame-table";
import { kernelRoot } from "./kernel-map";
import { PAGE_SIZE } from "./layout";
import { AddressSpace } from "./mm-struct";
import { PTE_ADDRESS, Pte } from "./pte";

const TABLE_BITS: u64 = Pte.PRESENT | Pte.WRITE | Pte.USER | Pte.ACCESSED;
const HALF_PAGE: u32 = 2048;
const CACHE_MAX: u32 = 32;

@final @unmanaged
class TableCache {
  head: u32;      // zeroed tables, chained through Frame.link
  count: u32;
  rootHead: u32;  // PML4s with an empty user half
  rootCount: u32;
}
const CACHES: usize = memory.data(64 * 16, 64);

function cacheOf(): TableCache {
  return changetype<TableCache>(CACHES + (<usize>thisCpu().id << 4)); // SAFETY: cpu id < MAX_CPUS
}

export function pageTableInit(): void {
  memory.fill(CACHES, 0, 64 * 16);
}

function tablePageFresh(): u32 {
  const pfn = pageAlloc();
  if (!pfn) return 0;
  frameOf(pfn).flags = <u8>(FrameFlag.RAM | FrameFlag.PAGE_TABLE);
  return pfn;
}

function tableAlloc(): u32 {
  const cache = cacheOf();
  const pfn = cache.head;
  if (!pfn) {
    const fresh = tablePageFresh();
    if (fresh) physZero(pfnToPa(fresh), PAGE_SIZE);
    return fresh;
  }
  const frame = frameOf(pfn);
  cache.head = frame.link;
  cache.count--;
  frame.link = 0;
  freeHeldAdd(-1);
  return pfn;
}

function tableRelease(pfn: u32): void {
  frameOf(pfn).flags = <u8>FrameFlag.RAM;
  pageFree(pfn);
}

/** Takes back a table page, empty again (T2). */
export function tableFree(pfn: u32): void {
  const frame = frameOf(pfn);
  assert(frame.link == 0); // T1
  const cache = cacheOf();
  if (cache.count >= CACHE_MAX) {
    tableRelease(pfn);
    return;
  }
  frame.link = cache.head;
  cache.head = pfn;
  cache.count++;
  freeHeldAdd(1);
}

/** A PML4 whose user half is empty and whose kernel half is the kernel's; its physical address, or 0. */
export function rootAlloc(): u64 {
  const cache = cacheOf();
  let pfn = cache.rootHead;
  if (pfn) {
    const frame = frameOf(pfn);
    cache.rootHead = frame.link;
    cache.rootCount--;
    frame.link = 0;
    freeHeldAdd(-1);
    return pfnToPa(pfn);
  }
  pfn = tablePageFresh();
  if (!pfn) return 0;
  const pa = pfnToPa(pfn);
  physZero(pa, HALF_PAGE);
  physCopy(pa + HALF_PAGE, kernelRoot() + HALF_PAGE, HALF_PAGE);
  return pa;
}

export function rootFree(pa: u64): void {
  const pfn = paToPfn(pa);
  const frame = frameOf(pfn);
  assert(frame.link == 0); // T1: something is still mapped
  const cache = cacheOf();
  if (cache.rootCount >= CACHE_MAX) {
    tableRelease(pfn);
    return;
  }
  frame.link = cache.rootHead;
  cache.rootHead = pfn;
  cache.rootCount++;
  freeHeldAdd(1);
}

/** Gives this CPU's cached tables back to the page allocator (low memory, and tests). */
export function pageTableTrim(): void {
  const cache = cacheOf();
  freeHeldAdd(-<i32>(cache.count + cache.rootCount));
  chainRelease(cache.head);
  chainRelease(cache.rootHead);
  memory.fill(changetype<usize>(cache), 0, offsetof<TableCache>());
}

function chainRelease(head: u32): void {
  let pfn = head;
  while (pfn) {
    const next = frameOf(pfn).link;
    tableRelease(pfn);
    pfn = next;
  }
}

/** Counts one more (+1) or one less (-1) present entry in the table that holds `slot`. */
export function tableCountAdd(slot: u64, delta: i32): void {
  const frame = frameOf(paToPfn(slot));
  frame.link += delta;
}

/** The table that the entry at `slot` names, made when missing; its physical address, or 0 when memory is full. */
function childMake(slot: u64): u64 {
  const entry = physLoad64(slot);
  if (entry & Pte.PRESENT) return entry & PTE_ADDRESS;
  const pfn = tableAlloc();
  if (!pfn) return 0;
  const pa = pfnToPa(pfn);
  physStore64(slot, pa | TABLE_BITS);
  tableCountAdd(slot, 1);
  return pa;
}

/** Physical address of the PT entry of `va`, tables made on demand; 0 when memory is full. */
export function pteSlotMake(mm: AddressSpace, va: u64): u64 {
  const pdpt = childMake(mm.rootPa + ((va >> 36) & 0xff8));
  if (!pdpt) return 0;
  const pd = childMake(pdpt + ((va >> 27) & 0xff8));
  if (!pd) return 0;
  const pt = childMake(pd + ((va >> 18) & 0xff8));
  if (!pt) return 0;
  return pt + ((va >> 9) & 0xff8);
}

/** Physical address of the PT entry of `va`, or 0 when there is no table for it. */
export function pteSlot(mm: AddressSpace, va: u64): u64 {
  const l4 = physLoad64(mm.rootPa + ((va >> 36) & 0xff8));
  if (!(l4 & Pte.PRESENT)) return 0;
  const l3 = physLoad64((l4 & PTE_ADDRESS) + ((va >> 27) & 0xff8));
  if (!(l3 & Pte.PRESENT)) return 0;
  const l2 = physLoad64((l3 & PTE_ADDRESS) + ((va >> 18) & 0xff8));
  if (!(l2 & Pte.PRESENT)) return 0;
  return (l2 & PTE_ADDRESS) + ((va >> 9) & 0xff8);
}

/** The first address after `va` that another PT covers (2 MiB ahead, rounded down). */
export function nextTable(va: u64): u64 {
  return (va | 0x1fffff) + 1;
}

/** The first address at or after `va` for which a PT exists, or `end`; skips what upper tables lack in one step. */
export function tableAtOrAfter(mm: AddressSpace, va: u64, end: u64): u64 {
  let at = va;
  while (at < end) {
    const l4 = physLoad64(mm.rootPa + ((at >> 36) & 0xff8));
    if (!(l4 & Pte.PRESENT)) {
      at = (at | 0x7fffffffff) + 1;
      continue;
    }
    const l3 = physLoad64((l4 & PTE_ADDRESS) + ((at >> 27) & 0xff8));
    if (!(l3 & Pte.PRESENT)) {
      at = (at | 0x3fffffff) + 1;
      continue;
    }
    const l2 = physLoad64((l3 & PTE_ADDRESS) + ((at >> 18) & 0xff8));
    if (l2 & Pte.PRESENT) return at;
    at = (at | 0x1fffff) + 1;
  }
  return end;
}
