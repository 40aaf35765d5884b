/**
 * Faults in what a server shares with the world: its device's messages, its disk's ring, its answers.
 *
 * Locking  IRQ_FAULT.object goes from 0 to an object by compare and exchange, and back in the timer: one fault of messages at a time.
 */
import { monoNowNs } from "../../../arch/current";
import { CapKind, ServiceId } from "../../abi/capability";
import { IrqFault, IRQ_FAULT_MOST_NS, ReplyFault, RingFault } from "../../abi/debug";
import { Errno } from "../../abi/errno";
import { objectAt, objectPut } from "../../core/cap/object";
import { servicePortAt } from "../../core/cap/service-port";
import { Timer, timerAt, timerInit, timerStart } from "../../core/time/timer";
import { bogusDmaArm, ringFaultArm } from "../block/ring-fault";
import { irqObjectAt, irqObjectFault } from "../driver/pci/irq-object";
import { Process } from "../process/process";
import { connectionAt, connectionFaultArm } from "../vfs/served/connection";
import { isTranslated, processCapability } from "./process-faults";

/** Interrupts of a server that are chosen from. */
const IRQS: u64 = 4;

/** Messages that go astray now. */
@final @unmanaged
class IrqFaultState {
  timer: u64;  // a Timer held by value: the end
  timer1: u64;
  timer2: u64;
  timer3: u64;
  timer4: u64;
  object: u32; // IrqObject, one reference; 0: none
  pad: u32;
}
const IRQ_FAULT = changetype<IrqFaultState>(memory.data(offsetof<IrqFaultState>(), 8));
function timerOfFault(): Timer { return timerAt(changetype<usize>(IRQ_FAULT)); }
function objectPtr(): usize { return changetype<usize>(IRQ_FAULT) + offsetof<IrqFaultState>("object"); }

export function irqFaultsInit(): void {
  timerInit(timerOfFault(), irqFaultEnd, 0);
}

/** The messages of one interrupt of the server's device (`ns` chooses which) are treated so for `ns`. */
export function irqFault(process: Process, fault: u32, ns: u64): i32 {
  if (fault < <u32>IrqFault.DROP || fault > <u32>IrqFault.REPEAT || ns > IRQ_FAULT_MOST_NS) return -Errno.INVAL;
  let n = <u32>(ns % IRQS);
  let irq = processCapability(process, CapKind.IRQ, n);
  while (irq == 0 && n > 0) irq = processCapability(process, CapKind.IRQ, --n);
  if (irq == 0) return -Errno.NODEV;
  if (atomic.cmpxchg<u32>(objectPtr(), 0, <u32>irq) != 0) {
    objectPut(objectAt(irq));
    return -Errno.BUSY;
  }
  irqObjectFault(irqObjectAt(irq), fault);
  timerStart(timerOfFault(), monoNowNs() + ns);
  return 0;
}

function irqFaultEnd(arg: u32): void {
  const irq = atomic.load<u32>(objectPtr());
  irqObjectFault(irqObjectAt(irq), 0);
  objectPut(objectAt(irq));
  atomic.store<u32>(objectPtr(), 0);
}

/** ServicePort.data of the server's port of service `id`: 0 when it has none, or has not used it yet. */
function portDataOf(process: Process, id: ServiceId): u32 {
  let data: u32 = 0;
  for (let n: u32 = 0; data == 0; n++) {
    const object = processCapability(process, CapKind.SERVICE, n);
    if (object == 0) break;
    if (servicePortAt(object).id == <u32>id) data = servicePortAt(object).data;
    objectPut(objectAt(object));
  }
  return data;
}

export function ringFault(process: Process, fault: u32, seed: u64): i32 {
  if (fault < <u32>RingFault.COUNTER || fault > <u32>RingFault.HEADER) return -Errno.INVAL;
  const number = portDataOf(process, ServiceId.BLOCK_DRIVER);
  if (number == 0) return -Errno.NODEV;
  ringFaultArm(number - 1, fault, seed);
  return 0;
}

/** Only where the address can do no harm but to the driver itself. */
export function dmaFault(process: Process, seed: u64): i32 {
  const number = portDataOf(process, ServiceId.BLOCK_DRIVER);
  if (number == 0 || !isTranslated(process)) return -Errno.NODEV;
  bogusDmaArm(number - 1, seed);
  return 0;
}

export function replyFault(process: Process, fault: u32, seed: u64): i32 {
  if (fault < <u32>ReplyFault.LABEL || fault > <u32>ReplyFault.WINDOW) return -Errno.INVAL;
  const number = portDataOf(process, ServiceId.FILE_SYSTEM);
  if (number == 0) return -Errno.NODEV;
  connectionFaultArm(connectionAt(number - 1), fault, seed);
  return 0;
}
