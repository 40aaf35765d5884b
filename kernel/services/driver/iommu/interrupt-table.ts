/**
 * Interrupt remapping: a message names an entry of a table, and the entry says which vector on which CPU it becomes, and who alone may send
 * it. So a device that masters the bus interrupts as its driver was given, and not as it likes.
 *
 * One table serves all units, and entry n is vector n's: a vector has one owner at a time (I1 of irq-object.ts).
 *
 * Invariants  M1  every unit remaps, or none does.
 *             M2  each unit has forgotten an entry's old content when a call that changes it returns.
 *             M3  an entry is present as long as an IRQ object or a line has its vector.
 * Locking     irqObjectLock (Rank.IRQ_OBJECT), or the boot CPU alone.
 * Spec        Intel VT-d, 5.1 "Interrupt Remapping", 5.1.2.2 (remappable format: all else is refused), 9.10 (entries).
 */
import { acpiIoapicId, ACPI } from "../../../../arch/x86_64/acpi";
import { dmarIoapicRequester, dmarRemapsInterrupts, dmarUnitCount } from "../../../../arch/x86_64/acpi-dmar";
import { apicIsX2 } from "../../../../arch/x86_64/apic";
import { ioapicRemap } from "../../../../arch/x86_64/ioapic";
import { LogLevel, logBegin, logEnd, logInfo, logStr } from "../../../lib/log";
import { ecapHasWideIds, ecapRemapsInterrupts, REMAP_WIDE_IDS } from "./regs";
import { tableMake, tableStore } from "./table";
import { dmaUnitAt, dmaUnitForgetInterrupts, dmaUnitRemap, dmaUnitRemapEnd } from "./unit";

/** A page of entries, one for each vector; IRTA wants the exponent, less one. */
const TABLE_SIZE: u64 = 7;
const ENTRY_SHIFT: u64 = 4;
const MESSAGE: u32 = 0xfee00010; // in the remappable format; data is not looked at
const HANDLE_SHIFT: u32 = 5;
const MESSAGE_PLAIN: u32 = 0xfee00000;
const TARGET_PLAIN_SHIFT: u32 = 12;

/** Entries: the lower word … */
const PRESENT: u64 = 1;
const FAULTS_UNTOLD: u64 = 2;
const LEVEL: u64 = 1 << 4;
const VECTOR_SHIFT: u64 = 16;
const TARGET_SHIFT: u64 = 40;
const TARGET_WIDE_SHIFT: u64 = 32;
/** … and the upper one: the requester is compared bit by bit. */
const VERIFY_REQUESTER: u64 = 1 << 18;

@final @unmanaged
class Remap {
  tablePa: u64;
  isOn: u32;
  isWide: u32; // targets are ids of 32 bits
}
const REMAP = changetype<Remap>(memory.data(offsetof<Remap>(), 8));

/** Switches remapping on in all units, or says in the log why interrupts stay as they are. After the units translate; boot CPU. */
export function remapStart(): void {
  REMAP.isOn = 0;
  REMAP.isWide = apicIsX2() ? 1 : 0;
  const problem = remapProblem();
  if (!problem) REMAP.tablePa = tableMake();
  if (!problem && REMAP.tablePa != 0 && unitsRemap()) {
    REMAP.isOn = 1;
    ioapicRemap(lineRoute);
    logInfo("iommu", "interrupts are remapped: a device sends its driver's, and no others");
    return;
  }
  logBegin(LogLevel.INFO, "iommu");
  logStr("interrupts are not remapped, a device may send any: ");
  logStr(problem ? problem : "a unit does not obey");
  logEnd();
}

/** What hinders remapping, or null: M1 wants all units, and an I/O APIC that no unit names would be silenced. */
function remapProblem(): string | null {
  if (!dmarRemapsInterrupts()) return "the firmware does not want it";
  for (let i: u32 = 0; i < dmarUnitCount(); i++) {
    const unit = dmaUnitAt(i);
    if (!unit.isOn || !ecapRemapsInterrupts(unit.ecap)) return "a unit cannot";
    if (REMAP.isWide && !ecapHasWideIds(unit.ecap)) return "a unit does not know the processors' ids";
  }
  for (let i: u32 = 0; i < ACPI.ioapicCount; i++) {
    if (dmarIoapicRequester(acpiIoapicId(i)) < 0) return "no unit names an I/O APIC";
  }
  return null;
}

/** M1: all, or none. */
function unitsRemap(): bool {
  const address = REMAP.tablePa | TABLE_SIZE | (REMAP.isWide ? REMAP_WIDE_IDS : 0);
  for (let i: u32 = 0; i < dmarUnitCount(); i++) {
    if (dmaUnitRemap(dmaUnitAt(i), address)) continue;
    for (let other: u32 = 0; other <= i; other++) dmaUnitRemapEnd(dmaUnitAt(other));
    return false;
  }
  return true;
}

function lineRoute(index: u32, vector: u32, apicId: u32, isLevel: bool): void {
  const requester = dmarIoapicRequester(acpiIoapicId(index)); // not negative: remapProblem looked
  entryPut(vector, entryOf(vector, apicId) | (isLevel ? LEVEL : 0), <u32>requester);
}

/** The lower word of an entry: fixed delivery, an edge, to one CPU. */
function entryOf(vector: u32, apicId: u32): u64 {
  return PRESENT | <u64>vector << VECTOR_SHIFT | <u64>apicId << (REMAP.isWide ? TARGET_WIDE_SHIFT : TARGET_SHIFT);
}

/** Never half an entry: it is absent while its upper word changes. */
function entryPut(vector: u32, low: u64, requester: u32): void {
  const at = REMAP.tablePa + (<u64>vector << ENTRY_SHIFT);
  tableStore(at, FAULTS_UNTOLD);
  tableStore(at + 8, VERIFY_REQUESTER | requester);
  tableStore(at, low);
  entriesForget();
}

/** M2. A unit that does not answer is broken, and opens no further device. */
function entriesForget(): void {
  for (let i: u32 = 0; i < dmarUnitCount(); i++) dmaUnitForgetInterrupts(dmaUnitAt(i));
}

/** The address a message of `requester` is sent to that shall become `vector` on the CPU `apicId`; its data is the vector. */
export function remapMessage(requester: u32, vector: u32, apicId: u32): u32 {
  if (!REMAP.isOn) return MESSAGE_PLAIN | apicId << TARGET_PLAIN_SHIFT;
  entryPut(vector, entryOf(vector, apicId), requester);
  return MESSAGE | vector << HANDLE_SHIFT;
}

/** The vector's owner is gone (M3). Its device may have a message under way: that one is refused, but is nobody's fault. */
export function remapEnd(vector: u32): void {
  if (!REMAP.isOn) return;
  tableStore(REMAP.tablePa + (<u64>vector << ENTRY_SHIFT), FAULTS_UNTOLD);
  entriesForget();
}
