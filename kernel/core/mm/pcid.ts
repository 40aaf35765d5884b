/**
 * Process-context identifiers: a CPU keeps apart the translations of the last few address spaces it ran, so that a return to one
 * of them finds what it knew.
 *
 *   PCID 0       the kernel's own tables
 *   PCID 1 … 6   this CPU's slots: which address space, and how many of its flushes the translations have seen
 *
 * Invariants  P1  what the TLB holds under slot + 1 is true of address space `context` as it was after its flush number `flushes`.
 *             P2  AddressSpace.context is never given twice: a slot of a dead space matches nobody.
 *             P3  entries change, then AddressSpace.flushes grows, then cpuMask is read (tlb.ts); a CPU that comes sets its bit, then
 *                 reads `flushes`: it is asked, or it sees the new number.
 * Locking     a CPU's slots are its own; AddressSpace.flushes is atomic.
 * Spec        SDM vol. 3A, 4.10.1 "Process-Context Identifiers (PCIDs)", 4.10.4.1 "Operations that Invalidate TLBs and
 *             Paging-Structure Caches".
 */
import { cpuHasPcid } from "../../../arch/current";
import { wordAt64, wordPut64 } from "../../lib/bytes";
import { AddressSpace } from "./mm-struct";

const SLOTS: u32 = 6;
/** Bit 63 of a value for CR3: what is known under the PCID stays. */
const KEEP: u64 = 1 << 63;

@final @unmanaged
class PcidSlots {
  current: u32; // slot of the loaded address space
  next: u32;    // slot to give away next
  table: u64;   // SLOTS pairs follow: context, flushes
}
/** By CPU: 128 bytes each. */
const TABLES: usize = memory.data(64 * 128, 64);
/** The context number given last. */
const LAST_CONTEXT: usize = memory.data(8, 8);

let isUsed: bool = false;

/** At boot: from now on each CPU has CR4.PCIDE set when the processor can. */
export function pcidInit(): void {
  isUsed = cpuHasPcid();
}

export function pcidIsUsed(): bool { return isUsed; }

/** A new address space gets its number (P2). */
export function pcidContextAssign(mm: AddressSpace): void {
  mm.context = atomic.add<u64>(LAST_CONTEXT, 1) + 1;
}

function slotsOf(cpu: u32): PcidSlots {
  return changetype<PcidSlots>(TABLES + (<usize>cpu << 7)); // SAFETY: cpu < MAX_CPUS
}
function pairAt(slots: PcidSlots, slot: u32): usize {
  return changetype<usize>(slots) + offsetof<PcidSlots>("table") + (<usize>slot << 4);
}
function flushesPtr(mm: AddressSpace): usize { return changetype<usize>(mm) + offsetof<AddressSpace>("flushes"); }

/** Entries of `mm` have changed: the number of the flush that has to follow. */
export function pcidFlushBegin(mm: AddressSpace): u64 {
  return atomic.add<u64>(flushesPtr(mm), 1) + 1;
}

/** What CPU `cpu` loads into CR3 to run in `mm`; its bit in cpuMask is set (P3). */
export function pcidEnter(cpu: u32, mm: AddressSpace): u64 {
  const slots = slotsOf(cpu);
  const flushes = atomic.load<u64>(flushesPtr(mm));
  let slot: u32 = 0;
  while (slot < SLOTS && wordAt64(pairAt(slots, slot)) != mm.context) slot++;
  if (slot == SLOTS) {
    slot = slots.next;
    slots.next = slot + 1 < SLOTS ? slot + 1 : 0;
  } else if (wordAt64(pairAt(slots, slot) + 8) == flushes) {
    slots.current = slot;
    return mm.rootPa | (slot + 1) | KEEP;
  }
  wordPut64(pairAt(slots, slot), mm.context);
  wordPut64(pairAt(slots, slot) + 8, flushes);
  slots.current = slot;
  return mm.rootPa | (slot + 1);
}

/** True when flush `number` is the next one for what CPU `cpu` runs in: doing it page by page is enough, and counts as done. */
export function pcidStep(cpu: u32, number: u64): bool {
  const slots = slotsOf(cpu);
  const pair = pairAt(slots, slots.current);
  if (wordAt64(pair + 8) + 1 != number) return false;
  wordPut64(pair + 8, number);
  return true;
}

/** What CPU `cpu`, which runs in `mm`, loads into CR3 to forget everything it knows of it. */
export function pcidForget(cpu: u32, mm: AddressSpace): u64 {
  const slots = slotsOf(cpu);
  wordPut64(pairAt(slots, slots.current) + 8, atomic.load<u64>(flushesPtr(mm)));
  return mm.rootPa | (slots.current + 1);
}
