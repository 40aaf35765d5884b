/**
 * PCI capabilities and their native calls: one holder's device, its ranges, its messages, its bus mastering.
 *
 * Invariants  P1  a function has at most one PCI object; when no capability names it any more the function masters the bus no longer,
 *                 so that a dead driver's device writes nowhere.
 * Locking     PciFunction.object changes by compare and exchange.
 */
import { userCopyOut } from "../../../../arch/current";
import { CapKind, CapRight, PciInfo } from "../../../abi/capability";
import { Errno } from "../../../abi/errno";
import { rangeObjectCreate } from "../../../core/cap/memory-object";
import { KObject, objectAt, objectIgnore, objectInit, objectKindSet, objectPut } from "../../../core/cap/object";
import { userRangeOk } from "../../../core/mm/layout";
import { kfree, kzalloc } from "../../../core/mm/slab";
import { scratchPop, scratchPush } from "../../../core/sched/scratch";
import { handleGive, handleLookup } from "../../native/process-space";
import { isErrPtr } from "../../vfs/types";
import { configRead, configWrite } from "./config";
import { Command, Config, pciAt, pciBarBase, pciBarSize, pciCount, pciFind, PciFunction } from "./functions";
import { irqObjectAt, irqObjectBind, irqObjectCreate } from "./irq-object";

const BARS: u32 = 6;
/** Registers up to here belong to the kernel: command, ranges, interrupt line. */
const HEADER_END: u32 = 0x40;

@final @unmanaged
class PciObject {
  object: u64;  // a KObject held by value
  object1: u64;
  fn: u32;      // PciFunction
  pad: u32;
}

/** The function behind a PCI object. */
export function pciObjectFunction(object: usize): PciFunction {
  return changetype<PciFunction>(changetype<PciObject>(object).fn); // SAFETY: its kind is PCI
}

export function pciObjectsInit(): void {
  objectKindSet(CapKind.PCI, pciOrphaned, objectIgnore, pciDestroy);
}

function objectPtr(fn: PciFunction): usize { return changetype<usize>(fn) + offsetof<PciFunction>("object"); }

/** P1: quiet before anything it could write to is given away. */
function pciOrphaned(object: KObject): void {
  const fn = pciObjectFunction(changetype<usize>(object));
  const command = configRead(fn.address, Config.COMMAND, 2);
  configWrite(fn.address, Config.COMMAND, 2, command & ~<u32>Command.MASTER);
  atomic.cmpxchg<u32>(objectPtr(fn), <u32>changetype<usize>(object), 0);
}

function pciDestroy(object: KObject): void {
  pciOrphaned(object);
  kfree(changetype<usize>(object));
}

export function nativePciList(root: u32, index: u32, infoVa: u64): i64 {
  const held = handleLookup(root, CapKind.ROOT, CapRight.MANAGE);
  if (isErrPtr(held)) return <i32>held;
  objectPut(objectAt(held));
  return index >= pciCount() ? -Errno.NODEV : infoOut(pciAt(index), infoVa);
}

export function nativePciInfo(pci: u32, infoVa: u64): i64 {
  const held = handleLookup(pci, CapKind.PCI, CapRight.READ);
  if (isErrPtr(held)) return <i32>held;
  const result = infoOut(pciObjectFunction(held), infoVa);
  objectPut(objectAt(held));
  return result;
}

function infoOut(fn: PciFunction, infoVa: u64): i32 {
  if (!userRangeOk(infoVa, offsetof<PciInfo>())) return -Errno.FAULT;
  const ptr = scratchPush(offsetof<PciInfo>());
  const info = changetype<PciInfo>(ptr); // SAFETY: scratch of that size
  info.address = fn.address;
  info.vendor = <u16>fn.id;
  info.device = <u16>(fn.id >> 16);
  info.subVendor = <u16>fn.subsystem;
  info.subDevice = <u16>(fn.subsystem >> 16);
  info.classCode = fn.classRevision >> 8;
  info.revision = fn.classRevision & 0xff;
  info.msixVectors = fn.msixVectors;
  info.msiVectors = fn.msi != 0 ? 1 : 0;
  info.barMask = fn.barMask;
  info.portMask = fn.portMask;
  const failed = userCopyOut(infoVa, ptr, offsetof<PciInfo>());
  scratchPop(offsetof<PciInfo>());
  return failed != 0 ? -Errno.FAULT : 0;
}

