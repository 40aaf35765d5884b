/**
 * Polled output on the first serial port: works from the first instruction of the kernel, and in a panic.
 *
 * Locking  callers hold the log lock; a panic writes regardless.
 * Spec     PC16550D datasheet, sec. 8.
 */
import { cpuPause } from "./intrinsics";
import { DIVISOR_115200, Lcr, Lsr, MCR_DTR_RTS_OUT2, Uart, uartRead, uartWrite } from "./uart-registers";

const FCR_ENABLE_CLEAR: u32 = 7;
/** Looks at a port that takes nothing, after which nobody waits for it until it does: seconds, so that a busy host loses no byte. */
const LOOKS_MOST: u32 = 5_000_000;

let isPresent: bool = false;
/** Looks in vain since the port last took a byte. */
let looks: u32 = 0;

/** Sets 115200 8N1; without a UART (the scratch register does not keep a value) output goes nowhere. */
export function serialEarlyInit(): void {
  uartWrite(Uart.SCRATCH, 0xa5);
  isPresent = uartRead(Uart.SCRATCH) == 0xa5;
  if (!isPresent) return;
  uartWrite(Uart.IER, 0);
  uartWrite(Uart.LCR, Lcr.DLAB);
  uartWrite(Uart.DLL, DIVISOR_115200);
  uartWrite(Uart.DLM, 0);
  uartWrite(Uart.LCR, Lcr.WORD_8N1);
  uartWrite(Uart.FCR, FCR_ENABLE_CLEAR);
  uartWrite(Uart.MCR, MCR_DTR_RTS_OUT2);
}

/** Writes one byte, waiting as long as the port moves; drops it when that is stuck. */
export function serialEarlyPut(byte: u32): void {
  if (!isPresent) return;
  while (!(uartRead(Uart.LSR) & Lsr.THRE)) {
    if (looks == LOOKS_MOST) return;
    looks++;
    if ((looks & 7) == 0) cpuPause(); // an emulator needs time to move the port
  }
  looks = 0;
  uartWrite(Uart.THR, byte);
}
