/**
 * ACPI tables the kernel needs at boot: MADT (processors, interrupt controllers), HPET, FADT and `_S5_` of the DSDT;
 * SRAT is read by acpi-srat.ts, DMAR by acpi-dmar.ts.
 *
 * Firmware tables are input like any other: every length is checked against its table, every table against its
 * checksum, and what does not fit is left out.
 *
 * Invariants  A1  counts never exceed the array sizes below.
 * Locking     written once on the boot CPU before others start; read-only afterwards.
 * Units       pa: physical address.
 * Spec        ACPI 6.5, ch. 5.2 (tables), 5.2.12 (MADT), 5.2.9 (FADT), 7.4.2 (_Sx); IA-PC HPET 1.0a, 3.2.4.
 */
import { dmarRead, dmarReset } from "./acpi-dmar";
import { sratRead, sratReset } from "./acpi-srat";
import { physLoad16, physLoad32, physLoad64, physLoad8 } from "./intrinsics";

const MAX_ACPI_CPUS: u32 = 64;
const MAX_IOAPICS: u32 = 8;
const ISA_IRQS: u32 = 16;
const MAX_TABLE_BYTES: u32 = 1 << 24; // larger than any real table: a length beyond it is garbage

@final @unmanaged
export class AcpiInfo {
  lapicPa: u64;
  hpetPa: u64;         // 0: none
  dsdtPa: u64;
  resetAddress: u64;   // FADT RESET_REG
  resetSpace: u32;     // 0 memory, 1 I/O, 0xff absent
  resetValue: u32;
  pm1aControl: u32;    // port, 0: none
  pm1bControl: u32;
  smiCommand: u32;     // port that turns ACPI mode on, 0: always on
  acpiEnable: u32;
  sleepTypeA: u32;     // SLP_TYPa of S5
  sleepTypeB: u32;
  hasS5: u32;
  cpuCount: u32;
  ioapicCount: u32;
  hasLegacyPic: u32;
  has8042: u32;        // FADT says a keyboard controller is there, or cannot say
  tableCount: u32;
  pad0: u32;
  mcfgPa: u64;         // PCI Express configuration space table, 0: none
}

export const ACPI = changetype<AcpiInfo>(memory.data(offsetof<AcpiInfo>()));
const CPU_APIC_IDS: usize = memory.data(64 * 4);
const IOAPIC_PAS: usize = memory.data(8 * 8);
const IOAPIC_GSIS: usize = memory.data(8 * 4);
const IOAPIC_IDS: usize = memory.data(8 * 4, 4);
const ISA_GSIS: usize = memory.data(16 * 4);
const ISA_FLAGS: usize = memory.data(16 * 4);

/** Local APIC id of usable processor `index` (index < ACPI.cpuCount; 0 is not necessarily the boot CPU). */
export function acpiCpuApicId(index: u32): u32 {
  return load<u32>(CPU_APIC_IDS + (index << 2));
}

/** By what the firmware's other tables call I/O APIC `index` (index < ACPI.ioapicCount). */
export function acpiIoapicId(index: u32): u32 { return load<u32>(IOAPIC_IDS + (index << 2)); }

/** MMIO address of I/O APIC `index` (index < ACPI.ioapicCount). */
export function acpiIoapicPa(index: u32): u64 {
  return load<u64>(IOAPIC_PAS + (index << 3));
}

/** First global system interrupt of I/O APIC `index`. */
export function acpiIoapicGsi(index: u32): u32 {
  return load<u32>(IOAPIC_GSIS + (index << 2));
}

/** The global system interrupt that ISA line `irq` is wired to. */
export function acpiIsaGsi(irq: u32): u32 {
  return load<u32>(ISA_GSIS + (irq << 2));
}

/** MPS INTI flags of ISA line `irq`: bits 0-1 polarity (3 = active low), bits 2-3 trigger (3 = level). */
export function acpiIsaFlags(irq: u32): u32 {
  return load<u32>(ISA_FLAGS + (irq << 2));
}

function tableChecksumOk(pa: u64, length: u32): bool {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < length; i++) sum += physLoad8(pa + i);
  return (sum & 0xff) == 0;
}

const RSD_PTR_: u64 = 0x2052545020445352; // "RSD PTR "

/** Scans a 16-byte aligned range for the root pointer; 0 when it is not there. ACPI 5.2.5.1. */
function rsdpScan(start: u64, end: u64): u64 {
  for (let pa = start; pa + 20 <= end; pa += 16) {
    if (physLoad64(pa) == RSD_PTR_ && tableChecksumOk(pa, 20)) return pa;
  }
  return 0;
}

