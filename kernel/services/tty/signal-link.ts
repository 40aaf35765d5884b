/**
 * The answers of the process services to what terminals ask (signal-hook.ts).
 *
 * Locking  takes processLock (Rank.PROCESS_TREE, above Rank.TTY).
 */
import { SIG_IGN } from "../../abi/signal";
import { currentTask } from "../../core/sched/cpu";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { Process, ProcessState, currentProcess, processOf } from "../process/process";
import { processByPid, processLock, processNextLocked, processPut } from "../process/process-table";
import { signalSendGroup, signalSendProcess } from "../signal/send";
import { sigActionOf, sigHandOf } from "../signal/sig-hand";
import { ttyRelease } from "./job-control";
import { TTY_SIGNALS } from "./signal-hook";

export function signalLinkInit(): void {
  TTY_SIGNALS.group = linkGroup;
  TTY_SIGNALS.isHeld = linkIsHeld;
  TTY_SIGNALS.isOrphaned = linkIsOrphaned;
  TTY_SIGNALS.groupInSession = linkGroupInSession;
  TTY_SIGNALS.forgetSession = linkForgetSession;
  TTY_SIGNALS.sessionLeader = linkSessionLeader;
}

function linkGroup(pgid: u32, signal: u32): void {
  signalSendGroup(pgid, signal); // an empty group is nobody to tell
}

function linkIsHeld(signal: u32): bool {
  if (currentTask().sigMask >> (<u64>signal - 1) & 1) return true;
  return sigActionOf(sigHandOf(currentProcess().sigHand), signal).handler == SIG_IGN;
}

function linkIsOrphaned(pgid: u32): bool {
  spinLock(processLock);
  const is = isOrphanedLocked(pgid);
  spinUnlock(processLock);
  return is;
}

function isOrphanedLocked(pgid: u32): bool {
  let process = processNextLocked(1);
  while (process) {
    if (process.pgid == pgid && process.parent != 0 && holdsGroup(process)) return false;
    process = processNextLocked(process.pid + 1);
  }
  return true;
}

/** True when the parent of a live member is in the same session but another group: somebody can continue it. */
function holdsGroup(member: Process): bool {
  const parent = processOf(member.parent);
  return member.state < <u32>ProcessState.ZOMBIE && parent.pid != 1 && parent.pgid != member.pgid && parent.sid == member.sid;
}

function linkGroupInSession(pgid: u32, sid: u32): bool {
  spinLock(processLock);
  const found = groupInSessionLocked(pgid, sid);
  spinUnlock(processLock);
  return found;
}

function groupInSessionLocked(pgid: u32, sid: u32): bool {
  let process = processNextLocked(1);
  while (process) {
    if (process.pgid == pgid && process.sid == sid) return true;
    process = processNextLocked(process.pid + 1);
  }
  return false;
}

function linkForgetSession(sid: u32): void {
  spinLock(processLock);
  let process = processNextLocked(1);
  while (process) {
    if (process.sid == sid) ttyRelease(process);
    process = processNextLocked(process.pid + 1);
  }
  spinUnlock(processLock);
}

function linkSessionLeader(sid: u32, signal: u32): void {
  const leader = processByPid(sid);
  if (!leader) return;
  signalSendProcess(leader, signal, 0); // kernel signals of this kind need no queue entry
  processPut(leader);
}
