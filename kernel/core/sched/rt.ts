/**
 * The real-time class: SCHED_FIFO and SCHED_RR, by priority, then by arrival.
 *
 * Invariants  P1  the tree key is (99 - priority) << 56 | arrival, so the leftmost task is the next.
 * Locking     every function: the run queue's lock.
 * Units       ns.
 * Spec        POSIX.1-2017, 2.8.4 "Process Scheduling".
 */
import { rbInsert, rbNext, rbNodeAt, rbRemove } from "../../lib/rb-tree";
import { RunQueue, rtTreeOf, taskNode, taskOfNode } from "./run-queue";
import { Task, taskOf } from "./task";

export const RT_PRIORITY_MIN: u32 = 1;
export const RT_PRIORITY_MAX: u32 = 99;
/** Slice of SCHED_RR. */
export const RT_SLICE_NS: u64 = 100_000_000;
const ARRIVAL_BITS: u64 = 56;

/** Numbers of user space's scheduling policies. */
export const enum SchedPolicy { NORMAL = 0, FIFO = 1, RR = 2, BATCH = 3, IDLE = 5 }

/** Gives the task a new place behind its equals (P1). */
function rtArrive(rq: RunQueue, task: Task): void {
  taskNode(task).key = ((<u64>(RT_PRIORITY_MAX - task.rtEffective)) << ARRIVAL_BITS) | ++rq.rtSequence;
}

export function rtEnqueue(rq: RunQueue, task: Task, flags: u32): void {
  rq.rtCount++;
  rtArrive(rq, task);
  rbInsert(rtTreeOf(rq), taskNode(task));
}

export function rtDequeue(rq: RunQueue, task: Task): void {
  rq.rtCount--;
  if (rq.current != <u32>changetype<usize>(task)) rbRemove(rtTreeOf(rq), taskNode(task));
}

export function rtPick(rq: RunQueue): u32 {
  const first = rtTreeOf(rq).leftmost;
  if (first == 0) return 0;
  const task = taskOfNode(first);
  rbRemove(rtTreeOf(rq), taskNode(task));
  return <u32>changetype<usize>(task);
}

/** A preempted task keeps its place; one whose slice is over was given a new one by rtTick. */
export function rtPut(rq: RunQueue, task: Task): void {
  rbInsert(rtTreeOf(rq), taskNode(task));
}

export function rtAccount(rq: RunQueue, task: Task, deltaNs: u64): void {
  // cannot lag: real-time tasks have no virtual time
}

/** True when `woken` has the higher priority. */
export function rtShouldPreempt(rq: RunQueue, woken: Task): bool {
  return woken.rtEffective > taskOf(rq.current).rtEffective;
}

/** True when a SCHED_RR task's slice is over and an equal waits. */
export function rtTick(rq: RunQueue, task: Task): bool {
  if (task.policy != SchedPolicy.RR) return false;
  if (task.sumExecNs - task.sliceStartNs < RT_SLICE_NS) return false;
  task.sliceStartNs = task.sumExecNs;
  rtArrive(rq, task);
  return rtTreeOf(rq).leftmost != 0;
}

export function rtYield(rq: RunQueue, task: Task): void {
  rtArrive(rq, task);
}

/** A waiting real-time task that may run on `cpu`; 0 when there is none. */
export function rtMovable(rq: RunQueue, cpu: u32, maxWeight: u32): u32 {
  let node = rtTreeOf(rq).leftmost;
  while (node != 0) {
    const task = taskOfNode(node);
    if ((task.affinity >> cpu) & 1) return <u32>changetype<usize>(task);
    node = rbNext(rbNodeAt(node));
  }
  return 0;
}
