/**
 * System calls on a process's own signal state: actions, mask, alternate stack, waiting, returning.
 *
 * Invariants  A1  only the running thread writes its sigMask; KILL and STOP are never in it.
 * Locking     SigHand.lock for actions and pending sets.
 * Spec        rt_sigaction(2), sigprocmask(2), sigaltstack(2), sigsuspend(2), sigtimedwait(2), sigreturn(2)
 */
import { monoNowNs, trapFrameOf, userCopyIn, userCopyOut, userLoad64, userStore64 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { NSIG, sigBit, SigInfo, SIGINFO_BYTES, Signal, SI_KERNEL } from "../../abi/signal";
import { currentTask } from "../../core/sched/cpu";
import { schedule, taskSignalPending, taskStateSet } from "../../core/sched/sched";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { schedTimeout } from "../../core/sched/sleep";
import { Task, TaskFlag, TaskState, TaskWork, taskWorkClear, taskWorkSet } from "../../core/sched/task";
import { listSame } from "../../lib/list";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { currentProcess, Process, taskProcess } from "../process/process";
import { processLock, threadHeadOf } from "../process/process-table";
import { signalDequeueLocked } from "./deliver";
import { signalForce, signalRecalc, threadOf } from "./send";
import {
  SIG_UNBLOCKABLE, SigAction, sigActionOf, sigDiscardLocked, sigHandLockOf, sigHandOf, sigIsIgnored,
} from "./sig-hand";
import { altStackState, isOnAltStack, signalFrameRestore } from "./signal-frame";

const SIGSET_BYTES: u64 = 8;
const ACTION_BYTES: u32 = 32;
const STACK_BYTES: u32 = 24;
const SS_ONSTACK: u32 = 1;
const SS_DISABLE: u32 = 2;
const SS_AUTODISARM: u32 = 0x80000000;
const MINSIGSTKSZ: u64 = 2048;
const NS_PER_SEC: u64 = 1_000_000_000;

const enum SigHow { BLOCK = 0, UNBLOCK = 1, SETMASK = 2 }

export function sysRtSigaction(sig: i32, actionVa: u64, oldVa: u64, size: u64): i64 {
  if (size != SIGSET_BYTES || sig < 1 || sig > <i32>NSIG) return -Errno.INVAL;
  const isFixed = (sigBit(sig) & SIG_UNBLOCKABLE) != 0;
  if (isFixed && actionVa != 0) return -Errno.INVAL;
  const ptr = scratchPush(ACTION_BYTES * 2);
  let result: i64 = actionVa != 0 && userCopyIn(ptr, actionVa, ACTION_BYTES) != 0 ? -<i64>Errno.FAULT : 0;
  if (result == 0) {
    actionExchange(currentProcess(), sig, actionVa != 0 ? ptr : 0, ptr + ACTION_BYTES);
    if (oldVa != 0) result = userCopyOut(oldVa, ptr + ACTION_BYTES, ACTION_BYTES);
  }
  scratchPop(ACTION_BYTES * 2);
  return result;
}

/** Stores the old action at `oldPtr` and takes the new one from `newPtr` (0: keep it). */
function actionExchange(process: Process, sig: u32, newPtr: usize, oldPtr: usize): void {
  const hand = sigHandOf(process.sigHand);
  spinLock(processLock); // the thread list, should pending signals be discarded
  const lock = sigHandLockOf(hand);
  spinLock(lock);
  const action = sigActionOf(hand, sig);
  memory.copy(oldPtr, changetype<usize>(action), ACTION_BYTES);
  if (newPtr != 0) {
    memory.copy(changetype<usize>(action), newPtr, ACTION_BYTES);
    action.mask &= ~SIG_UNBLOCKABLE;
    if (sigIsIgnored(hand, sig)) pendingDiscard(process, sigBit(sig));
  }
  spinUnlock(lock);
  spinUnlock(processLock);
}

/** Setting an action that ignores a signal forgets pending ones. Locking: processLock, SigHand.lock. */
function pendingDiscard(process: Process, mask: u64): void {
  sigDiscardLocked(
    changetype<usize>(process) + offsetof<Process>("sigPendingShared"),
    changetype<usize>(process) + offsetof<Process>("sigQueueShared"), mask);
  const head = threadHeadOf(process);
  for (let node = head.next; !listSame(node, head); node = node.next) {
    const task = threadOf(node);
    sigDiscardLocked(
      changetype<usize>(task) + offsetof<Task>("sigPending"), changetype<usize>(task) + offsetof<Task>("sigQueue"), mask);
  }
}

/** Reads a signal set: 0 or -EFAULT. */
function sigSetIn(ptr: usize, va: u64): i32 {
  const result = userLoad64(ptr, va);
  if (result == 0) store<u64>(ptr, load<u64>(ptr) & ~SIG_UNBLOCKABLE); // A1
  return result;
}

export function sysRtSigprocmask(how: i32, setVa: u64, oldVa: u64, size: u64): i64 {
  if (size != SIGSET_BYTES) return -Errno.INVAL;
  const task = currentTask();
  const old = task.sigMask;
  if (setVa != 0) {
    const ptr = scratchPush(8);
    const result = sigSetIn(ptr, setVa);
    const set = load<u64>(ptr);
    scratchPop(8);
    if (result != 0) return result;
    switch (how) {
      case SigHow.BLOCK: task.sigMask = old | set; break;
      case SigHow.UNBLOCK: task.sigMask = old & ~set; break;
      case SigHow.SETMASK: task.sigMask = set; break;
      default: return -Errno.INVAL;
    }
    signalRecalc(task);
  }
  return oldVa != 0 ? userStore64(oldVa, old) : 0;
}

export function sysRtSigpending(setVa: u64, size: u64): i64 {
  if (size > SIGSET_BYTES) return -Errno.INVAL;
  const task = currentTask();
  const pending = (task.sigPending | taskProcess(task).sigPendingShared) & task.sigMask;
  return userStore64(setVa, pending);
}

/** Replaces the mask until a signal was handled; the old one is restored behind the handler. */
export function sysRtSigsuspend(maskVa: u64, size: u64): i64 {
  if (size != SIGSET_BYTES) return -Errno.INVAL;
  const ptr = scratchPush(8);
  const result = sigSetIn(ptr, maskVa);
  const mask = load<u64>(ptr);
  scratchPop(8);
  if (result != 0) return result;
  sigMaskReplace(mask);
  return pauseUntilSignal();
}

/** ppoll, pselect, sigsuspend: a mask for the length of one call. sigSavedMask comes back at its end. */
export function sigMaskReplace(mask: u64): void {
  const task = currentTask();
  task.sigSavedMask = task.sigMask;
  task.flags |= TaskFlag.RESTORE_SIGMASK;
  task.sigMask = mask & ~SIG_UNBLOCKABLE;
  signalRecalc(task);
}

export function sysPause(): i64 {
  return pauseUntilSignal();
}

function pauseUntilSignal(): i64 {
  const task = currentTask();
  while (!taskSignalPending(task)) {
    taskStateSet(TaskState.SLEEPING);
    if (!taskSignalPending(task)) schedule();
    taskStateSet(TaskState.RUNNABLE);
  }
  return -Errno.RESTARTNOHAND;
}

/** Takes a pending signal of the set without running its handler, waiting for it at most `timeout`. */
export function sysRtSigtimedwait(setVa: u64, infoVa: u64, timeoutVa: u64, size: u64): i64 {
  if (size != SIGSET_BYTES) return -Errno.INVAL;
  const ptr = scratchPush(16 + SIGINFO_BYTES);
  let result: i64 = sigSetIn(ptr, setVa);
  const wanted = load<u64>(ptr);
  let deadlineNs: u64 = u64.MAX_VALUE;
  if (result == 0 && timeoutVa != 0) {
    result = userCopyIn(ptr, timeoutVa, 16);
    if (result == 0 && (load<i64>(ptr) < 0 || load<u64>(ptr, 8) >= NS_PER_SEC)) result = -Errno.INVAL;
    if (result == 0) deadlineNs = deadlineAfter(load<u64>(ptr), load<u64>(ptr, 8));
  }
  if (result == 0) result = signalAwait(wanted, deadlineNs, ptr + 16);
  if (result > 0 && infoVa != 0) {
    memory.fill(ptr + 16 + offsetof<SigInfo>(), 0, SIGINFO_BYTES - offsetof<SigInfo>());
    if (userCopyOut(infoVa, ptr + 16, SIGINFO_BYTES) != 0) result = -Errno.FAULT;
  }
  scratchPop(16 + SIGINFO_BYTES);
  return result;
}

function deadlineAfter(seconds: u64, ns: u64): u64 {
  if (seconds > 1 << 33) return u64.MAX_VALUE;
  return monoNowNs() + seconds * NS_PER_SEC + ns;
}

/** Waits for a signal of `wanted`: its number, -EAGAIN at the deadline, or -EINTR for another signal. */
function signalAwait(wanted: u64, deadlineNs: u64, infoPtr: usize): i64 {
  const task = currentTask();
  const process = taskProcess(task);
  const lock = sigHandLockOf(sigHandOf(process.sigHand));
  let result: i64 = 0;
  while (result == 0) {
    spinLock(lock);
    task.sigWaitSet = wanted;
    const sig = signalDequeueLocked(process, task, wanted, infoPtr);
    if (sig == 0) taskStateSet(TaskState.SLEEPING);
    spinUnlock(lock);
    if (sig != 0) result = sig;
    else if (deadlineNs != u64.MAX_VALUE && monoNowNs() >= deadlineNs) result = -Errno.AGAIN;
    else if (taskSignalPending(task)) result = hasOther(task, process, wanted) ? -<i64>Errno.INTR : 0;
    if (sig == 0 && result == 0) schedTimeout(deadlineNs == u64.MAX_VALUE ? 0 : deadlineNs);
    taskStateSet(TaskState.RUNNABLE);
  }
  task.sigWaitSet = 0;
  return result;
}

/** Something else than the wanted signals is deliverable; otherwise the work bit is old news and is cleared. */
function hasOther(task: Task, process: Process, wanted: u64): bool {
  const pending = (task.sigPending | process.sigPendingShared) & ~task.sigMask;
  if (pending != 0 || process.isGroupExiting != 0 || process.stopSignal != 0) return true;
  if (atomic.load<u32>(changetype<usize>(task)) & TaskWork.EXIT) return true;
  taskWorkClear(task, TaskWork.SIGNAL);
  return false;
}

/** stack_t: ss_sp, ss_flags, ss_size. */
export function sysSigaltstack(stackVa: u64, oldVa: u64): i64 {
  const task = currentTask();
  const sp = trapFrameOf(task.frame).rsp;
  const ptr = scratchPush(STACK_BYTES * 2);
  const old = ptr + STACK_BYTES;
  store<u64>(old, task.altStackBase);
  store<u64>(old, altStackState(task, sp), 8);
  store<u64>(old, task.altStackSize, 16);
  let result: i64 = 0;
  if (stackVa != 0) {
    result = userCopyIn(ptr, stackVa, STACK_BYTES);
    if (result == 0) result = altStackSet(task, sp, load<u64>(ptr), load<u32>(ptr, 8), load<u64>(ptr, 16));
  }
  if (result == 0 && oldVa != 0) result = userCopyOut(oldVa, old, STACK_BYTES);
  scratchPop(STACK_BYTES * 2);
  return result;
}

function altStackSet(task: Task, sp: u64, base: u64, flags: u32, size: u64): i64 {
  if (isOnAltStack(task, sp)) return -Errno.PERM;
  const mode = flags & ~SS_AUTODISARM;
  if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE) return -Errno.INVAL;
  if (mode == SS_DISABLE) {
    task.altStackBase = 0;
    task.altStackSize = 0;
    task.altStackFlags = 0;
    return 0;
  }
  if (size < MINSIGSTKSZ) return -Errno.NOMEM;
  task.altStackBase = base;
  task.altStackSize = size;
  task.altStackFlags = flags & SS_AUTODISARM;
  return 0;
}

/** The end of a handler; a frame that cannot be believed is SIGSEGV. The result is the rax of the interrupted code. */
export function sysRtSigreturn(): i64 {
  const task = currentTask();
  const frame = trapFrameOf(task.frame);
  taskWorkSet(task, TaskWork.FRAME);
  if (signalFrameRestore(task, frame)) {
    task.sigMask &= ~SIG_UNBLOCKABLE; // A1
    signalRecalc(task);
    return <i64>frame.rax;
  }
  const ptr = scratchPush(offsetof<SigInfo>());
  memory.fill(ptr, 0, offsetof<SigInfo>());
  const info = changetype<SigInfo>(ptr); // SAFETY: scratch of that size
  info.signo = Signal.SEGV;
  info.code = SI_KERNEL;
  signalForce(Signal.SEGV, ptr);
  scratchPop(offsetof<SigInfo>());
  return 0;
}
