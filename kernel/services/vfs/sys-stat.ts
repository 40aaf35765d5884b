/** stat and its family, access, statfs. */
import { Errno } from "../../abi/errno";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { Cred } from "../process/process";
import { File, FileMode, Inode, Mount, Path, dentryOf, inodeOf, isErrPtr, mountOf, superOf } from "./types";
import { MountFlag, mountWritable, pathPut } from "./mount";
import { May, credNow, credPermission } from "./credentials";
import { AT_FDCWD, WalkFlag } from "./walk";
import { AT_EACCESS, AT_EMPTY_PATH, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW, pathAt, pathLookup, pathWalk } from "./namei";
import { pathFetch } from "./path-buffer";
import { fdBorrow, fdReturn, heldFile } from "./fd-table";
import { statOut, statfsOut, statxOut } from "./stat-buf";

const AT_STATX_SYNC: u32 = 0x6000;
const STATX_RESERVED: u32 = 0x80000000;

export function sysStat(pathVa: u64, statVa: u64): i64 {
  return statPath(AT_FDCWD, pathVa, WalkFlag.FOLLOW, statVa);
}

export function sysLstat(pathVa: u64, statVa: u64): i64 {
  return statPath(AT_FDCWD, pathVa, 0, statVa);
}

export function sysFstat(fd: i32, statVa: u64): i64 {
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  const r = statOut(inodeOf(heldFile(held).inode), statVa);
  fdReturn(held);
  return r;
}

export function sysNewfstatat(dirFd: i32, pathVa: u64, statVa: u64, flags: u32): i64 {
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH)) return -(<i64>Errno.INVAL);
  const path = pathFetch(pathVa);
  if (isErrPtr(path)) return <i32>path;
  if (flags & AT_EMPTY_PATH && !load<u8>(path) && dirFd >= 0) return sysFstat(dirFd, statVa);
  let walk: u32 = flags & AT_SYMLINK_NOFOLLOW ? 0 : WalkFlag.FOLLOW;
  if (flags & AT_EMPTY_PATH) walk |= WalkFlag.EMPTY_OK;
  return statFetched(dirFd, path, walk, statVa);
}

function statPath(dirFd: i32, pathVa: u64, walkFlags: u32, statVa: u64): i64 {
  const path = pathFetch(pathVa);
  return isErrPtr(path) ? <i32>path : statFetched(dirFd, path, walkFlags, statVa);
}

function statFetched(dirFd: i32, path: usize, walkFlags: u32, statVa: u64): i64 {
  const place = pathAt(scratchPush(offsetof<Path>()));
  let r: i64 = pathWalk(dirFd, path, walkFlags, place);
  if (r == 0) {
    r = statOut(inodeOf(dentryOf(place.dentry).inode), statVa);
    pathPut(place);
  }
  scratchPop(offsetof<Path>());
  return r;
}

export function sysStatx(dirFd: i32, pathVa: u64, flags: u32, mask: u32, statxVa: u64): i64 {
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC)) return -(<i64>Errno.INVAL);
  if (mask & STATX_RESERVED || (flags & AT_STATX_SYNC) == AT_STATX_SYNC) return -(<i64>Errno.INVAL);
  const path = pathFetch(pathVa);
  if (isErrPtr(path)) return <i32>path;
  if (flags & AT_EMPTY_PATH && !load<u8>(path) && dirFd >= 0) return statxFd(dirFd, statxVa);
  const place = pathAt(scratchPush(offsetof<Path>()));
  let r: i64 = pathLookup(dirFd, path, flags, place);
  if (r == 0) {
    const mount = mountOf(place.mount);
    r = statxOut(inodeOf(dentryOf(place.dentry).inode), mount, mount.root == place.dentry, statxVa);
    pathPut(place);
  }
  scratchPop(offsetof<Path>());
  return r;
}

function statxFd(fd: i32, statxVa: u64): i64 {
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  const file = heldFile(held);
  const mount: Mount | null = file.mount ? mountOf(file.mount) : null;
  const isRoot = mount != null && mountOf(file.mount).root == file.dentry;
  const r = statxOut(inodeOf(file.inode), mount, isRoot, statxVa);
  fdReturn(held);
  return r;
}

export function sysAccess(pathVa: u64, mode: u32): i64 {
  return accessAt(AT_FDCWD, pathVa, mode, 0);
}

export function sysFaccessat(dirFd: i32, pathVa: u64, mode: u32): i64 {
  return accessAt(dirFd, pathVa, mode, 0);
}

export function sysFaccessat2(dirFd: i32, pathVa: u64, mode: u32, flags: u32): i64 {
  if (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return -(<i64>Errno.INVAL);
  return accessAt(dirFd, pathVa, mode, flags);
}

function accessAt(dirFd: i32, pathVa: u64, mode: u32, flags: u32): i64 {
  if (mode & ~7) return -(<i64>Errno.INVAL);
  const path = pathFetch(pathVa);
  if (isErrPtr(path)) return <i32>path;
  const place = pathAt(scratchPush(offsetof<Path>()));
  let r = pathLookup(dirFd, path, flags, place);
  if (r == 0) {
    r = accessPlace(place, mode, flags);
    pathPut(place);
  }
  scratchPop(offsetof<Path>());
  return r;
}

function accessPlace(place: Path, mode: u32, flags: u32): i32 {
  const inode = inodeOf(dentryOf(place.dentry).inode);
  const kind = inode.mode & <u32>FileMode.IFMT;
  if (mode & May.EXEC && kind == FileMode.IFREG && mountOf(place.mount).flags & MountFlag.NOEXEC) return -(<i32>Errno.ACCES);
  if (mode) {
    const denied = flags & AT_EACCESS ? credPermission(credNow(), inode, mode) : realPermission(inode, mode);
    if (denied) return denied;
  }
  const isStored = kind == FileMode.IFREG || kind == FileMode.IFDIR || kind == FileMode.IFLNK;
  return mode & May.WRITE && isStored ? mountWritable(place.mount) : 0;
}

/** access(2) asks for the real user: root's powers count only when root is who runs the program. */
function realPermission(inode: Inode, mask: u32): i32 {
  const now = credNow();
  if (now.uid == now.fsuid && now.gid == now.fsgid) return credPermission(now, inode, mask);
  const real = changetype<Cred>(scratchPush(offsetof<Cred>())); // SAFETY: scratch of that size
  memory.copy(changetype<usize>(real), changetype<usize>(now), offsetof<Cred>());
  real.fsuid = now.uid;
  real.fsgid = now.gid;
  real.capEffective = now.uid ? 0 : now.capPermitted;
  const r = credPermission(real, inode, mask);
  scratchPop(offsetof<Cred>());
  return r;
}

export function sysStatfs(pathVa: u64, bufVa: u64): i64 {
  const path = pathFetch(pathVa);
  if (isErrPtr(path)) return <i32>path;
  const place = pathAt(scratchPush(offsetof<Path>()));
  let r: i64 = pathWalk(AT_FDCWD, path, WalkFlag.FOLLOW, place);
  if (r == 0) {
    r = statfsOut(superOf(dentryOf(place.dentry).sb), mountOf(place.mount).flags, bufVa);
    pathPut(place);
  }
  scratchPop(offsetof<Path>());
  return r;
}

export function sysFstatfs(fd: i32, bufVa: u64): i64 {
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  const file: File = heldFile(held);
  const r = statfsOut(superOf(inodeOf(file.inode).sb), file.mount ? mountOf(file.mount).flags : 0, bufVa);
  fdReturn(held);
  return r;
}
