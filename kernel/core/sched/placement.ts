/**
 * Where a task goes when it wakes, and how a CPU is told to choose again.
 *
 * Locking  IDLE_MASK and ONLINE_MASK are atomic words; reschedule() wants the lock of the run queue it is given.
 */
import { apicSendIpi, Vector } from "../../../arch/current";
import { cpuAt, thisCpu } from "./cpu";
import { RunQueue, runQueueAt } from "./run-queue";
import { Task, TaskWork, taskOf, taskWorkSet } from "./task";

/** Waking an idle CPU and warming its caches costs about this; more under emulation. */
const SHORT_NS: u32 = 60_000;

@final @unmanaged
class CpuMasks {
  idle: u64;   // CPUs in the idle task
  online: u64; // CPUs that schedule
}
const MASKS = changetype<CpuMasks>(memory.data(offsetof<CpuMasks>(), 64));
const IDLE_MASK: usize = changetype<usize>(MASKS);
const ONLINE_MASK: usize = changetype<usize>(MASKS) + 8;

export function placementInit(): void {
  store<u64>(IDLE_MASK, 0);
  store<u64>(ONLINE_MASK, 0);
}

export function cpuIdleSet(cpu: u32): void { atomic.or<u64>(IDLE_MASK, <u64>1 << cpu); }
export function cpuIdleClear(cpu: u32): void { atomic.and<u64>(IDLE_MASK, ~(<u64>1 << cpu)); }
export function cpuOnlineSet(cpu: u32): void { atomic.or<u64>(ONLINE_MASK, <u64>1 << cpu); }

/** CPUs that schedule, a bit each. */
export function cpusOnline(): u64 { return atomic.load<u64>(ONLINE_MASK); }
export function cpusIdle(): u64 { return atomic.load<u64>(IDLE_MASK); }
export function cpuOnlineCount(): u32 { return <u32>popcnt(cpusOnline()); }

/** The CPU for a task that becomes runnable: its last one if idle, else any idle one, else its last or least busy one. */
export function placementChoose(task: Task): u32 {
  const allowed = task.affinity & cpusOnline();
  const last = task.cpu;
  if (allowed == <u64>1 << last) return last;
  const idle = cpusIdle() & allowed;
  if ((idle >> last) & 1) return last;
  if (idle != 0) {
    const here = thisCpu().id;
    return (idle >> here) & 1 ? here : <u32>ctz(idle);
  }
  if ((allowed >> last) & 1) return last;
  return placementLeastBusy(allowed, last);
}

/**
 * The CPU for a task that wakes up. One that runs for less than sending it away costs (the other end of a pipe, the next
 * owner of a lock, the answer to a call) runs here, if only the waker does; others as placementChoose. A wrong guess is
 * put right by the next tick, which gives idle CPUs what waits.
 */
export function placementWake(task: Task): u32 {
  const here = thisCpu().id;
  const isShort = task.burstNs - 1 < SHORT_NS; // 0, unknown, wraps
  if (isShort && runQueueAt(here).count <= 1 && (task.affinity >> here) & 1) return here;
  return placementChoose(task);
}

/** The allowed CPU with the least load; `fallback` when nothing is allowed. */
export function placementLeastBusy(allowed: u64, fallback: u32): u32 {
  let best = fallback;
  let bestCount = u32.MAX_VALUE;
  for (let left = allowed; left != 0; left &= left - 1) {
    const cpu = <u32>ctz(left);
    const count = runQueueAt(cpu).count;
    if (count < bestCount) {
      best = cpu;
      bestCount = count;
    }
  }
  return best;
}

/** Makes the CPU of `rq` choose again soon: on its way to user mode, or at once when it idles. */
export function reschedule(rq: RunQueue): void {
  const current = taskOf(rq.current);
  if (atomic.load<u32>(rq.current) & TaskWork.RESCHED) return; // asked already
  taskWorkSet(current, TaskWork.RESCHED);
  if (rq.cpu != thisCpu().id) apicSendIpi(cpuAt(rq.cpu).apicId, Vector.RESCHEDULE);
}
