/**
 * PCI capabilities and their native calls: one holder's device, its ranges, its messages, its bus mastering.
 *
 * Invariants  P1  a function has at most one PCI object; when no capability names it any more the function masters the bus no longer,
 *                 so that a dead driver's device writes nowhere; only then its domain ends.
 *             P2  a function is another's only when nothing made from the old object is left: ranges, with what is mapped of them, and
 *                 interrupts hold a reference. Who was given them and keeps them keeps the function busy, not its registers in use by two.
 * Locking     PciFunction.object and the command register: command.ts.
 */
import { userCopyOut } from "../../../../arch/current";
import { CapKind, CapRight, PciInfo } from "../../../abi/capability";
import { Errno } from "../../../abi/errno";
import { rangeObjectCreate } from "../../../core/cap/memory-object";
import { KObject, objectAt, objectIgnore, objectInit, objectKindSet, objectPut } from "../../../core/cap/object";
import { userRangeOk } from "../../../core/mm/layout";
import { kfree, kzalloc } from "../../../core/mm/slab";
import { scratchPop, scratchPush } from "../../../core/sched/scratch";
import { handleGiveUnder, handleLookup } from "../../native/process-space";
import { currentProcess } from "../../process/process";
import { isErrPtr } from "../../vfs/types";
import { Domain, domainAt, domainBlame, domainClose, domainFree } from "../iommu/domain";
import { iommuOpen } from "../iommu/iommu";
import { pciBarBase, PCI_BARS, pciBarSize, pciPageIsTable } from "./bars";
import { commandChange, commandInit, commandMaster, commandOrphan, holderChange } from "./command";
import { configRead, configWrite } from "./config";
import { Command, pciAt, pciCount, pciFind, PciFunction } from "./functions";
import { irqObjectAck, irqObjectAt, irqObjectBind, irqObjectCreate } from "./irq-object";

/** Registers up to here belong to the kernel: command, ranges, interrupt line. */
const HEADER_END: u32 = 0x40;

@final @unmanaged
class PciObject {
  object: u64;  // a KObject held by value
  object1: u64;
  fn: u32;      // PciFunction
  domain: u32;  // Domain of its DMA, 0: no IOMMU
}

/** The function behind a PCI object. */
export function pciObjectFunction(object: usize): PciFunction {
  return changetype<PciFunction>(changetype<PciObject>(object).fn); // SAFETY: its kind is PCI
}

export function pciObjectsInit(): void {
  commandInit();
  objectKindSet(CapKind.PCI, pciOrphaned, objectIgnore, pciDestroy);
}

/** The function behind a PCI object masters the bus no longer. */
export function pciObjectQuiet(object: usize): void {
  commandChange(pciObjectFunction(object), Command.MASTER, 0);
}

/** True when the page at `pa` of a range of the PCI object's device is the kernel's. */
export function pciObjectKeeps(object: usize, pa: u64): bool { return pciPageIsTable(pciObjectFunction(object), pa); }

/** The domain of a PCI object's DMA, or null: there is no IOMMU. */
export function pciObjectDomain(object: usize): Domain | null {
  const domain = changetype<PciObject>(object).domain; // SAFETY: its kind is PCI
  return domain == 0 ? null : domainAt(domain);
}

/** P1: quiet before anything it could write to is given away. */
function pciOrphaned(object: KObject): void {
  const domain = pciObjectDomain(changetype<usize>(object));
  commandOrphan(pciObjectFunction(changetype<usize>(object)));
  if (domain) domainClose(domain);
}

function pciDestroy(object: KObject): void {
  pciOrphaned(object); // it may never have been in a slot
  const domain = pciObjectDomain(changetype<usize>(object));
  if (domain) domainFree(domain);
  holderChange(pciObjectFunction(changetype<usize>(object)), changetype<usize>(object), 0); // P2
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
  info.pad = 0;
  info.barMask = fn.barMask;
  info.portMask = fn.portMask;
  const failed = userCopyOut(infoVa, ptr, offsetof<PciInfo>());
  scratchPop(offsetof<PciInfo>());
  return failed != 0 ? -Errno.FAULT : 0;
}

