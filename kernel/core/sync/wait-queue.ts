/**
 * Wait queues: lists of tasks (or callbacks) waiting for something to happen.
 *
 * The simple form is that of a condition variable: with the spinlock of the condition held, test it, and while it does
 * not hold call waitSleep(). Wakers change the condition under the same lock and then wake.
 *
 * Invariants  V1  an entry is on a queue exactly while entry.queue != 0; the waker that takes it off clears the field.
 *             V2  the sleeper's state is set before its entry can be seen: a waker never finds it RUNNABLE too early.
 *             V3  a sleeper takes the queue's lock once after waking: no waker uses its entry, its task or the queue on
 *                 its behalf any more when it goes on.
 * Locking     WaitQueue.lock (Rank.WAIT_QUEUE) guards the list. Wakers may hold any lock of lower rank.
 */
import { mfence, monoNowNs } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { ListNode, listAppend, listEmpty, listInit, listInsertAfter, listNodeAt, listRemove, listSame } from "../../lib/list";
import { Rank } from "../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinLockAt, spinUnlock } from "../../lib/spinlock";
import { currentTask } from "../sched/cpu";
import { schedule, taskSignalPending, taskStateSet, taskWake } from "../sched/sched";
import { schedTimeout } from "../sched/sleep";
import { Task, TaskState, TaskWork, WakeReason, taskOf } from "../sched/task";

@final @unmanaged
export class WaitQueue {
  lock: u64;  // a SpinLock held by value
  lock1: u64;
  head: u64;  // a ListNode held by value: WaitEntry.node
  pad: u64;
}
if (offsetof<WaitQueue>() != 32) ERROR("structs embed a WaitQueue as 32 bytes");

/**
 * One waiter. `wake` is called with the queue locked, for callbacks only; it must not sleep, and may take locks of
 * higher rank. Callbacks stay on the queue until waitRemove; task entries leave it when they are woken.
 */
@final @unmanaged
export class WaitEntry {
  node: u64;   // a ListNode held by value
  task: u32;   // Task to wake, 0 for a callback
  queue: u32;  // WaitQueue it is on, 0: none (V1)
  flags: u32;  // WaitFlag
  data: u32;   // of the callback's owner
  wake: (entry: WaitEntry, events: u32) => void;
  pad: u32;
}
if (offsetof<WaitEntry>() != 32) ERROR("Task embeds a WaitEntry as four u64 fields");

export const enum WaitFlag {
  NONE = 0,
  EXCLUSIVE = 1, // wakeUpOne wakes one of these, and all others
}

/** How often a killable sleep looks whether its process is to end. */
const KILL_LOOK_NS: u64 = 50_000_000;

/** Events of a wake-up that names none. */
export const WAKE_ALL_EVENTS: u32 = 0xffffffff;

/** SAFETY: `address` is a WaitQueue held by value (32 bytes). */
export function waitQueueAt(address: usize): WaitQueue { return changetype<WaitQueue>(address); }
/** SAFETY: `address` is a WaitEntry held by value (32 bytes). */
export function waitEntryAt(address: usize): WaitEntry { return changetype<WaitEntry>(address); }

function lockOf(wq: WaitQueue): SpinLock { return spinLockAt(changetype<usize>(wq)); }
function headOf(wq: WaitQueue): ListNode { return listNodeAt(changetype<usize>(wq) + offsetof<WaitQueue>("head")); }
function nodeOf(entry: WaitEntry): ListNode { return listNodeAt(changetype<usize>(entry)); }

export function waitQueueInit(wq: WaitQueue): void {
  spinInit(lockOf(wq), Rank.WAIT_QUEUE);
  listInit(headOf(wq));
}

/** True when somebody waits; a hint unless the condition's lock is held. */
export function waitQueueActive(wq: WaitQueue): bool {
  mfence(); // the condition was changed before this looks
  return !listEmpty(headOf(wq));
}

