/**
 * The capability space of a process, made when it first gets a capability.
 *
 * Locking  processLock guards Process.caps; a program's space is made once, and discarded by execve and exit, when one thread is left.
 */
import { Errno } from "../../abi/errno";
import { CapSpace, capInsert, capInsertUnder, capLookup, capSpaceAt, capSpaceClose, capSpaceCreate, capSpaceGet, capSpacePut } from "../../core/cap/space";
import { KObject, objectPut } from "../../core/cap/object";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { currentProcess, Process, ProcessState } from "../process/process";
import { processLock } from "../process/process-table";

/** The running process's space, or null when memory is full. */
export function spaceOfCurrent(): CapSpace | null {
  const process = currentProcess();
  if (process.caps == 0) spaceMake(process);
  return process.caps == 0 ? null : capSpaceAt(process.caps);
}

/** A live process's space with a reference, or null: it has ended, or memory is full. */
export function spaceOfProcess(process: Process): CapSpace | null {
  spinLock(processLock);
  const isAlive = process.state == <u32>ProcessState.RUNNING || process.state == <u32>ProcessState.STOPPED;
  spinUnlock(processLock);
  if (isAlive && process.caps == 0) spaceMake(process);
  spinLock(processLock);
  const address = process.caps;
  if (address != 0) capSpaceGet(capSpaceAt(address));
  spinUnlock(processLock);
  return address == 0 ? null : capSpaceAt(address);
}

function spaceMake(process: Process): void {
  const space = capSpaceCreate();
  if (!space) return;
  spinLock(processLock);
  const isEnding = process.liveThreads == 0 || process.mm == 0;
  const isFirst = process.caps == 0 && !isEnding;
  if (isFirst) process.caps = <u32>changetype<usize>(space);
  spinUnlock(processLock);
  if (!isFirst) capSpacePut(space);
}

/** Takes everything from a process that executes another program: that one begins with no space, and nothing comes back to it from this one's. */
export function spaceDiscard(process: Process): void {
  spinLock(processLock);
  const address = process.caps;
  process.caps = 0;
  spinUnlock(processLock);
  if (address == 0) return;
  capSpaceClose(capSpaceAt(address));
  capSpacePut(capSpaceAt(address));
}

/** The object behind the running process's handle with a reference, or a negated errno as pointer (capLookup). */
export function handleLookup(handle: u32, kind: u32, rights: u32): usize {
  const process = currentProcess();
  if (process.caps == 0) return <usize>-Errno.BADF;
  return capLookup(capSpaceAt(process.caps), handle, kind, rights);
}

/** Gives the running process a capability on a new object, whose reference it takes over, also on failure. */
export function handleGive(object: KObject, rights: u32): i64 {
  const space = spaceOfCurrent();
  const result = space ? capInsert(space, object, rights, 0) : -Errno.NOMEM;
  objectPut(object);
  return result;
}

/** The same for an object made by authority of `parent`, one of its handles: at most that one's rights, and revoked with it. */
export function handleGiveUnder(parent: u32, object: KObject, rights: u32): i64 {
  const space = spaceOfCurrent();
  const result = space ? capInsertUnder(space, parent, object, rights) : -Errno.NOMEM;
  objectPut(object);
  return result;
}
