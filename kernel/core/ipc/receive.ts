/**
 * The receiver's end of an endpoint: answer the call taken last, wait for the next one or for bits of the bound notification.
 *
 * A reply whose caller waits on the same CPU gives it that CPU at once when nothing else is to be done here (handoff.ts).
 *
 * Invariants  R1  Task.ipcEndpoint is the endpoint of the call that the thread took last, one reference, until it replies.
 * Locking     endpoint.ts.
 */
import { trapFrameOf } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { listEmpty, listRemove } from "../../lib/list";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { objectAt, objectGet, objectPut } from "../cap/object";
import { currentTask } from "../sched/cpu";
import { scheduleTo } from "../sched/handoff";
import { taskStateSet, taskWake } from "../sched/sched";
import { schedTimeout } from "../sched/sleep";
import { Task, taskOf, TaskState, WakeReason } from "../sched/task";
import { callGiveLocked, Patience, waitEnds } from "./call";
import {
  callFirst, callLeaveServer, callNode, callQueue, callRefuseLocked, CallState, Endpoint, endpointAt, endpointLock, endpointObject,
  IpcCall, ipcCallAt, receiverAddLocked, receiverRemoveLocked, ReceiveState, wordsMove,
} from "./endpoint";
import { notificationAt, notificationIsSet, notificationTake } from "./notification";
import { parcelFits } from "./parcel";

/** What a receive ended with, besides a negated errno. */
export const enum Received { CALL = 0, BITS = 1 }

/** The call that `task` owes a reply for, taken from `ep`; null when its caller has gone. */
function callOwedLocked(task: Task): IpcCall | null {
  return task.ipcCall == 0 ? null : ipcCallAt(task.ipcCall);
}

/** The answer stands in the call, whose caller is returned: it must be woken before the lock is free (E6). */
function callAnswerLocked(call: IpcCall, label: i32, registers: usize, parcel: u32): Task {
  callLeaveServer(taskOf(call.server));
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
  if (call && fits) taskWake(callAnswerLocked(call, label, registers, parcel), WakeReason.EVENT);
  spinUnlock(endpointLock(ep));
  if (!fits) return -Errno.MSGSIZE;
  endpointOweNothing(task, ep);
  return call ? 1 : 0;
}

function endpointOweNothing(task: Task, ep: Endpoint): void {
  task.ipcEndpoint = 0;
  objectPut(endpointObject(ep));
}

/** Tells the caller whose call the running thread took last that there will be no answer: `reason` is what its call returns. */
export function endpointRefuse(reason: i32): void {
  const task = currentTask();
  if (task.ipcEndpoint == 0) return;
  const ep = endpointAt(task.ipcEndpoint);
  spinLock(endpointLock(ep));
  const call = callOwedLocked(task);
  callLeaveServer(task);
  if (call) callRefuseLocked(call, reason);
  spinUnlock(endpointLock(ep));
  endpointOweNothing(task, ep);
}

/** The running thread ends: who waits for its reply hears so. */
export function ipcThreadExit(): void {
  endpointRefuse(-Errno.PIPE);
}

/**
 * Waits for a call or for bits of the bound notification; takes over the reference to `ep`. Task.ipcRegisters and the room are set.
 * CALL: badge (rdi) and words are in ipcRegisters, the rest in ipcLabel and ipcParcel, and the thread owes a reply. BITS: rdx of
 * ipcRegisters has them. -EPIPE when the endpoint is dead, -EINTR, -ETIMEDOUT.
 */
export function endpointReceive(ep: Endpoint, deadlineNs: u64): i32 {
  spinLock(endpointLock(ep));
  const result = receiveLocked(ep, deadlineNs);
  spinUnlock(endpointLock(ep));
  return receiveEnd(ep, result);
}

/** R1, or the reference goes back; bits are taken. */
function receiveEnd(ep: Endpoint, result: i32): i32 {
  const task = currentTask();
  if (result == <i32>Received.CALL) {
    task.ipcEndpoint = <u32>changetype<usize>(ep);
    return result;
  }
  if (result == <i32>Received.BITS) trapFrameOf(task.ipcRegisters).rdx = bitsTake(ep);
  objectPut(endpointObject(ep));
  return result;
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
    spinLock(endpointLock(ep));
  }
}

/** Of receiveTryLocked: wait. */
const NOTHING: i32 = 2;

function receiveTryLocked(ep: Endpoint, task: Task, deadlineNs: u64): i32 {
  const wasHanded = task.ipcState == <u32>ReceiveState.HANDED;
  if (wasHanded || bitsAreSet(ep) || ep.isDead || !listEmpty(callQueue(ep))) receiverRemoveLocked(task);
  if (wasHanded) return Received.CALL;
  if (ep.isDead) return -Errno.PIPE;
  if (bitsAreSet(ep)) return Received.BITS;
  if (callTakeLocked(ep, task)) return Received.CALL;
  const ended = waitEnds(deadlineNs, Patience.SIGNALS);
  if (ended == 0) return NOTHING;
  receiverRemoveLocked(task);
  return ended;
}

function bitsAreSet(ep: Endpoint): bool {
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
      listRemove(callNode(call));
      callGiveLocked(ep, call, task);
      return true;
    }
    callRefuseLocked(call, -Errno.MSGSIZE);
  }
  return false;
}

/** endpointReply and endpointReceive in one, for words only; takes over the reference to `ep`. */
export function endpointReplyReceive(ep: Endpoint, label: i32, registers: usize): i32 {
  const task = currentTask();
  if (task.ipcEndpoint != <u32>changetype<usize>(ep)) {
    endpointReply(label, registers, 0);
    return endpointReceive(ep, 0);
  }
  spinLock(endpointLock(ep));
  task.ipcEndpoint = 0;
  objectPut(endpointObject(ep)); // not the last one
  const call = callOwedLocked(task);
  const caller = call ? callAnswerLocked(call, label, registers, 0) : null;
  if (caller && listEmpty(callQueue(ep)) && !bitsAreSet(ep) && !ep.isDead) {
    receiverAddLocked(ep, task);
    task.wakeReason = WakeReason.EVENT;
    taskStateSet(TaskState.SLEEPING);
    scheduleTo(caller, endpointLock(ep));
    if (task.ipcState == <u32>ReceiveState.HANDED && task.wakeReason == <u32>WakeReason.HANDOFF) { // E6
      task.ipcState = ReceiveState.NONE;
      return receiveEnd(ep, Received.CALL);
    }
    return endpointReceive(ep, 0);
  }
  if (caller) taskWake(caller, WakeReason.EVENT);
  const result = receiveLocked(ep, 0);
  spinUnlock(endpointLock(ep));
  return receiveEnd(ep, result);
}
