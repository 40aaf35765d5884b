/**
 * Making processes and threads: fork, vfork, clone, clone3.
 *
 * A new task is complete before anybody can find it: memory, files, signal state and registers are copied first, then
 * it enters the tree and the run queue under processLock.
 *
 * Invariants  F1  on failure nothing is left behind: each step's undo is in cloneUndo.
 * Locking     processLock for the tree; a vfork parent sleeps on its own childWait.
 * Spec        clone(2), clone3(2), vfork(2), set_tid_address(2)
 */
import {
  fpuAreaBytes, monoNowNs, rdmsr, trapFrameOf, TRAP_FRAME_BYTES, userCopyIn, userStore32,
} from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { NSIG, Signal } from "../../abi/signal";
import { mmClone, mmGet, mmOf, mmPut } from "../../core/mm/address-space";
import { totalPageCount } from "../../core/mm/buddy";
import { mmWriteRemote } from "../../core/mm/user-pages";
import { currentTask } from "../../core/sched/cpu";
import { schedInherit } from "../../core/sched/policy";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { taskStart } from "../../core/sched/sched";
import { fpuFlush } from "../../core/sched/switch";
import { Task, TaskFlag, TaskWork, taskWorkSet } from "../../core/sched/task";
import { taskAlloc, taskCount, taskDiscard } from "../../core/sched/task-table";
import { tidHold } from "../../core/sched/tid";
import { waitQueueInit, waitSleepUninterruptible } from "../../core/sync/wait-queue";
import { listAppend, listNodeAt } from "../../lib/list";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { sigHandClone, sigHandGet, sigHandOf, sigHandPut, sigHandResetForExec } from "../signal/sig-hand";
import { fdTableClone, fdTableGet, fdTableOf, fdTablePut } from "../vfs/fd-table";
import { fileGet, filePut } from "../vfs/file";
import { fsContextClone, fsContextGet, fsContextOf, fsContextPut } from "../vfs/fs-context";
import { fileOf } from "../vfs/types";
import { childWaitOf } from "./child-wait";
import { Cap, credGet, credHas, credPut } from "./cred";
import { processGroupSetLocked, processSessionSetLocked } from "./job-control";
import { credOf, currentProcess, Process, processOf, ProcessState, RLIM_NLIMITS } from "./process";
import {
  childHeadOf, processAfterLocked, processAlloc, processGet, processLock, processPut, processTableAddLocked,
  siblingNodeOf, threadHeadOf,
} from "./process-table";
import { Rlimit, rlimitSoft } from "./rlimit";

export namespace CloneFlag {
  export const EXIT_SIGNAL: u64 = 0xff;
  export const VM: u64 = 0x100;
  export const FS: u64 = 0x200;
  export const FILES: u64 = 0x400;
  export const SIGHAND: u64 = 0x800;
  export const PIDFD: u64 = 0x1000;
  export const VFORK: u64 = 0x4000;
  export const PARENT: u64 = 0x8000;
  export const THREAD: u64 = 0x10000;
  export const SYSVSEM: u64 = 0x40000;
  export const SETTLS: u64 = 0x80000;
  export const PARENT_SETTID: u64 = 0x100000;
  export const CHILD_CLEARTID: u64 = 0x200000;
  export const DETACHED: u64 = 0x400000;
  export const UNTRACED: u64 = 0x800000;
  export const CHILD_SETTID: u64 = 0x1000000;
  export const CLEAR_SIGHAND: u64 = 0x100000000;
}

/** Everything honoured; namespaces, pidfds, cgroups and ptrace inheritance are EINVAL. */
const SUPPORTED: u64 = CloneFlag.VM | CloneFlag.FS | CloneFlag.FILES | CloneFlag.SIGHAND | CloneFlag.VFORK |
  CloneFlag.PARENT | CloneFlag.THREAD | CloneFlag.SYSVSEM | CloneFlag.SETTLS | CloneFlag.PARENT_SETTID |
  CloneFlag.CHILD_CLEARTID | CloneFlag.DETACHED | CloneFlag.UNTRACED | CloneFlag.CHILD_SETTID |
  CloneFlag.CLEAR_SIGHAND;

const THREADS_MIN: u64 = 20;
const CLONE_ARGS_MIN: u64 = 64;
const CLONE_ARGS_BYTES: u32 = 88;
const IA32_FS_BASE: u32 = 0xc0000100;
const IA32_KERNEL_GS_BASE: u32 = 0xc0000102;

/** A decoded request of any of the four calls. */
@final @unmanaged
class CloneRequest {
  flags: u64;
  parentTidVa: u64;
  childTidVa: u64;
  stackTop: u64;   // 0: the caller's
  tls: u64;
  exitSignal: u32;
  pad: u32;
}

