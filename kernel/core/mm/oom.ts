/**
 * When memory is full: give back what is merely cached, then end the largest process.
 *
 * Locking  called with no lock held: trimming flushes TLBs and killing takes the process lock.
 */
import { monoNowNs } from "../../../arch/current";
import { currentTask } from "../sched/cpu";
import { sleepUntil } from "../sched/sleep";
import { TaskWork } from "../sched/task";
import { freePageCount, pageAllocUser, pageCacheDrain, userPagesLeft } from "./buddy";
import { heapTrim } from "./heap";
import { kstackTrim } from "./kernel-stack";
import { MM_HOOKS } from "./mm-hooks";
import { pageTableTrim } from "./page-table";
import { slabTrim } from "./slab-cache";

/** Fewer pages than this are not worth another try before killing. */
const TRIM_ENOUGH: u64 = 64;
const KILL_PAUSE_NS: u64 = 200_000_000;
const WAIT_NS: u64 = 10_000_000;
const TRIM_PAUSE_NS: u64 = 20_000_000;
/** When somebody was last killed, when caches were last trimmed, and when idle memory alone was looked through: u64, atomic. */
const LAST_KILL: usize = memory.data(8, 8);
const LAST_TRIM: usize = memory.data(8, 8);
const LAST_IDLE_TRIM: usize = memory.data(8, 8);

/** Gives this CPU's caches and idle kernel stacks back to the page allocator; the pages won. */
export function memoryTrim(): u64 {
  const before = freePageCount();
  MM_HOOKS.cacheShrink();
  idleTrim();
  const after = freePageCount();
  return after > before ? after - before : 0;
}

/** What the kernel keeps without any use for it: other allocators' pages, which count as free, back to the page allocator. */
function idleTrim(): void {
  pageTableTrim();
  slabTrim();
  heapTrim();
  kstackTrim();
  pageCacheDrain();
}

/** pageAllocUser, which looks among the kernel's idle memory before it gives up. The caller holds no spinlock. */
export function userPageGet(): u32 {
  const pfn = pageAllocUser();
  // A turn of its own: caches that nobody has trimmed yet still stand between a fault and a kill.
  if (pfn || !turnTake(LAST_IDLE_TRIM, TRIM_PAUSE_NS)) return pfn;
  idleTrim();
  return pageAllocUser();
}

/** `kill` ends the process that uses most memory and logs it; 0 when there is none. */
export function oomHookSet(kill: () => u32): void {
  MM_HOOKS.oomKill = kill;
}

/** True for one caller in each `pauseNs`: whoever moves the time at `at` (0 never) to now. */
function turnTake(at: usize, pauseNs: u64): bool {
  const nowNs = monoNowNs();
  const lastNs = atomic.load<u64>(at);
  if (lastNs != 0 && nowNs - lastNs < pauseNs) return false;
  return atomic.cmpxchg<u64>(at, lastNs, nowNs) == lastNs;
}

/**
 * A user page could not be had. True: something was freed or somebody is dying, try again. False: a signal waits for
 * the caller, or there is nobody to kill. Thousands may come here at once, so one of them trims or kills at a time and
 * the others sleep: whoever is to end needs the CPU.
 */
export function oomHandle(): bool {
  const task = currentTask();
  if (task.work & (TaskWork.EXIT | TaskWork.SIGNAL)) return false;
  if (turnTake(LAST_TRIM, TRIM_PAUSE_NS) && memoryTrim() >= TRIM_ENOUGH) return true;
  if (userPagesLeft()) return true;
  if (turnTake(LAST_KILL, KILL_PAUSE_NS) && MM_HOOKS.oomKill() == 0) return false;
  return sleepUntil(monoNowNs() + WAIT_NS + (<u64>(task.tid & 31) << 20)) == 0;
}
