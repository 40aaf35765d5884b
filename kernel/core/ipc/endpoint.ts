/**
 * Endpoints: synchronous calls from any thread (or a kernel service) to the threads that receive on them.
 *
 *   caller:   QUEUED ──taken──▶ TAKEN ──reply──▶ DONE        a label and four words each way
 *               │                 │
 *               └──── the endpoint or the receiving thread dies ──▶ DONE with -EPIPE
 *
 * Invariants  E1  a call on `queue` is QUEUED; one TAKEN is its receiver's Task.ipcCall, and nobody else's.
 *             E2  a call lives in its caller's scratch memory: the caller leaves only when it is DONE, or after it has
 *                 taken it off the queue or out of Task.ipcCall.
 *             E3  a dead endpoint has an empty queue and takes no call.
 * Locking     Endpoint.lock (Rank.ENDPOINT) guards the queue, its calls and the ipcCall of receivers on it.
 */
import { CapKind } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { ListNode, listAppend, listEmpty, listInit, listNodeAt, listRemove } from "../../lib/list";
import { Rank } from "../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinLockAt, spinUnlock } from "../../lib/spinlock";
import { KObject, objectAt, objectGet, objectIgnore, objectInit, objectKindSet, objectPut } from "../cap/object";
import { kfree, kzalloc } from "../mm/slab";
import { currentTask } from "../sched/cpu";
import { scratchPop, scratchPush } from "../sched/scratch";
import { Task, taskOf } from "../sched/task";
import { WaitQueue, waitQueueAt, waitQueueInit, waitSleep, waitSleepKillable, waitSleepUninterruptible, wakeUpAll, wakeUpOne } from "../sync/wait-queue";
import {
  Notification, notificationAt, notificationBind, notificationIsSet, notificationObject, notificationTake, notificationsInit,
} from "./notification";

@final @unmanaged
export class Endpoint {
  object: u64;       // a KObject held by value
  object1: u64;
  lock: u64;         // a SpinLock held by value
  lock1: u64;
  wait: u64;         // a WaitQueue held by value: receivers
  wait1: u64;
  wait2: u64;
  wait3: u64;
  queue: u64;        // a ListNode held by value: calls, oldest first
  notification: u32; // Notification whose bits end a receive too, one reference
  isDead: u32;       // E3
}

export const enum CallState { QUEUED = 0, TAKEN = 1, DONE = 2 }

/** A call on its way. `label` and words: the request's until DONE, then the reply's. */
@final @unmanaged
export class IpcCall {
  node: u64;    // a ListNode held by value
  wait: u64;    // a WaitQueue held by value: the caller
  wait1: u64;
  wait2: u64;
  wait3: u64;
  state: u32;   // CallState
  server: u32;  // Task that took it
  badge: u64;
  w0: u64;
  w1: u64;
  w2: u64;
  w3: u64;
  label: i32;
  extra: u32;   // a LongMessage the caller made, 0: words only
}

export function endpointAt(address: usize): Endpoint { return changetype<Endpoint>(address); } // SAFETY: the caller names one
export function endpointObject(ep: Endpoint): KObject { return objectAt(changetype<usize>(ep)); }
export function ipcCallAt(address: usize): IpcCall { return changetype<IpcCall>(address); } // SAFETY: the caller names one
function lockOf(ep: Endpoint): SpinLock { return spinLockAt(changetype<usize>(ep) + offsetof<Endpoint>("lock")); }
function waitOf(ep: Endpoint): WaitQueue { return waitQueueAt(changetype<usize>(ep) + offsetof<Endpoint>("wait")); }
function queueOf(ep: Endpoint): ListNode { return listNodeAt(changetype<usize>(ep) + offsetof<Endpoint>("queue")); }
function callWait(call: IpcCall): WaitQueue { return waitQueueAt(changetype<usize>(call) + offsetof<IpcCall>("wait")); }
function callNode(call: IpcCall): ListNode { return listNodeAt(changetype<usize>(call)); }

export function endpointsInit(): void {
  notificationsInit(receiverWake);
  objectKindSet(CapKind.ENDPOINT, objectIgnore, endpointDie, endpointDestroy);
}

