/**
 * Terminal ioctls.
 *
 * Locking  Tty.lock while settings change; arguments are copied outside it.
 * Spec     tty_ioctl(4).
 */
import { Errno } from "../../abi/errno";
import { Signal } from "../../abi/signal";
import { InputFlag, LocalFlag, TERMIOS2_SIZE, TERMIOS_SIZE, TcFlow, TcQueue, TtyIoctl } from "../../abi/termios";
import { userCopyIn, userCopyOut, userLoad32, userStore32 } from "../../../arch/current";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { wakeUpAll } from "../../core/sync/wait-queue";
import { bytesCopy, wordAt16, wordAt32, wordPut16 } from "../../lib/bytes";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { currentCred, currentProcess } from "../process/process";
import { ttyCheckBackground, ttyDisassociate, ttyHangup, ttySetControlling, ttySetForeground } from "./job-control";
import { ldiscFlushInputLocked, ldiscModeChangedLocked, ttyStartLocked } from "./ldisc-input";
import { TTY_SIGNALS } from "./signal-hook";
import { ttyDrain } from "./tty-write";
import {
  Tty, TtyFlag, ttyDriverOf, ttyInUsed, ttyLock, ttyOutUsed, ttyReadWait, ttyTermios, ttyWriteWait,
} from "./tty";

const WINSIZE_BYTES: u32 = 8;
const NOTTY: i32 = -(<i32>Errno.NOTTY);
const FAULT: i32 = -(<i32>Errno.FAULT);
const PERM: i32 = -(<i32>Errno.PERM);
const INVAL: i32 = -(<i32>Errno.INVAL);
/** When TCSETS* takes effect. */
const enum SetWhen { NOW = 0, DRAIN = 1, FLUSH = 2 }

/** The ioctls every terminal answers; -ENOTTY leaves the rest to the driver. */
export function ttyIoctl(tty: Tty, cmd: u32, argVa: u64): i64 {
  switch (cmd) {
    case TtyIoctl.TCGETS: return termiosGet(tty, argVa, TERMIOS_SIZE);
    case TtyIoctl.TCGETS2: return termiosGet(tty, argVa, TERMIOS2_SIZE);
    case TtyIoctl.TCSETS: return termiosSet(tty, argVa, TERMIOS_SIZE, SetWhen.NOW);
    case TtyIoctl.TCSETSW: return termiosSet(tty, argVa, TERMIOS_SIZE, SetWhen.DRAIN);
    case TtyIoctl.TCSETSF: return termiosSet(tty, argVa, TERMIOS_SIZE, SetWhen.FLUSH);
    case TtyIoctl.TCSETS2: return termiosSet(tty, argVa, TERMIOS2_SIZE, SetWhen.NOW);
    case TtyIoctl.TCSETSW2: return termiosSet(tty, argVa, TERMIOS2_SIZE, SetWhen.DRAIN);
    case TtyIoctl.TCSETSF2: return termiosSet(tty, argVa, TERMIOS2_SIZE, SetWhen.FLUSH);
    case TtyIoctl.TIOCGWINSZ: return winsizeGet(tty, argVa);
    case TtyIoctl.TIOCSWINSZ: return winsizeSet(tty, argVa);
    case TtyIoctl.TCSBRK: case TtyIoctl.TCSBRKP: return drainForBreak(tty);
    case TtyIoctl.TCXONC: return flowControl(tty, <u32>argVa);
    case TtyIoctl.TCFLSH: return flushQueues(tty, <u32>argVa);
    case TtyIoctl.TIOCINQ: return userStore32(argVa, inputQueued(tty));
    case TtyIoctl.TIOCOUTQ: return userStore32(argVa, ttyOutUsed(tty));
    case TtyIoctl.TIOCEXCL: return exclusiveSet(tty, true);
    case TtyIoctl.TIOCNXCL: return exclusiveSet(tty, false);
    case TtyIoctl.TIOCGETD: return userStore32(argVa, 0);
    case TtyIoctl.TIOCSETD: return disciplineSet(argVa);
    case TtyIoctl.TIOCGDEV: return userStore32(argVa, <u32>tty.rdev);
    case TtyIoctl.TIOCSTI: return -(<i32>Errno.IO); // as Linux with dev.tty.legacy_tiocsti=0
    default: return sessionIoctl(tty, cmd, argVa);
  }
}

function sessionIoctl(tty: Tty, cmd: u32, argVa: u64): i64 {
  switch (cmd) {
    case TtyIoctl.TIOCSCTTY: return ttySetControlling(tty, argVa == 1, currentCred().euid == 0);
    case TtyIoctl.TIOCNOTTY:
      if (currentProcess().ctty != <u32>changetype<usize>(tty)) return NOTTY;
      ttyDisassociate(currentProcess());
      return 0;
    case TtyIoctl.TIOCGPGRP: return controlsCaller(tty) ? userStore32(argVa, tty.pgrp) : NOTTY;
    case TtyIoctl.TIOCSPGRP: return foregroundSet(tty, argVa);
    case TtyIoctl.TIOCGSID: return controlsCaller(tty) && tty.sid != 0 ? userStore32(argVa, tty.sid) : NOTTY;
    case TtyIoctl.TIOCVHANGUP:
      if (currentCred().euid != 0) return PERM;
      ttyHangup(tty);
      return 0;
    default: return NOTTY;
  }
}

function controlsCaller(tty: Tty): bool {
  return currentProcess().ctty == <u32>changetype<usize>(tty);
}

function foregroundSet(tty: Tty, argVa: u64): i64 {
  const word = scratchPush(8);
  const r = userLoad32(word, argVa);
  const pgid = wordAt32(word);
  scratchPop(8);
  return r != 0 ? r : ttySetForeground(tty, pgid);
}

