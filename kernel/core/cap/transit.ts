/**
 * Capabilities on their way in a message: each leaves the sender's space when the message is sent, and arrives in the receiver's with it.
 *
 *   COPY, MINT   a capability is derived from the sender's into transit, MINT with less rights and a badge
 *   MOVE         the sender's own travels, with its place in the derivation tree; the slot it left waits empty until it has arrived, so that
 *                it can always go back to where it was, under the same handle
 *
 * A slot in transit belongs to no space and has no handle, but hangs in the derivation tree like any other: who revokes what it was derived
 * from takes it away as well.
 *
 * Invariants  X1  a slot in transit has children only if it moves: nobody can name it.
 *             X2  CapSlot.home of a moving slot is empty, on no free list, and its space is held by a reference until the move is over.
 *             X3  MEMORY moves only while nobody has it mapped or may be mapping it: whoever receives it and finds no other capability on it
 *                 has it alone. A mapping of a program's, and every call under way, hold a reference; a slot holds one, too.
 * Locking     capLock (space.ts).
 */
import { CapKind, CapRight, SendHow } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { wordSet } from "../../lib/words";
import { memoryIsUnusedLocked, memoryObjectAt } from "./memory-object";
import { objectAt, objectGet, objectPut, objectUnheard } from "./object";
import { CapSlot, slotAddress, slotAt, slotLinkLocked, slotReplaceLocked } from "./slot";
import {
  CAP_LOCK, CapSpace, capSpaceAt, capSpaceGet, capSpacePut, epochNoteLocked, rightsHear, slotAllocLocked, slotFillLocked, slotFindLocked, slotFreeLocked, slotHandle,
  slotMissingLocked, slotsAreFreeLocked, slotTake, spaceGrow,
} from "./space";

/**
 * Sends the capability behind `handle` into `transit`, which is zero but for what MINT asks: rights to keep, and a badge. 0, -EBADF, -ESTALE, -EACCES
 * without the right to GRANT it or for a second badge, -EBUSY (X3).
 */
export function capDepart(from: CapSpace, handle: u32, transit: CapSlot, how: SendHow): i32 {
  spinLock(CAP_LOCK);
  const result = departLocked(from, handle, transit, how);
  const unheard = result == 0 && how == SendHow.MOVE && rightsHear(transit.rights) ? transit.object : 0;
  if (unheard != 0) objectGet(objectAt(unheard)); // it may be revoked at once
  spinUnlock(CAP_LOCK);
  if (unheard == 0) return result;
  objectUnheard(objectAt(unheard));
  objectPut(objectAt(unheard));
  return result;
}

function departLocked(from: CapSpace, handle: u32, transit: CapSlot, how: SendHow): i32 {
  const source = slotFindLocked(from, handle);
  if (!source) return slotMissingLocked(from, handle);
  if (!(source.rights & CapRight.GRANT)) return -Errno.ACCES;
  if (how == SendHow.MOVE) return moveOutLocked(from, source, transit);
  const isMint = how == SendHow.MINT;
  const badge = isMint ? transit.badge : 0;
  if (badge != 0 && source.badge != 0) return -Errno.ACCES;
  const rights = isMint ? source.rights & transit.rights : source.rights;
  slotFillLocked(transit, objectAt(source.object), rights, badge != 0 ? badge : source.badge);
  slotLinkLocked(transit, source);
  return 0;
}

function moveOutLocked(from: CapSpace, source: CapSlot, transit: CapSlot): i32 {
  const isMemory = objectAt(source.object).kind == CapKind.MEMORY;
  if (isMemory && !memoryIsUnusedLocked(memoryObjectAt(source.object))) return -Errno.BUSY;
  epochNoteLocked(objectAt(source.object));
  slotReplaceLocked(transit, source);
  transit.home = slotAddress(source);
  capSpaceGet(from); // X2
  return 0;
}

/** Of arriveLocked: the space has too few free slots. */
const TOO_FEW: i32 = 1;

/**
 * Brings the `count` CapSlots from `first` on into `to`, all of them or none; their handles go to `handles`. 0, -ENOMEM, or -ESTALE when one
 * was revoked on the way or the space is closed.
 */
export function capsArrive(first: u32, count: u32, to: CapSpace, handles: usize): i32 {
  while (true) {
    spinLock(CAP_LOCK);
    const result = arriveLocked(first, count, to, handles);
    spinUnlock(CAP_LOCK);
    if (result != TOO_FEW) {
      for (let i: u32 = 0; i < count && result == 0; i++) homeLeave(transitAt(first, i));
      return result;
    }
    if (!spaceGrow(to)) return -Errno.NOMEM;
  }
}

function transitAt(first: u32, index: u32): CapSlot { return slotAt(first + index * <u32>offsetof<CapSlot>()); }

function arriveLocked(first: u32, count: u32, to: CapSpace, handles: usize): i32 {
  if (to.isClosed) return -Errno.STALE;
  for (let i: u32 = 0; i < count; i++) if (transitAt(first, i).object == 0) return -Errno.STALE;
  if (!slotsAreFreeLocked(to, count)) return TOO_FEW;
  for (let i: u32 = 0; i < count; i++) {
    const transit = transitAt(first, i);
    const slot = slotAllocLocked(to);
    if (!slot) return TOO_FEW; // never: they are free
    slotReplaceLocked(slot, transit);
    wordSet(handles, i, slotHandle(slot));
    if (transit.home != 0) slotFreeLocked(slotAt(transit.home));
  }
  return 0;
}

/** The move is over: nothing comes back (X2). */
function homeLeave(transit: CapSlot): void {
  if (transit.home == 0) return;
  const space = slotAt(transit.home).space;
  transit.home = 0;
  capSpacePut(capSpaceAt(space));
}

/** What did not arrive: what moved is back in the sender's space under its old handle, the rest goes. Harmless for an empty slot. */
export function capReturn(transit: CapSlot): void {
  if (transit.home != 0) {
    spinLock(CAP_LOCK);
    const home = slotAt(transit.home);
    if (transit.object != 0 && !capSpaceAt(home.space).isClosed) slotReplaceLocked(home, transit);
    else slotFreeLocked(home); // revoked meanwhile, or its owner has ended
    spinUnlock(CAP_LOCK);
  }
  slotTake(transit);
  homeLeave(transit);
}
