/**
 * Poll tables: how poll, select and epoll come to hear from many wait queues at once.
 *
 * A file's `poll` operation calls pollWait() for each queue whose wake-ups can change its answer. What that does is up
 * to the table: pollTableInit makes one that wakes the calling task (poll, select); epoll installs an `add` of its own.
 *
 * Use: pollTableInit; loop { ask every file (the table only in the first round: pollTableDone); leave when something is
 * ready, when pollSleep says so }; pollTableFree.
 *
 * Invariants  O1  a table's entries stay queued until pollTableFree; the polled files are held as long.
 *             O2  `triggered` is set before the task is woken, so a wake-up between asking and sleeping is not lost.
 * Locking     entries belong to their wait queues (WAIT_QUEUE); the table to its task.
 */
import { Errno } from "../../abi/errno";
import { SlabCache, slabAlloc, slabFree, slabInit } from "../mm/slab-cache";
import { currentTask } from "../sched/cpu";
import { taskSignalPending, taskStateSet, taskWake } from "../sched/sched";
import { schedTimeout } from "../sched/sleep";
import { TaskState, WakeReason, taskOf } from "../sched/task";
import { WaitEntry, WaitQueue, waitAdd, waitEntryInitCallback, waitQueueAt, waitRemove } from "./wait-queue";

@final @unmanaged
export class PollTable {
  add: (table: PollTable, wq: WaitQueue) => void;
  entries: u32;   // chain of PollEntry
  task: u32;
  triggered: u32; // atomic (O2)
  error: i32;     // -ENOMEM when an entry could not be made
  isDone: u32;    // further pollWait calls add nothing
  data: u32;      // of a table with an `add` of its own
  data1: u32;
}
if (offsetof<PollTable>() != 32) ERROR("tables lie in scratch memory of 32 bytes");

/** Bytes of a PollTable. */
export const POLL_TABLE_BYTES: u32 = 32;

@final @unmanaged
class PollEntry {
  wait0: u64; // a WaitEntry held by value
  wait1: u64;
  wait2: u64;
  wait3: u64;
  queue: u32; // WaitQueue
  next: u32;  // PollEntry of the same table
}

const ENTRY_CACHE = changetype<SlabCache>(memory.data(offsetof<SlabCache>(), 8));

/** SAFETY: `address` is a PollTable held by value (32 bytes). */
export function pollTableAt(address: usize): PollTable { return changetype<PollTable>(address); }

/** After the slabs. */
export function pollInit(): void {
  slabInit(ENTRY_CACHE, "poll-entry", offsetof<PollEntry>());
}

function waitEntryOf(entry: PollEntry): WaitEntry {
  return changetype<WaitEntry>(changetype<usize>(entry)); // SAFETY: wait0..3 are a WaitEntry
}

/** An empty table that wakes the running task. */
export function pollTableInit(table: PollTable): void {
  table.add = pollAddTask;
  table.entries = 0;
  table.task = <u32>changetype<usize>(currentTask());
  table.triggered = 0;
  table.error = 0;
  table.isDone = 0;
  table.data = 0;
  table.data1 = 0;
}

/** From a file's `poll`: the answer may change whenever `wq` is woken. `table` 0: nobody waits. */
export function pollWait(tablePtr: usize, wq: WaitQueue): void {
  if (tablePtr == 0) return;
  const table = pollTableAt(tablePtr);
  if (!table.isDone) table.add(table, wq);
}

function pollAddTask(table: PollTable, wq: WaitQueue): void {
  const address = slabAlloc(ENTRY_CACHE);
  if (!address) {
    table.error = -Errno.NOMEM;
    return;
  }
  const entry = changetype<PollEntry>(address); // SAFETY: a fresh object of ENTRY_CACHE
  entry.queue = <u32>changetype<usize>(wq);
  entry.next = table.entries;
  table.entries = <u32>address;
  waitEntryInitCallback(waitEntryOf(entry), pollWoken, <u32>changetype<usize>(table));
  waitAdd(wq, waitEntryOf(entry));
}

/** Callback of pollAddTask's entries. */
function pollWoken(entry: WaitEntry, events: u32): void {
  const table = pollTableAt(entry.data);
  atomic.store<u32>(changetype<usize>(table), 1, offsetof<PollTable>("triggered")); // O2
  taskWake(taskOf(table.task), WakeReason.EVENT);
}

/** Every file was asked once: later rounds add no entries. */
export function pollTableDone(table: PollTable): void {
  table.isDone = 1;
}

/** Sleeps until a queue was woken since the last call: 0; -EINTR for a signal, -ETIMEDOUT. `deadlineNs` 0: no limit. */
export function pollSleep(table: PollTable, deadlineNs: u64): i32 {
  const triggeredPtr = changetype<usize>(table) + offsetof<PollTable>("triggered");
  taskStateSet(TaskState.SLEEPING);
  let result: i32 = 0;
  if (atomic.load<u32>(triggeredPtr) == 0) {
    if (taskSignalPending(currentTask())) result = -Errno.INTR;
    else result = schedTimeout(deadlineNs);
  }
  taskStateSet(TaskState.RUNNABLE);
  if (atomic.xchg<u32>(triggeredPtr, 0) != 0) return 0;
  if (result == 0 && taskSignalPending(currentTask())) return -Errno.INTR;
  return result;
}

/** Leaves all queues and frees the entries. */
export function pollTableFree(table: PollTable): void {
  let address = table.entries;
  table.entries = 0;
  while (address != 0) {
    const entry = changetype<PollEntry>(<usize>address); // SAFETY: a chain of PollEntry
    waitRemove(waitQueueAt(entry.queue), waitEntryOf(entry));
    address = entry.next;
    slabFree(ENTRY_CACHE, changetype<usize>(entry));
  }
}
