/**
 * The scheduler: choosing the next task, waking tasks, giving way.
 *
 * A task goes to sleep in three steps: it sets `state`, makes sure that its waker will see it, checks its condition a
 * last time, and calls schedule(). A waker that comes between finds it still queued and only sets it RUNNABLE again.
 *
 * Invariants  H1  schedule() is called with no spinlock held.
 *             H2  a task sets its own state away from RUNNABLE; only a waker, holding the task's queue, sets it back
 *                 (or the task itself, having decided not to sleep).
 *             H3  a task that is RUNNABLE and not queued is on its way between queues: wakers leave it alone.
 * Locking     RunQueue.lock. Wakers may hold any lock of lower rank.
 */
import { irqWindow, mfence, rdtsc, ticksToNs, tscToNs } from "../../../arch/current";
import { balanceIdle } from "./balance";
import { cpuAt, currentTask, thisCpu } from "./cpu";
import { EnqueueFlag, fairIsFresh, fairRebase } from "./fair";
import { cpuIdleClear, cpuIdleSet, placementChoose, placementWake, reschedule } from "./placement";
import { RunQueue, runQueueAt, runQueueLock, runQueueLockOf, runQueueUnlock } from "./run-queue";
import { classAccount, classDequeue, classEnqueue, classPick, classPut, classShouldPreempt, classYield } from "./sched-class";
import { finishSwitch, finishSwitchAsleep, taskSwitch } from "./switch";
import { SchedClass, Task, TaskFlag, TaskState, TaskWork, WakeReason, taskOf, taskWorkClear } from "./task";
import { taskAllocKernel, taskNameSet } from "./task-table";
import { timerTickNs, timerTickSet } from "../time/timer";

/** Distance of the scheduler's ticks while a CPU runs anything but its idle task. */
export const TICK_NS: u64 = 4_000_000;

const BURST_MAX_NS: u64 = 1_000_000_000;
const BURST_STEP_NS: u64 = 20_000;

/** Set of states that a waker with this reason ends. */
function statesWoken(reason: u32): u32 {
  switch (reason) {
    case WakeReason.SIGNAL: return 1 << TaskState.SLEEPING;
    case WakeReason.CONTINUE: return 1 << TaskState.STOPPED;
    case WakeReason.KILL: return (1 << TaskState.SLEEPING) | (1 << TaskState.STOPPED);
    default: return (1 << TaskState.SLEEPING) | (1 << TaskState.UNINTERRUPTIBLE);
  }
}

/** True when a signal or the end of its process waits for the task: interruptible sleeps end. */
export function taskSignalPending(task: Task): bool {
  return (atomic.load<u32>(changetype<usize>(task)) & (TaskWork.SIGNAL | TaskWork.EXIT)) != 0;
}

/** Sets the running task's state before it looks at its condition a last time (H2). Ordered before later loads. */
export function taskStateSet(state: u32): void {
  atomic.store<u32>(changetype<usize>(currentTask()), state, offsetof<Task>("state"));
}

/** Lets another task run; returns when this one was chosen again. Sleeps if the state says so. */
export function schedule(): void {
  const cpu = thisCpu();
  const rq = runQueueAt(cpu.id);
  const prev = taskOf(cpu.current);
  assert(cpu.lockDepth == 0); // H1
  runQueueLock(rq);
  rq.nowTsc = rdtsc();
  classAccount(rq, prev, rq.nowTsc);
  taskWorkClear(prev, TaskWork.RESCHED);
  const next = scheduleChoose(rq, prev);
  if (next == prev) {
    runQueueUnlock(rq);
    return;
  }
  if (next.schedClass == SchedClass.IDLE) cpuIdleSet(rq.cpu);
  else if (prev.schedClass == SchedClass.IDLE) idleLeave(rq);
  cpu.contextSwitches++;
  taskSwitch(cpu, rq, prev, next);
  switchDone();
}

