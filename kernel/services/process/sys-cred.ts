/**
 * System calls on user and group ids. The id "-1" (0xffffffff) means "leave as it is" where the call allows it.
 *
 * Spec  setresuid(2), setreuid(2), setuid(2), setfsuid(2), setgroups(2); POSIX.1-2017 for the id rules.
 */
import { userCopyIn, userCopyOut, userStore32 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { kfree, kmalloc } from "../../core/mm/slab";
import {
  Cap, capable, credFixCapabilities, credFixFsCapabilities, credHas, credModify, NGROUPS_MAX,
} from "./cred";
import { Cred, currentCred, currentProcess } from "./process";

const KEEP: u32 = 0xffffffff;

export function sysGetuid(): i64 { return <i64>currentCred().uid; }
export function sysGeteuid(): i64 { return <i64>currentCred().euid; }
export function sysGetgid(): i64 { return <i64>currentCred().gid; }
export function sysGetegid(): i64 { return <i64>currentCred().egid; }

function isOwnUid(cred: Cred, uid: u32): bool {
  return uid == KEEP || uid == cred.uid || uid == cred.euid || uid == cred.suid;
}

function isOwnGid(cred: Cred, gid: u32): bool {
  return gid == KEEP || gid == cred.gid || gid == cred.egid || gid == cred.sgid;
}

/** Stores new user ids (KEEP allowed) with what follows from them: fsuid, capabilities, dumpability. */
function uidsChange(uid: u32, euid: u32, suid: u32): i64 {
  const process = currentProcess();
  const cred = credModify(process);
  if (!cred) return -Errno.NOMEM;
  const oldUid = cred.uid;
  const oldEuid = cred.euid;
  const oldSuid = cred.suid;
  if (uid != KEEP) cred.uid = uid;
  if (euid != KEEP) cred.euid = euid;
  if (suid != KEEP) cred.suid = suid;
  cred.fsuid = cred.euid;
  credFixCapabilities(cred, oldUid, oldEuid, oldSuid, process.keepCaps != 0);
  if (cred.euid != oldEuid) process.dumpable = 0;
  return 0;
}

function gidsChange(gid: u32, egid: u32, sgid: u32): i64 {
  const process = currentProcess();
  const cred = credModify(process);
  if (!cred) return -Errno.NOMEM;
  if (cred.egid != egid && egid != KEEP) process.dumpable = 0;
  if (gid != KEEP) cred.gid = gid;
  if (egid != KEEP) cred.egid = egid;
  if (sgid != KEEP) cred.sgid = sgid;
  cred.fsgid = cred.egid;
  return 0;
}

export function sysSetuid(uid: u32): i64 {
  if (uid == KEEP) return -Errno.INVAL;
  const cred = currentCred();
  if (credHas(cred, Cap.SETUID)) return uidsChange(uid, uid, uid);
  if (uid != cred.uid && uid != cred.suid) return -Errno.PERM;
  return uidsChange(KEEP, uid, KEEP);
}

export function sysSetgid(gid: u32): i64 {
  if (gid == KEEP) return -Errno.INVAL;
  const cred = currentCred();
  if (credHas(cred, Cap.SETGID)) return gidsChange(gid, gid, gid);
  if (gid != cred.gid && gid != cred.sgid) return -Errno.PERM;
  return gidsChange(KEEP, gid, KEEP);
}

export function sysSetreuid(ruid: u32, euid: u32): i64 {
  const cred = currentCred();
  if (!credHas(cred, Cap.SETUID)) {
    if (ruid != KEEP && ruid != cred.uid && ruid != cred.euid) return -Errno.PERM;
    if (!isOwnUid(cred, euid)) return -Errno.PERM;
  }
  const newEuid = euid == KEEP ? cred.euid : euid;
  const setsSaved = ruid != KEEP || (euid != KEEP && euid != cred.uid);
  return uidsChange(ruid, euid, setsSaved ? newEuid : KEEP);
}

export function sysSetregid(rgid: u32, egid: u32): i64 {
  const cred = currentCred();
  if (!credHas(cred, Cap.SETGID)) {
    if (rgid != KEEP && rgid != cred.gid && rgid != cred.egid) return -Errno.PERM;
    if (!isOwnGid(cred, egid)) return -Errno.PERM;
  }
  const newEgid = egid == KEEP ? cred.egid : egid;
  const setsSaved = rgid != KEEP || (egid != KEEP && egid != cred.gid);
  return gidsChange(rgid, egid, setsSaved ? newEgid : KEEP);
}

export function sysSetresuid(ruid: u32, euid: u32, suid: u32): i64 {
  const cred = currentCred();
  const isAllowed = credHas(cred, Cap.SETUID) ||
    (isOwnUid(cred, ruid) && isOwnUid(cred, euid) && isOwnUid(cred, suid));
  return isAllowed ? uidsChange(ruid, euid, suid) : -Errno.PERM;
}

export function sysSetresgid(rgid: u32, egid: u32, sgid: u32): i64 {
  const cred = currentCred();
  const isAllowed = credHas(cred, Cap.SETGID) ||
    (isOwnGid(cred, rgid) && isOwnGid(cred, egid) && isOwnGid(cred, sgid));
  return isAllowed ? gidsChange(rgid, egid, sgid) : -Errno.PERM;
}

function storeThree(va0: u64, va1: u64, va2: u64, a: u32, b: u32, c: u32): i64 {
  if (userStore32(va0, a) != 0 || userStore32(va1, b) != 0 || userStore32(va2, c) != 0) return -Errno.FAULT;
  return 0;
}

export function sysGetresuid(ruidVa: u64, euidVa: u64, suidVa: u64): i64 {
  const cred = currentCred();
  return storeThree(ruidVa, euidVa, suidVa, cred.uid, cred.euid, cred.suid);
}

export function sysGetresgid(rgidVa: u64, egidVa: u64, sgidVa: u64): i64 {
  const cred = currentCred();
  return storeThree(rgidVa, egidVa, sgidVa, cred.gid, cred.egid, cred.sgid);
}

/** Answers the previous id in every case; an id that is not allowed just does not take effect. */
export function sysSetfsuid(uid: u32): i64 {
  const old = currentCred();
  const before = old.fsuid;
  if (uid == KEEP || uid == before) return <i64>before;
  if (!isOwnUid(old, uid) && !credHas(old, Cap.SETUID)) return <i64>before;
  const cred = credModify(currentProcess());
  if (!cred) return <i64>before;
  cred.fsuid = uid;
  credFixFsCapabilities(cred, before);
  return <i64>before;
}

export function sysSetfsgid(gid: u32): i64 {
  const old = currentCred();
  const before = old.fsgid;
  if (gid == KEEP || gid == before) return <i64>before;
  if (!isOwnGid(old, gid) && !credHas(old, Cap.SETGID)) return <i64>before;
  const cred = credModify(currentProcess());
  if (cred) cred.fsgid = gid;
  return <i64>before;
}

export function sysGetgroups(size: i32, listVa: u64): i64 {
  const cred = currentCred();
  if (size < 0) return -Errno.INVAL;
  if (size == 0) return <i64>cred.groupCount;
  if (<u32>size < cred.groupCount) return -Errno.INVAL;
  if (cred.groupCount != 0 && userCopyOut(listVa, cred.groups, cred.groupCount << 2) != 0) return -Errno.FAULT;
  return <i64>cred.groupCount;
}

export function sysSetgroups(size: u64, listVa: u64): i64 {
  if (!capable(Cap.SETGID)) return -Errno.PERM;
  if (size > <u64>NGROUPS_MAX) return -Errno.INVAL;
  const count = <u32>size;
  let groups: usize = 0;
  if (count != 0) {
    groups = kmalloc(count << 2);
    if (groups == 0) return -Errno.NOMEM;
    if (userCopyIn(groups, listVa, count << 2) != 0) {
      kfree(groups);
      return -Errno.FAULT;
    }
  }
  const cred = credModify(currentProcess());
  if (!cred) {
    if (groups != 0) kfree(groups);
    return -Errno.NOMEM;
  }
  if (cred.groups != 0) kfree(cred.groups);
  cred.groups = <u32>groups;
  cred.groupCount = count;
  return 0;
}
