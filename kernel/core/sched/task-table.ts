/**
 * Making and freeing tasks: record, kernel stack, FPU area, thread id.
 *
 *   kernel stack   | stack, grows down … | TrapFrame | scratch (scratch.ts) |
 *
 * Invariants  B1  a task has one reference of its own from taskAlloc until it has left its stack for the last time
 *                 (taskRetire); everybody else counts theirs with taskGet and taskPut.
 *             B2  the stack is freed on leaving it, the record and the number with the last reference.
 * Locking     refs is atomic. Nothing here sleeps, so taskFree may run with any sleeping lock held.
 */
import { TRAP_FRAME_BYTES, linearBase, monoNowNs, threadEntryVa } from "../../../arch/current";
import { fpuAreaBytes, fpuAreaInit } from "../../../arch/current";
import { listInit, listNodeAt } from "../../lib/list";
import { kstackAlloc, kstackFree } from "../mm/kernel-stack";
import { SlabCache, slabAlloc, slabFree, slabInit } from "../mm/slab-cache";
import { SCRATCH_BYTES } from "./scratch";
import { SchedClass, Task, TaskFlag, TaskState } from "./task";
import { taskRefTry, tidAlloc, tidAttach, tidDetach, tidDrop, tidInit } from "./tid";
import { WEIGHT_NICE_0 } from "./weights";

/** Bytes of a kernel stack, scratch included. */
export const KSTACK_BYTES: u32 = 16384;
/** Words that contextSwitch pops: six registers and the return address. */
const SWITCH_WORDS: u32 = 7;
const AFFINITY_ALL: u64 = u64.MAX_VALUE;

const TASK_CACHE = changetype<SlabCache>(memory.data(offsetof<SlabCache>(), 8));
const FPU_CACHE = changetype<SlabCache>(memory.data(offsetof<SlabCache>(), 8));
const COUNTS: usize = memory.data(16); // tasks alive, tasks made since boot

/** What becomes of the services' part of a task that is being freed. */
@final @unmanaged
class TaskHooks {
  release: (task: Task) => void;
  isSet: u32;
}
const HOOKS = changetype<TaskHooks>(memory.data(offsetof<TaskHooks>()));

/** Makes the slab caches; after slabs work and the FPU has been detected. */
export function taskTableInit(): void {
  slabInit(TASK_CACHE, "task", (<u32>offsetof<Task>() + 63) & ~63);
  slabInit(FPU_CACHE, "fpu", (fpuAreaBytes() + 63) & ~63);
  store<u32>(COUNTS, 0);
  store<u32>(COUNTS, 0, 4);
  HOOKS.isSet = 0;
  tidInit();
}

/** `release` frees what services hung on a task; called once, with the last reference. */
export function taskReleaseHookSet(release: (task: Task) => void): void {
  HOOKS.release = release;
  HOOKS.isSet = 1;
}

/** Fills in what every task starts with. The record is zero. */
export function taskDefaults(task: Task): void {
  task.refs = 1;
  task.state = TaskState.UNINTERRUPTIBLE; // until taskStart
  task.schedClass = SchedClass.FAIR;
  task.weight = WEIGHT_NICE_0;
  task.affinity = AFFINITY_ALL;
  listInit(listNodeAt(changetype<usize>(task) + offsetof<Task>("allNode")));
  listInit(listNodeAt(changetype<usize>(task) + offsetof<Task>("groupNode")));
}

/** A task with stack, FPU area and number, one reference, not started; null when memory or numbers are full. */
export function taskAlloc(): Task | null {
  const task = taskAllocKernel();
  if (!task) return null;
  const area = slabAlloc(FPU_CACHE);
  if (!area) {
    taskDiscard(task);
    return null;
  }
  fpuAreaInit(area);
  task.fpuArea = <u32>area;
  task.flags = 0;
  task.frame = <u32>(task.stackTop - linearBase()) - TRAP_FRAME_BYTES;
  return task;
}

/** The same without FPU area and user frame: a kernel thread. */
export function taskAllocKernel(): Task | null {
  const address = slabAlloc(TASK_CACHE);
  if (!address) return null;
  memory.fill(address, 0, offsetof<Task>());
  const task = changetype<Task>(address); // SAFETY: a fresh object of TASK_CACHE
  taskDefaults(task);
  task.flags = TaskFlag.KERNEL_THREAD;
  const stack = kstackAlloc();
  const tid = stack ? tidAlloc() : 0;
  if (!tid) {
    if (stack) kstackFree(stack);
    slabFree(TASK_CACHE, address);
    return null;
  }
  task.tid = tid;
  task.stackBase = <u32>stack;
  task.startNs = monoNowNs();
  taskStackPrepare(task);
  tidAttach(task);
  atomic.add<u32>(COUNTS, 1);
  atomic.add<u32>(COUNTS, 1, 4);
  return task;
}

/** Lays the first switch onto the stack: contextSwitch returns to the thread entry with RSP at the TrapFrame. */
function taskStackPrepare(task: Task): void {
  const top = task.stackBase + KSTACK_BYTES - SCRATCH_BYTES;
  task.stackTop = linearBase() + top;
  const frame = top - TRAP_FRAME_BYTES;
  const sp = frame - SWITCH_WORDS * 8;
  memory.fill(sp, 0, top - sp);
  store<u64>(frame - 8, threadEntryVa());
  task.savedSp = linearBase() + sp;
}

/** Frees a task that was never started. */
export function taskDiscard(task: Task): void {
  taskRetire(task);
}

/** The task has left its stack for ever: frees the stack and ends its own reference (B1, B2). */
export function taskRetire(task: Task): void {
  const stack = task.stackBase;
  task.stackBase = 0;
  task.stackTop = 0;
  if (stack != 0) kstackFree(stack);
  taskPut(task);
}

export function taskGet(task: Task): void {
  const got = taskRefTry(task);
  assert(got); // B1: the caller knows that a reference exists
}

/** Drops a reference; the last one frees the record. */
export function taskPut(task: Task): void {
  if (atomic.sub<u32>(changetype<usize>(task), 1, offsetof<Task>("refs")) == 1) taskFree(task);
}

/** Frees a task without references. Others use taskPut. */
export function taskFree(task: Task): void {
  assert(task.refs == 0 && task.stackBase == 0); // B2
  if (HOOKS.isSet) HOOKS.release(task);
  tidDetach(task.tid);
  tidDrop(task.tid);
  if (task.fpuArea != 0) slabFree(FPU_CACHE, task.fpuArea);
  slabFree(TASK_CACHE, changetype<usize>(task));
  atomic.sub<u32>(COUNTS, 1);
}

/** Tasks that exist, idle tasks not counted. */
export function taskCount(): u32 { return atomic.load<u32>(COUNTS); }
/** Tasks made since boot. */
export function taskCreatedCount(): u32 { return atomic.load<u32>(COUNTS, 4); }

/** Sets the name that ps shows: at most 15 bytes of ASCII. */
export function taskNameSet(task: Task, name: string): void {
  const comm = changetype<usize>(task) + offsetof<Task>("comm0");
  memory.fill(comm, 0, 16);
  const length = min<i32>(name.length, 15);
  for (let i = 0; i < length; i++) store<u8>(comm + i, <u8>load<u16>(changetype<usize>(name) + (i << 1)));
}
