/**
 * Ranges of PCI functions (BARs): where they are, and which of them a driver may have.
 *
 * A driver's registers are mapped page by page. So a range that does not begin with a page, or in whose pages another function has
 * registers too, is nobody's; and of a range with a table of MSI-X messages the pages of the table are left out: who writes there
 * interrupts whomever it wants.
 *
 * Spec  PCI Local Bus 3.0, 6.2.5 "Base Addresses", 6.8.2 (MSI-X).
 */
import { wordAt64, wordPut64 } from "../../../lib/bytes";
import { LogLevel, logBegin, logDec, logEnd, logKeyHex, logStr } from "../../../lib/log";
import { configRead, configWrite } from "./config";
import { Command, Config, logPciAddress, MSIX_ENTRY_BYTES, pciAt, pciCount, PciFunction } from "./functions";

export const PCI_BARS: u32 = 6;
const BRIDGE_BARS: u32 = 2;
const BAR_PORTS: u32 = 1;
const BAR_64: u32 = 4;
const PAGE_MASK: u64 = 4095;

export function pciBarBase(fn: PciFunction, index: u32): u64 {
  return wordAt64(changetype<usize>(fn) + offsetof<PciFunction>("bar0") + (<usize>index << 3));
}
export function pciBarSize(fn: PciFunction, index: u32): u64 {
  return wordAt64(changetype<usize>(fn) + offsetof<PciFunction>("size0") + (<usize>index << 3));
}

/** BAR `index` is there and is memory. */
function isMemory(fn: PciFunction, index: u32): bool { return ((fn.barMask & ~fn.portMask) >> index & 1) != 0; }

/** Sizes the ranges by writing ones, with the function deaf meanwhile. PCI 3.0, 6.2.5.1. */
export function barsRead(fn: PciFunction): void {
  const count: u32 = fn.header == 0 ? PCI_BARS : fn.header == 1 ? BRIDGE_BARS : 0;
  const command = configRead(fn.address, Config.COMMAND, 2);
  configWrite(fn.address, Config.COMMAND, 2, command & ~<u32>(Command.PORTS | Command.MEMORY));
  for (let i: u32 = 0; i < count; i++) if (barRead(fn, i, count)) i++; // the upper half of a 64-bit one
  configWrite(fn.address, Config.COMMAND, 2, command);
}

function barProbe(fn: PciFunction, offset: u32): u32 {
  const old = configRead(fn.address, offset, 4);
  configWrite(fn.address, offset, 4, 0xffffffff);
  const mask = configRead(fn.address, offset, 4);
  configWrite(fn.address, offset, 4, old);
  return mask;
}

/** True when the range takes two of `count` registers. */
function barRead(fn: PciFunction, index: u32, count: u32): bool {
  const offset = Config.BAR0 + (index << 2);
  const low = configRead(fn.address, offset, 4);
  const mask = barProbe(fn, offset);
  if (mask == 0) return false;
  if (low & BAR_PORTS) {
    fn.portMask |= 1 << index;
    barSet(fn, index, low & 0xfffc, (~(mask & 0xfffc) & 0xffff) + 1);
    return false;
  }
  const is64 = (low & 6) == BAR_64 && index + 1 < count;
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

// ---- What drivers may have ----

/** True when the page at `pa` holds messages of the function's. */
export function pciPageIsTable(fn: PciFunction, pa: u64): bool {
  if (fn.tablePa == 0) return false;
  return pa >= (fn.tablePa & ~PAGE_MASK) && pa < fn.tablePa + fn.msixVectors * MSIX_ENTRY_BYTES;
}

/** Once all functions are known: keeps what cannot be given page by page, with a log line each. */
export function barsLook(): void {
  for (let i: u32 = 0; i < pciCount(); i++) {
    for (let bar: u32 = 0; bar < PCI_BARS; bar++) if (isMemory(pciAt(i), bar)) barLook(pciAt(i), bar);
  }
}

function barLook(fn: PciFunction, index: u32): void {
  const isAtPage = (pciBarBase(fn, index) & PAGE_MASK) == 0;
  if (isAtPage && !barIsShared(fn, index)) return;
  fn.keptMask |= 1 << index;
  logBegin(LogLevel.WARN, "pci");
  logPciAddress(fn.address);
  logStr(" BAR ");
  logDec(index);
  logStr(isAtPage ? " shares a page with another range" : " does not begin with a page");
  logStr(": no driver gets it");
  logKeyHex("at", pciBarBase(fn, index));
  logEnd();
}

/** Whether a page of the range has registers of another function. Its own are its driver's anyway; their table is left out. */
function barIsShared(fn: PciFunction, index: u32): bool {
  const start = pciBarBase(fn, index);
  const end = start + pciBarSize(fn, index) + PAGE_MASK & ~PAGE_MASK;
  for (let i: u32 = 0; i < pciCount(); i++) {
    const other = pciAt(i);
    if (changetype<usize>(other) == changetype<usize>(fn)) continue;
    for (let bar: u32 = 0; bar < PCI_BARS; bar++) {
      if (isMemory(other, bar) && pciBarBase(other, bar) < end && pciBarBase(other, bar) + pciBarSize(other, bar) > start) return true;
    }
  }
  return false;
}
