/**
 * IRQ capabilities: an MSI-X message of a device that becomes bits of a notification.
 *
 * A message is an edge: it needs no acknowledgement, and what arrives while nobody looks accumulates in the notification.
 *
 * Invariants  I1  OWNERS[vector] is the object whose message carries that vector; the message is masked before the entry is cleared.
 * Locking     irqObjectLock (Rank.IRQ_OBJECT) guards OWNERS and the binding of every object; taken in interrupts.
 * Spec        SDM vol. 3A, 11.11 "Message Signalled Interrupts"; PCI Local Bus 3.0, 6.8.2 (MSI-X).
 */
import { irqRegister, physLoad32, physStore32, Vector } from "../../../../arch/current";
import { CapKind } from "../../../abi/capability";
import { IrqFault } from "../../../abi/debug";
import { Errno } from "../../../abi/errno";
import { KObject, objectAt, objectIgnore, objectInit, objectKindSet, objectPut } from "../../../core/cap/object";
import { notificationAt, notificationSignal } from "../../../core/ipc/notification";
import { kfree, kzalloc } from "../../../core/mm/slab";
import { cpuAt } from "../../../core/sched/cpu";
import { Rank } from "../../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../../lib/spinlock";
import { wordAt, wordSet } from "../../../lib/words";
import { configRead, configWrite } from "./config";
import { pciBarBase, pciBarSize, PciFunction } from "./functions";

/** Above the I/O APICs' lines, below the kernel's own vectors. */
const FIRST: u32 = 0x70;
const END: u32 = Vector.TIMER;
const MESSAGE_ADDRESS: u32 = 0xfee00000;
const ENTRY_BYTES: u32 = 16;
const MASKED: u32 = 1;
const MSIX_ENABLE: u32 = 0x8000;
const DIRECT_TOP: u64 = 0x100000000;

@final @unmanaged
export class IrqObject {
  object: u64;       // a KObject held by value
  object1: u64;
  vector: u32;
  notification: u32; // Notification, one reference, 0: not bound
  bits: u64;
  entryPa: u64;      // its entry of the MSI-X table
  pci: u32;          // the PCI object it came from, one reference
  fault: u32;        // IrqFault: messages go astray on purpose (kernel/services/debug); 0: they do not
  isHeld: u32;       // a message was kept back and is delivered when the fault ends
  pad: u32;
}

const LOCK = changetype<SpinLock>(memory.data(offsetof<SpinLock>()));
const OWNERS: usize = memory.data(256 * 4, 4);

export function irqObjectAt(address: usize): IrqObject { return changetype<IrqObject>(address); } // SAFETY: the caller names one

export function irqObjectsInit(): void {
  spinInit(LOCK, Rank.IRQ_OBJECT);
  objectKindSet(CapKind.IRQ, irqOrphaned, objectIgnore, irqDestroy);
  for (let vector = FIRST; vector < END; vector++) irqRegister(vector, irqArrived);
}

function irqArrived(vector: u32): void {
  spinLock(LOCK);
  const owner = wordAt(OWNERS, vector);
  if (owner != 0 && (irqObjectAt(owner).fault == 0 || faultLets(irqObjectAt(owner)))) messageDeliver(irqObjectAt(owner));
  spinUnlock(LOCK);
}

function messageDeliver(irq: IrqObject): void {
  if (irq.notification != 0) notificationSignal(notificationAt(irq.notification), irq.bits);
}

/** What becomes of a message while a fault is injected: true when it is delivered now. */
function faultLets(irq: IrqObject): bool {
  if (irq.fault != <u32>IrqFault.DROP) irq.isHeld = 1;
  return irq.fault == <u32>IrqFault.REPEAT;
}

