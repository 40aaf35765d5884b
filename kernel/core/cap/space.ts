/**
 * Capability spaces: what one process may touch, by handle.
 *
 * handle = index | generation << 16; 0 is none. One that names nothing is EBADF, or ESTALE when what it named was the last thing revoked in its slot.
 * Spaces grow by chunks that never move, because the derivation tree points into them.
 *
 * Invariants  P1  a handle finds its slot only while the slot's generation is the handle's (T3 of slot.ts).
 *             P2  a space that was closed takes no capability any more.
 * Locking     capLock (Rank.CAP) guards every space, slot and the counts O2 of objects; hooks run after it is given up.
 */
import { CapKind, CapRight } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { bytesCopy } from "../../lib/bytes";
import { Rank } from "../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";
import { wordAt, wordSet } from "../../lib/words";
import { kfree, kzalloc } from "../mm/slab";
import { KObject, objectAt, objectDeafened, objectGet, objectKindsInit, objectOrphaned, objectPut, objectUnheard } from "./object";
import { CapSlot, slotAddress, slotAt, slotLeafLocked, slotLinkLocked, slotRevokeNoteLocked, slotUnlinkLocked } from "./slot";

const CHUNK_SHIFT: u32 = 6;
const CHUNK_SLOTS: u32 = 64;
const CHUNKS: u32 = 64;
const INDEX_MASK: u32 = 0xffff;
const GENERATIONS: u16 = 0x7fff; // a handle is a positive i32
/** No handle and no error: another thread took the slot that spaceReserve saw free. */
export const SLOT_LOST: i32 = 0;

@final @unmanaged
export class CapSpace {
  refs: u32;     // atomic: its process, calls that install into it
  isClosed: u32; // P2
  free: u32;     // CapSlot, linked by next: the one that is free the longest (T3)
  freeLast: u32; // the one freed last
  used: u32;
  chunks: u32;   // how many of the table below exist
  table: u32;    // CHUNKS addresses of chunks
  pad: u32;
}

export const CAP_LOCK = changetype<SpinLock>(memory.data(offsetof<SpinLock>()));
/** Slots in use in all spaces: tests compare it before and after (guarded by capLock). */
const USED: usize = memory.data(8, 8);

/** Grows whenever a capability on an endpoint or a notification goes: what was looked up at one epoch is true while it lasts (ipc/target.ts). */
const EPOCH: usize = memory.data(8, 8);

/** Where capLookupBadge puts the badge. */
@final @unmanaged
export class BadgeOut {
  badge: u64;
}

export function capSpaceAt(address: u32): CapSpace { return changetype<CapSpace>(<usize>address); } // SAFETY: the caller names one

/** Before anything else of kernel/core/cap. */
export function capInit(): void {
  spinInit(CAP_LOCK, Rank.CAP);
  atomic.store<u64>(EPOCH, 1);
  objectKindsInit();
}

/** The epoch of look-ups, never 0. Read before the look-up whose result is kept. */
export function capEpoch(): u64 { return atomic.load<u64>(EPOCH); }

/** Capabilities in all spaces together. */
export function capCountAll(): u32 { return wordAt(USED, 0); }

/** An empty space with one reference, or null when memory is full. */
export function capSpaceCreate(): CapSpace | null {
  const address = kzalloc(offsetof<CapSpace>());
  if (address == 0) return null;
  const table = kzalloc(CHUNKS << 2);
  if (table == 0) {
    kfree(address);
    return null;
  }
  const space = capSpaceAt(<u32>address);
  space.refs = 1;
  space.table = <u32>table;
  return space;
}

export function capSpaceGet(space: CapSpace): void {
  atomic.add<u32>(changetype<usize>(space), 1);
}

/** Gives a reference back; the last one frees the (closed or empty) space. */
export function capSpacePut(space: CapSpace): void {
  if (atomic.sub<u32>(changetype<usize>(space), 1) != 1) return;
  capSpaceClose(space);
  for (let i: u32 = 0; i < space.chunks; i++) kfree(wordAt(space.table, i));
  kfree(space.table);
  kfree(changetype<usize>(space));
}

/** Takes every capability out of the space, for good. */
export function capSpaceClose(space: CapSpace): void {
  spinLock(CAP_LOCK);
  space.isClosed = 1;
  spinUnlock(CAP_LOCK);
  capSpaceClear(space);
}

/** Takes every capability out of the space: devices first, so that they are quiet before the memory they write to goes. */
function capSpaceClear(space: CapSpace): void {
  const end = space.chunks << CHUNK_SHIFT;
  for (let i: u32 = 0; i < end; i++) if (slotKind(slotOf(space, i)) == CapKind.PCI) slotTake(slotOf(space, i));
  for (let i: u32 = 0; i < end; i++) slotTake(slotOf(space, i));
}

