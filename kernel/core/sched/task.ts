/**
 * A task: one thread of execution, kernel or user.
 *
 * The core knows scheduling and memory; what POSIX adds hangs off `process` (services/process/process.ts), which the
 * core never looks into.
 *
 * Invariants  T1  state is RUNNABLE exactly while the task is on a run queue or running.
 *             T2  a task is freed only by the reaper, after `onCpu` fell to 0.
 * Locking     fields of the scheduler: the lock of the run queue `cpu`. Everything else: the task itself, or as said.
 */
export const enum TaskState {
  RUNNABLE = 0,
  SLEEPING = 1,        // interruptible: a signal wakes it
  UNINTERRUPTIBLE = 2, // only its waker wakes it
  STOPPED = 3,         // job control
  ZOMBIE = 4,          // exited, not yet waited for
  DEAD = 5,            // may be freed
}

/** Bits of Task.work: reasons to leave the fast path on the way back to user mode (set atomically). */
export const enum TaskWork {
  RESCHED = 1,
  SIGNAL = 2,   // look for a deliverable signal
  TRACE = 4,    // log system calls
  EXIT = 8,     // the process is exiting: end here
  FPU = 16,     // user FPU state is not in the registers
  STOP = 32,    // job-control stop requested
  CONFINED = 128, // few of Linux's calls are allowed (services/native/confine.ts)
  FRAME = 64,   // the user frame was replaced (exec, sigreturn, a handler): leave by IRET
  SUSPEND = 256, // stand in the kernel until the bit is taken away (services/signal/thread-suspend.ts)
}

export const enum SchedClass { IDLE = 0, FAIR = 1, RT = 2 }