/** Finds the root pointer where BIOS machines keep it; 0 when there is none. */
function rsdpFind(): u64 {
  const ebda = <u64>physLoad16(0x40e) << 4;
  if (ebda >= 0x80000 && ebda < 0xa0000) {
    const found = rsdpScan(ebda, ebda + 1024);
    if (found) return found;
  }
  return rsdpScan(0xe0000, 0x100000);
}

const SIG_APIC: u32 = 0x43495041;
const SIG_DMAR: u32 = 0x52414d44;
const SIG_FACP: u32 = 0x50434146;
const SIG_HPET: u32 = 0x54455048;
const SIG_MCFG: u32 = 0x4746434d;
const SIG_SRAT: u32 = 0x54415253;

/**
 * Reads all tables. `rsdpPa` is what the boot loader gave, 0 to search. Returns false when there is no ACPI: the
 * caller then runs one CPU on the legacy defaults, which this has set.
 */
export function acpiInit(rsdpPa: u64): bool {
  acpiSetDefaults();
  const rsdp = rsdpPa != 0 ? rsdpPa : rsdpFind();
  if (rsdp == 0 || physLoad64(rsdp) != RSD_PTR_) return false;
  const hasXsdt = physLoad8(rsdp + 15) >= 2 && physLoad64(rsdp + 24) != 0;
  const root = hasXsdt ? physLoad64(rsdp + 24) : <u64>physLoad32(rsdp + 16);
  if (!tableValid(root)) return false;
  const entryBytes: u32 = hasXsdt ? 8 : 4;
  const length = physLoad32(root + 4);
  for (let at: u32 = 36; at + entryBytes <= length; at += entryBytes) {
    const table = hasXsdt ? physLoad64(root + at) : <u64>physLoad32(root + at);
    if (tableValid(table)) tableRead(table);
  }
  if (ACPI.dsdtPa != 0 && tableValid(ACPI.dsdtPa)) dsdtFindS5(ACPI.dsdtPa);
  return true;
}

function acpiSetDefaults(): void {
  sratReset();
  dmarReset();
  ACPI.lapicPa = 0xfee00000;
  ACPI.resetSpace = 0xff;
  ACPI.hasLegacyPic = 1;
  ACPI.has8042 = 1;
  for (let irq: u32 = 0; irq < ISA_IRQS; irq++) {
    store<u32>(ISA_GSIS + (irq << 2), irq);
    store<u32>(ISA_FLAGS + (irq << 2), 0);
  }
}

function tableValid(pa: u64): bool {
  if (pa == 0) return false;
  const length = physLoad32(pa + 4);
  return length >= 36 && length <= MAX_TABLE_BYTES && tableChecksumOk(pa, length);
}

function tableRead(pa: u64): void {
  ACPI.tableCount++;
  const signature = physLoad32(pa);
  if (signature == SIG_APIC) madtRead(pa);
  else if (signature == SIG_FACP) fadtRead(pa);
  else if (signature == SIG_HPET) hpetRead(pa);
  else if (signature == SIG_MCFG) ACPI.mcfgPa = pa;
  else if (signature == SIG_SRAT) sratRead(pa);
  else if (signature == SIG_DMAR) dmarRead(pa);
}

const MADT_LAPIC: u32 = 0;
const MADT_IOAPIC: u32 = 1;
const MADT_OVERRIDE: u32 = 2;
const MADT_LAPIC_ADDRESS: u32 = 5;
const MADT_X2APIC: u32 = 9;
const MADT_CPU_ENABLED: u32 = 1;

function madtRead(pa: u64): void {
  const length = physLoad32(pa + 4);
  ACPI.lapicPa = physLoad32(pa + 36);
  ACPI.hasLegacyPic = physLoad32(pa + 40) & 1;
  let at: u32 = 44;
  while (at + 2 <= length) {
    const entryBytes = physLoad8(pa + at + 1);
    if (entryBytes < 2 || at + entryBytes > length) return;
    madtEntryRead(pa + at, physLoad8(pa + at), entryBytes);
    at += entryBytes;
  }
}

