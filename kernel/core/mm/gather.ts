/**
 * Taking mappings away: clears entries, and frees frames and empty tables only when no CPU can reach them any more.
 *
 * Frames wait in this CPU's gather buffer until every CPU that could reach them has been flushed: even when no other one has the
 * tables loaded, a thread of the same program may start on one in the middle of it. The kernel is not preempted and nothing sleeps
 * between gatherBegin and gatherEnd, so one buffer for each CPU is enough.
 *
 * Invariants  G1  an entry in the buffer is pfn << 1, plus 1 for a table page.
 * Locking     AddressSpace.lock of the space being changed.
 */
import { physLoad64, physStore64, physXchg64 } from "../../../arch/current";
import { thisCpu } from "../sched/cpu";
import { frameOf, framePut, paToPfn } from "./frame";
import { AddressSpace } from "./mm-struct";
import { tableCountAdd, tableFree } from "./page-table";
import { PTE_ADDRESS, Pte } from "./pte";
import { tlbFlushMm, tlbFlushRange, tlbIsLocal } from "./tlb";

const GATHER_MAX: u32 = 250;

@final @unmanaged
class Gather {
  mm: u32;
  isLocal: u32;  // no other CPU had the tables loaded at the beginning: entries are cleared by plain stores
  count: u32;
  hasWork: u32;  // something was cleared: TLBs must be flushed
  anon: u32;     // pages taken out of rssAnon
  file: u32;     // pages taken out of rssFile
  entries: u32;  // G1; 250 words follow
}
const GATHER_BYTES: usize = 1024;
const GATHERS: usize = memory.data(64 * 1024, 64);

function gatherOf(): Gather {
  return changetype<Gather>(GATHERS + thisCpu().id * GATHER_BYTES); // SAFETY: cpu id < MAX_CPUS
}

/** Starts to take mappings out of `mm`. */
export function gatherBegin(mm: AddressSpace): void {
  const gather = gatherOf();
  gather.mm = <u32>changetype<usize>(mm);
  gather.isLocal = tlbIsLocal(mm) ? 1 : 0;
  gather.count = 0;
  gather.hasWork = 0;
  gather.anon = 0;
  gather.file = 0;
}

function gatherRelease(gather: Gather): void {
  const base = changetype<usize>(gather) + offsetof<Gather>("entries");
  for (let i: u32 = 0; i < gather.count; i++) {
    const entry = load<u32>(base + (<usize>i << 2));
    if (entry & 1) tableFree(entry >> 1);
    else framePut(entry >> 1);
  }
  gather.count = 0;
}

function gatherAdd(gather: Gather, entry: u32): void {
  if (gather.count == GATHER_MAX) {
    tlbFlushMm(changetype<AddressSpace>(<usize>gather.mm)); // SAFETY: set by gatherBegin
    gatherRelease(gather);
  }
  store<u32>(changetype<usize>(gather) + offsetof<Gather>("entries") + (<usize>gather.count << 2), entry);
  gather.count++;
}

/** Flushes [start, end) where something was cleared, and frees what was taken out. */
export function gatherEnd(mm: AddressSpace, start: u64, end: u64): void {
  const gather = gatherOf();
  mm.peakRss = max<u64>(mm.peakRss, mm.rssAnon + mm.rssFile);
  mm.rssAnon -= gather.anon;
  mm.rssFile -= gather.file;
  if (gather.hasWork) tlbFlushRange(mm, start, end);
  gatherRelease(gather);
}

/** Ends a gathering whose address space is dead and loaded on no CPU. */
export function gatherEndDead(): void {
  gatherRelease(gatherOf());
}

/** Clears the entries of [va, end), which one PT covers. */
function ptZap(gather: Gather, table: u64, va: u64, end: u64): void {
  const frame = frameOf(paToPfn(table));
  const last = table + (((end - 1) >> 9) & 0xff8);
  for (let slot = table + ((va >> 9) & 0xff8); slot <= last; slot += 8) {
    const entry = physLoad64(slot);
    if (!entry) continue;
    if (gather.isLocal) physStore64(slot, 0);
    else physXchg64(slot, 0);
    gather.hasWork = 1;
    if (!(entry & Pte.SPECIAL)) {
      if (entry & Pte.ANON) gather.anon++;
      else gather.file++;
      gatherAdd(gather, paToPfn(entry & PTE_ADDRESS) << 1);
    }
    frame.link--;
    if (!frame.link) return;
  }
}

/** Unhooks the table at `slot` when it has become empty. */
function tableDrop(gather: Gather, slot: u64, table: u64): void {
  if (frameOf(paToPfn(table)).link) return;
  physStore64(slot, 0);
  tableCountAdd(slot, -1);
  gather.hasWork = 1;
  gatherAdd(gather, (paToPfn(table) << 1) | 1);
}

function pdZap(gather: Gather, table: u64, start: u64, end: u64): void {
  const frame = frameOf(paToPfn(table));
  let va = start;
  while (va < end && frame.link) {
    const next = min((va | 0x1fffff) + 1, end);
    const slot = table + ((va >> 18) & 0xff8);
    const entry = physLoad64(slot);
    if (entry & Pte.PRESENT) {
      ptZap(gather, entry & PTE_ADDRESS, va, next);
      tableDrop(gather, slot, entry & PTE_ADDRESS);
    }
    va = next;
  }
}

function pdptZap(gather: Gather, table: u64, start: u64, end: u64): void {
  const frame = frameOf(paToPfn(table));
  let va = start;
  while (va < end && frame.link) {
    const next = min((va | 0x3fffffff) + 1, end);
    const slot = table + ((va >> 27) & 0xff8);
    const entry = physLoad64(slot);
    if (entry & Pte.PRESENT) {
      pdZap(gather, entry & PTE_ADDRESS, va, next);
      tableDrop(gather, slot, entry & PTE_ADDRESS);
    }
    va = next;
  }
}

/** Clears all entries of [start, end) and unhooks tables that become empty; between gatherBegin and gatherEnd. */
export function rangeZap(mm: AddressSpace, start: u64, end: u64): void {
  const gather = gatherOf();
  let va = start;
  while (va < end) {
    const next = min((va | 0x7fffffffff) + 1, end);
    const slot = mm.rootPa + ((va >> 36) & 0xff8);
    const entry = physLoad64(slot);
    if (entry & Pte.PRESENT) {
      pdptZap(gather, entry & PTE_ADDRESS, va, next);
      tableDrop(gather, slot, entry & PTE_ADDRESS);
    }
    va = next;
  }
}

/** Takes every page of [start, end) out of `mm` and flushes. */
export function rangeUnmapPages(mm: AddressSpace, start: u64, end: u64): void {
  gatherBegin(mm);
  rangeZap(mm, start, end);
  gatherEnd(mm, start, end);
}