export function sysFork(): i64 {
  return cloneWith(0, 0, 0, 0, 0, Signal.CHLD);
}

export function sysVfork(): i64 {
  return cloneWith(CloneFlag.VM | CloneFlag.VFORK, 0, 0, 0, 0, Signal.CHLD);
}

export function sysClone(flags: u64, stack: u64, parentTidVa: u64, childTidVa: u64, tls: u64): i64 {
  const exitSignal = <u32>(flags & CloneFlag.EXIT_SIGNAL);
  return cloneWith(flags & ~CloneFlag.EXIT_SIGNAL & 0xffffffff, stack, parentTidVa, childTidVa, tls, exitSignal);
}

/** struct clone_args: flags pidfd child_tid parent_tid exit_signal stack stack_size tls set_tid set_tid_size cgroup. */
export function sysClone3(argsVa: u64, size: u64): i64 {
  if (size < CLONE_ARGS_MIN) return -Errno.INVAL;
  if (size > 4096) return -Errno.TOOBIG;
  const ptr = scratchPush(CLONE_ARGS_BYTES);
  memory.fill(ptr, 0, CLONE_ARGS_BYTES);
  const result = clone3From(ptr, argsVa, <u32>size);
  scratchPop(CLONE_ARGS_BYTES);
  return result;
}

function clone3From(ptr: usize, argsVa: u64, size: u32): i64 {
  if (userCopyIn(ptr, argsVa, min<u32>(size, CLONE_ARGS_BYTES)) != 0) return -Errno.FAULT;
  if (size > CLONE_ARGS_BYTES && !userTailIsZero(argsVa + CLONE_ARGS_BYTES, size - CLONE_ARGS_BYTES)) return -Errno.TOOBIG;
  const flags = load<u64>(ptr);
  const exitSignal = load<u64>(ptr, 32);
  const stack = load<u64>(ptr, 40);
  const stackSize = load<u64>(ptr, 48);
  if (flags & (CloneFlag.EXIT_SIGNAL | CloneFlag.DETACHED)) return -Errno.INVAL;
  if (exitSignal > <u64>NSIG || (stack == 0) != (stackSize == 0)) return -Errno.INVAL;
  if ((flags & (CloneFlag.THREAD | CloneFlag.PARENT)) != 0 && exitSignal != 0) return -Errno.INVAL;
  if (load<u64>(ptr, 64) != 0 || load<u64>(ptr, 72) != 0) return -Errno.INVAL; // set_tid needs pid namespaces
  return cloneWith(flags, stack + stackSize, load<u64>(ptr, 24), load<u64>(ptr, 16), load<u64>(ptr, 56), <u32>exitSignal);
}

/** A newer, longer clone_args is fine as long as what this kernel does not know is zero. */
function userTailIsZero(va: u64, size: u32): bool {
  const ptr = scratchPush(64);
  let isZero = true;
  for (let done: u32 = 0; done < size && isZero; done += 64) {
    const part = min<u32>(64, size - done);
    memory.fill(ptr, 0, 64);
    if (userCopyIn(ptr, va + done, part) != 0) isZero = false;
    for (let i: u32 = 0; i < 64; i += 8) if (load<u64>(ptr + i) != 0) isZero = false;
  }
  scratchPop(64);
  return isZero;
}

function cloneWith(
  flags: u64, stackTop: u64, parentTidVa: u64, childTidVa: u64, tls: u64, exitSignal: u32,
): i64 {
  const ptr = scratchPush(offsetof<CloneRequest>());
  const request = changetype<CloneRequest>(ptr); // SAFETY: scratch of that size
  request.flags = flags;
  request.stackTop = stackTop;
  request.parentTidVa = parentTidVa;
  request.childTidVa = childTidVa;
  request.tls = tls;
  request.exitSignal = exitSignal;
  const result = cloneRun(request);
  scratchPop(offsetof<CloneRequest>());
  return result;
}

/** The rules between flags, clone(2) "ERRORS". */
function cloneFlagsOk(flags: u64, exitSignal: u32): bool {
  if (flags & ~SUPPORTED) return false;
  if ((flags & CloneFlag.SIGHAND) != 0 && (flags & CloneFlag.VM) == 0) return false;
  if ((flags & CloneFlag.THREAD) != 0 && (flags & CloneFlag.SIGHAND) == 0) return false;
  if ((flags & CloneFlag.CLEAR_SIGHAND) != 0 && (flags & CloneFlag.SIGHAND) != 0) return false;
  if ((flags & CloneFlag.PARENT) != 0 && currentProcess().pid == 1) return false;
  return exitSignal <= NSIG;
}

