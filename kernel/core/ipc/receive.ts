/**
 * The receiver's end of an endpoint: answer the call taken last, wait for the next one or for bits of the bound notification.
 *
 * A reply whose caller waits on the same CPU gives it that CPU at once when nothing else is to be done here (handoff.ts).
 *
 * Invariants  R1  Task.ipcEndpoint is the endpoint that the thread receives on or took its last call from, one reference, until it
 *                 replies without receiving, receives elsewhere, or hears that the endpoint is dead.
 * Locking     endpoint.ts.
 */
import { trapFrameOf } from "../../../arch/current";
import { IPC_NOTIFIED } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { listEmpty } from "../../lib/list";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { objectAt, objectGet, objectPut } from "../cap/object";
import { currentTask } from "../sched/cpu";
import { scheduleTo } from "../sched/handoff";
import { taskStateSet, taskWake } from "../sched/sched";
import { schedTimeout } from "../sched/sleep";
import { Task, taskOf, TaskState, WakeReason } from "../sched/task";
import { callGiveLocked, Patience, waitEnds } from "./call";
import {
  callDequeueLocked, callFirst, callLeaveServerLocked, callQueue, callRefuseLocked, CallState, Endpoint, endpointAt, endpointLeave, endpointLock,
  endpointObject, IpcCall, ipcCallAt, receiverAddLocked, receiverIsThereLocked, receiverRemoveLocked, receiverRouseLocked, ReceiveState, wordsMove,
} from "./endpoint";
import { notificationAt, notificationIsSet, notificationTake } from "./notification";
import { parcelFits } from "./parcel";
import { callTargetDrop, waitIsCurrent, waitTargetDrop } from "./target";

/** What a receive ended with, besides a negated errno. AGAIN: the handle must be looked up again (G2 of target.ts); a reply is made. */
export const enum Received { CALL = 0, BITS = 1, AGAIN = 2 }

/** The call that `task` owes a reply for, taken from `ep`; null when its caller has gone. */
function callOwedLocked(task: Task): IpcCall | null {
  return task.ipcCall == 0 ? null : ipcCallAt(task.ipcCall);
}

/** The answer stands in the call, whose caller is returned: it must be woken before the lock is free (E6). */
function callAnswerLocked(ep: Endpoint, call: IpcCall, label: i32, registers: usize, parcel: u32): Task {
  callLeaveServerLocked(ep, taskOf(call.server));
  wordsMove(call.registers, registers);
  call.parcel = parcel;
  call.label = label;
  call.state = CallState.DONE;
  return taskOf(call.caller);
}

/**
 * Answers the call that the running thread took last. 1 when a caller got the answer and the parcel with it, 0 when none waits any more,
 * -EMSGSIZE when it has no room for the parcel: then the reply is still owed.
 */
export function endpointReply(label: i32, registers: usize, parcel: u32): i32 {
  const task = currentTask();
  if (task.ipcEndpoint == 0) return 0;
  const ep = endpointAt(task.ipcEndpoint);
  spinLock(endpointLock(ep));
  const call = callOwedLocked(task);
  const fits = !call || parcelFits(parcel, call.roomBytes, call.roomCaps);
  if (call && fits) taskWake(callAnswerLocked(ep, call, label, registers, parcel), WakeReason.EVENT);
  spinUnlock(endpointLock(ep));
  if (!fits) return -Errno.MSGSIZE;
  endpointOweNothing(task, ep);
  return call ? 1 : 0;
}

function endpointOweNothing(task: Task, ep: Endpoint): void {
  task.ipcEndpoint = 0;
  endpointLeave(ep, task);
  objectPut(endpointObject(ep));
}

/** Tells the caller whose call the running thread took last that there will be no answer: `reason` is what its call returns. */
export function endpointRefuse(reason: i32): void {
  const task = currentTask();
  if (task.ipcEndpoint == 0) return;
  const ep = endpointAt(task.ipcEndpoint);
  spinLock(endpointLock(ep));
  const call = callOwedLocked(task);
  callLeaveServerLocked(ep, task);
  if (call) callRefuseLocked(ep, call, reason);
  spinUnlock(endpointLock(ep));
  endpointOweNothing(task, ep);
}

/** The running thread ends: who waits for its reply hears so. */
export function ipcThreadExit(): void {
  endpointRefuse(-Errno.PIPE);
  callTargetDrop(currentTask());
  waitTargetDrop(currentTask());
}

/**
 * Waits for a call or for bits of the bound notification; takes over the reference to `ep`. Task.ipcRegisters and the room are set.
 * CALL: badge (rdi) and words are in ipcRegisters, the rest in ipcLabel and ipcParcel, and the thread owes a reply. BITS: rdx of
 * ipcRegisters has them. AGAIN. -EPIPE when the endpoint is dead, -EINTR, -ETIMEDOUT.
 */
export function endpointReceive(ep: Endpoint, deadlineNs: u64): i32 {
  const task = currentTask();
  const before = task.ipcEndpoint;
  task.ipcEndpoint = <u32>changetype<usize>(ep); // R1
  if (before == 0) return endpointReceiveOn(ep, deadlineNs);
  if (before != task.ipcEndpoint) endpointLeave(endpointAt(before), task);
  objectPut(objectAt(before));
  return endpointReceiveOn(ep, deadlineNs);
}

