/**
 * Resource usage: CPU time, faults and switches of threads, processes and waited-for children.
 *
 * Locking  sums over threads walk the thread list: processLock.
 * Units    ns inside; getrusage speaks timevals, times(2) speaks ticks of 10 ms.
 */
import { monoNowNs, userCopyOut } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { taskSystemNs, taskUserNs } from "../../core/sched/cpu-time";
import { currentTask } from "../../core/sched/cpu";
import { mmOf, mmPeakPages } from "../../core/mm/address-space";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { Task } from "../../core/sched/task";
import { ListNode, listSame, ownerOf } from "../../lib/list";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { currentProcess, Process } from "./process";
import { processLock, threadHeadOf } from "./process-table";

const RUSAGE_SELF: i32 = 0;
const RUSAGE_CHILDREN: i32 = -1;
const RUSAGE_THREAD: i32 = 1;
/** Bytes of struct rusage. */
export const RUSAGE_BYTES: u32 = 144;
const NS_PER_TICK: u64 = 10_000_000;

/** What is summed up for one answer. */
@final @unmanaged
export class Usage {
  userNs: u64;
  systemNs: u64;
  minorFaults: u64;
  voluntarySwitches: u64;
  involuntarySwitches: u64;
  maxRssPages: u64;
}

/** Adds an ending thread to its process. Locking: processLock. */
export function cpuTimeOfTask(process: Process, task: Task): void {
  process.deadUserNs += taskUserNs(task);
  process.deadSystemNs += taskSystemNs(task);
  process.voluntarySwitches += task.voluntarySwitches;
  process.involuntarySwitches += task.involuntarySwitches;
}

function threadAt(node: ListNode): Task {
  return ownerOf<Task>(node, offsetof<Task>("groupNode"));
}

/** User time of all threads, living and dead. Locking: processLock. */
export function processUserNs(process: Process): u64 {
  let total = process.deadUserNs;
  const head = threadHeadOf(process);
  for (let node = head.next; !listSame(node, head); node = node.next) total += taskUserNs(threadAt(node));
  return total;
}

/** System time of all threads. Locking: processLock. */
export function processSystemNs(process: Process): u64 {
  let total = process.deadSystemNs;
  const head = threadHeadOf(process);
  for (let node = head.next; !listSame(node, head); node = node.next) total += taskSystemNs(threadAt(node));
  return total;
}

/** Fills `usage` for a process. Locking: processLock. */
export function usageOfProcess(process: Process, usage: Usage): void {
  usage.userNs = processUserNs(process);
  usage.systemNs = processSystemNs(process);
  usage.minorFaults = process.minorFaults;
  usage.voluntarySwitches = process.voluntarySwitches;
  usage.involuntarySwitches = process.involuntarySwitches;
  usage.maxRssPages = process.maxRssPages;
  const head = threadHeadOf(process);
  for (let node = head.next; !listSame(node, head); node = node.next) {
    const task = threadAt(node);
    usage.minorFaults += task.minorFaults;
    usage.voluntarySwitches += task.voluntarySwitches;
    usage.involuntarySwitches += task.involuntarySwitches;
  }
  if (process.mm != 0) usage.maxRssPages = max<u64>(usage.maxRssPages, mmPeakPages(mmOf(process.mm)));
}

/** Fills `usage` for a child that is waited for: its own and its waited-for children's. Locking: processLock. */
export function usageOfWaited(process: Process, usage: Usage): void {
  usageOfProcess(process, usage);
  usage.userNs += process.childUserNs;
  usage.systemNs += process.childSystemNs;
  usage.minorFaults += process.childMinorFaults;
  usage.voluntarySwitches += process.childVoluntarySwitches;
  usage.involuntarySwitches += process.childInvoluntarySwitches;
  usage.maxRssPages = max<u64>(usage.maxRssPages, process.childMaxRssPages);
}

