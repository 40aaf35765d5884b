/**
 * execve: replacing the program of a process.
 *
 *   copy arguments -> open, load into a new address space (exec-image.ts) -> end the other threads -> point of no
 *   return: swap memory, close descriptors, reset signals and identity -> registers of the new program
 *
 * Invariants  E1  before the point of no return the old program is untouched; after it nothing can fail.
 * Locking     processLock for the thread list; no lock while loading.
 * Spec        execve(2), execveat(2); POSIX.1-2017 exec for what is kept and what is reset.
 */
import {
  fpuAreaInit, Rflag, trapFrameOf, TRAP_FRAME_BYTES, userCopyString, wrmsr,
} from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { mmPeakPages, mmPut, mmSwitch, mmOf } from "../../core/mm/address-space";
import { kfree, kmalloc, kzalloc } from "../../core/mm/slab";
import { currentTask, thisCpu } from "../../core/sched/cpu";
import { fpuReload } from "../../core/sched/switch";
import { Task, TaskFlag, taskOf, TaskWork, taskWorkSet } from "../../core/sched/task";
import { taskPut } from "../../core/sched/task-table";
import { tidSwap } from "../../core/sched/tid";
import { waitSleepUninterruptible } from "../../core/sync/wait-queue";
import { listSame } from "../../lib/list";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { spaceDiscard } from "../native/process-space";
import { taskInterrupt, threadOf } from "../signal/send";
import { sigHandClone, sigHandOf, sigHandPut, sigHandResetForExec } from "../signal/sig-hand";
import { fdTableClone, fdTableCloseOnExec, fdTableOf, fdTablePut } from "../vfs/fd-table";
import { fileGet, filePut } from "../vfs/file";
import { AT_FDCWD, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW } from "../vfs/namei";
import { FileMode, fileOf, inodeOf, mountOf } from "../vfs/types";
import { childWaitOf } from "./child-wait";
import { credCopy, credFixForExec, credPut } from "./cred";
import { execArgsCopy, execArgsFree } from "./exec-args";
import { execArgsOf, execImageLoad, execProgramOpen, ExecState, execStateRelease, HEAD_BYTES } from "./exec-image";
import { EXIT_HOOKS, vforkRelease } from "./exit";
import { Confinement, Cred, credOf, currentProcess, Process } from "./process";
import { processLock, threadHeadOf } from "./process-table";
import { programSelects } from "../syscall-trace";

const PATH_MAX: u32 = 4096;
const IA32_FS_BASE: u32 = 0xc0000100;
const IA32_KERNEL_GS_BASE: u32 = 0xc0000102;
const USER_CS: u64 = 0x33;
const USER_SS: u64 = 0x2b;
const MS_NOSUID: u32 = 2;
const WAKE_KILL: u32 = 4; // WakeReason.KILL

export function sysExecve(pathVa: u64, argvVa: u64, envpVa: u64): i64 {
  return execUser(AT_FDCWD, pathVa, argvVa, envpVa, 0);
}

export function sysExecveat(dirFd: i32, pathVa: u64, argvVa: u64, envpVa: u64, flags: u32): i64 {
  if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) return -Errno.INVAL;
  return execUser(dirFd, pathVa, argvVa, envpVa, flags);
}

function execUser(dirFd: i32, pathVa: u64, argvVa: u64, envpVa: u64, flags: u32): i64 {
  const path = kmalloc(PATH_MAX + 8); // the path walk reads words
  if (path == 0) return -Errno.NOMEM;
  let result: i64 = userCopyString(path, pathVa, PATH_MAX);
  if (result == 0 && (flags & AT_EMPTY_PATH) == 0) result = -Errno.NOENT;
  if (result >= 0) result = execPath(dirFd, path, argvVa, envpVa, flags);
  kfree(path);
  return result;
}

