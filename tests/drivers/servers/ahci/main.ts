/**
 * ahci: not a driver, but one register of the ICH9's SATA controller read in two ways: as memory, and by ports.
 *
 * Spec  Serial ATA AHCI 1.3.1, 3.1.1 (CAP), 10.14 "Index-Data Pair".
 */
import { portLoad, portsOpen, portStore, registersMap, regLoad32 } from "../../../../servers/runtime/device";
import { serveBits } from "../../../../servers/runtime/loop";
import { handleNamed, hex, log, runtimeStart, serverBuffer } from "../../../../servers/runtime/start";

export { serverBuffer };

const MEMORY_BAR: u32 = 5;
const PORTS_BAR: u32 = 4;
const REGISTERS_BYTES: usize = 0x1000;
/** Of the pair: which register, and its value. */
const enum Pair { INDEX = 0x10, DATA = 0x14, END = 0x20 }
const enum Reg { CAP = 0x00, PORTS_IMPLEMENTED = 0x0c }
const WORD: u32 = 4;

export function serverMain(count: u32): u32 {
  runtimeStart(count);
  const problem = pairCompare(handleNamed("pci"));
  log("ahci: " + (problem == "" ? "ok" : problem));
  serveBits(handleNamed("notification"), ignore);
  return 0;
}

function ignore(bits: u64): void {}

function pairCompare(pci: u32): string {
  const base = registersMap(pci, MEMORY_BAR, REGISTERS_BYTES);
  const ports = portsOpen(pci, PORTS_BAR);
  if (base == 0 || ports == 0 || portsOpen(pci, 0) != 0) return "its ranges are not what they should be";
  if (!isSame(base, ports, Reg.CAP) || !isSame(base, ports, Reg.PORTS_IMPLEMENTED)) return "ports and memory differ";
  if (portStore(ports, Pair.END, WORD, 0) || portStore(ports, Pair.END - 1, WORD, 0)) return "it may write beyond its ports";
  return portLoad(ports, Pair.END, 1) == u32.MAX_VALUE ? "" : "it may read beyond its ports";
}

function isSame(base: usize, ports: u32, register: u32): bool {
  if (!portStore(ports, Pair.INDEX, WORD, register)) return false;
  const value = portLoad(ports, Pair.DATA, WORD);
  log("ahci: register " + hex(register) + " is " + hex(value));
  return value == regLoad32(base + register) && value != 0 && value != u32.MAX_VALUE;
}
