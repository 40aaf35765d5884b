/**
 * The path walk: from a string to a mount and a dentry.
 *
 * As long as names are in the dentry cache the walk runs in one hold of dentryLock and takes no reference but the last.
 * What may sleep (a miss, a symbolic link, a revalidation) first takes references on where it stands ("owned"),
 * leaves the lock, and comes back.
 *
 * Invariants  W1  mount and dentry are protected by the hold they were reached in, or owned.
 *             W2  the name cursor points into a buffer with 8 readable bytes after its NUL.
 * Locking     functions named ...Locked hold dentryLock on entry and return; some leave it in between.
 */
import { Errno } from "../../abi/errno";
import { kfree, kmalloc } from "../../core/mm/slab";
import { byteAt } from "../../lib/bytes";
import { Dentry, FileMode, Inode, Path, dentryOf, inodeOf, inodeOpsOf, isErrPtr, mountOf, superOf } from "./types";
import { DentryFlag, dcacheLock, dcacheUnlock, dentryFindLocked, dentryGet, dentryPut } from "./dcache";
import { inodeGet, inodePut } from "./inode";
import { dentryLookup } from "./lookup";
import { MountFlag, mountFindLocked, mountGet, mountPut } from "./mount";
import { May, inodePermission } from "./credentials";
import { NAME_MAX, PATH_MAX, componentScan } from "./name";
import { fsNow } from "./fs-context";
import { fdBorrow, fdReturn, heldFile } from "./fd-table";

/** Start at the working directory. */
export const AT_FDCWD: i32 = -100;
/** Most symbolic links followed in one walk. */
const LINK_MAX: u32 = 40;

export const enum WalkFlag {
  FOLLOW = 1,         // follow a symbolic link in the last place
  PARENT = 2,         // stop at the directory of the last component, which `last` names
  DIRECTORY = 4,      // the result must be a directory
  EMPTY_OK = 8,       // "" names the start itself
  NO_XDEV = 16,       // openat2: never cross a mount
  NO_MAGICLINKS = 32,
  NO_SYMLINKS = 64,
  BENEATH = 128,      // never leave the start
  IN_ROOT = 256,      // the start is the root
}

/** What stands in the last place after a PARENT walk. */
export const enum LastKind { NORMAL = 0, DOT = 1, DOTDOT = 2, ROOT = 3 }

@final @unmanaged
export class Walk {
  mount: usize;       // where it stands (W1); after success a reference each for the caller
  dentry: usize;
  ownedMount: usize;  // references held, or 0
  ownedDentry: usize;
  ownedChild: usize;
  rootMount: usize;
  rootDentry: usize;
  rootOwned: u32;
  name: usize;        // rest of the path (W2)
  flags: u32;         // WalkFlag
  links: u32;         // followed so far
  linkBuffer: usize;  // 8 KiB for expanding links, or 0
  lastName: usize;
  lastLength: u32;
  lastHash: u32;
  lastKind: u32;
  hasSlash: u32;      // the path ends in a slash after the last component
  magic: u32;         // a Path by value for followLink
  magic1: u32;
  pad: u32;
}

/**
 * Walks NUL-terminated `path` from `dirFd`. 0: w.mount and w.dentry hold references (walkEnd or take them over; a
 * PARENT walk also needs walkEnd, which frees the buffer lastName may point into). -errno: nothing is held.
 */
export function walkPath(w: Walk, dirFd: i32, path: usize, flags: u32): i32 {
  memory.fill(changetype<usize>(w), 0, offsetof<Walk>());
  w.name = path;
  w.flags = flags;
  let r = walkStart(w, dirFd, path);
  if (r < 0) return r;
  r = walkLoopLocked(w);
  return walkFinish(w, r);
}

/** Leaves the lock with references on the result. */
function walkFinish(w: Walk, r: i32): i32 {
  if (r == 0) {
    mountGet(mountOf(w.mount));
    dentryGet(dentryOf(w.dentry));
  }
  dcacheUnlock();
  if (w.ownedDentry | w.ownedChild | w.rootOwned) walkDropOwned(w);
  if (r < 0 && w.linkBuffer) {
    kfree(w.linkBuffer);
    w.linkBuffer = 0;
  }
  return r;
}

function walkDropOwned(w: Walk): void {
  dropPair(w.ownedMount, w.ownedDentry);
  if (w.ownedChild) dentryPut(dentryOf(w.ownedChild));
  if (w.rootOwned) dropPair(w.rootMount, w.rootDentry);
  w.ownedMount = 0;
  w.ownedDentry = 0;
  w.ownedChild = 0;
  w.rootOwned = 0;
}

