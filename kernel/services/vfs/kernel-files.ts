/**
 * What the kernel itself does to the tree: directories and nodes for boot, the initramfs and devtmpfs.
 *
 * Paths are as the running context sees them; before the first process that is root at the root directory.
 */
import { Errno } from "../../abi/errno";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { Dentry, FileMode, dentryOf, inodeOf, inodeOpsOf, isErrPtr } from "./types";
import { dentryInstantiate, dentryPut } from "./dcache";
import { inodeLock, inodeUnlock } from "./inode";
import { dentryLookupLocked } from "./lookup";
import { AT_FDCWD, LastKind, Walk, WalkFlag, walkEnd, walkPath } from "./walk";
import { walkAt } from "./namei";
import { bytesFromString, nameHash } from "./name";
import { pathBuffer } from "./path-buffer";

/** Makes a node (directory, device, fifo…) in a directory dentry, past permission checks: for devtmpfs. 0 or -errno. */
export function vfsCreateIn(dir: Dentry, name: usize, length: u32, mode: u32, rdev: u64): i32 {
  const inode = inodeOf(dir.inode);
  inodeLock(inode);
  const child = dentryLookupLocked(dir, name, length, nameHash(name, length));
  let r = isErrPtr(child) ? <i32>child : 0;
  if (r == 0) {
    const d = dentryOf(child);
    const made = d.inode ? <usize>-(<i32>Errno.EXIST) : inodeOpsOf(inode).create(inode, d.namePtr, length, mode, rdev);
    if (isErrPtr(made)) r = <i32>made;
    else dentryInstantiate(d, inodeOf(made));
    dentryPut(d);
  }
  inodeUnlock(inode);
  return r;
}

/** Makes the last component of NUL-terminated `path`: 0, -EEXIST or another -errno. */
export function vfsCreateAt(path: usize, mode: u32, rdev: u64): i32 {
  const w = walkAt(scratchPush(offsetof<Walk>()));
  let r = walkPath(w, AT_FDCWD, path, WalkFlag.PARENT);
  if (r == 0) {
    if (w.lastKind == LastKind.NORMAL) r = vfsCreateIn(dentryOf(w.dentry), w.lastName, w.lastLength, mode, rdev);
    else r = -(<i32>Errno.EXIST);
    walkEnd(w);
  }
  scratchPop(offsetof<Walk>());
  return r;
}

/** mkdir for boot: 0 or -errno (EEXIST is fine to ignore). */
export function vfsMkdir(path: string, mode: u32): i32 {
  return vfsMknod(path, FileMode.IFDIR | mode, 0);
}

/** mknod for boot. */
export function vfsMknod(path: string, mode: u32, rdev: u64): i32 {
  const buffer = pathBuffer();
  if (!buffer) return -(<i32>Errno.NOMEM);
  bytesFromString(buffer, path);
  return vfsCreateAt(buffer, mode, rdev);
}
