/**
 * Sending signals to others: kill, tkill, tgkill and their queueing relatives.
 *
 * Locking  processLock while targets are looked up and told.
 * Spec     kill(2), tgkill(2), rt_sigqueueinfo(2); POSIX.1-2017 kill() for permissions.
 */
import { userCopyIn } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { NSIG, SI_TKILL, SI_USER, SigInfo, Signal } from "../../abi/signal";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { Task } from "../../core/sched/task";
import { taskPut } from "../../core/sched/task-table";
import { taskByTid } from "../../core/sched/tid";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { credMaySignal } from "../process/cred";
import { Cred, credOf, currentCred, currentProcess, Process, ProcessState, processOf } from "../process/process";
import { processAfterLocked, processFindLocked, processLock } from "../process/process-table";
import { signalSendProcessLocked, signalSendTask } from "./send";

/** May the caller send `sig`? SIGCONT is free within the session. Locking: processLock. */
function maySend(cred: Cred, target: Process, sig: u32): bool {
  if (credMaySignal(cred, credOf(target.creds))) return true;
  return sig == Signal.CONT && target.sid == currentProcess().sid;
}

/** The siginfo of kill(2) and its relatives: who sent it. */
function senderInfo(ptr: usize, sig: u32, code: i32): void {
  memory.fill(ptr, 0, offsetof<SigInfo>());
  const info = changetype<SigInfo>(ptr); // SAFETY: the caller reserved a SigInfo
  info.signo = <i32>sig;
  info.code = code;
  info.field0 = <u64>currentProcess().pid | (<u64>currentCred().uid << 32);
}

export function sysKill(pid: i32, sig: i32): i64 {
  if (sig < 0 || sig > <i32>NSIG) return -Errno.INVAL;
  if (pid == i32.MIN_VALUE) return -Errno.SRCH;
  const ptr = scratchPush(offsetof<SigInfo>());
  senderInfo(ptr, sig, SI_USER);
  spinLock(processLock);
  const result = pid > 0 ? killOne(<u32>pid, sig, ptr) : killMany(pid, sig, ptr);
  spinUnlock(processLock);
  scratchPop(offsetof<SigInfo>());
  return result;
}

function killOne(pid: u32, sig: u32, info: usize): i64 {
  const self = currentProcess();
  const target = pid == self.pid ? self : processFindLocked(pid);
  if (!target) return -Errno.SRCH;
  if (!maySend(currentCred(), target, sig)) return -Errno.PERM;
  return sig == 0 ? 0 : signalSendProcessLocked(target, sig, info);
}

/** 0: the caller's group; -1: everybody but init and the caller; else group -pid. */
function killMany(pid: i32, sig: u32, info: usize): i64 {
  const self = currentProcess();
  const cred = currentCred();
  const group = pid == 0 ? self.pgid : <u32>-pid;
  let found = false;
  let sent = false;
  for (let target = processAfterLocked(null); target; target = processAfterLocked(target)) {
    if (pid == -1 ? target.pid == 1 || target == self : target.pgid != group) continue;
    found = true;
    if (!maySend(cred, target, sig)) continue;
    sent = true;
    if (sig != 0) signalSendProcessLocked(target, sig, info);
  }
  if (sent) return 0;
  return found ? -<i64>Errno.PERM : -<i64>Errno.SRCH;
}

export function sysTkill(tid: i32, sig: i32): i64 {
  if (tid <= 0) return -Errno.INVAL;
  return threadKill(0, tid, sig);
}

export function sysTgkill(tgid: i32, tid: i32, sig: i32): i64 {
  if (tgid <= 0 || tid <= 0) return -Errno.INVAL;
  return threadKill(tgid, tid, sig);
}

function threadKill(tgid: i32, tid: i32, sig: i32): i64 {
  if (sig < 0 || sig > <i32>NSIG) return -Errno.INVAL;
  const ptr = scratchPush(offsetof<SigInfo>());
  senderInfo(ptr, sig, SI_TKILL);
  const result = threadSend(tgid, tid, sig, ptr);
  scratchPop(offsetof<SigInfo>());
  return result;
}

/** To thread `tid`, which must belong to `tgid` unless that is 0. */
function threadSend(tgid: i32, tid: i32, sig: u32, info: usize): i64 {
  const task = taskByTid(<u32>tid);
  if (!task) return -Errno.SRCH;
  const result = threadSendTo(task, <u32>tgid, sig, info);
  taskPut(task);
  return result;
}

function threadSendTo(task: Task, tgid: u32, sig: u32, info: usize): i64 {
  if (task.process == 0) return -Errno.SRCH;
  const process = processOf(task.process);
  if (tgid != 0 && process.pid != tgid) return -Errno.SRCH;
  if (process.state >= <u32>ProcessState.ZOMBIE) return -Errno.SRCH;
  if (!maySend(currentCred(), process, sig)) return -Errno.PERM;
  return sig == 0 ? 0 : signalSendTask(task, sig, info);
}

/** Reads a siginfo from the caller, who may not pretend to be the kernel or kill(2) of somebody else: 0 or -errno. */
function infoIn(ptr: usize, va: u64, sig: i32, pid: u32): i32 {
  if (userCopyIn(ptr, va, offsetof<SigInfo>()) != 0) return -Errno.FAULT;
  const info = changetype<SigInfo>(ptr); // SAFETY: the caller reserved a SigInfo
  info.signo = sig;
  const isForged = info.code >= 0 || info.code == SI_TKILL;
  return isForged && pid != currentProcess().pid ? -<i32>Errno.PERM : 0;
}

export function sysRtSigqueueinfo(pid: i32, sig: i32, infoVa: u64): i64 {
  if (sig < 0 || sig > <i32>NSIG) return -Errno.INVAL;
  const ptr = scratchPush(offsetof<SigInfo>());
  let result: i64 = infoIn(ptr, infoVa, sig, <u32>pid);
  if (result == 0) {
    spinLock(processLock);
    result = killOne(<u32>pid, sig, ptr);
    spinUnlock(processLock);
  }
  scratchPop(offsetof<SigInfo>());
  return result;
}

export function sysRtTgsigqueueinfo(tgid: i32, tid: i32, sig: i32, infoVa: u64): i64 {
  if (tgid <= 0 || tid <= 0 || sig < 0 || sig > <i32>NSIG) return -Errno.INVAL;
  const ptr = scratchPush(offsetof<SigInfo>());
  let result: i64 = infoIn(ptr, infoVa, sig, <u32>tgid);
  if (result == 0) result = threadSend(tgid, tid, sig, ptr);
  scratchPop(offsetof<SigInfo>());
  return result;
}
