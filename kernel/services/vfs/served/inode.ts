/**
 * What the kernel remembers of a file or directory of a served file system, beside its inode.
 *
 *   alive list   every ServedInode with an inode: where clean pages are taken from when memory runs short
 *   dirty list   those whose pages, size or times the server or the device does not have yet; each holds its inode
 *   doomed list  those whose blocks the server has yet to free: of files without a name whose last user is gone, and ends cut off files
 *
 * Invariants  S1  an inode on the dirty list has a reference for it.
 *             S2  extents cover file blocks [0, mapped) without gaps, in order; mapped <= blocks.
 *             S3  the device holds defined bytes for [0, validEnd), where no dirty page stands over them; all of it in blocks it has.
 *             S4  reserved blocks of all inodes sum up to ServedSuper.reserved.
 *             S5  a regular file has one inode, by its node, as long as anybody holds it: the name cache may have lost its name while it
 *                 waits to be written back. NODES has all that have an inode.
 *             S6  an inode with a page that is not CLEAN (page-state.ts) is on the dirty list, or being written back.
 * Locking     ioMutex: node, blocks, mapped, extents, validEnd, diskSize, cuts and transfers to the device. writeMutex: held by who writes it
 *             back. LISTS_LOCK (Rank.SERVER_FS): the lists, reserved.
 *             Order: Inode.lock, ServedSuper.syncMutex, writeMutex, AddressSpace.lock, ioMutex, Connection.mutex, buffer cache.
 * Units       blocks: of ServedSuper.blockBytes.
 */
import { monoNowNs } from "../../../../arch/current";
import { FsAttributes, FsNode } from "../../../abi/file-system.gen";
import { kfree, kzalloc } from "../../../core/mm/slab";
import { Mutex, mutexAt, mutexInit, mutexLock, mutexUnlock } from "../../../core/sync/mutex";
import { wordAt32, wordAt64 } from "../../../lib/bytes";
import { ListNode, listAppend, listEmpty, listInit, listNodeAt, listRemove, listSame, ownerOf } from "../../../lib/list";
import { Rank } from "../../../lib/lock-rank";
import { logWarn } from "../../../lib/log";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../../lib/spinlock";
import { wordAt, wordSet } from "../../../lib/words";
import { Disk } from "../../block/disk";
import { inodeAlloc, inodeGet, inodeTryGet } from "../inode";
import { pageCacheTrim } from "../page-cache";
import { MountFlag } from "../mount";
import { FileMode, Inode, SuperBlock, inodeOf } from "../types";
import { ServedMount, servedMountAt } from "./connection";

@final @unmanaged
export class ServedSuper {
  connection: u32;   // as ServedMount
  mount: u32;
  isReadOnly: u32;
  isBroken: u32;
  options: u32;
  pad: u32;
  sb: u32;           // SuperBlock
  disk: u32;         // Disk
  device: u32;       // BlockDevice of it
  state: u32;        // MountState, as pins, uses and synced: mount-table.ts
  pins: u32;
  uses: u32;
  synced: u64;
  deviceBase: u64;   // byte of the disk where the device begins
  deviceBytes: u64;  // byte of the disk where it ends
  deviceStart: u64;  // byte of the disk where block 0 begins
  maxBytes: u64;
  blocksTotal: u64;
  blocksFree: u64;   // as the server said last
  reserved: u64;     // S4
  doomedBlocks: u64; // of the doomed list
  mtimeStepNs: u64;  // what times are rounded down to
  atimeStepNs: u64;
  syncMutex: u64;    // a Mutex held by value: one at a time takes files off the dirty list (dataSync)
  syncMutex1: u64;
  syncMutex2: u64;
  syncMutex3: u64;
  dirty: u64;        // a ListNode held by value: ServedInode.dirtyNode, oldest first
  doomed: u64;       // a ListNode held by value: ServedInode.dirtyNode
  blockBytes: u32;
  flags: u32;        // FsMountFlag
  nameMax: u32;
  pad2: u32;
}

