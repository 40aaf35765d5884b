/** mount, umount2, pivot_root. */
import { userCopyString } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { kfree, kmalloc } from "../../core/mm/slab";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { Path, dentryOf, mountOf } from "./types";
import { dentryGet } from "./dcache";
import { MountFlag, mountGet, pathPut } from "./mount";
import { Cap, credHasCap, credNow } from "./credentials";
import { AT_FDCWD, WalkFlag } from "./walk";
import { AT_SYMLINK_NOFOLLOW, pathAt, pathLookupUser, pathWalk } from "./namei";
import { isPropagationOnly, mountAdd, mountBind, mountMove, mountPivot, mountRemount, mountRemove } from "./mount-ops";
import { FsContext, fsCwdSet, fsNow, fsRootSet } from "./fs-context";
import { bytesFromString } from "./name";
import { pathBuffer } from "./path-buffer";

const MAGIC: u32 = 0xc0ed0000;
const MAGIC_MASK: u32 = 0xffff0000;
const TYPE_MAX: u32 = 64;
const OPTIONS_MAX: u32 = 4096;
const UMOUNT_KNOWN: u32 = 15;
const UMOUNT_EXPIRE: u32 = 4;
const UMOUNT_NOFOLLOW: u32 = 8;

/** Buffers of one mount call: source, type, options. */
const SOURCE_AT: u32 = 0;
const TYPE_AT: u32 = 4096;
const OPTIONS_AT: u32 = 4096 + 64;
const BUFFER_BYTES: u32 = 4096 + 64 + 4096 + 8;

export function sysMount(sourceVa: u64, targetVa: u64, typeVa: u64, flags: u32, dataVa: u64): i64 {
  if ((flags & MAGIC_MASK) == MAGIC) flags &= ~MAGIC_MASK;
  const buffer = kmalloc(BUFFER_BYTES);
  if (!buffer) return -(<i64>Errno.NOMEM);
  let r: i64 = stringFetch(buffer + SOURCE_AT, sourceVa, OPTIONS_MAX);
  if (r >= 0) r = stringFetch(buffer + TYPE_AT, typeVa, TYPE_MAX);
  if (r >= 0) r = stringFetch(buffer + OPTIONS_AT, dataVa, OPTIONS_MAX);
  if (r >= 0) r = mountAtTarget(buffer, targetVa, flags);
  kfree(buffer);
  return r;
}

/** A user string, or "" for a null pointer. */
function stringFetch(ptr: usize, va: u64, max: u32): i64 {
  if (va) return userCopyString(ptr, va, max);
  store<u8>(ptr, 0);
  return 0;
}

function mountAtTarget(buffer: usize, targetVa: u64, flags: u32): i64 {
  const place = pathAt(scratchPush(offsetof<Path>()));
  let r = pathLookupUser(AT_FDCWD, targetVa, 0, place);
  if (r == 0) {
    r = credHasCap(credNow(), Cap.SYS_ADMIN) ? mountDispatch(buffer, place, flags) : -(<i32>Errno.PERM);
    pathPut(place);
  }
  scratchPop(offsetof<Path>());
  return r;
}

function mountDispatch(buffer: usize, place: Path, flags: u32): i32 {
  if (flags & MountFlag.REMOUNT) return mountRemount(place, flags, buffer + OPTIONS_AT);
  if (flags & MountFlag.BIND) return fromSource(buffer, place, flags);
  if (isPropagationOnly(flags)) return 0;
  if (flags & MountFlag.MOVE) return fromSource(buffer, place, flags);
  if (!load<u8>(buffer + TYPE_AT)) return -(<i32>Errno.INVAL);
  return mountAdd(place, buffer + TYPE_AT, buffer + SOURCE_AT, flags, buffer + OPTIONS_AT);
}

/** MS_BIND and MS_MOVE name a path as their source. */
function fromSource(buffer: usize, place: Path, flags: u32): i32 {
  const from = pathAt(scratchPush(offsetof<Path>()));
  let r = pathWalk(AT_FDCWD, buffer + SOURCE_AT, WalkFlag.FOLLOW, from);
  if (r == 0) {
    r = flags & MountFlag.BIND ? mountBind(from, place, flags) : mountMove(from, place);
    pathPut(from);
  }
  scratchPop(offsetof<Path>());
  return r;
}

export function sysUmount2(targetVa: u64, flags: u32): i64 {
  if (flags & ~UMOUNT_KNOWN) return -(<i64>Errno.INVAL);
  const place = pathAt(scratchPush(offsetof<Path>()));
  let r = pathLookupUser(AT_FDCWD, targetVa, flags & UMOUNT_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0, place);
  // The first MNT_EXPIRE of an idle mount only marks it; without marks the answer is that it is not expired yet.
  const isAllowed = credHasCap(credNow(), Cap.SYS_ADMIN);
  if (r == 0 && (!isAllowed || flags & UMOUNT_EXPIRE)) {
    pathPut(place);
    r = isAllowed ? -(<i32>Errno.AGAIN) : -(<i32>Errno.PERM);
  } else if (r == 0) {
    r = mountRemove(place, flags);
  }
  scratchPop(offsetof<Path>());
  return r;
}

export function sysPivotRoot(newVa: u64, oldVa: u64): i64 {
  if (!credHasCap(credNow(), Cap.SYS_ADMIN)) return -(<i64>Errno.PERM);
  const newRoot = pathAt(scratchPush(offsetof<Path>()));
  const putOld = pathAt(scratchPush(offsetof<Path>()));
  let r = pathLookupUser(AT_FDCWD, newVa, 0, newRoot);
  if (r == 0) {
    r = pathLookupUser(AT_FDCWD, oldVa, 0, putOld);
    if (r == 0) {
      r = pivotFor(newRoot, putOld, fsNow());
      pathPut(putOld);
    }
    pathPut(newRoot);
  }
  scratchPop(offsetof<Path>());
  scratchPop(offsetof<Path>());
  return r;
}

function pivotFor(newRoot: Path, putOld: Path, fs: FsContext): i32 {
  const oldMount = fs.rootMount;
  const oldDentry = fs.rootDentry;
  const r = mountPivot(newRoot, putOld, fs);
  if (r < 0) return r;
  const cwdWasRoot = fs.cwdMount == oldMount && fs.cwdDentry == oldDentry;
  fsRootSet(fs, changetype<usize>(mountGet(mountOf(newRoot.mount))), changetype<usize>(dentryGet(dentryOf(newRoot.dentry))));
  if (cwdWasRoot) fsCwdSet(fs, changetype<usize>(mountGet(mountOf(newRoot.mount))), changetype<usize>(dentryGet(dentryOf(newRoot.dentry))));
  return 0;
}

/** mount -t type source at target, as the kernel during boot. 0 or -errno. */
export function vfsMount(source: string, target: string, typeName: string, flags: u32): i32 {
  const buffer = kmalloc(256);
  const path = pathBuffer();
  if (!buffer || !path) return -(<i32>Errno.NOMEM);
  bytesFromString(buffer, source);
  bytesFromString(buffer + 128, typeName);
  store<u8>(buffer + 192, 0);
  bytesFromString(path, target);
  const place = pathAt(scratchPush(offsetof<Path>()));
  let r = pathWalk(AT_FDCWD, path, WalkFlag.FOLLOW, place);
  if (r == 0) {
    r = mountAdd(place, buffer + 128, buffer, flags, buffer + 192);
    pathPut(place);
  }
  scratchPop(offsetof<Path>());
  kfree(buffer);
  return r;
}
