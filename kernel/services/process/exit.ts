/**
 * The end of threads and processes.
 *
 *   thread:  user memory (clear-tid, robust futexes) -> off the thread list -> last one? -> leave the stack
 *   last:    timers, files, memory -> children to init -> zombie, parent told -> reaped by wait.ts
 *
 * Invariants  X1  a thread leaves the address space before liveThreads falls: the last one may free it.
 *             X2  a zombie owns nothing but its Process, credentials, signal table and numbers.
 * Locking     processLock for the tree; the resources are put with no lock held.
 */
import { userStore32 } from "../../../arch/current";
import { CLD_EXITED, CLD_KILLED, SIG_IGN, SigInfo, Signal } from "../../abi/signal";
import { mmOf, mmPeakPages, mmPut, mmSwitch } from "../../core/mm/address-space";
import { kfree } from "../../core/mm/slab";
import { currentTask } from "../../core/sched/cpu";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { taskExitSwitch } from "../../core/sched/sched";
import { Task, TaskFlag, taskOf, WakeReason } from "../../core/sched/task";
import { taskGet, taskPut, taskReleaseHookSet } from "../../core/sched/task-table";
import { tidDrop } from "../../core/sched/tid";
import { wakeUpAll } from "../../core/sync/wait-queue";
import { listAppend, listEmpty, listNodeAt, listRemove, listSame } from "../../lib/list";
import { panic } from "../../lib/panic";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { STOP_HOOKS } from "../signal/group-stop";
import { signalSendProcessLocked, taskInterrupt, threadOf } from "../signal/send";
import { sigActionOf, sigDiscardLocked, sigHandOf, sigHandPut } from "../signal/sig-hand";
import { fdTableOf, fdTablePut } from "../vfs/fd-table";
import { filePut } from "../vfs/file";
import { fsContextOf, fsContextPut } from "../vfs/fs-context";
import { pathBufferFree } from "../vfs/path-buffer";
import { fileOf } from "../vfs/types";
import { credOf } from "./process";
import { credPut } from "./cred";
import { jobControlExitLocked, processGroupsLeaveLocked } from "./job-control";
import { Process, processOf, ProcessState, taskProcess } from "./process";
import {
  childHeadOf, fromSiblingNode, processAfterLocked, processGet, processLock, processPut, processReleaseHookSet,
  processTableRemoveLocked, siblingNodeOf, threadHeadOf,
} from "./process-table";
import { objectAt, objectPut } from "../../core/cap/object";
import { capSpaceAt, capSpaceClose, capSpacePut } from "../../core/cap/space";
import { ipcThreadExit } from "../../core/ipc/receive";
import { notificationAt, notificationSignal } from "../../core/ipc/notification";
import { cpuTimeOfTask, processSystemNs, processUserNs } from "./rusage";
import { childWaitOf } from "./child-wait";

const NO_CLD_WAIT: u64 = 2; // SA_NOCLDWAIT
const ALL_SIGNALS: u64 = ~0;

/** What other services undo when a process ends (called in its context, no lock held). */
@final @unmanaged
export class ExitHooks {
  posixTimers: (process: Process) => void; // timers of timer_create, setitimer
  robustList: (task: Task) => void;        // wakes waiters of robust futexes
  clearTid: (va: u64) => void;             // wakes one futex waiter (CLONE_CHILD_CLEARTID)
  sessionLeader: (process: Process) => void; // hangs up the controlling terminal
}
export const EXIT_HOOKS = changetype<ExitHooks>(memory.data(offsetof<ExitHooks>()));

function noProcessHook(process: Process): void {}
function noTaskHook(task: Task): void {}
function noAddressHook(va: u64): void {}

export function exitInit(): void {
  EXIT_HOOKS.posixTimers = noProcessHook;
  EXIT_HOOKS.robustList = noTaskHook;
  EXIT_HOOKS.clearTid = noAddressHook;
  EXIT_HOOKS.sessionLeader = noProcessHook;
  processReleaseHookSet(processReleased);
  taskReleaseHookSet(taskReleased);
}

/** Ends every thread of the running process with wait status `status`; never returns. */
export function processExit(status: u32): void {
  const task = currentTask();
  const process = taskProcess(task);
  spinLock(processLock);
  if (process.isGroupExiting == 0) processKillThreadsLocked(process, status);
  spinUnlock(processLock);
  threadExit(status);
}

/** Makes every other thread of the process end. Locking: processLock. */
export function processKillThreadsLocked(process: Process, status: u32): void {
  process.groupExitCode = status;
  atomic.store<u32>(changetype<usize>(process), 1, offsetof<Process>("isGroupExiting"));
  const head = threadHeadOf(process);
  for (let node = head.next; !listSame(node, head); node = node.next) taskInterrupt(threadOf(node), WakeReason.KILL);
}

