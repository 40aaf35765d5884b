/**
 * Opening: from a path, flags and a mode to a File.
 *
 * Spec  open(2), openat2(2): O_* as asm-generic/fcntl.h has them.
 */
import { Errno } from "../../abi/errno";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import {
  Dentry, File, FileMode, FileRight, Inode, InodeFlag, OpenFlag, dentryOf, fileOpsOf, inodeOf, inodeOpsOf, isErrPtr, mountOf, superOf,
} from "./types";
import { errseqSample } from "../../lib/errseq";
import { superErrors } from "./super-block";
import { DentryFlag, dentryAlloc, dentryInstantiate, dentryPut } from "./dcache";
import { inodeGet, inodeLock, inodePut, inodeUnlock } from "./inode";
import { MountFlag, mountGet, mountPut, mountWritable } from "./mount";
import { May, inodeOwnerCheck, inodePermission } from "./credentials";
import { dentryLookupLocked } from "./lookup";
import { AT_FDCWD, LastKind, Walk, WalkFlag, inodeIsDirectory, inodeIsLink, walkBufferFree, walkEnd, walkFollowLast, walkPath } from "./walk";
import { walkAt, walkFlagsOf } from "./namei";
import { fileAlloc, fileFree, fileRightsDrop, fileRightsOf, fileRightsTake } from "./file";
import { FILE_OPS_NONE } from "./file-ops";
import { modeIsSpecial, specialFileOps } from "./special";
import { fsNow } from "./fs-context";
import { pathBuffer } from "./path-buffer";
import { PATH_MAX, bytesFromString, bytesLength } from "./name";
import { truncateLocked } from "./attributes";

/** O_* bits that live in File.flags and show in F_GETFL. */
const KEPT_FLAGS: u32 = ~(0x40 | 0x80 | 0x100 | 0x200 | 0x80000);
const PATH_FLAGS: u32 = 0x200000 | 0x10000 | 0x20000 | 0x80000;
/** O_TMPFILE without its O_DIRECTORY bit. */
const TMPFILE_BIT: u32 = 0x400000;

/** What opening a place additionally means. */
const enum OpenHow { NORMAL = 0, CREATED = 1, EXEC = 2 }

/** Opens NUL-terminated linear `path`; a File with one reference or an errno as pointer. `walkFlags` restrict the walk. */
export function vfsOpen(dirFd: i32, path: usize, flags: u32, mode: u32, walkFlags: u32): usize {
  if (flags & <u32>OpenFlag.PATH) flags &= PATH_FLAGS;
  if (flags & TMPFILE_BIT) {
    const writes = fileRightsOf(flags) & <u32>FileRight.WRITE;
    if (!(flags & <u32>OpenFlag.DIRECTORY) || !writes || flags & <u32>OpenFlag.CREAT) return <usize>-(<i32>Errno.INVAL);
  }
  const w = walkAt(scratchPush(offsetof<Walk>()));
  const file = openWalk(w, dirFd, path, flags, mode, walkFlags);
  scratchPop(offsetof<Walk>());
  return file;
}

function openWalk(w: Walk, dirFd: i32, path: usize, flags: u32, mode: u32, walkFlags: u32): usize {
  const creates = (flags & <u32>OpenFlag.CREAT) != 0;
  const isExclusive = creates && (flags & <u32>OpenFlag.EXCL) != 0;
  let how = walkFlags;
  if (!(flags & <u32>OpenFlag.NOFOLLOW) && !isExclusive) how |= WalkFlag.FOLLOW;
  // A name with a slash after it cannot be created: the walk to its parent finds out what is wrong first.
  if (isExclusive || (creates && endsInSlash(path))) return openCreate(w, dirFd, path, flags, mode, how);
  const r = walkPath(w, dirFd, path, how);
  if (r == -(<i32>Errno.NOENT) && creates) return openCreate(w, dirFd, path, flags, mode, how);
  if (r < 0) return <usize>r;
  walkBufferFree(w);
  if (flags & TMPFILE_BIT) return openTmpfile(w.mount, w.dentry, flags, mode);
  if (creates && inodeIsDirectory(inodeOf(dentryOf(w.dentry).inode))) {
    walkEnd(w);
    return <usize>-(<i32>Errno.ISDIR);
  }
  return openAt(w.mount, w.dentry, flags, OpenHow.NORMAL);
}