/** Runs the program at linear `path`; the vectors are user addresses, or 0 when `prepare` state has arguments already. */
function execPath(dirFd: i32, path: usize, argvVa: u64, envpVa: u64, flags: u32): i64 {
  const ptr = kzalloc(offsetof<ExecState>());
  if (ptr == 0) return -Errno.NOMEM;
  const state = changetype<ExecState>(ptr); // SAFETY: a fresh object of that size
  state.pathPtr = path;
  state.dirFd = dirFd;
  state.atFlags = flags;
  let result: i64 = execArgsCopy(execArgsOf(state), argvVa, envpVa);
  if (result == 0) result = execRun(state);
  execArgsFree(execArgsOf(state));
  execStateRelease(state);
  if (state.cred != 0) credPut(state.cred);
  kfree(ptr);
  return result;
}

/** Loads and starts the program that `state` names, with the arguments it holds: 0, or -errno with nothing changed (E1). */
export function execRun(state: ExecState): i64 {
  state.head = kmalloc(HEAD_BYTES);
  if (state.head == 0) return -Errno.NOMEM;
  let result = execProgramOpen(state);
  if (result == 0) result = credPrepare(state);
  if (result == 0) result = execImageLoad(state);
  if (result != 0) return result;
  const task = currentTask();
  const process = currentProcess();
  if (!threadsEnd(process, task)) return -Errno.AGAIN;
  if (!sharedUnshare(process)) return -Errno.NOMEM;
  commit(process, task, state);
  return 0;
}

/** The identity of the new program: set-id bits of the file, unless the mount or the process forbids them. */
function credPrepare(state: ExecState): i32 {
  const process = currentProcess();
  state.cred = credCopy(credOf(process.creds));
  if (state.cred == 0) return -Errno.NOMEM;
  const cred = credOf(state.cred);
  const file = fileOf(state.file);
  const mode = inodeOf(file.inode).mode;
  const isNosuid = (file.mount != 0 && (mountOf(file.mount).flags & MS_NOSUID) != 0) || process.noNewPrivs != 0;
  if (!isNosuid) setIds(cred, mode, inodeOf(file.inode).uid, inodeOf(file.inode).gid);
  cred.suid = cred.euid;
  cred.fsuid = cred.euid;
  cred.sgid = cred.egid;
  cred.fsgid = cred.egid;
  credFixForExec(cred);
  state.isSecure = cred.uid != cred.euid || cred.gid != cred.egid ? 1 : 0;
  return 0;
}

function setIds(cred: Cred, mode: u32, uid: u32, gid: u32): void {
  if (mode & <u32>FileMode.ISUID) cred.euid = uid;
  const isSetgid = (mode & (<u32>FileMode.ISGID | 8)) == (<u32>FileMode.ISGID | 8); // without group x it means locking
  if (isSetgid) cred.egid = gid;
}

/** Ends every other thread and takes over the leader's number; false when the process is being killed. */
function threadsEnd(process: Process, task: Task): bool {
  spinLock(processLock);
  if (process.isGroupExiting != 0 || process.execWaiter != 0) {
    spinUnlock(processLock);
    return false;
  }
  if (process.liveThreads > 1) {
    process.execWaiter = <u32>changetype<usize>(task);
    const head = threadHeadOf(process);
    for (let node = head.next; !listSame(node, head); node = node.next) {
      const other = threadOf(node);
      if (other == task) continue;
      taskWorkSet(other, TaskWork.EXIT);
      taskInterrupt(other, WAKE_KILL);
    }
    while (process.liveThreads > 1) waitSleepUninterruptible(childWaitOf(process), processLock);
    process.execWaiter = 0;
  }
  if (process.leader != <u32>changetype<usize>(task)) {
    const former = taskOf(process.leader); // it ended just now and left its record (exit.ts)
    tidSwap(task, former);
    process.leader = <u32>changetype<usize>(task);
    taskPut(former);
  }
  spinUnlock(processLock);
  return true;
}

/** Descriptor table and signal actions that other processes share become private copies: false when memory is full. */
function sharedUnshare(process: Process): bool {
  if (atomic.load<u32>(process.files) > 1) {
    const copy = fdTableClone(fdTableOf(process.files));
    if (!copy) return false;
    fdTablePut(fdTableOf(process.files));
    process.files = <u32>changetype<usize>(copy);
  }
  if (atomic.load<u32>(process.sigHand) == 1) return true;
  const hand = sigHandClone(sigHandOf(process.sigHand));
  if (hand == 0) return false;
  const old = process.sigHand;
  process.sigHand = hand;
  sigHandPut(old);
  return true;
}

