/**
 * Acting on signals, on the way back to user mode: handlers, default actions, stops, and restarting calls.
 *
 * Locking  none on entry; takes processLock and SigHand.lock inside.
 * Spec     signal(7); Linux arch/x86/kernel/signal.c for the restart rules.
 */
import { FRAME_IS_SYSCALL, TrapFrame } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { SI_KERNEL, SIG_DFL, SIG_IGN, SigActionFlag, sigBit, SigInfo, Signal } from "../../abi/signal";
import { currentTask } from "../../core/sched/cpu";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { Task, TaskFlag, TaskWork, taskWorkClear, taskWorkSet } from "../../core/sched/task";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { processExit, threadExit } from "../process/exit";
import { processIsOrphanedGroup } from "../process/job-control";
import { Process, taskProcess } from "../process/process";
import { processLock } from "../process/process-table";
import { groupStopBegin, groupStopJoin } from "./group-stop";
import { signalForce } from "./send";
import {
  SIG_UNBLOCKABLE, SigAction, sigActionOf, sigDefaultIsIgnore, sigDefaultIsStop, sigDequeueLocked, SigHand,
  sigHandLockOf, sigHandOf, sigNext,
} from "./sig-hand";
import { signalFrameBuild } from "./signal-frame";
import { threadSuspendJoin } from "./thread-suspend";

const SYS_RESTART_SYSCALL: u64 = 219;
const SYSCALL_BYTES: u64 = 2;
const RESTARTSYS: u64 = <u64>-512;
const RESTARTNOINTR: u64 = <u64>-513;
const RESTARTNOHAND: u64 = <u64>-514;
const RESTART_BLOCK: u64 = <u64>-516;

/** Scratch of one delivery: the SigInfo, and a copy of the SigAction. */
const DELIVERY_BYTES: u32 = offsetof<SigInfo>() + offsetof<SigAction>();

/** What deliver.ts asks of modules that come after it: set by wait.ts. */
@final @unmanaged
export class DeliverHooks {
  continuedReport: (process: Process) => void; // a continued process tells its parent
}
export const DELIVER_HOOKS = changetype<DeliverHooks>(memory.data(offsetof<DeliverHooks>()));

/** Handles every deliverable signal of the running task, and stops; called with TaskWork.SIGNAL, STOP or SUSPEND set. */
export function signalDeliver(frame: TrapFrame): void {
  const task = currentTask();
  const process = taskProcess(task);
  taskWorkClear(task, TaskWork.SIGNAL | TaskWork.STOP);
  const info = scratchPush(DELIVERY_BYTES);
  let handled = false;
  while (!handled) {
    if (process.isGroupExiting) processExit(process.groupExitCode);
    const work = atomic.load<u32>(changetype<usize>(task)) & (TaskWork.EXIT | TaskWork.SUSPEND);
    if (work & TaskWork.EXIT) threadExit(0); // another thread's execve
    if (process.stopSignal != 0 && groupStopJoin(process, task)) {
      if (process.continuedNotify) DELIVER_HOOKS.continuedReport(process);
      continue;
    }
    if (work != 0 && threadSuspendJoin(process, task)) continue;
    const sig = signalTake(process, task, info);
    if (sig == 0) break;
    handled = signalAct(process, task, frame, sig, changetype<SigInfo>(info)); // SAFETY: scratch of that size
  }
  scratchPop(DELIVERY_BYTES);
  if (!handled) restartWithoutHandler(task, frame);
  if (task.flags & TaskFlag.RESTORE_SIGMASK) {
    task.flags &= ~TaskFlag.RESTORE_SIGMASK;
    if (!handled) task.sigMask = task.sigSavedMask;
  }
  if ((task.sigPending | process.sigPendingShared) & ~task.sigMask) taskWorkSet(task, TaskWork.SIGNAL);
}

/** Dequeues the next unblocked signal, the thread's own before the process's; 0 when there is none. */
function signalTake(process: Process, task: Task, infoPtr: usize): u32 {
  const lock = sigHandLockOf(sigHandOf(process.sigHand));
  spinLock(lock);
  const sig = signalDequeueLocked(process, task, ~task.sigMask, infoPtr);
  spinUnlock(lock);
  return sig;
}