@final @unmanaged
export class Task {
  work: u32;           // +0 TaskWork bits; offset known to the syscall exit
  state: u32;          // TaskState
  tid: u32;
  flags: u32;          // TaskFlag
  savedSp: u64;        // +16 native stack pointer while not running (contextSwitch)
  stackTop: u64;       // native top of the kernel stack, where the TrapFrame ends
  stackBase: u32;      // linear address of the stack's lowest mapped byte
  frame: u32;          // linear address of the user TrapFrame (0 for kernel threads)
  mm: u32;             // AddressSpace (0 for kernel threads)
  process: u32;        // services' Process (0 for kernel threads)
  fpuArea: u32;        // 64-byte aligned XSAVE area (0 for kernel threads)
  onCpu: u32;          // 1 while some CPU runs on its stack
  fsBase: u64;         // TLS base (arch_prctl, clone)
  gsBase: u64;         // user gs base
  // -- scheduler, run-queue lock
  cpu: u32;            // run queue it is on or was last on
  schedClass: u32;     // SchedClass
  vruntime: u64;       // ns, weighted
  execStartTsc: u64;   // TSC when it was put on the CPU or last accounted
  debtTicks: u64;      // TSC ticks it ran in turns that ended by a resume (resume.ts) and are not yet accounted
  sumExecNs: u64;      // CPU time used
  userNs: u64;         // of that, in user mode
  systemNs: u64;
  modeSwitchNs: u64;   // when it last crossed user/kernel (accounting)
  weight: u32;         // load weight, from nice
  nice: i32;           // -20..19
  rqNode: u64;         // an RbNode held by value (24 bytes): its place in the tree of its class
  rqNode1: u64;
  rqNode2: u64;
  isQueued: u32;       // 1 while its run queue counts it; the running task is counted but in no tree
  rtPriority: u32;     // of its own policy, 0: not real-time
  policy: u32;         // SCHED_* as user space sees it
  timeslice: u32;
  affinity: u64;       // bit per CPU
  voluntarySwitches: u64;
  involuntarySwitches: u64;
  // -- waiting
  wakeReason: u32;     // WakeReason of the last sleep
  timerSlot: u32;      // its sleep timer (0: none)
  waitChannel: u32;    // what it waits on, for ps and panic: a string
  pendingWake: u32;
  // -- lists
  allNode: u64;        // a ListNode held by value: all tasks (TASK lock)
  groupNode: u64;      // a ListNode held by value: threads of its process (PROCESS_TREE lock)
  refs: u32;           // references besides existing (atomic)
  // -- POSIX per-thread state (services own the meaning)
  sigMask: u64;        // blocked signals; only the task writes
  sigPending: u64;     // thread-directed (SIGNAL lock)
  sigSavedMask: u64;   // for sigsuspend, ppoll, pselect
  sigQueue: u32;       // list of queued siginfo
  altStackBase: u64;
  altStackSize: u64;
  altStackFlags: u32;
  exitCode: i32;
  clearTidVa: u64;     // CLONE_CHILD_CLEARTID
  robustListVa: u64;
  robustListSize: u64;
  faultVa: u64;        // of the last user fault
  userFaultCatch: u32; // debugging
  minorFaults: u32;
  startNs: u64;
  comm0: u64;          // name, 16 bytes, NUL padded
  comm1: u64;
  syscallNr: u32;      // being executed (tracer)
  restartKind: u32;    // how an interrupted call restarts
  restartArg0: u64;
  restartArg1: u64;
  restartArg2: u64;
  pathBuffer: u32;     // scratch page for path copies (0 until first used)
  traceFlags: u32;
  scratchUsed: u32;    // bytes of the scratch area in use (scratch.ts)
  schedExtra: u32;
  blockedStartNs: u64;
  serviceData0: u64;
  serviceData1: u64;
  // -- added by the scheduler
  waitEntry: u64;      // a WaitEntry held by value (32 bytes): for waits that nest nothing (wait-queue.ts, mutex.ts)
  waitEntry1: u64;
  waitEntry2: u64;
  waitEntry3: u64;
  sleepTimer: u64;     // a Timer held by value (40 bytes): the deadline of the current sleep (sleep.ts)
  sleepTimer1: u64;
  sleepTimer2: u64;
  sleepTimer3: u64;
  sleepTimer4: u64;
  sliceStartNs: u64;   // sumExecNs when it was last put on the CPU
  userTicks: u32;      // timer interrupts that found it in user mode (cpu-time.ts)
  systemTicks: u32;    // and in the kernel
  fpuCpu: u32;         // 1 + CPU whose registers still hold its FPU state, 0: none
  sleepTimedOut: u32;  // 1 when the sleep's timer fired
  startFn: u32;        // kernel thread: the function it runs (a reference, 0 for user tasks)
  startArg: u32;
  futexKey0: u64;      // what it waits for (futex.ts, bucket lock)
  futexKey1: u64;
  futexBitset: u32;
  futexBucket: u32;    // bucket it is queued on, 0: none
  hashNext: u32;       // tid table
  futexNode: u64;      // a ListNode held by value: waiters of a futex bucket
  queuedSinceNs: u64;
  burstNs: u32;        // running average of how long it runs between sleeps, 0: unknown
  burstPad: u32;
  // -- added by signals
  faultVector: u64;    // of the last user exception, for signal frames
  faultError: u64;
  sigWaitSet: u64;     // signals that rt_sigtimedwait or a signalfd read waits for
  // -- added by IPC (Endpoint.lock)
  ipcCall: u32;        // IpcCall it took and has not answered, 0: none
  ipcEndpoint: u32;    // Endpoint it came by, one reference; the task's own
  ipcNode: u64;        // a ListNode held by value: receivers of an endpoint
  ipcState: u32;       // ReceiveState
  ipcRegisters: u32;   // TrapFrame for the words of what it receives
  ipcRoomBytes: u32;   // what it has room for beside them
  ipcRoomCaps: u32;
  ipcLabel: i32;       // of the call it took
  ipcParcel: u32;      // Parcel that came with it, its own, 0: none
  ipcCallHandle: u32;  // what it called last, looked up (target.ts): the handle,
  ipcCallTarget: u32;  // its Endpoint, one reference, 0: none,
  ipcCallBadge: u64;   // the capability's badge,
  ipcCallEpoch: u64;   // and when that was true
  ipcWaitHandle: u32;  // the same for where it received last
  ipcWaitTarget: u32;
  ipcWaitEpoch: u64;
  // -- what it runs at (run-queue lock; policy.ts)
  rtEffective: u32;    // real-time priority in effect
  resumeCpu: u32;      // 1 + CPU on which its system call may simply end (resume.ts), 0: none
  lent: u64;           // the loan (policy.ts) by which it runs at more than its own, 0: none
}

export const enum TaskFlag {
  KERNEL_THREAD = 1,
  IDLE = 2,
  EXITING = 4,
  FORKED_NOT_EXECED = 8,
  RESTORE_SIGMASK = 16, // put sigSavedMask back when no handler runs
  OOM_VICTIM = 32,
  IN_SIGNAL_FRAME = 64,
  NO_AFFINITY_CHANGE = 128, // bound to its CPU for ever
  SUSPENDED = 256, // stands because of TaskWork.SUSPEND; the task's own
}

/** Why a task is woken: names the sleeping states that the waker may end. */
export const enum WakeReason {
  EVENT = 0,    // what it waited for: SLEEPING, UNINTERRUPTIBLE
  SIGNAL = 1,   // a signal: SLEEPING only
  TIMEOUT = 2,  // its deadline: SLEEPING, UNINTERRUPTIBLE
  CONTINUE = 3, // SIGCONT: STOPPED only
  KILL = 4,     // SIGKILL: SLEEPING, STOPPED
  HANDOFF = 5,  // it was given the CPU itself (handoff.ts); never asked for
}

/** SAFETY: `address` is a Task or 0, as every u32 field documented so. */
export function taskOf(address: u32): Task {
  return changetype<Task>(address);
}

/** Sets bits of `work` from any CPU. */
export function taskWorkSet(task: Task, bits: u32): void {
  atomic.or<u32>(changetype<usize>(task), bits);
}

export function taskWorkClear(task: Task, bits: u32): void {
  atomic.and<u32>(changetype<usize>(task), ~bits);
}