/** Takes `prev` off its place or puts it back, and picks the next. The queue is locked. */
function scheduleChoose(rq: RunQueue, prev: Task): Task {
  if (prev.schedClass != SchedClass.IDLE) {
    if (prev.state == TaskState.SLEEPING && taskSignalPending(prev)) prev.state = TaskState.RUNNABLE;
    if (prev.state != TaskState.RUNNABLE) {
      classDequeue(rq, prev);
      prev.voluntarySwitches++;
      burstNote(prev);
    } else if (((prev.affinity >> rq.cpu) & 1) == 0) {
      classDequeue(rq, prev); // H3: finishSwitch hands it on
    } else {
      if (rq.count == 1) return prev;
      classPut(rq, prev);
      prev.involuntarySwitches++;
    }
  }
  if (rq.count == 0) balanceIdle(rq);
  return classPick(rq);
}

/**
 * Learns from a sleep that begins how long the task runs between two sleeps. One long burst counts little: a fault, an
 * interrupt or a hypervisor that took the processor away must not outweigh many short ones.
 */
function burstNote(task: Task): void {
  const limit = min<u64>(<u64>task.burstNs * 4 + BURST_STEP_NS, BURST_MAX_NS);
  const burstNs = <u32>min<u64>(task.sumExecNs - task.sliceStartNs, limit);
  task.burstNs = (task.burstNs >> 2) * 3 + (burstNs >> 2) + 1;
}

/** The CPU gets work after idling: from now on it ticks. */
function idleLeave(rq: RunQueue): void {
  cpuIdleClear(rq.cpu);
  const tickNs = tscToNs(rq.nowTsc) + TICK_NS;
  if (timerTickNs() > tickNs) timerTickSet(tickNs);
}

/** On the new stack: lets go of the old task, and finds it a CPU when it may not stay on this one. */
export function switchDone(): void {
  if (finishSwitchAsleep()) return;
  const homeless = finishSwitch();
  if (homeless != 0) taskPlace(taskOf(homeless));
}

/** Queues a RUNNABLE task that is on no queue (H3) where it may run. */
export function taskPlace(task: Task): void {
  const from = runQueueAt(task.cpu);
  const to = runQueueAt(placementChoose(task));
  runQueueLock(to);
  if (task.schedClass == SchedClass.FAIR && from.cpu != to.cpu) fairRebase(task, from, to);
  task.cpu = to.cpu;
  enqueueAndPreempt(to, task, EnqueueFlag.MIGRATE);
  runQueueUnlock(to);
}

/**
 * Queues a task and makes the CPU choose again when the task should run at once. The queue is locked.
 *
 * For a wake-up by the running task itself the clock is not read: its virtual time as of its last tick is good enough.
 */
function enqueueAndPreempt(rq: RunQueue, task: Task, flags: u32): void {
  const current = taskOf(rq.current);
  const isFair = current.schedClass == SchedClass.FAIR && flags & EnqueueFlag.WAKEUP;
  const isByCurrent = isFair && rq.cpu == thisCpu().id && thisCpu().irqDepth == 0;
  if (isFair && !isByCurrent) {
    rq.nowTsc = rdtsc();
    classAccount(rq, current, rq.nowTsc);
  }
  classEnqueue(rq, task, flags);
  if (!classShouldPreempt(rq, task)) return;
  if (isByCurrent && task.schedClass == SchedClass.FAIR && fairIsFresh(current, rdtsc())) return;
  reschedule(rq);
}

