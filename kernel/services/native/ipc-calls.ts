/** Endpoints and notifications by handle. Contracts: kernel/abi/native.ts. */
import { CapKind, CapRight } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { objectAt, objectPut } from "../../core/cap/object";
import { BadgeOut, capEpoch, capLookupBadge } from "../../core/cap/space";
import { endpointCallUser } from "../../core/ipc/call";
import { endpointAt, endpointBind, endpointCreate, endpointObject, IpcCall, ipcCallAt, labelIsReply, labelIsRequest } from "../../core/ipc/endpoint";
import {
  notificationAt, notificationCreate, notificationObject, notificationSignal, notificationTimer, notificationWait,
} from "../../core/ipc/notification";
import { endpointReply, endpointReplyReceive, receiveAnswer, Received } from "../../core/ipc/receive";
import {
  callBadgeOut, callTargetDrop, callTargetIsKnown, callTargetKeep, waitTargetDrop, waitTargetIsKnown, waitTargetKeep,
} from "../../core/ipc/target";
import { currentTask } from "../../core/sched/cpu";
import { resumeAllow } from "../../core/sched/resume";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { Task } from "../../core/sched/task";
import { currentProcess } from "../process/process";
import { isErrPtr } from "../vfs/types";
import { handleGive, handleLookup } from "./process-space";
import { timeDenied } from "./time-object";

const BITS: u64 = 0x7fffffffffffffff; // bit 63 would make a result negative

export function nativeEndpointCreate(): i64 {
  const ep = endpointCreate();
  return ep ? handleGive(endpointObject(ep), CapRight.ALL) : -Errno.NOMEM;
}

export function nativeNotificationCreate(): i64 {
  const n = notificationCreate();
  return n ? handleGive(notificationObject(n), CapRight.ALL) : -Errno.NOMEM;
}

/** SAFETY: a word of the call. */
export function badgeOf(call: IpcCall): BadgeOut {
  return changetype<BadgeOut>(changetype<usize>(call) + offsetof<IpcCall>("badge"));
}

/** The endpoint behind `handle` for a call of the running thread, kept for the next one; or a negated errno as pointer. */
function callTargetFind(task: Task, handle: u32): usize {
  if (callTargetIsKnown(task, handle)) return task.ipcCallTarget;
  callTargetDrop(task);
  const epoch = capEpoch();
  const held = capLookupBadge(currentProcess().caps, handle, CapKind.ENDPOINT, CapRight.CALL, callBadgeOut(task));
  if (!isErrPtr(held)) callTargetKeep(task, handle, <u32>held, epoch);
  return held;
}

/** The endpoint behind `handle` for receiving, kept for this wait (G2 of target.ts) and the next; or a negated errno as pointer. */
export function waitTargetFind(task: Task, handle: u32): usize {
  if (waitTargetIsKnown(task, handle)) return task.ipcWaitTarget;
  waitTargetDrop(task);
  const epoch = capEpoch();
  const held = handleLookup(handle, CapKind.ENDPOINT, CapRight.RECEIVE);
  if (!isErrPtr(held)) waitTargetKeep(task, handle, <u32>held, epoch);
  return held;
}

/** ipc_call: words travel between the frames of caller and receiver. */
export function nativeIpcCall(endpoint: u32, label: u32, w0: u64, w1: u64, w2: u64, w3: u64): i64 {
  if (!labelIsRequest(<i32>label)) return -Errno.INVAL;
  const task = currentTask();
  const target = callTargetFind(task, endpoint);
  if (isErrPtr(target)) return <i32>target;
  const call = ipcCallAt(scratchPush(offsetof<IpcCall>()));
  call.label = <i32>label;
  call.badge = task.ipcCallBadge;
  call.registers = task.frame;
  call.parcel = 0;
  call.roomBytes = 0;
  call.roomCaps = 0;
  resumeAllow(task);
  const result = endpointCallUser(endpointAt(target), call, 0);
  task.resumeCpu = 0;
  scratchPop(offsetof<IpcCall>());
  return result;
}

/** ipc_reply_wait: answers, then receives. */
export function nativeIpcReplyWait(endpoint: u32, label: i32, w0: u64, w1: u64, w2: u64, w3: u64): i64 {
  if (!labelIsReply(label)) return -Errno.INVAL;
  let result: i32 = Received.AGAIN;
  while (result == <i32>Received.AGAIN) result = replyWait(currentTask(), endpoint, label);
  return receiveAnswer(currentTask(), result);
}

/** One attempt; after AGAIN nothing is owed. */
function replyWait(task: Task, endpoint: u32, label: i32): i32 {
  const target = waitTargetFind(task, endpoint);
  if (isErrPtr(target)) {
    endpointReply(label, task.frame, 0);
    return <i32>target;
  }
  task.ipcRegisters = task.frame;
  task.ipcRoomBytes = 0;
  task.ipcRoomCaps = 0;
  resumeAllow(task);
  const result = endpointReplyReceive(endpointAt(target), label, task.frame);
  task.resumeCpu = 0;
  return result;
}

export function nativeEndpointBind(endpoint: u32, notification: u32): i64 {
  const held = handleLookup(endpoint, CapKind.ENDPOINT, CapRight.RECEIVE);
  if (isErrPtr(held)) return <i32>held;
  const n = handleLookup(notification, CapKind.NOTIFICATION, CapRight.WAIT);
  let result: i64 = <i32>n;
  if (!isErrPtr(n)) {
    result = endpointBind(endpointAt(held), notificationAt(n)) ? 0 : -Errno.BUSY;
    objectPut(objectAt(n));
  }
  objectPut(objectAt(held));
  return result;
}

export function nativeNotificationSignal(notification: u32, bits: u64): i64 {
  const n = handleLookup(notification, CapKind.NOTIFICATION, CapRight.SIGNAL);
  if (isErrPtr(n)) return <i32>n;
  notificationSignal(notificationAt(n), bits & BITS);
  objectPut(objectAt(n));
  return 0;
}

export function nativeNotificationWait(notification: u32, deadlineNs: u64): i64 {
  while (true) {
    const epoch = capEpoch();
    const n = handleLookup(notification, CapKind.NOTIFICATION, CapRight.WAIT);
    if (isErrPtr(n)) return <i32>n;
    const result = notificationWait(notificationAt(n), deadlineNs, epoch);
    objectPut(objectAt(n));
    if (result != -Errno.STALE) return result;
  }
}

export function nativeNotificationTimer(notification: u32, bits: u64, deadlineNs: u64, periodNs: u64, time: u32): i64 {
  const denied = timeDenied(time, CapRight.READ);
  if (denied != 0) return denied;
  const n = handleLookup(notification, CapKind.NOTIFICATION, CapRight.SIGNAL | CapRight.WAIT);
  if (isErrPtr(n)) return <i32>n;
  notificationTimer(notificationAt(n), bits & BITS, deadlineNs, periodNs);
  objectPut(objectAt(n));
  return 0;
}