/** pci_open: EBUSY while somebody has the function, ENODEV when there is none. */
export function nativePciOpen(root: u32, address: u32): i64 {
  const held = handleLookup(root, CapKind.ROOT, CapRight.MANAGE);
  if (isErrPtr(held)) return <i32>held;
  objectPut(objectAt(held));
  const fn = pciFind(address);
  if (!fn || fn.header != 0) return -Errno.NODEV;
  const object = kzalloc(offsetof<PciObject>());
  if (object == 0) return -Errno.NOMEM;
  if (atomic.cmpxchg<u32>(objectPtr(fn), 0, <u32>object) != 0) {
    kfree(object);
    return -Errno.BUSY;
  }
  objectInit(objectAt(object), CapKind.PCI);
  changetype<PciObject>(object).fn = <u32>changetype<usize>(fn); // SAFETY: fresh object of that size
  const command = configRead(fn.address, Config.COMMAND, 2);
  configWrite(fn.address, Config.COMMAND, 2, command | Command.MEMORY | Command.PORTS | Command.INTX_OFF);
  return handleGive(objectAt(object), CapRight.ALL);
}

function offsetOk(offset: u32, width: u32): bool {
  return (width == 1 || width == 2 || width == 4) && (offset & (width - 1)) == 0 && offset + width <= 4096;
}

export function nativePciConfigRead(pci: u32, offset: u32, width: u32): i64 {
  if (!offsetOk(offset, width)) return -Errno.INVAL;
  const held = handleLookup(pci, CapKind.PCI, CapRight.READ);
  if (isErrPtr(held)) return <i32>held;
  const value = configRead(pciObjectFunction(held).address, offset, width);
  objectPut(objectAt(held));
  return value;
}

/** pci_config_write: EACCES for the header, for MSI and for MSI-X, which are the kernel's. */
export function nativePciConfigWrite(pci: u32, offset: u32, width: u32, value: u32): i64 {
  if (!offsetOk(offset, width)) return -Errno.INVAL;
  const held = handleLookup(pci, CapKind.PCI, CapRight.WRITE);
  if (isErrPtr(held)) return <i32>held;
  const fn = pciObjectFunction(held);
  const isOurs = offset < HEADER_END || within(offset, fn.msi, 24) || within(offset, fn.msix, 12);
  if (!isOurs) configWrite(fn.address, offset, width, value);
  objectPut(objectAt(held));
  return isOurs ? -Errno.ACCES : 0;
}

function within(offset: u32, start: u32, size: u32): bool {
  return start != 0 && offset + 4 > start && offset < start + size;
}

/** pci_bar: EACCES for the range with the table of messages: who writes there interrupts whomever it wants. */
export function nativePciBar(pci: u32, index: u32): i64 {
  const held = handleLookup(pci, CapKind.PCI, CapRight.MANAGE);
  if (isErrPtr(held)) return <i32>held;
  const fn = pciObjectFunction(held);
  if (index >= BARS || !(fn.barMask >> index & 1)) {
    objectPut(objectAt(held));
    return -Errno.NODEV;
  }
  if (fn.msix != 0 && (configRead(fn.address, fn.msix + 4, 4) & 7) == index) {
    objectPut(objectAt(held));
    return -Errno.ACCES;
  }
  const kind: u32 = fn.portMask >> index & 1 ? CapKind.PORTS : CapKind.MMIO;
  const range = rangeObjectCreate(kind, pciBarBase(fn, index), pciBarSize(fn, index), 0);
  objectPut(objectAt(held));
  return range == 0 ? -Errno.NOMEM : handleGive(objectAt(range), CapRight.ALL);
}

export function nativePciIrq(pci: u32, vector: u32): i64 {
  const held = handleLookup(pci, CapKind.PCI, CapRight.MANAGE);
  if (isErrPtr(held)) return <i32>held;
  const irq = irqObjectCreate(pciObjectFunction(held), vector, <u32>held);
  if (!isErrPtr(irq)) return handleGive(objectAt(irq), CapRight.ALL);
  objectPut(objectAt(held));
  return <i32>irq;
}

export function nativePciMaster(pci: u32, enable: u32): i64 {
  const held = handleLookup(pci, CapKind.PCI, CapRight.MANAGE | CapRight.DMA);
  if (isErrPtr(held)) return <i32>held;
  const fn = pciObjectFunction(held);
  const command = configRead(fn.address, Config.COMMAND, 2) & ~<u32>Command.MASTER;
  configWrite(fn.address, Config.COMMAND, 2, enable != 0 ? command | Command.MASTER : command);
  objectPut(objectAt(held));
  return 0;
}

export function nativeIrqBind(irq: u32, notification: u32, bits: u64): i64 {
  const held = handleLookup(irq, CapKind.IRQ, CapRight.MANAGE);
  if (isErrPtr(held)) return <i32>held;
  const n = handleLookup(notification, CapKind.NOTIFICATION, CapRight.SIGNAL);
  if (!isErrPtr(n)) irqObjectBind(irqObjectAt(held), <u32>n, bits);
  objectPut(objectAt(held));
  return isErrPtr(n) ? <i32>n : 0;
}

/** irq_ack: messages are edges and need none; the capability is still asked for. */
export function nativeIrqAck(irq: u32): i64 {
  const held = handleLookup(irq, CapKind.IRQ, CapRight.MANAGE);
  if (isErrPtr(held)) return <i32>held;
  objectPut(objectAt(held));
  return 0;
}