/** From now on the object's messages are treated as `fault` (IrqFault) says; 0: as they should be, and what was held comes. */
export function irqObjectFault(irq: IrqObject, fault: u32): void {
  spinLock(LOCK);
  irq.fault = fault;
  if (fault == 0 && irq.isHeld) messageDeliver(irq);
  irq.isHeld = 0;
  spinUnlock(LOCK);
}

/** Where entry `index` of the function's MSI-X table lies, 0 when it says nonsense. */
function msixEntry(fn: PciFunction, index: u32): u64 {
  const table = configRead(fn.address, fn.msix + 4, 4);
  const bar = table & 7;
  const offset = <u64>(table & ~7) + <u64>index * ENTRY_BYTES;
  if (bar > 5 || !(fn.barMask >> bar & 1) || fn.portMask >> bar & 1) return 0;
  if (offset + ENTRY_BYTES > pciBarSize(fn, bar)) return 0;
  const pa = pciBarBase(fn, bar) + offset;
  return pa + ENTRY_BYTES > DIRECT_TOP ? 0 : pa;
}

/**
 * An IRQ object for message `index` of `fn`, unbound and masked, with one reference; its reference to `pci` is taken over. As pointer:
 * ENODEV (no such message), ENOSPC (no vector left), ENOMEM.
 */
export function irqObjectCreate(fn: PciFunction, index: u32, pci: u32): usize {
  if (fn.msix == 0 || index >= fn.msixVectors) return <usize>-Errno.NODEV;
  const entryPa = msixEntry(fn, index);
  if (entryPa == 0) return <usize>-Errno.NODEV;
  const address = kzalloc(offsetof<IrqObject>());
  if (address == 0) return <usize>-Errno.NOMEM;
  const irq = irqObjectAt(address);
  objectInit(objectAt(address), CapKind.IRQ);
  irq.entryPa = entryPa;
  spinLock(LOCK);
  let vector = FIRST;
  while (vector < END && wordAt(OWNERS, vector) != 0) vector++;
  if (vector < END) wordSet(OWNERS, vector, <u32>address);
  spinUnlock(LOCK);
  if (vector == END) {
    kfree(address);
    return <usize>-Errno.NOSPC;
  }
  irq.vector = vector;
  irq.pci = pci;
  messageProgram(fn, irq);
  return address;
}

function messageProgram(fn: PciFunction, irq: IrqObject): void {
  physStore32(irq.entryPa + 12, physLoad32(irq.entryPa + 12) | MASKED);
  physStore32(irq.entryPa, MESSAGE_ADDRESS | cpuAt(0).apicId << 12);
  physStore32(irq.entryPa + 4, 0);
  physStore32(irq.entryPa + 8, irq.vector);
  configWrite(fn.address, fn.msix + 2, 2, (configRead(fn.address, fn.msix + 2, 2) & 0x3fff) | MSIX_ENABLE);
}

/** From now on the message sets `bits` of the notification, whose reference is taken over. */
export function irqObjectBind(irq: IrqObject, notification: u32, bits: u64): void {
  spinLock(LOCK);
  const old = irq.notification;
  irq.notification = notification;
  irq.bits = bits;
  physStore32(irq.entryPa + 12, physLoad32(irq.entryPa + 12) & ~MASKED);
  spinUnlock(LOCK);
  if (old != 0) objectPut(objectAt(old));
}

function irqOrphaned(object: KObject): void {
  const irq = irqObjectAt(changetype<usize>(object));
  spinLock(LOCK);
  physStore32(irq.entryPa + 12, physLoad32(irq.entryPa + 12) | MASKED);
  if (irq.vector != 0) wordSet(OWNERS, irq.vector, 0); // I1
  const old = irq.notification;
  irq.notification = 0;
  spinUnlock(LOCK);
  if (old != 0) objectPut(objectAt(old));
}

function irqDestroy(object: KObject): void {
  irqOrphaned(object); // it may never have been in a slot
  objectPut(objectAt(irqObjectAt(changetype<usize>(object)).pci));
  kfree(changetype<usize>(object));
}
