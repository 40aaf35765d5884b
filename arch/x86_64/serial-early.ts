/**
 * Polled output on the first serial port: works from the first instruction of the kernel, and in a panic.
 *
 * Locking  callers hold the log lock; a panic writes regardless.
 * Spec     PC16550D datasheet, sec. 8.
 */
import { cpuPause, in8, out8 } from "./intrinsics";

const COM1: u32 = 0x3f8;
const THR: u32 = 0;
const DLL: u32 = 0;
const IER: u32 = 1;
const DLM: u32 = 1;
const FCR: u32 = 2;
const LCR: u32 = 3;
const MCR: u32 = 4;
const LSR: u32 = 5;
const SCRATCH: u32 = 7;
const LCR_8N1: u32 = 3;
const LCR_DLAB: u32 = 0x80;
const FCR_ENABLE_CLEAR: u32 = 7;
const MCR_DTR_RTS_OUT2: u32 = 0x0b;
const LSR_THRE: u32 = 1 << 5;
const DIVISOR_115200: u32 = 1;
/** Looks at a port that takes nothing, after which nobody waits for it until it does: seconds, so that a busy host loses no byte. */
const LOOKS_MOST: u32 = 5_000_000;

let isPresent: bool = false;
/** Looks in vain since the port last took a byte. */
let looks: u32 = 0;

/** Sets 115200 8N1; without a UART (the scratch register does not keep a value) output goes nowhere. */
export function serialEarlyInit(): void {
  out8(COM1 + SCRATCH, 0xa5);
  isPresent = (in8(COM1 + SCRATCH) & 0xff) == 0xa5;
  if (!isPresent) return;
  out8(COM1 + IER, 0);
  out8(COM1 + LCR, LCR_DLAB);
  out8(COM1 + DLL, DIVISOR_115200);
  out8(COM1 + DLM, 0);
  out8(COM1 + LCR, LCR_8N1);
  out8(COM1 + FCR, FCR_ENABLE_CLEAR);
  out8(COM1 + MCR, MCR_DTR_RTS_OUT2);
}

/** Writes one byte, waiting as long as the port moves; drops it when that is stuck. */
export function serialEarlyPut(byte: u32): void {
  if (!isPresent) return;
  while (!(in8(COM1 + LSR) & LSR_THRE)) {
    if (looks == LOOKS_MOST) return;
    looks++;
    if ((looks & 7) == 0) cpuPause(); // an emulator needs time to move the port
  }
  looks = 0;
  out8(COM1 + THR, byte);
}
