/**
 * Inodes: allocation, references, default operations.
 *
 * Invariants  I1  an inode with refs == 0 is reachable from nowhere and is being freed.
 * Locking     refs: atomic. Inode.lock as said in types.ts.
 */
import { Errno } from "../../abi/errno";
import { Mutex, mutexAt, mutexInit, mutexLock, mutexUnlock } from "../../core/sync/mutex";
import { SlabCache, slabAlloc, slabFree, slabInit } from "../../core/mm/slab";
import { SpinLock, spinInit } from "../../lib/spinlock";
import { Rank } from "../../lib/lock-rank";
import { realNowNs } from "../../core/time/clock";
import { Dentry, FileOps, Inode, InodeOps, Path, SuperBlock, inodeOpsOf } from "./types";
import { FILE_OPS_NONE } from "./file-ops";

const INODE_SLAB = changetype<SlabCache>(memory.data(offsetof<SlabCache>(), 64));
/** The answers of inodeOpsDefaults, as a table of their own. */
export const INODE_OPS_NONE = changetype<InodeOps>(memory.data(offsetof<InodeOps>()));

export function inodeInit(): void {
  slabInit(INODE_SLAB, "inode", offsetof<Inode>());
  inodeOpsDefaults(INODE_OPS_NONE);
}

function inodeMutex(inode: Inode): Mutex {
  return mutexAt(changetype<usize>(inode) + offsetof<Inode>("lock"));
}

/** The lock of the inode's page tree and small counters (Rank.MAPPING). */
export function inodePagesLock(inode: Inode): SpinLock {
  // SAFETY: pagesLock0..3 are a SpinLock by value
  return changetype<SpinLock>(changetype<usize>(inode) + offsetof<Inode>("pagesLock0"));
}

/** A new inode of `sb` with one reference, the next number, current times and default ops; null when memory is full. */
export function inodeAlloc(sb: SuperBlock): Inode | null {
  const ptr = slabAlloc(INODE_SLAB);
  if (!ptr) return null;
  memory.fill(ptr, 0, offsetof<Inode>());
  const inode = changetype<Inode>(ptr); // SAFETY: a fresh object of INODE_SLAB
  inode.ops = changetype<usize>(INODE_OPS_NONE);
  inode.fileOps = changetype<usize>(FILE_OPS_NONE);
  inode.sb = changetype<usize>(sb);
  inode.refs = 1;
  inode.nlink = 1;
  inode.ino = <u64>atomic.add<u32>(changetype<usize>(sb), 1, offsetof<SuperBlock>("nextIno"));
  const now = realNowNs();
  inode.atimeNs = now;
  inode.mtimeNs = now;
  inode.ctimeNs = now;
  inode.btimeNs = now;
  mutexInit(inodeMutex(inode));
  spinInit(inodePagesLock(inode), Rank.MAPPING);
  atomic.add<u32>(changetype<usize>(sb), 1, offsetof<SuperBlock>("inodeCount"));
  return inode;
}

export function inodeGet(inode: Inode): Inode {
  atomic.add<u32>(changetype<usize>(inode), 1, offsetof<Inode>("refs"));
  return inode;
}

/** One reference more, unless the last one is gone and it is being freed (I1): false. */
export function inodeTryGet(inode: Inode): bool {
  const refsAt = changetype<usize>(inode) + offsetof<Inode>("refs");
  let refs = atomic.load<u32>(refsAt);
  while (refs != 0) {
    const found = atomic.cmpxchg<u32>(refsAt, refs, refs + 1);
    if (found == refs) return true;
    refs = found;
  }
  return false;
}

/** Drops one reference; the last one calls ops.evict and frees (I1). */
export function inodePut(inode: Inode): void {
  if (atomic.sub<u32>(changetype<usize>(inode), 1, offsetof<Inode>("refs")) != 1) return;
  inodeOpsOf(inode).evict(inode);
  atomic.sub<u32>(inode.sb, 1, offsetof<SuperBlock>("inodeCount"));
  slabFree(INODE_SLAB, changetype<usize>(inode));
}