@final @unmanaged
export class ServedInode {
  aliveNode: u64;    // a ListNode held by value
  dirtyNode: u64;    // a ListNode held by value: the dirty or the doomed list of its mount
  n0: u64;           // the server's node
  n1: u64;
  ioMutex: u64;      // a Mutex held by value
  ioMutex1: u64;
  ioMutex2: u64;
  ioMutex3: u64;
  writeMutex: u64;   // a Mutex held by value: who writes it back
  writeMutex1: u64;
  writeMutex2: u64;
  writeMutex3: u64;
  dirtyAtNs: u64;    // when it came to the dirty list
  diskSize: u64;     // the size the server knows
  validEnd: u64;     // S3, bytes
  fs: u32;           // ServedSuper
  inode: u32;        // Inode; 0 once doomed
  blocks: u32;       // it has
  reserved: u32;     // it will need besides
  extents: u32;      // linear: triples file block, device block, blocks (S2)
  extentCount: u32;
  extentRoom: u32;
  mapped: u32;
  isDirty: u32;      // on the dirty list
  hasNewTimes: u32;
  isMappedShared: u32; // programs may write through a mapping
  errors: u32;       // of write-back (lib/errseq.ts)
  readNext: u32;     // page after the last one read: sequential reading
  readRun: u32;      // pages the last read-ahead took
  promised: u32;     // blocks it was promised in all, whatever its size (fallocate)
  dirtyNumber: u32;  // grows along the dirty list
  cuts: u32;         // how often it was made shorter: what was found of its pages before may be another file's now
  pad: u32;
  named: u32;        // ServedInode: the next in its bucket of NODES (S5)
  isNamed: u32;      // it is in one
}

const LISTS_LOCK = changetype<SpinLock>(memory.data(offsetof<SpinLock>()));
const ALIVE = changetype<ListNode>(memory.data(offsetof<ListNode>()));
/** Heads of lists by node. */
const BUCKETS: u32 = 4096;
const NODES: usize = memory.data(4096 * 4, 4);
/** [0] dirtyNumber given last. */
const NUMBERS: usize = memory.data(8, 4);

export function servedInodesInit(): void {
  spinInit(LISTS_LOCK, Rank.SERVER_FS);
  listInit(ALIVE);
}

export function servedInodeAt(address: usize): ServedInode { return changetype<ServedInode>(address); } // SAFETY: the caller names one
/** Of an inode of a served file system. */
export function servedOf(inode: Inode): ServedInode { return servedInodeAt(inode.data); }
export function servedSuperAt(address: usize): ServedSuper { return changetype<ServedSuper>(address); } // SAFETY: the caller names one
export function fsOf(si: ServedInode): ServedSuper { return servedSuperAt(si.fs); }
export function mountOfFs(fs: ServedSuper): ServedMount { return servedMountAt(changetype<usize>(fs)); } // its head
/** It was mounted so, or remounted. */
export function isReadOnlyNow(fs: ServedSuper): bool {
  const sb = changetype<SuperBlock>(<usize>fs.sb); // SAFETY: set at mount
  return mountOfFs(fs).isReadOnly != 0 || (sb.flags & MountFlag.RDONLY) != 0;
}
export function diskOfFs(fs: ServedSuper): Disk { return changetype<Disk>(<usize>fs.disk); } // SAFETY: set at mount
/** The word where errors of a file's write-back are kept (lib/errseq.ts). */
export function errorsOf(si: ServedInode): usize { return changetype<usize>(si) + offsetof<ServedInode>("errors"); }
function ioMutexOf(si: ServedInode): Mutex { return mutexAt(changetype<usize>(si) + offsetof<ServedInode>("ioMutex")); }
function aliveNode(si: ServedInode): ListNode { return listNodeAt(changetype<usize>(si)); }
function dirtyNode(si: ServedInode): ListNode { return listNodeAt(changetype<usize>(si) + offsetof<ServedInode>("dirtyNode")); }
function dirtyList(fs: ServedSuper): ListNode { return listNodeAt(changetype<usize>(fs) + offsetof<ServedSuper>("dirty")); }
function doomedList(fs: ServedSuper): ListNode { return listNodeAt(changetype<usize>(fs) + offsetof<ServedSuper>("doomed")); }
function ofDirtyNode(node: ListNode): ServedInode { return ownerOf<ServedInode>(node, offsetof<ServedInode>("dirtyNode")); }