function madtEntryRead(pa: u64, type: u32, size: u32): void {
  if (type == MADT_LAPIC && size >= 8) {
    if (physLoad32(pa + 4) & MADT_CPU_ENABLED) cpuAdd(physLoad8(pa + 3));
  } else if (type == MADT_X2APIC && size >= 16) {
    if (physLoad32(pa + 8) & MADT_CPU_ENABLED) cpuAdd(physLoad32(pa + 4));
  } else if (type == MADT_IOAPIC && size >= 12 && ACPI.ioapicCount < MAX_IOAPICS) {
    const index = ACPI.ioapicCount++;
    store<u64>(IOAPIC_PAS + (index << 3), physLoad32(pa + 4));
    store<u32>(IOAPIC_GSIS + (index << 2), physLoad32(pa + 8));
    store<u32>(IOAPIC_IDS + (index << 2), physLoad8(pa + 2));
  } else if (type == MADT_OVERRIDE && size >= 10) {
    const irq = physLoad8(pa + 3);
    if (irq >= ISA_IRQS) return;
    store<u32>(ISA_GSIS + (irq << 2), physLoad32(pa + 4));
    store<u32>(ISA_FLAGS + (irq << 2), physLoad16(pa + 8));
  } else if (type == MADT_LAPIC_ADDRESS && size >= 12) {
    ACPI.lapicPa = physLoad64(pa + 4);
  }
}

/** Adds a processor unless the table names it twice (as type 0 and type 9). */
function cpuAdd(apicId: u32): void {
  for (let i: u32 = 0; i < ACPI.cpuCount; i++) {
    if (acpiCpuApicId(i) == apicId) return;
  }
  if (ACPI.cpuCount >= MAX_ACPI_CPUS) return;
  store<u32>(CPU_APIC_IDS + (ACPI.cpuCount++ << 2), apicId);
}

function hpetRead(pa: u64): void {
  if (physLoad32(pa + 4) >= 56 && physLoad8(pa + 40) == 0) ACPI.hpetPa = physLoad64(pa + 44);
}

const FADT_RESET_REG_SUP: u32 = 1 << 10;
const IAPC_8042: u32 = 1 << 1;

function fadtRead(pa: u64): void {
  const length = physLoad32(pa + 4);
  if (length < 116) return;
  ACPI.dsdtPa = physLoad32(pa + 40);
  ACPI.smiCommand = physLoad32(pa + 48);
  ACPI.acpiEnable = physLoad8(pa + 52);
  ACPI.pm1aControl = physLoad32(pa + 64);
  ACPI.pm1bControl = physLoad32(pa + 68);
  if (physLoad8(pa + 8) >= 3) ACPI.has8042 = (physLoad16(pa + 109) & IAPC_8042) != 0 ? 1 : 0;
  if (length >= 129 && (physLoad32(pa + 112) & FADT_RESET_REG_SUP) != 0) {
    ACPI.resetSpace = physLoad8(pa + 116);
    ACPI.resetAddress = physLoad64(pa + 120);
    ACPI.resetValue = physLoad8(pa + 128);
  }
  if (length >= 148 && physLoad64(pa + 140) != 0) ACPI.dsdtPa = physLoad64(pa + 140);
}

const S5_NAME: u32 = 0x5f35535f; // "_S5_"
const AML_NAME_OP: u32 = 0x08;
const AML_PACKAGE_OP: u32 = 0x12;
const AML_BYTE_PREFIX: u32 = 0x0a;
const AML_ROOT_CHAR: u32 = 0x5c;

/** Finds `Name (_S5_, Package () { SLP_TYPa, SLP_TYPb, … })` without an AML interpreter. ACPI 20.2 gives the encoding. */
function dsdtFindS5(pa: u64): void {
  const length = physLoad32(pa + 4);
  for (let at: u32 = 37; at + 12 <= length; at++) {
    if (physLoad32(pa + at) != S5_NAME || physLoad8(pa + at + 4) != AML_PACKAGE_OP) continue;
    const before = physLoad8(pa + at - 1);
    const isNamed = before == AML_NAME_OP || (before == AML_ROOT_CHAR && physLoad8(pa + at - 2) == AML_NAME_OP);
    if (!isNamed) continue;
    // PkgLength takes 1 + (top two bits) bytes, the element count one.
    let p: u64 = pa + at + 5 + 1 + (physLoad8(pa + at + 5) >> 6) + 1;
    if (physLoad8(p) == AML_BYTE_PREFIX) p++;
    ACPI.sleepTypeA = physLoad8(p++) & 7;
    if (physLoad8(p) == AML_BYTE_PREFIX) p++;
    ACPI.sleepTypeB = physLoad8(p) & 7;
    ACPI.hasS5 = 1;
    return;
  }
}
