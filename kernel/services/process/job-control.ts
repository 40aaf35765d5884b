/**
 * Process groups and sessions: setpgid, setsid and what becomes of groups whose session leader or last parent is gone.
 *
 * Invariants  G1  a number that names a group or session is held (tidHold) once by each member.
 * Locking     processLock.
 * Spec        POSIX.1-2017, XBD 3.290-3.296, XSH setpgid, setsid, _exit ("orphaned process group").
 */
import { Errno } from "../../abi/errno";
import { Signal } from "../../abi/signal";
import { tidDrop, tidHold } from "../../core/sched/tid";
import { listSame } from "../../lib/list";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { signalSendGroupLocked } from "../signal/send";
import { currentProcess, Process, processOf, ProcessState } from "./process";
import { childHeadOf, fromSiblingNode, processAfterLocked, processFindLocked, processLock } from "./process-table";

/** Moves `process` to a group; the number is taken by somebody already. Locking: processLock. */
export function processGroupSetLocked(process: Process, pgid: u32): void {
  if (process.pgid == pgid) return;
  tidHold(pgid);
  if (process.pgid != 0) tidDrop(process.pgid);
  process.pgid = pgid;
}

/** Moves `process` to a session. Locking: processLock. */
export function processSessionSetLocked(process: Process, sid: u32): void {
  if (process.sid == sid) return;
  tidHold(sid);
  if (process.sid != 0) tidDrop(process.sid);
  process.sid = sid;
}

/** Gives both numbers back when the process is reaped. Locking: processLock. */
export function processGroupsLeaveLocked(process: Process): void {
  if (process.pgid != 0) tidDrop(process.pgid);
  if (process.sid != 0) tidDrop(process.sid);
  process.pgid = 0;
  process.sid = 0;
}

/** Some live member of group `pgid` within session `sid`, or null. Locking: processLock. */
function groupMemberLocked(pgid: u32, sid: u32): Process | null {
  for (let process = processAfterLocked(null); process; process = processAfterLocked(process)) {
    if (process.pgid == pgid && process.sid == sid) return process;
  }
  return null;
}

/** True when no member has a parent in another group of the same session: nobody there could continue it. */
export function processIsOrphanedGroup(pgid: u32): bool {
  spinLock(processLock);
  const isOrphaned = groupIsOrphanedWithout(pgid, 0);
  spinUnlock(processLock);
  return isOrphaned;
}

function groupHasStoppedLocked(pgid: u32): bool {
  for (let process = processAfterLocked(null); process; process = processAfterLocked(process)) {
    if (process.pgid == pgid && process.state == <u32>ProcessState.STOPPED) return true;
  }
  return false;
}

/** `process` exits: its own group, and those of its children, may lose their last link; stopped ones are hung up. */
export function jobControlExitLocked(process: Process): void {
  const parent = process.parent;
  if (parent != 0 && processOf(parent).pgid != process.pgid && processOf(parent).sid == process.sid) {
    hangUpIfOrphaned(process.pgid, process);
  }
  const head = childHeadOf(process);
  for (let node = head.next; !listSame(node, head); node = node.next) {
    const child = fromSiblingNode(node);
    if (child.sid == process.sid && child.pgid != process.pgid) hangUpIfOrphaned(child.pgid, process);
  }
}

/** `leaving` no longer counts, neither as a member nor as a parent. */
function hangUpIfOrphaned(pgid: u32, leaving: Process): void {
  if (!groupHasStoppedLocked(pgid) || !groupIsOrphanedWithout(pgid, <u32>changetype<usize>(leaving))) return;
  signalSendGroupLocked(pgid, Signal.HUP, 0);
  signalSendGroupLocked(pgid, Signal.CONT, 0);
}

/** The test of processIsOrphanedGroup; process `leaving` (an address, 0 for none) counts neither as member nor as parent. */
function groupIsOrphanedWithout(pgid: u32, leaving: u32): bool {
  for (let process = processAfterLocked(null); process; process = processAfterLocked(process)) {
    if (process.pgid != pgid || process.state >= <u32>ProcessState.ZOMBIE) continue;
    if (<u32>changetype<usize>(process) == leaving || process.parent == 0 || process.parent == leaving) continue;
    const parent = processOf(process.parent);
    if (parent.pid != 1 && parent.pgid != pgid && parent.sid == process.sid) return false;
  }
  return true;
}

export function sysSetpgid(pid: i32, pgid: i32): i64 {
  if (pgid < 0 || pid < 0) return -Errno.INVAL;
  spinLock(processLock);
  const result = setpgidLocked(currentProcess(), <u32>pid, <u32>pgid);
  spinUnlock(processLock);
  return result;
}

function setpgidLocked(self: Process, pid: u32, pgid: u32): i64 {
  const target = pid == 0 ? self : processFindLocked(pid);
  if (!target) return -Errno.SRCH;
  if (target != self) {
    if (target.parent != <u32>changetype<usize>(self)) return -Errno.SRCH;
    if (target.sid != self.sid) return -Errno.PERM;
    if (target.hasExeced) return -Errno.ACCES;
  }
  if (target.sid == target.pid) return -Errno.PERM; // a session leader stays
  const group = pgid == 0 ? target.pid : pgid;
  if (group != target.pid && !groupMemberLocked(group, self.sid)) return -Errno.PERM;
  processGroupSetLocked(target, group);
  return 0;
}

/** The process, or the caller for 0; null when there is none. Locking: processLock. */
function processOrSelf(pid: i32): Process | null {
  return pid == 0 ? currentProcess() : processFindLocked(<u32>pid);
}

export function sysGetpgid(pid: i32): i64 {
  spinLock(processLock);
  const process = processOrSelf(pid);
  const result: i64 = process ? <i64>process.pgid : -Errno.SRCH;
  spinUnlock(processLock);
  return result;
}

export function sysGetsid(pid: i32): i64 {
  spinLock(processLock);
  const process = processOrSelf(pid);
  const result: i64 = process ? <i64>process.sid : -Errno.SRCH;
  spinUnlock(processLock);
  return result;
}

export function sysGetpgrp(): i64 {
  return <i64>currentProcess().pgid;
}

/** A new session and group without controlling terminal. */
export function sysSetsid(): i64 {
  const self = currentProcess();
  spinLock(processLock);
  let result: i64 = -Errno.PERM;
  if (self.sid != self.pid && !groupExistsLocked(self.pid)) {
    processSessionSetLocked(self, self.pid);
    processGroupSetLocked(self, self.pid);
    self.ctty = 0;
    result = <i64>self.pid;
  }
  spinUnlock(processLock);
  return result;
}

function groupExistsLocked(pgid: u32): bool {
  for (let process = processAfterLocked(null); process; process = processAfterLocked(process)) {
    if (process.pgid == pgid) return true;
  }
  return false;
}
