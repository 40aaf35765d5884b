/**
 * The command register of functions: who may use what changes in one step, and only while the function is still the asker's.
 *
 * Locking  COMMAND_LOCK (Rank.PCI) makes reading, changing and writing one, and guards it against a change of PciFunction.object.
 */
import { Rank } from "../../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../../lib/spinlock";
import { configRead, configWrite } from "./config";
import { Config, PciFunction } from "./functions";

const COMMAND_LOCK = changetype<SpinLock>(memory.data(offsetof<SpinLock>()));

export function commandInit(): void { spinInit(COMMAND_LOCK, Rank.PCI); }

/** Clears and sets Command bits. */
export function commandChange(fn: PciFunction, clear: u32, set: u32): void {
  spinLock(COMMAND_LOCK);
  changeLocked(fn, clear, set);
  spinUnlock(COMMAND_LOCK);
}

/** The same, while `object` has the function; false and nothing done when it has it no longer. */
export function commandChangeFor(fn: PciFunction, object: usize, clear: u32, set: u32): bool {
  spinLock(COMMAND_LOCK);
  const isIts = fn.object == <u32>object;
  if (isIts) changeLocked(fn, clear, set);
  spinUnlock(COMMAND_LOCK);
  return isIts;
}

function changeLocked(fn: PciFunction, clear: u32, set: u32): void {
  const command = configRead(fn.address, Config.COMMAND, 2);
  configWrite(fn.address, Config.COMMAND, 2, command & ~clear | set);
}

/** Makes `object` the function's holder (0: nobody) when `before` is; false when somebody else is. */
export function holderChange(fn: PciFunction, before: usize, object: usize): bool {
  spinLock(COMMAND_LOCK);
  const isFree = fn.object == <u32>before;
  if (isFree) fn.object = <u32>object;
  spinUnlock(COMMAND_LOCK);
  return isFree;
}
