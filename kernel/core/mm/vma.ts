/**
 * The areas of an address space: an AVL tree by address, threaded by a list, with gap sizes for placement.
 *
 * Invariants  A1  heights of siblings differ by at most 1; height(leaf) == 1.
 *             A2  maxGap == the largest gapBelow() of any area in the subtree.
 *             A3  `prev`/`next` link the areas in address order; AddressSpace.first is the lowest.
 * Locking     AddressSpace.lock.
 */
import { USER_TOP } from "./layout";
import { AddressSpace, Vma, vmaOf, vmaPtr } from "./mm-struct";

/** Bytes between `vma` and the area below it (or address 0). */
function gapBelow(vma: Vma): u64 {
  return vma.prev ? vma.start - vmaOf(vma.prev).end : vma.start;
}

function heightOf(node: u32): u32 {
  return node ? vmaOf(node).height : 0;
}

function gapOf(node: u32): u64 {
  return node ? vmaOf(node).maxGap : 0;
}

/** Recomputes height and maxGap from the children (A1, A2). */
function nodeUpdate(node: Vma): void {
  node.height = 1 + max(heightOf(node.left), heightOf(node.right));
  node.maxGap = max(gapBelow(node), max(gapOf(node.left), gapOf(node.right)));
}

/** Puts `child` where `old` hung below `parent`. */
function linkReplace(mm: AddressSpace, parent: u32, old: u32, child: u32): void {
  if (!parent) mm.tree = child;
  else if (vmaOf(parent).left == old) vmaOf(parent).left = child;
  else vmaOf(parent).right = child;
  if (child) vmaOf(child).parent = parent;
}

function rotateLeft(mm: AddressSpace, node: Vma): Vma {
  const up = vmaOf(node.right);
  linkReplace(mm, node.parent, vmaPtr(node), vmaPtr(up));
  node.right = up.left;
  if (up.left) vmaOf(up.left).parent = vmaPtr(node);
  up.left = vmaPtr(node);
  node.parent = vmaPtr(up);
  nodeUpdate(node);
  nodeUpdate(up);
  return up;
}

function rotateRight(mm: AddressSpace, node: Vma): Vma {
  const up = vmaOf(node.left);
  linkReplace(mm, node.parent, vmaPtr(node), vmaPtr(up));
  node.left = up.right;
  if (up.right) vmaOf(up.right).parent = vmaPtr(node);
  up.right = vmaPtr(node);
  node.parent = vmaPtr(up);
  nodeUpdate(node);
  nodeUpdate(up);
  return up;
}

/** Restores A1 and A2 at `node`; what stands in its place. */
function nodeBalance(mm: AddressSpace, node: Vma): Vma {
  const left = heightOf(node.left);
  const right = heightOf(node.right);
  if (left > right + 1) {
    const child = vmaOf(node.left);
    if (heightOf(child.left) < heightOf(child.right)) rotateLeft(mm, child);
    return rotateRight(mm, node);
  }
  if (right > left + 1) {
    const child = vmaOf(node.right);
    if (heightOf(child.right) < heightOf(child.left)) rotateRight(mm, child);
    return rotateLeft(mm, node);
  }
  nodeUpdate(node);
  return node;
}

/** Restores the invariants from `node` up to the root. */
function treeFix(mm: AddressSpace, node: u32): void {
  let at = node;
  while (at) at = nodeBalance(mm, vmaOf(at)).parent;
}

/** Passes a changed gap of `vma` (0: none) up the tree; the shape stays. */
function gapFix(vma: u32): void {
  for (let at = vma; at; at = vmaOf(at).parent) {
    const before = vmaOf(at).maxGap;
    nodeUpdate(vmaOf(at));
    if (vmaOf(at).maxGap == before) return;
  }
}

/** The lowest area that ends above `va`, or null. It contains `va` when its start is not above. */
export function vmaFind(mm: AddressSpace, va: u64): Vma | null {
  const hit = mm.lastHit;
  if (hit && vmaOf(hit).start <= va && va < vmaOf(hit).end) return vmaOf(hit);
  let best: u32 = 0;
  let node = mm.tree;
  while (node) {
    const vma = vmaOf(node);
    if (vma.end > va) {
      best = node;
      if (vma.start <= va) break;
      node = vma.left;
    } else {
      node = vma.right;
    }
  }
  if (!best) return null;
  mm.lastHit = best;
  return vmaOf(best);
}

/** The area that contains `va`, or null. */
export function vmaAt(mm: AddressSpace, va: u64): Vma | null {
  const vma = vmaFind(mm, va);
  return vma && vma.start <= va ? vma : null;
}

/** The highest area that starts below `va`; 0 when none. */
function vmaBelow(mm: AddressSpace, va: u64): u32 {
  let best: u32 = 0;
  let node = mm.tree;
  while (node) {
    if (vmaOf(node).start < va) {
      best = node;
      node = vmaOf(node).right;
    } else {
      node = vmaOf(node).left;
    }
  }
  return best;
}

