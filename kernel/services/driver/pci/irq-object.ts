/**
 * IRQ capabilities: an interrupt of a device that becomes bits of a notification.
 *
 *   MSI-X, MSI   a message is an edge: it needs no acknowledgement, and what arrives while nobody looks accumulates in the notification
 *   INTx line    a level, perhaps shared: it is masked when it arrives, for all on it, until each of those told has called irq_ack
 *
 * Invariants  I1  OWNERS[vector] is the object whose message carries that vector, or the first of a line's; the message is masked before
 *                 the entry is cleared.
 *             I2  a line is open exactly when none of its objects isPending.
 *             I3  a message, and a function's use of its line, has one object, a function at most FUNCTION_IRQS; the function is not
 *                 another's before all of them have ended, because each holds its PCI object.
 * Locking     irqObjectLock (Rank.IRQ_OBJECT) guards OWNERS and the binding of every object; taken in interrupts.
 * Spec        PCI Local Bus 3.0, 2.2.6 "Interrupt Pins", 6.8 (MSI, MSI-X).
 */
import { irqRegister, Vector } from "../../../../arch/current";
import { acpiIsaFlags, acpiIsaGsi } from "../../../../arch/x86_64/acpi";
import { ioapicMask, ioapicRoute } from "../../../../arch/x86_64/ioapic";
import { CapKind, PCI_IRQ_LINE } from "../../../abi/capability";
import { IrqFault } from "../../../abi/debug";
import { Errno } from "../../../abi/errno";
import { KObject, objectAt, objectIgnore, objectInit, objectKindSet, objectPut } from "../../../core/cap/object";
import { notificationAt, notificationSignal } from "../../../core/ipc/notification";
import { kfree, kzalloc } from "../../../core/mm/slab";
import { cpuAt } from "../../../core/sched/cpu";
import { Rank } from "../../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../../lib/spinlock";
import { wordAt, wordSet } from "../../../lib/words";
import { remapEnd } from "../iommu/interrupt-table";
import { commandChange } from "./command";
import { configRead } from "./config";
import { Command, Config, PciFunction } from "./functions";
import { msiMask, msiProgram, msixEntry, msixMask, msixProgram } from "./irq-message";

/** Above the I/O APICs' lines, below the kernel's own vectors. */
const FIRST: u32 = 0x70;
const END: u32 = Vector.TIMER;
const ISA_LINES: u32 = 16;
/** A function's share of the vectors, which all drivers have together (I3). */
const FUNCTION_IRQS: u32 = 16;
/** MPS INTI flags; ACPI 5.2.12.5. */
const TRIGGER_EDGE: u32 = 1;
const ACTIVE_LOW: u32 = 3;

const enum IrqSource { MSIX = 0, MSI = 1, LINE = 2 }

@final @unmanaged
export class IrqObject {
  object: u64;       // a KObject held by value
  object1: u64;
  vector: u32;
  notification: u32; // Notification, one reference, 0: not bound
  bits: u64;
  entryPa: u64;      // MSIX: its entry of the table
  pci: u32;          // the PCI object it came from, one reference
  source: u32;       // IrqSource
  fn: u32;           // PciFunction
  gsi: u32;          // LINE: the I/O APICs' number of it
  next: u32;         // LINE: IrqObject on the same one
  isPending: u32;    // LINE: told and not acknowledged yet
  fault: u32;        // IrqFault: interrupts go astray on purpose (kernel/services/debug); 0: they do not
  isHeld: u32;       // one was kept back and is delivered when the fault ends
  pad: u32;
}

const LOCK = changetype<SpinLock>(memory.data(offsetof<SpinLock>()));
const OWNERS: usize = memory.data(256 * 4, 4);

export function irqObjectAt(address: usize): IrqObject { return changetype<IrqObject>(address); } // SAFETY: the caller names one
function functionOf(irq: IrqObject): PciFunction { return changetype<PciFunction>(irq.fn); } // SAFETY: irqObjectCreate stored it

export function irqObjectsInit(): void {
  spinInit(LOCK, Rank.IRQ_OBJECT);
  objectKindSet(CapKind.IRQ, irqOrphaned, objectIgnore, irqDestroy);
  for (let vector = FIRST; vector < END; vector++) irqRegister(vector, irqArrived);
}

// ---- Arrival ----

