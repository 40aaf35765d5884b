/**
 * Making and removing names: the rules that mkdir, mknod, link, symlink, unlink, rmdir share.
 *
 * Locking  the parent's Inode.lock around each change; rmdir and rename also lock a directory they remove, after its
 *          parent. Files need no lock for their link count: it is atomic.
 */
import { Errno } from "../../abi/errno";
import { Dentry, FileMode, Inode, InodeFlag, dentryOf, inodeOf, inodeOpsOf, isErrPtr } from "./types";
import { DentryFlag, dcacheLock, dcachePrune, dcacheUnlock, dentryInstantiate, dentryPut, dentryUnhashLocked, dentryUnlink } from "./dcache";
import { inodeGet, inodeLock, inodeUnlock } from "./inode";
import { mountWritable } from "./mount";
import { May, inodePermission, stickyCheck } from "./credentials";
import { dentryLookupLocked } from "./lookup";
import { LastKind, Walk, WalkFlag, inodeIsDirectory, walkEnd, walkPath } from "./walk";
import { mayCreate } from "./open";

/** What to make in the last place of a path. */
@final @unmanaged
export class NewName {
  mode: u32;       // S_IF* and permissions of a new inode; 0 for a hard link
  target: usize;   // symbolic link: its target
  targetLength: u32;
  inode: usize;    // hard link: the Inode
  mount: usize;    // hard link: the mount it was reached through
  rdevLow: u32;
  rdevHigh: u32;
  pad: u32;
}

/** Makes `what` at `path`. 0 or -errno. */
export function nameMake(w: Walk, dirFd: i32, path: usize, what: NewName): i32 {
  let r = walkPath(w, dirFd, path, WalkFlag.PARENT);
  if (r < 0) return r;
  if (w.lastKind != LastKind.NORMAL) r = -(<i32>Errno.EXIST);
  else if (what.inode && what.mount != w.mount) r = -(<i32>Errno.XDEV);
  else r = nameMakeIn(w, what);
  walkEnd(w);
  return r;
}

function nameMakeIn(w: Walk, what: NewName): i32 {
  const parent = dentryOf(w.dentry);
  const dir = inodeOf(parent.inode);
  inodeLock(dir);
  const child = dentryLookupLocked(parent, w.lastName, w.lastLength, w.lastHash);
  let r = <i32>child;
  if (!isErrPtr(child)) {
    r = nameMakeLocked(w, dir, dentryOf(child), what);
    dentryPut(dentryOf(child));
  }
  inodeUnlock(dir);
  return r;
}

function nameMakeLocked(w: Walk, dir: Inode, d: Dentry, what: NewName): i32 {
  if (d.inode) return -(<i32>Errno.EXIST);
  const isDirectory = (what.mode & <u32>FileMode.IFMT) == FileMode.IFDIR;
  if (w.hasSlash && !isDirectory) return -(<i32>Errno.NOENT);
  const denied = mayCreate(w.mount, dir);
  if (denied) return denied;
  if (what.inode) return linkLocked(dir, d, inodeOf(what.inode));
  const ops = inodeOpsOf(dir);
  const made = what.target
    ? ops.symlink(dir, d.namePtr, d.nameLength, what.target, what.targetLength)
    : ops.create(dir, d.namePtr, d.nameLength, what.mode, <u64>what.rdevLow | <u64>what.rdevHigh << 32);
  if (isErrPtr(made)) return <i32>made;
  dentryInstantiate(d, inodeOf(made));
  return 0;
}

function linkLocked(dir: Inode, d: Dentry, inode: Inode): i32 {
  if (dir.sb != inode.sb) return -(<i32>Errno.XDEV);
  if (inodeIsDirectory(inode)) return -(<i32>Errno.PERM);
  if (!inode.nlink && !(inode.flags & InodeFlag.LINKABLE)) return -(<i32>Errno.NOENT);
  const r = inodeOpsOf(dir).link(dir, d.namePtr, d.nameLength, inode);
  if (r == 0) dentryInstantiate(d, inodeGet(inode));
  return r;
}

