/**
 * One record per CPU, reached through gs.
 *
 * Assembly knows the fixed head (arch/x86_64/entry.S): keep it and the size check together.
 *
 *   0      4         8          16       24   28       32            36
 *   | self | current | kernelSp | userSp | id | apicId | needResched | ...
 *
 * Locking  a CPU writes its own record; others only needResched (atomic) and the mailboxes of their owners.
 */
import { CPU_IRQ_DEPTH, currentTaskPtr, thisCpuPtr } from "../../../arch/current";
import { Task } from "./task";

/** Most CPUs one kernel drives. */
export const MAX_CPUS: u32 = 64;

@final @unmanaged
export class Cpu {
  self: u32;         // linear address of this record
  current: u32;      // linear address of the running Task
  kernelSp: u64;     // native top of the running task's kernel stack (native address)
  userSp: u64;       // scratch of the syscall entry
  id: u32;           // dense, 0 is the boot CPU
  apicId: u32;
  needResched: u32;  // set by anybody: this CPU shall pick a task again soon
  isOnline: u32;     // 1 once it schedules
  idleTask: u32;     // its idle Task
  lockDepth: u32;    // spinlocks held (debug builds)
  rankStack0: u64;   // ranks held, a byte each, innermost lowest (debug builds)
  currentMm: u32;    // AddressSpace whose page tables are loaded (0: kernel only)
  shootdownPending: u32; // mailbox of tlb.ts
  fpuOwner: u32;     // Task whose FPU state is in the registers
  irqDepth: u32;     // 1 while an interrupt is handled (trap.ts)
  node: u32;         // NUMA node
  ticks: u32;        // timer interrupts taken
  tssVa: u64;        // native address of this CPU's TSS (arch)
  idleNs: u64;       // time spent idle
  userNs: u64;
  systemNs: u64;
  contextSwitches: u64; // without RunQueue.handoffs
  scratch0: u64;     // arch
  scratch1: u64;     // arch
  fsLoaded: u64;     // user fs base in the register (switch.ts)
  gsLoaded: u64;     // user gs base behind SWAPGS
  bit: u64;          // 1 << id, in sets of CPUs
  idleSinceNs: u64;  // when the idle task was put on
}

if (offsetof<Cpu>("irqDepth") != CPU_IRQ_DEPTH) ERROR("trap.ts writes irqDepth");

/** The records, indexed by CPU id. */
export const CPUS: usize = memory.data(64 * offsetof<Cpu>(), 64);

/** The record of CPU `id`. */
export function cpuAt(id: u32): Cpu {
  return changetype<Cpu>(CPUS + <usize>id * offsetof<Cpu>()); // SAFETY: id < MAX_CPUS, CPUS is that array
}

/** This CPU's record: stale after anything that may sleep. */
export function thisCpu(): Cpu {
  return changetype<Cpu>(thisCpuPtr()); // SAFETY: gs points at a Cpu from the first instruction of kernelMain on
}

/** The running task. */
export function currentTask(): Task {
  return changetype<Task>(currentTaskPtr()); // SAFETY: gs:[current] is set before the first task runs
}
