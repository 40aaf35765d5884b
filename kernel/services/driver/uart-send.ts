/**
 * What the serial port sends: the output of its terminal, and between its lines those of the kernel's log.
 *
 * A log line goes into a queue and from there into the FIFO, at once when that has room, else by interrupts: nobody waits for a slow port.
 * In a panic there are no interrupts: the queue and what follows are sent polling.
 *
 * Invariants  U1  IER.ETBEI is set exactly while bytes wait that the FIFO had no room for.
 *             U3  the queue holds whole lines. A line that finds no room is left out as a whole, and how many were is said when there is room.
 *             U4  a log line is not broken by output of the terminal, nor a line of the terminal's by the log while the rest of it waits.
 * Locking     uartLock (Rank.CONSOLE, inside Tty.lock and the log's) guards the registers and the queue. The log does not hold Tty.lock: it
 *             sends nothing of the terminal's.
 */
import { serialEarlyPut } from "../../../arch/x86_64/serial-early";
import { FIFO_BYTES, Ier, Lcr, Lsr, Uart, uartRead, uartWrite } from "../../../arch/x86_64/uart-registers";
import { wakeUpAll } from "../../core/sync/wait-queue";
import { byteAt, bytePut } from "../../lib/bytes";
import { Rank } from "../../lib/lock-rank";
import { panicIsOn } from "../../lib/panic";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";
import { Tty, ttyIsStopped, ttyLock, ttyOf, ttyOutByte, ttyOutTake, ttyOutUsed, ttyWriteWait } from "../tty/tty";

/** FIFO loads that one call may push while the port keeps up (an emulated one always does). */
const KICK_LOADS: u32 = 64;
const QUEUE_BYTES: u32 = 16384; // a power of two
/** Room that is kept for the line that says how many were left out. */
const NOTE_BYTES: u32 = 64;
/** Writers sleep until this little waits in the terminal's ring. */
const WAKE_BELOW: u32 = 2048;
const NEWLINE: u32 = 10;
const RETURN: u32 = 13;

const uartLock = changetype<SpinLock>(memory.data(16));
const QUEUE: usize = memory.data(16384);

@final @unmanaged
class SendState {
  tty: u32;         // Tty of ttyS0, or 0
  ier: u32;
  head: u32;        // of the queue: next byte to fill
  tail: u32;        // next byte to send
  isLogLine: u32;   // the FIFO's last byte is one within a log line
  isTtyLine: u32;   // the terminal's last byte is not the end of a line
  leftOut: u32;     // lines since the queue had room
}
const STATE = changetype<SendState>(memory.data(offsetof<SendState>()));

/** Before any other function; no terminal yet. */
export function uartSendInit(): void {
  spinInit(uartLock, Rank.CONSOLE);
}

/** The terminal whose output the port sends. */
export function uartSendTty(tty: Tty): void {
  STATE.tty = <u32>changetype<usize>(tty);
}

/** That terminal. */
export function uartTty(): Tty { return ttyOf(STATE.tty); }

/** Sets and clears bits of IER. */
export function uartIerChange(set: u32, clear: u32): void {
  spinLock(uartLock);
  ierPut((STATE.ier | set) & ~clear);
  spinUnlock(uartLock);
}

function ierPut(bits: u32): void {
  if (bits == STATE.ier) return;
  STATE.ier = bits;
  uartWrite(Uart.IER, bits);
}

/** Words of 8 bits at 115,200 baud / `divisor`; the divisor shares its address with the data. */
export function uartSpeedSet(divisor: u32): void {
  spinLock(uartLock);
  uartWrite(Uart.LCR, Lcr.WORD_8N1 | Lcr.DLAB);
  uartWrite(Uart.DLL, divisor & 0xff);
  uartWrite(Uart.DLM, divisor >> 8);
  uartWrite(Uart.LCR, Lcr.WORD_8N1);
  spinUnlock(uartLock);
}

/** The terminal has output: sends what the port takes. Locking: Tty.lock. */
export function uartKick(tty: Tty): void {
  spinLock(uartLock);
  sendLocked(tty);
  spinUnlock(uartLock);
}

