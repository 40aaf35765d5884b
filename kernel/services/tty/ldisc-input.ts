/**
 * Input half of N_TTY: what a byte from the wire means.
 *
 * Locking  every ...Locked function is called with Tty.lock held; ttyReceive takes it (any context).
 * Spec     POSIX.1-2017 11.1.5 to 11.2.5; order of the tests as in Linux n_tty_receive_char.
 */
import { Cc, InputFlag, LocalFlag } from "../../abi/termios";
import { Signal } from "../../abi/signal";
import { wakeUpAll } from "../../core/sync/wait-queue";
import { byteAt } from "../../lib/bytes";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import {
  ldiscEchoLocked, ldiscEchoRawLocked, ldiscKickLocked, ldiscRuboutLocked, ldiscRuboutTabLocked, byteIsControl,
  ttyIsContinuation,
} from "./ldisc-output";
import { TTY_SIGNALS } from "./signal-hook";
import {
  TTY_RING, Tty, TtyFlag, ttyCc, ttyCcIs, ttyDriverOf, ttyInByte, ttyInPut, ttyInUsed, ttyLineEndSet, ttyLock,
  ttyReadWait, ttyTermios, ttyWriteWait,
} from "./tty";

const NEWLINE: u32 = 10;
const RETURN: u32 = 13;
const TAB: u32 = 9;
/** Room kept for the byte that ends a line, and for PARMRK's doubled byte. */
const LINE_RESERVE: u32 = 2;

/** A driver hands over `n` received bytes. */
export function ttyReceive(tty: Tty, ptr: usize, n: u32): void {
  spinLock(ttyLock(tty));
  const readable = tty.canonHead;
  for (let i: u32 = 0; i < n; i++) ldiscReceiveLocked(tty, byteAt(ptr, i));
  ldiscKickLocked(tty);
  const wake = tty.canonHead != readable;
  spinUnlock(ttyLock(tty));
  if (wake) wakeUpAll(ttyReadWait(tty));
}

/** Bytes a driver may hand over without any being lost. */
export function ttyReceiveRoom(tty: Tty): u32 {
  const used = ttyInUsed(tty);
  // A full ring without a whole line would never drain: let the discipline drop bytes until the line ends.
  if (isCanonical(tty) && tty.canonHead == tty.inTail) return TTY_RING;
  return used + LINE_RESERVE >= TTY_RING ? 0 : TTY_RING - LINE_RESERVE - used;
}

/** A break condition on the line. */
export function ttyReceiveBreak(tty: Tty): void {
  spinLock(ttyLock(tty));
  const iflag = ttyTermios(tty).iflag;
  if (!(iflag & InputFlag.IGNBRK)) {
    if (iflag & InputFlag.BRKINT) raiseLocked(tty, Signal.INT);
    else ldiscReceiveLocked(tty, 0);
  }
  ldiscKickLocked(tty);
  spinUnlock(ttyLock(tty));
}

function isCanonical(tty: Tty): bool {
  return (ttyTermios(tty).lflag & LocalFlag.ICANON) != 0;
}

/** One byte through the whole discipline. */
export function ldiscReceiveLocked(tty: Tty, raw: u32): void {
  const t = ttyTermios(tty);
  let c = raw;
  if (t.iflag & InputFlag.ISTRIP) c &= 0x7f;
  if (tty.flags & TtyFlag.LNEXT) {
    tty.flags &= ~TtyFlag.LNEXT;
    acceptLocked(tty, c, false);
    return;
  }
  if ((t.iflag & InputFlag.IUCLC) && (t.lflag & LocalFlag.IEXTEN) && c >= 0x41 && c <= 0x5a) c += 0x20;
  if ((t.iflag & InputFlag.IXON) && flowLocked(tty, c)) return;
  if ((t.lflag & LocalFlag.ISIG) && signalKeyLocked(tty, c)) return;
  if ((t.iflag & InputFlag.IXON) && (t.iflag & InputFlag.IXANY)) ttyStartLocked(tty);
  if (c == RETURN) {
    if (t.iflag & InputFlag.IGNCR) return;
    if (t.iflag & InputFlag.ICRNL) c = NEWLINE;
  } else if (c == NEWLINE && (t.iflag & InputFlag.INLCR)) {
    c = RETURN;
  }
  if ((t.lflag & LocalFlag.ICANON) && editLocked(tty, c)) return;
  acceptLocked(tty, c, true);
}

/** ^S and ^Q; true when the byte was one of them. */
function flowLocked(tty: Tty, c: u32): bool {
  if (ttyCcIs(tty, Cc.START, c)) {
    ttyStartLocked(tty);
    return true;
  }
  if (!ttyCcIs(tty, Cc.STOP, c)) return false;
  tty.flags |= TtyFlag.STOPPED;
  return true;
}

/** Ends a halt of the output. */
export function ttyStartLocked(tty: Tty): void {
  if (!(tty.flags & TtyFlag.STOPPED)) return;
  tty.flags &= ~TtyFlag.STOPPED;
  ldiscKickLocked(tty);
  wakeUpAll(ttyWriteWait(tty));
}