function endsInSlash(path: usize): bool {
  const length = bytesLength(path);
  return length > 0 && load<u8>(path + length - 1) == 0x2f;
}

/** O_CREAT with nobody there, or O_EXCL. */
function openCreate(w: Walk, dirFd: i32, path: usize, flags: u32, mode: u32, how: u32): usize {
  let r = walkPath(w, dirFd, path, how | WalkFlag.PARENT);
  while (r == 0) {
    if (w.lastKind != LastKind.NORMAL) {
      walkEnd(w);
      return <usize>-(<i32>(flags & <u32>OpenFlag.EXCL ? Errno.EXIST : Errno.ISDIR));
    }
    if (w.hasSlash && !(flags & <u32>OpenFlag.EXCL)) {
      walkEnd(w);
      return <usize>-(<i32>Errno.ISDIR);
    }
    const child = createLast(w, flags, mode);
    if (isErrPtr(child & ~1)) {
      walkEnd(w);
      return child;
    }
    const d = dentryOf(child & ~1);
    if (child & 1) return openPlace(w, d, flags, OpenHow.CREATED);
    if (flags & <u32>OpenFlag.EXCL) {
      dentryPut(d);
      walkEnd(w);
      return <usize>-(<i32>Errno.EXIST);
    }
    const inode = inodeOf(d.inode);
    if (!inodeIsLink(inode) || !(how & WalkFlag.FOLLOW)) {
      if (inodeIsDirectory(inode)) {
        dentryPut(d);
        walkEnd(w);
        return <usize>-(<i32>Errno.ISDIR);
      }
      return openPlace(w, d, flags, OpenHow.NORMAL);
    }
    inodeGet(inode);
    dentryPut(d);
    r = walkFollowLast(w, inode);
    inodePut(inode);
  }
  return <usize>r;
}

/** Opens child `d` (whose reference it consumes) of where a PARENT walk ended, which it ends too. */
function openPlace(w: Walk, d: Dentry, flags: u32, how: u32): usize {
  const mount = w.mount;
  dentryPut(dentryOf(w.dentry));
  walkBufferFree(w);
  return openAt(mount, changetype<usize>(d), flags, how);
}

/** The last component's dentry with a reference; bit 0 is set when this call made the file. Or an errno as pointer. */
function createLast(w: Walk, flags: u32, mode: u32): usize {
  const parent = dentryOf(w.dentry);
  const dir = inodeOf(parent.inode);
  if (!inodeIsDirectory(dir)) return <usize>-(<i32>Errno.NOTDIR);
  inodeLock(dir);
  const child = createLastLocked(w, parent, dir, mode);
  inodeUnlock(dir);
  return child;
}

function createLastLocked(w: Walk, parent: Dentry, dir: Inode, mode: u32): usize {
  const child = dentryLookupLocked(parent, w.lastName, w.lastLength, w.lastHash);
  if (isErrPtr(child) || dentryOf(child).inode) return child;
  const made = w.hasSlash ? <usize>-(<i32>Errno.ISDIR)
    : createChild(w.mount, dir, dentryOf(child), FileMode.IFREG | (mode & 0o7777 & ~fsNow().umask));
  if (!isErrPtr(made)) return child | 1;
  dentryPut(dentryOf(child));
  return made;
}

/** Makes an inode for negative dentry `d` of `dir` (Inode.lock held) after the permission checks; or an errno as pointer. */
export function createChild(mount: usize, dir: Inode, d: Dentry, mode: u32): usize {
  const r = mayCreate(mount, dir);
  if (r < 0) return <usize>r;
  const made = inodeOpsOf(dir).create(dir, d.namePtr, d.nameLength, mode, 0);
  if (!isErrPtr(made)) dentryInstantiate(d, inodeOf(made));
  return made;
}

/** 0 when the caller may add a name to `dir`. */
export function mayCreate(mount: usize, dir: Inode): i32 {
  if (!dir.nlink) return -(<i32>Errno.NOENT);
  const readOnly = mountWritable(mount);
  return readOnly ? readOnly : inodePermission(dir, May.WRITE | May.EXEC);
}