function dropPair(mount: usize, dentry: usize): void {
  if (dentry) dentryPut(dentryOf(dentry));
  if (mount) mountPut(mountOf(mount));
}

/** Gives back what a successful walk holds. */
export function walkEnd(w: Walk): void {
  dropPair(w.mount, w.dentry);
  walkBufferFree(w);
}

/** For callers that keep the references of w.mount and w.dentry. */
export function walkBufferFree(w: Walk): void {
  if (w.linkBuffer) kfree(w.linkBuffer);
  w.linkBuffer = 0;
}

/** Finds the start and takes dentryLock; an error leaves it untaken. */
function walkStart(w: Walk, dirFd: i32, path: usize): i32 {
  const first = load<u8>(path);
  if (!first && !(w.flags & WalkFlag.EMPTY_OK)) return -(<i32>Errno.NOENT);
  const isScoped = (w.flags & (<u32>WalkFlag.BENEATH | <u32>WalkFlag.IN_ROOT)) != 0;
  const isAbsolute = first == 0x2f;
  if (isAbsolute && w.flags & WalkFlag.BENEATH) return -(<i32>Errno.XDEV);
  const usesFd = dirFd != AT_FDCWD && (!isAbsolute || w.flags & WalkFlag.IN_ROOT);
  if (usesFd) {
    const r = walkStartAtFd(w, dirFd, first != 0);
    if (r < 0) return r;
  }
  dcacheLock();
  const fs = fsNow();
  w.rootMount = fs.rootMount;
  w.rootDentry = fs.rootDentry;
  if (!usesFd) {
    w.mount = isAbsolute && !isScoped ? fs.rootMount : fs.cwdMount;
    w.dentry = isAbsolute && !isScoped ? fs.rootDentry : fs.cwdDentry;
  }
  if (isScoped) {
    w.rootMount = w.mount;
    w.rootDentry = w.dentry;
  }
  return 0;
}

/** Stands at the directory of descriptor `dirFd`, owned. */
function walkStartAtFd(w: Walk, dirFd: i32, mustBeDirectory: bool): i32 {
  const held = fdBorrow(dirFd);
  if (!held) return -(<i32>Errno.BADF);
  const file = heldFile(held);
  let r: i32 = 0;
  if (!file.dentry || (mustBeDirectory && !inodeIsDirectory(inodeOf(file.inode)))) {
    r = -(<i32>Errno.NOTDIR);
  } else {
    w.ownedMount = changetype<usize>(mountGet(mountOf(file.mount)));
    w.ownedDentry = changetype<usize>(dentryGet(dentryOf(file.dentry)));
    w.mount = w.ownedMount;
    w.dentry = w.ownedDentry;
  }
  fdReturn(held);
  return r;
}

export function inodeIsDirectory(inode: Inode): bool {
  return (inode.mode & <u32>FileMode.IFMT) == FileMode.IFDIR;
}

export function inodeIsLink(inode: Inode): bool {
  return (inode.mode & <u32>FileMode.IFMT) == FileMode.IFLNK;
}

function walkLoopLocked(w: Walk): i32 {
  while (true) {
    let p = w.name;
    while (load<u8>(p) == 0x2f) p++;
    if (!load<u8>(p)) return walkAtEndLocked(w);
    const scan = componentScan(p);
    let length = <u32>scan;
    if (length > NAME_MAX && length > superOf(dentryOf(w.dentry).sb).nameMax) return -(<i32>Errno.NAMETOOLONG);
    let rest = p + length;
    const hasSlash = load<u8>(rest) == 0x2f;
    while (load<u8>(rest) == 0x2f) rest++;
    const isLast = load<u8>(rest) == 0;

    const dir = inodeOf(dentryOf(w.dentry).inode);
    if (!inodeIsDirectory(dir)) return -(<i32>Errno.NOTDIR);
    const denied = inodePermission(dir, May.EXEC);
    if (denied) return denied;

    const dots = dotsOf(p, length);
    if (dots == LastKind.NORMAL && byteAt(p, length - 1) == 0x2e) length = withoutTail(w, p, length);
    if (isLast) {
      w.hasSlash = hasSlash ? 1 : 0;
      if (w.flags & WalkFlag.PARENT) {
        w.lastName = p;
        w.lastLength = length;
        w.lastHash = <u32>(scan >> 32);
        w.lastKind = dots;
        return 0;
      }
    }
    w.name = rest;
    if (dots) {
      const r = dots == LastKind.DOTDOT ? walkUpLocked(w) : 0;
      if (r < 0) return r;
    } else {
      const r = walkStepLocked(w, p, length, <u32>(scan >> 32), isLast && !hasSlash && !(w.flags & WalkFlag.FOLLOW));
      if (r < 0) return r;
    }
  }
}

