/**
 * Remapping units: their root table, who may translate through which domain, and what they must forget.
 *
 * Invariants  U1  a function without a context entry reaches nothing.
 *             U2  when a call that forgets has returned true, the unit uses nothing of the old and what it had begun is done.
 * Locking     DmaUnit.lock (Rank.IOMMU_UNIT) guards the queue; the tables are under iommuLock (domain.ts).
 * Spec        Intel VT-d, 3.4 "Mapping Devices to Domains", 6.5.2 "Queued Invalidation Interface", 11.4.4 (GCMD, GSTS).
 */
import { cpuPause, physLoad32, physLoad64, physStore32, physStore64 } from "../../../../arch/current";
import { LogLevel, logBegin, logEnd, logKeyDec, logKeyHex, logStr } from "../../../lib/log";
import { Rank } from "../../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinLockAt, spinUnlock } from "../../../lib/spinlock";
import { deviceReach } from "../device-map";
import {
  capAddressBits, capDomains, capFaultOffset, capHas3Levels, capHas4Levels, capHasPageInvalidation, capHasProtectedRanges, capMaskBits,
  Command, COMMANDS_LASTING, CONTEXT_DOMAIN_SHIFT, DRAIN, ecapHasQueue, ecapIsCoherent, ENTRY_PRESENT, FaultStatus, Granularity,
  INVALIDATE_CONTEXT, INVALIDATE_INTERRUPTS, INVALIDATE_IOTLB, INVALIDATE_WAIT, PMEN_ON, PMEN_STATUS, Reg, regLoad32, regLoad64, regStore32, regStore64,
  TABLE_ADDRESS, WAIT_WRITES_STATUS,
} from "./regs";
import { tableFlushNeeded, tableMake, tableStore } from "./table";

@final @unmanaged
export class DmaUnit {
  lock: u64;        // a SpinLock held by value
  lock1: u64;
  registersPa: u64;
  cap: u64;
  ecap: u64;
  rootPa: u64;
  queuePa: u64;     // QUEUE_ENTRIES descriptors of 16 bytes
  statusPa: u64;    // where the unit writes that it has come so far
  queueTail: u32;
  sequence: u32;    // last number a wait was given
  levels: u32;      // of its domains' tables
  isBroken: u32;    // it did not answer in time once: no further device is opened behind it
  faults: u32;      // records seen
  isOn: u32;
}

export const DMA_UNITS_MAX: u32 = 8;
const UNITS: usize = memory.data(8 * 96, 8);
if (offsetof<DmaUnit>() > 96) ERROR("UNITS has 96 bytes a unit");

const REGISTER_BYTES: u64 = 4096;
const QUEUE_ENTRIES: u32 = 256;
/** Address bits domains use: windows.ts and domain.ts stay below. */
export const IOVA_BITS: u32 = 34;
/** A unit answers within microseconds; one that does not must not hang the kernel. */
const SPIN_LIMIT: u32 = 500_000;
const WIDTH_3_LEVELS: u64 = 1;

/** Unit `index` (< DMA_UNITS_MAX). */
export function dmaUnitAt(index: u32): DmaUnit { return changetype<DmaUnit>(UNITS + <usize>index * 96); } // SAFETY: index is in range
function lockOf(unit: DmaUnit): SpinLock { return spinLockAt(changetype<usize>(unit)); }

// ---- Turning on ----

/** Makes the unit with registers at `registersPa` ready to translate, nobody admitted; false, with a log line, when it cannot serve. */
export function dmaUnitStart(unit: DmaUnit, registersPa: u64): bool {
  spinInit(lockOf(unit), Rank.IOMMU_UNIT);
  unit.registersPa = registersPa;
  const problem = unitLook(unit);
  if (problem) {
    unitLog(unit, problem);
    return false;
  }
  if (!ecapIsCoherent(unit.ecap)) tableFlushNeeded();
  unit.rootPa = tableMake();
  unit.queuePa = tableMake();
  unit.statusPa = tableMake();
  if (unit.rootPa == 0 || unit.queuePa == 0 || unit.statusPa == 0) {
    unitLog(unit, "no memory for its tables");
    return false;
  }
  unit.isOn = unitProgram(unit) ? 1 : 0;
  unitLog(unit, unit.isOn ? "ready" : "does not obey");
  return unit.isOn != 0;
}

