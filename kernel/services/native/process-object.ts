/** PROCESS capabilities: control over one process. process_open, process_watch, process_kill, process_confine. */
import { userCopyOut } from "../../../arch/current";
import { CapKind, CapRight } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { KObject, objectAt, objectIgnore, objectInit, objectKindSet, objectPut } from "../../core/cap/object";
import { notificationAt, notificationSignal } from "../../core/ipc/notification";
import { userRangeOk } from "../../core/mm/layout";
import { kfree, kzalloc } from "../../core/mm/slab";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { CRASH_BYTES } from "../process/crash";
import { Cap, capable } from "../process/cred";
import { Confinement, credOf, currentCred, currentProcess, Process, processOf, ProcessState } from "../process/process";
import { processByPid, processLock, processPut } from "../process/process-table";
import { signalSendProcess } from "../signal/send";
import { isErrPtr } from "../vfs/types";
import { handleGive, handleLookup } from "./process-space";

const SIGNALS: u32 = 64;

@final @unmanaged
class ProcessObject {
  object: u64;  // a KObject held by value
  object1: u64;
  process: u32; // Process, one reference
  pad: u32;
}

/** The process behind a PROCESS object. */
export function processObjectOf(object: usize): Process {
  return processOf(changetype<ProcessObject>(object).process); // SAFETY: its kind is PROCESS
}

export function processObjectsInit(): void {
  objectKindSet(CapKind.PROCESS, objectIgnore, objectIgnore, processObjectDestroy);
}

function processObjectDestroy(object: KObject): void {
  processPut(processObjectOf(changetype<usize>(object)));
  kfree(changetype<usize>(object));
}

/** process_open: a child of the caller's, ended or not, until it is waited for. ESRCH, EPERM for others' children and other users' processes. */
export function nativeProcessOpen(pid: i32): i64 {
  const process = processByPid(pid);
  if (!process) return -Errno.SRCH;
  if (process.parent != <u32>changetype<usize>(currentProcess()) || !isSameUser(process)) {
    processPut(process);
    return -Errno.PERM;
  }
  const address = kzalloc(offsetof<ProcessObject>());
  if (address == 0) {
    processPut(process);
    return -Errno.NOMEM;
  }
  objectInit(objectAt(address), CapKind.PROCESS);
  changetype<ProcessObject>(address).process = <u32>changetype<usize>(process); // SAFETY: fresh object of that size
  return handleGive(objectAt(address), capable(Cap.SYS_NICE) ? CapRight.ALL : CapRight.ALL & ~CapRight.WRITE);
}

/** As ptrace(2) has it: a process that runs as somebody else, or could, takes privilege to control. */
function isSameUser(process: Process): bool {
  const uid = currentCred().euid;
  const target = credOf(process.creds);
  return (target.uid == uid && target.euid == uid && target.suid == uid) || capable(Cap.SYS_NICE);
}

/** Whether `handle`, a capability of `kind`, may not control `process`: that one gained privileges, and this was given by one without. */
export function processIsGuarded(process: Process, handle: u32, kind: u32): bool {
  if (process.dumpable != 0) return false;
  const held = handleLookup(handle, kind, CapRight.WRITE);
  if (isErrPtr(held)) return true;
  objectPut(objectAt(held));
  return false;
}

/** process_watch: replaces an earlier watcher; a process that has ended signals at once. */
export function nativeProcessWatch(process: u32, notification: u32, bits: u64): i64 {
  const control = handleLookup(process, CapKind.PROCESS, CapRight.MANAGE);
  if (isErrPtr(control)) return <i32>control;
  const target = handleLookup(notification, CapKind.NOTIFICATION, CapRight.SIGNAL);
  const result = isErrPtr(target) ? <i32>target : watchSet(processObjectOf(control), target, bits);
  objectPut(objectAt(control));
  return result;
}

/** Takes over the reference to the notification. */
function watchSet(process: Process, target: usize, bits: u64): i32 {
  spinLock(processLock);
  const hasEnded = process.state == <u32>ProcessState.ZOMBIE || process.state == <u32>ProcessState.REAPED;
  const old = process.watch;
  if (!hasEnded) {
    process.watch = <u32>target;
    process.watchBits = bits;
  }
  spinUnlock(processLock);
  if (hasEnded) {
    notificationSignal(notificationAt(target), bits);
    objectPut(objectAt(target));
  } else if (old != 0) {
    objectPut(objectAt(old));
  }
  return 0;
}

export function nativeProcessKill(process: u32, sig: i32): i64 {
  if (sig < 0 || <u32>sig > SIGNALS) return -Errno.INVAL;
  const control = handleLookup(process, CapKind.PROCESS, CapRight.MANAGE);
  if (isErrPtr(control)) return <i32>control;
  const target = processObjectOf(control);
  const isGuarded = processIsGuarded(target, process, CapKind.PROCESS);
  const result = isGuarded ? -Errno.PERM : sig == 0 ? 0 : signalSendProcess(target, <u32>sig, 0);
  objectPut(objectAt(control));
  return result;
}

/** process_crash: what crash.ts noted. */
export function nativeProcessCrash(process: u32, infoVa: u64): i64 {
  if (!userRangeOk(infoVa, CRASH_BYTES)) return -Errno.FAULT;
  const control = handleLookup(process, CapKind.PROCESS, CapRight.MANAGE);
  if (isErrPtr(control)) return <i32>control;
  const crash = processObjectOf(control).crash;
  const failed = crash != 0 ? userCopyOut(infoVa, crash, CRASH_BYTES) : 0;
  objectPut(objectAt(control));
  return crash == 0 ? -Errno.NODATA : failed != 0 ? -Errno.FAULT : 0;
}

export function nativeProcessConfine(): i64 {
  const process = currentProcess();
  if (process.confinement == <u32>Confinement.NONE) process.confinement = Confinement.ARMED;
  return 0;
}
