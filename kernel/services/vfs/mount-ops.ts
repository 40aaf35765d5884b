/**
 * Mounting, unmounting, moving and pivoting.
 *
 * Locking  mountMutex around every change; busy checks read Mount.refs under it. Nothing is released under it: a server might be called.
 */
import { Errno } from "../../abi/errno";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { ListNode, listInit, listNodeAt } from "../../lib/list";
import { Dentry, Mount, Path, SuperBlock, dentryOf, inodeOf, isErrPtr, mountOf, superOf } from "./types";
import { DentryFlag } from "./dcache";
import {
  MOUNT_KEPT, MountFlag, mountAttach, mountDetach, mountDetachTo, mountFirstChild, mountGet, mountHasChildren, mountNew, mountPut,
  mountRootSet, mountsPut, mountTreeLock, mountTreeUnlock, pathPut,
} from "./mount";
import { fsTypeMount, superGet, superOpsOf, superPut, superWritersAllow, superWritersForbid } from "./super-block";
import { inodeIsDirectory } from "./walk";
import { FsContext } from "./fs-context";

/** MS_* bits that choose an operation instead of being kept. */
const PROPAGATION: u32 = 0x20000 | 0x40000 | 0x80000 | 0x100000;
const DETACH: u32 = 2;
/** Flags that all mounts of a file system share, beside read-only. */
const SUPER_KEPT: u32 = <u32>MountFlag.SYNCHRONOUS | <u32>MountFlag.DIRSYNC;

/** Mounts a new file system of NUL-terminated type at `place`. 0 or -errno. */
export function mountAdd(place: Path, typeName: usize, source: usize, flags: u32, options: usize): i32 {
  const made = fsTypeMount(typeName, source, flags, options);
  if (isErrPtr(made)) return <i32>made;
  const sb = superOf(made);
  sb.flags |= flags & SUPER_KEPT;
  const r = mountPlace(place, sb, dentryOf(sb.root), flags, source);
  if (r < 0) superPut(sb);
  return r;
}

/** Puts `root` of `sb` (whose reference it consumes on success) on `place`. */
function mountPlace(place: Path, sb: SuperBlock, root: Dentry, flags: u32, source: usize): i32 {
  const point = dentryOf(place.dentry);
  const isDirectory = inodeIsDirectory(inodeOf(point.inode));
  if (isDirectory != inodeIsDirectory(inodeOf(root.inode))) return -(<i32>Errno.NOTDIR);
  if (point.flags & DentryFlag.UNLINKED) return -(<i32>Errno.NOENT);
  const m = mountNew(sb, root, flags, source);
  if (!m) return -(<i32>Errno.NOMEM);
  mountTreeLock();
  mountAttach(m, place.mount, place.dentry);
  mountTreeUnlock();
  return 0;
}

/** MS_BIND: the tree at `from` shows at `place` too. */
export function mountBind(from: Path, place: Path, flags: u32): i32 {
  const original = mountOf(from.mount);
  const sb = superGet(superOf(original.sb));
  const r = mountPlace(place, sb, dentryOf(from.dentry), original.flags, original.sourcePtr);
  if (r < 0) superPut(sb);
  return r;
}

/** MS_REMOUNT: new flags, and new options for the file system unless it is a bind remount. */
export function mountRemount(place: Path, flags: u32, options: usize): i32 {
  const m = mountOf(place.mount);
  if (m.root != place.dentry) return -(<i32>Errno.INVAL);
  const sb = superOf(m.sb);
  const isWhole = !(flags & MountFlag.BIND);
  const forbids = isWhole && (flags & MountFlag.RDONLY) != 0;
  if (forbids && !superWritersForbid(sb)) return -(<i32>Errno.BUSY);
  const r = isWhole ? superOpsOf(sb).remount(sb, flags, options) : 0;
  if (r == 0) m.flags = flags & MOUNT_KEPT;
  if (r == 0 && isWhole) sb.flags = sb.flags & ~SUPER_KEPT | flags & SUPER_KEPT;
  if (forbids) superWritersAllow(sb); // after the flags: whoever opens now sees them
  return r;
}

/** MS_MOVE: the mount at `from` moves onto `place`. */
export function mountMove(from: Path, place: Path): i32 {
  const m = mountOf(from.mount);
  if (m.root != from.dentry || !m.parent) return -(<i32>Errno.INVAL);
  if (isInside(place.mount, changetype<usize>(m))) return -(<i32>Errno.LOOP);
  mountTreeLock();
  mountDetach(m);
  mountAttach(m, place.mount, place.dentry);
  mountTreeUnlock();
  return 0;
}

/** True when mount `inner` is `outer` or mounted somewhere in it. */
function isInside(inner: usize, outer: usize): bool {
  for (let at = inner; at; at = mountOf(at).parent) if (at == outer) return true;
  return false;
}

/** umount2: `place` must be a mount's root. Consumes the path. */
export function mountRemove(place: Path, flags: u32): i32 {
  const m = mountOf(place.mount);
  const isMount = m.root == place.dentry && m.parent != 0;
  mountGet(m);
  pathPut(place);
  const r = isMount ? detachUnlessBusy(m, flags) : -(<i32>Errno.INVAL);
  mountPut(m);
  return r;
}

function detachUnlessBusy(m: Mount, flags: u32): i32 {
  const gone = listNodeAt(scratchPush(offsetof<ListNode>()));
  listInit(gone);
  mountTreeLock();
  // References of an idle mount: the tree's and ours.
  const isBusy = m.refs > 2 || mountHasChildren(m);
  const r = !m.parent ? -(<i32>Errno.INVAL) : isBusy && !(flags & DETACH) ? -(<i32>Errno.BUSY) : 0;
  if (r == 0) detachTree(m, gone);
  mountTreeUnlock();
  mountsPut(gone); // a file system's server may take its time over that
  scratchPop(offsetof<ListNode>());
  return r;
}

/** Takes `m` and everything mounted in it out of the tree, innermost first, to the list `gone`. */
function detachTree(m: Mount, gone: ListNode): void {
  while (mountHasChildren(m)) {
    let inner = mountFirstChild(m);
    while (mountHasChildren(mountOf(inner))) inner = mountFirstChild(mountOf(inner));
    mountDetachTo(mountOf(inner), gone);
  }
  mountDetachTo(m, gone);
}

/**
 * pivot_root: `newRoot`, a mount, becomes the root; the old root goes to `putOld` below it. The caller's root and
 * working directory move along when they are the old root.
 */
export function mountPivot(newRoot: Path, putOld: Path, fs: FsContext): i32 {
  const top = mountOf(newRoot.mount);
  const old = mountOf(fs.rootMount);
  if (changetype<usize>(top) == changetype<usize>(old)) return -(<i32>Errno.BUSY);
  if (top.root != newRoot.dentry || !top.parent || old.root != fs.rootDentry) return -(<i32>Errno.INVAL);
  if (old.parent) return -(<i32>Errno.INVAL);
  if (!isInside(putOld.mount, changetype<usize>(top))) return -(<i32>Errno.INVAL);
  mountTreeLock();
  mountDetach(top);
  mountDetach(old); // its reference goes with it to the new place
  mountRootSet(top);
  mountAttach(top, 0, 0);
  mountAttach(old, putOld.mount, putOld.dentry);
  mountTreeUnlock();
  return 0;
}

/** True when propagation flags are all that is asked: there is one mount tree, so nothing propagates anyway. */
export function isPropagationOnly(flags: u32): bool {
  return (flags & PROPAGATION) != 0;
}