/** Adds `vma`, which overlaps no other (V1). */
export function vmaInsert(mm: AddressSpace, vma: Vma): void {
  let parent: u32 = 0;
  let prev: u32 = 0;
  let node = mm.tree;
  while (node) {
    parent = node;
    if (vmaOf(node).start < vma.start) {
      prev = node;
      node = vmaOf(node).right;
    } else {
      node = vmaOf(node).left;
    }
  }
  const next = prev ? vmaOf(prev).next : mm.first;
  vma.prev = prev;
  vma.next = next;
  if (prev) vmaOf(prev).next = vmaPtr(vma);
  else mm.first = vmaPtr(vma);
  if (next) vmaOf(next).prev = vmaPtr(vma);
  vma.left = 0;
  vma.right = 0;
  vma.parent = parent;
  if (!parent) mm.tree = vmaPtr(vma);
  else if (vma.start < vmaOf(parent).start) vmaOf(parent).left = vmaPtr(vma);
  else vmaOf(parent).right = vmaPtr(vma);
  mm.vmaCount++;
  treeFix(mm, vmaPtr(vma));
  gapFix(next);
}

/** Takes `vma` out; the caller frees it. */
export function vmaRemove(mm: AddressSpace, vma: Vma): void {
  const prev = vma.prev;
  const next = vma.next;
  if (prev) vmaOf(prev).next = next;
  else mm.first = next;
  if (next) vmaOf(next).prev = prev;
  if (mm.lastHit == vmaPtr(vma)) mm.lastHit = 0;
  mm.vmaCount--;

  let from: u32;
  if (!vma.left || !vma.right) {
    from = vma.parent;
    linkReplace(mm, vma.parent, vmaPtr(vma), vma.left ? vma.left : vma.right);
  } else {
    from = successorLift(mm, vma, vmaOf(next));
  }
  treeFix(mm, from);
  gapFix(next);
}

/** Puts `next`, the lowest area of the right subtree, in the place of `vma`; the lowest node that changed. */
function successorLift(mm: AddressSpace, vma: Vma, next: Vma): u32 {
  let from = vmaPtr(next);
  if (next.parent != vmaPtr(vma)) {
    from = next.parent;
    linkReplace(mm, next.parent, vmaPtr(next), next.right);
    next.right = vma.right;
    vmaOf(vma.right).parent = vmaPtr(next);
  }
  next.left = vma.left;
  vmaOf(vma.left).parent = vmaPtr(next);
  linkReplace(mm, vma.parent, vmaPtr(vma), vmaPtr(next));
  return from;
}

/** Moves the ends of `vma`; it still overlaps no other and keeps its place in the order. */
export function vmaResize(mm: AddressSpace, vma: Vma, start: u64, end: u64): void {
  vma.start = start;
  vma.end = end;
  gapFix(vmaPtr(vma));
  gapFix(vma.next);
}

/** The rightmost area of subtree `node` with a gap of at least `size` below it; node's maxGap promises one. */
function gapRightmost(node: u32, size: u64): u32 {
  let at = node;
  while (gapOf(vmaOf(at).right) >= size || gapBelow(vmaOf(at)) < size) {
    const vma = vmaOf(at);
    at = gapOf(vma.right) >= size ? vma.right : vma.left;
  }
  return at;
}

/** The next area below `node` in address order, or `node` itself, whose gap holds `size`; 0 when none. */
function gapAtOrBelow(node: u32, size: u64): u32 {
  let at = node;
  while (at) {
    const vma = vmaOf(at);
    if (gapBelow(vma) >= size) return at;
    if (gapOf(vma.left) >= size) return gapRightmost(vma.left, size);
    let child = at;
    at = vma.parent;
    while (at && vmaOf(at).left == child) {
      child = at;
      at = vmaOf(at).parent;
    }
  }
  return 0;
}

/** The highest free range of `size` bytes within [low, high); its start, or 0. */
export function gapFindTop(mm: AddressSpace, size: u64, low: u64, high: u64): u64 {
  if (high > USER_TOP || high < low || high - low < size) return 0;
  const below = vmaBelow(mm, high);
  const floor = below ? max(vmaOf(below).end, low) : low;
  if (floor < high && high - floor >= size) return high - size;
  if (!below) return 0;
  const above = gapAtOrBelow(below, size);
  if (!above) return 0;
  const start = vmaOf(above).start - size;
  return start >= low && vmaOf(above).start >= size ? start : 0;
}

/** The lowest free range of `size` bytes within [low, high); its start, or 0. Linear: for rare requests. */
export function gapFindBottom(mm: AddressSpace, size: u64, low: u64, high: u64): u64 {
  let at = low;
  let vma = vmaFind(mm, low);
  while (vma && vma.start < at + size) {
    at = max(at, vma.end);
    if (!vma.next) break;
    vma = vmaOf(vma.next);
  }
  return at + size <= high ? at : 0;
}
