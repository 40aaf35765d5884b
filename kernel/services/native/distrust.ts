/**
 * A server that broke its protocol, or owes an answer for too long, is ended as a fault of its own would end it: the supervisor hears
 * of its death, the next one takes over, and callers wait meanwhile. The kernel decides nothing but that.
 */
import { Signal } from "../../abi/signal";
import { Task, taskOf } from "../../core/sched/task";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { bytesCopy, bytesFill } from "../../lib/bytes";
import { LogLevel, logBegin, logCString, logDec, logEnd, logStr } from "../../lib/log";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { distrustNote } from "../process/crash";
import { Process } from "../process/process";
import { processLock } from "../process/process-table";
import { signalSendProcess } from "../signal/send";

const COMM_BYTES: u32 = 16;

/** Kills the server and says why; one that is ending already is left in peace. */
export function serverDistrust(process: Process, why: string): void {
  if (process.isGroupExiting != 0 || process.liveThreads == 0) return;
  serverLogBegin(LogLevel.WARN, "server", "", process);
  logStr(why);
  logStr(": killed");
  logEnd();
  distrustNote(process);
  signalSendProcess(process, Signal.KILL, 0);
}

/** Begins a line about a server: `before`, its name, its pid. */
export function serverLogBegin(level: u32, subsystem: string, before: string, process: Process): void {
  const name = scratchPush(COMM_BYTES);
  bytesFill(name, 0, COMM_BYTES);
  spinLock(processLock);
  const from = process.leader != 0
    ? changetype<usize>(taskOf(process.leader)) + offsetof<Task>("comm0")
    : changetype<usize>(process) + offsetof<Process>("comm0"); // a zombie's
  bytesCopy(name, from, COMM_BYTES);
  spinUnlock(processLock);
  logBegin(level, subsystem);
  logStr(before);
  logCString(name, COMM_BYTES);
  scratchPop(COMM_BYTES);
  logStr(" (pid ");
  logDec(process.pid);
  logStr(") ");
}