/** Makes `entry` one of the running task, on no queue. */
export function waitEntryInit(entry: WaitEntry): void {
  listInit(nodeOf(entry));
  entry.task = <u32>changetype<usize>(currentTask());
  entry.queue = 0;
  entry.flags = WaitFlag.NONE;
  entry.data = 0;
}

/** Makes `entry` a callback, on no queue. */
export function waitEntryInitCallback(entry: WaitEntry, wake: (entry: WaitEntry, events: u32) => void, data: u32): void {
  waitEntryInit(entry);
  entry.task = 0;
  entry.wake = wake;
  entry.data = data;
}

/** Puts an entry on the queue: exclusive ones behind all others. */
export function waitAdd(wq: WaitQueue, entry: WaitEntry): void {
  spinLock(lockOf(wq));
  waitAddLocked(wq, entry);
  spinUnlock(lockOf(wq));
}

function waitAddLocked(wq: WaitQueue, entry: WaitEntry): void {
  entry.queue = <u32>changetype<usize>(wq);
  if (entry.flags & WaitFlag.EXCLUSIVE) listAppend(headOf(wq), nodeOf(entry));
  else listInsertAfter(headOf(wq), nodeOf(entry));
}

/** Takes an entry off `wq`, if a waker has not done so. True when it was still there. */
export function waitRemove(wq: WaitQueue, entry: WaitEntry): bool {
  spinLock(lockOf(wq));
  const wasThere = entry.queue != 0;
  if (wasThere) {
    listRemove(nodeOf(entry));
    entry.queue = 0;
  }
  spinUnlock(lockOf(wq));
  return wasThere;
}

/**
 * Announces that the running task is about to sleep in `state`: afterwards test the condition, then schedule() or
 * schedTimeout(), and waitFinish() at the end. Call it again before each further test. The entry was waitEntryInit'ed.
 */
export function waitPrepare(wq: WaitQueue, entry: WaitEntry, state: u32): void {
  spinLock(lockOf(wq));
  taskStateSet(state); // V2
  if (entry.queue == 0) waitAddLocked(wq, entry);
  spinUnlock(lockOf(wq));
}

/** Ends what waitPrepare began, woken or not. */
export function waitFinish(wq: WaitQueue, entry: WaitEntry): void {
  taskStateSet(TaskState.RUNNABLE);
  waitRemove(wq, entry); // V3
}

/** Wakes one entry. The queue is locked. True when it was a task that really slept. */
function waitEntryWake(entry: WaitEntry, events: u32): bool {
  if (entry.task == 0) {
    entry.wake(entry, events);
    return false;
  }
  const isAwake = taskWake(taskOf(entry.task), WakeReason.EVENT);
  listRemove(nodeOf(entry));
  entry.queue = 0; // V1
  return isAwake;
}

function wakeUp(wq: WaitQueue, events: u32, exclusiveCount: u32): void {
  if (!waitQueueActive(wq)) return;
  spinLock(lockOf(wq));
  const head = headOf(wq);
  let node = head.next;
  while (!listSame(node, head)) {
    const next = node.next;
    const entry = waitEntryAt(changetype<usize>(node));
    const isExclusive = (entry.flags & WaitFlag.EXCLUSIVE) != 0;
    const isAwake = waitEntryWake(entry, events);
    if (isExclusive && isAwake && --exclusiveCount == 0) break;
    node = next;
  }
  spinUnlock(lockOf(wq));
}

/** Wakes every waiter. */
export function wakeUpAll(wq: WaitQueue): void {
  wakeUp(wq, WAKE_ALL_EVENTS, 0);
}

/** Wakes all who look on (poll) and one exclusive waiter, the one who came first. */
export function wakeUpOne(wq: WaitQueue): void {
  wakeUp(wq, WAKE_ALL_EVENTS, 1);
}

/** Wakes every waiter; callbacks learn which PollEvents happened. */
export function wakeUpPoll(wq: WaitQueue, events: u32): void {
  wakeUp(wq, events, 0);
}

