/**
 * A process: the POSIX half of one or more tasks (a thread group).
 *
 * Locking  processLock (Rank.PROCESS_TREE) guards the tree, groups, sessions and states of all processes;
 *          `sig` state has its own lock (SigHand.lock, Rank.SIGNAL). Fields marked (own) are changed by the process
 *          itself only. Creds are replaced, never edited, by the owner.
 */
import { Task, taskOf } from "../../core/sched/task";
import { currentTask } from "../../core/sched/cpu";

/** Number of RLIMIT_* resources. */
export const RLIM_NLIMITS: u32 = 16;

@final @unmanaged
export class Process {
  pid: u32;            // = tid of the leader (tgid)
  refs: u32;           // atomic
  state: u32;          // ProcessState
  flags: u32;          // ProcessFlag
  parent: u32;         // Process
  leader: u32;         // Task
  childHead: u64;      // ListNode by value: children
  siblingNode: u64;    // ListNode by value
  threadHead: u64;     // ListNode by value: Task.groupNode
  hashNode: u64;       // ListNode by value: pid hash
  allNode: u64;        // ListNode by value: all processes, oldest first
  threadCount: u32;
  liveThreads: u32;
  pgid: u32;
  sid: u32;
  ctty: u32;           // Tty, or 0
  exitStatus: u32;     // wait status word
  groupExitCode: u32;
  isGroupExiting: u32;
  stopSignal: u32;     // job control: signal that stopped it
  waitFlags: u32;      // reportable stop/continue not yet waited for
  exitSignal: u32;     // to the parent: SIGCHLD, or clone's choice
  mm: u32;             // AddressSpace (one reference)
  files: u32;          // FdTable (refcounted)
  fs: u32;             // FsContext: root, cwd, umask (refcounted)
  sigHand: u32;        // SigHand: actions (refcounted)
  sigPendingShared: u64; // process-directed pending set
  sigQueueShared: u32; // queued siginfo
  exeFile: u32;        // File of the executable, for /proc/PID/exe
  childWait: u32;      // WaitQueue by value: wait4 sleeps here (4 words)
  childWait1: u32;
  childWait2: u32;
  childWait3: u32;
  childWait4: u32;
  childWait5: u32;
  childWait6: u32;
  childWait7: u32;
  vforkDone: u32;      // task of the parent waiting for vfork, or 0
  creds: u32;          // Cred (refcounted, immutable once shared)
  rlimits: u32;        // 16 pairs of u64
  posixTimers: u32;
  pad5: u32;
  posixPaidNs: u64;    // until when its periodic timers have used up their share of interrupts (posix-timer.ts)
  itimerVirtNs: u64;
  itimerVirtIntervalNs: u64;
  itimerProfNs: u64;
  itimerProfIntervalNs: u64;
  startNs: u64;
  deadUserNs: u64;     // CPU time of exited threads
  deadSystemNs: u64;
  childUserNs: u64;    // of waited-for children
  childSystemNs: u64;
  minorFaults: u64;
  childMinorFaults: u64;
  childVoluntarySwitches: u64;
  childInvoluntarySwitches: u64;
  childMaxRssPages: u64; // largest waited-for child
  argStart: u64;       // /proc/PID/cmdline
  argEnd: u64;
  envStart: u64;
  envEnd: u64;
  traceEnabled: u32;   // strace= or /proc/PID/strace
  oomScoreAdj: i32;
  personality: u32;
  dumpable: u32;
  subreaper: u32;
  noNewPrivs: u32;
  timerSlack: u64;
  maxRssPages: u64;
  voluntarySwitches: u64;   // of exited threads
  involuntarySwitches: u64;
  comm0: u64;          // name of the leader, kept for its zombie
  comm1: u64;
  stoppedThreads: u32; // threads in a group stop
  deathSignal: u32;    // prctl(PR_SET_PDEATHSIG)
  keepCaps: u32;       // prctl(PR_SET_KEEPCAPS)
  forcedSignal: u32;   // a fault signal that even init dies of
  execWaiter: u32;     // Task whose execve waits for the other threads to end
  continuedNotify: u32; // SIGCHLD for a continue is still to be sent
  hasExeced: u32;      // setpgid by the parent is over (EACCES)
  cpuWarnedNs: u64;    // CPU time at the last SIGXCPU
  caps: u32;           // CapSpace, 0: none (set once by the process, processLock to clear)
  confinement: u32;    // Confinement
  watchBits: u64;      // signalled when the process ends
  watch: u32;          // Notification to signal, one reference (processLock)
  crash: u32;          // CrashInfo of a confined process that died of an exception, 0: none
}

/** ARMED: from the next execve on. ACTIVE: only calls on its own memory and life, and native ones. */
export const enum Confinement { NONE = 0, ARMED = 1, ACTIVE = 2 }

export const enum ProcessState { RUNNING = 0, STOPPED = 1, ZOMBIE = 2, REAPED = 3 }

/** Credentials; shared by reference, copied on change. */
@final @unmanaged
export class Cred {
  refs: u32;
  uid: u32;
  gid: u32;
  euid: u32;
  egid: u32;
  suid: u32;
  sgid: u32;
  fsuid: u32;
  fsgid: u32;
  groupCount: u32;
  groups: u32;          // linear array of u32 gids, or 0
  securebits: u32;
  capEffective: u64;    // Linux capability sets
  capPermitted: u64;
  capInheritable: u64;
  capBounding: u64;
  capAmbient: u64;
}

/** SAFETY: `address` is a Process or 0, as every u32 field documented so. */
export function processOf(address: u32): Process { return changetype<Process>(address); }
export function credOf(address: u32): Cred { return changetype<Cred>(address); } // SAFETY: as processOf

/** The process of a user task. */
export function taskProcess(task: Task): Process { return processOf(task.process); }
export function currentProcess(): Process { return processOf(currentTask().process); }
export function currentCred(): Cred { return credOf(currentProcess().creds); }
