/**
 * Output half of N_TTY: OPOST translation and column tracking, from writers and from echo.
 *
 * Locking  every function is called with Tty.lock held.
 * Spec     termios(3) c_oflag; Linux do_output_char.
 */
import { InputFlag, OutputFlag } from "../../abi/termios";
import { byteAt } from "../../lib/bytes";
import { Tty, ttyDriverOf, ttyIsStopped, ttyOutPut, ttyOutRoom, ttyOutUsed, ttyTermios } from "./tty";

const BACKSPACE: u32 = 8;
const TAB: u32 = 9;
const NEWLINE: u32 = 10;
const RETURN: u32 = 13;
const SPACE: u32 = 32;
const TAB_WIDTH: u32 = 8;

export function byteIsControl(c: u32): bool {
  return c < 0x20 || c == 0x7f;
}

/** True for the second and later bytes of a UTF-8 sequence on a terminal that has IUTF8. */
export function ttyIsContinuation(tty: Tty, c: u32): bool {
  return (ttyTermios(tty).iflag & InputFlag.IUTF8) != 0 && (c & 0xc0) == 0x80;
}

/** Processes `n` bytes into the output ring; how many were taken before it filled up. */
export function ldiscWriteLocked(tty: Tty, ptr: usize, n: u32): u32 {
  let done: u32 = 0;
  if (!(ttyTermios(tty).oflag & OutputFlag.OPOST)) {
    const room = ttyOutRoom(tty);
    const take = n < room ? n : room;
    while (done < take) ttyOutPut(tty, byteAt(ptr, done++));
    return done;
  }
  while (done < n && ldiscOutByteLocked(tty, byteAt(ptr, done))) done++;
  return done;
}

/** Processes one byte; false, with nothing changed, when the ring lacks room for what it becomes. */
export function ldiscOutByteLocked(tty: Tty, byte: u32): bool {
  const room = ttyOutRoom(tty);
  if (room == 0) return false;
  const oflag = ttyTermios(tty).oflag;
  if (!(oflag & OutputFlag.OPOST)) {
    ttyOutPut(tty, byte);
    return true;
  }
  if (!byteIsControl(byte)) return putPrinting(tty, byte, oflag);
  if (byte == NEWLINE) return putNewline(tty, oflag, room);
  if (byte == RETURN) return putReturn(tty, oflag);
  if (byte == TAB) return putTab(tty, oflag, room);
  if (byte == BACKSPACE && tty.column > 0) tty.column--;
  ttyOutPut(tty, byte);
  return true;
}

function putPrinting(tty: Tty, byte: u32, oflag: u32): bool {
  let c = byte;
  if ((oflag & OutputFlag.OLCUC) && c >= 0x61 && c <= 0x7a) c -= 0x20;
  if (!ttyIsContinuation(tty, c)) tty.column++;
  ttyOutPut(tty, c);
  return true;
}

function putNewline(tty: Tty, oflag: u32, room: u32): bool {
  if (oflag & OutputFlag.ONLCR) {
    if (room < 2) return false;
    ttyOutPut(tty, RETURN);
    tty.column = 0;
  } else if (oflag & OutputFlag.ONLRET) {
    tty.column = 0;
  }
  tty.canonColumn = tty.column;
  ttyOutPut(tty, NEWLINE);
  return true;
}

function putReturn(tty: Tty, oflag: u32): bool {
  if ((oflag & OutputFlag.ONOCR) && tty.column == 0) return true;
  if (oflag & OutputFlag.OCRNL) {
    if (oflag & OutputFlag.ONLRET) tty.canonColumn = tty.column = 0;
    ttyOutPut(tty, NEWLINE);
    return true;
  }
  tty.canonColumn = tty.column = 0;
  ttyOutPut(tty, RETURN);
  return true;
}

function putTab(tty: Tty, oflag: u32, room: u32): bool {
  const spaces = TAB_WIDTH - (tty.column & (TAB_WIDTH - 1));
  if ((oflag & OutputFlag.TABDLY) == OutputFlag.XTABS) {
    if (room < spaces) return false;
    for (let i: u32 = 0; i < spaces; i++) ttyOutPut(tty, SPACE);
  } else {
    ttyOutPut(tty, TAB);
  }
  tty.column += spaces;
  return true;
}

/** Shows the driver new output unless the terminal is halted. */
export function ldiscKickLocked(tty: Tty): void {
  if (ttyOutUsed(tty) != 0 && !ttyIsStopped(tty)) ttyDriverOf(tty).kick(tty);
}

// ---- echo ----

/** Echoes a byte as typed text; a control byte as ^X when `lflag` has ECHOCTL (tab and newline stay themselves). */
export function ldiscEchoLocked(tty: Tty, byte: u32, asCaret: bool): void {
  if (asCaret && byteIsControl(byte) && byte != TAB) {
    ldiscEchoRawLocked(tty, 0x5e);
    ldiscEchoRawLocked(tty, byte ^ 0x40);
    return;
  }
  ldiscEchoRawLocked(tty, byte);
}

/** Echoes through output processing; lost when the ring is full (nobody waits for an echo). */
export function ldiscEchoRawLocked(tty: Tty, byte: u32): void {
  if (!ldiscOutByteLocked(tty, byte)) return;
}

/** Rubs out one cell. */
export function ldiscRuboutLocked(tty: Tty): void {
  ldiscEchoRawLocked(tty, BACKSPACE);
  ldiscEchoRawLocked(tty, SPACE);
  ldiscEchoRawLocked(tty, BACKSPACE);
}

/** Moves back over a tab that began after `width` cells. */
export function ldiscRuboutTabLocked(tty: Tty, width: u32): void {
  const cells = TAB_WIDTH - (width & (TAB_WIDTH - 1));
  for (let i: u32 = 0; i < cells; i++) ldiscEchoRawLocked(tty, BACKSPACE);
}
