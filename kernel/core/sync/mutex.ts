/**
 * Sleeping mutual exclusion.
 *
 * Uncontended, lock and unlock are one compare-and-exchange each. An owner that runs on another CPU is spun for a
 * while; then the task queues up. Unlocking wakes the first in line but lets whoever runs take the mutex meanwhile:
 * handing over at once would make everybody wait for every wake-up. A waiter that lost PATIENCE times is handed the
 * mutex: nobody starves.
 *
 * Invariants  X1  owner is 0 or a Task address, with bit 0 set while the queue is not empty; no address: free.
 *             X2  with bit 0 set, owner changes only under the lock inside.
 * Locking     the SpinLock inside (Rank.WAIT_QUEUE) guards the queue and bit 0. Mutexes are taken before any spinlock.
 */
import { Errno } from "../../abi/errno";
import { ListNode, listAppend, listEmpty, listInit, listNodeAt, listRemove } from "../../lib/list";
import { Rank } from "../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinLockAt, spinRelax, spinUnlock } from "../../lib/spinlock";
import { currentTask } from "../sched/cpu";
import { schedule, taskStateSet, taskWake } from "../sched/sched";
import { Task, TaskState, TaskWork, WakeReason, taskOf } from "../sched/task";
import { WaitQueue, waitBegin, waitCommit, waitEntryAt, waitEntryInit, waitEntryOwn } from "./wait-queue";

@final @unmanaged
export class Mutex {
  owner: u32;   // X1
  pad: u32;
  waiters: u64; // a ListNode held by value: WaitEntry.node of each waiting task
  lock: u64;    // a SpinLock held by value
  lock1: u64;
}
if (offsetof<Mutex>() != 32) ERROR("structs embed a Mutex as 32 bytes");

const HAS_WAITERS: u32 = 1;
const SPIN_TURNS: u32 = 200;
/** Times a waiter is woken for nothing before the mutex is handed to it. */
const PATIENCE: u32 = 4;

/** SAFETY: `address` is a Mutex held by value (32 bytes). */
export function mutexAt(address: usize): Mutex { return changetype<Mutex>(address); }

function lockOf(mutex: Mutex): SpinLock { return spinLockAt(changetype<usize>(mutex) + offsetof<Mutex>("lock")); }
function waitersOf(mutex: Mutex): ListNode { return listNodeAt(changetype<usize>(mutex) + offsetof<Mutex>("waiters")); }
function selfAddress(): u32 { return <u32>changetype<usize>(currentTask()); }

export function mutexInit(mutex: Mutex): void {
  mutex.owner = 0;
  mutex.pad = 0;
  listInit(waitersOf(mutex));
  spinInit(lockOf(mutex), Rank.WAIT_QUEUE);
}

/** Takes the mutex if it is free. */
export function mutexTryLock(mutex: Mutex): bool {
  const found = atomic.cmpxchg<u32>(changetype<usize>(mutex), 0, selfAddress());
  return found == 0 || (found == HAS_WAITERS && mutexTakeQueued(mutex));
}

/** Takes a mutex that is free although others queue. */
function mutexTakeQueued(mutex: Mutex): bool {
  spinLock(lockOf(mutex));
  const isFree = atomic.load<u32>(changetype<usize>(mutex)) == HAS_WAITERS;
  if (isFree) atomic.store<u32>(changetype<usize>(mutex), selfAddress() | HAS_WAITERS); // X2
  spinUnlock(lockOf(mutex));
  return isFree;
}

/** Takes the mutex; sleeps, deaf to signals, while another task has it. */
export function mutexLock(mutex: Mutex): void {
  if (!mutexTakeFree(mutex)) mutexLockSlow(mutex);
}

/** The common case: free, and nobody queues. */
function mutexTakeFree(mutex: Mutex): bool {
  return atomic.cmpxchg<u32>(changetype<usize>(mutex), 0, selfAddress()) == 0;
}

function mutexLockSlow(mutex: Mutex): void {
  if (mutexTryLock(mutex)) return;
  assert(mutexOwner(mutex) != selfAddress()); // not recursive
  if (mutexSpin(mutex) || mutexEnqueue(mutex)) return;
  do schedule(); while (!mutexClaim(mutex));
}

/** A waiter is awake: true when the mutex is its own now, handed over or free; else it may sleep again. */
export function mutexClaim(mutex: Mutex): bool {
  const self = selfAddress();
  const entry = waitEntryOwn(currentTask());
  spinLock(lockOf(mutex)); // also: the old owner is done with the mutex's memory once this is free
  let isMine = mutexOwner(mutex) == self;
  if (atomic.load<u32>(changetype<usize>(mutex)) == HAS_WAITERS) {
    listRemove(listNodeAt(changetype<usize>(entry)));
    atomic.store<u32>(changetype<usize>(mutex), self | (listEmpty(waitersOf(mutex)) ? 0 : HAS_WAITERS)); // X2
    isMine = true;
  }
  if (!isMine) entry.data++;
  taskStateSet(isMine ? TaskState.RUNNABLE : TaskState.UNINTERRUPTIBLE);
  spinUnlock(lockOf(mutex));
  return isMine;
}

