/**
 * Load balancing: a CPU that runs out of work, or has clearly less than the busiest one, takes a task from it.
 *
 * Locking  the caller holds this CPU's queue; the other one is only tried, so there is no order to break.
 * Units    ns; load is the sum of weights.
 */
import { spinTryLock } from "../../lib/spinlock";
import { fairRebase } from "./fair";
import { cpusOnline } from "./placement";
import { RunQueue, runQueueAt, runQueueSpinLock, runQueueUnlock } from "./run-queue";
import { classDequeue, classEnqueue, classMovable } from "./sched-class";
import { SchedClass, Task, taskOf } from "./task";

const BALANCE_PERIOD_NS: u64 = 64_000_000;

/** The online queue with the most load that has a task waiting, other than `self`; `self` when there is none. */
function busiestOther(self: RunQueue): RunQueue {
  let best = self;
  let bestLoad: u32 = 0;
  for (let left = cpusOnline() & ~(<u64>1 << self.cpu); left != 0; left &= left - 1) {
    const rq = runQueueAt(<u32>ctz(left));
    if (rq.count < 2) continue;
    const load = rq.fairLoad + (rq.rtCount << 12);
    if (load > bestLoad) {
      best = rq;
      bestLoad = load;
    }
  }
  return best;
}

/** Moves a waiting task between two locked queues. */
export function taskMove(from: RunQueue, to: RunQueue, task: Task): void {
  classDequeue(from, task);
  if (task.schedClass == SchedClass.FAIR) fairRebase(task, from, to);
  task.cpu = to.cpu;
  classEnqueue(to, task, 0);
  to.pulled++;
}

/** Takes one task of at most `maxWeight` from the busiest queue. True when it did. */
function pullOne(rq: RunQueue, maxWeight: u32): bool {
  const busiest = busiestOther(rq);
  if (busiest.cpu == rq.cpu || !spinTryLock(runQueueSpinLock(busiest))) return false;
  let task: u32 = 0;
  if (busiest.count >= 2) task = classMovable(busiest, rq.cpu, maxWeight);
  if (task != 0) taskMove(busiest, rq, taskOf(task));
  runQueueUnlock(busiest);
  return task != 0;
}

/** This CPU is about to idle: takes any waiting task. The queue is locked. */
export function balanceIdle(rq: RunQueue): bool {
  return pullOne(rq, u32.MAX_VALUE);
}

/** From the tick of a busy CPU: evens out a clear difference. The queue is locked. */
export function balancePeriodic(rq: RunQueue, nowNs: u64): void {
  if (nowNs < rq.nextBalanceNs) return;
  rq.nextBalanceNs = nowNs + BALANCE_PERIOD_NS;
  const busiest = busiestOther(rq);
  if (busiest.cpu == rq.cpu || busiest.fairLoad <= rq.fairLoad) return;
  // What is moved must weigh less than the difference, or the two would only swap places.
  const difference = busiest.fairLoad - rq.fairLoad;
  if (difference > 1) pullOne(rq, difference - 1);
}