function writeMutexOf(si: ServedInode): Mutex { return mutexAt(changetype<usize>(si) + offsetof<ServedInode>("writeMutex")); }
function syncMutexOf(fs: ServedSuper): Mutex { return mutexAt(changetype<usize>(fs) + offsetof<ServedSuper>("syncMutex")); }

export function syncLock(fs: ServedSuper): void { mutexLock(syncMutexOf(fs)); }
export function syncUnlock(fs: ServedSuper): void { mutexUnlock(syncMutexOf(fs)); }
export function writeLock(si: ServedInode): void { mutexLock(writeMutexOf(si)); }
export function writeUnlock(si: ServedInode): void { mutexUnlock(writeMutexOf(si)); }
export function ioLock(si: ServedInode): void { mutexLock(ioMutexOf(si)); }
export function ioUnlock(si: ServedInode): void { mutexUnlock(ioMutexOf(si)); }

export function superListsInit(fs: ServedSuper): void {
  listInit(dirtyList(fs));
  listInit(doomedList(fs));
  mutexInit(syncMutexOf(fs));
}

// ---- Life ----

/** An inode for the node and attributes in the reply of a call, with one reference; null: memory is full or the attributes make no sense. */
export function servedInodeNew(fs: ServedSuper, node: usize, attributes: usize): Inode | null {
  const mode = wordAt32(attributes + FsAttributes.MODE);
  const kind = mode & <u32>FileMode.IFMT;
  if (kind != FileMode.IFREG && kind != FileMode.IFDIR) return null;
  const address = kzalloc(offsetof<ServedInode>());
  const inode = address != 0 ? inodeAlloc(changetype<SuperBlock>(<usize>fs.sb)) : null; // SAFETY: set at mount
  if (!inode) {
    if (address != 0) kfree(address);
    return null;
  }
  const si = servedInodeAt(address);
  mutexInit(ioMutexOf(si));
  mutexInit(writeMutexOf(si));
  listInit(dirtyNode(si));
  si.fs = <u32>changetype<usize>(fs);
  si.inode = <u32>changetype<usize>(inode);
  inode.data = <u32>address;
  inode.ino = wordAt64(attributes + FsAttributes.INO);
  attributesTake(si, inode, attributes);
  si.validEnd = inode.size;
  si.diskSize = inode.size;
  spinLock(LISTS_LOCK);
  listAppend(ALIVE, aliveNode(si));
  spinUnlock(LISTS_LOCK);
  nodeTake(si, node);
  return inode;
}

/** The node a reply gives instead of the old one. */
export function nodeTake(si: ServedInode, node: usize): void {
  spinLock(LISTS_LOCK);
  nodeForgetLocked(si);
  si.n0 = wordAt64(node + FsNode.N0);
  si.n1 = wordAt64(node + FsNode.N1);
  if (si.inode != 0) {
    const bucket = bucketOf(si.n0, si.n1);
    si.named = wordAt(NODES, bucket);
    si.isNamed = 1;
    wordSet(NODES, bucket, <u32>changetype<usize>(si));
  }
  spinUnlock(LISTS_LOCK);
}

function bucketOf(n0: u64, n1: u64): u32 { return <u32>((n0 * 0x9e3779b97f4a7c15 ^ n1 * 0xc2b2ae3d27d4eb4f) >> 40) % BUCKETS; }

function nodeForgetLocked(si: ServedInode): void {
  if (si.isNamed == 0) return;
  si.isNamed = 0;
  const bucket = bucketOf(si.n0, si.n1);
  if (wordAt(NODES, bucket) == <u32>changetype<usize>(si)) return wordSet(NODES, bucket, si.named);
  let before = servedInodeAt(wordAt(NODES, bucket));
  while (before.named != <u32>changetype<usize>(si)) before = servedInodeAt(before.named);
  before.named = si.named;
}

