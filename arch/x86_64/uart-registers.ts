/** Registers of a 16550 serial port at COM1. Spec: PC16550D datasheet, sec. 8. */
import { in8, out8 } from "./intrinsics";

const COM1: u32 = 0x3f8;

/** Offsets; some mean another register when read, when written, or under Lcr.DLAB. */
export const enum Uart { RBR = 0, THR = 0, DLL = 0, IER = 1, DLM = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCRATCH = 7 }

export const enum Ier {
  ERBFI = 1, // received data available
  ETBEI = 2, // transmit holding register empty
  ELSI = 4,  // line status: breaks
}

export const enum Lsr {
  DR = 1,
  BI = 1 << 4,
  THRE = 1 << 5,
  ABSENT = 0xff, // nobody there: the bus floats
}

export const enum Lcr { WORD_8N1 = 3, DLAB = 0x80 }

export const MCR_DTR_RTS_OUT2: u32 = 0x0b;
export const DIVISOR_115200: u32 = 1;
/** Bytes that the transmit FIFO takes when it is empty. */
export const FIFO_BYTES: u32 = 16;

export function uartRead(register: u32): u32 {
  return in8(COM1 + register) & 0xff;
}

export function uartWrite(register: u32, value: u32): void {
  out8(COM1 + register, value);
}
