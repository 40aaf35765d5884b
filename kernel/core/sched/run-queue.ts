/**
 * Run queues: one per CPU, with a tree of waiting tasks for each scheduling class.
 *
 * Invariants  Q1  count = tasks with isQueued on this queue; the running one is among them unless it is the idle task.
 *             Q2  the running task is in no tree; every other queued task is in the tree of its class.
 *             Q3  the lock is held from the choice of the next task until the switch to it has left the old stack
 *                 (switch.ts): who holds the lock finds every task of the queue off its stack, save `current`.
 * Locking     RunQueue.lock (Rank.RUNQUEUE) guards the record and the scheduler's fields of all its tasks. A second
 *             queue is only ever tried (balance.ts).
 * Units       ns.
 */
import { Rank } from "../../lib/lock-rank";
import { RbNode, RbTree, rbInit, rbNodeAt, rbTreeAt } from "../../lib/rb-tree";
import { SpinLock, spinInit, spinLock, spinLockAt, spinUnlock } from "../../lib/spinlock";
import { MAX_CPUS } from "./cpu";
import { Task, taskOf } from "./task";

@final @unmanaged
export class RunQueue {
  lock: u64;          // a SpinLock held by value
  lock1: u64;
  current: u32;       // Task running on the CPU
  idle: u32;          // its idle Task
  switchedFrom: u32;  // Task whose stack the switch under way is leaving
  count: u32;         // Q1
  fairTree: u64;      // an RbTree held by value, by virtual run time
  fairTree1: u64;
  rtTree: u64;        // an RbTree held by value, by priority and arrival
  rtTree1: u64;
  minVruntime: u64;   // floor of virtual time; only rises
  nowTsc: u64;        // TSC when the lock was taken to schedule
  fairLoad: u32;      // sum of the weights of its fair tasks, the running one included
  fairCount: u32;
  rtCount: u32;
  cpu: u32;
  rtSequence: u64;    // arrival number of real-time tasks
  nextBalanceNs: u64;
  pulled: u32;        // tasks that balancing moved here
  isOnline: u32;      // 1 when tasks may be placed here
  handoffs: u64;      // times a task gave the CPU to another without a choice (handoff.ts, resume.ts)
}
if (offsetof<RunQueue>() != 128) ERROR("two cache lines per queue");

const RUN_QUEUES: usize = memory.data(64 * offsetof<RunQueue>(), 64);

/** Virtual time starts here, so that a bonus for a sleeper never goes below zero. */
const VRUNTIME_START: u64 = 1 << 40;

/** The run queue of CPU `cpu`. */
export function runQueueAt(cpu: u32): RunQueue {
  return changetype<RunQueue>(RUN_QUEUES + <usize>cpu * offsetof<RunQueue>()); // SAFETY: cpu < MAX_CPUS
}

function lockOf(rq: RunQueue): SpinLock { return spinLockAt(changetype<usize>(rq)); }

export function runQueueLock(rq: RunQueue): void { spinLock(lockOf(rq)); }
export function runQueueUnlock(rq: RunQueue): void { spinUnlock(lockOf(rq)); }
/** The lock itself, for trying. */
export function runQueueSpinLock(rq: RunQueue): SpinLock { return lockOf(rq); }

export function fairTreeOf(rq: RunQueue): RbTree {
  return rbTreeAt(changetype<usize>(rq) + offsetof<RunQueue>("fairTree"));
}

export function rtTreeOf(rq: RunQueue): RbTree {
  return rbTreeAt(changetype<usize>(rq) + offsetof<RunQueue>("rtTree"));
}

/** The tree node inside a task, and the way back. */
export function taskNode(task: Task): RbNode { return rbNodeAt(changetype<usize>(task) + offsetof<Task>("rqNode")); }
export function taskOfNode(address: u32): Task { return taskOf(address - <u32>offsetof<Task>("rqNode")); }

/** Makes all queues, empty and offline. */
export function runQueuesInit(): void {
  for (let cpu: u32 = 0; cpu < MAX_CPUS; cpu++) {
    const rq = runQueueAt(cpu);
    memory.fill(changetype<usize>(rq), 0, offsetof<RunQueue>());
    spinInit(lockOf(rq), Rank.RUNQUEUE);
    rbInit(fairTreeOf(rq));
    rbInit(rtTreeOf(rq));
    rq.cpu = cpu;
    rq.minVruntime = VRUNTIME_START;
  }
}

/** Locks the queue a task is on; the queue cannot change any more. */
export function runQueueLockOf(task: Task): RunQueue {
  while (true) {
    const cpu = atomic.load<u32>(changetype<usize>(task), offsetof<Task>("cpu"));
    const rq = runQueueAt(cpu);
    runQueueLock(rq);
    if (task.cpu == cpu) return rq;
    runQueueUnlock(rq);
  }
}