/** Ends the task's sleep if `reason` may. False when it was not asleep that way. Any CPU, interrupts included. */
export function taskWake(task: Task, reason: u32): bool {
  const states = statesWoken(reason);
  mfence(); // what the task waits for was stored before its state is read
  if (((states >> atomic.load<u32>(changetype<usize>(task), offsetof<Task>("state"))) & 1) == 0) return false;
  let rq = runQueueLockOf(task);
  if (((states >> task.state) & 1) == 0) {
    runQueueUnlock(rq);
    return false;
  }
  task.wakeReason = reason;
  task.state = TaskState.RUNNABLE;
  if (task.isQueued) { // still on its way to sleep
    runQueueUnlock(rq);
    return true;
  }
  const target = placementWake(task);
  if (target == rq.cpu) {
    enqueueAndPreempt(rq, task, EnqueueFlag.WAKEUP);
    runQueueUnlock(rq);
    return true;
  }
  runQueueUnlock(rq); // H3 keeps everybody else away meanwhile
  wakeOn(task, rq, runQueueAt(target));
  return true;
}

/** Queues a woken task on another CPU than its last. */
function wakeOn(task: Task, from: RunQueue, to: RunQueue): void {
  runQueueLock(to);
  if (task.schedClass == SchedClass.FAIR) fairRebase(task, from, to);
  task.cpu = to.cpu;
  enqueueAndPreempt(to, task, EnqueueFlag.WAKEUP);
  runQueueUnlock(to);
}

/** Makes a new task runnable for the first time, on the least busy CPU it may use. */
export function taskStart(task: Task): void {
  task.cpu = thisCpu().id;
  const to = runQueueAt(placementChoose(task));
  runQueueLock(to);
  task.cpu = to.cpu;
  task.state = TaskState.RUNNABLE;
  enqueueAndPreempt(to, task, EnqueueFlag.NEW);
  runQueueUnlock(to);
}

/** A point where no spinlock is held in a long kernel path: takes pending interrupts, gives way when asked. */
export function schedYieldPoint(): void {
  irqWindow();
  if (atomic.load<u32>(changetype<usize>(currentTask())) & TaskWork.RESCHED) schedule();
}

/** sched_yield: lets every equal run once before this task. */
export function schedYield(): void {
  const rq = runQueueAt(thisCpu().id);
  runQueueLock(rq);
  classYield(rq, currentTask());
  runQueueUnlock(rq);
  schedule();
}

/** The end of the running task: it leaves its stack for ever. Its own reference is dropped on the far side. */
export function taskExitSwitch(): void {
  const task = currentTask();
  task.flags |= TaskFlag.EXITING;
  if (thisCpu().fpuOwner == <u32>changetype<usize>(task)) thisCpu().fpuOwner = 0;
  taskStateSet(TaskState.DEAD);
  schedule();
  unreachable(); // a dead task was chosen
}

/** First code of a new thread, called by the thread entry with its frame above (arch). */
export function threadBegin(): void {
  switchDone();
  const task = currentTask();
  if (task.startFn == 0) return; // a user task: the entry leaves through its frame
  const start = changetype<(arg: u32) => void>(task.startFn); // SAFETY: taskCreateKernel stored a function here
  start(task.startArg);
  taskExitSwitch();
}

/** A kernel thread that will run `fn(arg)` and end; start it with taskStart. Null when memory is full. */
export function taskCreateKernel(name: string, fn: (arg: u32) => void, arg: u32): Task | null {
  const task = taskAllocKernel();
  if (!task) return null;
  taskNameSet(task, name);
  task.startFn = <u32>changetype<usize>(fn);
  task.startArg = arg;
  return task;
}

/** Time the task has run, the current slice included. */
export function taskRunNs(task: Task): u64 {
  let ticks = task.debtTicks;
  if (task.isQueued && runQueueAt(task.cpu).current == <u32>changetype<usize>(task)) ticks += rdtsc() - task.execStartTsc;
  return <i64>ticks > 0 ? task.sumExecNs + ticksToNs(ticks) : task.sumExecNs;
}

/** Tasks runnable on CPU `cpu` right now. */
export function schedRunnable(cpu: u32): u32 {
  return cpuAt(cpu).isOnline ? runQueueAt(cpu).count : 0;
}
