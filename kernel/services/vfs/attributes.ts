/**
 * Changing an inode's attributes: size, mode, owner, times, with the permission rules of chmod, chown and utimensat.
 *
 * Locking  ...Locked hold Inode.lock.
 */
import { Errno } from "../../abi/errno";
import { realNowNs } from "../../core/time/clock";
import { FileMode, Inode, inodeOpsOf, superOf } from "./types";
import { inodeLock, inodeTouchChanged, inodeTouchModified, inodeUnlock } from "./inode";
import { Cap, May, credHasCap, credInGroup, credNow, inodeOwnerCheck, inodePermission } from "./credentials";

/** Which attributes changed: the `valid` of InodeOps.setattr. */
export const enum AttrValid { MODE = 1, OWNER = 2, SIZE = 4, TIMES = 8 }

/** "Leave it" for an owner or group. */
export const ID_KEEP: u32 = 0xffffffff;
export const UTIME_NOW: i64 = 0x3fffffff;
export const UTIME_OMIT: i64 = 0x3ffffffe;

/** Sets the size of a regular file whose write permission was checked. */
export function truncateLocked(inode: Inode, size: u64): i32 {
  if (size > superOf(inode.sb).maxBytes) return -(<i32>Errno.FBIG);
  const r = inodeOpsOf(inode).truncate(inode, size);
  if (r < 0) return r;
  setIdDropLocked(inode);
  inodeTouchModified(inode);
  return inodeOpsOf(inode).setattr(inode, AttrValid.SIZE);
}

/** A write by somebody without CAP_FSETID takes the set-ID bits away. */
export function setIdDropLocked(inode: Inode): void {
  const mode = inode.mode;
  if (!(mode & (<u32>FileMode.ISUID | <u32>FileMode.ISGID)) || credHasCap(credNow(), Cap.FSETID)) return;
  // Without group execution the set-group-ID bit means mandatory locking and stays.
  inode.mode = mode & ~(<u32>FileMode.ISUID | (mode & 0o010 ? <u32>FileMode.ISGID : 0));
}

/** chmod: 0 or -errno. */
export function inodeChmod(inode: Inode, mode: u32): i32 {
  inodeLock(inode);
  const r = chmodLocked(inode, mode & 0o7777);
  inodeUnlock(inode);
  return r;
}

function chmodLocked(inode: Inode, mode: u32): i32 {
  const denied = inodeOwnerCheck(inode);
  if (denied) return denied;
  const cred = credNow();
  if (mode & <u32>FileMode.ISGID && !credInGroup(cred, inode.gid) && !credHasCap(cred, Cap.FSETID)) mode &= ~<u32>FileMode.ISGID;
  inode.mode = (inode.mode & <u32>FileMode.IFMT) | mode;
  inodeTouchChanged(inode);
  return inodeOpsOf(inode).setattr(inode, AttrValid.MODE);
}

/** chown: ID_KEEP leaves one alone. 0 or -errno. */
export function inodeChown(inode: Inode, uid: u32, gid: u32): i32 {
  inodeLock(inode);
  const r = chownLocked(inode, uid, gid);
  inodeUnlock(inode);
  return r;
}

function chownLocked(inode: Inode, uid: u32, gid: u32): i32 {
  const cred = credNow();
  if (!credHasCap(cred, Cap.CHOWN)) {
    const owns = cred.fsuid == inode.uid;
    if (uid != ID_KEEP && (!owns || uid != inode.uid)) return -(<i32>Errno.PERM);
    if (gid != ID_KEEP && (!owns || (gid != inode.gid && !credInGroup(cred, gid)))) return -(<i32>Errno.PERM);
  }
  if (uid != ID_KEEP) inode.uid = uid;
  if (gid != ID_KEEP) inode.gid = gid;
  // Whoever gets a file does not get the right to become its former owner.
  const mode = inode.mode;
  if ((mode & <u32>FileMode.IFMT) != FileMode.IFDIR) {
    inode.mode = mode & ~(<u32>FileMode.ISUID | (mode & 0o010 ? <u32>FileMode.ISGID : 0));
  }
  inodeTouchChanged(inode);
  return inodeOpsOf(inode).setattr(inode, AttrValid.OWNER);
}

/** utimensat: ns since the epoch, TIME_KEEP or TIME_NOW. 0 or -errno. */
export function inodeSetTimes(inode: Inode, atimeNs: i64, mtimeNs: i64): i32 {
  inodeLock(inode);
  const r = setTimesLocked(inode, atimeNs, mtimeNs);
  inodeUnlock(inode);
  return r;
}
export const TIME_KEEP: i64 = i64.MIN_VALUE;
export const TIME_NOW: i64 = i64.MIN_VALUE + 1;

function setTimesLocked(inode: Inode, atimeNs: i64, mtimeNs: i64): i32 {
  if (atimeNs == TIME_KEEP && mtimeNs == TIME_KEEP) return 0;
  const cred = credNow();
  const owns = cred.fsuid == inode.uid || credHasCap(cred, Cap.FOWNER);
  if (!owns) {
    if (atimeNs != TIME_NOW || mtimeNs != TIME_NOW) return -(<i32>Errno.PERM);
    const denied = inodePermission(inode, May.WRITE);
    if (denied) return denied;
  }
  const now = realNowNs();
  if (atimeNs != TIME_KEEP) inode.atimeNs = atimeNs == TIME_NOW ? now : <u64>atimeNs;
  if (mtimeNs != TIME_KEEP) inode.mtimeNs = mtimeNs == TIME_NOW ? now : <u64>mtimeNs;
  inode.ctimeNs = now;
  return inodeOpsOf(inode).setattr(inode, AttrValid.TIMES);
}
