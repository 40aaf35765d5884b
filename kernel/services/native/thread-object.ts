/**
 * THREAD capabilities: control over one thread. thread_open, thread_next, thread_suspend, thread_resume, thread_schedule; what thread_info
 * tells is in thread-info.ts.
 *
 * Invariants  H1  an object names its thread by number and birth, and holds no reference to it: a thread that ended takes its number along.
 *             H2  a thread that was suspended by an object goes on when nobody can name that object any more: its suspender died, or
 *                 was revoked. Such an object suspends no more, though a call that found it before may be under way.
 * Locking     processLock guards suspends and isOrphaned, together with the suspension itself.
 */
import { CapKind, CapRight } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { KObject, objectAt, objectIgnore, objectInit, objectKindSet, objectPut } from "../../core/cap/object";
import { kfree, kzalloc } from "../../core/mm/slab";
import { schedSetPolicy } from "../../core/sched/policy";
import { Task, TaskFlag, taskOf } from "../../core/sched/task";
import { taskPut } from "../../core/sched/task-table";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { Process, processOf, taskProcess } from "../process/process";
import { processGet, processLock, processPut } from "../process/process-table";
import { policyIsRt, policyIsSound } from "../process/sys-sched";
import { threadResumeLocked, threadSuspendAwait, threadSuspendLocked } from "../signal/thread-suspend";
import { procNextTid, procTask } from "../vfs/proc/subject";
import { isErrPtr } from "../vfs/types";
import { processIsGuarded, processObjectOf } from "./process-object";
import { handleGiveUnder, handleLookup } from "./process-space";

@final @unmanaged
export class ThreadObject {
  object: u64;  // a KObject held by value
  object1: u64;
  process: u32; // Process, one reference
  tid: u32;     // H1
  startNs: u64;
  suspends: u32;   // H2
  isOrphaned: u32; // H2
}

export function threadObjectAt(object: usize): ThreadObject { return changetype<ThreadObject>(object); } // SAFETY: its kind is THREAD

export function threadObjectsInit(): void {
  objectKindSet(CapKind.THREAD, threadObjectOrphaned, objectIgnore, threadObjectDestroy);
}

function threadObjectOrphaned(object: KObject): void {
  const thread = threadObjectAt(changetype<usize>(object));
  const task = threadTask(thread);
  spinLock(processLock);
  thread.isOrphaned = 1;
  if (task && thread.suspends != 0) threadResumeLocked(task); // H2
  spinUnlock(processLock);
  if (task) taskPut(task);
}

function threadObjectDestroy(object: KObject): void {
  processPut(processOf(threadObjectAt(changetype<usize>(object)).process));
  kfree(changetype<usize>(object));
}

export function nativeThreadOpen(process: u32, tid: i32): i64 {
  const control = handleLookup(process, CapKind.PROCESS, CapRight.MANAGE);
  if (isErrPtr(control)) return <i32>control;
  const owner = processObjectOf(control);
  const task = tid > 0 ? procTask(owner, <u32>tid) : null;
  let result: i64 = -Errno.SRCH;
  if (task && !threadHasEnded(task)) result = threadGive(owner, task, process);
  if (task) taskPut(task);
  objectPut(objectAt(control));
  return result;
}

/** A capability on `task` for the caller, with what `control`, its handle on the process, allows. */
function threadGive(process: Process, task: Task, control: u32): i64 {
  const address = kzalloc(offsetof<ThreadObject>());
  if (address == 0) return -Errno.NOMEM;
  objectInit(objectAt(address), CapKind.THREAD);
  const thread = threadObjectAt(address);
  thread.process = <u32>changetype<usize>(process);
  processGet(process);
  thread.tid = task.tid;
  thread.startNs = task.startNs;
  return handleGiveUnder(control, objectAt(address), CapRight.READ | CapRight.WRITE | CapRight.MANAGE | CapRight.GRANT);
}

export function nativeThreadNext(process: u32, after: i32): i64 {
  const control = handleLookup(process, CapKind.PROCESS, CapRight.MANAGE);
  if (isErrPtr(control)) return <i32>control;
  const tid = after < 0 ? 0 : procNextTid(processObjectOf(control), <u32>after + 1);
  objectPut(objectAt(control));
  return tid == 0 ? -Errno.SRCH : tid;
}

function threadHasEnded(task: Task): bool {
  return (atomic.load<u32>(changetype<usize>(task) + offsetof<Task>("flags")) & TaskFlag.EXITING) != 0;
}

/** The live thread behind the running process's handle with a reference (taskPut), or a negated errno as pointer. */
export function threadLookup(handle: u32, rights: u32): usize {
  const held = handleLookup(handle, CapKind.THREAD, rights);
  if (isErrPtr(held)) return held;
  const found = threadOfHeld(held, handle);
  objectPut(objectAt(held));
  return found;
}

/** threadLookup of an object that `handle` named just now. */
function threadOfHeld(held: usize, handle: u32): usize {
  const task = threadTask(threadObjectAt(held));
  if (!task) return <usize>-Errno.STALE;
  if (!processIsGuarded(taskProcess(task), handle, CapKind.THREAD)) return changetype<usize>(task);
  taskPut(task);
  return <usize>-Errno.PERM;
}

/** The live thread of an object with a reference, or null (H1). */
function threadTask(thread: ThreadObject): Task | null {
  const task = procTask(processOf(thread.process), thread.tid);
  if (!task || (task.startNs == thread.startNs && !threadHasEnded(task))) return task;
  taskPut(task);
  return null;
}

export function nativeThreadSuspend(thread: u32): i64 {
  const found = suspendsSet(thread, 1);
  if (isErrPtr(found)) return <i32>found;
  const result = threadSuspendAwait(taskOf(<u32>found));
  taskPut(taskOf(<u32>found));
  return result;
}

export function nativeThreadResume(thread: u32): i64 {
  const found = suspendsSet(thread, 0);
  if (isErrPtr(found)) return <i32>found;
  taskPut(taskOf(<u32>found));
  return 0;
}

/** threadLookup for who suspends (1) or resumes (0), which is done and remembered by the object. */
function suspendsSet(handle: u32, suspends: u32): usize {
  const held = handleLookup(handle, CapKind.THREAD, CapRight.MANAGE);
  if (isErrPtr(held)) return held;
  let found = threadOfHeld(held, handle);
  if (!isErrPtr(found) && !suspendsTell(threadObjectAt(held), taskOf(<u32>found), suspends)) {
    taskPut(taskOf(<u32>found));
    found = <usize>-Errno.STALE;
  }
  objectPut(objectAt(held));
  return found;
}

/** Suspends or resumes the object's thread; false when the object is orphaned (H2). */
function suspendsTell(thread: ThreadObject, task: Task, suspends: u32): bool {
  spinLock(processLock);
  const isNamed = thread.isOrphaned == 0;
  if (isNamed) {
    thread.suspends = suspends;
    if (suspends != 0) threadSuspendLocked(task);
    else threadResumeLocked(task);
  }
  spinUnlock(processLock);
  return isNamed;
}

export function nativeThreadSchedule(thread: u32, policy: u32, priority: u32): i64 {
  if (!policyIsSound(policy, priority)) return -Errno.INVAL;
  const found = threadLookup(thread, policyIsRt(policy) ? CapRight.MANAGE | CapRight.WRITE : CapRight.MANAGE);
  if (isErrPtr(found)) return <i32>found;
  schedSetPolicy(taskOf(<u32>found), policy, priority);
  taskPut(taskOf(<u32>found));
  return 0;
}
