/**
 * The kernel log: lines of the form `[   2.668012] c0 t17 vfs: mounted romfs dev=rd0 blocks=512`.
 *
 * A line is built in a static buffer under logLock (logBegin … logEnd), kept in a ring for dmesg, and given to the
 * sink. Nothing is allocated.
 *
 * Invariants  G1  between logBegin and logEnd the caller neither sleeps nor takes another lock.
 * Locking     logLock (Rank.LOG) guards the line buffer and the ring.
 */
import { SpinLock, spinLock, spinUnlock } from "./spinlock";

export const enum LogLevel { ERR = 3, WARN = 4, INFO = 6, DEBUG = 7 }

const LINE_BYTES: u32 = 512;
/** Bytes the log remembers (dmesg); a power of two. */
export const LOG_RING_BYTES: u32 = 65536;

@final @unmanaged
export class LogState {
  lineLength: u32;
  level: u32;        // of the line being built
  consoleLevel: u32; // lines of this level and more urgent ones reach the sink
  hasHooks: u32;
  written: u64;      // bytes ever put into the ring; the next goes to written % LOG_RING_BYTES
}

@final @unmanaged
export class LogHooks {
  now: () => u64;          // ns since boot
  where: () => u32;        // cpu << 24 | tid
  sink: (ptr: usize, length: u32) => void;
  flush: () => void;       // the sink shows what it keeps
}

const STATE = changetype<LogState>(memory.data(offsetof<LogState>(), 8));
const HOOKS = changetype<LogHooks>(memory.data(offsetof<LogHooks>()));
const LINE: usize = memory.data(512);
const RING: usize = memory.data(65536);
const logLock = changetype<SpinLock>(memory.data(16));

/** Connects clock, CPU and console; before it, lines stay in the ring. */
export function logInit(
  now: () => u64, where: () => u32, sink: (ptr: usize, length: u32) => void, consoleLevel: u32,
): void {
  logLock.rank = 98;
  HOOKS.now = now;
  HOOKS.where = where;
  HOOKS.sink = sink;
  HOOKS.flush = nothingKept;
  STATE.consoleLevel = consoleLevel;
  STATE.hasHooks = 1;
}

function nothingKept(): void {}

/** Replaces the sink: consoles take over from the early serial port. `flush` sends what they keep for later. */
export function logSinkSet(sink: (ptr: usize, length: u32) => void, flush: () => void): void {
  HOOKS.flush = flush;
  HOOKS.sink = sink;
}

/** Before the machine stops: every line is where it can be read. */
export function logFlush(): void {
  if (STATE.hasHooks) HOOKS.flush();
}

/** Lines less urgent than `level` stay in the ring only (`quiet`, `loglevel=`). */
export function logConsoleLevelSet(level: u32): void {
  STATE.consoleLevel = level;
}

export function logConsoleLevelGet(): u32 {
  return STATE.consoleLevel;
}

/** Starts a line of `subsystem`; end it with logEnd() (G1). */
export function logBegin(level: u32, subsystem: string): void {
  spinLock(logLock);
  STATE.lineLength = 0;
  STATE.level = level;
  const now = STATE.hasHooks ? HOOKS.now() : 0;
  const where = STATE.hasHooks ? HOOKS.where() : 0;
  putByte(0x5b);
  putPadded(now / 1_000_000_000, 4, 0x20);
  putByte(0x2e);
  putPadded(now / 1000 % 1_000_000, 6, 0x30);
  logStr("] c");
  logDec(where >> 24);
  logStr(" t");
  logDec(where & 0xffffff);
  putByte(0x20);
  logStr(subsystem);
  logStr(": ");
}

/** Appends a literal (its UTF-16 units are taken as Latin-1). */
export function logStr(text: string): void {
  const at = changetype<usize>(text); // SAFETY: literals are static data
  for (let i = 0; i < text.length; i++) putByte(load<u16>(at + (<usize>i << 1)));
}

/** Appends `length` bytes of linear memory, control characters shown as `?`. */
export function logBytes(ptr: usize, length: u32): void {
  for (let i: u32 = 0; i < length; i++) {
    const byte = <u32>load<u8>(ptr + i);
    putByte(byte >= 0x20 && byte != 0x7f ? byte : 0x3f);
  }
}

