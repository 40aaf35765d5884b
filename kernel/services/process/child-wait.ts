/** The wait queue on which a process waits for its children (wait4, vfork) and an exec for its sibling threads. */
import { WaitQueue } from "../../core/sync/wait-queue";
import { Process } from "./process";

/** SAFETY: held by value in the record. */
export function childWaitOf(process: Process): WaitQueue {
  return changetype<WaitQueue>(changetype<usize>(process) + offsetof<Process>("childWait"));
}
