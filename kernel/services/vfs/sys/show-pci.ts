/**
 * PCI functions in /sys/devices/pci0000:00 (and that of each further root bus), below the bridges above them, and links to them in /sys/bus/pci/devices.
 *
 * Object: the function's index in the table of functions.ts. Spec: Linux, Documentation/ABI/testing/sysfs-bus-pci.
 */
import { wordAt, wordSet } from "../../../lib/words";
import { pciBarBase, PCI_BARS, pciBarSize } from "../../driver/pci/bars";
import { pciBridgeAbove } from "../../driver/pci/bridges";
import { configRead } from "../../driver/pci/config";
import { Config, pciAt, pciCount, PCI_FUNCTIONS_MAX, PciFunction } from "../../driver/pci/functions";
import { currentCred } from "../../process/process";
import { cpuListPut } from "./show-cpu";
import { sysAttributeAdd, sysAttributeMode, sysDirMake, SysKind, sysLinkAdd, SysNode, sysNodeAt } from "./node";
import { SeqBuf, seqByte, seqDecLine, seqHex, seqStr } from "../proc/seq-buf";
import { sysPlace, SysPlace } from "./tree";

/** SysNode of each function. */
const PCI_NODES: usize = memory.data(256 * 4, 4);
/** SysNode of each root bus, but for bus 0's. */
const ROOTS: usize = memory.data(256 * 4, 4);
const FUNCTIONS: u32 = SysKind.PCI | SysKind.BRIDGE;
const CONFIG_BYTES: u32 = 256;
const CONFIG_EXPRESS_BYTES: u32 = 4096;
const CONFIG_PUBLIC_BYTES: u32 = 64; // what others than root see: no capability, no device register
const RESOURCES: u32 = 13;           // six ranges, the ROM, and Linux' room for those of virtual functions
const RESOURCES_BRIDGE: u32 = 17;    // and four windows
/** linux/ioport.h, IORESOURCE_*: flags of a range, above the low bits of its register. */
const enum Resource { PORTS = 0x100, MEMORY = 0x200, PREFETCH = 0x2000, SIZE_ALIGN = 0x40000, WIDE = 0x100000 }

export function sysPciInit(): void {
  if (PCI_FUNCTIONS_MAX != 256) ERROR("PCI_NODES has a word a function");
  sysAttributeMode(FUNCTIONS, "uevent", 0o644, ueventShow);
  sysAttributeAdd(FUNCTIONS, "vendor", (seq, object) => wordShow(seq, pciAt(object).id & 0xffff, 4));
  sysAttributeAdd(FUNCTIONS, "device", (seq, object) => wordShow(seq, pciAt(object).id >> 16, 4));
  sysAttributeAdd(FUNCTIONS, "subsystem_vendor", (seq, object) => wordShow(seq, pciAt(object).subsystem & 0xffff, 4));
  sysAttributeAdd(FUNCTIONS, "subsystem_device", (seq, object) => wordShow(seq, pciAt(object).subsystem >> 16, 4));
  sysAttributeAdd(FUNCTIONS, "class", (seq, object) => wordShow(seq, pciAt(object).classRevision >> 8, 6));
  sysAttributeAdd(FUNCTIONS, "revision", (seq, object) => wordShow(seq, pciAt(object).classRevision & 0xff, 2));
  sysAttributeAdd(FUNCTIONS, "irq", irqShow);
  sysAttributeAdd(FUNCTIONS, "resource", resourceShow);
  sysAttributeMode(FUNCTIONS, "config", 0o644, configShow);
  sysAttributeAdd(FUNCTIONS, "modalias", modaliasShow);
  sysAttributeAdd(FUNCTIONS, "local_cpulist", (seq, object) => cpuListPut(seq));
  sysAttributeAdd(SysKind.BRIDGE, "secondary_bus_number", (seq, object) => busShow(seq, object, Config.SECONDARY_BUS));
  sysAttributeAdd(SysKind.BRIDGE, "subordinate_bus_number", (seq, object) => busShow(seq, object, Config.SUBORDINATE_BUS));
  for (let i: u32 = 0; i < pciCount(); i++) functionAdd(i);
}

/** The directory of function `index`, or null: memory was full at boot. */
export function sysPciNode(index: u32): SysNode | null {
  if (wordAt(PCI_NODES, index) == 0) return null;
  return sysNodeAt(wordAt(PCI_NODES, index));
}

/** The table's index of a function. */
export function pciIndexOf(fn: PciFunction): u32 {
  let index: u32 = 0;
  while (changetype<usize>(pciAt(index)) != changetype<usize>(fn)) index++;
  return index;
}

/** Bridges come before what is behind them. */
function functionAdd(index: u32): void {
  const fn = pciAt(index);
  const bridge = pciBridgeAbove(fn);
  const above = bridge ? sysPciNode(pciIndexOf(bridge)) : null;
  const node = sysDirMake(above ? above : rootOf(fn.address >> 8), fn.header == 1 ? SysKind.BRIDGE : SysKind.PCI, index, namePut);
  if (!node) return;
  wordSet(PCI_NODES, index, <u32>changetype<usize>(node));
  sysLinkAdd(sysPlace(SysPlace.PCI_DEVICES), "", node);
  sysLinkAdd(node, "subsystem", sysPlace(SysPlace.BUS_PCI));
}

/** The directory of a root bus. */
function rootOf(bus: u32): SysNode {
  if (bus == 0) return sysPlace(SysPlace.PCI_ROOT);
  if (wordAt(ROOTS, bus) == 0) wordSet(ROOTS, bus, <u32>changetype<usize>(sysDirMake(sysPlace(SysPlace.DEVICES), 0, bus, rootNamePut)));
  return wordAt(ROOTS, bus) == 0 ? sysPlace(SysPlace.PCI_ROOT) : sysNodeAt(wordAt(ROOTS, bus));
}

