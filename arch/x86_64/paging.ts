/**
 * The kernel half of the page tables after boot: all RAM in the direct map, devices uncached, no identity map.
 *
 * boot.S mapped the first 4 GiB with 2 MiB pages. The tables it built stay in use; this file edits them.
 *
 * Invariants  M1  the direct map is one PDPT of 512 GiB; its PML4 slot is never executable.
 *             M2  below 4 GiB, what lies above the last RAM is mapped uncached (device registers).
 * Locking     boot CPU only, before others run; directMapDevice later under the lock of its caller.
 * Spec        SDM vol. 3A, 4.5 "4-Level Paging", 11.12 "Page Attribute Table".
 */
import {
  ImageSymbol, imageAddress, physLoad64, physStore64, readCr4, writeCr4, wrmsr, invlpg, linearBase,
} from "./intrinsics";

const PRESENT: u64 = 1;
const WRITE: u64 = 2;
const WRITE_THROUGH: u64 = 8;   // PAT entry 1: write combining, as patInitCpu has it
const CACHE_DISABLE: u64 = 16;
const LARGE: u64 = 128;
const GLOBAL: u64 = 256;
const ADDRESS: u64 = 0x000ffffffffff000;
const DIRECT_SLOT: u64 = 273;   // 0xffff888000000000 >> 39 & 511
const LARGE_PAGE: u64 = 0x200000;
const GIB: u64 = 0x40000000;
const BOOT_LIMIT: u64 = 4 * GIB; // what boot.S mapped
const DIRECT_LIMIT: u64 = 512 * GIB;
const CR4_PGE: u64 = 128;
const IA32_PAT: u32 = 0x277;
const PAT_VALUE: u64 = 0x0007040600070106; // WB, WC, UC-, UC, WB, WT, UC-, UC

/** How a device range is cached. */
export const enum DeviceCache { UNCACHED = 0, WRITE_COMBINING = 1 }

/** Gives PAT entry 1 the type write combining, on this CPU. */
export function patInitCpu(): void {
  wrmsr(IA32_PAT, PAT_VALUE);
}

/** Drops every translation of this CPU, global ones too. */
export function tlbFlushAllLocal(): void {
  const cr4 = readCr4();
  writeCr4(cr4 & ~CR4_PGE);
  writeCr4(cr4);
}

function pml4(): u64 {
  return imageAddress(ImageSymbol.BOOT_PML4_PA);
}

function directPdpt(): u64 {
  return physLoad64(pml4() + DIRECT_SLOT * 8) & ADDRESS;
}

/**
 * Maps RAM up to `endPa` into the direct map, by 1 GiB pages when the CPU has them, else by tables from `pageTake`
 * (0: memory is full). RAM beyond what could be mapped is unusable: the new end is returned.
 */
export function directMapExtend(endPa: u64, hasPage1g: bool, pageTake: () => u64): u64 {
  const end = min<u64>(endPa, DIRECT_LIMIT);
  for (let pa = BOOT_LIMIT; pa < end; pa += GIB) {
    if (!directGibMap(pa, hasPage1g, pageTake)) return pa;
  }
  return max<u64>(end, BOOT_LIMIT);
}

function directGibMap(pa: u64, hasPage1g: bool, pageTake: () => u64): bool {
  const slot = directPdpt() + (pa >> 30) * 8;
  if (physLoad64(slot) & PRESENT) return true;
  if (hasPage1g) {
    physStore64(slot, pa | PRESENT | WRITE | LARGE | GLOBAL);
    return true;
  }
  const table = pageTake();
  if (table == 0) return false;
  for (let i: u64 = 0; i < 512; i++) physStore64(table + i * 8, (pa + i * LARGE_PAGE) | PRESENT | WRITE | LARGE | GLOBAL);
  physStore64(slot, table | PRESENT | WRITE);
  return true;
}

/** Makes [pa, pa + size), registers or a framebuffer, reachable by phys* with the caching asked for; false above 512 GiB. */
export function directMapDevice(pa: u64, size: u64, cache: u32, pageTake: () => u64): bool {
  if (pa + size > DIRECT_LIMIT || pa + size < pa) return false;
  const bits = cache == DeviceCache.WRITE_COMBINING ? WRITE_THROUGH : CACHE_DISABLE | WRITE_THROUGH;
  for (let at = pa & ~(LARGE_PAGE - 1); at < pa + size; at += LARGE_PAGE) {
    if (!directGibMap(at & ~(GIB - 1), false, pageTake)) return false;
    const entry = physLoad64(directPdpt() + (at >> 30) * 8);
    if (entry & LARGE) return false; // a 1 GiB page holds RAM: no device lies there
    physStore64((entry & ADDRESS) + ((at >> 21) & 511) * 8, at | PRESENT | WRITE | LARGE | GLOBAL | bits);
  }
  tlbFlushAllLocal();
  return true;
}

/** Marks everything from `ramEnd` to 4 GiB uncached (M2). */
export function directMapUncacheAbove(ramEnd: u64): void {
  const pdpt = directPdpt();
  for (let pa = (ramEnd + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1); pa < BOOT_LIMIT; pa += LARGE_PAGE) {
    const slot = (physLoad64(pdpt + (pa >> 30) * 8) & ADDRESS) + ((pa >> 21) & 511) * 8;
    physStore64(slot, physLoad64(slot) | CACHE_DISABLE | WRITE_THROUGH);
  }
  tlbFlushAllLocal();
}

/** Maps the low 4 GiB at their physical addresses, for processors on their way out of real mode; or removes that. */
export function identityMap(): void {
  physStore64(pml4(), directPdpt() | PRESENT | WRITE);
}

export function identityUnmap(): void {
  physStore64(pml4(), 0);
  tlbFlushAllLocal();
}

/** Takes away the page below the boot stack: an overflow faults instead of writing into static data. */
export function bootStackGuard(): void {
  const va = linearBase() + imageAddress(ImageSymbol.BOOT_STACK_GUARD);
  physStore64(pageSlot(va), 0);
  invlpg(va);
}

/** Makes one page of the image read-only. */
export function imagePageProtect(va: u64): void {
  const slot = pageSlot(va);
  physStore64(slot, physLoad64(slot) & ~WRITE);
  invlpg(va);
}

/** Physical address of the page-table entry of `va`, which boot.S mapped by a 4 KiB page. */
function pageSlot(va: u64): u64 {
  let table = pml4();
  for (let shift: u64 = 39; shift > 12; shift -= 9) table = physLoad64(table + ((va >> shift) & 511) * 8) & ADDRESS;
  return table + ((va >> 12) & 511) * 8;
}
