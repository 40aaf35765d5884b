/**
 * When memory is full: give back what is merely cached, then end the largest process.
 *
 * Locking  called with no lock held: trimming flushes TLBs and killing takes the process lock.
 */
import { monoNowNs } from "../../../arch/current";
import { currentTask } from "../sched/cpu";
import { sleepUntil } from "../sched/sleep";
import { TaskWork } from "../sched/task";
import { freePageCount, pageCacheDrain } from "./buddy";
import { heapTrim } from "./heap";
import { kstackTrim } from "./kernel-stack";
import { MM_HOOKS } from "./mm-hooks";
import { pageTableTrim } from "./page-table";
import { slabTrim } from "./slab-cache";

/** Fewer pages than this are not worth another try before killing. */
const TRIM_ENOUGH: u64 = 64;
const KILL_PAUSE_NS: u64 = 200_000_000;
const WAIT_NS: u64 = 5_000_000;
/** When somebody was last killed, 0 never: a u64, atomic. */
const LAST_KILL: usize = memory.data(8, 8);

/** Gives this CPU's caches and idle kernel stacks back to the page allocator; the pages won. */
export function memoryTrim(): u64 {
  const before = freePageCount();
  MM_HOOKS.cacheShrink();
  pageTableTrim();
  slabTrim();
  heapTrim();
  kstackTrim();
  pageCacheDrain();
  const after = freePageCount();
  return after > before ? after - before : 0;
}

/** `kill` ends the process that uses most memory and logs it; 0 when there is none. */
export function oomHookSet(kill: () => u32): void {
  MM_HOOKS.oomKill = kill;
}

/**
 * A user page could not be had. True: something was freed or somebody is dying, try again. False: a signal waits for
 * the caller, or there is nobody to kill.
 */
export function oomHandle(): bool {
  if (memoryTrim() >= TRIM_ENOUGH) return true;
  if (currentTask().work & (TaskWork.EXIT | TaskWork.SIGNAL)) return false;
  // Whoever was killed last needs time to end: killing more would not make it faster.
  const lastNs = atomic.load<u64>(LAST_KILL);
  if (lastNs == 0 || monoNowNs() - lastNs > KILL_PAUSE_NS) {
    if (MM_HOOKS.oomKill() == 0) return false;
    atomic.store<u64>(LAST_KILL, monoNowNs());
  }
  return sleepUntil(monoNowNs() + WAIT_NS) == 0;
}