function rootNamePut(seq: SeqBuf, bus: u32): i32 {
  seqStr(seq, "pci0000:");
  seqHex(seq, bus, 2);
  return 0;
}

/** Domain:bus:device.function. */
function namePut(seq: SeqBuf, object: u32): i32 {
  const address = pciAt(object).address;
  seqStr(seq, "0000:");
  seqHex(seq, address >> 8, 2);
  seqByte(seq, 0x3a);
  seqHex(seq, address >> 3 & 31, 2);
  seqByte(seq, 0x2e);
  seqHex(seq, address & 7, 1);
  return 0;
}

function wordShow(seq: SeqBuf, value: u32, digits: u32): i32 {
  seqStr(seq, "0x");
  seqHex(seq, value, digits);
  seqByte(seq, 0x0a);
  return 0;
}

/** The line the firmware wired it to; 0 for a function without a pin. */
function irqShow(seq: SeqBuf, object: u32): i32 {
  const address = pciAt(object).address;
  const hasPin = configRead(address, Config.INTERRUPT_PIN, 1) != 0;
  return seqDecLine(seq, hasPin ? configRead(address, Config.INTERRUPT_LINE, 1) : 0);
}

function busShow(seq: SeqBuf, object: u32, register: u32): i32 {
  return seqDecLine(seq, configRead(pciAt(object).address, register, 1));
}

/** Start, end and flags of each range. */
function resourceShow(seq: SeqBuf, object: u32): i32 {
  const fn = pciAt(object);
  const lines = fn.header == 1 ? RESOURCES_BRIDGE : RESOURCES;
  for (let i: u32 = 0; i < lines; i++) {
    const isThere = i < PCI_BARS && (fn.barMask >> i & 1) != 0;
    const base = isThere ? pciBarBase(fn, i) : 0;
    resourcePut(seq, base, isThere ? base + pciBarSize(fn, i) - 1 : 0, isThere ? flagsOf(fn, i) : 0);
  }
  return 0;
}

function resourcePut(seq: SeqBuf, start: u64, end: u64, flags: u64): void {
  seqStr(seq, "0x");
  seqHex(seq, start, 16);
  seqStr(seq, " 0x");
  seqHex(seq, end, 16);
  seqStr(seq, " 0x");
  seqHex(seq, flags, 16);
  seqByte(seq, 0x0a);
}

function flagsOf(fn: PciFunction, index: u32): u32 {
  const register = configRead(fn.address, Config.BAR0 + (index << 2), 4);
  if (fn.portMask >> index & 1) return Resource.PORTS | Resource.SIZE_ALIGN | register & 3;
  let flags = Resource.MEMORY | Resource.SIZE_ALIGN | register & 15;
  if (register & 8) flags |= Resource.PREFETCH;
  if ((register & 6) == 4) flags |= Resource.WIDE;
  return flags;
}

/** Configuration space as it is. */
function configShow(seq: SeqBuf, object: u32): i32 {
  const fn = pciAt(object);
  const size = currentCred().euid != 0 ? CONFIG_PUBLIC_BYTES : fn.express != 0 ? CONFIG_EXPRESS_BYTES : CONFIG_BYTES;
  for (let at: u32 = 0; at < size; at += 4) {
    const word = configRead(fn.address, at, 4);
    for (let i: u32 = 0; i < 4; i++) seqByte(seq, word >> (i << 3) & 0xff);
  }
  return 0;
}

function ueventShow(seq: SeqBuf, object: u32): i32 {
  const fn = pciAt(object);
  seqStr(seq, "PCI_CLASS=");
  upperPut(seq, fn.classRevision >> 8, 4);
  seqStr(seq, "\nPCI_ID=");
  pairPut(seq, fn.id);
  seqStr(seq, "\nPCI_SUBSYS_ID=");
  pairPut(seq, fn.subsystem);
  seqStr(seq, "\nPCI_SLOT_NAME=");
  namePut(seq, object);
  seqStr(seq, "\nMODALIAS=");
  return modaliasShow(seq, object);
}

function modaliasShow(seq: SeqBuf, object: u32): i32 {
  const fn = pciAt(object);
  fieldPut(seq, "pci:v", fn.id & 0xffff, 8);
  fieldPut(seq, "d", fn.id >> 16, 8);
  fieldPut(seq, "sv", fn.subsystem & 0xffff, 8);
  fieldPut(seq, "sd", fn.subsystem >> 16, 8);
  fieldPut(seq, "bc", fn.classRevision >> 24, 2);
  fieldPut(seq, "sc", fn.classRevision >> 16 & 0xff, 2);
  fieldPut(seq, "i", fn.classRevision >> 8 & 0xff, 2);
  seqByte(seq, 0x0a);
  return 0;
}

function fieldPut(seq: SeqBuf, key: string, value: u32, digits: u32): void {
  seqStr(seq, key);
  upperPut(seq, value, digits);
}

/** vendor:device. */
function pairPut(seq: SeqBuf, id: u32): void {
  upperPut(seq, id & 0xffff, 4);
  seqByte(seq, 0x3a);
  upperPut(seq, id >> 16, 4);
}

/** Upper-case hexadecimal of at least `digits` digits. */
function upperPut(seq: SeqBuf, value: u32, digits: u32): void {
  let count = digits;
  while (count < 8 && value >> (count << 2) != 0) count++;
  for (; count > 0; count--) {
    const digit = value >> ((count - 1) << 2) & 15;
    seqByte(seq, digit < 10 ? 0x30 + digit : 0x37 + digit);
  }
}