/** The inode of the regular file that is `node` in a reply, with one reference more; null when nobody has it (S5). */
export function servedInodeFind(fs: ServedSuper, node: usize): Inode | null {
  const n0 = wordAt64(node + FsNode.N0);
  const n1 = wordAt64(node + FsNode.N1);
  let found: Inode | null = null;
  spinLock(LISTS_LOCK);
  for (let at = wordAt(NODES, bucketOf(n0, n1)); at != 0 && !found; at = servedInodeAt(at).named) {
    const si = servedInodeAt(at);
    if (si.n0 != n0 || si.n1 != n1 || si.fs != <u32>changetype<usize>(fs)) continue;
    const inode = inodeOf(si.inode);
    if ((inode.mode & <u32>FileMode.IFMT) == FileMode.IFREG && inode.nlink != 0 && inodeTryGet(inode)) found = inode;
  }
  spinUnlock(LISTS_LOCK);
  return found;
}

/** What the server says of mode, owner, times, and of the size and blocks of a file nothing is held back of. */
export function attributesTake(si: ServedInode, inode: Inode, attributes: usize): void {
  metaTake(inode, attributes);
  const blocks = wordAt64(attributes + FsAttributes.BLOCKS);
  si.blocks = <u32>min<u64>(blocks, u32.MAX_VALUE);
  inode.size = min<u64>(wordAt64(attributes + FsAttributes.SIZE), min<u64>(fsOf(si).maxBytes, <u64>si.blocks * fsOf(si).blockBytes));
}

/** Mode, owner and times alone. */
export function metaTake(inode: Inode, attributes: usize): void {
  const kind = inode.mode != 0 ? inode.mode & <u32>FileMode.IFMT : wordAt32(attributes + FsAttributes.MODE) & <u32>FileMode.IFMT;
  inode.mode = kind | wordAt32(attributes + FsAttributes.MODE) & 0o7777;
  inode.nlink = max<u32>(kind == FileMode.IFDIR ? 2 : 1, wordAt32(attributes + FsAttributes.NLINK));
  inode.uid = wordAt32(attributes + FsAttributes.UID);
  inode.gid = wordAt32(attributes + FsAttributes.GID);
  inode.atimeNs = wordAt64(attributes + FsAttributes.ATIME_NS);
  inode.mtimeNs = wordAt64(attributes + FsAttributes.MTIME_NS);
  inode.ctimeNs = wordAt64(attributes + FsAttributes.CTIME_NS);
  inode.btimeNs = wordAt64(attributes + FsAttributes.BTIME_NS);
}

/** The inode is being freed: a nameless one's blocks are to be released, anything else is forgotten. Does not sleep. */
export function servedInodeGone(si: ServedInode, isNameless: bool): void {
  const fs = fsOf(si);
  reserveSet(si, 0);
  if (si.extents != 0) kfree(si.extents);
  si.extents = 0;
  spinLock(LISTS_LOCK);
  listRemove(aliveNode(si));
  nodeForgetLocked(si);
  si.inode = 0;
  if (isNameless) doomLocked(fs, si);
  spinUnlock(LISTS_LOCK);
  if (!isNameless) kfree(changetype<usize>(si));
}

function doomLocked(fs: ServedSuper, si: ServedInode): void {
  listAppend(doomedList(fs), dirtyNode(si));
  fs.doomedBlocks += si.blocks;
}

/** `blocks` blocks from `node` on were cut off a file, and are to be released. When memory is full they are lost until the volume is checked. */
export function tailDoom(fs: ServedSuper, node: usize, blocks: u32): void {
  const address = kzalloc(offsetof<ServedInode>());
  if (address == 0) return logWarn("fs", "no memory to remember blocks that are to be freed: they are lost");
  const si = servedInodeAt(address);
  listInit(dirtyNode(si));
  nodeTake(si, node);
  si.blocks = blocks;
  spinLock(LISTS_LOCK);
  doomLocked(fs, si);
  spinUnlock(LISTS_LOCK);
}

