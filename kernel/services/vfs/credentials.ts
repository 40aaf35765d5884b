/**
 * Who is asking: the caller's credentials and context, and whether an inode's mode lets it.
 *
 * Before the first process exists (unpacking the initramfs) the asker is root at the root directory.
 */
import { Errno } from "../../abi/errno";
import { currentTask } from "../../core/sched/cpu";
import { Cred, credOf, processOf } from "../process/process";
import { FileMode, Inode, superOf } from "./types";

export const enum Cap { // linux/capability.h
  CHOWN = 0, DAC_OVERRIDE = 1, DAC_READ_SEARCH = 2, FOWNER = 3, FSETID = 4, KILL = 5, LEASE = 28, SYS_CHROOT = 18,
  SYS_ADMIN = 21, SYS_RESOURCE = 24, MKNOD = 27,
}
export const enum May { EXEC = 1, WRITE = 2, READ = 4 }

const BOOT_CRED = changetype<Cred>(memory.data(offsetof<Cred>(), 8));

export function credentialsInit(): void {
  memory.fill(changetype<usize>(BOOT_CRED), 0, offsetof<Cred>());
  BOOT_CRED.refs = 1;
  BOOT_CRED.capEffective = 0x1ffffffffff;
  BOOT_CRED.capPermitted = 0x1ffffffffff;
}

/** The caller's credentials; root's before the first process. */
export function credNow(): Cred {
  const process = currentTask().process;
  return process ? credOf(processOf(process).creds) : BOOT_CRED;
}

export function credHasCap(cred: Cred, cap: u32): bool {
  return (cred.capEffective >> <u64>cap & 1) != 0;
}

/** True when `gid` is the file-system group or one of the supplementary groups. */
export function credInGroup(cred: Cred, gid: u32): bool {
  if (cred.fsgid == gid) return true;
  for (let i: u32 = 0; i < cred.groupCount; i++) {
    if (load<u32>(<usize>cred.groups + (i << 2)) == gid) return true;
  }
  return false;
}

/** 0 when the caller may do `mask` (May bits) to `inode`, else -EACCES. */
export function inodePermission(inode: Inode, mask: u32): i32 {
  const mode = inode.mode;
  // Everybody may: the common directory on a path.
  if (!(mask & ~(mode & mode >> 3 & mode >> 6) & 7)) return 0;
  return credPermission(credNow(), inode, mask);
}

/** The same for given credentials. */
export function credPermission(cred: Cred, inode: Inode, mask: u32): i32 {
  const mode = inode.mode;
  let bits = mode;
  if (cred.fsuid == inode.uid) bits >>= 6;
  else if (credInGroup(cred, inode.gid)) bits >>= 3;
  if (!(mask & ~bits & 7)) return 0;

  const isDirectory = (mode & <u32>FileMode.IFMT) == FileMode.IFDIR;
  if (credHasCap(cred, Cap.DAC_OVERRIDE) && (isDirectory || !(mask & May.EXEC) || mode & 0o111)) return 0;
  const searching = isDirectory ? !(mask & May.WRITE) : mask == May.READ;
  if (searching && credHasCap(cred, Cap.DAC_READ_SEARCH)) return 0;
  return -(<i32>Errno.ACCES);
}

/** 0 when the caller owns `inode` or may act as an owner, else -EPERM. */
export function inodeOwnerCheck(inode: Inode): i32 {
  const cred = credNow();
  return cred.fsuid == inode.uid || credHasCap(cred, Cap.FOWNER) ? 0 : -(<i32>Errno.PERM);
}

/** 0 when the caller may remove or rename `inode` out of `dir`, whose write permission was checked: the sticky rule. */
export function stickyCheck(dir: Inode, inode: Inode): i32 {
  if (!(dir.mode & <u32>FileMode.ISVTX)) return 0;
  const cred = credNow();
  if (cred.fsuid == inode.uid || cred.fsuid == dir.uid || credHasCap(cred, Cap.FOWNER)) return 0;
  return -(<i32>Errno.PERM);
}

/** Gives a new inode its owner: the caller, or the directory's group when that is set-group-ID. */
export function inodeOwnerInit(inode: Inode, dir: Inode, mode: u32): void {
  const cred = credNow();
  inode.uid = cred.fsuid;
  inode.gid = cred.fsgid;
  inode.mode = mode;
  if (!(dir.mode & <u32>FileMode.ISGID)) return;
  inode.gid = dir.gid;
  if ((mode & <u32>FileMode.IFMT) == FileMode.IFDIR) inode.mode |= FileMode.ISGID;
  // Nobody makes a program that runs with a group he is not in.
  else if (mode & 0o010 && !credInGroup(cred, dir.gid) && !credHasCap(cred, Cap.FSETID)) inode.mode &= ~<u32>FileMode.ISGID;
}

/** 0, or -EROFS for a regular file, directory or link of a read-only file system. */
export function superWritable(inode: Inode): i32 {
  return superOf(inode.sb).flags & 1 ? -(<i32>Errno.ROFS) : 0;
}
