/**
 * The tree of /sys: directories and links, added as things are found; and the files of each kind of directory, in one table.
 *
 *   directory  name, kind, object        object: which function, disk, processor, … the kind is about
 *   link       name, target directory
 *   attribute  kinds, name, show(seq, object)   a file in every directory of those kinds; 0 or -errno
 *
 * Invariants  Y1  nodes are never removed: what was found stays; children are in the order of their ids.
 *             Y2  a node is whole before its parent names it, so that readers need no lock.
 * Locking     NODES_LOCK (Rank.SYSFS) for adding.
 */
import { kzalloc } from "../../../core/mm/slab";
import { scratchPop, scratchPush } from "../../../core/sched/scratch";
import { bytePut, bytesCopy, bytesEqual } from "../../../lib/bytes";
import { Rank } from "../../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../../lib/spinlock";
import { FileMode } from "../types";
import { SeqBuf, seqInit } from "../proc/seq-buf";

/** What a directory is about; bits, so that kinds share attributes. */
export const enum SysKind {
  PLAIN = 0, PCI = 1, BRIDGE = 2, DISK = 4, QUEUE = 8, CPUS = 16, CPU = 32, TOPOLOGY = 64, IOMMU = 128, PARTITION = 256,
}

@final @unmanaged
export class SysNode {
  parent: u32;     // SysNode, 0 for the root
  first: u32;      // SysNode: children
  last: u32;
  next: u32;       // SysNode: the parent's next child
  id: u32;         // from 1
  kind: u32;       // SysKind
  object: u32;
  target: u32;     // a link: SysNode it leads to; 0: a directory
  nameLength: u32;
  name0: u32;      // NAME_BYTES in all
  name1: u64;
  name2: u64;
  name3: u64;
}

@final @unmanaged
export class SysAttribute {
  kinds: u32;      // SysKind bits
  name: usize;     // a string literal
  mode: u32;
  show: (seq: SeqBuf, object: u32) => i32;
}

const NAME_BYTES: u32 = 28;
const ATTRIBUTES_MAX: u32 = 96;
const ATTRIBUTES: usize = memory.data(96 * 16, 4);
const NODES_LOCK = changetype<SpinLock>(memory.data(offsetof<SpinLock>()));
const ROOT = changetype<SysNode>(memory.data(offsetof<SysNode>(), 8));

@final @unmanaged
class Counts {
  nodes: u32;
  attributes: u32;
}
const COUNTS = changetype<Counts>(memory.data(offsetof<Counts>()));

export function sysNodeAt(address: usize): SysNode { return changetype<SysNode>(address); } // SAFETY: the caller names one
export function sysRoot(): SysNode { return ROOT; }
export function sysNameOf(node: SysNode): usize { return changetype<usize>(node) + offsetof<SysNode>("name0"); }

export function sysNodesReset(): void {
  if (offsetof<SysAttribute>() != 16) ERROR("ATTRIBUTES has 16 bytes an entry");
  spinInit(NODES_LOCK, Rank.SYSFS);
  ROOT.id = 1;
  ROOT.first = 0;
  ROOT.last = 0;
  COUNTS.nodes = 1;
  COUNTS.attributes = 0;
}

// ---- Attributes ----

export function sysAttributeCount(): u32 { return COUNTS.attributes; }
export function sysAttributeAt(index: u32): SysAttribute {
  return changetype<SysAttribute>(ATTRIBUTES + (<usize>index << 4)); // SAFETY: index < ATTRIBUTES_MAX
}

/** A file in every directory of `kinds`; at boot. */
export function sysAttributeAdd(kinds: u32, name: string, show: (seq: SeqBuf, object: u32) => i32): void {
  sysAttributeMode(kinds, name, 0o444, show);
}

export function sysAttributeMode(kinds: u32, name: string, mode: u32, show: (seq: SeqBuf, object: u32) => i32): void {
  assert(COUNTS.attributes < ATTRIBUTES_MAX);
  const attribute = sysAttributeAt(COUNTS.attributes++);
  attribute.kinds = kinds;
  attribute.name = changetype<usize>(name);
  attribute.mode = FileMode.IFREG | mode;
  attribute.show = show;
}