function termiosGet(tty: Tty, argVa: u64, size: u32): i64 {
  const copy = scratchPush(sizeof<u64>() * 6);
  spinLock(ttyLock(tty));
  bytesCopy(copy, changetype<usize>(tty), size);
  spinUnlock(ttyLock(tty));
  const r = userCopyOut(argVa, copy, size);
  scratchPop(sizeof<u64>() * 6);
  return r;
}

function termiosSet(tty: Tty, argVa: u64, size: u32, when: u32): i64 {
  const r = ttyCheckBackground(tty, Signal.TTOU);
  if (r != 0) return r;
  const copy = scratchPush(sizeof<u64>() * 6);
  let result: i32 = userCopyIn(copy, argVa, size);
  if (result == 0 && when != SetWhen.NOW) result = ttyDrain(tty);
  if (result == 0) {
    spinLock(ttyLock(tty));
    if (when == SetWhen.FLUSH) ldiscFlushInputLocked(tty);
    termiosApplyLocked(tty, copy, size);
    spinUnlock(ttyLock(tty));
    wakeUpAll(ttyReadWait(tty)); // VMIN, ICANON: a reader's condition may have changed
  }
  scratchPop(sizeof<u64>() * 6);
  return result;
}

/** Installs `size` bytes of settings and tells discipline and driver what changed. */
export function termiosApplyLocked(tty: Tty, from: usize, size: u32): void {
  const t = ttyTermios(tty);
  const wasCanonical = t.lflag & LocalFlag.ICANON;
  const hadFlow = t.iflag & InputFlag.IXON;
  bytesCopy(changetype<usize>(t), from, size);
  t.line = 0;
  if ((t.lflag & LocalFlag.ICANON) != wasCanonical) ldiscModeChangedLocked(tty, wasCanonical == 0);
  if (hadFlow != 0 && !(t.iflag & InputFlag.IXON)) ttyStartLocked(tty);
  ttyDriverOf(tty).configure(tty);
}


function winsizeGet(tty: Tty, argVa: u64): i64 {
  const copy = scratchPush(WINSIZE_BYTES);
  wordPut16(copy, tty.rows);
  wordPut16(copy + 2, tty.cols);
  wordPut16(copy + 4, tty.xpixel);
  wordPut16(copy + 6, tty.ypixel);
  const r = userCopyOut(argVa, copy, WINSIZE_BYTES);
  scratchPop(WINSIZE_BYTES);
  return r;
}

function winsizeSet(tty: Tty, argVa: u64): i64 {
  const copy = scratchPush(WINSIZE_BYTES);
  const r = userCopyIn(copy, argVa, WINSIZE_BYTES);
  if (r == 0) ttyResize(tty, wordAt16(copy), wordAt16(copy + 2), wordAt16(copy + 4), wordAt16(copy + 6));
  scratchPop(WINSIZE_BYTES);
  return r;
}

/** Stores a new window size and tells the foreground group when it differs (SIGWINCH). */
export function ttyResize(tty: Tty, rows: u32, cols: u32, xpixel: u32, ypixel: u32): void {
  spinLock(ttyLock(tty));
  const isSame = tty.rows == rows && tty.cols == cols && tty.xpixel == xpixel && tty.ypixel == ypixel;
  tty.rows = <u16>rows;
  tty.cols = <u16>cols;
  tty.xpixel = <u16>xpixel;
  tty.ypixel = <u16>ypixel;
  const pgrp = tty.pgrp;
  spinUnlock(ttyLock(tty));
  if (!isSame && pgrp != 0) TTY_SIGNALS.group(pgrp, Signal.WINCH);
}

/** TCSBRK: no break is sent (no line here knows one), but earlier output goes out first, as tcdrain needs. */
function drainForBreak(tty: Tty): i64 {
  const r = ttyCheckBackground(tty, Signal.TTOU);
  return r != 0 ? r : ttyDrain(tty);
}

function flowControl(tty: Tty, action: u32): i64 {
  const r = ttyCheckBackground(tty, Signal.TTOU);
  if (r != 0) return r;
  if (action > <u32>TcFlow.ION) return INVAL;
  spinLock(ttyLock(tty));
  if (action == TcFlow.OOFF) tty.flags |= TtyFlag.STOPPED;
  else if (action == TcFlow.OON) ttyStartLocked(tty);
  spinUnlock(ttyLock(tty));
  return 0;
}

function flushQueues(tty: Tty, which: u32): i64 {
  const r = ttyCheckBackground(tty, Signal.TTOU);
  if (r != 0) return r;
  if (which > <u32>TcQueue.IOFLUSH) return INVAL;
  spinLock(ttyLock(tty));
  if (which != TcQueue.OFLUSH) ldiscFlushInputLocked(tty);
  if (which != TcQueue.IFLUSH) tty.outTail = tty.outHead;
  spinUnlock(ttyLock(tty));
  wakeUpAll(ttyWriteWait(tty));
  return 0;
}

function inputQueued(tty: Tty): u32 {
  const canonical = (ttyTermios(tty).lflag & LocalFlag.ICANON) != 0;
  return canonical ? tty.canonHead - tty.inTail : ttyInUsed(tty);
}

function exclusiveSet(tty: Tty, isOn: bool): i64 {
  spinLock(ttyLock(tty));
  if (isOn) tty.flags |= TtyFlag.EXCLUSIVE;
  else tty.flags &= ~TtyFlag.EXCLUSIVE;
  spinUnlock(ttyLock(tty));
  return 0;
}

function disciplineSet(argVa: u64): i64 {
  const word = scratchPush(8);
  const r = userLoad32(word, argVa);
  const wanted = wordAt32(word);
  scratchPop(8);
  if (r != 0) return FAULT;
  return wanted == 0 ? 0 : INVAL;
}
