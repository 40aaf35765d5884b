/**
 * Second-level page tables: what a device's addresses mean.
 *
 * Invariants  T1  an entry is present exactly when it has READ or WRITE; entries of upper levels have both.
 *             T2  a table once made stays until tableFree: leaves come and go, so a reserved range never needs memory.
 * Locking     iommuLock (domain.ts).
 * Units       iova: the device's address; pa: physical address; both of whole pages. levels: 3 (39 bits) or 4 (48 bits).
 * Spec        Intel VT-d, 3.7 "Second-Level Translation", 9.8 "Second-Level Paging Entries".
 */
import { physFlush, physLoad64, physStore64 } from "../../../../arch/current";
import { pageAllocZeroed } from "../../../core/mm/buddy";
import { framePut, paToPfn, pfnToPa } from "../../../core/mm/frame";
import { Access, TABLE_ADDRESS } from "./regs";

const ENTRIES: u64 = 512;
const PRESENT: u64 = Access.READ | Access.WRITE;
const TABLE_BYTES: u64 = 0x200000;
const LINE: u64 = 64;

/** Written once at boot: a unit reads tables past the processor's caches. */
let mustFlush: bool = false;

/** From now on every entry is written back to memory at once. */
export function tableFlushNeeded(): void { mustFlush = true; }

/** Stores one word of a structure that units read. */
export function tableStore(pa: u64, value: u64): void {
  physStore64(pa, value);
  if (mustFlush) physFlush(pa);
}

/** A cleared page for a structure that units read; 0 when memory is full. */
export function tableMake(): u64 {
  const pa = pfnToPa(pageAllocZeroed());
  if (pa != 0 && mustFlush) for (let at: u64 = 0; at < 4096; at += LINE) physFlush(pa + at);
  return pa;
}

function slotOf(table: u64, iova: u64, level: u32): u64 {
  return table + ((iova >> (12 + 9 * <u64>(level - 1))) & (ENTRIES - 1)) * 8;
}

/** Where the leaf entry of `iova` is; 0 when a table above it is missing and none is to be made, or memory is full. */
function leafOf(root: u64, levels: u32, iova: u64, make: bool): u64 {
  let table = root;
  for (let level = levels; level > 1; level--) {
    const slot = slotOf(table, iova, level);
    let entry = physLoad64(slot);
    if (entry == 0) {
      const next = make ? tableMake() : 0;
      if (next == 0) return 0;
      entry = next | PRESENT;
      tableStore(slot, entry);
    }
    table = entry & TABLE_ADDRESS;
  }
  return slotOf(table, iova, 1);
}

/** Makes the tables of [iova, iova + bytes): later maps there cannot fail. False when memory is full. */
export function tableReserve(root: u64, levels: u32, iova: u64, bytes: u64): bool {
  for (let at: u64 = 0; at < bytes; at += 4096) if (leafOf(root, levels, iova + at, true) == 0) return false;
  return true;
}

/** Lets the device reach page `pa` at `iova` in the ways of `access` (Access bits); false when memory is full. */
export function tableMap(root: u64, levels: u32, iova: u64, pa: u64, access: u32): bool {
  const slot = leafOf(root, levels, iova, true);
  if (slot == 0) return false;
  tableStore(slot, pa | access);
  return true;
}

/** Takes the pages of [iova, iova + bytes) away; what a unit remembers of them is the caller's to forget. */
export function tableUnmap(root: u64, levels: u32, iova: u64, bytes: u64): void {
  const end = iova + bytes;
  for (let at = iova; at < end; ) {
    const stop = min<u64>(end, (at & ~(TABLE_BYTES - 1)) + TABLE_BYTES); // of what one table maps
    const first = leafOf(root, levels, at, false);
    if (first != 0) for (let slot = first; slot < first + ((stop - at) >> 9); slot += 8) if (physLoad64(slot) != 0) tableStore(slot, 0);
    at = stop;
  }
}

/** Gives every table back. No unit may know of `root` any more. */
export function tableFree(root: u64, levels: u32): void {
  if (levels == 3) return table3Free(root);
  for (let i: u64 = 0; i < ENTRIES; i++) {
    const below = tableBelow(root, i);
    if (below != 0) table3Free(below);
  }
  framePut(paToPfn(root));
}

function table3Free(table: u64): void {
  for (let i: u64 = 0; i < ENTRIES; i++) {
    const below = tableBelow(table, i);
    if (below != 0) table2Free(below);
  }
  framePut(paToPfn(table));
}

function table2Free(table: u64): void {
  for (let i: u64 = 0; i < ENTRIES; i++) {
    const below = tableBelow(table, i);
    if (below != 0) framePut(paToPfn(below));
  }
  framePut(paToPfn(table));
}

function tableBelow(table: u64, index: u64): u64 { return physLoad64(table + index * 8) & TABLE_ADDRESS; }
