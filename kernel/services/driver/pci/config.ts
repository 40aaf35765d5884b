/**
 * PCI configuration space: by memory (ECAM) where ACPI's MCFG tells of it, else by the ports CF8 and CFC.
 *
 * Locking  portLock (Rank.IRQ) makes the pair of port accesses one; memory accesses need none.
 * Units    address: bus << 8 | device << 3 | function. offset: bytes.
 * Spec     PCI Local Bus 3.0, 3.2.2.3.2 "Software Generation of Configuration Transactions"; PCI Express Base 4.0, 7.2.2 (ECAM);
 *          PCI Firmware 3.2, 4.1.2 (MCFG).
 */
import {
  in16, in32, in8, out16, out32, out8, physLoad16, physLoad32, physLoad64, physLoad8, physStore16, physStore32, physStore8,
} from "../../../../arch/current";
import { ACPI } from "../../../../arch/x86_64/acpi";
import { Rank } from "../../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../../lib/spinlock";
import { deviceReach } from "../device-map";

const CONFIG_ADDRESS: u32 = 0xcf8;
const CONFIG_DATA: u32 = 0xcfc;
const CONFIG_ENABLE: u32 = 0x80000000;
const MCFG_ENTRIES: u32 = 44; // first allocation structure
const MCFG_ENTRY_BYTES: u32 = 16;
const BUS_LAST: u32 = 255;

@final @unmanaged
class ConfigSpace {
  lock: u64;     // a SpinLock held by value
  lock1: u64;
  ecamPa: u64;   // of segment 0, 0: ports only
  firstBus: u32;
  lastBus: u32;
}
const SPACE = changetype<ConfigSpace>(memory.data(offsetof<ConfigSpace>()));
function portLock(): SpinLock { return changetype<SpinLock>(SPACE); } // SAFETY: its first field

export function configInit(): void {
  spinInit(portLock(), Rank.IRQ);
  if (ACPI.mcfgPa == 0) return;
  const end = physLoad32(ACPI.mcfgPa + 4);
  for (let at = MCFG_ENTRIES; at + MCFG_ENTRY_BYTES <= end; at += MCFG_ENTRY_BYTES) mcfgEntryRead(ACPI.mcfgPa + at);
}

function mcfgEntryRead(pa: u64): void {
  const base = physLoad64(pa);
  const lastBus = physLoad8(pa + 11);
  if (physLoad16(pa + 8) != 0 || base == 0 || !deviceReach(base, <u64>(lastBus + 1) << 20)) return;
  SPACE.ecamPa = base;
  SPACE.firstBus = physLoad8(pa + 10);
  SPACE.lastBus = lastBus;
}

/** True when configuration space is reached by memory. */
export function configHasEcam(): bool { return SPACE.ecamPa != 0; }

function ecamOf(address: u32, offset: u32): u64 {
  const bus = address >> 8;
  if (SPACE.ecamPa == 0 || bus < SPACE.firstBus || bus > SPACE.lastBus) return 0;
  return SPACE.ecamPa + (<u64>address << 12) + offset;
}

/** The last bus that can be asked about. */
export function configLastBus(): u32 { return SPACE.ecamPa != 0 ? SPACE.lastBus : BUS_LAST; }

/** Reads `width` (1, 2, 4) bytes, naturally aligned; all ones where nothing answers. */
export function configRead(address: u32, offset: u32, width: u32): u32 {
  const pa = ecamOf(address, offset);
  if (pa != 0) return width == 1 ? physLoad8(pa) : width == 2 ? physLoad16(pa) : physLoad32(pa);
  if (offset > 0xff) return 0xffffffff;
  spinLock(portLock());
  out32(CONFIG_ADDRESS, CONFIG_ENABLE | address << 8 | (offset & 0xfc));
  const port = CONFIG_DATA + (offset & 3);
  const value = width == 1 ? in8(port) : width == 2 ? in16(port) : in32(port);
  spinUnlock(portLock());
  return value;
}

export function configWrite(address: u32, offset: u32, width: u32, value: u32): void {
  const pa = ecamOf(address, offset);
  if (pa != 0) {
    if (width == 1) physStore8(pa, value);
    else if (width == 2) physStore16(pa, value);
    else physStore32(pa, value);
    return;
  }
  if (offset > 0xff) return;
  spinLock(portLock());
  out32(CONFIG_ADDRESS, CONFIG_ENABLE | address << 8 | (offset & 0xfc));
  const port = CONFIG_DATA + (offset & 3);
  if (width == 1) out8(port, value);
  else if (width == 2) out16(port, value);
  else out32(port, value);
  spinUnlock(portLock());
}