/** Kind of the object in a slot, which nobody but its space's owner fills; 0: none. */
function slotKind(slot: CapSlot): u32 {
  spinLock(CAP_LOCK);
  const kind = slot.object != 0 ? objectAt(slot.object).kind : 0;
  spinUnlock(CAP_LOCK);
  return kind;
}

function slotOf(space: CapSpace, index: u32): CapSlot {
  const chunk = wordAt(space.table, index >> CHUNK_SHIFT);
  return slotAt(chunk + (index & (CHUNK_SLOTS - 1)) * <u32>offsetof<CapSlot>());
}

/** The slot of a handle, or null (P1). */
export function slotFindLocked(space: CapSpace, handle: u32): CapSlot | null {
  const index = handle & INDEX_MASK;
  if (index >= space.chunks << CHUNK_SHIFT) return null;
  const slot = slotOf(space, index);
  return slot.object != 0 && <u32>slot.generation == handle >> 16 ? slot : null;
}

/** Why slotFindLocked finds nothing. */
export function slotMissingLocked(space: CapSpace, handle: u32): i32 {
  const index = handle & INDEX_MASK;
  if (index >= space.chunks << CHUNK_SHIFT || handle >> 16 == 0) return -Errno.BADF;
  return <u32>slotOf(space, index).revoked == handle >> 16 ? -Errno.STALE : -Errno.BADF;
}

export function slotAllocLocked(space: CapSpace): CapSlot | null {
  if (space.isClosed || space.free == 0) return null;
  const slot = slotAt(space.free);
  space.free = slot.next;
  slot.next = 0;
  space.used++;
  wordSet(USED, 0, wordAt(USED, 0) + 1);
  return slot;
}

/** Whether `count` slots are free. */
export function slotsAreFreeLocked(space: CapSpace, count: u32): bool {
  let slot = space.free;
  for (let i: u32 = 0; i < count; i++, slot = slotAt(slot).next) if (slot == 0) return false;
  return true;
}

/** Makes sure of a free slot; false when memory or the space is full. No lock is held. */
export function spaceReserve(space: CapSpace): bool {
  return space.free != 0 || spaceGrow(space);
}

/** Adds free slots; false when memory or the space is full. No lock is held. */
export function spaceGrow(space: CapSpace): bool {
  const chunk = kzalloc(CHUNK_SLOTS * <u32>offsetof<CapSlot>());
  if (chunk == 0) return false;
  spinLock(CAP_LOCK);
  const isTaken = space.chunks < CHUNKS;
  if (isTaken) chunkAddLocked(space, <u32>chunk);
  spinUnlock(CAP_LOCK);
  if (!isTaken) kfree(chunk);
  return isTaken;
}

function chunkAddLocked(space: CapSpace, chunk: u32): void {
  const first = space.chunks << CHUNK_SHIFT;
  wordSet(space.table, space.chunks, chunk);
  space.chunks++;
  for (let i: u32 = 0; i < CHUNK_SLOTS; i++) {
    const slot = slotAt(chunk + i * <u32>offsetof<CapSlot>());
    slot.generation = 1;
    slot.space = <u32>changetype<usize>(space);
    slot.index = first + i;
    freeAppendLocked(space, slot);
  }
}

/** The slot is used again after all those that are free already (T3). */
function freeAppendLocked(space: CapSpace, slot: CapSlot): void {
  slot.next = 0;
  if (space.free != 0) slotAt(space.freeLast).next = slotAddress(slot);
  else space.free = slotAddress(slot);
  space.freeLast = slotAddress(slot);
}

/** The handle of a slot in use. */
export function slotHandle(slot: CapSlot): i32 { return slot.index | <u32>slot.generation << 16; }

/** Fills a free slot; the object gains a reference. */
export function slotFillLocked(slot: CapSlot, object: KObject, rights: u32, badge: u64): i32 {
  objectGet(object);
  object.slots++;
  if (rights & CapRight.RECEIVE) object.receivers++;
  slot.object = <u32>changetype<usize>(object);
  slot.rights = rights;
  slot.badge = badge;
  slot.parent = 0;
  slot.child = 0;
  slot.prev = 0;
  return slotHandle(slot);
}

/** Empties a slot if it is in use; the hooks of the object run when this was the last of its kind. No lock is held. */
export function slotTake(slot: CapSlot): void {
  spinLock(CAP_LOCK);
  const address = slot.object;
  const events = address != 0 ? slotEmptyLocked(slot) : 0;
  spinUnlock(CAP_LOCK);
  if (address != 0) objectLeave(objectAt(address), events);
}

