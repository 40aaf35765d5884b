/**
 * The first process, and the connection of processes and signals to the rest of the kernel.
 *
 * Process 1 begins as a kernel stack without memory: its first steps open /dev/console and the program named by
 * `rdinit=` or `init=` (else /init), and become it.
 */
import { trapFrameOf } from "../../../arch/current";
import { cmdlineFind, cmdlineRestWord, cmdlineValueLength } from "../../../arch/x86_64/boot-info";
import { TRAP_HOOKS } from "../../../arch/x86_64/trap";
import { Errno } from "../../abi/errno";
import { Signal } from "../../abi/signal";
import { freePageCount } from "../../core/mm/buddy";
import { mmProcessHooksSet, mmRandomHookSet } from "../../core/mm/mm-hooks";
import { kfree, kmalloc, kzalloc } from "../../core/mm/slab";
import { randomInit, randomU64 } from "../../core/random";
import { currentTask } from "../../core/sched/cpu";
import { taskStart } from "../../core/sched/sched";
import { Task } from "../../core/sched/task";
import { taskAlloc, taskNameSet } from "../../core/sched/task-table";
import { tidClaimFirst, tidHold } from "../../core/sched/tid";
import { waitQueueInit } from "../../core/sync/wait-queue";
import { listAppend, listNodeAt } from "../../lib/list";
import { LogLevel, logBegin, logCString, logEnd, logInt, logStr } from "../../lib/log";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { userException } from "../signal/fault";
import { sigHandInit, sigHandNew } from "../signal/sig-hand";
import { userReturnWanted, userReturnWork } from "../syscall-entry";
import { fdInstallAt, fdTableNew, fdTableOf } from "../vfs/fd-table";
import { fileGet } from "../vfs/file";
import { fsContextNew } from "../vfs/fs-context";
import { AT_FDCWD } from "../vfs/namei";
import { fileOpenName } from "../vfs/open";
import { fileOf, isErrPtr, OpenFlag } from "../vfs/types";
import { childWaitOf } from "./child-wait";
import { Cap, capable, credNewRoot, credPut } from "./cred";
import { execRun } from "./exec";
import { ExecArgs, execArgsFree } from "./exec-args";
import { execArgsOf, ExecState, execStateRelease } from "./exec-image";
import { exitInit, processExit } from "./exit";
import { oomKill } from "./oom";
import { currentProcess, Process } from "./process";
import { processAlloc, processGet, processLock, processTableAddLocked, processTableInit, threadHeadOf } from "./process-table";
import { rlimitCurrent, rlimitsInit } from "./rlimit";
import { utsInit } from "./uname";
import { waitInit } from "./wait";

const PATH_MAX: u32 = 256;
const THREADS_MAX_CEILING: u64 = 31000;

/** Tables and hooks; after the slabs and the scheduler, before the first kernel thread. */
export function processInit(): void {
  randomInit();
  processTableInit();
  sigHandInit();
  exitInit();
  waitInit();
  utsInit();
  mmRandomHookSet(randomU64);
  mmProcessHooksSet(rlimitCurrent, mayLockAny, oomKill);
  TRAP_HOOKS.userException = userException;
  TRAP_HOOKS.userReturn = userReturnWork;
  TRAP_HOOKS.hasWork = userReturnWanted;
}

function mayLockAny(): u32 {
  return capable(Cap.IPC_LOCK) ? 1 : 0;
}

/** Makes process 1 runnable; when the root is filled and everything else is up. */
export function processSpawnInit(): void {
  const task = taskAlloc();
  const process = processAlloc();
  assert(task != null && process != null);
  if (!task || !process) return;
  const isFirst = tidClaimFirst(task);
  assert(isFirst);
  process.pid = task.tid;
  process.leader = <u32>changetype<usize>(task);
  process.exitSignal = Signal.CHLD;
  process.dumpable = 1;
  process.timerSlack = 50_000;
  process.creds = credNewRoot();
  process.sigHand = sigHandNew();
  process.files = <u32>changetype<usize>(fdTableNew());
  process.fs = <u32>changetype<usize>(fsContextNew());
  assert(process.creds != 0 && process.sigHand != 0 && process.files != 0 && process.fs != 0);
  rlimitsInit(process, min<u64>(freePageCount() >> 5, THREADS_MAX_CEILING));
  waitQueueInit(childWaitOf(process));
  task.process = <u32>changetype<usize>(process);
  processGet(process); // the task's
  taskNameSet(task, "init");
  spinLock(processLock);
  tidHold(process.pid);
  // Group and session stay 0, as on Linux: process 1 may call setsid.
  listAppend(threadHeadOf(process), listNodeAt(changetype<usize>(task) + offsetof<Task>("groupNode")));
  process.threadCount = 1;
  process.liveThreads = 1;
  processTableAddLocked(process);
  spinUnlock(processLock);
  taskStart(task);
}

