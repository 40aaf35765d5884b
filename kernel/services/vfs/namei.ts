/**
 * From names to paths and back: the calls the rest of the kernel makes on the path walk.
 */
import { Errno } from "../../abi/errno";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { File, Path, dentryOf, inodeOf, isErrPtr, mountOf } from "./types";
import { DentryFlag, dcacheLock, dcacheUnlock, dentryAlloc, dentryGet } from "./dcache";
import { inodeGet } from "./inode";
import { mountGet } from "./mount";
import { Walk, WalkFlag, walkBufferFree, walkPath } from "./walk";
import { FsContext, fsNow } from "./fs-context";
import { pathFetch } from "./path-buffer";
import { bytesFromString } from "./name";
import { fdBorrow, fdReturn, heldFile } from "./fd-table";
import { anonMount } from "./anon-mount";

export { pathGet, pathPut } from "./mount";
export { AT_FDCWD } from "./walk";

export const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
export const AT_REMOVEDIR: u32 = 0x200;
export const AT_EACCESS: u32 = 0x200;
export const AT_SYMLINK_FOLLOW: u32 = 0x400;
export const AT_NO_AUTOMOUNT: u32 = 0x800;
export const AT_EMPTY_PATH: u32 = 0x1000;

/** SAFETY: scratch memory of at least a Walk. */
export function walkAt(ptr: usize): Walk { return changetype<Walk>(ptr); }
/** SAFETY: two words that are a Path. */
export function pathAt(ptr: usize): Path { return changetype<Path>(ptr); }

/** WalkFlag bits for AT_* `flags` of a call that follows links unless told otherwise. */
export function walkFlagsOf(flags: u32): u32 {
  let walk: u32 = flags & AT_SYMLINK_NOFOLLOW ? 0 : WalkFlag.FOLLOW;
  if (flags & AT_EMPTY_PATH) walk |= WalkFlag.EMPTY_OK;
  return walk;
}

/** Walks the NUL-terminated linear `path` from `dirFd`; AT_* flags; fills `out` (pathPut it) and returns 0, or -errno. */
export function pathLookup(dirFd: i32, path: usize, flags: u32, out: Path): i32 {
  if (!load<u8>(path) && flags & AT_EMPTY_PATH && dirFd >= 0) return pathOfFd(dirFd, out);
  return pathWalk(dirFd, path, walkFlagsOf(flags), out);
}

/** The same with WalkFlag bits. */
export function pathWalk(dirFd: i32, path: usize, walkFlags: u32, out: Path): i32 {
  const w = walkAt(scratchPush(offsetof<Walk>()));
  const r = walkPath(w, dirFd, path, walkFlags);
  if (r == 0) {
    out.mount = w.mount;
    out.dentry = w.dentry;
    walkBufferFree(w);
  }
  scratchPop(offsetof<Walk>());
  return r;
}

/** The same with a user string. */
export function pathLookupUser(dirFd: i32, pathVa: u64, flags: u32, out: Path): i32 {
  const path = pathFetch(pathVa);
  if (isErrPtr(path)) return <i32>path;
  return pathLookup(dirFd, path, flags, out);
}

/** The path of an open descriptor. */
function pathOfFd(fd: i32, out: Path): i32 {
  const held = fdBorrow(fd);
  if (!held) return -(<i32>Errno.BADF);
  const r = filePath(heldFile(held), out);
  fdReturn(held);
  return r;
}

/** The path of an open file, with references; an anonymous file gets a nameless one. 0 or -ENOMEM. */
export function filePath(file: File, out: Path): i32 {
  if (file.dentry) {
    out.mount = changetype<usize>(mountGet(mountOf(file.mount)));
    out.dentry = changetype<usize>(dentryGet(dentryOf(file.dentry)));
    return 0;
  }
  const mount = anonMount();
  const buffer = scratchPush(80);
  const length = bytesFromString(buffer, changetype<string>(file.name)); // SAFETY: a string literal
  const d = dentryAlloc(0, mount.sb, 0, buffer, length);
  scratchPop(80);
  if (!d) return -(<i32>Errno.NOMEM);
  d.inode = changetype<usize>(inodeGet(inodeOf(file.inode)));
  d.flags |= DentryFlag.NAMELESS;
  out.mount = changetype<usize>(mountGet(mount));
  out.dentry = changetype<usize>(d);
  return 0;
}

/**
 * Writes the absolute name of `path` as seen from the caller's root (" (deleted)" appended when unlinked) to linear
 * `ptr`; its length (no NUL) or -ENAMETOOLONG. The NUL is written too.
 */