/** An endpoint with one reference, the caller's; null when memory is full. */
export function endpointCreate(): Endpoint | null {
  const address = kzalloc(offsetof<Endpoint>());
  if (address == 0) return null;
  const ep = endpointAt(address);
  objectInit(endpointObject(ep), CapKind.ENDPOINT);
  spinInit(lockOf(ep), Rank.ENDPOINT);
  waitQueueInit(waitOf(ep));
  listInit(queueOf(ep));
  return ep;
}

/** Nobody may receive any more: calls that wait fail (E3). */
function endpointDie(object: KObject): void {
  const ep = endpointAt(changetype<usize>(object));
  spinLock(lockOf(ep));
  ep.isDead = 1;
  while (!listEmpty(queueOf(ep))) callEndLocked(ipcCallAt(changetype<usize>(queueOf(ep).next)), -Errno.PIPE);
  wakeUpAll(waitOf(ep));
  spinUnlock(lockOf(ep));
  endpointBind(ep, null);
}

function endpointDestroy(object: KObject): void {
  const ep = endpointAt(changetype<usize>(object));
  endpointBind(ep, null);
  kfree(changetype<usize>(object));
}

/** The notification whose bits end a receive as well (null: none). False when it is another endpoint's. */
export function endpointBind(ep: Endpoint, n: Notification | null): bool {
  if (n && !notificationBind(n, <u32>changetype<usize>(ep))) return false;
  if (n) objectGet(notificationObject(n));
  spinLock(lockOf(ep));
  const old = ep.notification;
  ep.notification = n ? <u32>changetype<usize>(n) : 0;
  spinUnlock(lockOf(ep));
  if (old == 0) return true;
  if (old != ep.notification) notificationBind(notificationAt(old), 0);
  objectPut(objectAt(old));
  return true;
}

/** A bound notification has bits. Its lock is held. */
function receiverWake(endpoint: u32): void {
  const ep = endpointAt(endpoint);
  spinLock(lockOf(ep));
  wakeUpOne(waitOf(ep));
  spinUnlock(lockOf(ep));
}

/** The answer stands in the call; its caller goes on. */
function callEndLocked(call: IpcCall, label: i32): void {
  listRemove(callNode(call));
  call.label = label;
  call.state = CallState.DONE;
  wakeUpOne(callWait(call));
}

/** Takes a call back that nobody will wait for any more (E2). */
function callAbortLocked(call: IpcCall): void {
  if (call.state == CallState.QUEUED) listRemove(callNode(call));
  if (call.state == CallState.TAKEN) taskOf(call.server).ipcCall = 0;
}

const enum Patience { SIGNALS = 0, KILL_ONLY = 1, ENDLESS = 2 }

/**
 * Makes the call that `call` describes (label, badge, words, extra) and waits for its reply, which replaces them. The reply's label;
 * -EPIPE when nobody is there to answer, -EINTR, -ETIMEDOUT. A kernel service waits until it is answered or its process is killed.
 */
function endpointCall(ep: Endpoint, call: IpcCall, deadlineNs: u64, patience: Patience): i32 {
  listInit(callNode(call));
  waitQueueInit(callWait(call));
  call.state = CallState.QUEUED;
  spinLock(lockOf(ep));
  const result = callLocked(ep, call, deadlineNs, patience);
  spinUnlock(lockOf(ep));
  return result;
}

function callLocked(ep: Endpoint, call: IpcCall, deadlineNs: u64, patience: Patience): i32 {
  if (ep.isDead) return -Errno.PIPE;
  listAppend(queueOf(ep), callNode(call));
  wakeUpOne(waitOf(ep));
  while (call.state != CallState.DONE) {
    const woken = patience == Patience.SIGNALS
      ? waitSleep(callWait(call), lockOf(ep), deadlineNs)
      : patience == Patience.KILL_ONLY ? waitSleepKillable(callWait(call), lockOf(ep), deadlineNs) : sleepEndless(call, ep);
    if (woken == 0 || call.state == CallState.DONE) continue;
    callAbortLocked(call);
    return woken;
  }
  return call.label;
}

function sleepEndless(call: IpcCall, ep: Endpoint): i32 {
  waitSleepUninterruptible(callWait(call), lockOf(ep));
  return 0;
}

/** ipc_call of a thread: signals end it. */
export function endpointCallUser(ep: Endpoint, call: IpcCall, deadlineNs: u64): i32 {
  return endpointCall(ep, call, deadlineNs, Patience.SIGNALS);
}

