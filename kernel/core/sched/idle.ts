/**
 * Bringing CPUs to the scheduler, and what they do when there is nothing to do.
 *
 * Each CPU enters on a stack of its own (the boot stack, or the one it was started with), which becomes the stack of
 * its idle task. Idle tasks have number 0 and a record here.
 *
 * Locking  none: each CPU brings itself up.
 */
import { idleWait, linearBase, rdtsc, ticksToNs } from "../../../arch/current";
import { Cpu, cpuAt, thisCpu } from "./cpu";
import { cpuIdleSet, cpuOnlineSet, placementInit } from "./placement";
import { runQueueAt, runQueuesInit } from "./run-queue";
import { schedule } from "./sched";
import { schedClassesInit } from "./sched-class";
import { SCRATCH_BYTES } from "./scratch";
import { switchInit } from "./switch";
import { SchedClass, Task, TaskFlag, TaskState, TaskWork, taskOf } from "./task";
import { taskNameSet } from "./task-table";
import { timerQueuesInit } from "../time/timer";

const IDLE_TASKS: usize = memory.data(64 * offsetof<Task>(), 64);
const IDLE_SCRATCH: usize = memory.data(64 * 1024, 64);

/** Makes the boot code of CPU `id` a task, so that locks, scratch memory and waiting have somebody to belong to. */
function idleTaskMake(cpu: Cpu): Task {
  const task = changetype<Task>(IDLE_TASKS + <usize>cpu.id * offsetof<Task>()); // SAFETY: id < MAX_CPUS
  memory.fill(changetype<usize>(task), 0, offsetof<Task>());
  task.flags = TaskFlag.KERNEL_THREAD | TaskFlag.IDLE | TaskFlag.NO_AFFINITY_CHANGE;
  task.state = TaskState.RUNNABLE;
  task.schedClass = SchedClass.IDLE;
  task.affinity = <u64>1 << cpu.id;
  task.cpu = cpu.id;
  task.onCpu = 1;
  task.refs = 1;
  task.stackTop = linearBase() + IDLE_SCRATCH + cpu.id * SCRATCH_BYTES; // only its scratch is ever used
  taskNameSet(task, "idle");
  return task;
}

/** Sets the scheduler up and makes the running code the boot CPU's idle task. Needs the clock, nothing else. */
export function schedInit(): void {
  runQueuesInit();
  timerQueuesInit();
  schedClassesInit();
  placementInit();
  switchInit();
  idleAdopt(thisCpu());
}

function idleAdopt(cpu: Cpu): void {
  const task = idleTaskMake(cpu);
  const rq = runQueueAt(cpu.id);
  rq.idle = <u32>changetype<usize>(task);
  rq.current = rq.idle;
  task.execStartTsc = rdtsc();
  cpu.idleTask = rq.idle;
  cpu.current = rq.idle;
}

/** Lets tasks be placed on this CPU; its timer interrupt works. The running code is its idle task from now on. */
export function schedCpuOnline(id: u32): void {
  const cpu = cpuAt(id);
  if (cpu.idleTask == 0) idleAdopt(cpu);
  runQueueAt(id).isOnline = 1;
  cpuOnlineSet(id);
  cpuIdleSet(id);
  atomic.store<u32>(changetype<usize>(cpu), 1, offsetof<Cpu>("isOnline"));
}

/** Runs other tasks while there are any, sleeps otherwise. Never returns. */
export function idleLoop(): void {
  const idle = taskOf(thisCpu().idleTask);
  while (true) {
    // An interrupt between the test and HLT cannot come: idleWait opens the door and sleeps in one step.
    if (!(atomic.load<u32>(changetype<usize>(idle)) & TaskWork.RESCHED)) idleWait();
    if (atomic.load<u32>(changetype<usize>(idle)) & TaskWork.RESCHED) schedule();
  }
}

/** Time a CPU has idled, ns; for /proc/stat and /proc/uptime. */
export function cpuIdleNs(id: u32): u64 {
  const rq = runQueueAt(id);
  if (rq.idle == 0) return 0;
  const idle = taskOf(rq.idle);
  if (rq.current != rq.idle) return idle.sumExecNs;
  const ticks = rdtsc() - idle.execStartTsc;
  return <i64>ticks > 0 ? idle.sumExecNs + ticksToNs(ticks) : idle.sumExecNs;
}
