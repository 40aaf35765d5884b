/**
 * Endpoints: where calls from any thread (or a kernel service) meet the threads that receive them.
 *
 *   caller:   QUEUED ──taken──▶ TAKEN ──reply──▶ DONE         a label, four words, maybe a parcel each way (parcel.ts)
 *               │                 │
 *               └──── the endpoint or the receiving thread dies, or the message does not fit ──▶ REFUSED with the reason
 *
 * The two ends are call.ts and receive.ts; this file is the object, its queues and its end. Words travel in TrapFrames: for most calls
 * the very registers of the two programs, so that a message is moved once.
 *
 * Invariants  E1  a call on `queue` is QUEUED; one TAKEN is its receiver's Task.ipcCall, and nobody else's.
 *             E2  a call lives in its caller's scratch memory: the caller leaves only when it is over (callIsOver), or after it has
 *                 taken it off the queue or out of Task.ipcCall.
 *             E3  a dead endpoint has no queue and no receivers, and takes no call.
 *             E4  receivers wait only while no call is queued: one of the two lists is empty.
 *             E5  a thread is on `receivers` exactly while its ipcState is WAITING.
 *             E6  who ends another's wait is done with its task and its call before the endpoint's lock is free, and a woken thread takes
 *                 that lock once, unless it was handed the CPU (WakeReason.HANDOFF): then its waker sleeps already.
 *             E7  a thread is `server` only while its Task.ipcEndpoint is this endpoint.
 *             E8  queueLoan is the most of the loans of queued calls. A thread is lent (Task.lent) the most of what the caller runs at whose
 *                 call it took, and, if it is `server`, of queueLoan. Receivers are lent nothing, by E4.
 * Locking     Endpoint.lock (Rank.ENDPOINT) guards the lists, the calls and the ipc fields and loans of its threads; run queues are locked below it.
 */
import { trapFrameOf } from "../../../arch/current";
import { CapKind, IPC_NOTIFIED } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { ListNode, listAppend, listEmpty, listInit, listInsertAfter, listNodeAt, listRemove, listSame, listUnlink, ownerOf } from "../../lib/list";
import { Rank } from "../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinLockAt, spinUnlock } from "../../lib/spinlock";
import { KObject, objectAt, objectGet, objectIgnore, objectInit, objectKindSet, objectPut, objectUnheardSet } from "../cap/object";
import { kfree, kzalloc } from "../mm/slab";
import { loanMax, loanOf, schedLend } from "../sched/policy";
import { taskWake } from "../sched/sched";
import { Task, taskOf, WakeReason } from "../sched/task";
import { Notification, notificationAt, notificationBind, notificationObject, notificationsInit } from "./notification";

@final @unmanaged
export class Endpoint {
  object: u64;       // a KObject held by value
  object1: u64;
  lock: u64;         // a SpinLock held by value
  lock1: u64;
  receivers: u64;    // a ListNode held by value: Task.ipcNode, latest first (E4, E5)
  queue: u64;        // a ListNode held by value: calls, oldest first
  queueLoan: u64;    // E8
  server: u32;       // Task that took the last call, 0: none, or it has left (E7)
  notification: u32; // Notification whose bits end a receive too, one reference
  isDead: u32;       // E3
  pad: u32;
}

export const enum CallState { QUEUED = 0, TAKEN = 1, DONE = 2, REFUSED = 3 }

/** Greatest number that a result of -4095 … -1 stands for. */
const ERRNO_MAX: u32 = 4095;

/** A call on its way. */
@final @unmanaged
export class IpcCall {
  node: u64;      // a ListNode held by value
  state: u32;     // CallState
  caller: u32;    // Task
  server: u32;    // Task that took it
  label: i32;     // the request's, then the result
  badge: u64;
  loan: u64;      // while QUEUED: what its caller ran at when it began to wait (policy.ts)
  registers: u32; // TrapFrame with the request's words (rdx r10 r8 r9), then the reply's
  parcel: u32;    // Parcel of the request until TAKEN, of the reply when DONE; 0: words only
  roomBytes: u32; // what may come back
  roomCaps: u32;
}

/** What a thread does at an endpoint (Task.ipcState). */
export const enum ReceiveState { NONE = 0, WAITING = 1, HANDED = 2 }

