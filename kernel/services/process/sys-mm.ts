/**
 * The memory system calls: decode and check, then act on the caller's address space.
 *
 * Spec  mmap(2), munmap(2), mprotect(2), brk(2), mremap(2), madvise(2), msync(2), mincore(2), mlock(2).
 */
import { userCopyOut } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { mmAdvise, mmResident, mmSync } from "../../core/mm/advise";
import { PAGE_MASK, pageAlignUp, userRangeOk } from "../../core/mm/layout";
import { AddressSpace, mmOf } from "../../core/mm/mm-struct";
import { MapFlag, mmBrk, mmMap, mmProtect, mmUnmap } from "../../core/mm/mmap";
import { LockKind, mmLockAll, mmLockRange, mmUnlockAll } from "../../core/mm/page-lock";
import { mmRemap } from "../../core/mm/remap";
import { currentTask } from "../../core/sched/cpu";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { fdGet } from "../vfs/fd-table";
import { filePut } from "../vfs/file";

const MINCORE_CHUNK: u32 = 128;
const MLOCK_ONFAULT: u32 = 1;

function currentMm(): AddressSpace {
  return mmOf(currentTask().mm);
}

/** mmap(2). */
export function sysMmap(addr: u64, len: u64, prot: u32, flags: u32, fd: i32, off: u64): i64 {
  if (off & PAGE_MASK) return -Errno.INVAL;
  if (flags & MapFlag.ANONYMOUS) return mmMap(currentMm(), addr, len, prot, flags, 0, off >> 12);
  const file = fdGet(fd);
  if (!file) return -Errno.BADF;
  const result = mmMap(currentMm(), addr, len, prot, flags, changetype<usize>(file), off >> 12); // SAFETY: core/mm passes it back to our hooks only
  filePut(file);
  return result;
}

/** munmap(2). */
export function sysMunmap(addr: u64, len: u64): i64 {
  return mmUnmap(currentMm(), addr, len);
}

/** mprotect(2). */
export function sysMprotect(addr: u64, len: u64, prot: u32): i64 {
  return mmProtect(currentMm(), addr, len, prot);
}

/** brk(2): never fails, answers where the break is. */
export function sysBrk(addr: u64): i64 {
  return mmBrk(currentMm(), addr);
}

/** mremap(2). */
export function sysMremap(addr: u64, oldLen: u64, newLen: u64, flags: u32, newAddr: u64): i64 {
  return mmRemap(currentMm(), addr, oldLen, newLen, flags, newAddr);
}

/** madvise(2). */
export function sysMadvise(addr: u64, len: u64, advice: u32): i64 {
  return mmAdvise(currentMm(), addr, len, advice);
}

/** msync(2). */
export function sysMsync(addr: u64, len: u64, flags: u32): i64 {
  return mmSync(currentMm(), addr, len, flags);
}

/** mincore(2), by chunks: the answer is copied out with no lock held. */
export function sysMincore(addr: u64, len: u64, vec: u64): i64 {
  if (addr & PAGE_MASK) return -Errno.INVAL;
  const pages = pageAlignUp(len) >> 12;
  if (!userRangeOk(addr, len)) return -Errno.NOMEM;
  if (!userRangeOk(vec, pages)) return -Errno.FAULT;
  const buffer = scratchPush(MINCORE_CHUNK);
  let result: i32 = 0;
  for (let done: u64 = 0; done < pages && !result; done += MINCORE_CHUNK) {
    const count = <u32>min<u64>(MINCORE_CHUNK, pages - done);
    result = mmResident(currentMm(), addr + (done << 12), count, buffer);
    if (!result) result = userCopyOut(vec + done, buffer, count);
  }
  scratchPop(MINCORE_CHUNK);
  return result;
}

/** mlock(2). */
export function sysMlock(addr: u64, len: u64): i64 {
  return mmLockRange(currentMm(), addr, len, LockKind.LOCK);
}

/** mlock2(2). */
export function sysMlock2(addr: u64, len: u64, flags: u32): i64 {
  if (flags & ~MLOCK_ONFAULT) return -Errno.INVAL;
  return mmLockRange(currentMm(), addr, len, flags & MLOCK_ONFAULT ? LockKind.ON_FAULT : LockKind.LOCK);
}

/** munlock(2). */
export function sysMunlock(addr: u64, len: u64): i64 {
  return mmLockRange(currentMm(), addr, len, LockKind.UNLOCK);
}

/** mlockall(2). */
export function sysMlockall(flags: u32): i64 {
  return mmLockAll(currentMm(), flags);
}

/** munlockall(2). */
export function sysMunlockall(): i64 {
  mmUnlockAll(currentMm());
  return 0;
}