/** O_TMPFILE: a nameless file in the file system of directory `dentry`. Consumes the path. */
function openTmpfile(mount: usize, dentry: usize, flags: u32, mode: u32): usize {
  const dir = inodeOf(dentryOf(dentry).inode);
  let r = inodeIsDirectory(dir) ? mayCreate(mount, dir) : -(<i32>Errno.NOTDIR);
  let file: usize = 0;
  if (r == 0) {
    file = tmpfileOpen(mount, dentryOf(dentry), flags & ~(TMPFILE_BIT | <u32>OpenFlag.DIRECTORY), mode & 0o7777 & ~fsNow().umask);
    if (isErrPtr(file)) r = <i32>file;
  }
  dentryPut(dentryOf(dentry));
  mountPut(mountOf(mount));
  return r < 0 ? <usize>r : file;
}

/** A nameless child of `dir`: a dentry that no walk finds, opened. */
function tmpfileOpen(mount: usize, parent: Dentry, flags: u32, mode: u32): usize {
  const dir = inodeOf(parent.inode);
  const made = inodeOpsOf(dir).create(dir, 0, 0, FileMode.IFREG | mode, 0);
  if (isErrPtr(made)) return made;
  const inode = inodeOf(made);
  const label = scratchPush(32);
  bytesFromString(label, "#tmpfile");
  const d = dentryAlloc(changetype<usize>(parent), parent.sb, 0, label, 8);
  scratchPop(32);
  if (!d) {
    inodePut(inode);
    return <usize>-(<i32>Errno.NOMEM);
  }
  inode.flags |= InodeFlag.LINKABLE;
  d.inode = made;
  d.flags |= DentryFlag.UNLINKED;
  return openAt(changetype<usize>(mountGet(mountOf(mount))), changetype<usize>(d), flags, OpenHow.CREATED);
}

/** Opens what a finished walk names; consumes the references. */
export function openAt(mount: usize, dentry: usize, flags: u32, how: u32): usize {
  const file = fileAlloc();
  if (!file) {
    dentryPut(dentryOf(dentry));
    mountPut(mountOf(mount));
    return <usize>-(<i32>Errno.NOMEM);
  }
  const inode = inodeOf(dentryOf(dentry).inode);
  file.mount = mount;
  file.dentry = dentry;
  file.inode = changetype<usize>(inode);
  file.flags = (flags & KEPT_FLAGS) | <u32>OpenFlag.LARGEFILE;
  const r = flags & <u32>OpenFlag.PATH ? openPathOnly(file, inode, flags) : openChecked(file, inode, flags, how);
  if (r == 0) return changetype<usize>(file);
  fileRightsDrop(file, inode);
  fileFree(file);
  dentryPut(dentryOf(dentry));
  mountPut(mountOf(mount));
  return <usize>r;
}

/** O_PATH: a place, not a file. */
function openPathOnly(file: File, inode: Inode, flags: u32): i32 {
  if (flags & <u32>OpenFlag.DIRECTORY && !inodeIsDirectory(inode)) return -(<i32>Errno.NOTDIR);
  file.flags = flags & KEPT_FLAGS;
  file.mode = FileRight.PATH_ONLY;
  file.ops = changetype<usize>(FILE_OPS_NONE);
  return 0;
}

function openChecked(file: File, inode: Inode, flags: u32, how: u32): i32 {
  let r = openKindCheck(file, inode, flags);
  if (r == 0 && how != OpenHow.CREATED) r = openPermission(inode, flags, how);
  if (r < 0) return r;
  file.mode = fileRightsOf(flags);
  const kind = inode.mode & <u32>FileMode.IFMT;
  if (kind == FileMode.IFREG) {
    if (how == OpenHow.EXEC) r = fileRightsTake(file, inode, -1);
    else if (file.mode & FileRight.WRITE) r = fileRightsTake(file, inode, 1);
    if (r < 0) return r;
  }
  if (kind == FileMode.IFREG || kind == FileMode.IFDIR) file.mode |= FileRight.SEEKABLE;
  file.ops = inode.fileOps;
  if (inode.fileOps == changetype<usize>(FILE_OPS_NONE) && modeIsSpecial(inode.mode)) file.ops = specialFileOps(inode.mode);
  file.superErrorsSeen = errseqSample(superErrors(superOf(inode.sb)));
  r = fileOpsOf(file).open(inode, file);
  if (r < 0) return r;
  return flags & <u32>OpenFlag.TRUNC && how != OpenHow.CREATED ? openTruncate(file, inode) : 0;
}

