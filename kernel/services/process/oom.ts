/**
 * Out of memory: the process that uses most of it dies, so that the others need not.
 *
 * Locking  processLock.
 */
import { Signal } from "../../abi/signal";
import { mmOf, mmRssPages } from "../../core/mm/address-space";
import { MmFlag } from "../../core/mm/mm-struct";
import { LogLevel, logBegin, logCString, logEnd, logKeyDec, logStr } from "../../lib/log";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { Task, taskOf } from "../../core/sched/task";
import { signalSendProcessLocked } from "../signal/send";
import { Process, ProcessState } from "./process";
import { processAfterLocked, processLock } from "./process-table";

/** Never chosen, as /proc/PID/oom_score_adj says. */
const OOM_SCORE_ADJ_MIN: i32 = -1000;

/** Kills the largest process; 0 when there is nobody to kill. */
export function oomKill(): u32 {
  spinLock(processLock);
  const victim = victimFindLocked();
  let pid: u32 = 0;
  let pages: u64 = 0;
  let comm0: u64 = 0;
  let comm1: u64 = 0;
  if (victim) {
    pid = victim.pid;
    pages = mmRssPages(mmOf(victim.mm));
    const leader: Task = taskOf(victim.leader);
    if (victim.leader != 0) {
      comm0 = leader.comm0;
      comm1 = leader.comm1;
    }
    mmOf(victim.mm).flags |= MmFlag.OOM_VICTIM;
    signalSendProcessLocked(victim, Signal.KILL, 0);
  }
  spinUnlock(processLock);
  if (pid != 0) report(pid, pages, comm0, comm1);
  return pid;
}

function victimFindLocked(): Process | null {
  let best: Process | null = null;
  let bestPages: u64 = 0;
  for (let process = processAfterLocked(null); process; process = processAfterLocked(process)) {
    if (process.pid == 1 || process.mm == 0 || process.liveThreads == 0) continue;
    if (process.state >= <u32>ProcessState.ZOMBIE || process.oomScoreAdj <= OOM_SCORE_ADJ_MIN) continue;
    if (mmOf(process.mm).flags & MmFlag.OOM_VICTIM) continue; // it is dying already
    const pages = mmRssPages(mmOf(process.mm));
    if (best && pages <= bestPages) continue;
    best = process;
    bestPages = pages;
  }
  return best;
}

function report(pid: u32, pages: u64, comm0: u64, comm1: u64): void {
  const name = memory.data(16, 8);
  store<u64>(name, comm0);
  store<u64>(name, comm1, 8);
  logBegin(LogLevel.ERR, "oom");
  logStr("out of memory: killed ");
  logCString(name, 16);
  logKeyDec("pid", pid);
  logKeyDec("rssKiB", pages << 2);
  logEnd();
}
