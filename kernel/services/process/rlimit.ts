/**
 * Resource limits.
 *
 * Process.rlimits is an array of RLIM_NLIMITS pairs { soft: u64, hard: u64 }; RLIM_INFINITY is all ones.
 *
 * Locking  the owner changes them under processLock; readers accept either value of a race.
 * Spec     getrlimit(2), prlimit(2)
 */
import { userCopyIn, userCopyOut } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { Cap, capable, credHas } from "./cred";
import { Cred, credOf, currentCred, currentProcess, Process, RLIM_NLIMITS } from "./process";
import { processByPid, processLock, processPut } from "./process-table";

export namespace Rlimit {
  export const CPU: u32 = 0;
  export const FSIZE: u32 = 1;
  export const DATA: u32 = 2;
  export const STACK: u32 = 3;
  export const CORE: u32 = 4;
  export const RSS: u32 = 5;
  export const NPROC: u32 = 6;
  export const NOFILE: u32 = 7;
  export const MEMLOCK: u32 = 8;
  export const AS: u32 = 9;
  export const LOCKS: u32 = 10;
  export const SIGPENDING: u32 = 11;
  export const MSGQUEUE: u32 = 12;
  export const NICE: u32 = 13;
  export const RTPRIO: u32 = 14;
  export const RTTIME: u32 = 15;
}

export const RLIM_INFINITY: u64 = ~0;
const NOFILE_HARD_MAX: u64 = 1048576;

function pairOf(process: Process, resource: u32): usize {
  return <usize>process.rlimits + (<usize>resource << 4);
}

export function rlimitSoft(process: Process, resource: u32): u64 {
  return load<u64>(pairOf(process, resource));
}

export function rlimitHard(process: Process, resource: u32): u64 {
  return load<u64>(pairOf(process, resource), 8);
}

export function rlimitSet(process: Process, resource: u32, soft: u64, hard: u64): void {
  store<u64>(pairOf(process, resource), soft);
  store<u64>(pairOf(process, resource), hard, 8);
}

/** The limits of the first process, as Linux sets them for init. `threadsMax`: RLIMIT_NPROC and SIGPENDING. */
export function rlimitsInit(process: Process, threadsMax: u64): void {
  for (let i: u32 = 0; i < RLIM_NLIMITS; i++) rlimitSet(process, i, RLIM_INFINITY, RLIM_INFINITY);
  rlimitSet(process, Rlimit.STACK, 8 << 20, RLIM_INFINITY);
  rlimitSet(process, Rlimit.CORE, 0, RLIM_INFINITY);
  rlimitSet(process, Rlimit.NPROC, threadsMax, threadsMax);
  rlimitSet(process, Rlimit.NOFILE, 1024, 4096);
  rlimitSet(process, Rlimit.MEMLOCK, 8 << 20, 8 << 20);
  rlimitSet(process, Rlimit.SIGPENDING, threadsMax, threadsMax);
  rlimitSet(process, Rlimit.MSGQUEUE, 819200, 819200);
  rlimitSet(process, Rlimit.NICE, 0, 0);
  rlimitSet(process, Rlimit.RTPRIO, 0, 0);
}

/** The soft limit of the calling process; none for kernel threads. */
export function rlimitCurrent(resource: u32): u64 {
  const process = currentProcess();
  return changetype<usize>(process) == 0 ? RLIM_INFINITY : rlimitSoft(process, resource);
}

/** Reads and perhaps replaces one limit of `process`; newPtr and oldPtr are pairs in linear memory, or 0. */
function rlimitExchange(process: Process, resource: u32, newPtr: usize, oldPtr: usize): i64 {
  if (resource >= RLIM_NLIMITS) return -Errno.INVAL;
  let result: i64 = 0;
  spinLock(processLock);
  const pair = pairOf(process, resource);
  if (oldPtr != 0) memory.copy(oldPtr, pair, 16);
  if (newPtr != 0) {
    const soft = load<u64>(newPtr);
    const hard = load<u64>(newPtr, 8);
    if (soft > hard) result = -Errno.INVAL;
    else if (hard > rlimitHard(process, resource) && !capable(Cap.SYS_RESOURCE)) result = -Errno.PERM;
    else if (resource == Rlimit.NOFILE && hard > NOFILE_HARD_MAX) result = -Errno.PERM;
    else rlimitSet(process, resource, soft, hard);
  }
  spinUnlock(processLock);
  return result;
}

export function sysGetrlimit(resource: u32, va: u64): i64 {
  return sysPrlimit64(0, resource, 0, va);
}

export function sysSetrlimit(resource: u32, va: u64): i64 {
  if (va == 0) return -Errno.FAULT;
  return sysPrlimit64(0, resource, va, 0);
}

/** prlimit(2): all ids of the target must be the caller's, or CAP_SYS_RESOURCE. */
function mayLimit(cred: Cred, target: Cred): bool {
  const isSame = cred.uid == target.euid && cred.uid == target.suid && cred.uid == target.uid &&
    cred.gid == target.egid && cred.gid == target.sgid && cred.gid == target.gid;
  return isSame || credHas(cred, Cap.SYS_RESOURCE);
}

export function sysPrlimit64(pid: i32, resource: u32, newVa: u64, oldVa: u64): i64 {
  if (resource >= RLIM_NLIMITS) return -Errno.INVAL;
  const ptr = scratchPush(32);
  const result = newVa != 0 && userCopyIn(ptr, newVa, 16) != 0 ? -<i64>Errno.FAULT
    : rlimitOf(pid, resource, newVa != 0 ? ptr : 0, ptr + 16);
  const isStored = result < 0 || oldVa == 0 || userCopyOut(oldVa, ptr + 16, 16) == 0;
  scratchPop(32);
  return isStored ? result : -Errno.FAULT;
}

function rlimitOf(pid: i32, resource: u32, newPtr: usize, oldPtr: usize): i64 {
  const self = currentProcess();
  if (pid == 0 || <u32>pid == self.pid) return rlimitExchange(self, resource, newPtr, oldPtr);
  const target = processByPid(<u32>pid);
  if (!target) return -Errno.SRCH;
  const result = mayLimit(currentCred(), credOf(target.creds))
    ? rlimitExchange(target, resource, newPtr, oldPtr)
    : -<i64>Errno.PERM;
  processPut(target);
  return result;
}