export function endpointAt(address: usize): Endpoint { return changetype<Endpoint>(address); } // SAFETY: the caller names one
export function endpointObject(ep: Endpoint): KObject { return objectAt(changetype<usize>(ep)); }
export function ipcCallAt(address: usize): IpcCall { return changetype<IpcCall>(address); } // SAFETY: the caller names one
export function endpointLock(ep: Endpoint): SpinLock { return spinLockAt(changetype<usize>(ep) + offsetof<Endpoint>("lock")); }
export function callQueue(ep: Endpoint): ListNode { return listNodeAt(changetype<usize>(ep) + offsetof<Endpoint>("queue")); }
export function callNode(call: IpcCall): ListNode { return listNodeAt(changetype<usize>(call)); }
export function callFirst(ep: Endpoint): IpcCall { return ipcCallAt(changetype<usize>(callQueue(ep).next)); }
function receiversOf(ep: Endpoint): ListNode { return listNodeAt(changetype<usize>(ep) + offsetof<Endpoint>("receivers")); }
function receiveNode(task: Task): ListNode { return listNodeAt(changetype<usize>(task) + offsetof<Task>("ipcNode")); }

/** Nothing more happens to the call: its caller may leave (E2). */
export function callIsOver(call: IpcCall): bool { return call.state >= <u32>CallState.DONE; }

/** Whether a request may bear `label`: to its receiver, negative is why nothing came, and IPC_NOTIFIED is bits. */
export function labelIsRequest(label: i32): bool { return <u32>label < <u32>IPC_NOTIFIED; }

/** Whether a reply may: what a request may, or a negated errno. */
export function labelIsReply(label: i32): bool { return <u32>label + ERRNO_MAX < <u32>IPC_NOTIFIED + ERRNO_MAX; }

export function endpointsInit(): void {
  notificationsInit(receiverWake);
  objectKindSet(CapKind.ENDPOINT, objectIgnore, endpointDie, endpointDestroy);
  objectUnheardSet(CapKind.ENDPOINT, endpointUnheard);
}

/** An endpoint with one reference, the caller's; null when memory is full. */
export function endpointCreate(): Endpoint | null {
  const address = kzalloc(offsetof<Endpoint>());
  if (address == 0) return null;
  const ep = endpointAt(address);
  objectInit(endpointObject(ep), CapKind.ENDPOINT);
  spinInit(endpointLock(ep), Rank.ENDPOINT);
  listInit(receiversOf(ep));
  listInit(callQueue(ep));
  return ep;
}

/** Nobody may receive any more: calls that wait fail (E3). */
function endpointDie(object: KObject): void {
  const ep = endpointAt(changetype<usize>(object));
  spinLock(endpointLock(ep));
  ep.isDead = 1;
  while (!listEmpty(callQueue(ep))) callRefuseLocked(ep, callFirst(ep), -Errno.PIPE);
  while (!listEmpty(receiversOf(ep))) receiverRouseLocked(ep);
  spinUnlock(endpointLock(ep));
  endpointBind(ep, null);
}

/** Some thread may have lost the right to receive: each that waits looks its handle up again (receive.ts). */
function endpointUnheard(object: KObject): void {
  const ep = endpointAt(changetype<usize>(object));
  spinLock(endpointLock(ep));
  while (!listEmpty(receiversOf(ep))) receiverRouseLocked(ep);
  spinUnlock(endpointLock(ep));
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
  spinLock(endpointLock(ep));
  const old = ep.notification;
  ep.notification = n ? <u32>changetype<usize>(n) : 0;
  spinUnlock(endpointLock(ep));
  if (old == 0) return true;
  if (old != ep.notification) notificationBind(notificationAt(old), 0);
  objectPut(objectAt(old));
  return true;
}

/** A bound notification has bits. Its lock is held. */
function receiverWake(endpoint: u32): void {
  const ep = endpointAt(endpoint);
  spinLock(endpointLock(ep));
  if (!listEmpty(receiversOf(ep))) receiverRouseLocked(ep);
  spinUnlock(endpointLock(ep));
}

/** Makes the first receiver look around again: it is no receiver until it waits anew. */
export function receiverRouseLocked(ep: Endpoint): void {
  const task = receiverFirstLocked(ep);
  receiverRemoveLocked(task);
  taskWake(task, WakeReason.EVENT);
}

/** Whether somebody waits for a call. */
export function receiverIsThereLocked(ep: Endpoint): bool { return !listEmpty(receiversOf(ep)); }

/** The receiver that came last: its memory is the warmest. There is one. */
export function receiverFirstLocked(ep: Endpoint): Task {
  return ownerOf<Task>(receiversOf(ep).next, offsetof<Task>("ipcNode"));
}

export function receiverAddLocked(ep: Endpoint, task: Task): void {
  if (task.ipcState == <u32>ReceiveState.WAITING) return;
  receiverPutLocked(ep, task);
}