/** What the kind of file and the mount forbid. */
function openKindCheck(file: File, inode: Inode, flags: u32): i32 {
  const kind = inode.mode & <u32>FileMode.IFMT;
  const writes = (fileRightsOf(flags) & <u32>FileRight.WRITE) != 0 || (flags & <u32>OpenFlag.TRUNC) != 0;
  if (kind == FileMode.IFLNK) return -(<i32>Errno.LOOP);
  if (kind == FileMode.IFDIR) return writes ? -(<i32>Errno.ISDIR) : 0;
  if (flags & <u32>OpenFlag.DIRECTORY) return -(<i32>Errno.NOTDIR);
  if (kind == FileMode.IFREG) return writes ? mountWritable(file.mount) : 0;
  const isDevice = kind == FileMode.IFCHR || kind == FileMode.IFBLK;
  return isDevice && mountOf(file.mount).flags & MountFlag.NODEV ? -(<i32>Errno.ACCES) : 0;
}

function openPermission(inode: Inode, flags: u32, how: u32): i32 {
  if (how == OpenHow.EXEC) {
    const isRegular = (inode.mode & <u32>FileMode.IFMT) == FileMode.IFREG;
    return isRegular ? inodePermission(inode, May.EXEC) : -(<i32>Errno.ACCES);
  }
  const rights = fileRightsOf(flags);
  let mask: u32 = rights & <u32>FileRight.READ ? May.READ : 0;
  if (rights & <u32>FileRight.WRITE || flags & <u32>OpenFlag.TRUNC) mask |= May.WRITE;
  const denied = mask ? inodePermission(inode, mask) : 0;
  if (denied) return denied;
  return flags & <u32>OpenFlag.NOATIME ? inodeOwnerCheck(inode) : 0;
}

/** O_TRUNC of a regular file; of anything else it means nothing. Even O_RDONLY | O_TRUNC writes: ETXTBSY while it is executed. */
function openTruncate(file: File, inode: Inode): i32 {
  if ((inode.mode & <u32>FileMode.IFMT) != FileMode.IFREG) return 0;
  const isReader = (file.mode & FileRight.WRITER) == 0;
  let r = isReader ? fileRightsTake(file, inode, 1) : 0;
  if (r == 0) {
    inodeLock(inode);
    r = truncateLocked(inode, 0);
    inodeUnlock(inode);
    if (isReader) fileRightsDrop(file, inode);
  }
  if (r < 0) fileOpsOf(file).release(file);
  return r;
}

/** Opens a path (linear bytes) as the kernel; a File with one reference or an errno as pointer. */
export function fileOpenKernel(path: usize, length: u32, flags: u32): usize {
  const buffer = pathBuffer();
  if (!buffer) return <usize>-(<i32>Errno.NOMEM);
  if (length >= PATH_MAX) return <usize>-(<i32>Errno.NAMETOOLONG);
  if (path != buffer) memory.copy(buffer, path, length);
  store<u8>(buffer + length, 0);
  return vfsOpen(AT_FDCWD, buffer, flags, 0o600, 0);
}

/** The same with a string literal. */
export function fileOpenName(path: string, flags: u32): usize {
  const buffer = pathBuffer();
  if (!buffer) return <usize>-(<i32>Errno.NOMEM);
  bytesFromString(buffer, path);
  return vfsOpen(AT_FDCWD, buffer, flags, 0o600, 0);
}

/**
 * Opens for execve: regular, executable by the caller, writers denied until the last filePut. `path` is NUL-terminated
 * linear memory with 8 readable bytes after the NUL.
 */
export function fileOpenExec(dirFd: i32, path: usize, atFlags: u32): usize {
  const w = walkAt(scratchPush(offsetof<Walk>()));
  const r = walkPath(w, dirFd, path, walkFlagsOf(atFlags));
  let file = <usize>r;
  if (r == 0) {
    walkBufferFree(w);
    const isForbidden = (mountOf(w.mount).flags & MountFlag.NOEXEC) != 0;
    if (isForbidden) walkEnd(w);
    file = isForbidden ? <usize>-(<i32>Errno.ACCES) : openAt(w.mount, w.dentry, OpenFlag.RDONLY, OpenHow.EXEC);
  }
  scratchPop(offsetof<Walk>());
  return file;
}
