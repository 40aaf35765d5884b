/**
 * Thread ids: the table from number to task, and which numbers are taken.
 *
 * A number stays taken while anybody holds it: its task, and whoever names a process group or session by it.
 *
 * Invariants  I1  an entry with holds == 0 has task == 0 and may be given out.
 * Locking     TID_LOCK (Rank.TASK).
 */
import { Rank } from "../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";
import { kzalloc } from "../mm/slab";
import { Task, taskOf } from "./task";

/** Numbers run from 1 to TID_MAX - 1 (pid_max of Linux). */
export const TID_MAX: u32 = 32768;
const CHUNK_SHIFT: u32 = 9;
const CHUNK_ENTRIES: u32 = 512;

@final @unmanaged
class TidEntry {
  task: u32;
  holds: u32;
}
if (offsetof<TidEntry>() != 8) ERROR("chunks are indexed by tid << 3");

const TID_LOCK = changetype<SpinLock>(memory.data(offsetof<SpinLock>()));
const CHUNKS: usize = memory.data(64 * 4); // TID_MAX / CHUNK_ENTRIES pointers, 0 until first used

@final @unmanaged
class TidState {
  last: u32;  // most recently given out
  taken: u32;
}
const TIDS = changetype<TidState>(memory.data(offsetof<TidState>()));

export function tidInit(): void {
  spinInit(TID_LOCK, Rank.TASK);
  TIDS.last = 1; // 1 is init's (tidClaimFirst)
  TIDS.taken = 0;
  memory.fill(CHUNKS, 0, 64 * 4);
}

/** The entry of a number, null when its chunk was never used (or `tid` is out of range). */
function tidEntry(tid: u32): TidEntry | null {
  if (tid >= TID_MAX) return null;
  const chunk = load<u32>(CHUNKS + ((tid >> CHUNK_SHIFT) << 2));
  if (chunk == 0) return null;
  return changetype<TidEntry>(<usize>chunk + ((tid & (CHUNK_ENTRIES - 1)) << 3)); // SAFETY: a chunk is that array
}

/** The entry, made when missing; null when memory is full. Holds the lock. */
function tidEntryMakeLocked(tid: u32): TidEntry | null {
  const slot = CHUNKS + ((tid >> CHUNK_SHIFT) << 2);
  if (load<u32>(slot) == 0) store<u32>(slot, <u32>kzalloc(CHUNK_ENTRIES * offsetof<TidEntry>()));
  return tidEntry(tid);
}

/** Takes a free number with one hold; 0 when there is none or memory is full. */
export function tidAlloc(): u32 {
  spinLock(TID_LOCK);
  let tid = TIDS.last;
  let found: u32 = 0;
  for (let tries: u32 = 1; tries < TID_MAX; tries++) {
    tid = tid + 1 < TID_MAX ? tid + 1 : 2;
    const entry = tidEntryMakeLocked(tid);
    if (!entry) break;
    if (entry.holds == 0) {
      entry.holds = 1;
      TIDS.last = tid;
      TIDS.taken++;
      found = tid;
      break;
    }
  }
  spinUnlock(TID_LOCK);
  return found;
}

/** Makes the table answer `task` for its number. */
export function tidAttach(task: Task): void {
  spinLock(TID_LOCK);
  const entry = tidEntry(task.tid);
  if (entry) entry.task = <u32>changetype<usize>(task);
  spinUnlock(TID_LOCK);
}

/** The number no longer names a task; its hold is dropped by tidDrop. */
export function tidDetach(tid: u32): void {
  spinLock(TID_LOCK);
  const entry = tidEntry(tid);
  if (entry) entry.task = 0;
  spinUnlock(TID_LOCK);
}

/** Keeps a taken number from being given out again (process group, session). */
export function tidHold(tid: u32): void {
  spinLock(TID_LOCK);
  const entry = tidEntry(tid);
  if (entry) {
    assert(entry.holds != 0); // I1: only a taken number can be held
    entry.holds++;
  }
  spinUnlock(TID_LOCK);
}

/** Ends one hold. */
export function tidDrop(tid: u32): void {
  spinLock(TID_LOCK);
  const entry = tidEntry(tid);
  if (entry) {
    assert(entry.holds != 0);
    if (--entry.holds == 0) {
      entry.task = 0; // I1
      TIDS.taken--;
    }
  }
  spinUnlock(TID_LOCK);
}

/** Two tasks swap numbers: exec by a thread that is not the leader takes the leader's. */
export function tidSwap(a: Task, b: Task): void {
  spinLock(TID_LOCK);
  const entryA = tidEntry(a.tid);
  const entryB = tidEntry(b.tid);
  if (entryA && entryB) {
    entryA.task = <u32>changetype<usize>(b);
    entryB.task = <u32>changetype<usize>(a);
    const tid = a.tid;
    a.tid = b.tid;
    b.tid = tid;
  }
  spinUnlock(TID_LOCK);
}

/** Gives `task` number 1 in place of its own: it is init. False when memory is full or 1 is taken. */
export function tidClaimFirst(task: Task): bool {
  const old = task.tid;
  spinLock(TID_LOCK);
  const entry = tidEntryMakeLocked(1);
  const isFree = entry != null && entry.holds == 0;
  if (entry && isFree) {
    entry.holds = 1;
    entry.task = <u32>changetype<usize>(task);
    task.tid = 1;
    TIDS.taken++;
  }
  spinUnlock(TID_LOCK);
  if (!isFree) return false;
  tidDetach(old);
  tidDrop(old);
  return true;
}

/** The task of a number with one reference for the caller (taskPut), or null. */
export function taskByTid(tid: u32): Task | null {
  spinLock(TID_LOCK);
  let found: Task | null = null;
  const entry = tidEntry(tid);
  if (entry && entry.task != 0) {
    const task = taskOf(entry.task);
    if (taskRefTry(task)) found = task;
  }
  spinUnlock(TID_LOCK);
  return found;
}

/** Takes a reference unless the last one is gone already. */
export function taskRefTry(task: Task): bool {
  const refsPtr = changetype<usize>(task) + offsetof<Task>("refs");
  let refs = atomic.load<u32>(refsPtr);
  while (refs != 0) {
    const found = atomic.cmpxchg<u32>(refsPtr, refs, refs + 1);
    if (found == refs) return true;
    refs = found;
  }
  return false;
}

/** The task of the least number >= `from`, with one reference, or null: walks all tasks without holding a lock. */
export function taskNextFrom(from: u32): Task | null {
  for (let tid = from; tid < TID_MAX; tid++) {
    if (load<u32>(CHUNKS + ((tid >> CHUNK_SHIFT) << 2)) == 0) {
      tid |= CHUNK_ENTRIES - 1;
      continue;
    }
    const entry = tidEntry(tid);
    if (!entry || entry.task == 0) continue;
    const task = taskByTid(tid);
    if (task) return task;
  }
  return null;
}

/** Numbers taken. */
export function tidCount(): u32 { return TIDS.taken; }
