/**
 * Capabilities on their way in a message: derived from the sender's when it is sent, moved into the receiver's space when it arrives.
 *
 * A slot in transit belongs to no space and has no handle, but hangs in the derivation tree like any other: who revokes the sender's
 * capability takes it away as well.
 *
 * Invariants  X1  a slot in transit has no children: nobody can name it.
 * Locking     capLock (space.ts).
 */
import { CapRight } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { objectAt } from "./object";
import { CapSlot, slotAt, slotLinkLocked, slotUnlinkLocked } from "./slot";
import {
  CAP_LOCK, CapSpace, SLOT_LOST, slotAllocLocked, slotFillLocked, slotFindLocked, slotTake, spaceReserve,
} from "./space";

/** Derives the capability behind `handle` into `transit`, which is zero. 0, -EBADF, or -EACCES without the right to GRANT it. */
export function capDepart(from: CapSpace, handle: u32, transit: CapSlot): i32 {
  spinLock(CAP_LOCK);
  const source = slotFindLocked(from, handle);
  const mayGrant = source ? (source.rights & CapRight.GRANT) != 0 : false;
  if (source && mayGrant) {
    slotFillLocked(transit, objectAt(source.object), source.rights, source.badge);
    slotLinkLocked(transit, source);
  }
  spinUnlock(CAP_LOCK);
  return !source ? -Errno.BADF : mayGrant ? 0 : -Errno.ACCES;
}

/** Moves it into `to`: the handle there, -ENOMEM, or -ESTALE when it was revoked on the way or the space is closed. */
export function capArrive(transit: CapSlot, to: CapSpace): i32 {
  while (spaceReserve(to)) {
    spinLock(CAP_LOCK);
    const result = arriveLocked(transit, to);
    spinUnlock(CAP_LOCK);
    if (result != SLOT_LOST) return result;
  }
  return -Errno.NOMEM;
}

function arriveLocked(transit: CapSlot, to: CapSpace): i32 {
  if (transit.object == 0 || to.isClosed) return -Errno.STALE;
  const slot = slotAllocLocked(to);
  if (!slot) return SLOT_LOST;
  const parent = transit.parent;
  slotUnlinkLocked(transit); // X1
  slot.object = transit.object; // its reference and its place in the counts move along
  slot.rights = transit.rights;
  slot.badge = transit.badge;
  slot.parent = 0;
  slot.child = 0;
  slot.prev = 0;
  if (parent != 0) slotLinkLocked(slot, slotAt(parent));
  transit.object = 0;
  return slot.index | slot.generation << 16;
}

/** What did not arrive goes. Harmless for an empty slot. */
export function capTransitDrop(transit: CapSlot): void {
  slotTake(transit);
}
