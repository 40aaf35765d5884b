/**
 * The answers of the process services to what terminals ask (signal-hook.ts).
 *
 * Locking  takes processLock (Rank.PROCESS_TREE, above Rank.TTY).
 */
import { currentTask } from "../../core/sched/cpu";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { EXIT_HOOKS } from "../process/exit";
import { processIsOrphanedGroup } from "../process/job-control";
import { processByPid, processLock, processNextLocked, processPut } from "../process/process-table";
import { signalIsIgnoredOrBlocked, signalSendGroup, signalSendProcess } from "../signal/send";
import { ttyDisassociate } from "./job-control";
import { TTY_SIGNALS } from "./signal-hook";

/** After exitInit. */
export function signalLinkInit(): void {
  EXIT_HOOKS.sessionLeader = ttyDisassociate;
  TTY_SIGNALS.group = linkGroup;
  TTY_SIGNALS.isHeld = linkIsHeld;
  TTY_SIGNALS.isOrphaned = processIsOrphanedGroup;
  TTY_SIGNALS.groupInSession = linkGroupInSession;
  TTY_SIGNALS.forgetSession = linkForgetSession;
  TTY_SIGNALS.sessionLeader = linkSessionLeader;
}

function linkGroup(pgid: u32, signal: u32): void {
  signalSendGroup(pgid, signal); // an empty group is nobody to tell
}

function linkIsHeld(signal: u32): bool {
  return signalIsIgnoredOrBlocked(currentTask(), signal);
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
    if (process.sid == sid) process.ctty = 0;
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
