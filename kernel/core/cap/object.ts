/**
 * Kernel objects: what capabilities name. Every object begins with this head.
 *
 * Invariants  O1  refs counts the slots that name the object plus pointers held for the length of a call.
 *             O2  slots and receivers count the slots of all spaces, and those among them with CapRight.RECEIVE.
 * Locking     refs is atomic; slots and receivers are guarded by capLock (space.ts).
 *
 *   hook      called                                                    may sleep
 *   orphan    no slot names the object any more                         no; the caller holds a reference, no lock
 *   deaf      no slot may receive on it any more                        no; the same
 *   unheard   a slot is gone, or elsewhere, that could receive or wait  no; the same
 *   destroy   the last reference is gone                                no
 */
import { kfree } from "../mm/slab";
import { CapKind } from "../../abi/capability";

@final @unmanaged
export class KObject {
  kind: u32;      // CapKind
  refs: u32;      // O1
  slots: u32;     // O2
  receivers: u32; // O2
}
if (offsetof<KObject>() != 16) ERROR("objects embed a KObject as their first 16 bytes");

@final @unmanaged
export class KindHooks {
  orphan: (object: KObject) => void;
  deaf: (object: KObject) => void;
  destroy: (object: KObject) => void;
  unheard: (object: KObject) => void;
}

const KINDS: u32 = 16;
const HOOKS: usize = memory.data(16 * 16, 4);
if (offsetof<KindHooks>() != 16) ERROR("HOOKS has 16 bytes a kind");

export function objectAt(address: usize): KObject { return changetype<KObject>(address); } // SAFETY: the caller names one
function hooksOf(kind: u32): KindHooks { return changetype<KindHooks>(HOOKS + (<usize>kind << 4)); } // SAFETY: kind < KINDS

/** A `destroy` for kinds with nothing beyond their memory. */
export function objectFree(object: KObject): void {
  kfree(changetype<usize>(object));
}

/** The hook of kinds that need less than three. */
export function objectIgnore(object: KObject): void {}

/** Every kind begins with hooks that do nothing. */
export function objectKindsInit(): void {
  for (let kind: u32 = 0; kind < KINDS; kind++) objectKindSet(kind, objectIgnore, objectIgnore, objectIgnore);
}

/** What happens to objects of `kind` as their holders go; nobody waits on them (objectUnheardSet). */
export function objectKindSet(
  kind: u32, orphan: (object: KObject) => void, deaf: (object: KObject) => void, destroy: (object: KObject) => void,
): void {
  const hooks = hooksOf(kind);
  hooks.orphan = orphan;
  hooks.deaf = deaf;
  hooks.destroy = destroy;
  hooks.unheard = objectIgnore;
}

/** For kinds that threads wait on: they look their handles up again. */
export function objectUnheardSet(kind: u32, unheard: (object: KObject) => void): void {
  hooksOf(kind).unheard = unheard;
}

/** Makes `object` one of `kind` with one reference, the caller's. */
export function objectInit(object: KObject, kind: CapKind): void {
  object.kind = kind;
  object.refs = 1;
  object.slots = 0;
  object.receivers = 0;
}

export function objectGet(object: KObject): void {
  atomic.add<u32>(changetype<usize>(object) + offsetof<KObject>("refs"), 1);
}

export function objectPut(object: KObject): void {
  if (atomic.sub<u32>(changetype<usize>(object) + offsetof<KObject>("refs"), 1) == 1) hooksOf(object.kind).destroy(object);
}

export function objectOrphaned(object: KObject): void { hooksOf(object.kind).orphan(object); }
export function objectDeafened(object: KObject): void { hooksOf(object.kind).deaf(object); }
export function objectUnheard(object: KObject): void { hooksOf(object.kind).unheard(object); }