/** ^C, ^\ and ^Z; true when the byte was one of them. */
function signalKeyLocked(tty: Tty, c: u32): bool {
  let signal: u32 = 0;
  if (ttyCcIs(tty, Cc.INTR, c)) signal = Signal.INT;
  else if (ttyCcIs(tty, Cc.QUIT, c)) signal = Signal.QUIT;
  else if (ttyCcIs(tty, Cc.SUSP, c)) signal = Signal.TSTP;
  if (signal == 0) return false;
  raiseLocked(tty, signal);
  if (ttyTermios(tty).iflag & InputFlag.IXON) ttyStartLocked(tty);
  if (ttyTermios(tty).lflag & LocalFlag.ECHO) echoTypedLocked(tty, c);
  return true;
}

/** Signals the foreground group; both queues are emptied unless NOFLSH. */
function raiseLocked(tty: Tty, signal: u32): void {
  if (!(ttyTermios(tty).lflag & LocalFlag.NOFLSH)) {
    ldiscFlushInputLocked(tty);
    tty.outTail = tty.outHead;
    wakeUpAll(ttyWriteWait(tty));
  }
  if (tty.pgrp != 0) TTY_SIGNALS.group(tty.pgrp, signal);
}

/** Throws away everything typed and not yet read. */
export function ldiscFlushInputLocked(tty: Tty): void {
  tty.inTail = tty.inHead;
  tty.canonHead = tty.inHead;
  ttyUnthrottleLocked(tty);
}

/** Lets a driver that held input back go on. */
export function ttyUnthrottleLocked(tty: Tty): void {
  if (!(tty.flags & TtyFlag.THROTTLED)) return;
  tty.flags &= ~TtyFlag.THROTTLED;
  ttyDriverOf(tty).unthrottle(tty);
}

// ---- canonical editing ----

/** Editing keys and line ends of canonical mode; true when the byte needs nothing more. */
function editLocked(tty: Tty, c: u32): bool {
  const lflag = ttyTermios(tty).lflag;
  const extended = (lflag & LocalFlag.IEXTEN) != 0;
  if (ttyCcIs(tty, Cc.ERASE, c) || ttyCcIs(tty, Cc.KILL, c) || (extended && ttyCcIs(tty, Cc.WERASE, c))) {
    eraseLocked(tty, c);
    return true;
  }
  if (extended && ttyCcIs(tty, Cc.LNEXT, c)) {
    tty.flags |= TtyFlag.LNEXT;
    if ((lflag & LocalFlag.ECHO) && (lflag & LocalFlag.ECHOCTL)) {
      ldiscEchoRawLocked(tty, 0x5e);
      ldiscEchoRawLocked(tty, 8);
    }
    return true;
  }
  if (extended && (lflag & LocalFlag.ECHO) && ttyCcIs(tty, Cc.REPRINT, c)) {
    reprintLocked(tty, c);
    return true;
  }
  return lineEndLocked(tty, c, lflag);
}

/** Newline, EOF, EOL and EOL2; true when the byte ended a line. */
function lineEndLocked(tty: Tty, c: u32, lflag: u32): bool {
  if (c == NEWLINE) {
    if (lflag & (LocalFlag.ECHO | LocalFlag.ECHONL)) ldiscEchoRawLocked(tty, NEWLINE);
    commitLocked(tty, NEWLINE);
    return true;
  }
  if (ttyCcIs(tty, Cc.EOF, c)) {
    commitLocked(tty, 0); // Y3
    return true;
  }
  const isEol = ttyCcIs(tty, Cc.EOL, c) || ((lflag & LocalFlag.IEXTEN) != 0 && ttyCcIs(tty, Cc.EOL2, c));
  if (!isEol) return false;
  if (lflag & LocalFlag.ECHO) echoTypedLocked(tty, c);
  commitLocked(tty, c);
  return true;
}

function commitLocked(tty: Tty, c: u32): void {
  if (ttyInUsed(tty) >= TTY_RING) return;
  ttyInPut(tty, c);
  ttyLineEndSet(tty, tty.inHead - 1, true);
  tty.canonHead = tty.inHead;
}

/** Text: echo and store. PARMRK doubles a real 0xff so that it cannot be taken for a mark. */
function acceptLocked(tty: Tty, c: u32, mayDouble: bool): void {
  const t = ttyTermios(tty);
  const canonical = (t.lflag & LocalFlag.ICANON) != 0;
  const reserve: u32 = canonical ? LINE_RESERVE : 0;
  const doubled = mayDouble && c == 0xff && (t.iflag & InputFlag.PARMRK) != 0 && !(t.iflag & InputFlag.ISTRIP);
  const need: u32 = doubled ? 2 : 1;
  if (ttyInUsed(tty) + need + reserve > TTY_RING) {
    if (t.iflag & InputFlag.IMAXBEL) ldiscEchoRawLocked(tty, 7);
    return;
  }
  if (t.lflag & LocalFlag.ECHO) {
    if (tty.canonHead == tty.inHead) tty.canonColumn = tty.column;
    echoTypedLocked(tty, c);
  }
  if (doubled) ttyInPut(tty, c);
  ttyInPut(tty, c);
  if (!canonical) tty.canonHead = tty.inHead; // Y4
}