/** Address of the owner, 0 when free. */
export function mutexOwner(mutex: Mutex): u32 {
  return atomic.load<u32>(changetype<usize>(mutex)) & ~HAS_WAITERS;
}

/** Tries while the owner runs on another CPU and nobody queues; true when the mutex was taken. */
function mutexSpin(mutex: Mutex): bool {
  const self = currentTask();
  for (let turn: u32 = 0; turn < SPIN_TURNS; turn++) {
    const owner = atomic.load<u32>(changetype<usize>(mutex));
    const task = owner & ~HAS_WAITERS;
    if (task == 0 && mutexTryLock(mutex)) return true;
    // A task record stays mapped after its end, so the owner may be looked at without a reference.
    if (task != 0 && !taskOf(task).onCpu) return false;
    if (atomic.load<u32>(changetype<usize>(self)) & TaskWork.RESCHED) return false;
    spinRelax();
  }
  return false;
}

/** Queues the running task, state set; true when the mutex is free instead and was taken. */
function mutexEnqueue(mutex: Mutex): bool {
  const entry = waitEntryOwn(currentTask());
  waitEntryInit(entry);
  spinLock(lockOf(mutex));
  while (true) {
    const owner = atomic.load<u32>(changetype<usize>(mutex));
    if ((owner & ~HAS_WAITERS) == 0) {
      if (atomic.cmpxchg<u32>(changetype<usize>(mutex), owner, selfAddress() | owner) != owner) continue;
      spinUnlock(lockOf(mutex));
      return true;
    }
    if (owner & HAS_WAITERS) break;
    if (atomic.cmpxchg<u32>(changetype<usize>(mutex), owner, owner | HAS_WAITERS) == owner) break;
  }
  listAppend(waitersOf(mutex), listNodeAt(changetype<usize>(entry)));
  taskStateSet(TaskState.UNINTERRUPTIBLE);
  spinUnlock(lockOf(mutex));
  return false;
}

/** Gives the mutex up; the running task owns it. */
export function mutexUnlock(mutex: Mutex): void {
  if (!mutexFreeUnwanted(mutex)) mutexUnlockSlow(mutex);
}

/** The common case: nobody queues. */
function mutexFreeUnwanted(mutex: Mutex): bool {
  const self = selfAddress();
  return atomic.cmpxchg<u32>(changetype<usize>(mutex), self, 0) == self;
}

/** Others queue: the first of them is woken. */
function mutexUnlockSlow(mutex: Mutex): void {
  assert(mutexOwner(mutex) == selfAddress()); // only the owner unlocks
  spinLock(lockOf(mutex));
  const first = waitersOf(mutex).next;
  const entry = waitEntryAt(changetype<usize>(first));
  const heir = entry.task;
  if (entry.data >= PATIENCE) {
    listRemove(first);
    atomic.store<u32>(changetype<usize>(mutex), heir | (listEmpty(waitersOf(mutex)) ? 0 : HAS_WAITERS));
  } else {
    atomic.store<u32>(changetype<usize>(mutex), HAS_WAITERS);
  }
  taskWake(taskOf(heir), WakeReason.EVENT);
  spinUnlock(lockOf(mutex));
}

/** True when the running task has the mutex (asserts in ...Locked functions). */
export function mutexIsMine(mutex: Mutex): bool {
  return mutexOwner(mutex) == selfAddress();
}

/** waitSleep of wait-queue.ts for a condition that a Mutex guards. */
export function waitSleepMutex(wq: WaitQueue, mutex: Mutex, deadlineNs: u64): i32 {
  waitBegin(wq);
  if (!mutexFreeUnwanted(mutex)) mutexUnlockSlow(mutex); // wakes only others: the task's own entry stays where it is
  const result = waitCommit(wq, deadlineNs);
  if (!mutexTakeFree(mutex)) mutexLockSlow(mutex);
  return result;
}

/** Takes two mutexes that may be the same, in address order. */
export function mutexLockPair(a: Mutex, b: Mutex): void {
  const addressA = changetype<usize>(a);
  const addressB = changetype<usize>(b);
  mutexLock(addressA <= addressB ? a : b);
  if (addressA != addressB) mutexLock(addressA <= addressB ? b : a);
}

export function mutexUnlockPair(a: Mutex, b: Mutex): void {
  mutexUnlock(a);
  if (changetype<usize>(a) != changetype<usize>(b)) mutexUnlock(b);
}
