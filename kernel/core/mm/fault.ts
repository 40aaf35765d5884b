/** Page faults. */
import { AddressSpace } from "./mm-struct";

/** What mmFault answers: 0, or what the program is told. */
export const enum FaultResult {
  RESOLVED = 0,
  SEGV_MAPERR = 1,  // SIGSEGV, si_code SEGV_MAPERR
  SEGV_ACCERR = 2,  // SIGSEGV, si_code SEGV_ACCERR
  BUS_ADRERR = 0x102, // SIGBUS, si_code BUS_ADRERR
  KILLED = 0x200,   // out of memory: the task must end (SIGKILL was or shall be sent)
}

/**
 * Resolves a fault at user address `va`; `errorCode` as the CPU pushed it, `userSp` the user stack pointer (0 when unknown).
 * FaultResult. Takes mm's lock and may sleep.
 */
export function mmFault(mm: AddressSpace, va: u64, errorCode: u32, userSp: u64): i32 { unreachable(); return 0; }