/** Takes a pending signal of `wanted` and its siginfo; 0 when there is none. Locking: SigHand.lock. */
export function signalDequeueLocked(process: Process, task: Task, wanted: u64, infoPtr: usize): u32 {
  let sig = sigNext(task.sigPending & wanted);
  if (sig != 0) {
    sigDequeueLocked(
      changetype<usize>(task) + offsetof<Task>("sigPending"), changetype<usize>(task) + offsetof<Task>("sigQueue"),
      sig, infoPtr);
    return sig;
  }
  sig = sigNext(process.sigPendingShared & wanted);
  if (sig == 0) return 0;
  sigDequeueLocked(
    changetype<usize>(process) + offsetof<Process>("sigPendingShared"),
    changetype<usize>(process) + offsetof<Process>("sigQueueShared"), sig, infoPtr);
  return sig;
}

/** True when a handler was set up; false when the signal is done with. Does not return when it ends the process. */
function signalAct(process: Process, task: Task, frame: TrapFrame, sig: u32, info: SigInfo): bool {
  const hand = sigHandOf(process.sigHand);
  const action = sigActionOf(hand, sig);
  const handler = action.handler;
  if (handler == SIG_IGN) return false;
  if (handler == SIG_DFL) {
    defaultAct(process, sig);
    return false;
  }
  // SAFETY: signalDeliver reserved DELIVERY_BYTES at `info`
  handlerStart(hand, task, frame, sig, info, changetype<SigAction>(changetype<usize>(info) + offsetof<SigInfo>()));
  return true;
}

function defaultAct(process: Process, sig: u32): void {
  if (sigDefaultIsIgnore(sig)) return;
  const isInit = process.pid == 1 && process.forcedSignal != sig;
  if (isInit) return;
  if (sigDefaultIsStop(sig)) {
    if (sig != Signal.STOP && processIsOrphanedGroup(process.pgid)) return;
    groupStopBegin(process, sig);
    return;
  }
  processExit(sig); // the wait status of a death by signal is its number
}

/** Another thread may change the action: `action` is room for a copy of it. */
function handlerStart(hand: SigHand, task: Task, frame: TrapFrame, sig: u32, info: SigInfo, action: SigAction): void {
  const lock = sigHandLockOf(hand);
  spinLock(lock);
  const current = sigActionOf(hand, sig);
  action.handler = current.handler;
  action.flags = current.flags;
  action.restorer = current.restorer;
  action.mask = current.mask;
  if (action.flags & SigActionFlag.RESETHAND) current.handler = SIG_DFL;
  spinUnlock(lock);

  restartForHandler(frame, action);
  const savedMask = task.flags & TaskFlag.RESTORE_SIGMASK ? task.sigSavedMask : task.sigMask;
  if (signalFrameBuild(task, frame, action, info, savedMask)) {
    let mask = task.sigMask | action.mask;
    if ((action.flags & SigActionFlag.NODEFER) == 0) mask |= sigBit(sig);
    task.sigMask = mask & ~SIG_UNBLOCKABLE;
  } else frameFailed(hand, sig);
}

/** The stack cannot take the frame: SIGSEGV, which kills when it is SIGSEGV's own handler that had no room. */
function frameFailed(hand: SigHand, sig: u32): void {
  if (sig == Signal.SEGV) sigActionOf(hand, sig).handler = SIG_DFL;
  const ptr = scratchPush(offsetof<SigInfo>());
  memory.fill(ptr, 0, offsetof<SigInfo>());
  const info = changetype<SigInfo>(ptr); // SAFETY: scratch of that size
  info.signo = Signal.SEGV;
  info.code = SI_KERNEL;
  signalForce(Signal.SEGV, ptr);
  scratchPop(offsetof<SigInfo>());
}

/** An interrupted call under a handler: restarted after it with SA_RESTART, else EINTR. */
function restartForHandler(frame: TrapFrame, action: SigAction): void {
  if (frame.error != FRAME_IS_SYSCALL) return;
  const result = frame.rax;
  const isRestart = result == RESTARTNOINTR ||
    (result == RESTARTSYS && (action.flags & SigActionFlag.RESTART) != 0);
  if (isRestart) callRewind(frame, frame.vector);
  else if (result == RESTARTSYS || result == RESTARTNOHAND || result == RESTART_BLOCK) frame.rax = <u64>-Errno.INTR;
  frame.error = 0; // decided once
}

/** No handler ran: the call goes on as if nothing had happened. */
function restartWithoutHandler(task: Task, frame: TrapFrame): void {
  if (frame.error != FRAME_IS_SYSCALL) return;
  const result = frame.rax;
  if (result == RESTARTSYS || result == RESTARTNOINTR || result == RESTARTNOHAND) callRewind(frame, frame.vector);
  else if (result == RESTART_BLOCK) callRewind(frame, SYS_RESTART_SYSCALL);
  else return;
  frame.error = 0;
}

function callRewind(frame: TrapFrame, nr: u64): void {
  frame.rax = nr;
  frame.rip -= SYSCALL_BYTES;
}
