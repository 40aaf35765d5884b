/**
 * The fair class: who has had the least weighted CPU time runs next.
 *
 * A task's virtual run time grows by the time it runs, divided by its weight. A sleeper comes back a little before the
 * others, never further: sleeping saves up no claim beyond SLEEPER_BONUS_NS.
 *
 * Invariants  A1  minVruntime never falls, and is at most the virtual time of any task in the tree that has not just
 *                 been given the sleeper's bonus.
 * Locking     every function: the run queue's lock.
 * Units       ns; virtual ns are ns at weight 1024.
 */
import { ticksToNs } from "../../../arch/current";
import { rbInsert, rbNext, rbNodeAt, rbRemove } from "../../lib/rb-tree";
import { RunQueue, fairTreeOf, taskNode, taskOfNode } from "./run-queue";
import { Task, taskOf } from "./task";
import { WEIGHT_NICE_0, weighedNs } from "./weights";

/** Every runnable task shall run once within this, as long as slices stay above the minimum. */
export const FAIR_LATENCY_NS: u64 = 12_000_000;
/** A task is not preempted by its equals before it ran this long. */
export const FAIR_MIN_SLICE_NS: u64 = 1_500_000;
/** Virtual time by which a running task must be ahead of a waiting one to lose the rest of its slice at a tick. */
const FAIR_SLICE_LEAD_NS: u64 = FAIR_LATENCY_NS / 2;
/** A woken task preempts only when it is behind by more than this. */
export const FAIR_WAKE_GRANULARITY_NS: u64 = 1_000_000;
/** A task that came onto the CPU less than this ago is not preempted by whom it wakes. */
export const FAIR_FRESH_NS: u64 = 100_000;
const SLEEPER_BONUS_NS: u64 = 6_000_000;

/** How a task comes onto a queue. */
export const enum EnqueueFlag {
  NONE = 0,
  WAKEUP = 1,  // from sleep
  NEW = 2,     // first time
  MIGRATE = 4, // from another queue; its virtual time is already relative to this one
}

/** Adds the time since the last call to the running fair task. */
export function fairAccount(rq: RunQueue, task: Task, deltaNs: u64): void {
  task.vruntime += weighedNs(deltaNs, task.weight);
  fairFloorRaise(rq, task);
}

/** Moves minVruntime up to the least of the running task and the first waiting one (A1). */
function fairFloorRaise(rq: RunQueue, running: Task): void {
  let least = running.vruntime;
  const first = fairTreeOf(rq).leftmost;
  if (first != 0) least = min<u64>(least, rbNodeAt(first).key);
  if (least > rq.minVruntime) rq.minVruntime = least;
}

function fairTreeAdd(rq: RunQueue, task: Task): void {
  const node = taskNode(task);
  node.key = task.vruntime;
  rbInsert(fairTreeOf(rq), node);
}

export function fairEnqueue(rq: RunQueue, task: Task, flags: u32): void {
  if (flags & EnqueueFlag.WAKEUP) {
    task.vruntime = max<u64>(task.vruntime, rq.minVruntime - SLEEPER_BONUS_NS);
  } else if (flags & EnqueueFlag.NEW) {
    task.vruntime = rq.minVruntime + weighedNs(FAIR_MIN_SLICE_NS, task.weight);
  }
  rq.fairLoad += task.weight;
  rq.fairCount++;
  fairTreeAdd(rq, task);
}

/** Takes a task that waits in the tree, or the running one, off the queue. */
export function fairDequeue(rq: RunQueue, task: Task): void {
  rq.fairLoad -= task.weight;
  rq.fairCount--;
  if (rq.current != <u32>changetype<usize>(task)) rbRemove(fairTreeOf(rq), taskNode(task));
}

/** The running task goes to sleep and `next` wakes up in its place: neither is in the tree. */
export function fairReplace(rq: RunQueue, running: Task, next: Task): void {
  next.vruntime = max<u64>(next.vruntime, rq.minVruntime - SLEEPER_BONUS_NS);
  rq.fairLoad += next.weight - running.weight;
}

/** Takes the task of least virtual time out of the tree to run it; 0 when there is none. */
export function fairPick(rq: RunQueue): u32 {
  const first = fairTreeOf(rq).leftmost;
  if (first == 0) return 0;
  const task = taskOfNode(first);
  rbRemove(fairTreeOf(rq), taskNode(task));
  return <u32>changetype<usize>(task);
}

/** Puts the task that ran, still runnable, back into the tree. */
export function fairPut(rq: RunQueue, task: Task): void {
  fairTreeAdd(rq, task);
}

/** True when `woken` should run before the running fair task. */
export function fairShouldPreempt(rq: RunQueue, woken: Task): bool {
  const current = taskOf(rq.current);
  return woken.vruntime + weighedNs(FAIR_WAKE_GRANULARITY_NS, woken.weight) < current.vruntime;
}

/**
 * True when the running task has hardly begun. A writer of small pieces would else be switched away from after each of
 * them, for a reader that comes back to sleep at once: the switches cost more than the work. As it is, the reader finds
 * many pieces at its turn, and switches take no more than a few hundredths of the time.
 */
export function fairIsFresh(running: Task, tsc: u64): bool {
  const ranBefore = running.sumExecNs - running.sliceStartNs;
  return <i64>(ranBefore + ticksToNs(tsc - running.execStartTsc + running.debtTicks)) < <i64>FAIR_FRESH_NS;
}

/** Length of the running task's slice, by its share of the load. */
export function fairSliceNs(rq: RunQueue, task: Task): u64 {
  const share = FAIR_LATENCY_NS * task.weight / max<u32>(rq.fairLoad, 1);
  return max<u64>(share, FAIR_MIN_SLICE_NS);
}

/** True when the running task has used up its slice and another waits, or it is ahead of one that woke up meanwhile. */
export function fairTick(rq: RunQueue, task: Task): bool {
  const first = fairTreeOf(rq).leftmost;
  if (first == 0) return false;
  const ranNs = task.sumExecNs - task.sliceStartNs;
  const isAhead = rbNodeAt(first).key + FAIR_SLICE_LEAD_NS < task.vruntime;
  return ranNs >= (isAhead ? FAIR_MIN_SLICE_NS : fairSliceNs(rq, task));
}

/** sched_yield: steps behind the first waiting task. */
export function fairYield(rq: RunQueue, task: Task): void {
  const first = fairTreeOf(rq).leftmost;
  if (first != 0) task.vruntime = max<u64>(task.vruntime, rbNodeAt(first).key);
}

/** Carries a task's virtual time over from one queue's scale to another's. */
export function fairRebase(task: Task, from: RunQueue, to: RunQueue): void {
  const lead = <i64>(task.vruntime - from.minVruntime);
  task.vruntime = <u64>max<i64>(<i64>to.minVruntime + lead, 0);
}

/** A waiting fair task that may run on `cpu` and weighs at most `maxWeight`; 0 when there is none. */
export function fairMovable(rq: RunQueue, cpu: u32, maxWeight: u32): u32 {
  let node = fairTreeOf(rq).leftmost;
  while (node != 0) {
    const task = taskOfNode(node);
    if ((task.affinity >> cpu) & 1 && task.weight <= maxWeight) return <u32>changetype<usize>(task);
    node = rbNext(rbNodeAt(node));
  }
  return 0;
}

/** Changes a task's weight, queued or not. */
export function fairReweigh(rq: RunQueue, task: Task, weight: u32): void {
  if (task.isQueued) rq.fairLoad = rq.fairLoad - task.weight + weight;
  task.weight = weight;
}