/** The length of a name that ends in a dot where such dots do not count; of dots alone, all of it. */
function withoutTail(w: Walk, name: usize, length: u32): u32 {
  if (!superOf(dentryOf(w.dentry).sb).foldsCase) return length;
  let shorter = length - 1;
  while (shorter != 0 && byteAt(name, shorter - 1) == 0x2e) shorter--;
  return shorter != 0 ? shorter : length;
}

/** NORMAL, DOT or DOTDOT. */
function dotsOf(name: usize, length: u32): u32 {
  if (length > 2 || load<u8>(name) != 0x2e) return LastKind.NORMAL;
  if (length == 1) return LastKind.DOT;
  return load<u8>(name, 1) == 0x2e ? LastKind.DOTDOT : LastKind.NORMAL;
}

/** The path is used up. */
function walkAtEndLocked(w: Walk): i32 {
  if (w.flags & WalkFlag.PARENT) {
    w.lastKind = LastKind.ROOT; // "/" or "//": no last component
    w.lastName = w.name;
    w.lastLength = 0;
  }
  if (!w.hasSlash && !(w.flags & WalkFlag.DIRECTORY)) return 0;
  return inodeIsDirectory(inodeOf(dentryOf(w.dentry).inode)) ? 0 : -(<i32>Errno.NOTDIR);
}

/** "..": up, and out of mounts, but never above the root. */
function walkUpLocked(w: Walk): i32 {
  while (true) {
    if (w.dentry == w.rootDentry && w.mount == w.rootMount) {
      return w.flags & WalkFlag.BENEATH ? -(<i32>Errno.XDEV) : 0;
    }
    const mount = mountOf(w.mount);
    if (w.dentry != mount.root) break;
    if (!mount.parent) return 0;
    if (w.flags & WalkFlag.NO_XDEV) return -(<i32>Errno.XDEV);
    w.dentry = mount.mountPoint;
    w.mount = mount.parent;
  }
  w.dentry = dentryOf(w.dentry).parent;
  return walkIntoMountsLocked(w);
}

/** Goes to the root of whatever is mounted here. */
function walkIntoMountsLocked(w: Walk): i32 {
  while (dentryOf(w.dentry).mountCount) {
    const covering = mountFindLocked(w.mount, w.dentry);
    if (!covering) return 0;
    if (w.flags & WalkFlag.NO_XDEV) return -(<i32>Errno.XDEV);
    w.mount = covering;
    w.dentry = mountOf(covering).root;
  }
  return 0;
}

/** Steps to the child `name`; a symbolic link in it is followed unless `keepLink`. */
function walkStepLocked(w: Walk, name: usize, length: u32, hash: u32, keepLink: bool): i32 {
  let child = dentryFindLocked(w.dentry, hash, name, length);
  if (!child || dentryOf(child).flags & DentryFlag.REVALIDATE) {
    child = walkMissLocked(w, name, length, hash);
    if (isErrPtr(child)) return <i32>child;
  }
  const dentry = dentryOf(child);
  if (!dentry.inode) return -(<i32>Errno.NOENT);
  if (inodeIsLink(inodeOf(dentry.inode)) && !keepLink) return walkLinkLocked(w, inodeOf(dentry.inode));
  w.dentry = child;
  return dentry.mountCount ? walkIntoMountsLocked(w) : 0;
}

/** Owns where the walk stands and leaves the lock. */
function walkLeaveLocked(w: Walk): void {
  const mount = changetype<usize>(mountGet(mountOf(w.mount)));
  const dentry = changetype<usize>(dentryGet(dentryOf(w.dentry)));
  if (!w.rootOwned && fsNow().refs > 1) {
    mountGet(mountOf(w.rootMount));
    dentryGet(dentryOf(w.rootDentry));
    w.rootOwned = 1;
  }
  dcacheUnlock();
  dropPair(w.ownedMount, w.ownedDentry);
  if (w.ownedChild) dentryPut(dentryOf(w.ownedChild));
  w.ownedChild = 0;
  w.ownedMount = mount;
  w.ownedDentry = dentry;
}

