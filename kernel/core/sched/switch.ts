/**
 * The context switch: from one task's kernel stack to another's, with everything that belongs to a task.
 *
 * Order: user registers of the old task (FPU, fs, gs) are saved while it is still current; then the CPU record, page
 * tables and interrupt stack are the new task's; then the stacks change; then, on the new stack, finishSwitch lets go
 * of the old task. The run queue stays locked throughout, so nobody can run the old task before its stack is left.
 *
 * The kernel uses no FPU registers. A user task's are saved when it leaves the CPU and loaded when it comes back,
 * unless they are still there: nobody else's were loaded since, and it ran nowhere else.
 *
 * Invariants  W1  from the lock in schedule() to the unlock in finishSwitch() nothing sleeps, faults or logs.
 *             W2  cpu.fpuOwner's registers are on this CPU iff its fpuCpu == id + 1.
 *             W3  nothing read from thisCpu() before contextSwitch is used after it: the task may be elsewhere by then.
 * Locking     the run queue of this CPU.
 * Spec        SDM vol. 3A, 5.8.8 (SWAPGS and the base registers).
 */
import {
  contextSwitch, fpuExchange, fpuRestore, fpuSave, rdfsbase, rdgsbaseUser, readCr4, tssStackSet, wrmsr,
} from "../../../arch/current";
import { AddressSpace } from "../mm/mm-struct";
import { mmSwitch } from "../mm/tlb";
import { Cpu, thisCpu } from "./cpu";
import { RunQueue, runQueueAt, runQueueUnlock } from "./run-queue";
import { Task, TaskState, taskOf } from "./task";
import { taskRetire } from "./task-table";

const IA32_FS_BASE: u32 = 0xc0000100;
const IA32_KERNEL_GS_BASE: u32 = 0xc0000102; // the user's base while the kernel runs
const CR4_FSGSBASE: u64 = 1 << 16;

/** User space may change its bases by itself: they are read back at each switch. */
let basesAreFree: bool = false;

/** Looks at what the CPUs can do; after cpuFeaturesEnable. */
export function switchInit(): void {
  basesAreFree = (readCr4() & CR4_FSGSBASE) != 0;
}

/** Saves the registers that only user mode uses. */
function userStateSave(cpu: Cpu, prev: Task): void {
  fpuSave(prev.fpuArea);
  if (basesAreFree) {
    const fsBase = rdfsbase();
    const gsBase = rdgsbaseUser();
    prev.fsBase = fsBase;
    prev.gsBase = gsBase;
    cpu.fsLoaded = fsBase;
    cpu.gsLoaded = gsBase;
  } else {
    cpu.fsLoaded = prev.fsBase;
    cpu.gsLoaded = prev.gsBase;
  }
  cpu.fpuOwner = <u32>changetype<usize>(prev);
  prev.fpuCpu = cpu.id + 1; // W2
}

/** Loads them, as far as they are not there already. */
function userStateLoad(cpu: Cpu, next: Task): void {
  if (cpu.fpuOwner != <u32>changetype<usize>(next) || next.fpuCpu != cpu.id + 1) { // W2
    fpuRestore(next.fpuArea);
    cpu.fpuOwner = <u32>changetype<usize>(next);
    next.fpuCpu = cpu.id + 1;
  }
  if (cpu.fsLoaded != next.fsBase) {
    cpu.fsLoaded = next.fsBase;
    wrmsr(IA32_FS_BASE, next.fsBase);
  }
  if (cpu.gsLoaded != next.gsBase) {
    cpu.gsLoaded = next.gsBase;
    wrmsr(IA32_KERNEL_GS_BASE, next.gsBase);
  }
}

/** userStateSave and userStateLoad in one, between two user tasks of which the second has been off the CPU; its fpuCpu is set (W2). */
export function userStateExchange(cpu: Cpu, prev: Task, next: Task): void {
  fpuExchange(prev.fpuArea, next.fpuArea);
  cpu.fpuOwner = <u32>changetype<usize>(next);
  if (basesAreFree) {
    prev.fsBase = rdfsbase();
    prev.gsBase = rdgsbaseUser();
  }
  if (prev.fsBase != next.fsBase) wrmsr(IA32_FS_BASE, next.fsBase);
  if (prev.gsBase != next.gsBase) wrmsr(IA32_KERNEL_GS_BASE, next.gsBase);
}

/** Switches from `prev`, which is current, to `next`; returns when `prev` runs again. The queue is locked on entry. */
export function taskSwitch(cpu: Cpu, rq: RunQueue, prev: Task, next: Task): void {
  rq.current = <u32>changetype<usize>(next);
  rq.switchedFrom = <u32>changetype<usize>(prev);
  if (prev.fpuArea != 0) userStateSave(cpu, prev);
  next.onCpu = 1;
  next.execStartTsc = rq.nowTsc;
  next.sliceStartNs = next.sumExecNs;
  cpu.current = <u32>changetype<usize>(next);
  cpu.kernelSp = next.stackTop;
  tssStackSet(cpu.id, next.stackTop);
  if (next.mm != 0 && next.mm != cpu.currentMm) mmSwitch(changetype<AddressSpace>(next.mm)); // SAFETY: Task.mm
  if (next.fpuArea != 0) userStateLoad(cpu, next);
  contextSwitch(changetype<usize>(prev) + offsetof<Task>("savedSp"), next.savedSp);
}

/** finishSwitch where the old task sleeps, the usual case; false: it does not, and nothing was done. */
export function finishSwitchAsleep(): bool {
  const rq = runQueueAt(thisCpu().id); // W3
  const prev = taskOf(rq.switchedFrom);
  if (prev.state != TaskState.SLEEPING) return false;
  prev.onCpu = 0;
  runQueueUnlock(rq);
  return true;
}

/**
 * First thing on the new stack, also in a new thread: lets go of the task whose stack was left. Returns that task when
 * it is runnable but may not stay on this CPU: the caller places it (sched.ts).
 */
export function finishSwitch(): u32 {
  const rq = runQueueAt(thisCpu().id); // W3
  const prev = taskOf(rq.switchedFrom);
  const isHomeless = prev.state == TaskState.RUNNABLE && !prev.isQueued && prev.tid != 0;
  const isGone = prev.state >= <u32>TaskState.ZOMBIE;
  atomic.store<u32>(changetype<usize>(prev), 0, offsetof<Task>("onCpu"));
  runQueueUnlock(rq);
  if (isGone) taskRetire(prev);
  return isHomeless ? <u32>changetype<usize>(prev) : 0;
}

/** The FPU registers of the running task were changed through its fpuArea: load them before going back to user mode. */
export function fpuReload(task: Task): void {
  fpuRestore(task.fpuArea);
}

/** Brings the fpuArea of the running task up to date (fork, signal frames). */
export function fpuFlush(task: Task): void {
  fpuSave(task.fpuArea);
}
