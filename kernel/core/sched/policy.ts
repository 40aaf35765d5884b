/**
 * Changing how a task is scheduled: nice value, policy, CPUs it may use, what callers lend the server that works for them.
 *
 *   loan   priority << 32 | weight: what a task runs at. It has a priority exactly when it is real-time. 0: nothing.
 *
 * Locking  takes the task's run queue; rights and values have been checked by the system call. Whoever lends names a lock of its own for
 *          Task.lent (endpoint.ts).
 */
import { fairReweigh } from "./fair";
import { reschedule } from "./placement";
import { RunQueue, runQueueLockOf, runQueueUnlock } from "./run-queue";
import { SchedPolicy } from "./rt";
import { taskPlace } from "./sched";
import { classDequeue, classEnqueue, classTreeLeave } from "./sched-class";
import { SchedClass, Task, TaskFlag } from "./task";
import { WEIGHT_IDLE_POLICY, niceToWeight } from "./weights";

function weightOf(task: Task): u32 {
  return task.policy == SchedPolicy.IDLE ? WEIGHT_IDLE_POLICY : niceToWeight(task.nice);
}

/** Sets the nice value (-20..19). */
export function schedSetNice(task: Task, nice: i32): void {
  const rq = runQueueLockOf(task);
  task.nice = nice;
  effectSetLocked(rq, task);
  runQueueUnlock(rq);
}

function classOfPolicy(policy: u32): u32 {
  return policy == SchedPolicy.FIFO || policy == SchedPolicy.RR ? SchedClass.RT : SchedClass.FAIR;
}

/** Sets policy and real-time priority (0 for the others). */
export function schedSetPolicy(task: Task, policy: u32, priority: u32): void {
  const rq = runQueueLockOf(task);
  task.policy = policy;
  task.rtPriority = priority;
  effectSetLocked(rq, task);
  runQueueUnlock(rq);
}

function priorityOf(loan: u64): u32 { return <u32>(loan >> 32); }

/** Puts into effect what the task runs at: its own class, priority and weight, or those it was lent where they are better. */
function effectSetLocked(rq: RunQueue, task: Task): void {
  const lentPriority = priorityOf(task.lent);
  const schedClass = lentPriority != 0 ? SchedClass.RT : classOfPolicy(task.policy);
  const priority = max<u32>(task.rtPriority, lentPriority);
  const weight = max<u32>(weightOf(task), <u32>task.lent);
  if (schedClass == task.schedClass && priority == task.rtEffective) {
    if (schedClass == SchedClass.FAIR) fairReweigh(rq, task, weight);
    else task.weight = weight;
    return;
  }
  const wasQueued = task.isQueued != 0;
  if (wasQueued) classDequeue(rq, task);
  if (task.schedClass == SchedClass.RT) task.vruntime = rq.minVruntime; // its old virtual time means nothing now
  task.rtEffective = priority;
  task.schedClass = schedClass;
  task.weight = weight;
  task.resumeCpu = 0;
  if (wasQueued) requeueLocked(rq, task);
}

/** What `task` runs at now, what it was lent included. */
export function loanOf(task: Task): u64 { return <u64>task.rtEffective << 32 | task.weight; }

/** The better of two loans in each respect. */
export function loanMax(a: u64, b: u64): u64 {
  return <u64>max<u32>(priorityOf(a), priorityOf(b)) << 32 | max<u32>(<u32>a, <u32>b);
}

function isMore(loan: u64, priority: u32, weight: u32): bool { return priorityOf(loan) > priority || <u32>loan > weight; }

/** From now on `task` runs at least at `loan`, and at no more than that and what is its own. */
export function schedLend(task: Task, loan: u64): void {
  if (task.lent == 0 && !isMore(loan, task.rtEffective, task.weight)) return; // what it runs at is its own
  const lent = isMore(loan, task.rtPriority, weightOf(task)) ? loan : 0;
  if (task.lent == lent) return;
  const rq = runQueueLockOf(task);
  task.lent = lent;
  effectSetLocked(rq, task);
  runQueueUnlock(rq);
}

/** A new task begins with what is its maker's own. */
export function schedInherit(task: Task, maker: Task): void {
  task.nice = maker.nice;
  task.policy = maker.policy;
  task.rtPriority = maker.rtPriority;
  task.rtEffective = maker.rtPriority;
  task.schedClass = classOfPolicy(maker.policy);
  task.weight = weightOf(task);
  task.affinity = maker.affinity;
}

/** Counts a task in again under its new class; the running one stays out of the tree (Q2). */
function requeueLocked(rq: RunQueue, task: Task): void {
  classEnqueue(rq, task, 0);
  if (rq.current == <u32>changetype<usize>(task)) classTreeLeave(rq, task);
  reschedule(rq);
}

/** Sets the CPUs a task may use; at least one of them is online. False for a task bound to its CPU. */
export function schedSetAffinity(task: Task, mask: u64): bool {
  const rq = runQueueLockOf(task);
  if (task.flags & TaskFlag.NO_AFFINITY_CHANGE) {
    runQueueUnlock(rq);
    return false;
  }
  task.affinity = mask;
  const mustMove = task.isQueued != 0 && ((mask >> rq.cpu) & 1) == 0;
  const isRunning = rq.current == <u32>changetype<usize>(task);
  if (mustMove && isRunning) reschedule(rq); // schedule() hands it on
  task.resumeCpu = 0;
  if (mustMove && !isRunning) classDequeue(rq, task); // RUNNABLE and on no queue: H3 of sched.ts
  runQueueUnlock(rq);
  if (mustMove && !isRunning) taskPlace(task);
  return true;
}