export function receiverRemoveLocked(task: Task): void {
  if (task.ipcState == <u32>ReceiveState.WAITING) listRemove(receiveNode(task));
  task.ipcState = ReceiveState.NONE;
}

/** receiverRemoveLocked of a task that waits. */
export function receiverTakeLocked(task: Task): void {
  listUnlink(receiveNode(task));
  task.ipcState = ReceiveState.NONE;
}

/** receiverAddLocked of a task that does not wait yet. */
export function receiverPutLocked(ep: Endpoint, task: Task): void {
  listInsertAfter(receiversOf(ep), receiveNode(task));
  task.ipcState = ReceiveState.WAITING; // E5
}

/** The four words of a message, from one program's registers to another's. */
export function wordsMove(to: usize, from: usize): void {
  const source = trapFrameOf(from);
  const target = trapFrameOf(to);
  target.rdx = source.rdx;
  target.r10 = source.r10;
  target.r8 = source.r8;
  target.r9 = source.r9;
}

/** Ends a call that nobody will answer; its caller keeps what it wanted to send. */
export function callRefuseLocked(ep: Endpoint, call: IpcCall, reason: i32): void {
  if (call.state == CallState.QUEUED) callUnqueueLocked(ep, call);
  call.label = reason;
  call.state = CallState.REFUSED;
  taskWake(taskOf(call.caller), WakeReason.EVENT); // E6
}

/** Nobody receives: the call waits, and who took the last one runs at what this one's caller runs at, at least. */
export function callQueueLocked(ep: Endpoint, call: IpcCall): void {
  call.loan = loanOf(taskOf(call.caller));
  listAppend(callQueue(ep), callNode(call));
  ep.queueLoan = loanMax(ep.queueLoan, call.loan); // E8
  lendServerLocked(ep);
}

/** Takes a call off the queue whose caller waits no more. */
export function callUnqueueLocked(ep: Endpoint, call: IpcCall): void {
  callDequeueLocked(ep, call);
  lendServerLocked(ep);
}

/** Takes a call off the queue that a thread takes: callGiveLocked must follow, which lends. */
export function callDequeueLocked(ep: Endpoint, call: IpcCall): void {
  listRemove(callNode(call));
  const was = ep.queueLoan;
  const priority = <u32>(was >> PRIORITY_SHIFT);
  const hasMost = priority != 0 && <u32>(call.loan >> PRIORITY_SHIFT) == priority;
  const weighsMost = <u32>call.loan == <u32>was;
  const left = hasMost ? queueMostLocked(ep, PRIORITY_SHIFT, priority) : priority;
  ep.queueLoan = <u64>left << PRIORITY_SHIFT | (weighsMost ? queueMostLocked(ep, 0, <u32>was) : <u32>was);
}

/** Where the priority stands in a loan (policy.ts); the weight is the lower half. */
const PRIORITY_SHIFT: u64 = 32;

/**
 * The most of a half of the loans that wait, no more than `bound`. It looks at calls up to the first that has that much: those it passed in
 * vain go without a look, so that each is looked at about once while it waits.
 */
function queueMostLocked(ep: Endpoint, shift: u64, bound: u32): u32 {
  let most: u32 = 0;
  for (let node = callQueue(ep).next; !listSame(node, callQueue(ep)) && most != bound; node = node.next) {
    most = max<u32>(most, <u32>(ipcCallAt(changetype<usize>(node)).loan >> shift));
  }
  return most;
}

/** Lends `task`, which is on `ep`, what E8 says. */
export function lendLocked(ep: Endpoint, task: Task): void {
  const own = task.ipcCall != 0 ? loanOf(taskOf(ipcCallAt(task.ipcCall).caller)) : 0;
  schedLend(task, ep.server == <u32>changetype<usize>(task) ? loanMax(own, ep.queueLoan) : own);
}

function lendServerLocked(ep: Endpoint): void {
  if (ep.server != 0) lendLocked(ep, taskOf(ep.server)); // E7: it is alive
}

/** `task`, which owes nothing, will not take calls here any more (E7). */
export function endpointLeave(ep: Endpoint, task: Task): void {
  spinLock(endpointLock(ep));
  if (ep.server == <u32>changetype<usize>(task)) ep.server = 0;
  lendLocked(ep, task);
  spinUnlock(endpointLock(ep));
}

/** The thread owes nothing for the call any more; its caller lends it nothing. */
export function callLeaveServerLocked(ep: Endpoint, task: Task): void {
  task.ipcCall = 0;
  lendLocked(ep, task);
}
