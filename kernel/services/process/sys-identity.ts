/** System calls that say who the caller is. */
import { currentTask } from "../../core/sched/cpu";
import { currentProcess, processOf } from "./process";

export function sysGetpid(): i64 {
  return <i64>currentProcess().pid;
}

export function sysGettid(): i64 {
  return <i64>currentTask().tid;
}

/** The parent's pid, 0 for init. A parent is never freed before it has given its children away. */
export function sysGetppid(): i64 {
  const parent = currentProcess().parent;
  return parent == 0 ? 0 : <i64>processOf(parent).pid;
}
