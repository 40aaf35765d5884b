/**
 * Waiting for children: wait4, waitid, and telling parents about stops and continues.
 *
 * Invariants  W1  a zombie is reaped by exactly one waiter: state becomes REAPED under processLock.
 * Locking     processLock; the waiter sleeps on its process's childWait with it.
 * Spec        POSIX.1-2017 wait(), waitid(); wait4(2) for the flags of Linux.
 */
import { userCopyOut, userStore32 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { CLD_CONTINUED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, SIGINFO_BYTES, SIG_IGN, Signal } from "../../abi/signal";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { wakeUpAll, waitSleep } from "../../core/sync/wait-queue";
import { listSame } from "../../lib/list";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { DELIVER_HOOKS } from "../signal/deliver";
import { STOP_HOOKS } from "../signal/group-stop";
import { SIGNAL_HOOKS } from "../signal/send";
import { sigActionOf, sigHandOf } from "../signal/sig-hand";
import { childWaitOf } from "./child-wait";
import { childSignalLocked, processReapLocked } from "./exit";
import { credOf, currentProcess, Process, processOf, ProcessState } from "./process";
import { childHeadOf, fromSiblingNode, processLock, processPut } from "./process-table";
import { Usage, usageOfChildAdd, usageOfWaited, usageOut } from "./rusage";

const WNOHANG: u32 = 1;
const WUNTRACED: u32 = 2; // = WSTOPPED
const WEXITED: u32 = 4;
const WCONTINUED: u32 = 8;
const WNOWAIT: u32 = 0x01000000;
const WNOTHREAD: u32 = 0x20000000;
const WALL: u32 = 0x40000000;
const WCLONE: u32 = 0x80000000;
const WAIT4_OPTIONS: u32 = WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WALL | WCLONE;
const WAITID_OPTIONS: u32 = WNOHANG | WUNTRACED | WEXITED | WCONTINUED | WNOWAIT | WNOTHREAD | WALL | WCLONE;
const SA_NOCLDSTOP: u64 = 1;

/** Bits of Process.waitFlags: news that nobody has waited for. */
const enum WaitNews { STOPPED = 1, CONTINUED = 2 }

const enum IdType { ALL = 0, PID = 1, PGID = 2, PIDFD = 3 }

/** What a waiter asks for and, afterwards, what it got. */
@final @unmanaged
class WaitRequest {
  idType: u32;
  id: u32;
  options: u32;
  pid: u32;      // 0: nothing yet
  uid: u32;
  code: i32;     // CLD_*
  status: u32;   // exit code or signal, as siginfo shows it
  word: u32;     // as wait4 shows it
  usage: u64;    // Usage by value
  usage1: u64;
  usage2: u64;
  usage3: u64;
  usage4: u64;
  usage5: u64;
}

function usageIn(request: WaitRequest): Usage {
  return changetype<Usage>(changetype<usize>(request) + offsetof<WaitRequest>("usage")); // SAFETY: held by value
}

/** The hooks by which signals reach parents; at boot. */
export function waitInit(): void {
  STOP_HOOKS.stopped = childStopped;
  SIGNAL_HOOKS.continued = childContinued;
  DELIVER_HOOKS.continuedReport = childContinuedReport;
}

/** Wait status of a normal end, a death by signal, a stop, a continue. */
export function waitWordExited(code: u32): u32 { return (code & 0xff) << 8; }
export function waitWordStopped(sig: u32): u32 { return (sig << 8) | 0x7f; }
export const WAIT_WORD_CONTINUED: u32 = 0xffff;

/** Locking: processLock. */
function childStopped(child: Process): void {
  child.waitFlags = WaitNews.STOPPED;
  childNews(child, CLD_STOPPED, child.stopSignal);
}

/** Locking: processLock, the child's SigHand.lock (the parent's is another one, or none is taken). */
function childContinued(child: Process): void {
  child.waitFlags = WaitNews.CONTINUED;
  if (child.parent == 0) return;
  wakeUpAll(childWaitOf(processOf(child.parent)));
  child.continuedNotify = 1; // the SIGCHLD follows when the child runs (signal locks do not nest)
}

/** The continued child tells its parent itself, on its way to user mode. */
export function childContinuedReport(child: Process): void {
  spinLock(processLock);
  child.continuedNotify = 0;
  childNews(child, CLD_CONTINUED, Signal.CONT);
  spinUnlock(processLock);
}

function childNews(child: Process, code: i32, status: u32): void {
  if (child.parent == 0) return;
  const parent = processOf(child.parent);
  const action = sigActionOf(sigHandOf(parent.sigHand), Signal.CHLD);
  if (action.handler != SIG_IGN && (action.flags & SA_NOCLDSTOP) == 0) childSignalLocked(child, Signal.CHLD, code, status);
  wakeUpAll(childWaitOf(parent));
}

/** True when the request may be about this child. Locking: processLock. */
function isWanted(request: WaitRequest, child: Process): bool {
  if (request.idType == IdType.PID && child.pid != request.id) return false;
  if (request.idType == IdType.PGID && child.pgid != request.id) return false;
  if (request.options & WALL) return true;
  return ((request.options & WCLONE) != 0) == (child.exitSignal != Signal.CHLD);
}

/** Looks once: 1 when `request` was answered, 0 when a fitting child exists, -ECHILD when none does. */
function waitLookLocked(self: Process, request: WaitRequest): i32 {
  let result: i32 = -Errno.CHILD;
  const head = childHeadOf(self);
  for (let node = head.next; !listSame(node, head); node = node.next) {
    const child = fromSiblingNode(node);
    if (!isWanted(request, child)) continue;
    result = 0;
    if (takeZombie(self, request, child) || takeStop(request, child) || takeContinue(request, child)) return 1;
  }
  return result;
}

function answer(request: WaitRequest, child: Process, code: i32, status: u32, word: u32): void {
  request.pid = child.pid;
  request.uid = credOf(child.creds).uid;
  request.code = code;
  request.status = status;
  request.word = word;
  usageOfWaited(child, usageIn(request));
}

function takeZombie(self: Process, request: WaitRequest, child: Process): bool {
  if (child.state != <u32>ProcessState.ZOMBIE || (request.options & WEXITED) == 0) return false;
  const word = child.exitStatus;
  const sig = word & 0x7f;
  answer(request, child, sig != 0 ? CLD_KILLED : CLD_EXITED, sig != 0 ? sig : (word >> 8) & 0xff, word);
  if (request.options & WNOWAIT) return true;
  usageOfChildAdd(self, usageIn(request));
  processReapLocked(child); // W1
  processPut(child);
  return true;
}

function takeStop(request: WaitRequest, child: Process): bool {
  if ((request.options & WUNTRACED) == 0 || child.waitFlags != WaitNews.STOPPED) return false;
  answer(request, child, CLD_STOPPED, child.stopSignal, waitWordStopped(child.stopSignal));
  if ((request.options & WNOWAIT) == 0) child.waitFlags = 0;
  return true;
}

function takeContinue(request: WaitRequest, child: Process): bool {
  if ((request.options & WCONTINUED) == 0 || child.waitFlags != WaitNews.CONTINUED) return false;
  answer(request, child, CLD_CONTINUED, Signal.CONT, WAIT_WORD_CONTINUED);
  if ((request.options & WNOWAIT) == 0) child.waitFlags = 0;
  return true;
}

/** Waits until `request` is answered (1), or 0 for WNOHANG without news, or -errno. */
function waitFor(request: WaitRequest): i32 {
  const self = currentProcess();
  spinLock(processLock);
  let result = waitLookLocked(self, request);
  while (result == 0 && (request.options & WNOHANG) == 0) {
    if (waitSleep(childWaitOf(self), processLock, 0) != 0) {
      result = waitLookLocked(self, request);
      if (result == 0) result = -Errno.RESTARTSYS;
      break;
    }
    result = waitLookLocked(self, request);
  }
  spinUnlock(processLock);
  return result;
}

export function sysWait4(pid: i32, statusVa: u64, options: u32, usageVa: u64): i64 {
  if (options & ~WAIT4_OPTIONS) return -Errno.INVAL;
  if (pid == i32.MIN_VALUE) return -Errno.SRCH;
  const ptr = scratchPush(offsetof<WaitRequest>());
  memory.fill(ptr, 0, offsetof<WaitRequest>());
  const request = changetype<WaitRequest>(ptr); // SAFETY: scratch of that size
  request.options = options | WEXITED;
  if (pid > 0) {
    request.idType = IdType.PID;
    request.id = <u32>pid;
  } else if (pid != -1) {
    request.idType = IdType.PGID;
    request.id = pid == 0 ? currentProcess().pgid : <u32>-pid;
  }
  let result: i64 = waitFor(request);
  if (result > 0) {
    result = <i64>request.pid;
    if (statusVa != 0 && userStore32(statusVa, request.word) != 0) result = -Errno.FAULT;
    if (usageVa != 0 && usageOut(usageVa, usageIn(request)) != 0) result = -Errno.FAULT;
  }
  scratchPop(offsetof<WaitRequest>());
  return result;
}

export function sysWaitid(which: u32, id: i32, infoVa: u64, options: u32, usageVa: u64): i64 {
  if (options & ~WAITID_OPTIONS || (options & (WEXITED | WUNTRACED | WCONTINUED)) == 0) return -Errno.INVAL;
  if (which > <u32>IdType.PGID) return -Errno.INVAL;
  if (which == <u32>IdType.PID && id <= 0) return -Errno.INVAL;
  if (which == <u32>IdType.PGID && id < 0) return -Errno.INVAL;
  const ptr = scratchPush(offsetof<WaitRequest>());
  memory.fill(ptr, 0, offsetof<WaitRequest>());
  const request = changetype<WaitRequest>(ptr); // SAFETY: scratch of that size
  request.options = options;
  request.idType = which;
  request.id = which == <u32>IdType.PGID && id == 0 ? currentProcess().pgid : <u32>id;
  let result: i64 = waitFor(request);
  if (result >= 0) {
    const isAnswered = result > 0;
    result = 0;
    if (infoVa != 0 && waitInfoOut(infoVa, request, isAnswered) != 0) result = -Errno.FAULT;
    if (isAnswered && usageVa != 0 && usageOut(usageVa, usageIn(request)) != 0) result = -Errno.FAULT;
  }
  scratchPop(offsetof<WaitRequest>());
  return result;
}

/** The siginfo of waitid: all zero when WNOHANG found no news. */
function waitInfoOut(va: u64, request: WaitRequest, isAnswered: bool): i32 {
  const ptr = scratchPush(SIGINFO_BYTES);
  memory.fill(ptr, 0, SIGINFO_BYTES);
  if (isAnswered) {
    store<i32>(ptr, Signal.CHLD);
    store<i32>(ptr, request.code, 8);
    store<u32>(ptr, request.pid, 16);
    store<u32>(ptr, request.uid, 20);
    store<u32>(ptr, request.status, 24);
  }
  const result = userCopyOut(va, ptr, SIGINFO_BYTES);
  scratchPop(SIGINFO_BYTES);
  return result;
}