/** 0 when the caller may take `d` out of `dir`. `wantsDirectory` -1: either kind. */
export function mayRemove(mount: usize, dir: Inode, d: Dentry, wantsDirectory: i32): i32 {
  if (!d.inode) return -(<i32>Errno.NOENT);
  const inode = inodeOf(d.inode);
  let r = mountWritable(mount);
  if (r == 0) r = inodePermission(dir, May.WRITE | May.EXEC);
  if (r == 0) r = stickyCheck(dir, inode);
  if (r < 0) return r;
  const isDirectory = inodeIsDirectory(inode);
  if (wantsDirectory == 1 && !isDirectory) return -(<i32>Errno.NOTDIR);
  if (wantsDirectory == 0 && isDirectory) return -(<i32>Errno.ISDIR);
  return d.mountCount ? -(<i32>Errno.BUSY) : 0;
}

/** unlink(2) of `path`. */
export function nameUnlink(w: Walk, dirFd: i32, path: usize): i32 {
  let r = walkPath(w, dirFd, path, WalkFlag.PARENT);
  if (r < 0) return r;
  r = w.lastKind == LastKind.NORMAL ? removeIn(w, false) : -(<i32>Errno.ISDIR);
  walkEnd(w);
  return r;
}

/** rmdir(2) of `path`. */
export function nameRmdir(w: Walk, dirFd: i32, path: usize): i32 {
  let r = walkPath(w, dirFd, path, WalkFlag.PARENT);
  if (r < 0) return r;
  if (w.lastKind == LastKind.DOT) r = -(<i32>Errno.INVAL);
  else if (w.lastKind == LastKind.DOTDOT) r = -(<i32>Errno.NOTEMPTY);
  else if (w.lastKind == LastKind.ROOT) r = -(<i32>Errno.BUSY);
  else r = removeIn(w, true);
  walkEnd(w);
  return r;
}

function removeIn(w: Walk, isRmdir: bool): i32 {
  const parent = dentryOf(w.dentry);
  const dir = inodeOf(parent.inode);
  inodeLock(dir);
  const child = dentryLookupLocked(parent, w.lastName, w.lastLength, w.lastHash);
  let r = <i32>child;
  if (!isErrPtr(child)) {
    const d = dentryOf(child);
    r = isRmdir ? rmdirLocked(w, dir, d) : unlinkLocked(w, dir, d);
    dentryPut(d);
  }
  inodeUnlock(dir);
  return r;
}

function unlinkLocked(w: Walk, dir: Inode, d: Dentry): i32 {
  if (w.hasSlash && d.inode) return inodeIsDirectory(inodeOf(d.inode)) ? -(<i32>Errno.ISDIR) : -(<i32>Errno.NOTDIR);
  const denied = mayRemove(w.mount, dir, d, 0);
  if (denied) return denied;
  const r = inodeOpsOf(dir).unlink(dir, d.namePtr, d.nameLength, inodeOf(d.inode));
  if (r == 0) dentryUnlink(d);
  return r;
}

function rmdirLocked(w: Walk, dir: Inode, d: Dentry): i32 {
  const denied = mayRemove(w.mount, dir, d, 1);
  if (denied) return denied;
  const victim = inodeOf(d.inode);
  inodeLock(victim);
  const r = inodeOpsOf(dir).rmdir(dir, d.namePtr, d.nameLength, victim);
  inodeUnlock(victim);
  if (r == 0) directoryGone(d);
  return r;
}

/** A removed directory: its cached (negative) names go, and walks forget it. */
export function directoryGone(d: Dentry): void {
  dcachePrune(d);
  dcacheLock();
  dentryUnhashLocked(d);
  d.flags |= DentryFlag.UNLINKED;
  dcacheUnlock();
}