/** Appends a NUL-terminated string of at most `max` bytes. */
export function logCString(ptr: usize, max: u32): void {
  let length: u32 = 0;
  while (length < max && load<u8>(ptr + length) != 0) length++;
  logBytes(ptr, length);
}

export function logDec(value: u64): void {
  putPadded(value, 1, 0x30);
}

/** Appends a signed decimal. */
export function logInt(value: i64): void {
  if (value < 0) {
    putByte(0x2d);
    putPadded(<u64>-value, 1, 0x30);
  } else putPadded(<u64>value, 1, 0x30);
}

/** Appends 0x and the digits needed. */
export function logHex(value: u64): void {
  logStr("0x");
  let shift: i32 = 60;
  while (shift > 0 && ((value >> <u64>shift) & 15) == 0) shift -= 4;
  logHexDigits(value, <u32>shift / 4 + 1);
}

/** Appends `digits` hexadecimal digits. */
export function logHexDigits(value: u64, digits: u32): void {
  for (let shift = <i32>digits * 4 - 4; shift >= 0; shift -= 4) {
    const digit = <u32>((value >> <u64>shift) & 15);
    putByte(digit < 10 ? 0x30 + digit : 0x57 + digit);
  }
}

/** Appends ` key=value`. */
export function logKeyDec(key: string, value: u64): void {
  putByte(0x20);
  logStr(key);
  putByte(0x3d);
  logDec(value);
}

/** Appends ` key=0xvalue`. */
export function logKeyHex(key: string, value: u64): void {
  putByte(0x20);
  logStr(key);
  putByte(0x3d);
  logHex(value);
}

/** Ends the line: into the ring, and to the console when it is urgent enough. */
export function logEnd(): void {
  store<u8>(LINE + STATE.lineLength, 0x0a);
  STATE.lineLength++;
  for (let i: u32 = 0; i < STATE.lineLength; i++) {
    store<u8>(RING + (<u32>STATE.written & (LOG_RING_BYTES - 1)), load<u8>(LINE + i));
    STATE.written++;
  }
  if (STATE.hasHooks && STATE.level <= STATE.consoleLevel) HOOKS.sink(LINE, STATE.lineLength);
  spinUnlock(logLock);
}

/** A whole line of level INFO. */
export function logInfo(subsystem: string, text: string): void {
  logLine(LogLevel.INFO, subsystem, text);
}

export function logWarn(subsystem: string, text: string): void {
  logLine(LogLevel.WARN, subsystem, text);
}

export function logErr(subsystem: string, text: string): void {
  logLine(LogLevel.ERR, subsystem, text);
}

function logLine(level: u32, subsystem: string, text: string): void {
  logBegin(level, subsystem);
  logStr(text);
  logEnd();
}

/** Bytes ever logged: positions for logRead run from logWritten() - LOG_RING_BYTES to logWritten(). */
export function logWritten(): u64 {
  return STATE.written;
}

/** Copies up to `max` bytes from position `at` (moved up to the oldest kept); the count is returned. */
export function logRead(at: u64, ptr: usize, max: u32): u32 {
  spinLock(logLock);
  const oldest = STATE.written > LOG_RING_BYTES ? STATE.written - LOG_RING_BYTES : 0;
  const from = at > oldest ? at : oldest;
  const count = <u32>min<u64>(max, STATE.written > from ? STATE.written - from : 0);
  for (let i: u32 = 0; i < count; i++) {
    store<u8>(ptr + i, load<u8>(RING + (<u32>(from + i) & (LOG_RING_BYTES - 1))));
  }
  spinUnlock(logLock);
  return count;
}

/** For a panic: forget who held the log, output matters more. */
export function logBreakLock(): void {
  logLock.isHeld = 0;
}

/** Appends one byte as it is. */
export function logByte(byte: u32): void {
  putByte(byte);
}

function putByte(byte: u32): void {
  if (STATE.lineLength >= LINE_BYTES - 1) return; // room for the newline
  store<u8>(LINE + STATE.lineLength, byte);
  STATE.lineLength++;
}

/** Decimal digits, padded on the left with `pad` to `width`. */
function putPadded(value: u64, width: u32, pad: u32): void {
  let divisor: u64 = 1;
  let digits: u32 = 1;
  while (digits < 20 && value / divisor >= 10) {
    divisor *= 10;
    digits++;
  }
  for (; width > digits; width--) putByte(pad);
  for (; divisor > 0; divisor /= 10) putByte(0x30 + <u32>(value / divisor % 10));
}
