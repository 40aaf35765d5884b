/**
 * Sending signals: queueing, the effects a signal has at once, and waking who must act on it.
 *
 * Locking  processLock, then SigHand.lock. Callers hold at most locks of lower rank (TTY, PIPE, POLL).
 * Spec     POSIX.1-2017, XSH 2.4 "Signal Concepts"; Linux kernel/signal.c for the choice of thread.
 */
import { apicSendIpi, Vector } from "../../../arch/current";
import { SIG_DFL, sigBit, Signal } from "../../abi/signal";
import { cpuAt, currentTask, thisCpu } from "../../core/sched/cpu";
import { taskWake } from "../../core/sched/sched";
import { Task, taskOf, TaskWork, taskWorkSet, WakeReason } from "../../core/sched/task";
import { ListNode, listSame, ownerOf } from "../../lib/list";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { Process, ProcessState, taskProcess } from "../process/process";
import { processLock, processAfterLocked, threadHeadOf } from "../process/process-table";
import {
  SIG_STOP_SET, SIG_UNBLOCKABLE, SigHand, sigActionOf, sigDefaultIsIgnore, sigDefaultIsStop, sigDiscardLocked,
  sigEnqueueLocked, sigHandLockOf, sigHandOf, sigIsIgnored,
} from "./sig-hand";

/** Called under processLock when SIGCONT made a stopped process run again (wait.ts tells the parent). */
@final @unmanaged
export class SignalHooks {
  continued: (process: Process) => void;
}
export const SIGNAL_HOOKS = changetype<SignalHooks>(memory.data(offsetof<SignalHooks>()));

export function threadOf(node: ListNode): Task {
  return ownerOf<Task>(node, offsetof<Task>("groupNode"));
}

function sharedSetPtr(process: Process): usize {
  return changetype<usize>(process) + offsetof<Process>("sigPendingShared");
}

function sharedQueuePtr(process: Process): usize {
  return changetype<usize>(process) + offsetof<Process>("sigQueueShared");
}

function ownSetPtr(task: Task): usize {
  return changetype<usize>(task) + offsetof<Task>("sigPending");
}

function ownQueuePtr(task: Task): usize {
  return changetype<usize>(task) + offsetof<Task>("sigQueue");
}

/** Queues `sig` for `process`; `info` is a SigInfo or 0 (sent by the kernel). 0, or -EAGAIN when the queue is full. */
export function signalSendProcess(process: Process, sig: u32, info: usize): i32 {
  spinLock(processLock);
  const result = signalSendProcessLocked(process, sig, info);
  spinUnlock(processLock);
  return result;
}

/** The same; the caller holds processLock. */
export function signalSendProcessLocked(process: Process, sig: u32, info: usize): i32 {
  if (process.state >= <u32>ProcessState.ZOMBIE || process.sigHand == 0) return 0;
  return sendLocked(process, null, sig, info);
}

/** Queues `sig` for one thread. */
export function signalSendTask(task: Task, sig: u32, info: usize): i32 {
  spinLock(processLock);
  const process = taskProcess(task);
  const result = process.state >= <u32>ProcessState.ZOMBIE ? 0 : sendLocked(process, task, sig, info);
  spinUnlock(processLock);
  return result;
}

/** A signal from the kernel to every member of process group `pgid`: the number of members. */
export function signalSendGroup(pgid: u32, sig: u32): u32 {
  spinLock(processLock);
  const members = signalSendGroupLocked(pgid, sig, 0);
  spinUnlock(processLock);
  return members;
}

/** The same; the caller holds processLock. */
export function signalSendGroupLocked(pgid: u32, sig: u32, info: usize): u32 {
  let members: u32 = 0;
  for (let process = processAfterLocked(null); process; process = processAfterLocked(process)) {
    if (process.pgid != pgid || process.state >= <u32>ProcessState.ZOMBIE) continue;
    members++;
    signalSendProcessLocked(process, sig, info);
  }
  return members;
}

function sendLocked(process: Process, task: Task | null, sig: u32, info: usize): i32 {
  const hand = sigHandOf(process.sigHand);
  const lock = sigHandLockOf(hand);
  spinLock(lock);
  jobControlLocked(process, sig);
  let result: i32 = 0;
  if (!isDropped(process, hand, task, sig)) {
    result = task
      ? sigEnqueueLocked(ownSetPtr(task), ownQueuePtr(task), sig, info)
      : sigEnqueueLocked(sharedSetPtr(process), sharedQueuePtr(process), sig, info);
    if (result == 0) wakeForSignal(process, task, sig);
  }
  spinUnlock(lock);
  return result;
}

/**
 * Ignored signals are lost, and so is for init whatever it has no handler for; but never a blocked one: its owner may
 * wait for it (sigtimedwait) or install a handler before unblocking.
 */
function isDropped(process: Process, hand: SigHand, task: Task | null, sig: u32): bool {
  const isUnblockable = (sigBit(sig) & SIG_UNBLOCKABLE) != 0;
  const reader = task ? task : taskOf(process.leader);
  const isBlocked = changetype<usize>(reader) != 0 && (reader.sigMask & sigBit(sig)) != 0 && !isUnblockable;
  if (isBlocked) return false;
  if (process.pid == 1 && sigActionOf(hand, sig).handler == SIG_DFL) return true;
  return !isUnblockable && sigIsIgnored(hand, sig);
}