export function inodeLock(inode: Inode): void {
  mutexLock(inodeMutex(inode));
}

export function inodeUnlock(inode: Inode): void {
  mutexUnlock(inodeMutex(inode));
}

/** Locks two inodes in address order; they may be the same one. */
export function inodeLockTwo(a: Inode, b: Inode): void {
  const pa = changetype<usize>(a);
  const pb = changetype<usize>(b);
  if (pa == pb) return inodeLock(a);
  inodeLock(pa < pb ? a : b);
  inodeLock(pa < pb ? b : a);
}

export function inodeUnlockTwo(a: Inode, b: Inode): void {
  inodeUnlock(a);
  if (changetype<usize>(a) != changetype<usize>(b)) inodeUnlock(b);
}

/** Changes the number of names: two directories may do it at once. */
export function inodeLinksAdd(inode: Inode, delta: i32): void {
  atomic.add<u32>(changetype<usize>(inode), delta, offsetof<Inode>("nlink"));
}

/** Marks a change of contents now. */
export function inodeTouchModified(inode: Inode): void {
  const now = realNowNs();
  inode.mtimeNs = now;
  inode.ctimeNs = now;
}

/** Marks a change of attributes now. */
export function inodeTouchChanged(inode: Inode): void {
  inode.ctimeNs = realNowNs();
}

const NONE_PERM: i32 = -(<i32>Errno.PERM);

function noneLookup(dir: Inode, name: usize, length: u32, fresh: Dentry): usize { return <usize>-(<i32>Errno.NOTDIR); }
function noneCreate(dir: Inode, name: usize, length: u32, mode: u32, rdev: u64): usize {
  return <usize>(length ? NONE_PERM : -(<i32>Errno.OPNOTSUPP));
}
function noneSymlink(dir: Inode, name: usize, length: u32, target: usize, n: u32): usize { return <usize>NONE_PERM; }
function noneLink(dir: Inode, name: usize, length: u32, inode: Inode): i32 { return NONE_PERM; }
function noneRename(
  oldDir: Inode, oldName: usize, oldLength: u32, inode: Inode,
  newDir: Inode, newName: usize, newLength: u32, target: usize, flags: u32,
): i32 { return NONE_PERM; }
function noneReadlink(inode: Inode, ptr: usize, max: u32): i32 { return -(<i32>Errno.INVAL); }
function noneFollow(inode: Inode, path: Path): i32 { return 0; }
function noneTruncate(inode: Inode, size: u64): i32 { return -(<i32>Errno.INVAL); }
function noneAllocate(inode: Inode, mode: u32, offset: u64, length: u64): i32 { return -(<i32>Errno.OPNOTSUPP); }
function noneGetattr(inode: Inode): i32 { return 0; }
function noneSetattr(inode: Inode, valid: u32): i32 { return 0; }
function noneEvict(inode: Inode): void {}
function noneRevalidate(dir: Inode, name: usize, length: u32, inode: usize): bool { return true; }

/** Fills every slot with the answer of a file system that cannot do it; call first, then set what you have. */
export function inodeOpsDefaults(ops: InodeOps): void {
  ops.lookup = noneLookup;
  ops.create = noneCreate;
  ops.symlink = noneSymlink;
  ops.link = noneLink;
  ops.unlink = noneLink;
  ops.rmdir = noneLink;
  ops.rename = noneRename;
  ops.readlink = noneReadlink;
  ops.followLink = noneFollow;
  ops.truncate = noneTruncate;
  ops.allocate = noneAllocate;
  ops.getattr = noneGetattr;
  ops.setattr = noneSetattr;
  ops.evict = noneEvict;
  ops.revalidate = noneRevalidate;
}

/** True when names of this directory must be asked about again on every walk (procfs). */
export function inodeRevalidates(dir: Inode): bool {
  return load<u32>(dir.ops, offsetof<InodeOps>("revalidate")) != load<u32>(changetype<usize>(INODE_OPS_NONE), offsetof<InodeOps>("revalidate"));
}

/** SAFETY: `p` is a FileOps table. */
export function fileOpsAt(p: usize): FileOps { return changetype<FileOps>(p); }
