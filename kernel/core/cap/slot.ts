/**
 * Capability slots and the derivation tree they form.
 *
 *   0       4       8      16      20      24     28     32          36     40     44
 *   |object |rights |badge |parent |child  |next  |prev  |gen|revoked|space |index |home|
 *
 * Invariants  T1  a slot in use is on its parent's ring of children, or has parent 0: it was not derived.
 *             T2  rights of a child are a subset of its parent's; its object is its parent's, or one made by authority of it.
 *             T3  generation changes each time the slot is freed, and slots are used again in the order in which they were freed: a handle of
 *                 before names nothing until each slot that was free has been used 32,767 times since.
 * Locking     capLock (space.ts) guards all of it.
 */
@final @unmanaged
export class CapSlot {
  object: u32;     // KObject, 0: free
  rights: u32;     // CapRight bits
  badge: u64;
  parent: u32;     // CapSlot it was derived from, 0: none
  child: u32;      // first of those derived from it
  next: u32;       // next sibling; of a free slot: next free one
  prev: u32;       // previous sibling, 0: the first
  generation: u16; // 1 .. 0x7fff
  revoked: u16;    // the last generation whose capability was revoked, 0: none
  space: u32;      // CapSpace
  index: u32;      // in its space
  home: u32;       // in transit (transit.ts): the slot it moves away from, 0: it is a copy
}
if (offsetof<CapSlot>() != 48) ERROR("chunks hold 64 slots of 48 bytes");

export function slotAt(address: u32): CapSlot { return changetype<CapSlot>(<usize>address); } // SAFETY: the caller names one

export function slotAddress(slot: CapSlot): u32 { return <u32>changetype<usize>(slot); }

/** What `slot` holds is about to be revoked: its handle, or that of the slot it moves away from, is told so. */
export function slotRevokeNoteLocked(slot: CapSlot): void {
  const named = slot.home != 0 ? slotAt(slot.home) : slot;
  named.revoked = named.generation;
}

/** Hangs `slot` under `parent` (T1). */
export function slotLinkLocked(slot: CapSlot, parent: CapSlot): void {
  slot.parent = slotAddress(parent);
  slot.prev = 0;
  slot.next = parent.child;
  if (parent.child != 0) slotAt(parent.child).prev = slotAddress(slot);
  parent.child = slotAddress(slot);
}

/** Takes `slot` out of the tree; its children become its parent's, so that who could revoke them still can. */
export function slotUnlinkLocked(slot: CapSlot): void {
  while (slot.child != 0) childAdoptLocked(slotAt(slot.child), slot.parent);
  if (slot.prev != 0) slotAt(slot.prev).next = slot.next;
  else if (slot.parent != 0) slotAt(slot.parent).child = slot.next;
  if (slot.next != 0) slotAt(slot.next).prev = slot.prev;
  slot.parent = 0;
}

function childAdoptLocked(child: CapSlot, parent: u32): void {
  const old = slotAt(child.parent);
  old.child = child.next;
  if (child.next != 0) slotAt(child.next).prev = 0;
  child.prev = 0;
  child.next = 0;
  child.parent = 0;
  if (parent != 0) slotLinkLocked(child, slotAt(parent));
}

/** Puts the capability in `from` into the empty slot `to`, at its place in the tree: parent, siblings and children are its own still. */
export function slotReplaceLocked(to: CapSlot, from: CapSlot): void {
  const address = slotAddress(to);
  to.object = from.object; // its reference and its place in the counts move along
  to.rights = from.rights;
  to.badge = from.badge;
  to.parent = from.parent;
  to.child = from.child;
  to.next = from.parent != 0 ? from.next : 0;
  to.prev = from.prev;
  if (to.prev != 0) slotAt(to.prev).next = address;
  else if (to.parent != 0) slotAt(to.parent).child = address;
  if (to.next != 0) slotAt(to.next).prev = address;
  for (let child = to.child; child != 0; child = slotAt(child).next) slotAt(child).parent = address;
  from.object = 0;
  from.parent = 0;
  from.child = 0;
}

/** The deepest first descendant: a leaf to take away next, or `slot` itself when it has no children. */
export function slotLeafLocked(slot: CapSlot): CapSlot {
  let leaf = slot;
  while (leaf.child != 0) leaf = slotAt(leaf.child);
  return leaf;
}
