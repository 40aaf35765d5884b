/**
 * The kernel's own mappings in the linear window: frame table, heap chunks, kernel stacks.
 *
 * The tables below the top two slots of the PML4 are shared by all address spaces, so one edit shows everywhere.
 *
 * Invariants  K1  everything mapped here is writable, never executable, global.
 * Locking     kernelMapLock (Rank.HEAP + 1) guards the tables from PDPT down to PT.
 * Spec        SDM vol. 3, 5.5 (4-level paging).
 */
import { invlpg, linearBase, physLoad64, physStore64, physZero } from "../../../arch/current";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";
import { Rank } from "../../lib/lock-rank";
import { pageAlloc } from "./buddy";
import { earlyPageAlloc } from "./early-memory";
import { pfnToPa } from "./frame-table";
import { PAGE_SIZE } from "./layout";
import { PTE_ADDRESS, PTE_NX, Pte } from "./pte";

const KERNEL_MAP_LOCK = changetype<SpinLock>(memory.data(offsetof<SpinLock>()));
/** Size of a large page. */
export const LARGE_PAGE: u32 = 0x200000;
const LEAF: u64 = Pte.PRESENT | Pte.WRITE | Pte.ACCESSED | Pte.DIRTY | Pte.GLOBAL | PTE_NX;

let kernelRootPa: u64 = 0;
let isEarly: bool = true;
let noExecute: u64 = 0;

/** Names the kernel's PML4; until kernelMapReady, page tables come from the early allocator. */
export function kernelMapInit(pml4Pa: u64, hasNx: bool): void {
  spinInit(KERNEL_MAP_LOCK, Rank.HEAP + 1);
  kernelRootPa = pml4Pa;
  noExecute = hasNx ? PTE_NX : 0;
  isEarly = true;
}

/** From now on page tables come from the page allocator. */
export function kernelMapReady(): void {
  isEarly = false;
}

/** The no-execute bit of entries, 0 on a CPU without it. */
export function kernelNoExecute(): u64 {
  return noExecute;
}

/** Physical address of the kernel's PML4. */
export function kernelRoot(): u64 {
  return kernelRootPa;
}

function tablePageTake(): u64 {
  const pa = isEarly ? earlyPageAlloc() : pfnToPa(pageAlloc());
  if (pa) physZero(pa, PAGE_SIZE);
  return pa;
}

/** The entry of `va` in the table of `level` (4 = PML4 … 1 = PT), tables above made on demand; 0 when out of memory. */
function entryOf(va: u64, level: u32): u64 {
  let table = kernelRootPa;
  for (let at: u32 = 4; at > level; at--) {
    const slot = table + (((va >> (12 + (at - 1) * 9)) & 511) << 3);
    let entry = physLoad64(slot);
    if (!(entry & Pte.PRESENT)) {
      const made = tablePageTake();
      if (!made) return 0;
      entry = made | Pte.PRESENT | Pte.WRITE | Pte.ACCESSED;
      physStore64(slot, entry);
    }
    assert(!(entry & Pte.LARGE));
    table = entry & PTE_ADDRESS;
  }
  return table + (((va >> (12 + (level - 1) * 9)) & 511) << 3);
}

function leafSet(linear: usize, pa: u64, level: u32, bits: u64): bool {
  spinLock(KERNEL_MAP_LOCK);
  const slot = entryOf(linearBase() + <u64>linear, level);
  if (slot) physStore64(slot, pa | bits);
  spinUnlock(KERNEL_MAP_LOCK);
  return slot != 0;
}

/** Maps one 4 KiB page at linear address `linear`; false when a page table is missing and memory is full. */
export function kernelMapPage(linear: usize, pa: u64): bool {
  return leafSet(linear, pa, 1, (LEAF & ~PTE_NX) | noExecute);
}

/** Maps one 2 MiB page. */
export function kernelMapLarge(linear: usize, pa: u64): bool {
  return leafSet(linear, pa, 2, (LEAF & ~PTE_NX) | noExecute | Pte.LARGE);
}

/**
 * Removes the 4 KiB page at `linear` on this CPU; the physical address it had. Other CPUs keep it in their TLBs
 * until the caller flushes them (tlbFlushKernel).
 */
export function kernelUnmapPage(linear: usize): u64 {
  const va = linearBase() + <u64>linear;
  spinLock(KERNEL_MAP_LOCK);
  const slot = entryOf(va, 1);
  const pa = physLoad64(slot) & PTE_ADDRESS;
  physStore64(slot, 0);
  spinUnlock(KERNEL_MAP_LOCK);
  invlpg(va);
  return pa;
}

/** Removes the 2 MiB page at `linear`, as kernelUnmapPage; 0 and nothing done when single pages are mapped there. */
export function kernelUnmapLarge(linear: usize): u64 {
  const va = linearBase() + <u64>linear;
  spinLock(KERNEL_MAP_LOCK);
  const slot = entryOf(va, 2);
  const entry = physLoad64(slot);
  const isLarge = (entry & Pte.LARGE) != 0;
  if (isLarge) physStore64(slot, 0);
  spinUnlock(KERNEL_MAP_LOCK);
  if (isLarge) invlpg(va);
  return isLarge ? entry & PTE_ADDRESS & ~(<u64>LARGE_PAGE - 1) : 0;
}

/** Unhooks the page table, empty again, that served the 2 MiB at `linear`; its physical address, 0 when there is none. */
export function kernelUnmapTable(linear: usize): u64 {
  spinLock(KERNEL_MAP_LOCK);
  const slot = entryOf(linearBase() + <u64>linear, 2);
  const entry = physLoad64(slot);
  const isTable = (entry & (Pte.PRESENT | Pte.LARGE)) == Pte.PRESENT;
  if (isTable) physStore64(slot, 0);
  spinUnlock(KERNEL_MAP_LOCK);
  return isTable ? entry & PTE_ADDRESS : 0;
}