/** pci_open: EBUSY while somebody has the function or one that the IOMMU cannot tell from it, ENODEV when there is none. */
export function nativePciOpen(root: u32, address: u32): i64 {
  const held = handleLookup(root, CapKind.ROOT, CapRight.MANAGE);
  if (isErrPtr(held)) return <i32>held;
  objectPut(objectAt(held));
  const fn = pciFind(address);
  if (!fn || fn.header != 0) return -Errno.NODEV;
  const object = kzalloc(offsetof<PciObject>());
  if (object == 0) return -Errno.NOMEM;
  if (!holderChange(fn, 0, object)) {
    kfree(object);
    return -Errno.BUSY;
  }
  const domain = iommuOpen(fn);
  if (isErrPtr(domain)) {
    holderChange(fn, object, 0);
    kfree(object);
    return <i32>domain;
  }
  objectInit(objectAt(object), CapKind.PCI);
  changetype<PciObject>(object).fn = <u32>changetype<usize>(fn); // SAFETY: fresh object of that size
  changetype<PciObject>(object).domain = <u32>domain; // SAFETY: the same
  commandChange(fn, 0, Command.MEMORY | Command.PORTS | Command.INTX_OFF);
  return handleGiveUnder(root, objectAt(object), CapRight.ALL);
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

/** pci_bar: EACCES for a range that drivers do not get (bars.ts). */
export function nativePciBar(pci: u32, index: u32): i64 {
  const held = handleLookup(pci, CapKind.PCI, CapRight.MANAGE);
  if (isErrPtr(held)) return <i32>held;
  const range = rangeMake(held, index);
  if (!isErrPtr(range)) return handleGiveUnder(pci, objectAt(range), CapRight.ALL);
  objectPut(objectAt(held));
  return <i32>range;
}

/** The object of BAR `index`, which takes over the reference to the PCI object; as pointer: ENODEV, EACCES, ENOMEM. */
function rangeMake(held: usize, index: u32): usize {
  const fn = pciObjectFunction(held);
  if (index >= PCI_BARS || !(fn.barMask >> index & 1)) return <usize>-Errno.NODEV;
  if (fn.keptMask >> index & 1) return <usize>-Errno.ACCES;
  const kind: u32 = fn.portMask >> index & 1 ? CapKind.PORTS : CapKind.MMIO;
  const range = rangeObjectCreate(kind, pciBarBase(fn, index), pciBarSize(fn, index), <u32>held);
  return range == 0 ? <usize>-Errno.NOMEM : range;
}

export function nativePciIrq(pci: u32, vector: u32): i64 {
  const held = handleLookup(pci, CapKind.PCI, CapRight.MANAGE);
  if (isErrPtr(held)) return <i32>held;
  const irq = irqObjectCreate(pciObjectFunction(held), vector, <u32>held);
  if (!isErrPtr(irq)) return handleGiveUnder(pci, objectAt(irq), CapRight.ALL);
  objectPut(objectAt(held));
  return <i32>irq;
}

/** pci_master: ESTALE when no capability names the function's holder any more. */
export function nativePciMaster(pci: u32, enable: u32): i64 {
  const held = handleLookup(pci, CapKind.PCI, CapRight.MANAGE | CapRight.DMA);
  if (isErrPtr(held)) return <i32>held;
  const domain = pciObjectDomain(held);
  if (domain && enable != 0) domainBlame(domain, currentProcess());
  const isDone = commandMaster(pciObjectFunction(held), enable != 0);
  objectPut(objectAt(held));
  return isDone ? 0 : -Errno.STALE;
}

export function nativeIrqBind(irq: u32, notification: u32, bits: u64): i64 {
  const held = handleLookup(irq, CapKind.IRQ, CapRight.MANAGE);
  if (isErrPtr(held)) return <i32>held;
  const n = handleLookup(notification, CapKind.NOTIFICATION, CapRight.SIGNAL);
  if (!isErrPtr(n)) irqObjectBind(irqObjectAt(held), <u32>n, bits);
  objectPut(objectAt(held));
  return isErrPtr(n) ? <i32>n : 0;
}

export function nativeIrqAck(irq: u32): i64 {
  const held = handleLookup(irq, CapKind.IRQ, CapRight.MANAGE);
  if (isErrPtr(held)) return <i32>held;
  irqObjectAck(irqObjectAt(held));
  objectPut(objectAt(held));
  return 0;
}
