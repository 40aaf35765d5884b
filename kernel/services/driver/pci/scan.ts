/**
 * The walk over the PCI buses at boot, which fills the table of functions.ts.
 *
 * Nothing is moved or numbered: the firmware has done that.
 *
 * Spec  PCI Local Bus 3.0, ch. 6; PCI-to-PCI Bridge 1.2, 3.2; PCI 3.0, 6.8 (MSI, MSI-X).
 */
import { byteAt, bytePut } from "../../../lib/bytes";
import { LogLevel, logBegin, logDec, logEnd, logHex, logHexDigits, logStr } from "../../../lib/log";
import { barsLook, barsRead, pciBarBase, PCI_BARS, pciBarSize } from "./bars";
import { configHasEcam, configInit, configLastBus, configRead } from "./config";
import { Config, logPciAddress, MSIX_ENTRY_BYTES, pciAdd, pciCount, PciFunction } from "./functions";

const STATUS_HAS_CAPABILITIES: u32 = 0x10;
const MULTI_FUNCTION: u32 = 0x80;
const CAP_MSI: u32 = 5;
const CAP_EXPRESS: u32 = 16;
const CAP_SUBSYSTEM: u32 = 13; // of bridges; PCI-to-PCI Bridge 1.2, 3.2.5.13
const CAP_MSIX: u32 = 17;
const MSIX_TABLE: u32 = 4;
const CAPS_LIMIT: u32 = 48; // a ring of capabilities must not hang the kernel


@final @unmanaged
class Scan {
  dropped: u32; // functions for which there was no room
}
const SCAN = changetype<Scan>(memory.data(offsetof<Scan>()));
/** Bit n: bus n is a root bus that was looked at, or behind a bridge. */
const BUSES: usize = memory.data(32, 8);

/** Bridges between the processor and a function. */
const BRIDGES_DEEP: u32 = 3;

/** Looks at every bus that can be reached: those behind no bridge are other roots. */
export function pciInit(): void {
  configInit();
  for (let bus: u32 = 0; bus <= configLastBus(); bus++) if (!busIsKnown(bus)) rootScan(bus);
  barsLook();
  logBegin(SCAN.dropped != 0 ? LogLevel.WARN : LogLevel.INFO, "pci");
  logStr("functions=");
  logDec(pciCount());
  logStr(configHasEcam() ? " config=ecam" : " config=ports");
  if (SCAN.dropped != 0) {
    logStr(" left out, for want of room: ");
    logDec(SCAN.dropped);
  }
  logEnd();
}

function busIsKnown(bus: u32): bool { return (byteAt(BUSES, bus >> 3) >> (bus & 7) & 1) != 0; }
function busKnow(bus: u32): void { bytePut(BUSES, bus >> 3, byteAt(BUSES, bus >> 3) | 1 << (bus & 7)); }

function rootScan(bus: u32): void {
  const before = pciCount();
  busScan(bus, 0);
  if (bus == 0 || pciCount() == before) return;
  logBegin(LogLevel.INFO, "pci");
  logStr("one more root: bus ");
  logHexDigits(bus, 2);
  logEnd();
}

/** Bridges are numbered by the firmware: a secondary bus is above its primary one, so the walk ends. `depth`: bridges above. */
function busScan(bus: u32, depth: u32): void {
  busKnow(bus);
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
  if ((id & 0xffff) == 0xffff) return;
  const fn = pciAdd();
  if (!fn) {
    SCAN.dropped++;
    return;
  }
  fn.address = address;
  fn.id = id;
  fn.classRevision = configRead(address, Config.CLASS_REVISION, 4);
  fn.header = configRead(address, Config.HEADER_TYPE, 1) & 0x7f;
  if (fn.header == 0) fn.subsystem = configRead(address, Config.SUBSYSTEM, 4);
  barsRead(fn);
  capabilitiesRead(fn);
  functionLog(fn);
  if (fn.header == 1) bridgeScan(fn, depth);
}

/** The buses of a bridge are no roots, whether or not somebody is there. */
function bridgeScan(bridge: PciFunction, depth: u32): void {
  const bus = configRead(bridge.address, Config.SECONDARY_BUS, 1);
  if (bus <= bridge.address >> 8) return;
  const last = configRead(bridge.address, Config.SUBORDINATE_BUS, 1);
  for (let behind = bus; behind <= last; behind++) busKnow(behind);
  if (depth < BRIDGES_DEEP) busScan(bus, depth + 1);
  else deepBusLog(bus);
}

function deepBusLog(bus: u32): void {
  logBegin(LogLevel.WARN, "pci");
  logStr("left out: too many bridges above bus ");
  logDec(bus);
  logEnd();
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
      fn.tablePa = tableAddress(fn);
    }
    at = head >> 8 & 0xfc;
  }
}

/** Where the table of MSI-X messages lies; 0 when the function says nonsense. */
function tableAddress(fn: PciFunction): u64 {
  const table = configRead(fn.address, fn.msix + MSIX_TABLE, 4);
  const bar = table & 7;
  const offset = <u64>(table & ~7);
  if (bar >= PCI_BARS || !(fn.barMask >> bar & 1) || fn.portMask >> bar & 1) return 0;
  return offset + fn.msixVectors * MSIX_ENTRY_BYTES > pciBarSize(fn, bar) ? 0 : pciBarBase(fn, bar) + offset;
}
