/**
 * I/O APICs: route device interrupt lines to vectors; and the legacy PICs, silenced.
 *
 * Locking  routing happens at boot and when a driver comes or goes, under irqLock of the caller.
 * Spec     Intel 82093AA datasheet, sec. 3; 8259A datasheet; ACPI 5.2.12.5 for overrides.
 */
import { ACPI, acpiIoapicGsi, acpiIoapicPa, acpiIsaFlags, acpiIsaGsi } from "./acpi";
import { out8, physLoad32, physStore32 } from "./intrinsics";

const IOREGSEL: u32 = 0x00;
const IOWIN: u32 = 0x10;
const IOAPICVER: u32 = 0x01;
const IOREDTBL: u32 = 0x10;
const REDIRECT_MASKED: u32 = 1 << 16;
const REDIRECT_LEVEL: u32 = 1 << 15;
const REDIRECT_ACTIVE_LOW: u32 = 1 << 13;

const PIC1_COMMAND: u32 = 0x20;
const PIC1_DATA: u32 = 0x21;
const PIC2_COMMAND: u32 = 0xa0;
const PIC2_DATA: u32 = 0xa1;
const PIC_VECTORS: u32 = 0x20; // where a spurious legacy interrupt lands, clear of the exceptions

/** Entries in the remappable format name an entry of the remapping table: Intel VT-d, 5.1.5.1 "I/OxAPIC Programming". */
const REMAPPED: u32 = 1 << 16;     // in the upper half
const REMAP_HANDLE_SHIFT: u32 = 17;
const FIRST_VECTOR: u32 = 0x20;

/** Once interrupts are remapped, `route` is told of every line that is routed: messages of I/O APIC `index` become `vector` on `apicId`. */
@final @unmanaged
class IoapicRemap {
  route: (index: u32, vector: u32, apicId: u32, isLevel: bool) => void;
  isOn: u32;
}
const REMAP = changetype<IoapicRemap>(memory.data(offsetof<IoapicRemap>()));

function ioapicRead(pa: u64, reg: u32): u32 {
  physStore32(pa + IOREGSEL, reg);
  return physLoad32(pa + IOWIN);
}

function ioapicWrite(pa: u64, reg: u32, value: u32): void {
  physStore32(pa + IOREGSEL, reg);
  physStore32(pa + IOWIN, value);
}

/** Number of lines of the I/O APIC at `pa`. */
function ioapicLines(pa: u64): u32 {
  return ((ioapicRead(pa, IOAPICVER) >> 16) & 0xff) + 1;
}

/** Remaps and masks both PICs, masks every I/O APIC line. */
export function ioapicInit(): void {
  picDisable();
  for (let i: u32 = 0; i < ACPI.ioapicCount; i++) {
    const pa = acpiIoapicPa(i);
    const lines = ioapicLines(pa);
    for (let line: u32 = 0; line < lines; line++) ioapicWrite(pa, IOREDTBL + line * 2, REDIRECT_MASKED);
  }
}

function picDisable(): void {
  out8(PIC1_COMMAND, 0x11); // ICW1: edge, cascade, ICW4 follows
  out8(PIC2_COMMAND, 0x11);
  out8(PIC1_DATA, PIC_VECTORS);
  out8(PIC2_DATA, PIC_VECTORS + 8);
  out8(PIC1_DATA, 4); // ICW3: the second PIC hangs on line 2
  out8(PIC2_DATA, 2);
  out8(PIC1_DATA, 1); // ICW4: 8086 mode
  out8(PIC2_DATA, 1);
  out8(PIC1_DATA, 0xff);
  out8(PIC2_DATA, 0xff);
}

/**
 * From now on lines are routed through the remapping table, whose entry for a line has its vector's number: `route` fills it. Lines
 * routed before change over.
 */
export function ioapicRemap(route: (index: u32, vector: u32, apicId: u32, isLevel: bool) => void): void {
  REMAP.route = route;
  REMAP.isOn = 1;
  for (let i: u32 = 0; i < ACPI.ioapicCount; i++) {
    const pa = acpiIoapicPa(i);
    const lines = ioapicLines(pa);
    for (let line: u32 = 0; line < lines; line++) lineRemap(i, pa, IOREDTBL + line * 2);
  }
}

function lineRemap(index: u32, pa: u64, reg: u32): void {
  const low = ioapicRead(pa, reg);
  if ((low & 0xff) < FIRST_VECTOR) return; // never routed
  ioapicWrite(pa, reg, low | REDIRECT_MASKED);
  REMAP.route(index, low & 0xff, ioapicRead(pa, reg + 1) >> 24, (low & REDIRECT_LEVEL) != 0);
  ioapicWrite(pa, reg + 1, REMAPPED | (low & 0xff) << REMAP_HANDLE_SHIFT);
  ioapicWrite(pa, reg, low);
}

/** Routes a global system interrupt to `vector` on the CPU `apicId`; false when no I/O APIC serves it. */
export function ioapicRoute(gsi: u32, vector: u32, apicId: u32, isLevel: bool, isActiveLow: bool): bool {
  for (let i: u32 = 0; i < ACPI.ioapicCount; i++) {
    const pa = acpiIoapicPa(i);
    const first = acpiIoapicGsi(i);
    if (gsi < first || gsi - first >= ioapicLines(pa)) continue;
    const reg = IOREDTBL + (gsi - first) * 2;
    let low = vector;
    if (isLevel) low |= REDIRECT_LEVEL;
    if (isActiveLow) low |= REDIRECT_ACTIVE_LOW;
    ioapicWrite(pa, reg, REDIRECT_MASKED);
    if (REMAP.isOn) REMAP.route(i, vector, apicId, isLevel);
    ioapicWrite(pa, reg + 1, REMAP.isOn ? REMAPPED | vector << REMAP_HANDLE_SHIFT : apicId << 24);
    ioapicWrite(pa, reg, low);
    return true;
  }
  return false;
}

/** Masks or opens a routed interrupt; a level that is there arrives as soon as it is opened. */
export function ioapicMask(gsi: u32, isMasked: bool): void {
  for (let i: u32 = 0; i < ACPI.ioapicCount; i++) {
    const pa = acpiIoapicPa(i);
    const first = acpiIoapicGsi(i);
    if (gsi < first || gsi - first >= ioapicLines(pa)) continue;
    const reg = IOREDTBL + (gsi - first) * 2;
    const low = ioapicRead(pa, reg) & ~REDIRECT_MASKED;
    ioapicWrite(pa, reg, isMasked ? low | REDIRECT_MASKED : low);
    return;
  }
}

/** Routes ISA line `irq` with the polarity and trigger the firmware says (edge, active high by default). */
export function ioapicRouteIsa(irq: u32, vector: u32, apicId: u32): bool {
  const flags = acpiIsaFlags(irq);
  return ioapicRoute(acpiIsaGsi(irq), vector, apicId, ((flags >> 2) & 3) == 3, (flags & 3) == 3);
}