/** Ends the running thread; never returns. `status` is the process's wait status when it is the last one. */
export function threadExit(status: u32): void {
  const task = currentTask();
  const process = taskProcess(task);
  task.flags |= TaskFlag.EXITING;
  userStateLeave(task, process);
  ipcThreadExit();
  const mm = process.mm;
  task.mm = 0;
  mmSwitch(null); // X1

  spinLock(processLock);
  const isLast = threadRemoveLocked(process, task);
  if (isLast) process.exitStatus = process.isGroupExiting ? process.groupExitCode : status;
  spinUnlock(processLock);
  if (isLast) processTeardown(process, mm);
  taskExitSwitch();
}

/** What the kernel promised to do in the thread's memory when it ends. */
function userStateLeave(task: Task, process: Process): void {
  if (process.mm == 0) return;
  if (task.robustListVa != 0) EXIT_HOOKS.robustList(task);
  if (task.clearTidVa == 0) return;
  if (process.liveThreads > 1 || process.vforkDone != 0 || atomic.load<u32>(process.mm) > 1) {
    if (userStore32(task.clearTidVa, 0) == 0) EXIT_HOOKS.clearTid(task.clearTidVa);
  }
  task.clearTidVa = 0;
}

/** Takes the thread off its process: true when none is left. */
function threadRemoveLocked(process: Process, task: Task): bool {
  listRemove(listNodeAt(changetype<usize>(task) + offsetof<Task>("groupNode")));
  cpuTimeOfTask(process, task);
  process.minorFaults += task.minorFaults;
  if (process.leader == <u32>changetype<usize>(task)) {
    process.comm0 = task.comm0;
    process.comm1 = task.comm1;
    taskGet(task); // its record stands for the process as long as other threads live
  }
  process.threadCount--;
  process.liveThreads--;
  if (process.liveThreads == 0 && process.leader != 0) {
    taskPut(taskOf(process.leader));
    process.leader = 0;
  }
  if (process.execWaiter != 0) wakeUpAll(childWaitOf(process));
  const isStopComplete = process.stopSignal != 0 && process.liveThreads != 0 &&
    process.stoppedThreads == process.liveThreads && process.state == <u32>ProcessState.RUNNING;
  if (isStopComplete) {
    process.state = ProcessState.STOPPED;
    STOP_HOOKS.stopped(process);
  }
  return process.liveThreads == 0;
}

function processTeardown(process: Process, mm: u32): void {
  if (process.pid == 1) panic("process 1 ended");
  EXIT_HOOKS.posixTimers(process);
  processResourcesPut(process, mm);
  if (process.sid == process.pid) EXIT_HOOKS.sessionLeader(process);

  spinLock(processLock);
  jobControlExitLocked(process);
  childrenReparentLocked(process);
  process.state = ProcessState.ZOMBIE;
  const isReaped = exitNotifyLocked(process);
  if (isReaped) processReapLocked(process);
  const watch = process.watch;
  process.watch = 0;
  spinUnlock(processLock);
  if (watch != 0) watchSignal(watch, process.watchBits);
  if (isReaped) processPut(process);
}

/** Who watches the process hears of its end. */
function watchSignal(watch: u32, bits: u64): void {
  notificationSignal(notificationAt(watch), bits);
  objectPut(objectAt(watch));
}

/** Files, directories, memory, capabilities (X2). procfs takes its references under processLock: clear there, drop afterwards. */
function processResourcesPut(process: Process, mm: u32): void {
  spinLock(processLock);
  const files = process.files;
  const fs = process.fs;
  const exeFile = process.exeFile;
  const caps = process.caps;
  process.caps = 0;
  process.mm = 0;
  process.files = 0;
  process.fs = 0;
  process.exeFile = 0;
  spinUnlock(processLock);
  if (mm != 0) {
    process.maxRssPages = max<u64>(process.maxRssPages, mmPeakPages(mmOf(mm)));
    mmPut(mmOf(mm));
  }
  vforkRelease(process);
  if (caps != 0) {
    capSpaceClose(capSpaceAt(caps));
    capSpacePut(capSpaceAt(caps));
  }
  if (files != 0) fdTablePut(fdTableOf(files));
  if (fs != 0) fsContextPut(fsContextOf(fs));
  if (exeFile != 0) filePut(fileOf(exeFile));
}

