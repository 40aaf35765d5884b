/**
 * Scheduling classes: one table of operations each, higher classes first.
 *
 *   slot           called                             returns
 *   enqueue        task becomes runnable here         -
 *   dequeue        task (waiting or running) leaves   -
 *   pick           to find the next one; removes it   Task, 0 when the class has none
 *   put            the running task stays runnable    -
 *   account        `deltaNs` were used by the task    -
 *   shouldPreempt  `woken` of the same class woke up  true: switch soon
 *   tick           a timer tick hit the running task  true: switch soon
 *   yield          the running task gives way         -
 *   movable        balancing looks for a task         Task allowed on `cpu`, 0 for none
 *
 * Locking  all slots: the run queue's lock.
 */
import { ticksToNs } from "../../../arch/current";
import {
  fairAccount, fairDequeue, fairEnqueue, fairMovable, fairPick, fairPut, fairShouldPreempt, fairTick, fairYield,
} from "./fair";
import {
  rtAccount, rtDequeue, rtEnqueue, rtMovable, rtPick, rtPut, rtShouldPreempt, rtTick, rtYield,
} from "./rt";
import { rbRemove } from "../../lib/rb-tree";
import { RunQueue, fairTreeOf, rtTreeOf, taskNode } from "./run-queue";
import { SchedClass, Task, taskOf } from "./task";

@final @unmanaged
export class SchedClassOps {
  enqueue: (rq: RunQueue, task: Task, flags: u32) => void;
  dequeue: (rq: RunQueue, task: Task) => void;
  pick: (rq: RunQueue) => u32;
  put: (rq: RunQueue, task: Task) => void;
  account: (rq: RunQueue, task: Task, deltaNs: u64) => void;
  shouldPreempt: (rq: RunQueue, woken: Task) => bool;
  tick: (rq: RunQueue, task: Task) => bool;
  yield: (rq: RunQueue, task: Task) => void;
  movable: (rq: RunQueue, cpu: u32, maxWeight: u32) => u32;
}

const CLASSES: usize = memory.data(3 * offsetof<SchedClassOps>(), 8);

function classOps(schedClass: u32): SchedClassOps {
  return changetype<SchedClassOps>(CLASSES + <usize>schedClass * offsetof<SchedClassOps>()); // SAFETY: a SchedClass
}

/** Fills the tables. The idle class has no queue: its only task is RunQueue.idle. */
export function schedClassesInit(): void {
  const fair = classOps(SchedClass.FAIR);
  fair.enqueue = fairEnqueue;
  fair.dequeue = fairDequeue;
  fair.pick = fairPick;
  fair.put = fairPut;
  fair.account = fairAccount;
  fair.shouldPreempt = fairShouldPreempt;
  fair.tick = fairTick;
  fair.yield = fairYield;
  fair.movable = fairMovable;
  const rt = classOps(SchedClass.RT);
  rt.enqueue = rtEnqueue;
  rt.dequeue = rtDequeue;
  rt.pick = rtPick;
  rt.put = rtPut;
  rt.account = rtAccount;
  rt.shouldPreempt = rtShouldPreempt;
  rt.tick = rtTick;
  rt.yield = rtYield;
  rt.movable = rtMovable;
}

/** Counts the task in and queues it with its class. */
export function classEnqueue(rq: RunQueue, task: Task, flags: u32): void {
  assert(!task.isQueued); // Q1
  task.isQueued = 1;
  rq.count++;
  if (task.schedClass == SchedClass.FAIR) fairEnqueue(rq, task, flags);
  else classOps(task.schedClass).enqueue(rq, task, flags);
}

/** Counts the task out; it is in its tree or running. */
export function classDequeue(rq: RunQueue, task: Task): void {
  assert(task.isQueued); // Q1
  task.isQueued = 0;
  rq.count--;
  if (task.schedClass == SchedClass.FAIR) fairDequeue(rq, task);
  else classOps(task.schedClass).dequeue(rq, task);
}

/** The next task to run, out of its tree (Q2); the idle task when nobody is runnable. */
export function classPick(rq: RunQueue): Task {
  if (rq.rtCount != 0) {
    const rt = classOps(SchedClass.RT).pick(rq);
    if (rt != 0) return taskOf(rt);
  }
  const fair = fairPick(rq);
  return taskOf(fair != 0 ? fair : rq.idle);
}

/** The running task stays runnable: back into its tree (Q2). */
export function classPut(rq: RunQueue, task: Task): void {
  if (task.schedClass == SchedClass.FAIR) fairPut(rq, task);
  else if (task.schedClass != SchedClass.IDLE) classOps(task.schedClass).put(rq, task);
}

/** Charges the running task for the time up to `tsc`. */
export function classAccount(rq: RunQueue, task: Task, tsc: u64): void {
  const ticks = tsc - task.execStartTsc;
  if (<i64>ticks <= 0) return; // another CPU's TSC may be a little ahead
  const deltaNs = ticksToNs(ticks + task.debtTicks);
  task.execStartTsc = tsc;
  task.debtTicks = 0;
  task.sumExecNs += deltaNs;
  if (task.schedClass == SchedClass.FAIR) fairAccount(rq, task, deltaNs);
  else if (task.schedClass != SchedClass.IDLE) classOps(task.schedClass).account(rq, task, deltaNs);
}

/** True when a task that woke up on this queue should replace the running one. */
export function classShouldPreempt(rq: RunQueue, woken: Task): bool {
  const current = taskOf(rq.current);
  if (woken.schedClass != current.schedClass) return woken.schedClass > current.schedClass;
  if (woken.schedClass == SchedClass.FAIR) return fairShouldPreempt(rq, woken);
  return classOps(woken.schedClass).shouldPreempt(rq, woken);
}

/** True when the running task should give way after this tick. */
export function classTick(rq: RunQueue, task: Task): bool {
  if (task.schedClass == SchedClass.IDLE) return rq.count != 0;
  if (task.schedClass == SchedClass.FAIR && rq.rtCount != 0) return true;
  return classOps(task.schedClass).tick(rq, task);
}

export function classYield(rq: RunQueue, task: Task): void {
  if (task.schedClass != SchedClass.IDLE) classOps(task.schedClass).yield(rq, task);
}

/** A waiting task that balancing may take to `cpu`: real-time ones first; 0 when there is none. */
export function classMovable(rq: RunQueue, cpu: u32, maxWeight: u32): u32 {
  if (rq.rtCount != 0) {
    const rt = rtMovable(rq, cpu, maxWeight);
    if (rt != 0) return rt;
  }
  return fairMovable(rq, cpu, maxWeight);
}

/** Takes a task that was just enqueued out of its tree again, still counted: it is the running one (Q2). */
export function classTreeLeave(rq: RunQueue, task: Task): void {
  rbRemove(task.schedClass == SchedClass.FAIR ? fairTreeOf(rq) : rtTreeOf(rq), taskNode(task));
}