/** Words of a call that a kernel service makes; the reply's words replace the request's. */
@final @unmanaged
export class KernelMessage {
  label: u32;
  pad: u32;
  w0: u64;
  w1: u64;
  w2: u64;
  w3: u64;
}

/** A kernel service's call that must be known to have happened or not: ended by its answer or the server's death (-EPIPE) alone. */
export function endpointCallSure(ep: Endpoint, message: KernelMessage): i32 {
  return kernelCall(ep, message, 0, Patience.ENDLESS);
}

/** A kernel service's call: ended by its answer, the server's death (-EPIPE), `deadlineNs` or the caller's SIGKILL (-EINTR). */
export function endpointCallKernel(ep: Endpoint, message: KernelMessage, deadlineNs: u64): i32 {
  return kernelCall(ep, message, deadlineNs, Patience.KILL_ONLY);
}

function kernelCall(ep: Endpoint, message: KernelMessage, deadlineNs: u64, patience: Patience): i32 {
  const call = ipcCallAt(scratchPush(offsetof<IpcCall>()));
  call.label = <i32>message.label;
  call.badge = 0;
  call.extra = 0;
  call.w0 = message.w0;
  call.w1 = message.w1;
  call.w2 = message.w2;
  call.w3 = message.w3;
  const result = endpointCall(ep, call, deadlineNs, patience);
  message.w0 = call.w0;
  message.w1 = call.w1;
  message.w2 = call.w2;
  message.w3 = call.w3;
  scratchPop(offsetof<IpcCall>());
  return result;
}

/** Answers the call the running task took last, if its caller still waits. True when somebody was answered. */
export function endpointReply(label: i32, w0: u64, w1: u64, w2: u64, w3: u64): bool {
  const task = currentTask();
  if (task.ipcEndpoint == 0) return false;
  const ep = endpointAt(task.ipcEndpoint);
  spinLock(lockOf(ep));
  const address = task.ipcCall;
  if (address != 0) {
    const call = ipcCallAt(address);
    call.w0 = w0;
    call.w1 = w1;
    call.w2 = w2;
    call.w3 = w3;
    task.ipcCall = 0;
    callEndLocked(call, label);
  }
  spinUnlock(lockOf(ep));
  task.ipcEndpoint = 0;
  objectPut(endpointObject(ep));
  return address != 0;
}

/** What a receive ended with, besides a negated errno. */
export const enum Received { CALL = 0, BITS = 1 }

/**
 * Waits for a call or for bits of the bound notification. CALL: `out` holds a copy of label, badge and words, and the task owes a
 * reply. BITS: out.w0 has them. -EPIPE when the endpoint is dead, -EINTR, -ETIMEDOUT.
 */
export function endpointReceive(ep: Endpoint, out: IpcCall, deadlineNs: u64): i32 {
  spinLock(lockOf(ep));
  const result = receiveLocked(ep, out, deadlineNs);
  spinUnlock(lockOf(ep));
  if (result == <i32>Received.BITS) out.w0 = notificationTake(notificationAt(ep.notification));
  return result;
}

function receiveLocked(ep: Endpoint, out: IpcCall, deadlineNs: u64): i32 {
  while (true) {
    if (ep.isDead) return -Errno.PIPE;
    if (ep.notification != 0 && notificationIsSet(notificationAt(ep.notification))) return Received.BITS;
    if (!listEmpty(queueOf(ep))) {
      callTakeLocked(ep, ipcCallAt(changetype<usize>(queueOf(ep).next)), out, currentTask());
      return Received.CALL;
    }
    const woken = waitSleep(waitOf(ep), lockOf(ep), deadlineNs);
    if (woken != 0) return woken;
  }
}

function callTakeLocked(ep: Endpoint, call: IpcCall, out: IpcCall, task: Task): void {
  listRemove(callNode(call));
  call.state = CallState.TAKEN; // E1
  call.server = <u32>changetype<usize>(task);
  task.ipcCall = <u32>changetype<usize>(call);
  task.ipcEndpoint = <u32>changetype<usize>(ep);
  objectGet(endpointObject(ep));
  out.label = call.label;
  out.badge = call.badge;
  out.w0 = call.w0;
  out.w1 = call.w1;
  out.w2 = call.w2;
  out.w3 = call.w3;
}

/** The running thread ends: who waits for its reply hears so. */
export function ipcThreadExit(): void {
  endpointReply(-Errno.PIPE, 0, 0, 0, 0);
}