/** What stop signals and SIGCONT do to each other at once, whether or not they are caught or blocked. */
function jobControlLocked(process: Process, sig: u32): void {
  if (sigDefaultIsStop(sig)) {
    discardEverywhere(process, sigBit(Signal.CONT));
  } else if (sig == Signal.CONT || sig == Signal.KILL) {
    if (sig == Signal.CONT) discardEverywhere(process, SIG_STOP_SET);
    if (process.stopSignal != 0) resumeLocked(process, sig);
  }
}

function discardEverywhere(process: Process, mask: u64): void {
  sigDiscardLocked(sharedSetPtr(process), sharedQueuePtr(process), mask);
  const head = threadHeadOf(process);
  for (let node = head.next; !listSame(node, head); node = node.next) {
    const task = threadOf(node);
    sigDiscardLocked(ownSetPtr(task), ownQueuePtr(task), mask);
  }
}

function resumeLocked(process: Process, sig: u32): void {
  const wasStopped = process.state == <u32>ProcessState.STOPPED;
  process.stopSignal = 0;
  process.stoppedThreads = 0;
  if (wasStopped) process.state = ProcessState.RUNNING;
  const head = threadHeadOf(process);
  for (let node = head.next; !listSame(node, head); node = node.next) taskWake(threadOf(node), WakeReason.CONTINUE);
  if (wasStopped && sig == Signal.CONT) SIGNAL_HOOKS.continued(process);
}

/** Makes sure that somebody looks at the new signal. */
function wakeForSignal(process: Process, task: Task | null, sig: u32): void {
  if (sig == Signal.KILL) {
    const head = threadHeadOf(process);
    for (let node = head.next; !listSame(node, head); node = node.next) taskInterrupt(threadOf(node), WakeReason.KILL);
    return;
  }
  if (task) {
    if ((task.sigMask & sigBit(sig)) == 0) taskInterrupt(task, WakeReason.SIGNAL);
    else if (task.sigWaitSet & sigBit(sig)) taskWake(task, WakeReason.SIGNAL);
    return;
  }
  wakeOneThread(process, sig);
}

/** A process-directed signal goes to the leader when it can take it, else to any thread that can. */
function wakeOneThread(process: Process, sig: u32): void {
  const bit = sigBit(sig);
  const current = currentTask();
  if (current.process == <u32>changetype<usize>(process) && (current.sigMask & bit) == 0) {
    taskWorkSet(current, TaskWork.SIGNAL);
    return;
  }
  const head = threadHeadOf(process);
  for (let node = head.next; !listSame(node, head); node = node.next) {
    const task = threadOf(node);
    if ((task.sigMask & bit) == 0) {
      taskInterrupt(task, WakeReason.SIGNAL);
      return;
    }
    if (task.sigWaitSet & bit) taskWake(task, WakeReason.SIGNAL);
  }
}

/** Sends `task` through userReturnWork soon, wherever it is. */
export function taskInterrupt(task: Task, reason: u32): void {
  taskWorkSet(task, TaskWork.SIGNAL);
  if (!taskWake(task, reason)) taskKick(task);
}

/** Makes the CPU that runs `task`, if another one does, look at its work. */
export function taskKick(task: Task): void {
  if (atomic.load<u32>(changetype<usize>(task), offsetof<Task>("onCpu")) == 0) return;
  if (task.cpu != thisCpu().id) apicSendIpi(cpuAt(task.cpu).apicId, Vector.RESCHEDULE);
}

/**
 * A fault signal for the running task: it cannot be blocked or ignored. When it is, its action becomes the default,
 * so the process ends instead of faulting for ever.
 */
export function signalForce(sig: u32, info: usize): void {
  const task = currentTask();
  const process = taskProcess(task);
  spinLock(processLock);
  const hand = sigHandOf(process.sigHand);
  const lock = sigHandLockOf(hand);
  spinLock(lock);
  const action = sigActionOf(hand, sig);
  const isBlocked = (task.sigMask & sigBit(sig)) != 0;
  if (isBlocked || action.handler == 1) {
    action.handler = SIG_DFL;
    task.sigMask &= ~sigBit(sig);
  }
  sigEnqueueLocked(ownSetPtr(task), ownQueuePtr(task), sig, info);
  process.forcedSignal = sig;
  taskWorkSet(task, TaskWork.SIGNAL);
  spinUnlock(lock);
  spinUnlock(processLock);
}

/** True when `sig` would do something to the process if it came now (SIGTTOU on a background write, …). */
export function signalIsIgnoredOrBlocked(task: Task, sig: u32): bool {
  if (task.sigMask & sigBit(sig)) return true;
  return sigIsIgnored(sigHandOf(taskProcess(task).sigHand), sig);
}

/** Recomputes TaskWork.SIGNAL after the mask or a pending set of the running task changed. */
export function signalRecalc(task: Task): void {
  const pending = task.sigPending | taskProcess(task).sigPendingShared;
  if (pending & ~task.sigMask) taskWorkSet(task, TaskWork.SIGNAL);
}
