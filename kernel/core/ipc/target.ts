/**
 * What a thread called and received on last, looked up: servers and their callers use the same handle again and again.
 *
 * Invariants  G1  an endpoint kept with an epoch is what its handle named, with the right it was looked up for, at every moment of that
 *                 epoch; each kept endpoint is one reference. Epoch 0 keeps nothing.
 *             G2  a thread begins to wait, and takes what waits for it, only in the epoch of its look-up, as seen under the endpoint's lock. Who
 *                 takes a right away counts the epoch on, then rouses the endpoint's receivers under that lock: so none waits on without it.
 * Locking     the fields are their thread's own.
 */
import { objectAt, objectPut } from "../cap/object";
import { BadgeOut, capEpoch } from "../cap/space";
import { Task } from "../sched/task";

/** True when `handle` names the kept endpoint for a call of the running thread. */
export function callTargetIsKnown(task: Task, handle: u32): bool {
  return task.ipcCallHandle == handle && task.ipcCallEpoch == capEpoch();
}

/** True when `handle` names the kept endpoint for receiving. */
export function waitTargetIsKnown(task: Task, handle: u32): bool {
  return task.ipcWaitHandle == handle && task.ipcWaitEpoch == capEpoch();
}

/** G2, for a thread that receives. */
export function waitIsCurrent(task: Task): bool { return task.ipcWaitEpoch == capEpoch(); }

/** Where the look-up for the next callTargetKeep puts the badge. */
export function callBadgeOut(task: Task): BadgeOut {
  // SAFETY: a word of the task
  return changetype<BadgeOut>(changetype<usize>(task) + offsetof<Task>("ipcCallBadge"));
}

/** Keeps a look-up that began at `epoch`; takes over the reference to `endpoint`. */
export function callTargetKeep(task: Task, handle: u32, endpoint: u32, epoch: u64): void {
  task.ipcCallHandle = handle;
  task.ipcCallTarget = endpoint;
  task.ipcCallEpoch = epoch;
}

export function waitTargetKeep(task: Task, handle: u32, endpoint: u32, epoch: u64): void {
  task.ipcWaitHandle = handle;
  task.ipcWaitTarget = endpoint;
  task.ipcWaitEpoch = epoch;
}

/** Forgets what was kept for calls, and gives its reference back. */
export function callTargetDrop(task: Task): void {
  const endpoint = task.ipcCallTarget;
  callTargetKeep(task, 0, 0, 0);
  if (endpoint != 0) objectPut(objectAt(endpoint));
}

export function waitTargetDrop(task: Task): void {
  const endpoint = task.ipcWaitTarget;
  waitTargetKeep(task, 0, 0, 0);
  if (endpoint != 0) objectPut(objectAt(endpoint));
}