/** The point of no return. */
function commit(process: Process, task: Task, state: ExecState): void {
  const old = process.mm;
  if (old != 0) {
    if (task.robustListVa != 0) EXIT_HOOKS.robustList(task);
    process.maxRssPages = max<u64>(process.maxRssPages, mmPeakPages(mmOf(old)));
  }
  process.mm = state.mm;
  task.mm = state.mm;
  mmSwitch(mmOf(state.mm));
  state.mm = 0;
  if (old != 0) mmPut(mmOf(old));
  vforkRelease(process);
  const oldExe = process.exeFile;
  process.exeFile = <u32>changetype<usize>(fileGet(fileOf(state.file)));
  if (oldExe != 0) filePut(fileOf(oldExe));
  const oldCred = process.creds;
  const isPlain = credOf(oldCred).euid == credOf(state.cred).euid && credOf(oldCred).egid == credOf(state.cred).egid;
  spinLock(processLock);
  process.creds = state.cred;
  process.hasExeced = 1;
  spinUnlock(processLock);
  state.cred = oldCred;
  process.dumpable = isPlain && !state.isSecure ? 1 : 0;
  process.keepCaps = 0;
  if (!isPlain) process.deathSignal = 0;
  const mm = mmOf(process.mm);
  process.argStart = mm.argStart;
  process.argEnd = mm.argEnd;
  process.envStart = mm.envStart;
  process.envEnd = mm.envEnd;
  EXIT_HOOKS.posixTimers(process);
  capabilitiesForExec(process, task);
  fdTableCloseOnExec(fdTableOf(process.files));
  sigHandResetForExec(sigHandOf(process.sigHand));
  taskReset(task, state);
  nameSet(task, state.pathPtr);
  programSelects(process, task);
}

/** Capabilities pass to the new program only with confinement. */
function capabilitiesForExec(process: Process, task: Task): void {
  if (process.confinement == <u32>Confinement.NONE) {
    spaceDiscard(process);
    return;
  }
  process.confinement = Confinement.ACTIVE;
  taskWorkSet(task, TaskWork.CONFINED);
}

/** The thread's own state, and its registers: all zero but rip and rsp. */
function taskReset(task: Task, state: ExecState): void {
  task.altStackBase = 0;
  task.altStackSize = 0;
  task.altStackFlags = 0;
  task.clearTidVa = 0;
  task.robustListVa = 0;
  task.flags &= ~(TaskFlag.FORKED_NOT_EXECED | TaskFlag.RESTORE_SIGMASK);
  task.fsBase = 0;
  task.gsBase = 0;
  wrmsr(IA32_FS_BASE, 0);
  wrmsr(IA32_KERNEL_GS_BASE, 0);
  thisCpu().fsLoaded = 0;
  thisCpu().gsLoaded = 0;
  fpuAreaInit(task.fpuArea);
  fpuReload(task);
  memory.fill(task.frame, 0, TRAP_FRAME_BYTES);
  const frame = trapFrameOf(task.frame);
  frame.rip = state.entry;
  frame.rsp = state.sp;
  frame.cs = USER_CS;
  frame.ss = USER_SS;
  frame.rflags = <u64>Rflag.IF;
  taskWorkSet(task, TaskWork.FRAME);
}

/** The last component of the path is the thread's name. */
function nameSet(task: Task, path: usize): void {
  let name = path;
  for (let at = path; load<u8>(at) != 0; at++) if (load<u8>(at) == 0x2f) name = at + 1;
  const comm = changetype<usize>(task) + offsetof<Task>("comm0");
  memory.fill(comm, 0, 16);
  for (let i: usize = 0; i < 15 && load<u8>(name + i) != 0; i++) store<u8>(comm + i, load<u8>(name + i));
}
