/**
 * Red-black trees of intrusive nodes ordered by a u64 key; equal keys keep their order of arrival.
 *
 * The leftmost node is cached: the run queues and timer queues ask for nothing else.
 *
 * Invariants  R1  a red node has no red child; every path from a node to a leaf has as many black nodes.
 *             R2  tree.leftmost is the node of the least key, 0 when the tree is empty.
 * Locking     the tree's owner names the lock.
 * Spec        Cormen et al., Introduction to Algorithms, ch. 13, with null leaves.
 *
 *   0     8      12      16       20
 *   | key | left | right | parent | isRed |
 */
@final @unmanaged
export class RbNode {
  key: u64;
  left: u32;   // RbNode or 0
  right: u32;
  parent: u32; // 0 for the root
  isRed: u32;
}
if (offsetof<RbNode>() != 24) ERROR("structs embed RbNode as three u64 fields");

@final @unmanaged
export class RbTree {
  root: u32;
  leftmost: u32; // R2
  count: u32;
  reserved: u32;
}
if (offsetof<RbTree>() != 16) ERROR("structs embed RbTree as two u64 fields");

/** SAFETY: `address` is an RbNode, as every link of a tree is. */
export function rbNodeAt(address: usize): RbNode { return changetype<RbNode>(address); }

/** SAFETY: `address` is an RbTree held by value. */
export function rbTreeAt(address: usize): RbTree { return changetype<RbTree>(address); }

export function rbInit(tree: RbTree): void {
  tree.root = 0;
  tree.leftmost = 0;
  tree.count = 0;
}

function rbAddress(node: RbNode): u32 { return <u32>changetype<usize>(node); }

function rbIsRed(address: u32): bool {
  return address != 0 && rbNodeAt(address).isRed != 0;
}

/** Makes `to` stand where `from` stood below `parent`. */
function rbReplaceChild(tree: RbTree, parent: u32, from: u32, to: u32): void {
  if (parent == 0) tree.root = to;
  else if (rbNodeAt(parent).left == from) rbNodeAt(parent).left = to;
  else rbNodeAt(parent).right = to;
}

function rbRotateLeft(tree: RbTree, x: u32): void {
  const node = rbNodeAt(x);
  const y = node.right;
  const right = rbNodeAt(y);
  node.right = right.left;
  if (right.left != 0) rbNodeAt(right.left).parent = x;
  right.parent = node.parent;
  rbReplaceChild(tree, node.parent, x, y);
  right.left = x;
  node.parent = y;
}

function rbRotateRight(tree: RbTree, x: u32): void {
  const node = rbNodeAt(x);
  const y = node.left;
  const left = rbNodeAt(y);
  node.left = left.right;
  if (left.right != 0) rbNodeAt(left.right).parent = x;
  left.parent = node.parent;
  rbReplaceChild(tree, node.parent, x, y);
  left.right = x;
  node.parent = y;
}

/** Puts `node`, whose key is set, behind all nodes of the same key. */
export function rbInsert(tree: RbTree, node: RbNode): void {
  const key = node.key;
  const address = rbAddress(node);
  let parent: u32 = 0;
  let at = tree.root;
  let isLeft = true;
  let isLeftmost = true;
  while (at != 0) {
    parent = at;
    isLeft = key < rbNodeAt(at).key;
    if (isLeft) {
      at = rbNodeAt(at).left;
    } else {
      at = rbNodeAt(at).right;
      isLeftmost = false;
    }
  }
  node.left = 0;
  node.right = 0;
  node.parent = parent;
  node.isRed = 1;
  if (parent == 0) tree.root = address;
  else if (isLeft) rbNodeAt(parent).left = address;
  else rbNodeAt(parent).right = address;
  if (isLeftmost) tree.leftmost = address; // R2
  tree.count++;
  rbInsertFixup(tree, address);
}

/** Restores R1 after `z` was hung in as a red leaf. */
function rbInsertFixup(tree: RbTree, z: u32): void {
  while (true) {
    let parent = rbNodeAt(z).parent;
    if (parent == 0 || rbNodeAt(parent).isRed == 0) break;
    const grand = rbNodeAt(parent).parent; // a red parent is never the root
    const parentIsLeft = rbNodeAt(grand).left == parent;
    const uncle = parentIsLeft ? rbNodeAt(grand).right : rbNodeAt(grand).left;
    if (rbIsRed(uncle)) { // case 1: push the blackness down from the grandparent
      rbNodeAt(parent).isRed = 0;
      rbNodeAt(uncle).isRed = 0;
      rbNodeAt(grand).isRed = 1;
      z = grand;
      continue;
    }
    const zIsInner = parentIsLeft ? rbNodeAt(parent).right == z : rbNodeAt(parent).left == z;
    if (zIsInner) { // case 2: turn the bend into a line
      if (parentIsLeft) rbRotateLeft(tree, parent);
      else rbRotateRight(tree, parent);
      z = parent;
      parent = rbNodeAt(z).parent;
    }
    rbNodeAt(parent).isRed = 0; // case 3
    rbNodeAt(grand).isRed = 1;
    if (parentIsLeft) rbRotateRight(tree, grand);
    else rbRotateLeft(tree, grand);
  }
  rbNodeAt(tree.root).isRed = 0;
}