const enum Leaving { DEAF = 1, ORPHAN = 2, UNHEARD = 4 }

/** The hooks that fall due, then the slot's reference. */
function objectLeave(object: KObject, events: u32): void {
  if (events & Leaving.DEAF) objectDeafened(object);
  if (events & Leaving.ORPHAN) objectOrphaned(object);
  if (events & Leaving.UNHEARD) objectUnheard(object);
  objectPut(object);
}

/** A handle on `object` is to name it no more: what was looked up before is in doubt. */
export function epochNoteLocked(object: KObject): void {
  if (object.kind == <u32>CapKind.ENDPOINT || object.kind == <u32>CapKind.NOTIFICATION) atomic.add<u64>(EPOCH, 1);
}

/** Whether threads may wait on the object by a capability with these rights: when it goes, they are told (objectUnheard). */
export function rightsHear(rights: u32): bool { return (rights & (CapRight.RECEIVE | CapRight.WAIT)) != 0; }

/** Frees a slot in use; the caller takes over its reference to the object. */
function slotEmptyLocked(slot: CapSlot): u32 {
  const object = objectAt(slot.object);
  epochNoteLocked(object);
  let events: u32 = rightsHear(slot.rights) ? Leaving.UNHEARD : 0;
  if (slot.rights & CapRight.RECEIVE && --object.receivers == 0) events |= Leaving.DEAF;
  if (--object.slots == 0) events |= Leaving.ORPHAN;
  slotUnlinkLocked(slot);
  slot.object = 0;
  if (slot.space != 0) slotFreeLocked(slot); // else it was in transit (transit.ts)
  return events;
}

/** An empty slot goes back to its space. */
export function slotFreeLocked(slot: CapSlot): void {
  slot.generation = slot.generation == GENERATIONS ? 1 : slot.generation + 1; // T3
  const space = capSpaceAt(slot.space);
  freeAppendLocked(space, slot);
  space.used--;
  wordSet(USED, 0, wordAt(USED, 0) - 1);
}

/** Puts a capability that derives from no other into `space`: its handle, -ENOMEM, or -ESTALE when the space is closed. */
export function capInsert(space: CapSpace, object: KObject, rights: u32, badge: u64): i32 {
  while (spaceReserve(space)) {
    spinLock(CAP_LOCK);
    const slot = slotAllocLocked(space);
    const result = slot ? slotFillLocked(slot, object, rights, badge) : space.isClosed ? -Errno.STALE : SLOT_LOST;
    spinUnlock(CAP_LOCK);
    if (result != SLOT_LOST) return result;
  }
  return -Errno.NOMEM;
}

/**
 * Puts a capability on a new object into `space`, made by authority of `handle`: it hangs below that one with at most its rights, and goes
 * when it is revoked. The new handle, -EBADF, -ENOMEM, -ESTALE (revoked, or the space is closed).
 */
export function capInsertUnder(space: CapSpace, handle: u32, object: KObject, rights: u32): i32 {
  while (spaceReserve(space)) {
    spinLock(CAP_LOCK);
    const result = insertUnderLocked(space, handle, object, rights);
    spinUnlock(CAP_LOCK);
    if (result != SLOT_LOST) return result;
  }
  return -Errno.NOMEM;
}

function insertUnderLocked(space: CapSpace, handle: u32, object: KObject, rights: u32): i32 {
  const parent = slotFindLocked(space, handle);
  if (!parent) return slotMissingLocked(space, handle);
  if (space.isClosed) return -Errno.STALE;
  const slot = slotAllocLocked(space);
  if (!slot) return SLOT_LOST;
  const result = slotFillLocked(slot, object, parent.rights & rights, 0);
  slotLinkLocked(slot, parent); // T2
  return result;
}

/**
 * Derives a capability of `from` into `to`, with at most the source's rights; a badge is given once. The new handle,
 * -EBADF, -EACCES for a second badge, -ENOMEM, -ESTALE.
 */
export function capDerive(from: CapSpace, handle: u32, to: CapSpace, rights: u32, badge: u64): i32 {
  while (spaceReserve(to)) {
    spinLock(CAP_LOCK);
    const result = capDeriveLocked(from, handle, to, rights, badge);
    spinUnlock(CAP_LOCK);
    if (result != SLOT_LOST) return result;
  }
  return -Errno.NOMEM;
}

