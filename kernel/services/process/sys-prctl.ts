/**
 * prctl, arch_prctl, personality.
 *
 * Spec  prctl(2), arch_prctl(2), personality(2); options of hardware or services that do not exist are EINVAL.
 */
import { userCopyOut, userCopyString, userStore32, userStore64, rdmsr, wrmsr } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { NSIG } from "../../abi/signal";
import { USER_TOP } from "../../core/mm/layout";
import { currentTask, thisCpu } from "../../core/sched/cpu";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { Task } from "../../core/sched/task";
import { Cap, CAP_ALL, capable, credModify } from "./cred";
import { credOf, currentCred, currentProcess, Process } from "./process";

const enum Prctl {
  SET_PDEATHSIG = 1, GET_PDEATHSIG = 2, GET_DUMPABLE = 3, SET_DUMPABLE = 4, GET_KEEPCAPS = 7, SET_KEEPCAPS = 8,
  SET_NAME = 15, GET_NAME = 16, CAPBSET_READ = 23, CAPBSET_DROP = 24, GET_SECUREBITS = 27, SET_SECUREBITS = 28,
  SET_TIMERSLACK = 29, GET_TIMERSLACK = 30, SET_CHILD_SUBREAPER = 36, GET_CHILD_SUBREAPER = 37,
  SET_NO_NEW_PRIVS = 38, GET_NO_NEW_PRIVS = 39, GET_TID_ADDRESS = 40, CAP_AMBIENT = 47,
}

const AMBIENT_IS_SET: u64 = 1;
const AMBIENT_RAISE: u64 = 2;
const AMBIENT_LOWER: u64 = 3;
const AMBIENT_CLEAR_ALL: u64 = 4;
const SECUREBITS_ALL: u64 = 0xff;
const CAP_LAST: u64 = 40;
const COMM_BYTES: u32 = 16;
const TIMER_SLACK_DEFAULT: u64 = 50_000;

const ARCH_SET_GS: i32 = 0x1001;
const ARCH_SET_FS: i32 = 0x1002;
const ARCH_GET_FS: i32 = 0x1003;
const ARCH_GET_GS: i32 = 0x1004;
const IA32_FS_BASE: u32 = 0xc0000100;
const IA32_KERNEL_GS_BASE: u32 = 0xc0000102;

const PERSONALITY_QUERY: u64 = 0xffffffff;

export function sysPrctl(option: i32, arg2: u64, arg3: u64, arg4: u64, arg5: u64): i64 {
  const process = currentProcess();
  switch (option) {
    case Prctl.SET_NAME: return nameFromUser(arg2);
    case Prctl.GET_NAME: return userCopyOut(arg2, changetype<usize>(currentTask()) + offsetof<Task>("comm0"), COMM_BYTES);
    case Prctl.GET_TID_ADDRESS: return userStore64(arg2, currentTask().clearTidVa);
    case Prctl.SET_PDEATHSIG:
      if (arg2 > <u64>NSIG) return -Errno.INVAL;
      process.deathSignal = <u32>arg2;
      return 0;
    case Prctl.GET_PDEATHSIG: return userStore32(arg2, process.deathSignal);
    case Prctl.GET_DUMPABLE: return <i64>process.dumpable;
    case Prctl.SET_DUMPABLE:
      if (arg2 > 1) return -Errno.INVAL;
      process.dumpable = <u32>arg2;
      return 0;
    case Prctl.SET_TIMERSLACK:
      process.timerSlack = arg2 == 0 ? TIMER_SLACK_DEFAULT : arg2;
      return 0;
    case Prctl.GET_TIMERSLACK: return <i64>process.timerSlack;
    case Prctl.SET_CHILD_SUBREAPER:
      process.subreaper = arg2 != 0 ? 1 : 0;
      return 0;
    case Prctl.GET_CHILD_SUBREAPER: return userStore32(arg2, process.subreaper);
    case Prctl.SET_NO_NEW_PRIVS:
      if (arg2 != 1 || (arg3 | arg4 | arg5) != 0) return -Errno.INVAL;
      process.noNewPrivs = 1;
      return 0;
    case Prctl.GET_NO_NEW_PRIVS: return (arg2 | arg3 | arg4 | arg5) != 0 ? -<i64>Errno.INVAL : <i64>process.noNewPrivs;
    default: return capabilityOption(process, option, arg2, arg3, arg4 | arg5);
  }
}

