/**
 * Credentials: who a process is, and the questions the kernel asks about it.
 *
 * Invariants  C1  a Cred with refs > 1 is never written: credModify makes a private copy first.
 * Locking     Process.creds is replaced by the owner under processLock; others read it under processLock or while they
 *             hold a reference to the process (the old Cred is dropped after the lock was free once).
 * Spec        credentials(7), capabilities(7).
 */
import { kfree, kmalloc, kzalloc } from "../../core/mm/slab";
import { Cred, credOf, currentCred, Process } from "./process";

export const enum Cap {
  CHOWN = 0, DAC_OVERRIDE = 1, DAC_READ_SEARCH = 2, FOWNER = 3, FSETID = 4, KILL = 5, SETGID = 6, SETUID = 7, SETPCAP = 8,
  LINUX_IMMUTABLE = 9, NET_BIND_SERVICE = 10, NET_BROADCAST = 11, NET_ADMIN = 12, NET_RAW = 13, IPC_LOCK = 14,
  IPC_OWNER = 15, SYS_MODULE = 16, SYS_RAWIO = 17, SYS_CHROOT = 18, SYS_PTRACE = 19, SYS_PACCT = 20, SYS_ADMIN = 21,
  SYS_BOOT = 22, SYS_NICE = 23, SYS_RESOURCE = 24, SYS_TIME = 25, SYS_TTY_CONFIG = 26, MKNOD = 27, LEASE = 28,
}

/** Every capability Linux 6.1 knows (0..40). */
export const CAP_ALL: u64 = (<u64>1 << 41) - 1;
/** Most supplementary groups. */
export const NGROUPS_MAX: u32 = 65536;

/** File-system capabilities that follow the fsuid: CHOWN..FSETID, LINUX_IMMUTABLE, MKNOD. */
const CAP_FS_SET: u64 = 0x1f | (1 << 9) | (1 << 27);
const SECBIT_KEEP_CAPS: u32 = 1 << 4;
const SECBIT_NO_SETUID_FIXUP: u32 = 1 << 2;

/** The credentials of the first process: root with every capability; one reference, or 0. */
export function credNewRoot(): u32 {
  const ptr = <u32>kzalloc(offsetof<Cred>());
  if (ptr == 0) return 0;
  const cred = credOf(ptr);
  cred.refs = 1;
  cred.capEffective = CAP_ALL;
  cred.capPermitted = CAP_ALL;
  cred.capBounding = CAP_ALL;
  return ptr;
}

export function credGet(address: u32): u32 {
  atomic.add<u32>(address, 1);
  return address;
}

export function credPut(address: u32): void {
  if (atomic.sub<u32>(address, 1) != 1) return;
  const cred = credOf(address);
  if (cred.groups != 0) kfree(cred.groups);
  kfree(address);
}

/** A private copy of `from` with one reference, or 0. */
export function credCopy(from: Cred): u32 {
  const ptr = <u32>kmalloc(offsetof<Cred>());
  if (ptr == 0) return 0;
  memory.copy(ptr, changetype<usize>(from), offsetof<Cred>());
  const cred = credOf(ptr);
  cred.refs = 1;
  if (from.groups == 0) return ptr;
  cred.groups = <u32>kmalloc(max<u32>(from.groupCount, 1) << 2);
  if (cred.groups == 0) {
    kfree(ptr);
    return 0;
  }
  memory.copy(cred.groups, from.groups, <usize>from.groupCount << 2);
  return ptr;
}

/** The credentials of `process`, made private so that the owner may change them (C1); null when memory is full. */
export function credModify(process: Process): Cred | null {
  const old = process.creds;
  if (atomic.load<u32>(old) == 1) return credOf(old);
  const copy = credCopy(credOf(old));
  if (copy == 0) return null;
  process.creds = copy;
  credPut(old);
  return credOf(copy);
}

export function credHas(cred: Cred, cap: u32): bool {
  return ((cred.capEffective >> <u64>cap) & 1) != 0;
}

/** True when the caller holds the capability. */
export function capable(cap: u32): bool {
  return credHas(currentCred(), cap);
}

/**
 * What a change of user ids does to the capability sets: leaving root drops them, becoming root gains them.
 * `old*` are the ids before the change. capabilities(7), "Effect of user ID changes on capabilities".
 */
export function credFixCapabilities(cred: Cred, oldUid: u32, oldEuid: u32, oldSuid: u32, keepCaps: bool): void {
  if (cred.securebits & SECBIT_NO_SETUID_FIXUP) return;
  const hadRoot = oldUid == 0 || oldEuid == 0 || oldSuid == 0;
  const hasRoot = cred.uid == 0 || cred.euid == 0 || cred.suid == 0;
  if (hadRoot && !hasRoot) {
    if (!keepCaps && (cred.securebits & SECBIT_KEEP_CAPS) == 0) {
      cred.capPermitted = 0;
      cred.capEffective = 0;
    }
    cred.capAmbient = 0;
  }
  if (oldEuid == 0 && cred.euid != 0) cred.capEffective = 0;
  if (oldEuid != 0 && cred.euid == 0) cred.capEffective = cred.capPermitted;
}

/** The same for a change of the file-system user id alone. */
export function credFixFsCapabilities(cred: Cred, oldFsuid: u32): void {
  if (oldFsuid == 0 && cred.fsuid != 0) cred.capEffective &= ~CAP_FS_SET;
  if (oldFsuid != 0 && cred.fsuid == 0) cred.capEffective |= cred.capPermitted & CAP_FS_SET;
}

/** execve: the capability sets of the new program (file capabilities do not exist; root gets the bounding set). */
export function credFixForExec(cred: Cred): void {
  if (cred.euid == 0 || cred.uid == 0) {
    cred.capPermitted = cred.capBounding | cred.capInheritable;
    cred.capEffective = cred.euid == 0 ? cred.capPermitted : 0;
    return;
  }
  cred.capPermitted = cred.capAmbient;
  cred.capEffective = cred.capAmbient;
}

/** kill(2): may `sender` signal a process with credentials `target`? SIGCONT within a session is the caller's affair. */
export function credMaySignal(sender: Cred, target: Cred): bool {
  if (sender.euid == target.suid || sender.euid == target.uid) return true;
  if (sender.uid == target.suid || sender.uid == target.uid) return true;
  return credHas(sender, Cap.KILL);
}