function echoTypedLocked(tty: Tty, c: u32): void {
  ldiscEchoLocked(tty, c, (ttyTermios(tty).lflag & LocalFlag.ECHOCTL) != 0 && c != NEWLINE);
}

function reprintLocked(tty: Tty, c: u32): void {
  echoTypedLocked(tty, c);
  ldiscEchoRawLocked(tty, NEWLINE);
  for (let i = tty.canonHead; i != tty.inHead; i++) echoTypedLocked(tty, ttyInByte(tty, i));
}

/** The ERASE, WERASE and KILL keys. */
function eraseLocked(tty: Tty, c: u32): void {
  if (tty.inHead == tty.canonHead) return;
  const lflag = ttyTermios(tty).lflag;
  if (ttyCcIs(tty, Cc.KILL, c)) {
    eraseLineLocked(tty, c, lflag);
  } else if (ttyCcIs(tty, Cc.WERASE, c)) {
    eraseWordLocked(tty, lflag);
  } else {
    eraseOneLocked(tty, c, lflag);
  }
}

function eraseLineLocked(tty: Tty, c: u32, lflag: u32): void {
  const visual: u32 = LocalFlag.ECHO | LocalFlag.ECHOE | LocalFlag.ECHOK | LocalFlag.ECHOKE;
  if ((lflag & visual) == visual) {
    while (tty.inHead != tty.canonHead) eraseCharLocked(tty, lflag);
    return;
  }
  tty.inHead = tty.canonHead;
  if (!(lflag & LocalFlag.ECHO)) return;
  echoTypedLocked(tty, c);
  if (lflag & LocalFlag.ECHOK) ldiscEchoRawLocked(tty, NEWLINE);
}

function eraseWordLocked(tty: Tty, lflag: u32): void {
  let seen = false;
  while (tty.inHead != tty.canonHead) {
    const isWord = byteIsWord(ttyInByte(tty, tty.inHead - 1));
    if (seen && !isWord) return;
    seen = seen || isWord;
    eraseCharLocked(tty, lflag);
  }
}

function eraseOneLocked(tty: Tty, c: u32, lflag: u32): void {
  if ((lflag & LocalFlag.ECHO) && !(lflag & LocalFlag.ECHOE)) {
    echoTypedLocked(tty, c);
    eraseCharLocked(tty, lflag & ~(<u32>LocalFlag.ECHO));
    return;
  }
  eraseCharLocked(tty, lflag);
}

function byteIsWord(c: u32): bool {
  return (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a) || c == 0x5f || c >= 0x80;
}

/** Takes back one character (all bytes of a UTF-8 sequence) and its cells. */
function eraseCharLocked(tty: Tty, lflag: u32): void {
  let at = tty.inHead - 1;
  while (at != tty.canonHead && ttyIsContinuation(tty, ttyInByte(tty, at))) at--;
  const c = ttyInByte(tty, at);
  tty.inHead = at;
  if (!(lflag & LocalFlag.ECHO)) return;
  if (c == TAB) {
    ldiscRuboutTabLocked(tty, widthBeforeLocked(tty, lflag));
    return;
  }
  const caret = byteIsControl(c) && (lflag & LocalFlag.ECHOCTL) != 0;
  if (caret) ldiscRuboutLocked(tty);
  if (caret || !byteIsControl(c)) ldiscRuboutLocked(tty);
}

/** Cells from the last tab (or the left margin) to the end of the edited line. */
function widthBeforeLocked(tty: Tty, lflag: u32): u32 {
  let width: u32 = 0;
  for (let at = tty.inHead; at != tty.canonHead; at--) {
    const c = ttyInByte(tty, at - 1);
    if (c == TAB) return width;
    if (byteIsControl(c)) width += lflag & LocalFlag.ECHOCTL ? 2 : 0;
    else if (!ttyIsContinuation(tty, c)) width++;
  }
  return width + tty.canonColumn;
}

/** The ICANON bit changed: what is queued becomes readable under the new rules (Y2, Y4). */
export function ldiscModeChangedLocked(tty: Tty, toCanonical: bool): void {
  for (let at = tty.inTail; at != tty.inHead; at++) ttyLineEndSet(tty, at, false);
  if (toCanonical && tty.inHead != tty.inTail) ttyLineEndSet(tty, tty.inHead - 1, true);
  tty.canonHead = tty.inHead;
}

/** The byte that VMIN counts: at least one. */
export function ldiscMinimum(tty: Tty): u32 {
  const min = ttyCc(tty, Cc.MIN);
  return min == 0 ? 1 : min;
}
