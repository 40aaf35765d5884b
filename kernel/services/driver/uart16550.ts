/**
 * 16550 serial port as a terminal: COM1 (ttyS0), interrupt driven, 16 bytes a FIFO load.
 *
 * Invariants  U1  IER.ETBEI is set exactly while the ring holds bytes that the FIFO had no room for.
 *             U2  IER.ERBFI is clear exactly while TtyFlag.THROTTLED is set: bytes wait in the FIFO, none is dropped.
 * Locking     uartLock (Rank.CONSOLE, inside Tty.lock) guards the registers: the kernel log writes to them too.
 * Spec        PC16550D datasheet, sec. 8; ISA line 4.
 */
import { in8, out8 } from "../../../arch/current";
import { Vector, apicId } from "../../../arch/x86_64/apic";
import { ioapicRouteIsa } from "../../../arch/x86_64/ioapic";
import { irqRegister } from "../../../arch/x86_64/trap";
import { wakeUpAll } from "../../core/sync/wait-queue";
import { byteAt, bytePut } from "../../lib/bytes";
import { Rank } from "../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinTryLock, spinUnlock } from "../../lib/spinlock";
import { ControlFlag } from "../../abi/termios";
import { ttyReceive, ttyReceiveBreak, ttyReceiveRoom } from "../tty/ldisc-input";
import {
  Tty, TtyDriver, TtyFlag, ttyIsStopped, ttyLock, ttyNew, ttyOf, ttyOutRun, ttyOutRunPtr, ttyOutTake, ttyOutUsed,
  ttyTermios, ttyWriteWait,
} from "../tty/tty";

const COM1: u32 = 0x3f8;
const COM1_IRQ: u32 = 4;
const RBR: u32 = 0;
const THR: u32 = 0;
const DLL: u32 = 0;
const IER: u32 = 1;
const DLM: u32 = 1;
const IIR: u32 = 2;
const FCR: u32 = 2;
const LCR: u32 = 3;
const MCR: u32 = 4;
const LSR: u32 = 5;
const MSR: u32 = 6;
const SCRATCH: u32 = 7;
const IER_ERBFI: u32 = 1;  // received data available
const IER_ETBEI: u32 = 2;  // transmit holding register empty
const IER_ELSI: u32 = 4;   // line status: breaks
const IIR_NONE: u32 = 1;
const FCR_ENABLE_TRIGGER8: u32 = 0x81;
const LCR_8N1: u32 = 3;
const LCR_DLAB: u32 = 0x80;
const MCR_DTR_RTS_OUT2: u32 = 0x0b;
const LSR_DR: u32 = 1;
const LSR_BI: u32 = 1 << 4;
const LSR_THRE: u32 = 1 << 5;
const LSR_ABSENT: u32 = 0xff;
const FIFO_BYTES: u32 = 16;
const DIVISOR_115200: u32 = 1;
/** FIFO loads that one call may push while the port keeps up (an emulated one always does). */
const KICK_LOADS: u32 = 64;
const INTERRUPT_ROUNDS: u32 = 64;
const SPIN_LIMIT: u32 = 100_000; // an absent port may float; never hang on it
const B115200_BAUD: u32 = 115_200;
/** rdev of ttyS0: major 4, minor 64. */
export const UART_RDEV: u64 = 0x440;

const DRIVER = changetype<TtyDriver>(memory.data(offsetof<TtyDriver>()));
const uartLock = changetype<SpinLock>(memory.data(16));
const RECEIVED: usize = memory.data(64);

@final @unmanaged
class UartState {
  tty: u32;
  ier: u32;
}
const STATE = changetype<UartState>(memory.data(offsetof<UartState>()));

/** Sets the port up as a terminal and takes its interrupt; null when there is none (or no memory). */
export function uartInit(): Tty | null {
  spinInit(uartLock, Rank.CONSOLE);
  out8(COM1 + SCRATCH, 0xa5);
  if ((in8(COM1 + SCRATCH) & 0xff) != 0xa5) return null;
  DRIVER.kick = uartKick;
  DRIVER.unthrottle = uartUnthrottle;
  DRIVER.configure = uartConfigure;
  DRIVER.closed = uartClosed;
  const tty = ttyNew(DRIVER, COM1, UART_RDEV);
  if (!tty) return null;
  const t = ttyTermios(tty);
  t.cflag = ControlFlag.B115200 | ControlFlag.CS8 | ControlFlag.CREAD | ControlFlag.HUPCL | ControlFlag.CLOCAL;
  t.ispeed = B115200_BAUD;
  t.ospeed = B115200_BAUD;
  atomic.store<u32>(changetype<usize>(STATE), <u32>changetype<usize>(tty));
  portReset();
  irqRegister(Vector.DEVICE_FIRST + COM1_IRQ, uartInterrupt);
  ioapicRouteIsa(COM1_IRQ, Vector.DEVICE_FIRST + COM1_IRQ, apicId());
  ierSet(IER_ERBFI | IER_ELSI);
  return tty;
}

function portReset(): void {
  out8(COM1 + IER, 0);
  divisorSet(DIVISOR_115200);
  out8(COM1 + FCR, FCR_ENABLE_TRIGGER8);
  out8(COM1 + MCR, MCR_DTR_RTS_OUT2);
  in8(COM1 + LSR);
  in8(COM1 + MSR);
}

function divisorSet(divisor: u32): void {
  out8(COM1 + LCR, LCR_DLAB);
  out8(COM1 + DLL, divisor & 0xff);
  out8(COM1 + DLM, divisor >> 8);
  out8(COM1 + LCR, LCR_8N1);
}

