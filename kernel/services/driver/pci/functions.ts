/**
 * The table of the machine's PCI functions: who they are, their ranges, how they interrupt. scan.ts fills it once at boot.
 *
 * Invariants  F1  the table does not change after pciInit, but for who has a function (command.ts).
 * Spec        PCI Local Bus 3.0, ch. 6.
 */
import { logDec, logHexDigits, logStr } from "../../../lib/log";

@final @unmanaged
export class PciFunction {
  address: u32;    // bus << 8 | device << 3 | function
  id: u32;         // device << 16 | vendor
  classRevision: u32;
  subsystem: u32;  // device << 16 | vendor
  header: u32;     // type, without the multi-function bit
  msix: u32;       // offset of the capability, 0: none
  msixVectors: u32;
  msi: u32;        // offset of the capability, 0: none
  portMask: u32;   // bit i: BAR i is ports
  barMask: u32;    // bit i: BAR i is there
  object: u32;     // PciObject that has it, 0: none (pci-object.ts)
  express: u32;    // offset of the PCI Express capability, 0: none
  bar0: u64;       // bases, then sizes in bytes
  bar1: u64;
  bar2: u64;
  bar3: u64;
  bar4: u64;
  bar5: u64;
  size0: u64;
  size1: u64;
  size2: u64;
  size3: u64;
  size4: u64;
  size5: u64;
  domain: u32;     // Domain of the firmware's doings with it, 0: none (iommu.ts)
  isOrphaned: u32; // no capability names `object` any more: it does not master the bus (command.ts)
  tablePa: u64;    // of its MSI-X messages, 0: it has none, or they are nowhere
  keptMask: u32;   // bit i: BAR i is not given to drivers (bars.ts)
  pad: u32;
}

/** The most functions that are known; more are left out. */
export const PCI_FUNCTIONS_MAX: u32 = 256;
const FUNCTIONS: usize = memory.data(256 * 168, 8);
if (offsetof<PciFunction>() != 168) ERROR("FUNCTIONS has 168 bytes a function");

@final @unmanaged
class Found {
  count: u32;
}
const FOUND = changetype<Found>(memory.data(offsetof<Found>()));

/** Offsets in configuration space. */
export const enum Config {
  ID = 0, COMMAND = 4, STATUS = 6, CLASS_REVISION = 8, HEADER_TYPE = 14, BAR0 = 16, SECONDARY_BUS = 25, SUBORDINATE_BUS = 26, SUBSYSTEM = 44, CAPABILITIES = 52, INTERRUPT_LINE = 60, INTERRUPT_PIN = 61,
}
export const enum Command { PORTS = 1, MEMORY = 2, MASTER = 4, INTX_OFF = 0x400 }
/** Of a table of MSI-X messages. */
export const MSIX_ENTRY_BYTES: u32 = 16;

export function pciCount(): u32 { return FOUND.count; }
/** Function `index` (< pciCount). */
export function pciAt(index: u32): PciFunction {
  return changetype<PciFunction>(FUNCTIONS + <usize>index * offsetof<PciFunction>()); // SAFETY: index < PCI_FUNCTIONS_MAX
}

/** A fresh entry for a function; null when there is no room. */
export function pciAdd(): PciFunction | null {
  return FOUND.count == PCI_FUNCTIONS_MAX ? null : pciAt(FOUND.count++);
}

/** The function at a configuration address, or null. */
export function pciFind(address: u32): PciFunction | null {
  for (let i: u32 = 0; i < FOUND.count; i++) if (pciAt(i).address == address) return pciAt(i);
  return null;
}

/** A configuration address as people write it: bus:device.function. */
export function logPciAddress(address: u32): void {
  logHexDigits(address >> 8, 2);
  logStr(":");
  logHexDigits(address >> 3 & 31, 2);
  logStr(".");
  logDec(address & 7);
}