/** Takes one off the doomed list; its memory is the caller's. Null: it is empty. */
export function doomedTake(fs: ServedSuper): ServedInode | null {
  spinLock(LISTS_LOCK);
  const node = doomedList(fs).next;
  let found: ServedInode | null = null;
  if (!listSame(node, doomedList(fs))) found = ofDirtyNode(node);
  if (found) {
    listRemove(node);
    fs.doomedBlocks -= found.blocks;
  }
  spinUnlock(LISTS_LOCK);
  return found;
}

// ---- Dirtiness ----

/** The inode has something the server or the device must be told. */
export function dirtyMark(si: ServedInode): void {
  if (si.isDirty) return;
  spinLock(LISTS_LOCK);
  if (!si.isDirty && si.inode != 0) {
    si.isDirty = 1;
    si.dirtyAtNs = monoNowNs();
    si.dirtyNumber = wordAt(NUMBERS, 0) + 1;
    wordSet(NUMBERS, 0, si.dirtyNumber);
    inodeGet(inodeOf(si.inode)); // S1
    listAppend(dirtyList(fsOf(si)), dirtyNode(si));
  }
  spinUnlock(LISTS_LOCK);
}

/** Files that become dirty from now on have a greater dirtyNumber. */
export function dirtyNumber(): u32 { return wordAt(NUMBERS, 0); }

/**
 * Takes the oldest off the dirty list if it came before `beforeNs` and its number is `most` or less (one that is dirty again and again
 * keeps nobody for ever); its inode's reference is the caller's.
 */
export function dirtyTake(fs: ServedSuper, beforeNs: u64, most: u32): ServedInode | null {
  spinLock(LISTS_LOCK);
  const node = dirtyList(fs).next;
  let found: ServedInode | null = null;
  if (!listSame(node, dirtyList(fs))) found = ofDirtyNode(node);
  if (found && (found.dirtyAtNs > beforeNs || <i32>(found.dirtyNumber - most) > 0)) found = null;
  if (found) {
    listRemove(node);
    found.isDirty = 0;
  }
  spinUnlock(LISTS_LOCK);
  return found;
}

export function hasDirty(fs: ServedSuper): bool { return !listEmpty(dirtyList(fs)); }
export function hasDoomed(fs: ServedSuper): bool { return !listEmpty(doomedList(fs)); }

/** Gives up to `count` clean pages of served files back, of those used longest ago first; how many. Takes spinlocks only. */
export function servedPagesTrim(count: u32): u32 {
  let freed: u32 = 0;
  spinLock(LISTS_LOCK);
  for (let node = ALIVE.next; freed < count && !listSame(node, ALIVE); node = node.next) {
    const inode = inodeOf(ownerOf<ServedInode>(node, offsetof<ServedInode>("aliveNode")).inode);
    if (inode.pageCount != 0) freed += pageCacheTrim(inode, count - freed);
  }
  spinUnlock(LISTS_LOCK);
  return freed;
}

/** It was used: its pages are given back later than others'. */
export function servedUsed(si: ServedInode): void {
  spinLock(LISTS_LOCK);
  if (si.inode != 0) {
    listRemove(aliveNode(si));
    listAppend(ALIVE, aliveNode(si));
  }
  spinUnlock(LISTS_LOCK);
}

/** Sets how many blocks the file will need beyond those it has (S4). False: the file system has too few; nothing changed. */
export function reserveSet(si: ServedInode, blocks: u32): bool {
  const fs = fsOf(si);
  spinLock(LISTS_LOCK);
  const others = fs.reserved - si.reserved;
  const fits = blocks <= si.reserved || others + blocks <= fs.blocksFree;
  if (fits) {
    fs.reserved = others + blocks;
    si.reserved = blocks;
  }
  spinUnlock(LISTS_LOCK);
  return fits;
}

/** The most that reserveSet takes. */
export function reserveMost(si: ServedInode): u32 {
  const fs = fsOf(si);
  spinLock(LISTS_LOCK);
  const others = fs.reserved - si.reserved;
  const most = fs.blocksFree > others ? fs.blocksFree - others : 0;
  spinUnlock(LISTS_LOCK);
  return <u32>min<u64>(most, u32.MAX_VALUE - si.blocks);
}
