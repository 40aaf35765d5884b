/**
 * 16550 serial port as a terminal: COM1 (ttyS0), interrupt driven. What it sends: uart-send.ts.
 *
 * Invariants  U2  IER.ERBFI is clear exactly while TtyFlag.THROTTLED is set: bytes wait in the FIFO, none is dropped.
 * Locking     Tty.lock; uart-send.ts has the lock of the registers.
 * Spec        PC16550D datasheet, sec. 8; ISA line 4.
 */
import { Vector, apicId } from "../../../arch/x86_64/apic";
import { ioapicRouteIsa } from "../../../arch/x86_64/ioapic";
import { irqRegister } from "../../../arch/x86_64/trap";
import { DIVISOR_115200, Ier, Lsr, MCR_DTR_RTS_OUT2, Uart, uartRead, uartWrite } from "../../../arch/x86_64/uart-registers";
import { ControlFlag } from "../../abi/termios";
import { bytePut } from "../../lib/bytes";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { ttyReceive, ttyReceiveBreak, ttyReceiveRoom } from "../tty/ldisc-input";
import { Tty, TtyDriver, TtyFlag, ttyLock, ttyNew, ttyTermios } from "../tty/tty";
import { uartIerChange, uartKick, uartSendInit, uartSendTty, uartSpeedSet, uartTransmitMore, uartTty } from "./uart-send";

const COM1_IRQ: u32 = 4;
const FCR_ENABLE_TRIGGER8: u32 = 0x81;
const IIR_NONE: u32 = 1;
const INTERRUPT_ROUNDS: u32 = 64;
const B115200_BAUD: u32 = 115_200;
/** rdev of ttyS0: major 4, minor 64. */
export const UART_RDEV: u64 = 0x440;

const DRIVER = changetype<TtyDriver>(memory.data(offsetof<TtyDriver>()));
const RECEIVED: usize = memory.data(64);

/** Sets the port up as a terminal and takes its interrupt; null when there is none (or no memory). */
export function uartInit(): Tty | null {
  uartSendInit();
  uartWrite(Uart.SCRATCH, 0xa5);
  if (uartRead(Uart.SCRATCH) != 0xa5) return null;
  DRIVER.kick = uartKick;
  DRIVER.unthrottle = uartUnthrottle;
  DRIVER.configure = uartConfigure;
  DRIVER.closed = uartClosed;
  const tty = ttyNew(DRIVER, 0, UART_RDEV);
  if (!tty) return null;
  const t = ttyTermios(tty);
  t.cflag = ControlFlag.B115200 | ControlFlag.CS8 | ControlFlag.CREAD | ControlFlag.HUPCL | ControlFlag.CLOCAL;
  t.ispeed = B115200_BAUD;
  t.ospeed = B115200_BAUD;
  uartSendTty(tty);
  portReset();
  irqRegister(Vector.DEVICE_FIRST + COM1_IRQ, uartInterrupt);
  ioapicRouteIsa(COM1_IRQ, Vector.DEVICE_FIRST + COM1_IRQ, apicId());
  uartIerChange(Ier.ERBFI | Ier.ELSI, 0);
  return tty;
}

function portReset(): void {
  uartWrite(Uart.IER, 0);
  uartSpeedSet(DIVISOR_115200);
  uartWrite(Uart.FCR, FCR_ENABLE_TRIGGER8);
  uartWrite(Uart.MCR, MCR_DTR_RTS_OUT2);
  uartRead(Uart.LSR);
  uartRead(Uart.MSR);
}

// ---- driver slots, Tty.lock held ----

function uartUnthrottle(tty: Tty): void {
  uartIerChange(Ier.ERBFI, 0); // U2: the level interrupt is raised at once when bytes wait
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
  uartSpeedSet(B115200_BAUD / rate);
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
  const tty = uartTty();
  for (let rounds: u32 = 0; rounds < INTERRUPT_ROUNDS; rounds++) {
    if (uartRead(Uart.IIR) & IIR_NONE) return;
    receiveAll(tty);
    uartTransmitMore();
  }
}

/** Empties the receive FIFO into the line discipline, as far as that has room. */
function receiveAll(tty: Tty): void {
  let room = ttyReceiveRoom(tty);
  let n: u32 = 0;
  while (true) {
    const status = uartRead(Uart.LSR);
    if (status == Lsr.ABSENT || !(status & Lsr.DR)) break;
    if (room == 0) {
      throttle(tty);
      break;
    }
    const byte = uartRead(Uart.RBR);
    if (status & Lsr.BI) {
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
  uartIerChange(0, Ier.ERBFI);
  spinUnlock(ttyLock(tty));
}