/** The rest of a receive under way, from any point at which its thread woke up. */
export function endpointReceiveOn(ep: Endpoint, deadlineNs: u64): i32 {
  spinLock(endpointLock(ep));
  const result = receiveLocked(ep, deadlineNs);
  spinUnlock(endpointLock(ep));
  return receiveEnd(ep, result);
}

/** Bits are taken; without them and without a call the thread has nothing to do with the endpoint any more. */
function receiveEnd(ep: Endpoint, result: i32): i32 {
  const task = currentTask();
  if (result == <i32>Received.BITS) trapFrameOf(task.ipcRegisters).rdx = bitsTake(ep);
  else if (result != <i32>Received.CALL) endpointOweNothing(task, ep);
  return result;
}

/** What ipc_reply_wait returns. */
export function receiveAnswer(task: Task, result: i32): i64 {
  if (result == <i32>Received.CALL) return task.ipcLabel;
  return result == <i32>Received.BITS ? IPC_NOTIFIED : result;
}

function receiveLocked(ep: Endpoint, deadlineNs: u64): i32 {
  const task = currentTask();
  while (true) {
    const got = receiveTryLocked(ep, task, deadlineNs);
    if (got != NOTHING) return got;
    receiverAddLocked(ep, task);
    taskStateSet(TaskState.SLEEPING);
    spinUnlock(endpointLock(ep));
    schedTimeout(deadlineNs);
    task.resumeCpu = 0;
    spinLock(endpointLock(ep));
  }
}

/** Of receiveTryLocked: wait. */
const NOTHING: i32 = 3;

function receiveTryLocked(ep: Endpoint, task: Task, deadlineNs: u64): i32 {
  const wasHanded = task.ipcState == <u32>ReceiveState.HANDED;
  const isCurrent = waitIsCurrent(task);
  if (wasHanded || bitsAreSet(ep) || ep.isDead || !isCurrent || !listEmpty(callQueue(ep))) receiverRemoveLocked(task);
  if (wasHanded) return Received.CALL;
  if (ep.isDead) return -Errno.PIPE;
  if (!isCurrent) return receiverDoubtLocked(ep);
  if (bitsAreSet(ep)) return Received.BITS;
  if (callTakeLocked(ep, task)) return Received.CALL;
  const ended = waitEnds(deadlineNs, Patience.SIGNALS);
  if (ended == 0) return NOTHING;
  receiverRemoveLocked(task);
  return ended;
}

/** The running thread may have no right to what waits: if it was roused for bits, another receiver is. */
function receiverDoubtLocked(ep: Endpoint): i32 {
  if (bitsAreSet(ep) && receiverIsThereLocked(ep)) receiverRouseLocked(ep);
  return Received.AGAIN;
}

/** Whether bits of the bound notification wait for a receiver. */
export function bitsAreSet(ep: Endpoint): bool {
  return ep.notification != 0 && notificationIsSet(notificationAt(ep.notification));
}

/** The bits of the bound notification; 0 when another receiver was faster. */
function bitsTake(ep: Endpoint): u64 {
  spinLock(endpointLock(ep));
  const n = ep.notification;
  if (n != 0) objectGet(objectAt(n));
  spinUnlock(endpointLock(ep));
  if (n == 0) return 0;
  const bits = notificationTake(notificationAt(n));
  objectPut(objectAt(n));
  return bits;
}

/** Takes the oldest call that fits; those that do not are refused. */
function callTakeLocked(ep: Endpoint, task: Task): bool {
  while (!listEmpty(callQueue(ep))) {
    const call = callFirst(ep);
    if (parcelFits(call.parcel, task.ipcRoomBytes, task.ipcRoomCaps)) {
      callDequeueLocked(ep, call);
      callGiveLocked(ep, call, task);
      return true;
    }
    callRefuseLocked(ep, call, -Errno.MSGSIZE);
  }
  return false;
}

/** endpointReply and endpointReceive in one, for words only; the caller keeps its reference to `ep`. */
export function endpointReplyReceive(ep: Endpoint, label: i32, registers: usize): i32 {
  const task = currentTask();
  if (task.ipcEndpoint != <u32>changetype<usize>(ep)) {
    endpointReply(label, registers, 0);
    objectGet(endpointObject(ep));
    return endpointReceive(ep, 0);
  }
  spinLock(endpointLock(ep));
  const call = callOwedLocked(task);
  const caller = call ? callAnswerLocked(ep, call, label, registers, 0) : null;
  if (caller && listEmpty(callQueue(ep)) && !bitsAreSet(ep) && !ep.isDead && waitIsCurrent(task)) {
    receiverAddLocked(ep, task);
    task.wakeReason = WakeReason.EVENT;
    taskStateSet(TaskState.SLEEPING);
    scheduleTo(caller, endpointLock(ep));
    task.resumeCpu = 0;
    if (task.ipcState == <u32>ReceiveState.HANDED && task.wakeReason == <u32>WakeReason.HANDOFF) { // E6
      task.ipcState = ReceiveState.NONE;
      return Received.CALL;
    }
    return endpointReceiveOn(ep, 0);
  }
  if (caller) taskWake(caller, WakeReason.EVENT);
  const result = receiveLocked(ep, 0);
  spinUnlock(endpointLock(ep));
  return receiveEnd(ep, result);
}