// ---- Nodes ----

/** A directory with a literal for its name; null when memory is full. */
export function sysDirAdd(parent: SysNode, name: string): SysNode | null {
  const node = nodeNew(SysKind.PLAIN, 0);
  if (!node) return null;
  node.nameLength = min<u32>(name.length, NAME_BYTES);
  for (let i: u32 = 0; i < node.nameLength; i++) bytePut(sysNameOf(node), i, name.charCodeAt(i));
  nodeLink(parent, node);
  return node;
}

/** A directory of `kind` about `object`, named by what `spell` writes of it; null when memory is full. */
export function sysDirMake(parent: SysNode, kind: u32, object: u32, spell: (seq: SeqBuf, object: u32) => i32): SysNode | null {
  const node = nodeNew(kind, object);
  if (!node) return null;
  nameSpell(node, object, spell);
  nodeLink(parent, node);
  return node;
}

function nameSpell(node: SysNode, object: u32, spell: (seq: SeqBuf, object: u32) => i32): void {
  const seq = changetype<SeqBuf>(scratchPush(offsetof<SeqBuf>())); // SAFETY: scratch of that size
  seqInit(seq, sysNameOf(node), NAME_BYTES);
  spell(seq, object);
  node.nameLength = seq.length;
  scratchPop(offsetof<SeqBuf>());
}

/** A link named by what `spell` writes of `object`. */
export function sysLinkMake(parent: SysNode, target: SysNode, object: u32, spell: (seq: SeqBuf, object: u32) => i32): void {
  const node = nodeNew(SysKind.PLAIN, object);
  if (!node) return;
  node.target = <u32>changetype<usize>(target);
  nameSpell(node, object, spell);
  nodeLink(parent, node);
}

/** A link in `parent`: by the name given, or the target's own for "". */
export function sysLinkAdd(parent: SysNode, name: string, target: SysNode): void {
  const node = nodeNew(SysKind.PLAIN, 0);
  if (!node) return;
  node.target = <u32>changetype<usize>(target);
  node.nameLength = name.length != 0 ? min<u32>(name.length, NAME_BYTES) : target.nameLength;
  if (name.length == 0) bytesCopy(sysNameOf(node), sysNameOf(target), target.nameLength);
  else for (let i: u32 = 0; i < node.nameLength; i++) bytePut(sysNameOf(node), i, name.charCodeAt(i));
  nodeLink(parent, node);
}

function nodeNew(kind: u32, object: u32): SysNode | null {
  const address = kzalloc(offsetof<SysNode>());
  if (address == 0) return null;
  const node = sysNodeAt(address);
  node.kind = kind;
  node.object = object;
  return node;
}

/** Y2: the words that make it visible are stored last. */
function nodeLink(parent: SysNode, node: SysNode): void {
  const address = <u32>changetype<usize>(node);
  node.parent = <u32>changetype<usize>(parent);
  spinLock(NODES_LOCK);
  node.id = ++COUNTS.nodes;
  const before = parent.last;
  parent.last = address;
  const slot = before != 0 ? <usize>before + offsetof<SysNode>("next") : changetype<usize>(parent) + offsetof<SysNode>("first");
  atomic.store<u32>(slot, address);
  spinUnlock(NODES_LOCK);
}

/** The child with this name, or null. */
export function sysChildFind(dir: SysNode, name: usize, length: u32): SysNode | null {
  for (let at = dir.first; at != 0; at = sysNodeAt(at).next) {
    const node = sysNodeAt(at);
    if (node.nameLength == length && bytesEqual(sysNameOf(node), name, length)) return node;
  }
  return null;
}

/** The first child with an id of at least `id`, or null (Y1). */
export function sysChildFrom(dir: SysNode, id: u32): SysNode | null {
  for (let at = dir.first; at != 0; at = sysNodeAt(at).next) if (sysNodeAt(at).id >= id) return sysNodeAt(at);
  return null;
}
