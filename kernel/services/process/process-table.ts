/**
 * The process table: every process by pid, from its creation until its parent (or init) has waited for it.
 *
 * Invariants  P1  a process is on exactly one hash chain while its state is not REAPED.
 *             P2  Process.refs counts the table itself plus everybody who holds a pointer across a sleep or an unlock.
 * Locking     processLock (Rank.PROCESS_TREE).
 */
import { slabAlloc, SlabCache, slabFree, slabInit } from "../../core/mm/slab";
import { ListNode, listAppend, listInit, listNodeAt, listRemove, listSame, ownerOf } from "../../lib/list";
import { Rank } from "../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";
import { Process, ProcessState, RLIM_NLIMITS } from "./process";

/** Rank.PROCESS_TREE: the pid hash, parents and children, groups, sessions, states of all processes. */
export const processLock = changetype<SpinLock>(memory.data(16));

const BUCKETS: u32 = 512;
const LIMIT_BYTES: u32 = RLIM_NLIMITS * 16;
const table: usize = memory.data(512 * offsetof<ListNode>());
const allHead = changetype<ListNode>(memory.data(offsetof<ListNode>())); // SAFETY: a static list head
const processCache = changetype<SlabCache>(memory.data(offsetof<SlabCache>(), 16));
const counts = memory.data(8); // processes in the table, highest pid seen

export function processTableInit(): void {
  spinInit(processLock, Rank.PROCESS_TREE);
  for (let i: u32 = 0; i < BUCKETS; i++) listInit(bucketOf(i));
  listInit(allHead);
  slabInit(processCache, "process", offsetof<Process>() + LIMIT_BYTES);
  store<u64>(counts, 0);
}

function bucketOf(pid: u32): ListNode {
  return listNodeAt(table + <usize>(pid & (BUCKETS - 1)) * offsetof<ListNode>());
}

function fromHashNode(node: ListNode): Process {
  return ownerOf<Process>(node, offsetof<Process>("hashNode"));
}

/** A cleared process with one reference, in no list, or null. Its rlimits array is set up, all zero. */
export function processAlloc(): Process | null {
  const ptr = slabAlloc(processCache);
  if (ptr == 0) return null;
  memory.fill(ptr, 0, offsetof<Process>() + LIMIT_BYTES);
  const process = changetype<Process>(ptr); // SAFETY: fresh object of that size
  process.refs = 1;
  process.rlimits = <u32>ptr + offsetof<Process>();
  listInit(childHeadOf(process));
  listInit(threadHeadOf(process));
  listInit(listNodeAt(ptr + offsetof<Process>("siblingNode")));
  listInit(listNodeAt(ptr + offsetof<Process>("hashNode")));
  listInit(listNodeAt(ptr + offsetof<Process>("allNode")));
  return process;
}

function allNodeOf(process: Process): ListNode {
  return listNodeAt(changetype<usize>(process) + offsetof<Process>("allNode"));
}

/** The process made after `process` (the oldest one for null), or null: walks all of them. Locking: processLock. */
export function processAfterLocked(process: Process | null): Process | null {
  const node = process ? allNodeOf(process).next : allHead.next;
  return listSame(node, allHead) ? null : ownerOf<Process>(node, offsetof<Process>("allNode"));
}

export function childHeadOf(process: Process): ListNode {
  return listNodeAt(changetype<usize>(process) + offsetof<Process>("childHead"));
}

export function threadHeadOf(process: Process): ListNode {
  return listNodeAt(changetype<usize>(process) + offsetof<Process>("threadHead"));
}

export function siblingNodeOf(process: Process): ListNode {
  return listNodeAt(changetype<usize>(process) + offsetof<Process>("siblingNode"));
}

/** The process whose siblingNode is `node`. */
export function fromSiblingNode(node: ListNode): Process {
  return ownerOf<Process>(node, offsetof<Process>("siblingNode"));
}

/** Publishes a process under its pid. Locking: processLock. */
export function processTableAddLocked(process: Process): void {
  listAppend(bucketOf(process.pid), listNodeAt(changetype<usize>(process) + offsetof<Process>("hashNode")));
  listAppend(allHead, allNodeOf(process));
  store<u32>(counts, load<u32>(counts) + 1);
  if (process.pid > load<u32>(counts, 4)) store<u32>(counts, process.pid, 4);
}

/** Takes a process out of the table; the caller then drops the table's reference. Locking: processLock. */
export function processTableRemoveLocked(process: Process): void {
  listRemove(listNodeAt(changetype<usize>(process) + offsetof<Process>("hashNode")));
  listRemove(allNodeOf(process));
  store<u32>(counts, load<u32>(counts) - 1);
}

/** Processes in the table, zombies included. */
export function processCount(): u32 {
  return atomic.load<u32>(counts);
}

/** Locking: processLock. No reference is taken. */
export function processFindLocked(pid: u32): Process | null {
  const head = bucketOf(pid);
  for (let node = head.next; !listSame(node, head); node = node.next) {
    const process = fromHashNode(node);
    if (process.pid == pid) return process;
  }
  return null;
}

/** The process `pid` with a reference (processPut it), or null. Zombies included. */
export function processByPid(pid: u32): Process | null {
  spinLock(processLock);
  const process = processFindLocked(pid);
  if (process) processGet(process);
  spinUnlock(processLock);
  return process;
}

export function processGet(process: Process): void {
  atomic.add<u32>(changetype<usize>(process), 1, offsetof<Process>("refs"));
}

export function processPut(process: Process): void {
  if (atomic.sub<u32>(changetype<usize>(process), 1, offsetof<Process>("refs")) != 1) return;
  assert(process.state == <u32>ProcessState.REAPED || process.pid == 0); // P2
  PUT_HOOK.released(process);
  slabFree(processCache, changetype<usize>(process));
}

/** What else goes with the last reference: credentials and signal table (set by exit.ts, which knows them). */
@final @unmanaged
export class ProcessReleaseHook {
  released: (process: Process) => void;
}
const PUT_HOOK = changetype<ProcessReleaseHook>(memory.data(offsetof<ProcessReleaseHook>()));

export function processReleaseHookSet(released: (process: Process) => void): void {
  PUT_HOOK.released = released;
}

/** Locking: processLock. The process with the lowest pid >= `pid`, or null. */
export function processNextLocked(pid: u32): Process | null {
  let best: Process | null = null;
  let bestPid: u32 = ~0;
  for (let i: u32 = 0; i < BUCKETS; i++) {
    // The nearest pids are in the next buckets: stop as soon as none later can be nearer.
    const candidate = pid + i;
    if (bestPid <= candidate) break;
    const head = bucketOf(candidate);
    for (let node = head.next; !listSame(node, head); node = node.next) {
      const process = fromHashNode(node);
      if (process.pid < pid || process.pid >= bestPid) continue;
      best = process;
      bestPid = process.pid;
    }
  }
  return best;
}

/** The process with the lowest pid >= `pid`, with a reference, or null: the walk of procfs and kill(-1). */
export function processNext(pid: u32): Process | null {
  spinLock(processLock);
  const process = processNextLocked(pid);
  if (process) processGet(process);
  spinUnlock(processLock);
  return process;
}