/** What hinders the use of the unit, or null. */
function unitLook(unit: DmaUnit): string | null {
  if (!deviceReach(unit.registersPa, REGISTER_BYTES)) return "registers out of reach";
  unit.cap = regLoad64(unit.registersPa, Reg.CAP);
  unit.ecap = regLoad64(unit.registersPa, Reg.ECAP);
  if (!ecapHasQueue(unit.ecap)) return "has no invalidation queue";
  unit.levels = capHas3Levels(unit.cap) ? 3 : capHas4Levels(unit.cap) ? 4 : 0;
  if (unit.levels == 0 || capAddressBits(unit.cap) < IOVA_BITS) return "has too few address bits";
  const faults = capFaultOffset(unit.cap);
  return faults >= REGISTER_BYTES && !deviceReach(unit.registersPa + faults, REGISTER_BYTES) ? "fault records out of reach" : null;
}

function unitLog(unit: DmaUnit, text: string): void {
  logBegin(unit.isOn ? LogLevel.INFO : LogLevel.WARN, "iommu");
  logStr("VT-d unit ");
  logStr(text);
  logKeyHex("registers", unit.registersPa);
  logKeyHex("cap", unit.cap);
  logKeyHex("ecap", unit.ecap);
  logKeyDec("levels", unit.levels);
  logEnd();
}

/** The order of 11.4.4: what the firmware left goes off, the root table and the queue in. */
function unitProgram(unit: DmaUnit): bool {
  const base = unit.registersPa;
  if (!commandClear(unit, Command.TE) || !commandClear(unit, Command.IRE) || !commandClear(unit, Command.QIE)) return false;
  regStore64(base, Reg.RTADDR, unit.rootPa);
  if (!commandGive(unit, Command.SRTP)) return false;
  regStore64(base, Reg.IQT, 0);
  regStore64(base, Reg.IQA, unit.queuePa);
  if (!commandGive(unit, Command.QIE)) return false;
  return dmaUnitForgetAll(unit);
}

/** Points the unit to the remapping table `table` (IRTA's word) and switches remapping on; false when it does not obey. */
export function dmaUnitRemap(unit: DmaUnit, table: u64): bool {
  regStore64(unit.registersPa, Reg.IRTA, table);
  return commandGive(unit, Command.SIRTP) && dmaUnitForgetInterrupts(unit) && commandGive(unit, Command.IRE);
}

/** Switches remapping off again: messages are what they say. */
export function dmaUnitRemapEnd(unit: DmaUnit): void { commandClear(unit, Command.IRE); }

/** From now on every DMA goes through the tables. */
export function dmaUnitTranslate(unit: DmaUnit): void {
  const isOn = commandGive(unit, Command.TE);
  protectedRangesOff(unit);
  if (isOn) return;
  unit.isBroken = 1;
  unitLog(unit, "does not translate");
}

function commandsNow(unit: DmaUnit): u32 { return regLoad32(unit.registersPa, Reg.GSTS) & COMMANDS_LASTING; }

function statusAwait(unit: DmaUnit, bit: u32, value: u32): bool {
  for (let spins: u32 = 0; spins < SPIN_LIMIT; spins++) {
    if ((regLoad32(unit.registersPa, Reg.GSTS) & bit) == value) return true;
    cpuPause();
  }
  return false;
}

function commandGive(unit: DmaUnit, bit: u32): bool {
  regStore32(unit.registersPa, Reg.GCMD, commandsNow(unit) | bit);
  return statusAwait(unit, bit, bit);
}

function commandClear(unit: DmaUnit, bit: u32): bool {
  const now = commandsNow(unit);
  if ((now & bit) == 0) return true;
  regStore32(unit.registersPa, Reg.GCMD, now & ~bit);
  return statusAwait(unit, bit, 0);
}

/** Ranges the firmware closed to all DMA until there was a driver for this unit; 11.4.14. */
function protectedRangesOff(unit: DmaUnit): void {
  if (!capHasProtectedRanges(unit.cap) || !(regLoad32(unit.registersPa, Reg.PMEN) & PMEN_STATUS)) return;
  regStore32(unit.registersPa, Reg.PMEN, regLoad32(unit.registersPa, Reg.PMEN) & ~PMEN_ON);
  for (let spins: u32 = 0; spins < SPIN_LIMIT; spins++) {
    if (!(regLoad32(unit.registersPa, Reg.PMEN) & PMEN_STATUS)) return;
    cpuPause();
  }
}

// ---- Context entries ----