/** Takes `node`, which is in the tree, out of it. */
export function rbRemove(tree: RbTree, node: RbNode): void {
  const z = rbAddress(node);
  if (tree.leftmost == z) tree.leftmost = rbNext(node); // R2
  tree.count--;
  let removedRed = node.isRed;
  let child: u32;  // moves into the hole
  let parent: u32; // of the hole
  if (node.left == 0) {
    child = node.right;
    parent = node.parent;
    rbTransplant(tree, node, child);
  } else if (node.right == 0) {
    child = node.left;
    parent = node.parent;
    rbTransplant(tree, node, child);
  } else {
    let y = node.right;
    while (rbNodeAt(y).left != 0) y = rbNodeAt(y).left;
    const successor = rbNodeAt(y);
    removedRed = successor.isRed;
    child = successor.right;
    if (successor.parent == z) {
      parent = y;
    } else {
      parent = successor.parent;
      rbTransplant(tree, successor, child);
      successor.right = node.right;
      rbNodeAt(successor.right).parent = y;
    }
    rbTransplant(tree, node, y);
    successor.left = node.left;
    rbNodeAt(successor.left).parent = y;
    successor.isRed = node.isRed;
  }
  if (removedRed == 0) rbRemoveFixup(tree, child, parent);
}

/** Hangs the subtree `to` (or nothing) in the place of `from`. */
function rbTransplant(tree: RbTree, from: RbNode, to: u32): void {
  rbReplaceChild(tree, from.parent, rbAddress(from), to);
  if (to != 0) rbNodeAt(to).parent = from.parent;
}

/** Restores R1 when the path through `x` (a child of `parent`, maybe 0) lacks one black node. */
function rbRemoveFixup(tree: RbTree, x: u32, parent: u32): void {
  while (parent != 0 && !rbIsRed(x)) {
    const xIsLeft = rbNodeAt(parent).left == x;
    let sibling = xIsLeft ? rbNodeAt(parent).right : rbNodeAt(parent).left;
    if (rbIsRed(sibling)) { // case 1: make the sibling black
      rbNodeAt(sibling).isRed = 0;
      rbNodeAt(parent).isRed = 1;
      if (xIsLeft) rbRotateLeft(tree, parent);
      else rbRotateRight(tree, parent);
      sibling = xIsLeft ? rbNodeAt(parent).right : rbNodeAt(parent).left;
    }
    const near = xIsLeft ? rbNodeAt(sibling).left : rbNodeAt(sibling).right;
    const far = xIsLeft ? rbNodeAt(sibling).right : rbNodeAt(sibling).left;
    if (!rbIsRed(near) && !rbIsRed(far)) { // case 2: move the lack up
      rbNodeAt(sibling).isRed = 1;
      x = parent;
      parent = rbNodeAt(x).parent;
      continue;
    }
    if (!rbIsRed(far)) { // case 3: bring the red nephew to the far side
      rbNodeAt(near).isRed = 0;
      rbNodeAt(sibling).isRed = 1;
      if (xIsLeft) rbRotateRight(tree, sibling);
      else rbRotateLeft(tree, sibling);
      sibling = near;
    }
    const outer = xIsLeft ? rbNodeAt(sibling).right : rbNodeAt(sibling).left; // case 4
    rbNodeAt(sibling).isRed = rbNodeAt(parent).isRed;
    rbNodeAt(parent).isRed = 0;
    rbNodeAt(outer).isRed = 0;
    if (xIsLeft) rbRotateLeft(tree, parent);
    else rbRotateRight(tree, parent);
    x = tree.root;
    break;
  }
  if (x != 0) rbNodeAt(x).isRed = 0;
}

/** Address of the node after `node` in key order, 0 at the end. */
export function rbNext(node: RbNode): u32 {
  if (node.right != 0) {
    let at = node.right;
    while (rbNodeAt(at).left != 0) at = rbNodeAt(at).left;
    return at;
  }
  let child = rbAddress(node);
  let parent = node.parent;
  while (parent != 0 && rbNodeAt(parent).right == child) {
    child = parent;
    parent = rbNodeAt(parent).parent;
  }
  return parent;
}