function ierSet(bits: u32): void {
  STATE.ier = bits;
  out8(COM1 + IER, bits);
}

// ---- driver slots, Tty.lock held ----

function uartKick(tty: Tty): void {
  spinLock(uartLock);
  for (let loads: u32 = 0; loads < KICK_LOADS && ttyOutUsed(tty) != 0; loads++) {
    if (!(in8(COM1 + LSR) & LSR_THRE)) break;
    fifoLoad(tty);
  }
  const wanted = ttyOutUsed(tty) != 0 ? STATE.ier | IER_ETBEI : STATE.ier & ~IER_ETBEI;
  if (wanted != STATE.ier) ierSet(wanted); // U1
  spinUnlock(uartLock);
}

/** Fills the empty transmit FIFO. */
function fifoLoad(tty: Tty): void {
  let room = FIFO_BYTES;
  while (room != 0) {
    const run = ttyOutRun(tty);
    if (run == 0) return;
    const n = run < room ? run : room;
    const from = ttyOutRunPtr(tty);
    for (let i: u32 = 0; i < n; i++) out8(COM1 + THR, byteAt(from, i));
    ttyOutTake(tty, n);
    room -= n;
  }
}

function uartUnthrottle(tty: Tty): void {
  spinLock(uartLock);
  ierSet(STATE.ier | IER_ERBFI); // U2: the level interrupt is raised at once when bytes wait
  spinUnlock(uartLock);
}

function uartConfigure(tty: Tty): void {
  // Only the speed reaches the port: 8N1 is what every console speaks. B0 hangs up, which a console never does.
  const baud = ttyTermios(tty).ospeed;
  const code = ttyTermios(tty).cflag & ControlFlag.CBAUD;
  const known = baudOf(code);
  const rate = known != 0 ? known : baud;
  if (rate == 0 || rate > B115200_BAUD) return;
  ttyTermios(tty).ospeed = rate;
  ttyTermios(tty).ispeed = rate;
  spinLock(uartLock);
  divisorSet(B115200_BAUD / rate);
  spinUnlock(uartLock);
}

/** Baud of a CBAUD code between B1200 and B115200; 0 for any other. */
function baudOf(code: u32): u32 {
  switch (code) {
    case 0x9: return 1200;
    case 0xb: return 2400;
    case 0xc: return 4800;
    case 0xd: return 9600;
    case 0xe: return 19200;
    case 0xf: return 38400;
    case 0x1001: return 57600;
    case 0x1002: return 115200;
    default: return 0;
  }
}

function uartClosed(tty: Tty): void {}

// ---- interrupt ----

function uartInterrupt(vector: u32): void {
  const tty = ttyOf(STATE.tty);
  for (let rounds: u32 = 0; rounds < INTERRUPT_ROUNDS; rounds++) {
    if (in8(COM1 + IIR) & IIR_NONE) return;
    receiveAll(tty);
    transmitMore(tty);
  }
}

/** Empties the receive FIFO into the line discipline, as far as that has room. */
function receiveAll(tty: Tty): void {
  let room = ttyReceiveRoom(tty);
  let n: u32 = 0;
  while (true) {
    const status = in8(COM1 + LSR);
    if (status == LSR_ABSENT || !(status & LSR_DR)) break;
    if (room == 0) {
      throttle(tty);
      break;
    }
    const byte = in8(COM1 + RBR);
    if (status & LSR_BI) {
      ttyReceiveBreak(tty);
      continue;
    }
    bytePut(RECEIVED, n++, byte);
    room--;
    if (n == 64) {
      ttyReceive(tty, RECEIVED, n);
      n = 0;
    }
  }
  if (n != 0) ttyReceive(tty, RECEIVED, n);
}

function throttle(tty: Tty): void {
  spinLock(ttyLock(tty));
  tty.flags |= TtyFlag.THROTTLED;
  spinLock(uartLock);
  ierSet(STATE.ier & ~IER_ERBFI);
  spinUnlock(uartLock);
  spinUnlock(ttyLock(tty));
}

function transmitMore(tty: Tty): void {
  if (!(STATE.ier & IER_ETBEI)) return;
  spinLock(ttyLock(tty));
  if (!ttyIsStopped(tty)) {
    uartKick(tty);
  } else {
    spinLock(uartLock);
    ierSet(STATE.ier & ~IER_ETBEI);
    spinUnlock(uartLock);
  }
  const wake = ttyOutUsed(tty) < 2048;
  spinUnlock(ttyLock(tty));
  if (wake) wakeUpAll(ttyWriteWait(tty));
}

// ---- kernel log ----

/** Writes log bytes at once, polling; `\n` becomes CR LF. In a panic the lock may be lost: write regardless. */
export function uartLogWrite(ptr: usize, length: u32): void {
  const locked = logLock();
  for (let i: u32 = 0; i < length; i++) {
    const byte = byteAt(ptr, i);
    if (byte == 0x0a) putPolled(0x0d);
    putPolled(byte);
  }
  if (locked) spinUnlock(uartLock);
}

function logLock(): bool {
  for (let spins: u32 = 0; spins < SPIN_LIMIT; spins++) {
    if (spinTryLock(uartLock)) return true;
  }
  return false;
}

function putPolled(byte: u32): void {
  for (let spins: u32 = 0; spins < SPIN_LIMIT; spins++) {
    if (in8(COM1 + LSR) & LSR_THRE) {
      out8(COM1 + THR, byte);
      return;
    }
  }
}
