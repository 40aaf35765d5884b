/**
 * Intrusive doubly linked ring lists.
 *
 * A ListNode lives inside its owner by value (two usize fields) or is the list head itself. `ownerOf` goes back
 * from a node to the struct that holds it.
 *
 * Invariants  L1  a node on no list points at itself (listInit, listRemove).
 * Locking     the list's owner names the lock; nothing here locks.
 */
@final @unmanaged
export class ListNode {
  next: ListNode;
  prev: ListNode;
}

/** Makes `node` an empty list, or a node that is on no list. */
export function listInit(node: ListNode): void {
  node.next = node;
  node.prev = node;
}

export function listEmpty(head: ListNode): bool {
  return changetype<usize>(head.next) == changetype<usize>(head);
}

/** Inserts `node` after `at`: at the front when `at` is the head. */
export function listInsertAfter(at: ListNode, node: ListNode): void {
  const next = at.next;
  node.prev = at;
  node.next = next;
  next.prev = node;
  at.next = node;
}

/** Appends `node` at the tail of the list `head`. */
export function listAppend(head: ListNode, node: ListNode): void {
  listInsertAfter(head.prev, node);
}

/** Takes `node` off its list; harmless when it is on none (L1). */
export function listRemove(node: ListNode): void {
  node.prev.next = node.next;
  node.next.prev = node.prev;
  listInit(node);
}

/** listRemove of a node on a list that is soon put on one again: L1 does not hold meanwhile. */
export function listUnlink(node: ListNode): void {
  node.prev.next = node.next;
  node.next.prev = node.prev;
}

/** The node embedded in a struct at `address`. */
export function listNodeAt(address: usize): ListNode {
  return changetype<ListNode>(address); // SAFETY: the caller names a ListNode field by its offset
}

/** True when both are the same node (the end-of-walk test against the head). */
export function listSame(a: ListNode, b: ListNode): bool {
  return changetype<usize>(a) == changetype<usize>(b);
}

/** The struct of type T whose embedded node stands `offset` bytes into it. */
export function ownerOf<T>(node: ListNode, offset: usize): T {
  return changetype<T>(changetype<usize>(node) - offset); // SAFETY: offset is offsetof<T>("field")
}
