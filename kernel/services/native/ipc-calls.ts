/** Endpoints and notifications by handle. Contracts: kernel/abi/native.ts. */
import { CapKind, CapRight, IPC_NOTIFIED } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { objectAt, objectPut } from "../../core/cap/object";
import { BadgeOut, capLookupBadge } from "../../core/cap/space";
import { endpointCallUser } from "../../core/ipc/call";
import { endpointAt, endpointBind, endpointCreate, endpointObject, IpcCall, ipcCallAt } from "../../core/ipc/endpoint";
import {
  notificationAt, notificationCreate, notificationObject, notificationSignal, notificationTimer, notificationWait,
} from "../../core/ipc/notification";
import { endpointReply, endpointReplyReceive, Received } from "../../core/ipc/receive";
import { currentTask } from "../../core/sched/cpu";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
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

/** ipc_call: words travel between the frames of caller and receiver. */
export function nativeIpcCall(endpoint: u32, label: u32, w0: u64, w1: u64, w2: u64, w3: u64): i64 {
  const call = ipcCallAt(scratchPush(offsetof<IpcCall>()));
  const held = capLookupBadge(currentProcess().caps, endpoint, CapKind.ENDPOINT, CapRight.CALL, badgeOf(call));
  let result = <i32>held;
  if (!isErrPtr(held)) {
    call.label = <i32>label;
    call.registers = currentTask().frame;
    call.parcel = 0;
    call.roomBytes = 0;
    call.roomCaps = 0;
    result = endpointCallUser(endpointAt(held), call, 0);
    objectPut(objectAt(held));
  }
  scratchPop(offsetof<IpcCall>());
  return result;
}

/** ipc_reply_wait: answers, then receives. */
export function nativeIpcReplyWait(endpoint: u32, label: i32, w0: u64, w1: u64, w2: u64, w3: u64): i64 {
  const task = currentTask();
  const held = handleLookup(endpoint, CapKind.ENDPOINT, CapRight.RECEIVE);
  task.ipcRegisters = task.frame;
  task.ipcRoomBytes = 0;
  task.ipcRoomCaps = 0;
  if (isErrPtr(held)) {
    endpointReply(label, task.frame, 0);
    return <i32>held;
  }
  const result = endpointReplyReceive(endpointAt(held), label, task.frame);
  if (result == <i32>Received.CALL) return task.ipcLabel;
  return result == <i32>Received.BITS ? IPC_NOTIFIED : result;
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
  const n = handleLookup(notification, CapKind.NOTIFICATION, CapRight.WAIT);
  if (isErrPtr(n)) return <i32>n;
  const result = notificationWait(notificationAt(n), deadlineNs);
  objectPut(objectAt(n));
  return result;
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
