/**
 * The system's names: uname, sethostname, setdomainname.
 *
 * Locking  utsLock guards the two names that can change.
 * Spec     uname(2): six fields of 65 bytes.
 */
import { userCopyIn, userCopyOut } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";
import { Cap, capable } from "./cred";

const FIELD: u32 = 65;
const NAME_MAX: u32 = 64;
const UTS_BYTES: u32 = 390;
const NODENAME: u32 = 1;
const DOMAINNAME: u32 = 5;

/** struct utsname as uname(2) gives it out. */
export const UTS: usize = memory.data(390, 8);
const utsLock = changetype<SpinLock>(memory.data(16));

export function utsInit(): void {
  spinInit(utsLock, 0);
  fieldPut(0, "Linux");
  fieldPut(NODENAME, "limitlessos");
  fieldPut(2, "6.1.0-limitless");
  fieldPut(3, "#1 SMP PREEMPT LimitlessOS 0.1.0");
  fieldPut(4, "x86_64");
  fieldPut(DOMAINNAME, "(none)");
}

function fieldPut(index: u32, text: string): void {
  const at = changetype<usize>(text); // SAFETY: literals are static data
  for (let i = 0; i < text.length; i++) store<u8>(UTS + index * FIELD + i, load<u8>(at + (<usize>i << 1)));
}

/** Linear address of field `index` (0 sysname … 5 domainname), NUL terminated, for procfs. */
export function utsField(index: u32): usize {
  return UTS + index * FIELD;
}

export function sysUname(va: u64): i64 {
  spinLock(utsLock);
  const ptr = scratchPush(UTS_BYTES);
  memory.copy(ptr, UTS, UTS_BYTES);
  spinUnlock(utsLock);
  const result = userCopyOut(va, ptr, UTS_BYTES);
  scratchPop(UTS_BYTES);
  return result;
}

export function sysSethostname(va: u64, length: u64): i64 {
  return nameSet(NODENAME, va, length);
}

export function sysSetdomainname(va: u64, length: u64): i64 {
  return nameSet(DOMAINNAME, va, length);
}

function nameSet(index: u32, va: u64, length: u64): i64 {
  if (!capable(Cap.SYS_ADMIN)) return -Errno.PERM;
  if (length > <u64>NAME_MAX) return -Errno.INVAL;
  const ptr = scratchPush(FIELD);
  memory.fill(ptr, 0, FIELD);
  const result = userCopyIn(ptr, va, <u32>length);
  if (result == 0) {
    spinLock(utsLock);
    memory.copy(UTS + index * FIELD, ptr, FIELD);
    spinUnlock(utsLock);
  }
  scratchPop(FIELD);
  return result;
}