/** The context entry of `requester`, its table made when there is none; 0 when memory is full. */
function contextSlot(unit: DmaUnit, requester: u32): u64 {
  const rootSlot = unit.rootPa + (requester >> 8 << 4);
  let entry = physLoad64(rootSlot);
  if (entry == 0) {
    const table = tableMake();
    if (table == 0) return 0;
    entry = table | ENTRY_PRESENT;
    tableStore(rootSlot, entry);
  }
  return (entry & TABLE_ADDRESS) + ((requester & 0xff) << 4);
}

/** From now on `requester` translates by `tablePa` as domain `id`; false when memory is full. */
export function dmaUnitAdmit(unit: DmaUnit, requester: u32, id: u32, tablePa: u64): bool {
  const slot = contextSlot(unit, requester);
  if (slot == 0) return false;
  const width: u64 = unit.levels == 3 ? WIDTH_3_LEVELS : WIDTH_3_LEVELS + 1;
  tableStore(slot + 8, <u64>id << CONTEXT_DOMAIN_SHIFT | width);
  tableStore(slot, tablePa | ENTRY_PRESENT);
  return dmaUnitForgetAll(unit);
}

/** From now on `requester` reaches nothing (U1), and nothing of domain `id` is remembered. False: the unit does not confirm it. */
export function dmaUnitExpel(unit: DmaUnit, requester: u32, id: u32): bool {
  const slot = contextSlot(unit, requester);
  if (slot != 0) tableStore(slot, 0);
  return dmaUnitForgetAll(unit);
}

// ---- Forgetting ----

export function dmaUnitDomains(unit: DmaUnit): u32 { return capDomains(unit.cap); }

/** Context entries and all translations. False: the unit does not answer (isBroken). */
export function dmaUnitForgetAll(unit: DmaUnit): bool {
  spinLock(lockOf(unit));
  queuePutLocked(unit, INVALIDATE_CONTEXT | Granularity.GLOBAL, 0);
  queuePutLocked(unit, INVALIDATE_IOTLB | Granularity.GLOBAL | DRAIN, 0);
  const isDone = queueWaitLocked(unit);
  spinUnlock(lockOf(unit));
  return isDone;
}

/** Entries of the interrupt remapping table. False: the unit does not answer (isBroken). */
export function dmaUnitForgetInterrupts(unit: DmaUnit): bool {
  spinLock(lockOf(unit));
  queuePutLocked(unit, INVALIDATE_INTERRUPTS, 0);
  const isDone = queueWaitLocked(unit);
  spinUnlock(lockOf(unit));
  return isDone;
}

/** The translations of 2^order pages at `iova`, which is aligned to them, in domain `id`; all of the domain's when the unit must. */
export function dmaUnitForget(unit: DmaUnit, id: u32, iova: u64, order: u32): bool {
  const isByPage = capHasPageInvalidation(unit.cap) && order <= capMaskBits(unit.cap);
  const granularity: u64 = isByPage ? Granularity.PAGES : Granularity.DOMAIN;
  spinLock(lockOf(unit));
  queuePutLocked(unit, INVALIDATE_IOTLB | granularity | DRAIN | <u64>id << 16, isByPage ? iova | order : 0);
  const isDone = queueWaitLocked(unit);
  spinUnlock(lockOf(unit));
  return isDone;
}

/** One descriptor; the queue is never full, because each call waits for its own. */
function queuePutLocked(unit: DmaUnit, low: u64, high: u64): void {
  const at = unit.queuePa + (<u64>unit.queueTail << 4);
  physStore64(at, low);
  physStore64(at + 8, high);
  unit.queueTail = (unit.queueTail + 1) & (QUEUE_ENTRIES - 1);
}

/** Starts what was put and waits for its end (U2); a unit that never comes to it is broken. */
function queueWaitLocked(unit: DmaUnit): bool {
  const wanted = ++unit.sequence;
  queuePutLocked(unit, INVALIDATE_WAIT | WAIT_WRITES_STATUS | <u64>wanted << 32, unit.statusPa);
  regStore64(unit.registersPa, Reg.IQT, <u64>unit.queueTail << 4);
  for (let spins: u32 = 0; spins < SPIN_LIMIT; spins++) {
    if (physLoad32(unit.statusPa) == wanted) return true;
    if (regLoad32(unit.registersPa, Reg.FSTS) & FaultStatus.QUEUE_ERRORS) break;
    cpuPause();
  }
  unit.isBroken = 1;
  return false;
}
