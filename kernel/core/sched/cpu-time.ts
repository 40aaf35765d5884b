/**
 * CPU time: the total is exact (sumExecNs), its division into user and system time is sampled by the ticks.
 *
 * Stamping each kernel entry would cost every system call some thirty instructions; the ratio of the ticks that found
 * the task in user mode and in the kernel costs nothing. Between two calls neither part ever shrinks.
 *
 * Locking  the task's own counters are written by its CPU's tick; userNs and systemNs by whoever asks, harmlessly.
 */
import { taskRunNs } from "./sched";
import { Task } from "./task";

/** System part of `totalNs` by the sampled ratio. */
export function cpuTimeSystemPart(totalNs: u64, userTicks: u32, systemTicks: u32): u64 {
  if (systemTicks == 0) return 0;
  if (userTicks == 0) return totalNs;
  const share = (<u64>systemTicks << 16) / (<u64>userTicks + systemTicks); // 0.16 fixed point
  return (totalNs >> 16) * share + (((totalNs & 0xffff) * share) >> 16);
}

/** Brings task.userNs and task.systemNs up to date. */
export function cpuTimeUpdate(task: Task): void {
  const totalNs = taskRunNs(task);
  let systemNs = cpuTimeSystemPart(totalNs, task.userTicks, task.systemTicks);
  if (systemNs < task.systemNs) systemNs = task.systemNs; // never back
  if (totalNs < task.userNs + systemNs) systemNs = totalNs > task.userNs ? totalNs - task.userNs : task.systemNs;
  if (systemNs < task.systemNs) systemNs = task.systemNs;
  if (totalNs > systemNs + task.userNs) task.userNs = totalNs - systemNs;
  task.systemNs = systemNs;
}

/** User time of a task so far, ns. */
export function taskUserNs(task: Task): u64 {
  cpuTimeUpdate(task);
  return task.userNs;
}

/** System time of a task so far, ns. */
export function taskSystemNs(task: Task): u64 {
  cpuTimeUpdate(task);
  return task.systemNs;
}