function irqArrived(vector: u32): void {
  spinLock(LOCK);
  const owner = wordAt(OWNERS, vector);
  if (owner != 0) {
    if (irqObjectAt(owner).source == <u32>IrqSource.LINE) lineArrivedLocked(irqObjectAt(owner));
    else deliverLocked(irqObjectAt(owner));
  }
  spinUnlock(LOCK);
}

function deliverLocked(irq: IrqObject): void {
  if (irq.fault == 0 || faultLets(irq)) signalLocked(irq);
}

function signalLocked(irq: IrqObject): void {
  if (irq.notification != 0) notificationSignal(notificationAt(irq.notification), irq.bits);
}

/** What becomes of an interrupt while a fault is injected: true when it is delivered now. */
function faultLets(irq: IrqObject): bool {
  if (irq.fault != <u32>IrqFault.DROP) irq.isHeld = 1;
  return irq.fault == <u32>IrqFault.REPEAT;
}

/** From now on the object's interrupts are treated as `fault` (IrqFault) says; 0: as they should be, and what was held comes. */
export function irqObjectFault(irq: IrqObject, fault: u32): void {
  spinLock(LOCK);
  irq.fault = fault;
  if (fault == 0 && irq.isHeld) signalLocked(irq);
  irq.isHeld = 0;
  spinUnlock(LOCK);
}

/** Nobody knows whose level it is: all bound to the line are told, and must say that they have looked (I2). */
function lineArrivedLocked(first: IrqObject): void {
  ioapicMask(first.gsi, true);
  for (let at = <u32>changetype<usize>(first); at != 0; at = irqObjectAt(at).next) {
    if (irqObjectAt(at).notification == 0 || irqObjectAt(at).isPending) continue; // a level comes once more before the mask holds
    irqObjectAt(at).isPending = 1;
    deliverLocked(irqObjectAt(at));
  }
}

function lineOpenLocked(vector: u32): void {
  const first = wordAt(OWNERS, vector);
  for (let at = first; at != 0; at = irqObjectAt(at).next) if (irqObjectAt(at).isPending) return;
  if (first != 0) ioapicMask(irqObjectAt(first).gsi, false);
}

/** The holder has looked at its device; nothing to do for messages. */
export function irqObjectAck(irq: IrqObject): void {
  spinLock(LOCK);
  if (irq.isPending) {
    irq.isPending = 0;
    lineOpenLocked(irq.vector);
  }
  spinUnlock(LOCK);
}

// ---- Making ----

/**
 * An IRQ object for message `index` of `fn`, or its line (PCI_IRQ_LINE, and 0 when it has no messages), unbound and masked, with one
 * reference; its reference to `pci` is taken over. As pointer: ENODEV (no such interrupt), EBUSY (it is there already), ENOSPC (no vector
 * left, or the function has its share), ENOMEM.
 */
export function irqObjectCreate(fn: PciFunction, index: u32, pci: u32): usize {
  const address = kzalloc(offsetof<IrqObject>());
  if (address == 0) return <usize>-Errno.NOMEM;
  const irq = irqObjectAt(address);
  objectInit(objectAt(address), CapKind.IRQ);
  irq.fn = <u32>changetype<usize>(fn);
  irq.pci = pci;
  spinLock(LOCK);
  const failed = sourceFindLocked(fn, index, irq);
  spinUnlock(LOCK);
  if (failed == 0) return address;
  kfree(address);
  return <usize>failed;
}

function sourceFindLocked(fn: PciFunction, index: u32, irq: IrqObject): i32 {
  if (index == PCI_IRQ_LINE || (index == 0 && fn.msix == 0 && fn.msi == 0)) return lineTakeLocked(fn, irq);
  if (fn.msix == 0) irq.source = IrqSource.MSI;
  if (fn.msix != 0) irq.entryPa = msixEntry(fn, index);
  if (irq.source == <u32>IrqSource.MSI ? index != 0 || fn.msi == 0 : irq.entryPa == 0) return -Errno.NODEV;
  const refused = refusalLocked(irq);
  if (refused != 0) return refused;
  if (!vectorTakeLocked(irq)) return -Errno.NOSPC;
  if (irq.source == <u32>IrqSource.MSI) msiProgram(fn, irq.vector);
  else msixProgram(fn, irq.entryPa, irq.vector);
  return 0;
}

