/** Endpoints and notifications by handle. Contracts: kernel/abi/native.ts. */
import { monoNowNs, trapFrameOf } from "../../../arch/current";
import { CapKind, CapRight, IPC_NOTIFIED } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { objectAt, objectPut } from "../../core/cap/object";
import { BadgeOut, capLookupBadge } from "../../core/cap/space";
import {
  endpointAt, endpointBind, endpointCallUser, endpointCreate, endpointObject, endpointReceive, endpointReply, IpcCall, ipcCallAt, Received,
} from "../../core/ipc/endpoint";
import {
  notificationAt, notificationCreate, notificationObject, notificationSignal, notificationTimer, notificationWait,
} from "../../core/ipc/notification";
import { currentTask } from "../../core/sched/cpu";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { currentProcess } from "../process/process";
import { isErrPtr } from "../vfs/types";
import { handleGive, handleLookup } from "./process-space";

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
function badgeOf(call: IpcCall): BadgeOut {
  return changetype<BadgeOut>(changetype<usize>(call) + offsetof<IpcCall>("badge"));
}

/** ipc_call: the reply's words come back in the registers they were sent in. */
export function nativeIpcCall(endpoint: u32, label: u32, w0: u64, w1: u64, w2: u64, w3: u64): i64 {
  const call = ipcCallAt(scratchPush(offsetof<IpcCall>()));
  const held = capLookupBadge(currentProcess().caps, endpoint, CapKind.ENDPOINT, CapRight.CALL, badgeOf(call));
  if (isErrPtr(held)) {
    scratchPop(offsetof<IpcCall>());
    return <i32>held;
  }
  call.label = <i32>label;
  call.extra = 0;
  call.w0 = w0;
  call.w1 = w1;
  call.w2 = w2;
  call.w3 = w3;
  const result = endpointCallUser(endpointAt(held), call, 0);
  wordsToFrame(call);
  scratchPop(offsetof<IpcCall>());
  objectPut(objectAt(held));
  return result;
}

/** ipc_reply_wait: answers, then receives. */
export function nativeIpcReplyWait(endpoint: u32, label: i32, w0: u64, w1: u64, w2: u64, w3: u64): i64 {
  endpointReply(label, w0, w1, w2, w3);
  const held = handleLookup(endpoint, CapKind.ENDPOINT, CapRight.RECEIVE);
  if (isErrPtr(held)) return <i32>held;
  const call = ipcCallAt(scratchPush(offsetof<IpcCall>()));
  let result = endpointReceive(endpointAt(held), call, 0);
  if (result == <i32>Received.CALL) {
    trapFrameOf(currentTask().frame).rdi = call.badge;
    wordsToFrame(call);
    result = call.label;
  } else if (result == <i32>Received.BITS) {
    trapFrameOf(currentTask().frame).rdx = call.w0;
    result = IPC_NOTIFIED;
  }
  scratchPop(offsetof<IpcCall>());
  objectPut(objectAt(held));
  return result;
}

function wordsToFrame(call: IpcCall): void {
  const frame = trapFrameOf(currentTask().frame);
  frame.rdx = call.w0;
  frame.r10 = call.w1;
  frame.r8 = call.w2;
  frame.r9 = call.w3;
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

export function nativeNotificationTimer(notification: u32, bits: u64, deadlineNs: u64, periodNs: u64): i64 {
  const n = handleLookup(notification, CapKind.NOTIFICATION, CapRight.SIGNAL | CapRight.WAIT);
  if (isErrPtr(n)) return <i32>n;
  notificationTimer(notificationAt(n), bits & BITS, deadlineNs, periodNs);
  objectPut(objectAt(n));
  return 0;
}

export function nativeTimeNow(): i64 {
  return <i64>monoNowNs();
}
