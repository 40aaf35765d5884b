/**
 * Job control: controlling terminals, foreground groups, background access.
 *
 * Invariants  J1  a terminal controls at most one session, and a session has at most one terminal.
 *             J2  Process.ctty != 0 only in members of the session that the terminal controls; it is no reference: a
 *                 terminal that goes away (ttyHangup) is forgotten by its session first.
 * Locking     Tty.lock guards sid and pgrp. Process.ctty is set by the session leader itself, copied by fork and
 *             cleared under processLock (forgetSession).
 * Spec        POSIX.1-2017 11.1.3, 11.1.4; Linux tty_jobctrl.c.
 */
import { Errno } from "../../abi/errno";
import { Signal } from "../../abi/signal";
import { wakeUpAll } from "../../core/sync/wait-queue";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { Process, currentProcess } from "../process/process";
import { TTY_SIGNALS } from "./signal-hook";
import { Tty, TtyFlag, ttyLock, ttyMasterWait, ttyOf, ttyReadWait, ttyWriteWait } from "./tty";

/** May the running process go on using its terminal? 0, -EIO or -ERESTARTSYS after signalling its own group. */
export function ttyCheckBackground(tty: Tty, signal: u32): i32 {
  const process = currentProcess();
  if (process.ctty != <u32>changetype<usize>(tty) || tty.pgrp == 0 || process.pgid == tty.pgrp) return 0;
  if (TTY_SIGNALS.isHeld(signal)) return signal == Signal.TTIN ? -(<i32>Errno.IO) : 0;
  if (TTY_SIGNALS.isOrphaned(process.pgid)) return -(<i32>Errno.IO);
  TTY_SIGNALS.group(process.pgid, signal);
  return -(<i32>Errno.RESTARTSYS);
}

/** Makes `tty` the controlling terminal of the running session leader if both are free (open without O_NOCTTY). */
export function ttyAdoptOnOpen(tty: Tty): void {
  const process = currentProcess();
  if (process.sid != process.pid || process.ctty != 0) return;
  spinLock(ttyLock(tty));
  if (tty.sid == 0 && !(tty.flags & TtyFlag.HUNG_UP)) adoptLocked(tty, process);
  spinUnlock(ttyLock(tty));
}

function adoptLocked(tty: Tty, process: Process): void {
  tty.sid = process.sid;
  tty.pgrp = process.pgid;
  process.ctty = <u32>changetype<usize>(tty);
}

/** TIOCSCTTY: `steal` (by root) takes the terminal from another session. */
export function ttySetControlling(tty: Tty, steal: bool, isRoot: bool): i32 {
  const process = currentProcess();
  if (process.sid != process.pid) return -(<i32>Errno.PERM);
  if (process.ctty == <u32>changetype<usize>(tty) && tty.sid == process.sid) return 0;
  if (process.ctty != 0) return -(<i32>Errno.PERM);
  if (tty.sid != 0) {
    if (!steal || !isRoot) return -(<i32>Errno.PERM);
    TTY_SIGNALS.forgetSession(tty.sid);
  }
  spinLock(ttyLock(tty));
  adoptLocked(tty, process);
  spinUnlock(ttyLock(tty));
  return 0;
}

/** TIOCNOTTY, and the exit of a session leader: the session loses its terminal. */
export function ttyDisassociate(process: Process): void {
  const tty = ttyOf(process.ctty);
  if (process.ctty == 0) return;
  if (process.sid != process.pid) {
    process.ctty = 0;
    return;
  }
  const pgrp = tty.pgrp;
  if (pgrp != 0) {
    TTY_SIGNALS.group(pgrp, Signal.HUP);
    TTY_SIGNALS.group(pgrp, Signal.CONT);
  }
  spinLock(ttyLock(tty));
  tty.sid = 0;
  tty.pgrp = 0;
  spinUnlock(ttyLock(tty));
  TTY_SIGNALS.forgetSession(process.sid);
}

/** TIOCSPGRP. */
export function ttySetForeground(tty: Tty, pgid: u32): i32 {
  const process = currentProcess();
  const r = ttyCheckBackground(tty, Signal.TTOU);
  if (r != 0) return r;
  if (process.ctty != <u32>changetype<usize>(tty) || tty.sid != process.sid) return -(<i32>Errno.NOTTY);
  if (<i32>pgid <= 0) return -(<i32>Errno.INVAL);
  if (!TTY_SIGNALS.groupInSession(pgid, process.sid)) return -(<i32>Errno.PERM);
  spinLock(ttyLock(tty));
  tty.pgrp = pgid;
  spinUnlock(ttyLock(tty));
  return 0;
}

/** The line is gone (pty master closed, vhangup): readers see end of file, writers EIO, the session gets SIGHUP. */
export function ttyHangup(tty: Tty): void {
  spinLock(ttyLock(tty));
  tty.flags |= TtyFlag.HUNG_UP;
  const sid = tty.sid;
  const pgrp = tty.pgrp;
  tty.sid = 0;
  tty.pgrp = 0;
  spinUnlock(ttyLock(tty));
  wakeUpAll(ttyReadWait(tty));
  wakeUpAll(ttyWriteWait(tty));
  wakeUpAll(ttyMasterWait(tty));
  if (sid == 0) return;
  TTY_SIGNALS.sessionLeader(sid, Signal.HUP);
  TTY_SIGNALS.sessionLeader(sid, Signal.CONT);
  if (pgrp != 0) TTY_SIGNALS.group(pgrp, Signal.HUP);
  TTY_SIGNALS.forgetSession(sid);
}