function capDeriveLocked(from: CapSpace, handle: u32, to: CapSpace, rights: u32, badge: u64): i32 {
  const source = slotFindLocked(from, handle);
  if (!source) return slotMissingLocked(from, handle);
  if (badge != 0 && source.badge != 0) return -Errno.ACCES;
  if (to.isClosed) return -Errno.STALE;
  const slot = slotAllocLocked(to);
  if (!slot) return SLOT_LOST;
  const result = slotFillLocked(slot, objectAt(source.object), source.rights & rights, badge != 0 ? badge : source.badge);
  slotLinkLocked(slot, source); // T2
  return result;
}

/** Takes one capability away; what was derived from it stays, under its parent. -EBADF, -ESTALE. */
export function capDrop(space: CapSpace, handle: u32): i32 {
  spinLock(CAP_LOCK);
  const slot = slotFindLocked(space, handle);
  const address = slot ? slot.object : 0;
  const events = slot ? slotEmptyLocked(slot) : 0;
  const missing = slot ? 0 : slotMissingLocked(space, handle);
  spinUnlock(CAP_LOCK);
  if (!slot) return missing;
  objectLeave(objectAt(address), events);
  return 0;
}

/** Takes away all that was derived from the capability, in every space. How many, or -EBADF, -ESTALE. */
export function capRevoke(space: CapSpace, handle: u32): i32 {
  let count: i32 = 0;
  while (true) {
    spinLock(CAP_LOCK);
    const root = slotFindLocked(space, handle);
    const leaf = root ? slotLeafLocked(root) : null;
    const address = leaf && leaf != root ? leaf.object : 0;
    const events = leaf && address != 0 ? slotRevokeLocked(leaf) : 0;
    const none = root || count > 0 ? count : slotMissingLocked(space, handle);
    spinUnlock(CAP_LOCK);
    if (address == 0) return none;
    objectLeave(objectAt(address), events);
    count++;
  }
}

function slotRevokeLocked(slot: CapSlot): u32 {
  slotRevokeNoteLocked(slot);
  return slotEmptyLocked(slot);
}

/**
 * The object behind a handle, with a reference for the caller, when it is of `kind` and the capability has all of
 * `rights`; else 0 with the reason in capLookupError's terms: a negated errno as a pointer (the top 4095 values).
 */
export function capLookup(space: CapSpace, handle: u32, kind: u32, rights: u32): usize {
  spinLock(CAP_LOCK);
  const slot = slotFindLocked(space, handle);
  const result = slot ? slotUseLocked(slot, kind, rights) : <usize>slotMissingLocked(space, handle);
  spinUnlock(CAP_LOCK);
  return result;
}

/** The `n`th object of `kind` that the space names, with a reference for the caller; 0 when there are fewer. */
export function capNth(space: CapSpace, kind: u32, n: u32): usize {
  let seen: u32 = 0;
  let result: usize = 0;
  spinLock(CAP_LOCK);
  for (let i: u32 = 0; i < space.chunks << CHUNK_SHIFT && result == 0; i++) {
    const object = slotOf(space, i).object;
    if (object == 0 || objectAt(object).kind != kind || seen++ != n) continue;
    objectGet(objectAt(object));
    result = object;
  }
  spinUnlock(CAP_LOCK);
  return result;
}

/** capLookup in the space at `spaceAddress` (0: none), which also stores the capability's badge. */
export function capLookupBadge(spaceAddress: u32, handle: u32, kind: u32, rights: u32, badge: BadgeOut): usize {
  if (spaceAddress == 0) return <usize>-Errno.BADF;
  const space = capSpaceAt(spaceAddress);
  spinLock(CAP_LOCK);
  const slot = slotFindLocked(space, handle);
  const result = slot ? slotUseLocked(slot, kind, rights) : <usize>slotMissingLocked(space, handle);
  if (slot) badge.badge = slot.badge;
  spinUnlock(CAP_LOCK);
  return result;
}

function slotUseLocked(slot: CapSlot, kind: u32, rights: u32): usize {
  const object = objectAt(slot.object);
  if (object.kind != kind) return <usize>-Errno.BADF;
  if ((slot.rights & rights) != rights) return <usize>-Errno.ACCES;
  objectGet(object);
  return slot.object;
}

/** Rights and badge of a capability, copied to `out`: kind u32, rights u32, badge u64, object u32. 0, -EBADF, -ESTALE. */
export function capDescribe(space: CapSpace, handle: u32, out: CapSlot): i32 {
  spinLock(CAP_LOCK);
  const slot = slotFindLocked(space, handle);
  if (slot) bytesCopy(changetype<usize>(out), changetype<usize>(slot), offsetof<CapSlot>());
  if (slot) objectGet(objectAt(slot.object));
  const result = slot ? 0 : slotMissingLocked(space, handle);
  spinUnlock(CAP_LOCK);
  return result;
}
