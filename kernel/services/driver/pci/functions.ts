/**
 * The machine's PCI functions, found once at boot: who they are, their ranges, how they interrupt.
 *
 * Invariants  F1  the table does not change after pciInit.
 * Spec        PCI Local Bus 3.0, ch. 6; PCI-to-PCI Bridge 1.2, 3.2; PCI 3.0, 6.8 (MSI, MSI-X).
 */
import { wordAt64, wordPut64 } from "../../../lib/bytes";
import { LogLevel, logBegin, logDec, logEnd, logHex, logHexDigits, logStr } from "../../../lib/log";
import { configHasEcam, configInit, configRead, configWrite } from "./config";

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
  object: u32;     // PciObject in use, 0: none (pci-object.ts)
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
  pad: u32;
}

const MAX_FUNCTIONS: u32 = 64;
const FUNCTIONS: usize = memory.data(64 * 152, 8);
if (offsetof<PciFunction>() != 152) ERROR("FUNCTIONS has 152 bytes a function");

/** Offsets in configuration space. */
export const enum Config {
  ID = 0, COMMAND = 4, STATUS = 6, CLASS_REVISION = 8, HEADER_TYPE = 14, BAR0 = 16, SECONDARY_BUS = 25, SUBORDINATE_BUS = 26, SUBSYSTEM = 44, CAPABILITIES = 52, INTERRUPT_LINE = 60, INTERRUPT_PIN = 61,
}
export const enum Command { PORTS = 1, MEMORY = 2, MASTER = 4, INTX_OFF = 0x400 }
const STATUS_HAS_CAPABILITIES: u32 = 0x10;
const MULTI_FUNCTION: u32 = 0x80;
const CAP_MSI: u32 = 5;
const CAP_EXPRESS: u32 = 16;
const CAP_SUBSYSTEM: u32 = 13; // of bridges; PCI-to-PCI Bridge 1.2, 3.2.5.13
const CAP_MSIX: u32 = 17;
const CAPS_LIMIT: u32 = 48; // a ring of capabilities must not hang the kernel
const BAR_PORTS: u32 = 1;
const BAR_64: u32 = 4;

@final @unmanaged
class Found {
  count: u32;
}
const FOUND = changetype<Found>(memory.data(offsetof<Found>()));

export function pciCount(): u32 { return FOUND.count; }
/** Function `index` (< pciCount). */
export function pciAt(index: u32): PciFunction {
  return changetype<PciFunction>(FUNCTIONS + <usize>index * offsetof<PciFunction>()); // SAFETY: index < MAX_FUNCTIONS
}

/** The function at a configuration address, or null. */
export function pciFind(address: u32): PciFunction | null {
  for (let i: u32 = 0; i < FOUND.count; i++) if (pciAt(i).address == address) return pciAt(i);
  return null;
}

export function pciBarBase(fn: PciFunction, index: u32): u64 {
  return wordAt64(changetype<usize>(fn) + offsetof<PciFunction>("bar0") + (<usize>index << 3));
}
export function pciBarSize(fn: PciFunction, index: u32): u64 {
  return wordAt64(changetype<usize>(fn) + offsetof<PciFunction>("size0") + (<usize>index << 3));
}

/** Bridges between the processor and a function. */
const BRIDGES_DEEP: u32 = 3;

/** Looks at every bus that can be reached. */
export function pciInit(): void {
  configInit();
  busScan(0, 0);
  logBegin(LogLevel.INFO, "pci");
  logStr("functions=");
  logDec(FOUND.count);
  logStr(configHasEcam() ? " config=ecam" : " config=ports");
  logEnd();
}

/** Bridges are numbered by the firmware: a secondary bus is above its primary one, so the walk ends. `depth`: bridges above. */
function busScan(bus: u32, depth: u32): void {
  for (let device: u32 = 0; device < 32; device++) {
    const address = bus << 8 | device << 3;
    if (configRead(address, Config.ID, 2) == 0xffff) continue;
    const isMulti = (configRead(address, Config.HEADER_TYPE, 1) & MULTI_FUNCTION) != 0;
    const count: u32 = isMulti ? 8 : 1;
    for (let fn: u32 = 0; fn < count; fn++) functionFound(address | fn, depth);
  }
}