function cloneRun(request: CloneRequest): i64 {
  const flags = request.flags;
  if (!cloneFlagsOk(flags, request.exitSignal)) return -Errno.INVAL;
  const parent = currentProcess();
  if (taskCount() >= threadsMax() || !processLimitOk(parent)) return -Errno.AGAIN;
  const task = taskAlloc();
  if (!task) return -Errno.AGAIN;
  const isThread = (flags & CloneFlag.THREAD) != 0;
  const process = isThread ? parent : processCopy(parent, task, request);
  if (!process) {
    taskDiscard(task);
    return -Errno.NOMEM;
  }
  threadCopy(task, process, request);
  const tid = task.tid;
  const problem = tidsStore(process, request, tid);
  if (problem != 0 || !publish(parent, process, task, request)) {
    cloneUndo(process, task, isThread);
    return problem != 0 ? problem : -Errno.AGAIN;
  }
  const isVfork = (flags & CloneFlag.VFORK) != 0 && !isThread;
  if (isVfork) processGet(process);
  taskStart(task);
  if (isVfork) vforkWait(parent, process);
  return <i64>tid;
}

/** Most tasks of all users together: an eighth of RAM in kernel stacks, as on Linux. */
function threadsMax(): u32 {
  return <u32>max<u64>(totalPageCount() >> 5, THREADS_MIN);
}

/** RLIMIT_NPROC: processes of the caller's user. */
function processLimitOk(parent: Process): bool {
  const limit = rlimitSoft(parent, Rlimit.NPROC);
  const cred = credOf(parent.creds);
  if (limit == u64.MAX_VALUE || cred.uid == 0 || credHas(cred, Cap.SYS_RESOURCE) || credHas(cred, Cap.SYS_ADMIN)) return true;
  let count: u64 = 0;
  spinLock(processLock);
  for (let process = processAfterLocked(null); process; process = processAfterLocked(process)) {
    if (credOf(process.creds).uid == cred.uid) count += max<u32>(process.liveThreads, 1);
  }
  spinUnlock(processLock);
  return count < limit;
}

/** A process like `parent` for the new leader `task`: its own or shared memory, files, directories, signal actions. */
function processCopy(parent: Process, task: Task, request: CloneRequest): Process | null {
  const process = processAlloc();
  if (!process) return null;
  process.startNs = monoNowNs();
  process.exitSignal = request.exitSignal;
  process.leader = <u32>changetype<usize>(task);
  process.personality = parent.personality;
  process.dumpable = parent.dumpable;
  process.noNewPrivs = parent.noNewPrivs;
  process.oomScoreAdj = parent.oomScoreAdj;
  process.timerSlack = parent.timerSlack;
  process.traceEnabled = parent.traceEnabled;
  process.argStart = parent.argStart;
  process.argEnd = parent.argEnd;
  process.envStart = parent.envStart;
  process.envEnd = parent.envEnd;
  waitQueueInit(childWaitOf(process));
  memory.copy(process.rlimits, parent.rlimits, RLIM_NLIMITS * 16);
  process.creds = credGet(parent.creds);
  if (resourcesCopy(parent, process, request.flags)) return process;
  resourcesPut(process);
  processPut(process);
  return null;
}

function resourcesCopy(parent: Process, process: Process, flags: u64): bool {
  process.sigHand = flags & CloneFlag.SIGHAND ? sigHandGet(parent.sigHand) : sigHandClone(sigHandOf(parent.sigHand));
  if (process.sigHand == 0) return false;
  if (flags & CloneFlag.CLEAR_SIGHAND) sigHandResetForExec(sigHandOf(process.sigHand));
  const files = fdTableOf(parent.files);
  process.files = <u32>changetype<usize>(flags & CloneFlag.FILES ? fdTableGet(files) : fdTableClone(files));
  if (process.files == 0) return false;
  const fs = fsContextOf(parent.fs);
  process.fs = <u32>changetype<usize>(flags & CloneFlag.FS ? fsContextGet(fs) : fsContextClone(fs));
  if (process.fs == 0) return false;
  if (parent.exeFile != 0) process.exeFile = <u32>changetype<usize>(fileGet(fileOf(parent.exeFile)));
  const mm = mmOf(parent.mm);
  process.mm = <u32>changetype<usize>(flags & CloneFlag.VM ? mmGet(mm) : mmClone(mm));
  if (process.mm == 0) return false;
  if ((flags & CloneFlag.VM) == 0) mmOf(process.mm).owner = <u32>changetype<usize>(process);
  return true;
}

/** Gives back what resourcesCopy took. */
function resourcesPut(process: Process): void {
  if (process.mm != 0) mmPut(mmOf(process.mm));
  if (process.exeFile != 0) filePut(fileOf(process.exeFile));
  if (process.fs != 0) fsContextPut(fsContextOf(process.fs));
  if (process.files != 0) fdTablePut(fdTableOf(process.files));
  process.mm = 0;
  process.exeFile = 0;
  process.fs = 0;
  process.files = 0; // sigHand and creds go with the Process (exit.ts)
}

