/**
 * edu: a driver of QEMU's educational device, which tests interrupts and DMA of whoever is its instance 0 to 3 (manifest.json).
 *
 * Spec  QEMU, docs/specs/edu.rst.
 */
import { MemoryFlag, PCI_IRQ_LINE } from "../../../../kernel/abi/capability";
import { timeNow } from "../../../../servers/runtime/clock";
import { irqDone, irqOpen, registersMap, regLoad32, regStore32 } from "../../../../servers/runtime/device";
import { HEARTBEAT, serveBits } from "../../../../servers/runtime/loop";
import { memoryAddresses, memoryCreate, memoryMap, notificationSignal, notificationWait, pciMaster } from "../../../../servers/runtime/native-calls";
import { handleNamed, heartbeatHandle, heartbeatMask, hex, log, numberNamed, runtimeStart, serverBuffer } from "../../../../servers/runtime/start";

export { serverBuffer };

const BAR_BYTES: usize = 0x100000;
const BUFFERS: usize = 0x90000000;
const PROT_RW: u32 = 3;
const IRQ_BIT: u64 = 1;
const SECOND: u64 = 1_000_000_000;

const enum Edu { LIVENESS = 0x04, IRQ_STATUS = 0x24, IRQ_RAISE = 0x60, IRQ_ACK = 0x64, DMA_FROM = 0x80, DMA_TO = 0x88, DMA_COUNT = 0x90, DMA_COMMAND = 0x98 }
const enum Dma { START = 1, TO_MEMORY = 2, INTERRUPT = 4 }
const EDU_BUFFER: u64 = 0x40000;
const PAGE: u32 = 4096;
/** What travels: QEMU 7.2 refuses a transfer that ends where the device's buffer does. */
const BYTES: u32 = 2048;
/** Nobody's memory but the kernel's: its text, by physical address. */
const ASTRAY: u64 = 0x1040000;

let n: u32 = 0;
let pci: u32 = 0;
let irq: u32 = 0;
let base: usize = 0;
const ADDRESSES = memory.data(16, 8);

export function serverMain(count: u32): u32 {
  runtimeStart(count);
  n = handleNamed("notification");
  pci = handleNamed("pci");
  const instance = <u32>numberNamed("instance");
  base = registersMap(pci, 0, BAR_BYTES);
  if (base == 0) return told("no registers");
  regStore32(base + Edu.LIVENESS, 0x12345678);
  if (regLoad32(base + Edu.LIVENESS) != ~<u32>0x12345678) return told("no edu device");
  if (instance == 3) again();
  const problem = instance == 0 ? messages() : instance == 1 ? line() : astray();
  log("edu " + instance.toString() + ": " + (problem == "" ? "ok" : problem));
  serveBits(n, ignore);
  return 0;
}

function told(text: string): u32 {
  log(text);
  return 1;
}

/** Who has been told that all is well asks its device for nothing any more. */
function ignore(bits: u64): void {
  if (bits & IRQ_BIT) log("edu: an interrupt that nobody asked for");
}

/** True when the interrupt came within `ns`. */
function cameWithin(ns: u64): bool {
  const deadline = timeNow() + ns;
  while (timeNow() < deadline) {
    const bits = <u64>max<i64>(0, notificationWait(n, deadline));
    if (bits & HEARTBEAT) notificationSignal(heartbeatHandle(), heartbeatMask());
    if (bits & IRQ_BIT) return true;
  }
  return false;
}

function interruptOpen(vector: u32): bool {
  irq = irqOpen(pci, vector, n, IRQ_BIT);
  return irq != 0 && irqOpen(pci, vector, n, IRQ_BIT) == 0; // each has one owner
}

/** The device stops asking; what it asked for. */
function quiet(): u32 {
  const status = regLoad32(base + Edu.IRQ_STATUS);
  regStore32(base + Edu.IRQ_ACK, status);
  return status;
}

function messages(): string {
  if (!interruptOpen(0)) return "no message";
  if (pciMaster(pci, 1) < 0) return "it may not master the bus"; // a message is a write to memory, too
  regStore32(base + Edu.IRQ_RAISE, 2);
  if (!cameWithin(SECOND)) return "the message did not come";
  if (quiet() != 2) return "it was not for what was asked";
  return buffersCopy();
}

/** Half a page travels to the device and back into the next page. */
function buffersCopy(): string {
  const memory = memoryCreate(handleNamed("quota"), 2 * PAGE, MemoryFlag.DMA);
  if (memory < 0 || memoryMap(<u32>memory, BUFFERS, 0, 2 * PAGE, PROT_RW) < 0) return "no memory";
  if (memoryAddresses(<u32>memory, pci, 0, ADDRESSES, 2) < 0) return "no bus addresses";
  for (let i: u32 = 0; i < BYTES; i += 4) store<u32>(BUFFERS + i, i * 2654435761);
  if (!transfer(load<u64>(ADDRESSES), EDU_BUFFER, Dma.INTERRUPT)) return "the way there takes too long";
  if (!transfer(EDU_BUFFER, load<u64>(ADDRESSES, 8), Dma.INTERRUPT | Dma.TO_MEMORY)) return "the way back takes too long";
  for (let i: u32 = 0; i < BYTES; i += 4) if (regLoad32(BUFFERS + PAGE + i) != i * 2654435761) return "the copy differs at " + hex(i);
  return "";
}

function start(from: u64, to: u64, command: u32): void {
  regStore32(base + Edu.DMA_FROM, <u32>from);
  regStore32(base + Edu.DMA_TO, <u32>to);
  regStore32(base + Edu.DMA_COUNT, BYTES);
  regStore32(base + Edu.DMA_COMMAND, command | Dma.START);
}

function transfer(from: u64, to: u64, command: u32): bool {
  start(from, to, command);
  const hasCome = cameWithin(2 * SECOND);
  quiet();
  return hasCome;
}

/** A level: once told it is silent until irq_ack, and comes again as long as the device asks. */
function line(): string {
  if (!interruptOpen(PCI_IRQ_LINE)) return "no line";
  regStore32(base + Edu.IRQ_RAISE, 1);
  if (!cameWithin(SECOND)) return "the line did not rise";
  if (cameWithin(SECOND / 5)) return "it came again before it was acknowledged";
  irqDone(irq);
  if (!cameWithin(SECOND)) return "a level that stays did not come again";
  if (quiet() != 1) return "it was not for what was asked";
  irqDone(irq);
  if (cameWithin(SECOND / 5)) return "it came though nobody asked";
  regStore32(base + Edu.IRQ_RAISE, 4);
  if (!cameWithin(SECOND)) return "the line did not rise again";
  quiet();
  irqDone(irq);
  return "";
}

/** Has the device send its message again and again, and tells when it begins or ceases to come. */
function again(): void {
  if (!interruptOpen(0) || pciMaster(pci, 1) < 0) return;
  let isComing = false;
  while (true) {
    regStore32(base + Edu.IRQ_RAISE, 1);
    const hasCome = cameWithin(SECOND / 5);
    quiet();
    if (hasCome != isComing) log("edu 3: its message " + (hasCome ? "comes" : "does not come"));
    isComing = hasCome;
    cameWithin(SECOND / 20);
  }
}

/** Has the device write where nothing was granted. */
function astray(): string {
  if (pciMaster(pci, 1) < 0) return "it may not master the bus";
  start(EDU_BUFFER, ASTRAY, Dma.TO_MEMORY);
  cameWithin(2 * SECOND);
  return "still here";
}