/** Why there is not to be one more of the function's (I3), or 0. */
function refusalLocked(irq: IrqObject): i32 {
  let count: u32 = 0;
  for (let vector = FIRST; vector < END; vector++) {
    for (let at = wordAt(OWNERS, vector); at != 0; at = irqObjectAt(at).next) {
      const other = irqObjectAt(at);
      if (other.fn != irq.fn) continue;
      if (other.source == irq.source && other.entryPa == irq.entryPa) return -Errno.BUSY;
      count++;
    }
  }
  return count >= FUNCTION_IRQS ? -Errno.NOSPC : 0;
}

function vectorTakeLocked(irq: IrqObject): bool {
  let vector = FIRST;
  while (vector < END && wordAt(OWNERS, vector) != 0) vector++;
  if (vector == END) return false;
  wordSet(OWNERS, vector, <u32>changetype<usize>(irq));
  irq.vector = vector;
  return true;
}

/** The line that the firmware wired the function's pin to; shared with whoever is on it already. */
function lineTakeLocked(fn: PciFunction, irq: IrqObject): i32 {
  const line = configRead(fn.address, Config.INTERRUPT_LINE, 1);
  if (configRead(fn.address, Config.INTERRUPT_PIN, 1) == 0 || line == 0 || line >= ISA_LINES) return -Errno.NODEV;
  irq.source = IrqSource.LINE;
  irq.gsi = acpiIsaGsi(line);
  const refused = refusalLocked(irq);
  if (refused != 0) return refused;
  for (let vector = FIRST; vector < END; vector++) {
    const first = wordAt(OWNERS, vector);
    if (first == 0 || irqObjectAt(first).source != <u32>IrqSource.LINE || irqObjectAt(first).gsi != irq.gsi) continue;
    irq.vector = vector;
    irq.next = irqObjectAt(first).next;
    irqObjectAt(first).next = <u32>changetype<usize>(irq);
    return 0;
  }
  if (!vectorTakeLocked(irq)) return -Errno.NOSPC;
  const flags = acpiIsaFlags(line);
  const isLevel = (flags >> 2 & 3) != TRIGGER_EDGE;
  if (ioapicRoute(irq.gsi, irq.vector, cpuAt(0).apicId, isLevel, (flags & 3) == ACTIVE_LOW)) return 0;
  wordSet(OWNERS, irq.vector, 0);
  return -Errno.NODEV;
}

/** From now on the interrupt sets `bits` of the notification, whose reference is taken over. */
export function irqObjectBind(irq: IrqObject, notification: u32, bits: u64): void {
  spinLock(LOCK);
  const old = irq.notification;
  irq.notification = notification;
  irq.bits = bits;
  if (wordAt(OWNERS, irq.vector) != 0) maskLocked(irq, false);
  spinUnlock(LOCK);
  if (old != 0) objectPut(objectAt(old));
}

/** A line stays open for the others on it: the function is told not to use it. */
function maskLocked(irq: IrqObject, isMasked: bool): void {
  const fn = functionOf(irq);
  if (irq.source == <u32>IrqSource.LINE) commandChange(fn, isMasked ? 0 : Command.INTX_OFF, isMasked ? Command.INTX_OFF : 0);
  else if (irq.source == <u32>IrqSource.MSI) msiMask(fn, isMasked);
  else msixMask(irq.entryPa, isMasked);
}

// ---- Ends ----

function irqOrphaned(object: KObject): void {
  const irq = irqObjectAt(changetype<usize>(object));
  spinLock(LOCK);
  if (irq.vector != 0) leaveLocked(irq);
  const old = irq.notification;
  irq.notification = 0;
  spinUnlock(LOCK);
  if (old != 0) objectPut(objectAt(old));
}

/** I1, I2: whoever shared its line goes on without it. */
function leaveLocked(irq: IrqObject): void {
  const address = <u32>changetype<usize>(irq);
  const first = wordAt(OWNERS, irq.vector);
  maskLocked(irq, true);
  if (first == address) {
    if (irq.source == <u32>IrqSource.LINE && irq.next == 0) ioapicMask(irq.gsi, true);
    if (irq.next == 0) remapEnd(irq.vector);
    wordSet(OWNERS, irq.vector, irq.next);
  } else {
    let at = irqObjectAt(first);
    while (at.next != address) at = irqObjectAt(at.next);
    at.next = irq.next;
  }
  if (irq.isPending) lineOpenLocked(irq.vector);
  irq.vector = 0;
}

function irqDestroy(object: KObject): void {
  irqOrphaned(object); // it may never have been in a slot
  objectPut(objectAt(irqObjectAt(changetype<usize>(object)).pci));
  kfree(changetype<usize>(object));
}