/** As wakeUpPoll, but at most one exclusive waiter (pipes: one reader can take the data). */
export function wakeUpOnePoll(wq: WaitQueue, events: u32): void {
  wakeUp(wq, events, 1);
}

/** Wakes every waiter; the old name of wakeUpAll for sleeps that signals may end. */
export function wakeUpInterruptible(wq: WaitQueue): void {
  wakeUp(wq, WAKE_ALL_EVENTS, 0);
}

/** The entry inside the running task, for waits that nest nothing. */
export function waitEntryOwn(task: Task): WaitEntry {
  return waitEntryAt(changetype<usize>(task) + offsetof<Task>("waitEntry"));
}

/** Queues the running task's own entry; the state is set with it (V2). */
function waitOwnBegin(wq: WaitQueue, state: u32): WaitEntry {
  const entry = waitEntryOwn(currentTask());
  waitEntryInit(entry);
  entry.flags = WaitFlag.EXCLUSIVE;
  waitPrepare(wq, entry, state);
  return entry;
}

/** What a sleep ended with: 0 when woken by an event, else -ETIMEDOUT or -EINTR. */
function waitOwnEnd(wq: WaitQueue, entry: WaitEntry, timeout: i32): i32 {
  if (!waitRemove(wq, entry)) return 0; // the waker took it off
  if (taskSignalPending(currentTask())) return -Errno.INTR;
  return timeout;
}

/**
 * Sleeps until woken: gives `lock` up once it is on the queue and takes it again before it returns. `deadlineNs` 0: no
 * limit. 0 when woken (maybe for nothing: test the condition again), -EINTR for a signal, -ETIMEDOUT.
 */
export function waitSleep(wq: WaitQueue, lock: SpinLock, deadlineNs: u64): i32 {
  const entry = waitOwnBegin(wq, TaskState.SLEEPING);
  spinUnlock(lock);
  const result = waitOwnEnd(wq, entry, schedTimeout(deadlineNs));
  spinLock(lock);
  return result;
}

/** The same, deaf to signals and without a limit. */
export function waitSleepUninterruptible(wq: WaitQueue, lock: SpinLock): void {
  const entry = waitOwnBegin(wq, TaskState.UNINTERRUPTIBLE);
  spinUnlock(lock);
  schedule();
  waitFinish(wq, entry);
  spinLock(lock);
}

/**
 * waitSleep that only the death of the process ends early: -EINTR then. Such a sleep is long only when something is broken, so it
 * looks every KILL_LOOK_NS instead of having a state of its own.
 */
export function waitSleepKillable(wq: WaitQueue, lock: SpinLock, deadlineNs: u64): i32 {
  while (true) {
    const entry = waitOwnBegin(wq, TaskState.UNINTERRUPTIBLE);
    spinUnlock(lock);
    const look = monoNowNs() + KILL_LOOK_NS;
    schedTimeout(deadlineNs != 0 && deadlineNs < look ? deadlineNs : look);
    const wasThere = waitRemove(wq, entry);
    spinLock(lock);
    if (!wasThere) return 0;
    if (atomic.load<u32>(changetype<usize>(currentTask())) & TaskWork.EXIT) return -Errno.INTR;
    if (deadlineNs != 0 && monoNowNs() >= deadlineNs) return -Errno.TIMEDOUT;
  }
}

/** Sleeps on a queue whose condition needs no lock: the caller has tested it after waitBegin. See waitBegin. */
export function waitBegin(wq: WaitQueue): void {
  waitOwnBegin(wq, TaskState.SLEEPING); // its entry is the task's own: waitCommit and waitCancel find it
}

/** Sleeps, after waitBegin and a test that must not sleep or lock a Mutex. Results as waitSleep. */
export function waitCommit(wq: WaitQueue, deadlineNs: u64): i32 {
  return waitOwnEnd(wq, waitEntryOwn(currentTask()), schedTimeout(deadlineNs));
}

/** Does not sleep after all, after waitBegin. */
export function waitCancel(wq: WaitQueue): void {
  waitFinish(wq, waitEntryOwn(currentTask()));
}
