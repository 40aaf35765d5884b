/**
 * A sparse array of page numbers: a radix tree, 64 slots a node.
 *
 * Invariants  R1  a tree of height h holds indices below 64^h; a slot is 0 when empty.
 * Locking     the owner's.
 */
import { SlabCache, slabAlloc, slabFree, slabInit } from "./slab-cache";

const NODE_BYTES: u32 = 256;
const NODE_CACHE = changetype<SlabCache>(memory.data(offsetof<SlabCache>()));

@final @unmanaged
export class PageTree {
  root: u32;   // node, 0 for an empty tree
  height: u32;
}

export function pageTreeCacheInit(): void {
  slabInit(NODE_CACHE, "page_tree_node", NODE_BYTES);
}

function slotAt(node: u32, index: u64, level: u32): usize {
  return <usize>node + (<usize>((index >> (level * 6)) & 63) << 2);
}

function fits(tree: PageTree, index: u64): bool {
  return tree.height >= 11 || index >> (tree.height * 6) == 0;
}

/** What stands at `index`, 0 when nothing. */
export function pageTreeGet(tree: PageTree, index: u64): u32 {
  if (!tree.root || !fits(tree, index)) return 0;
  let node = tree.root;
  for (let level = tree.height - 1; level > 0; level--) {
    node = load<u32>(slotAt(node, index, level));
    if (!node) return 0;
  }
  return load<u32>(slotAt(node, index, 0));
}

function nodeMake(): u32 {
  const node = slabAlloc(NODE_CACHE);
  if (node) memory.fill(node, 0, NODE_BYTES);
  return <u32>node;
}

/** Puts `value` (not 0) at `index`; false when memory is full. */
export function pageTreeSet(tree: PageTree, index: u64, value: u32): bool {
  while (!tree.root || !fits(tree, index)) {
    const node = nodeMake();
    if (!node) return false;
    store<u32>(node, tree.root);
    tree.root = node;
    tree.height++;
  }
  let node = tree.root;
  for (let level = tree.height - 1; level > 0; level--) {
    const slot = slotAt(node, index, level);
    if (!load<u32>(slot)) store<u32>(slot, nodeMake());
    node = load<u32>(slot);
    if (!node) return false;
  }
  store<u32>(slotAt(node, index, 0), value);
  return true;
}

/** Empties the tree; `each` is called with every value. Nodes nest at most eleven deep. */
export function pageTreeClear(tree: PageTree, each: (value: u32) => void): void {
  while (tree.root) {
    // Walk to one leaf, empty it, unhook it; repeat: no recursion.
    let node = tree.root;
    let parentSlot: usize = 0;
    for (let level = tree.height - 1; level > 0; level--) {
      const child = childFirst(node);
      if (!child) break;
      parentSlot = child;
      node = load<u32>(child);
      if (level > 1) continue;
      for (let i: usize = 0; i < 64; i++) {
        const value = load<u32>(node + (i << 2));
        if (value) each(value);
      }
    }
    if (tree.height == 1) {
      for (let i: usize = 0; i < 64; i++) {
        const value = load<u32>(node + (i << 2));
        if (value) each(value);
      }
    }
    slabFree(NODE_CACHE, node);
    if (parentSlot) store<u32>(parentSlot, 0);
    else tree.root = 0;
  }
  tree.height = 0;
}

/** Address of the first used slot of `node`, 0 when all are empty. */
function childFirst(node: u32): usize {
  for (let i: usize = 0; i < 64; i++) {
    const slot = <usize>node + (i << 2);
    if (load<u32>(slot)) return slot;
  }
  return 0;
}
