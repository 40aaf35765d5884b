/**
 * Joining the scheduler to the machine: interrupt vectors, and each CPU's way into its idle loop.
 *
 * Locking  none: the boot CPU runs schedBoot alone, each CPU its own schedRun.
 */
import { Vector, irqRegister } from "../../../arch/current";
import { pollInit } from "../sync/poll-wait";
import { thisCpu } from "./cpu";
import { idleLoop, schedCpuOnline, schedInit } from "./idle";
import { loadAverageInit } from "./load-average";
import { taskTableInit } from "./task-table";
import { timerInterrupt } from "./tick";

function onTimer(vector: u32): void {
  timerInterrupt(thisCpu().irqDepth == 0);
}

/** The work is done on the way out: the interrupted task, or the idle loop, sees that it shall choose again. */
function onReschedule(vector: u32): void {}

/** Makes the boot code a task and lets interrupts drive the scheduler. After memory, clock and interrupt controller. */
export function schedBoot(): void {
  schedInit();
  taskTableInit();
  pollInit();
  irqRegister(Vector.TIMER, onTimer);
  irqRegister(Vector.RESCHEDULE, onReschedule);
  schedCpuOnline(thisCpu().id);
  loadAverageInit();
}

/** Makes the calling CPU run tasks for ever. */
export function schedRun(): void {
  const cpu = thisCpu();
  if (!cpu.isOnline) schedCpuOnline(cpu.id);
  idleLoop();
}
