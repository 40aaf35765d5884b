/**
 * capget and capset: the three capability sets as two 32-bit words each.
 *
 * Spec  capget(2); header { version, pid }, data { effective, permitted, inheritable }[2]
 */
import { userCopyIn, userCopyOut, userStore32 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { Cap, CAP_ALL, credHas, credModify } from "./cred";
import { Cred, credOf, currentCred, currentProcess } from "./process";
import { processByPid, processPut } from "./process-table";

const VERSION_1: u32 = 0x19980330;
const VERSION_2: u32 = 0x20071026;
const VERSION_3: u32 = 0x20080522;
const HEADER_BYTES: u32 = 8;
const DATA_BYTES: u32 = 24;

/** Words a version's data has; 0 for an unknown one, and then the kernel's own is written back. */
function wordsOf(version: u32): u32 {
  if (version == VERSION_1) return 1;
  return version == VERSION_2 || version == VERSION_3 ? 2 : 0;
}

export function sysCapget(headerVa: u64, dataVa: u64): i64 {
  const ptr = scratchPush(HEADER_BYTES + DATA_BYTES);
  const result = userCopyIn(ptr, headerVa, HEADER_BYTES) != 0 ? -<i64>Errno.FAULT : capsGet(ptr, headerVa, dataVa);
  scratchPop(HEADER_BYTES + DATA_BYTES);
  return result;
}

function capsGet(ptr: usize, headerVa: u64, dataVa: u64): i64 {
  const words = wordsOf(load<u32>(ptr));
  if (words == 0) {
    if (userStore32(headerVa, VERSION_3) != 0) return -Errno.FAULT;
    return dataVa == 0 ? 0 : -<i64>Errno.INVAL;
  }
  const pid = load<i32>(ptr, 4);
  if (pid < 0) return -Errno.INVAL;
  const self = currentProcess();
  const data = ptr + HEADER_BYTES;
  if (pid == 0 || <u32>pid == self.pid) setsStore(data, currentCred());
  else {
    const target = processByPid(<u32>pid);
    if (!target) return -Errno.SRCH;
    setsStore(data, credOf(target.creds));
    processPut(target);
  }
  return dataVa == 0 ? 0 : userCopyOut(dataVa, data, words * 12);
}

function setsStore(data: usize, cred: Cred): void {
  for (let i: u32 = 0; i < 2; i++) {
    const shift = <u64>(i << 5);
    store<u32>(data + i * 12, <u32>(cred.capEffective >> shift));
    store<u32>(data + i * 12, <u32>(cred.capPermitted >> shift), 4);
    store<u32>(data + i * 12, <u32>(cred.capInheritable >> shift), 8);
  }
}

export function sysCapset(headerVa: u64, dataVa: u64): i64 {
  const ptr = scratchPush(HEADER_BYTES + DATA_BYTES);
  memory.fill(ptr, 0, HEADER_BYTES + DATA_BYTES);
  const result = userCopyIn(ptr, headerVa, HEADER_BYTES) != 0 ? -<i64>Errno.FAULT : capsSet(ptr, headerVa, dataVa);
  scratchPop(HEADER_BYTES + DATA_BYTES);
  return result;
}

function setAt(data: usize, offset: u32): u64 {
  return (<u64>load<u32>(data + offset) | (<u64>load<u32>(data + offset + 12) << 32)) & CAP_ALL;
}

/** Only the caller's own sets can be changed. */
function capsSet(ptr: usize, headerVa: u64, dataVa: u64): i64 {
  const words = wordsOf(load<u32>(ptr));
  if (words == 0) return userStore32(headerVa, VERSION_3) != 0 ? -<i64>Errno.FAULT : -<i64>Errno.INVAL;
  const pid = load<i32>(ptr, 4);
  if (pid != 0 && <u32>pid != currentProcess().pid) return -Errno.PERM;
  const data = ptr + HEADER_BYTES;
  if (userCopyIn(data, dataVa, words * 12) != 0) return -Errno.FAULT;
  const effective = setAt(data, 0);
  const permitted = setAt(data, 4);
  const inheritable = setAt(data, 8);
  const old = currentCred();
  if (permitted & ~old.capPermitted || effective & ~permitted) return -Errno.PERM;
  const mayInherit = credHas(old, Cap.SETPCAP) ? old.capBounding : old.capPermitted;
  if (inheritable & ~(old.capInheritable | mayInherit)) return -Errno.PERM;
  const cred = credModify(currentProcess());
  if (!cred) return -Errno.NOMEM;
  cred.capEffective = effective;
  cred.capPermitted = permitted;
  cred.capInheritable = inheritable;
  cred.capAmbient &= permitted & inheritable;
  return 0;
}
