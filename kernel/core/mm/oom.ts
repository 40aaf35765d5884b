/**
 * When memory is full: give back what is merely cached, then end the largest process.
 *
 * Locking  called with no lock held: trimming flushes TLBs and killing takes the process lock.
 */
import { TaskWork } from "../sched/task";
import { currentTask } from "../sched/cpu";
import { freePageCount, pageCacheDrain } from "./buddy";
import { kstackTrim } from "./kernel-stack";
import { MM_HOOKS } from "./mm-hooks";
import { pageTableTrim } from "./page-table";
import { slabTrim } from "./slab-cache";

/** Gives this CPU's caches and idle kernel stacks back to the page allocator; the pages won. */
export function memoryTrim(): u64 {
  const before = freePageCount();
  pageTableTrim();
  slabTrim();
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
 * A user page could not be had. True: something was freed or somebody is dying, try again. False: the caller itself
 * shall end.
 */
export function oomHandle(): bool {
  memoryTrim();
  if (currentTask().work & (TaskWork.EXIT | TaskWork.SIGNAL)) return false;
  return MM_HOOKS.oomKill() != 0;
}
