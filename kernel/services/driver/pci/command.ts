/**
 * Who has a function, and its command register: what changes it does so in one step.
 *
 * Invariants  C1  a function whose object is orphaned masters the bus no longer, and is not let to again by a call under way.
 *             C2  `object` goes back to 0 when the object's last reference goes: ranges, mappings and interrupts made from it hold one.
 * Locking  COMMAND_LOCK (Rank.PCI) makes reading, changing and writing one, and guards PciFunction.object and isOrphaned.
 */
import { Rank } from "../../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../../lib/spinlock";
import { configRead, configWrite } from "./config";
import { Command, Config, PciFunction } from "./functions";

const COMMAND_LOCK = changetype<SpinLock>(memory.data(offsetof<SpinLock>()));

export function commandInit(): void { spinInit(COMMAND_LOCK, Rank.PCI); }

/** Clears and sets Command bits. */
export function commandChange(fn: PciFunction, clear: u32, set: u32): void {
  spinLock(COMMAND_LOCK);
  changeLocked(fn, clear, set);
  spinUnlock(COMMAND_LOCK);
}

/** Lets the function master the bus or not, as its holder asks; false when no capability names the holder any more (C1). */
export function commandMaster(fn: PciFunction, isMaster: bool): bool {
  spinLock(COMMAND_LOCK);
  const isHeld = !fn.isOrphaned;
  if (isHeld) changeLocked(fn, isMaster ? 0 : Command.MASTER, isMaster ? Command.MASTER : 0);
  spinUnlock(COMMAND_LOCK);
  return isHeld;
}

/** C1. */
export function commandOrphan(fn: PciFunction): void {
  spinLock(COMMAND_LOCK);
  fn.isOrphaned = 1;
  changeLocked(fn, Command.MASTER, 0);
  spinUnlock(COMMAND_LOCK);
}

function changeLocked(fn: PciFunction, clear: u32, set: u32): void {
  const command = configRead(fn.address, Config.COMMAND, 2);
  configWrite(fn.address, Config.COMMAND, 2, command & ~clear | set);
}

/** Makes `object` the function's holder (0: nobody) when `before` is; false when somebody else is. */
export function holderChange(fn: PciFunction, before: usize, object: usize): bool {
  spinLock(COMMAND_LOCK);
  const isFree = fn.object == <u32>before;
  if (isFree) {
    fn.object = <u32>object;
    fn.isOrphaned = 0;
  }
  spinUnlock(COMMAND_LOCK);
  return isFree;
}