/** First steps of every user thread on its kernel stack, called by the thread entry. */
export function userThreadBegin(): void {
  const task = currentTask();
  if (task.mm == 0) initBecome();
  if (userReturnWanted()) userReturnWork(trapFrameOf(task.frame));
}

/** Process 1 turns into the program /init. */
function initBecome(): void {
  consoleOpen();
  const path = kmalloc(PATH_MAX);
  assert(path != 0);
  let result = -<i64>Errno.NOENT;
  if (initPathFrom("rdinit", path)) result = initExec(path);
  else if (initPathFrom("init", path)) result = initExec(path);
  else {
    pathPut(path, "/init");
    result = initExec(path);
    if (result == -Errno.NOENT) {
      pathPut(path, "/sbin/init");
      result = initExec(path);
    }
    if (result == -Errno.NOENT) {
      pathPut(path, "/bin/sh");
      result = initExec(path);
    }
  }
  if (result == 0) {
    kfree(path);
    return;
  }
  logBegin(LogLevel.ERR, "init");
  logStr("cannot run ");
  logCString(path, PATH_MAX);
  logStr(" errno=");
  logInt(-result);
  logEnd();
  processExit(1 << 8);
}

/** Descriptors 0, 1 and 2; without a console process 1 runs without them. */
function consoleOpen(): void {
  const opened = fileOpenName("/dev/console", OpenFlag.RDWR);
  if (isErrPtr(opened)) {
    logBegin(LogLevel.WARN, "init");
    logStr("no /dev/console errno=");
    logInt(-<i32>opened);
    logEnd();
    return;
  }
  const table = fdTableOf(currentProcess().files);
  for (let fd: u32 = 0; fd < 3; fd++) {
    if (fd != 0) fileGet(fileOf(opened));
    fdInstallAt(table, fd, fileOf(opened));
  }
}

function initPathFrom(option: string, path: usize): bool {
  const value = cmdlineFind(option);
  if (value == 0) return false;
  const length = cmdlineValueLength(value);
  if (length == 0 || length >= PATH_MAX) return false;
  memory.copy(path, value, length);
  store<u8>(path + length, 0);
  return true;
}

function pathPut(path: usize, text: string): void {
  const at = changetype<usize>(text); // SAFETY: literals are static data
  for (let i = 0; i < text.length; i++) store<u8>(path + i, load<u8>(at + (<usize>i << 1)));
  store<u8>(path + text.length, 0);
}

/** Executes `path` with argv { path, the words after `--` on the command line } and the environment Linux gives its init. */
function initExec(path: usize): i64 {
  const ptr = kzalloc(offsetof<ExecState>());
  if (ptr == 0) return -Errno.NOMEM;
  const state = changetype<ExecState>(ptr); // SAFETY: a fresh object of that size
  state.pathPtr = path;
  state.dirFd = AT_FDCWD;
  let result: i64 = -Errno.NOMEM;
  if (argumentsFill(execArgsOf(state), path)) result = execRun(state);
  execArgsFree(execArgsOf(state));
  execStateRelease(state);
  if (state.cred != 0) credPut(state.cred);
  kfree(ptr);
  return result;
}

function argumentsFill(args: ExecArgs, path: usize): bool {
  args.capacity = 4096;
  args.buffer = kmalloc(args.capacity);
  if (args.buffer == 0) return false;
  let length: u32 = 0;
  while (load<u8>(path + length) != 0) length++;
  memory.copy(args.buffer, path, length + 1);
  args.used = length + 1;
  args.argc = 1;
  restAppend(args);
  args.argvBytes = args.used;
  wordAppend(args, "HOME=/");
  wordAppend(args, "TERM=linux");
  wordAppend(args, "PATH=/sbin:/usr/sbin:/bin:/usr/bin");
  return true;
}

/** The words after `--` become arguments; the command line is shorter than the buffer. */
function restAppend(args: ExecArgs): void {
  let bytes = cmdlineRestWord(0, args.buffer + args.used);
  while (bytes != 0) {
    args.used += bytes;
    bytes = cmdlineRestWord(args.argc++, args.buffer + args.used);
  }
}

function wordAppend(args: ExecArgs, text: string): void {
  pathPut(args.buffer + args.used, text);
  args.used += text.length + 1;
  args.envc++;
}