/** Asks the file system for a name that the cache cannot answer: an owned Dentry, or an errno as pointer. */
function walkMissLocked(w: Walk, name: usize, length: u32, hash: u32): usize {
  walkLeaveLocked(w);
  const child = dentryLookup(dentryOf(w.dentry), name, length, hash);
  dcacheLock();
  if (!isErrPtr(child)) w.ownedChild = child;
  return child;
}

/** Continues at the target of link `inode`, which lies in the current directory; w.name is what comes after it. */
function walkLinkLocked(w: Walk, inode: Inode): i32 {
  if (w.flags & WalkFlag.NO_SYMLINKS || ++w.links > LINK_MAX) return -(<i32>Errno.LOOP);
  if (mountOf(w.mount).flags & MountFlag.NOSYMFOLLOW) return -(<i32>Errno.LOOP);
  inodeGet(inode);
  walkLeaveLocked(w);
  const r = walkExpandLink(w, inode);
  inodePut(inode);
  dcacheLock();
  if (r < 0) return r;
  if (r == 1) return 0; // a magic link: it stands at the target
  if (load<u8>(w.name) != 0x2f) return 0;
  if (w.flags & WalkFlag.BENEATH) return -(<i32>Errno.XDEV);
  w.mount = w.rootMount;
  w.dentry = w.rootDentry;
  return 0;
}

/** 0: w.name is the target and the rest; 1: the walk stands at a magic link's target, owned; -errno. */
function walkExpandLink(w: Walk, inode: Inode): i32 {
  const magic = changetype<Path>(changetype<usize>(w) + offsetof<Walk>("magic")); // SAFETY: magic, magic1 are a Path
  const jumped = inodeOpsOf(inode).followLink(inode, magic);
  if (jumped < 0) return jumped;
  if (jumped) {
    const isRefused = (w.flags & (<u32>WalkFlag.NO_MAGICLINKS | <u32>WalkFlag.BENEATH | <u32>WalkFlag.IN_ROOT)) != 0;
    if (isRefused) {
      dropPair(magic.mount, magic.dentry);
      return w.flags & WalkFlag.NO_MAGICLINKS ? -(<i32>Errno.LOOP) : -(<i32>Errno.XDEV);
    }
    dropPair(w.ownedMount, w.ownedDentry);
    w.ownedMount = magic.mount;
    w.ownedDentry = magic.dentry;
    w.mount = magic.mount;
    w.dentry = magic.dentry;
    return 1;
  }
  return walkSpliceLink(w, inode);
}

/** Lays target + rest of the path right-aligned into the link buffer. */
function walkSpliceLink(w: Walk, inode: Inode): i32 {
  let restLength: u32 = 0;
  while (load<u8>(w.name + restLength)) restLength++;
  if (restLength >= PATH_MAX - 1) return -(<i32>Errno.NAMETOOLONG);
  if (!w.linkBuffer) {
    w.linkBuffer = kmalloc(2 * PATH_MAX + 16);
    if (!w.linkBuffer) return -(<i32>Errno.NOMEM);
  }
  const end = w.linkBuffer + 2 * PATH_MAX;
  const rest = end - restLength;
  memory.copy(rest, w.name, restLength);
  store<u64>(end, 0);
  const length = inodeOpsOf(inode).readlink(inode, w.linkBuffer, PATH_MAX - 1);
  if (length < 0) return length;
  if (length == 0) return -(<i32>Errno.NOENT);
  // The slash after the link's name was skipped; it stands again before a rest, or for a trailing one.
  const slash: u32 = restLength || w.hasSlash ? 1 : 0;
  w.name = rest - slash - length;
  memory.copy(w.name, w.linkBuffer, length);
  if (slash) store<u8>(rest - 1, 0x2f);
  w.hasSlash = 0;
  return 0;
}

/** After a PARENT walk: follows `link`, the last component, to a new last component. Errors as walkPath; consumes nothing else. */
export function walkFollowLast(w: Walk, link: Inode): i32 {
  w.ownedMount = w.mount;
  w.ownedDentry = w.dentry;
  w.name = w.lastName + w.lastLength;
  dcacheLock();
  const fs = fsNow();
  if (!(w.flags & (<u32>WalkFlag.BENEATH | <u32>WalkFlag.IN_ROOT))) {
    w.rootMount = fs.rootMount;
    w.rootDentry = fs.rootDentry;
  }
  let r = walkLinkLocked(w, link);
  if (r == 0) r = walkLoopLocked(w);
  return walkFinish(w, r);
}