function functionFound(address: u32, depth: u32): void {
  const id = configRead(address, Config.ID, 4);
  if ((id & 0xffff) == 0xffff || FOUND.count == MAX_FUNCTIONS) return;
  const fn = pciAt(FOUND.count++);
  fn.address = address;
  fn.id = id;
  fn.classRevision = configRead(address, Config.CLASS_REVISION, 4);
  fn.header = configRead(address, Config.HEADER_TYPE, 1) & 0x7f;
  if (fn.header == 0) {
    fn.subsystem = configRead(address, Config.SUBSYSTEM, 4);
    barsRead(fn);
  }
  capabilitiesRead(fn);
  functionLog(fn);
  if (fn.header != 1) return;
  const bus = configRead(address, Config.SECONDARY_BUS, 1);
  if (bus <= address >> 8) return;
  if (depth < BRIDGES_DEEP) busScan(bus, depth + 1);
  else deepBusLog(bus);
}

function deepBusLog(bus: u32): void {
  logBegin(LogLevel.WARN, "pci");
  logStr("left out: too many bridges above bus ");
  logDec(bus);
  logEnd();
}

/** A configuration address as people write it: bus:device.function. */
export function logPciAddress(address: u32): void {
  logHexDigits(address >> 8, 2);
  logStr(":");
  logHexDigits(address >> 3 & 31, 2);
  logStr(".");
  logDec(address & 7);
}

function functionLog(fn: PciFunction): void {
  logBegin(LogLevel.DEBUG, "pci");
  logPciAddress(fn.address);
  logStr(" id=");
  logHex(fn.id);
  logStr(" class=");
  logHex(fn.classRevision >> 8);
  logEnd();
}

/** Sizes the ranges by writing ones, with the function deaf meanwhile. PCI 3.0, 6.2.5.1. */
function barsRead(fn: PciFunction): void {
  const command = configRead(fn.address, Config.COMMAND, 2);
  configWrite(fn.address, Config.COMMAND, 2, command & ~<u32>(Command.PORTS | Command.MEMORY));
  for (let i: u32 = 0; i < 6; i++) if (barRead(fn, i)) i++; // the upper half of a 64-bit one
  configWrite(fn.address, Config.COMMAND, 2, command);
}

function barProbe(fn: PciFunction, offset: u32): u32 {
  const old = configRead(fn.address, offset, 4);
  configWrite(fn.address, offset, 4, 0xffffffff);
  const mask = configRead(fn.address, offset, 4);
  configWrite(fn.address, offset, 4, old);
  return mask;
}

/** True when the range takes two registers. */
function barRead(fn: PciFunction, index: u32): bool {
  const offset = Config.BAR0 + (index << 2);
  const low = configRead(fn.address, offset, 4);
  const mask = barProbe(fn, offset);
  if (mask == 0) return false;
  if (low & BAR_PORTS) {
    fn.portMask |= 1 << index;
    barSet(fn, index, low & 0xfffc, (~(mask & 0xfffc) & 0xffff) + 1);
    return false;
  }
  const is64 = (low & 6) == BAR_64 && index < 5;
  let base = <u64>(low & ~15);
  let sizeMask = <u64>(mask & ~15) | 0xffffffff00000000;
  if (is64) {
    base |= <u64>configRead(fn.address, offset + 4, 4) << 32;
    sizeMask = <u64>(mask & ~15) | <u64>barProbe(fn, offset + 4) << 32;
  }
  barSet(fn, index, base, ~sizeMask + 1);
  return is64;
}

function barSet(fn: PciFunction, index: u32, base: u64, size: u64): void {
  if (base == 0 || size == 0) return; // the firmware gave it no place
  fn.barMask |= 1 << index;
  wordPut64(changetype<usize>(fn) + offsetof<PciFunction>("bar0") + (<usize>index << 3), base);
  wordPut64(changetype<usize>(fn) + offsetof<PciFunction>("size0") + (<usize>index << 3), size);
}

function capabilitiesRead(fn: PciFunction): void {
  if (!(configRead(fn.address, Config.STATUS, 2) & STATUS_HAS_CAPABILITIES)) return;
  let at = configRead(fn.address, Config.CAPABILITIES, 1) & 0xfc;
  for (let n: u32 = 0; at >= 0x40 && n < CAPS_LIMIT; n++) {
    const head = configRead(fn.address, at, 4);
    if ((head & 0xff) == CAP_MSI) fn.msi = at;
    if ((head & 0xff) == CAP_EXPRESS) fn.express = at;
    if ((head & 0xff) == CAP_SUBSYSTEM) fn.subsystem = configRead(fn.address, at + 4, 4);
    if ((head & 0xff) == CAP_MSIX) {
      fn.msix = at;
      fn.msixVectors = (head >> 16 & 0x7ff) + 1;
    }
    at = head >> 8 & 0xfc;
  }
}