export function pathToBytes(path: Path, ptr: usize, max: u32): i32 {
  dcacheLock();
  const r = pathBytesLocked(path, ptr, max);
  dcacheUnlock();
  return r;
}

/** Builds the name backwards from the end of the buffer, then moves it to the front. */
function pathBytesLocked(path: Path, ptr: usize, max: u32): i32 {
  const fs = fsNow();
  const deleted = dentryOf(path.dentry).flags & DentryFlag.UNLINKED ? DELETED.length : 0;
  const end = ptr + max - 1 - deleted;
  if (<u32>deleted + 2 > max) return -(<i32>Errno.NAMETOOLONG);
  let at = end;
  let mount = path.mount;
  let d = path.dentry;
  while (true) {
    if (d == fs.rootDentry && mount == fs.rootMount) break;
    if (d == mountOf(mount).root) {
      if (!mountOf(mount).parent) break;
      d = mountOf(mount).mountPoint;
      mount = mountOf(mount).parent;
      continue;
    }
    const dentry = dentryOf(d);
    if (dentry.parent == d) break; // a root that was unmounted under us
    if (at - ptr < dentry.nameLength + 1) return -(<i32>Errno.NAMETOOLONG);
    at -= dentry.nameLength;
    memory.copy(at, dentry.namePtr, dentry.nameLength);
    store<u8>(--at, 0x2f);
    d = dentry.parent;
  }
  if (at == end) store<u8>(--at, 0x2f);
  const length = end - at;
  memory.copy(ptr, at, length);
  if (deleted) return <i32>(length + bytesFromString(ptr + length, DELETED));
  store<u8>(ptr + length, 0);
  return <i32>length;
}
const DELETED: string = " (deleted)";

/** The same for an open file ("pipe:[12]", "anon_inode:[eventpoll]"). */
export function fileNameBytes(file: File, ptr: usize, max: u32): i32 {
  if (!file.dentry) return anonNameBytes(changetype<string>(file.name), inodeOf(file.inode).ino, ptr, max); // SAFETY: literal
  const d = dentryOf(file.dentry);
  if (d.flags & DentryFlag.NAMELESS) {
    if (max < 300) return -(<i32>Errno.NAMETOOLONG);
    if (d.flags & DentryFlag.UNLINKED) { // a memfd
      store<u8>(ptr, 0x2f);
      memory.copy(ptr + 1, d.namePtr, d.nameLength);
      return <i32>(1 + d.nameLength + bytesFromString(ptr + 1 + d.nameLength, DELETED));
    }
    memory.copy(ptr, d.namePtr, d.nameLength);
    return <i32>(d.nameLength + inodeNumberBytes(inodeOf(file.inode).ino, ptr + d.nameLength));
  }
  const path = pathAt(scratchPush(offsetof<Path>()));
  path.mount = file.mount;
  path.dentry = file.dentry;
  const length = pathToBytes(path, ptr, max);
  scratchPop(offsetof<Path>());
  return length;
}

/** "[x]" becomes "anon_inode:[x]", anything else "x:[ino]". */
function anonNameBytes(name: string, ino: u64, ptr: usize, max: u32): i32 {
  if (<u32>name.length + 40 > max) return -(<i32>Errno.NAMETOOLONG);
  if (name.charCodeAt(0) != 0x5b) {
    const length = bytesFromString(ptr, name);
    return <i32>(length + inodeNumberBytes(ino, ptr + length));
  }
  const prefix = bytesFromString(ptr, "anon_inode:");
  return <i32>(prefix + bytesFromString(ptr + prefix, name));
}

/** ":[ino]" */
function inodeNumberBytes(ino: u64, ptr: usize): u32 {
  let digits: u32 = 1;
  for (let rest = ino; rest >= 10; rest /= 10) digits++;
  store<u8>(ptr, 0x3a);
  store<u8>(ptr + 1, 0x5b);
  for (let i: u32 = digits; i > 0; i--) {
    store<u8>(ptr + 1 + i, <u8>(0x30 + ino % 10));
    ino /= 10;
  }
  store<u8>(ptr + 2 + digits, 0x5d);
  store<u8>(ptr + 3 + digits, 0);
  return digits + 3;
}

/** True when the context's working directory was removed. */
export function cwdIsGone(fs: FsContext): bool {
  return (dentryOf(fs.cwdDentry).flags & DentryFlag.UNLINKED) != 0;
}