/** The transmit interrupt: sends more, and wakes writers when little is left. */
export function uartTransmitMore(): void {
  if (!(STATE.ier & Ier.ETBEI)) return;
  const tty = uartTty();
  spinLock(ttyLock(tty));
  uartKick(tty);
  const wake = ttyOutUsed(tty) < WAKE_BELOW;
  spinUnlock(ttyLock(tty));
  if (wake) wakeUpAll(ttyWriteWait(tty));
}

/** Fills FIFOs while the port takes them (U1). `tty` null: its lock is not held. */
function sendLocked(tty: Tty | null): void {
  const own = tty && !ttyIsStopped(tty) ? tty : null;
  for (let loads: u32 = 0; loads < KICK_LOADS && hasNext(own); loads++) {
    if (!(uartRead(Uart.LSR) & Lsr.THRE)) break;
    for (let room = FIFO_BYTES; room != 0 && hasNext(own); room--) uartWrite(Uart.THR, nextTake(own));
  }
  const waits = queueUsed() != 0 || ttyWaits();
  ierPut(waits ? STATE.ier | Ier.ETBEI : STATE.ier & ~(<u32>Ier.ETBEI));
}

/** Output of the terminal that is not halted; without Tty.lock only a hint, which whoever holds it puts right. */
function ttyWaits(): bool {
  const tty = uartTty();
  return STATE.tty != 0 && !ttyIsStopped(tty) && ttyOutUsed(tty) != 0;
}

/** Whether the log's queue is to go next (U4). */
function isLogNext(): bool {
  return queueUsed() != 0 && (STATE.isLogLine != 0 || STATE.isTtyLine == 0 || !ttyWaits());
}

function hasNext(tty: Tty | null): bool {
  return isLogNext() || (tty != null && ttyOutUsed(tty) != 0);
}

/** The byte to send next; hasNext said that there is one. */
function nextTake(tty: Tty | null): u32 {
  if (isLogNext()) return queueTake();
  const byte = ttyOutByte(tty!);
  ttyOutTake(tty!, 1);
  STATE.isTtyLine = byte == NEWLINE ? 0 : 1;
  return byte;
}

// ---- the log's queue ----

function queueUsed(): u32 {
  return STATE.head - STATE.tail;
}

function queuePut(byte: u32): void {
  bytePut(QUEUE, STATE.head & (QUEUE_BYTES - 1), byte);
  STATE.head++;
}

function queueTake(): u32 {
  const byte = byteAt(QUEUE, STATE.tail & (QUEUE_BYTES - 1));
  STATE.tail++;
  STATE.isLogLine = byte == NEWLINE ? 0 : 1;
  return byte;
}

/** Queues a line, `\n` as CR LF; false when there is no room (U3). */
function lineQueue(ptr: usize, length: u32): bool {
  if (QUEUE_BYTES - queueUsed() < length + 1 + NOTE_BYTES) return false;
  for (let i: u32 = 0; i < length; i++) {
    if (byteAt(ptr, i) == NEWLINE) queuePut(RETURN);
    queuePut(byteAt(ptr, i));
  }
  return true;
}

/** Says how many lines were left out, as soon as there is room for more than that. */
function leftOutQueue(): void {
  if (STATE.leftOut == 0 || queueUsed() > QUEUE_BYTES >> 1) return;
  let divisor: u32 = 1;
  while (STATE.leftOut / divisor >= 10) divisor *= 10;
  for (; divisor != 0; divisor /= 10) queuePut(0x30 + STATE.leftOut / divisor % 10);
  const text = " lines of the log left out\r\n";
  for (let i = 0; i < text.length; i++) queuePut(text.charCodeAt(i));
  STATE.leftOut = 0;
}

/** The log's way to the port: one line, its newline included. */
export function uartLogWrite(ptr: usize, length: u32): void {
  if (panicIsOn()) {
    flushPolled(); // then there is room for any line
    lineQueue(ptr, length);
    flushPolled();
    return;
  }
  spinLock(uartLock);
  leftOutQueue();
  if (!lineQueue(ptr, length)) STATE.leftOut++;
  sendLocked(null);
  spinUnlock(uartLock);
}

/** Sends the queued lines before the power goes. */
export function uartFlush(): void {
  spinLock(uartLock);
  flushPolled();
  spinUnlock(uartLock);
}

/** The same in a panic: nobody else runs. */
function flushPolled(): void {
  while (queueUsed() != 0) serialEarlyPut(queueTake());
}