/** Registers, FPU, masks, name and scheduling of the new thread. */
function threadCopy(task: Task, process: Process, request: CloneRequest): void {
  const self = currentTask();
  const flags = request.flags;
  processGet(process); // the task's reference
  task.process = <u32>changetype<usize>(process);
  task.mm = process.mm;
  memory.copy(task.frame, self.frame, TRAP_FRAME_BYTES);
  const frame = trapFrameOf(task.frame);
  frame.rax = 0;
  if (request.stackTop != 0) frame.rsp = request.stackTop;
  fpuFlush(self);
  memory.copy(task.fpuArea, self.fpuArea, fpuAreaBytes());
  task.fsBase = flags & CloneFlag.SETTLS ? request.tls : rdmsr(IA32_FS_BASE);
  task.gsBase = rdmsr(IA32_KERNEL_GS_BASE);
  task.sigMask = self.sigMask;
  const sharesStack = (flags & (CloneFlag.VM | CloneFlag.VFORK)) == CloneFlag.VM;
  if (!sharesStack) {
    task.altStackBase = self.altStackBase;
    task.altStackSize = self.altStackSize;
    task.altStackFlags = self.altStackFlags;
  }
  task.comm0 = self.comm0;
  task.comm1 = self.comm1;
  schedInherit(task, self);
  task.flags |= TaskFlag.FORKED_NOT_EXECED;
  if (flags & CloneFlag.CHILD_CLEARTID) task.clearTidVa = request.childTidVa;
  if (process.traceEnabled) taskWorkSet(task, TaskWork.TRACE);
}

/** CLONE_PARENT_SETTID and CLONE_CHILD_SETTID: the number is in memory before the child runs. */
function tidsStore(process: Process, request: CloneRequest, tid: u32): i64 {
  if (request.flags & CloneFlag.PARENT_SETTID && userStore32(request.parentTidVa, tid) != 0) return -Errno.FAULT;
  if ((request.flags & CloneFlag.CHILD_SETTID) == 0) return 0;
  const ptr = scratchPush(8);
  store<u32>(ptr, tid);
  mmWriteRemote(mmOf(process.mm), request.childTidVa, ptr, 4); // a bad address is the child's affair, as on Linux
  scratchPop(8);
  return 0;
}

/** Enters the tree: false when the caller is being killed, or ended by another thread's execve. */
function publish(parent: Process, process: Process, task: Task, request: CloneRequest): bool {
  spinLock(processLock);
  const isAllowed = parent.isGroupExiting == 0 && parent.execWaiter == 0;
  if (isAllowed) {
    if (process != parent) processEnterLocked(parent, process, task, request);
    listAppend(threadHeadOf(process), listNodeAt(changetype<usize>(task) + offsetof<Task>("groupNode")));
    process.threadCount++;
    process.liveThreads++;
    if (process.stopSignal != 0) taskWorkSet(task, TaskWork.SIGNAL | TaskWork.STOP);
  }
  spinUnlock(processLock);
  return isAllowed;
}

function processEnterLocked(parent: Process, process: Process, task: Task, request: CloneRequest): void {
  process.pid = task.tid;
  tidHold(process.pid); // the number outlives the leader, until the process is reaped
  const isSibling = (request.flags & CloneFlag.PARENT) != 0;
  const father = isSibling ? processOf(parent.parent) : parent;
  if (isSibling) process.exitSignal = parent.exitSignal;
  process.parent = <u32>changetype<usize>(father);
  process.state = ProcessState.RUNNING;
  process.ctty = parent.ctty;
  processGroupSetLocked(process, parent.pgid);
  processSessionSetLocked(process, parent.sid);
  if (request.flags & CloneFlag.VFORK) process.vforkDone = <u32>changetype<usize>(currentTask());
  listAppend(childHeadOf(father), siblingNodeOf(process));
  processTableAddLocked(process);
}

function cloneUndo(process: Process, task: Task, isThread: bool): void {
  if (!isThread) {
    process.leader = 0;
    resourcesPut(process);
    processPut(process); // its own; the task's reference follows
  }
  task.mm = 0;
  taskDiscard(task);
}

/** The parent of a vfork sleeps until the child has given the memory back (execve or exit). */
function vforkWait(parent: Process, child: Process): void {
  spinLock(processLock);
  while (child.vforkDone != 0) waitSleepUninterruptible(childWaitOf(parent), processLock);
  spinUnlock(processLock);
  processPut(child);
}

export function sysSetTidAddress(va: u64): i64 {
  const task = currentTask();
  task.clearTidVa = va;
  return <i64>task.tid;
}
