/**
 * Joining the scheduler to the machine: each CPU's way into its idle loop.
 *
 * Locking  none: the boot CPU runs schedBoot alone, each CPU its own schedRun.
 */
import { pollInit } from "../sync/poll-wait";
import { thisCpu } from "./cpu";
import { idleLoop, schedCpuOnline, schedInit } from "./idle";
import { loadAverageInit } from "./load-average";
import { taskTableInit } from "./task-table";

/** Makes the boot code a task. After memory, clock and interrupt controller. */
export function schedBoot(): void {
  schedInit();
  taskTableInit();
  pollInit();
  schedCpuOnline(thisCpu().id);
  loadAverageInit();
}

/** Makes the calling CPU run tasks for ever. */
export function schedRun(): void {
  const cpu = thisCpu();
  if (!cpu.isOnline) schedCpuOnline(cpu.id);
  idleLoop();
}