/** Adds what the reaped child and its own waited-for children used to the sums of its parent. Locking: processLock. */
export function usageOfChildAdd(parent: Process, usage: Usage): void {
  parent.childUserNs += usage.userNs;
  parent.childSystemNs += usage.systemNs;
  parent.childMinorFaults += usage.minorFaults;
  parent.childVoluntarySwitches += usage.voluntarySwitches;
  parent.childInvoluntarySwitches += usage.involuntarySwitches;
  parent.childMaxRssPages = max<u64>(parent.childMaxRssPages, usage.maxRssPages);
}

function timevalStore(ptr: usize, ns: u64): void {
  store<u64>(ptr, ns / 1_000_000_000);
  store<u64>(ptr, ns % 1_000_000_000 / 1000, 8);
}

/** Writes `usage` as a struct rusage to user memory: 0 or -EFAULT. */
export function usageOut(va: u64, usage: Usage): i32 {
  const ptr = scratchPush(RUSAGE_BYTES);
  memory.fill(ptr, 0, RUSAGE_BYTES);
  timevalStore(ptr, usage.userNs);
  timevalStore(ptr + 16, usage.systemNs);
  store<u64>(ptr, usage.maxRssPages << 2, 32); // KiB
  store<u64>(ptr, usage.minorFaults, 64);
  store<u64>(ptr, usage.voluntarySwitches, 128);
  store<u64>(ptr, usage.involuntarySwitches, 136);
  const result = userCopyOut(va, ptr, RUSAGE_BYTES);
  scratchPop(RUSAGE_BYTES);
  return result;
}

export function sysGetrusage(who: i32, va: u64): i64 {
  const ptr = scratchPush(offsetof<Usage>());
  memory.fill(ptr, 0, offsetof<Usage>());
  const usage = changetype<Usage>(ptr); // SAFETY: scratch of that size
  const result = usageOfWho(who, usage) ? usageOut(va, usage) : -<i32>Errno.INVAL;
  scratchPop(offsetof<Usage>());
  return result;
}

function usageOfWho(who: i32, usage: Usage): bool {
  const process = currentProcess();
  if (who == RUSAGE_THREAD) {
    const task = currentTask();
    usage.userNs = taskUserNs(task);
    usage.systemNs = taskSystemNs(task);
    usage.minorFaults = task.minorFaults;
    usage.voluntarySwitches = task.voluntarySwitches;
    usage.involuntarySwitches = task.involuntarySwitches;
    usage.maxRssPages = mmPeakPages(mmOf(process.mm));
    return true;
  }
  if (who == RUSAGE_CHILDREN) {
    usage.userNs = process.childUserNs;
    usage.systemNs = process.childSystemNs;
    usage.minorFaults = process.childMinorFaults;
    usage.voluntarySwitches = process.childVoluntarySwitches;
    usage.involuntarySwitches = process.childInvoluntarySwitches;
    usage.maxRssPages = process.childMaxRssPages;
    return true;
  }
  if (who != RUSAGE_SELF) return false;
  spinLock(processLock);
  usageOfProcess(process, usage);
  spinUnlock(processLock);
  return true;
}

/** times(2): ticks of 10 ms since boot; struct tms { utime, stime, cutime, cstime }. */
export function sysTimes(va: u64): i64 {
  if (va != 0) {
    const process = currentProcess();
    const ptr = scratchPush(32);
    spinLock(processLock);
    store<u64>(ptr, processUserNs(process) / NS_PER_TICK);
    store<u64>(ptr, processSystemNs(process) / NS_PER_TICK, 8);
    spinUnlock(processLock);
    store<u64>(ptr, process.childUserNs / NS_PER_TICK, 16);
    store<u64>(ptr, process.childSystemNs / NS_PER_TICK, 24);
    const result = userCopyOut(va, ptr, 32);
    scratchPop(32);
    if (result != 0) return -Errno.FAULT;
  }
  return <i64>(monoNowNs() / NS_PER_TICK);
}