/** The options on capabilities; prctl's last arguments must be zero where they mean nothing. */
function capabilityOption(process: Process, option: i32, arg2: u64, arg3: u64, rest: u64): i64 {
  switch (option) {
    case Prctl.GET_KEEPCAPS: return <i64>process.keepCaps;
    case Prctl.SET_KEEPCAPS:
      if (arg2 > 1) return -Errno.INVAL;
      process.keepCaps = <u32>arg2;
      return 0;
    case Prctl.CAPBSET_READ:
      return arg2 > CAP_LAST ? -<i64>Errno.INVAL : <i64>((currentCred().capBounding >> arg2) & 1);
    case Prctl.CAPBSET_DROP: return boundingDrop(process, arg2);
    case Prctl.GET_SECUREBITS: return <i64>currentCred().securebits;
    case Prctl.SET_SECUREBITS: return securebitsSet(process, arg2);
    case Prctl.CAP_AMBIENT: return rest != 0 ? -<i64>Errno.INVAL : ambientChange(process, arg2, arg3);
    default: return -Errno.INVAL;
  }
}

function boundingDrop(process: Process, cap: u64): i64 {
  if (cap > CAP_LAST) return -Errno.INVAL;
  if (!capable(Cap.SETPCAP)) return -Errno.PERM;
  const cred = credModify(process);
  if (!cred) return -Errno.NOMEM;
  cred.capBounding &= ~(<u64>1 << cap);
  return 0;
}

function securebitsSet(process: Process, bits: u64): i64 {
  if (bits & ~SECUREBITS_ALL) return -Errno.INVAL;
  if (!capable(Cap.SETPCAP)) return -Errno.PERM;
  const cred = credModify(process);
  if (!cred) return -Errno.NOMEM;
  cred.securebits = <u32>bits;
  return 0;
}

function ambientChange(process: Process, operation: u64, cap: u64): i64 {
  if (operation == AMBIENT_CLEAR_ALL && cap != 0) return -Errno.INVAL;
  if (operation != AMBIENT_CLEAR_ALL && cap > CAP_LAST) return -Errno.INVAL;
  const old = credOf(process.creds);
  const bit = <u64>1 << cap;
  if (operation == AMBIENT_IS_SET) return (old.capAmbient & bit) != 0 ? 1 : 0;
  if (operation < AMBIENT_RAISE || operation > AMBIENT_CLEAR_ALL) return -Errno.INVAL;
  if (operation == AMBIENT_RAISE && (old.capPermitted & old.capInheritable & bit) == 0) return -Errno.PERM;
  const cred = credModify(process);
  if (!cred) return -Errno.NOMEM;
  if (operation == AMBIENT_RAISE) cred.capAmbient |= bit & CAP_ALL;
  else if (operation == AMBIENT_LOWER) cred.capAmbient &= ~bit;
  else cred.capAmbient = 0;
  return 0;
}

/** PR_SET_NAME: at most 15 bytes count. */
function nameFromUser(va: u64): i64 {
  const ptr = scratchPush(COMM_BYTES);
  memory.fill(ptr, 0, COMM_BYTES);
  const length = userCopyString(ptr, va, COMM_BYTES);
  const isRead = length >= 0 || length == -Errno.NAMETOOLONG;
  if (isRead) {
    store<u8>(ptr + COMM_BYTES - 1, 0);
    memory.copy(changetype<usize>(currentTask()) + offsetof<Task>("comm0"), ptr, COMM_BYTES);
  }
  scratchPop(COMM_BYTES);
  return isRead ? 0 : -<i64>Errno.FAULT;
}

export function sysArchPrctl(code: i32, address: u64): i64 {
  const task = currentTask();
  switch (code) {
    case ARCH_SET_FS:
      if (address >= USER_TOP) return -Errno.PERM;
      task.fsBase = address;
      thisCpu().fsLoaded = address;
      wrmsr(IA32_FS_BASE, address);
      return 0;
    case ARCH_SET_GS:
      if (address >= USER_TOP) return -Errno.PERM;
      task.gsBase = address;
      thisCpu().gsLoaded = address;
      wrmsr(IA32_KERNEL_GS_BASE, address);
      return 0;
    case ARCH_GET_FS: return userStore64(address, rdmsr(IA32_FS_BASE));
    case ARCH_GET_GS: return userStore64(address, rdmsr(IA32_KERNEL_GS_BASE));
    default: return -Errno.INVAL;
  }
}

/** Remembers the value; no foreign personality changes anything here. */
export function sysPersonality(persona: u64): i64 {
  const process = currentProcess();
  const old = process.personality;
  if (persona != PERSONALITY_QUERY) process.personality = <u32>persona;
  return <i64>old;
}
