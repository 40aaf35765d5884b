/**
 * Out of memory: the process that uses most of it dies, so that the others need not.
 *
 * What it uses: its resident set, and what its open files keep in memory (vfs/file-memory.ts). Files in memory that have a name, and shared
 * memory that nobody touches, are nobody's: core/mm/shmem.ts bounds them.
 *
 * Locking  processLock, then the lock of one descriptor table at a time.
 */
import { Signal } from "../../abi/signal";
import { mmOf, mmRssPages } from "../../core/mm/address-space";
import { MmFlag } from "../../core/mm/mm-struct";
import { LogLevel, logBegin, logCString, logEnd, logKeyDec, logStr } from "../../lib/log";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { Task, taskOf } from "../../core/sched/task";
import { signalSendProcessLocked } from "../signal/send";
import { fdTableOf } from "../vfs/fd-table";
import { filesMemoryPages } from "../vfs/file-memory";
import { Process, ProcessState } from "./process";
import { processAfterLocked, processLock } from "./process-table";

/** Never chosen, as /proc/PID/oom_score_adj says. */
const OOM_SCORE_ADJ_MIN: i32 = -1000;
const COMM_BYTES: u32 = 16;

/** What the log says of who was killed. */
@final @unmanaged
class OomReport {
  pid: u32;
  pad: u32;
  pages: u64; // resident
  files: u64; // pages that open files keep
  comm0: u64;
  comm1: u64;
}
const REPORT = changetype<OomReport>(memory.data(offsetof<OomReport>(), 8)); // core/mm/oom.ts kills one at a time

/** Kills the largest process; 0 when there is nobody to kill. */
export function oomKill(): u32 {
  spinLock(processLock);
  const victim = victimFindLocked();
  const pid = victim ? victim.pid : 0;
  if (victim) {
    reportNoteLocked(victim);
    mmOf(victim.mm).flags |= MmFlag.OOM_VICTIM;
    signalSendProcessLocked(victim, Signal.KILL, 0);
  }
  spinUnlock(processLock);
  if (pid != 0) report();
  return pid;
}

function reportNoteLocked(victim: Process): void {
  REPORT.pid = victim.pid;
  REPORT.pages = mmRssPages(mmOf(victim.mm));
  REPORT.files = filePages(victim);
  const leader: Task = taskOf(victim.leader);
  REPORT.comm0 = victim.leader != 0 ? leader.comm0 : 0;
  REPORT.comm1 = victim.leader != 0 ? leader.comm1 : 0;
}

function filePages(process: Process): u64 {
  return process.files != 0 ? filesMemoryPages(fdTableOf(process.files)) : 0;
}

function victimFindLocked(): Process | null {
  let best: Process | null = null;
  let bestPages: u64 = 0;
  for (let process = processAfterLocked(null); process; process = processAfterLocked(process)) {
    if (process.pid == 1 || process.mm == 0 || process.liveThreads == 0) continue;
    if (process.state >= <u32>ProcessState.ZOMBIE || process.oomScoreAdj <= OOM_SCORE_ADJ_MIN) continue;
    if (mmOf(process.mm).flags & MmFlag.OOM_VICTIM) continue; // it is dying already
    const pages = mmRssPages(mmOf(process.mm)) + filePages(process);
    if (best && pages <= bestPages) continue;
    best = process;
    bestPages = pages;
  }
  return best;
}

function report(): void {
  logBegin(LogLevel.ERR, "oom");
  logStr("out of memory: killed ");
  logCString(changetype<usize>(REPORT) + offsetof<OomReport>("comm0"), COMM_BYTES);
  logKeyDec("pid", REPORT.pid);
  logKeyDec("rssKiB", REPORT.pages << 2);
  logKeyDec("filesKiB", REPORT.files << 2);
  logEnd();
}