/** The memory that a vfork parent lent is no longer in use: the parent may go on. */
export function vforkRelease(process: Process): void {
  if (process.vforkDone == 0) return;
  spinLock(processLock);
  process.vforkDone = 0;
  if (process.parent != 0) wakeUpAll(childWaitOf(processOf(process.parent)));
  spinUnlock(processLock);
}

/** The nearest ancestor that is a subreaper, else init. */
function reaperOf(process: Process): Process {
  let ancestor = process.parent;
  while (ancestor != 0) {
    const candidate = processOf(ancestor);
    if (candidate.pid == 1 || (candidate.subreaper != 0 && candidate.liveThreads != 0)) return candidate;
    ancestor = candidate.parent;
  }
  return changetype<Process>(0);
}

function childrenReparentLocked(process: Process): void {
  const head = childHeadOf(process);
  if (listEmpty(head)) return;
  const reaper = reaperOf(process);
  assert(changetype<usize>(reaper) != 0); // process 1 cannot end: processTeardown panics
  while (!listEmpty(head)) {
    const child = fromSiblingNode(head.next);
    listRemove(siblingNodeOf(child));
    listAppend(childHeadOf(reaper), siblingNodeOf(child));
    child.parent = <u32>changetype<usize>(reaper);
    child.exitSignal = Signal.CHLD;
    if (child.deathSignal != 0) signalSendProcessLocked(child, child.deathSignal, 0);
    if (child.state != <u32>ProcessState.ZOMBIE) continue;
    if (exitNotifyLocked(child)) {
      processReapLocked(child);
      processPut(child);
    }
  }
}

/** Tells the parent about a zombie: true when it does not want to know and the zombie goes at once. */
function exitNotifyLocked(process: Process): bool {
  if (process.parent == 0) return false;
  const parent = processOf(process.parent);
  const hand = sigHandOf(parent.sigHand);
  const action = sigActionOf(hand, Signal.CHLD);
  const isUnwanted = process.exitSignal == Signal.CHLD &&
    (action.handler == SIG_IGN || (action.flags & NO_CLD_WAIT) != 0);
  if (process.exitSignal != 0 && action.handler != SIG_IGN) {
    const isKilled = (process.exitStatus & 0x7f) != 0;
    const status = isKilled ? process.exitStatus & 0x7f : (process.exitStatus >> 8) & 0xff;
    childSignalLocked(process, process.exitSignal, isKilled ? CLD_KILLED : CLD_EXITED, status);
  }
  wakeUpAll(childWaitOf(parent));
  return isUnwanted;
}

/** SIGCHLD (or what clone asked for) to the parent of `process`. Locking: processLock. */
export function childSignalLocked(process: Process, sig: u32, code: i32, status: u32): void {
  const ptr = scratchPush(offsetof<SigInfo>());
  const info = changetype<SigInfo>(ptr); // SAFETY: scratch of that size
  info.signo = sig;
  info.errno = 0;
  info.code = code;
  info.pad = 0;
  info.field0 = <u64>process.pid | (<u64>credOf(process.creds).uid << 32);
  info.field1 = status;
  info.field2 = processUserNs(process) / 10_000_000; // clock ticks of 10 ms
  info.field3 = processSystemNs(process) / 10_000_000;
  signalSendProcessLocked(processOf(process.parent), sig, ptr);
  scratchPop(offsetof<SigInfo>());
}

/** Takes a zombie out of the tree and the table; the caller then drops the table's reference. Locking: processLock. */
export function processReapLocked(process: Process): void {
  process.state = ProcessState.REAPED;
  listRemove(siblingNodeOf(process));
  processTableRemoveLocked(process);
  processGroupsLeaveLocked(process);
  tidDrop(process.pid);
}

/** The last reference to a process is gone. */
function processReleased(process: Process): void {
  if (process.sigHand != 0) {
    sigDiscardLocked(
      changetype<usize>(process) + offsetof<Process>("sigPendingShared"),
      changetype<usize>(process) + offsetof<Process>("sigQueueShared"), ALL_SIGNALS);
    sigHandPut(process.sigHand);
  }
  if (process.creds != 0) credPut(process.creds);
  if (process.crash != 0) kfree(process.crash);
}

/** The last reference to a task is gone. */
function taskReleased(task: Task): void {
  sigDiscardLocked(
    changetype<usize>(task) + offsetof<Task>("sigPending"), changetype<usize>(task) + offsetof<Task>("sigQueue"),
    ALL_SIGNALS);
  pathBufferFree(task.pathBuffer);
  if (task.process != 0) processPut(processOf(task.process));
}

export function sysExit(status: i32): void {
  threadExit((<u32>status & 0xff) << 8);
}

export function sysExitGroup(status: i32): void {
  processExit((<u32>status & 0xff) << 8);
}
