/**
 * Mounts: which super block covers which dentry.
 *
 * Invariants  M1  a mount in the tree holds a reference on its root, its mount point, its parent and its super block.
 *             M2  Dentry.mountCount is the number of mounts whose mountPoint it is.
 * Locking     the tree changes under mountMutex and dentryLock; walks read it under dentryLock, /proc under mountMutex.
 */
import { Errno } from "../../abi/errno";
import { Mutex, mutexAt, mutexInit, mutexLock, mutexUnlock } from "../../core/sync/mutex";
import { kfree, kmalloc, kzalloc } from "../../core/mm/slab";
import { ListNode, listAppend, listEmpty, listInit, listNodeAt, listRemove, listSame, ownerOf } from "../../lib/list";
import { Dentry, Mount, Path, SuperBlock, dentryOf, mountOf, superOf } from "./types";
import { dcacheLock, dcacheUnlock, dentryGet, dentryPut } from "./dcache";
import { superPut } from "./super-block";
import { bytesLength } from "./name";

export const enum MountFlag { // MS_*
  RDONLY = 1, NOSUID = 2, NODEV = 4, NOEXEC = 8, SYNCHRONOUS = 16, REMOUNT = 32, MANDLOCK = 64, DIRSYNC = 128,
  NOSYMFOLLOW = 256, NOATIME = 1024, NODIRATIME = 2048, BIND = 4096, MOVE = 8192, REC = 16384, SILENT = 32768,
  UNBINDABLE = 0x20000, PRIVATE = 0x40000, SLAVE = 0x80000, SHARED = 0x100000, RELATIME = 0x200000,
  STRICTATIME = 0x1000000, LAZYTIME = 0x2000000,
}
/** The flags a mount keeps. */
export const MOUNT_KEPT: u32 = 1 | 2 | 4 | 8 | 256 | 1024 | 2048 | 0x200000 | 0x1000000;

@final @unmanaged
class MountTree {
  mutex0: u64;  // mountMutex, a Mutex by value
  mutex1: u64;
  mutex2: u64;
  mutex3: u64;
  all: u64;     // a ListNode by value: mounts in order
  root: usize;  // the first mount
  nextId: u32;
}
const TREE = changetype<MountTree>(memory.data(offsetof<MountTree>(), 8));

function allHead(): ListNode { return listNodeAt(changetype<usize>(TREE) + offsetof<MountTree>("all")); }
function mountChildHead(m: Mount): ListNode { return listNodeAt(changetype<usize>(m) + offsetof<Mount>("childHead")); }
function mountSibling(m: Mount): ListNode { return listNodeAt(changetype<usize>(m) + offsetof<Mount>("siblingNode")); }
function mountListNode(m: Mount): ListNode { return listNodeAt(changetype<usize>(m) + offsetof<Mount>("listNode")); }
function mountMutex(): Mutex { return mutexAt(changetype<usize>(TREE)); }

export function mountInit(): void {
  memory.fill(changetype<usize>(TREE), 0, offsetof<MountTree>());
  mutexInit(mountMutex());
  listInit(allHead());
  TREE.nextId = 1;
}

export function mountTreeLock(): void { mutexLock(mountMutex()); }
export function mountTreeUnlock(): void { mutexUnlock(mountMutex()); }
/** The root mount, without a reference. */
export function mountRoot(): Mount { return mountOf(TREE.root); }
export function mountRootSet(m: Mount): void { TREE.root = changetype<usize>(m); }

export function mountGet(m: Mount): Mount {
  atomic.add<u32>(changetype<usize>(m), 1, offsetof<Mount>("refs"));
  return m;
}

/** Drops one reference; the last one frees a mount that is out of the tree. */
export function mountPut(m: Mount): void {
  if (atomic.sub<u32>(changetype<usize>(m), 1, offsetof<Mount>("refs")) != 1) return;
  dentryPut(dentryOf(m.root));
  superPut(superOf(m.sb));
  kfree(m.sourcePtr);
  kfree(changetype<usize>(m));
}

/** A mount of `root` in `sb` (takes over one reference on `sb`), outside the tree, with one reference; null when memory is full. */
export function mountNew(sb: SuperBlock, root: Dentry, flags: u32, source: usize): Mount | null {
  const ptr = kzalloc(offsetof<Mount>());
  const length = bytesLength(source);
  const name = kmalloc(length + 1);
  if (!ptr || !name) {
    kfree(ptr);
    kfree(name);
    return null;
  }
  memory.copy(name, source, length + 1);
  const m = mountOf(ptr);
  m.sb = changetype<usize>(sb);
  m.root = changetype<usize>(dentryGet(root));
  m.flags = flags & MOUNT_KEPT;
  m.refs = 1;
  m.sourcePtr = name;
  m.id = TREE.nextId++;
  listInit(mountListNode(m));
  listInit(mountChildHead(m));
  listInit(mountSibling(m));
  return m;
}

/** The mount covering `dentry` as seen in `parent`, or 0; no new reference. */
export function mountFindLocked(parent: usize, dentry: usize): usize {
  const head = mountChildHead(mountOf(parent));
  // Newest first: the latest mount on one place is the visible one.
  for (let node = head.prev; !listSame(node, head); node = node.prev) {
    const m = ownerOf<Mount>(node, offsetof<Mount>("siblingNode"));
    if (m.mountPoint == dentry) return changetype<usize>(m);
  }
  return 0;
}

/** Puts `m` (its reference passes to the tree) on top of `parent`/`point`; parent 0 makes it the root mount. */
export function mountAttach(m: Mount, parent: usize, point: usize): void {
  dcacheLock();
  listAppend(allHead(), mountListNode(m));
  if (parent) {
    m.parent = changetype<usize>(mountGet(mountOf(parent)));
    m.mountPoint = changetype<usize>(dentryGet(dentryOf(point)));
    dentryOf(point).mountCount++; // M2
    listAppend(mountChildHead(mountOf(parent)), mountSibling(m));
  }
  dcacheUnlock();
}

/** Takes `m` out of the tree; the tree's reference passes to the caller. Under mountMutex. */
export function mountDetach(m: Mount): void {
  const parent = m.parent;
  const point = m.mountPoint;
  dcacheLock();
  listRemove(mountListNode(m));
  listRemove(mountSibling(m));
  m.parent = 0;
  m.mountPoint = 0;
  if (point) dentryOf(point).mountCount--;
  dcacheUnlock();
  if (point) dentryPut(dentryOf(point));
  if (parent) mountPut(mountOf(parent));
}

/** mountDetach, and the tree's reference goes to the list `gone`: mountsPut drops it. Under mountMutex. */
export function mountDetachTo(m: Mount, gone: ListNode): void {
  mountDetach(m);
  listAppend(gone, mountListNode(m));
}

/** Drops a reference of each mount in a list of mountDetachTo. */
export function mountsPut(gone: ListNode): void {
  while (!listEmpty(gone)) {
    const m = ownerOf<Mount>(gone.next, offsetof<Mount>("listNode"));
    listRemove(gone.next);
    mountPut(m);
  }
}

/** True when something is mounted inside `m`. */
export function mountHasChildren(m: Mount): bool {
  return !listEmpty(mountChildHead(m));
}

/** The first mount inside `m`, 0 when there is none; no new reference. */
export function mountFirstChild(m: Mount): usize {
  return mountHasChildren(m) ? changetype<usize>(ownerOf<Mount>(mountChildHead(m).next, offsetof<Mount>("siblingNode"))) : 0;
}

/**
 * Mount number `i` in order, or null: for /proc. Under mountMutex, and without a reference: umount(2) that met one would be refused, or
 * would leave the unmounting to whoever reads.
 */
export function mountByIndex(i: u32): Mount | null {
  const head = allHead();
  for (let node = head.next; !listSame(node, head); node = node.next) {
    if (i-- == 0) return ownerOf<Mount>(node, offsetof<Mount>("listNode"));
  }
  return null;
}

/** 0, or -EROFS when nothing may be written through `path`. */
export function mountWritable(mount: usize): i32 {
  const m = mountOf(mount);
  return (m.flags | superOf(m.sb).flags) & <u32>MountFlag.RDONLY ? -(<i32>Errno.ROFS) : 0;
}

// ---- Paths: a mount and a dentry, a reference each ----

export function pathSet(path: Path, mount: usize, dentry: usize): void {
  path.mount = mount;
  path.dentry = dentry;
}

export function pathGet(path: Path): void {
  mountGet(mountOf(path.mount));
  dentryGet(dentryOf(path.dentry));
}

export function pathPut(path: Path): void {
  dentryPut(dentryOf(path.dentry));
  mountPut(mountOf(path.mount));
}
