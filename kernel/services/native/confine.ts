/**
 * Confinement: what a server may ask for without a capability. Of Linux's table only calls on its own memory and its own end, of the native
 * calls none: new endpoints and notifications would be the kernel's memory, taken at will.
 */
import { TrapFrame } from "../../../arch/current";

const MAP_ANONYMOUS: u64 = 0x20;
const PROT_EXEC: u64 = 4;
const NATIVE_FIRST: u64 = 0x1000;

/** Native calls that name no capability. */
const enum Anyone { ROOT_CLAIM = 0x1005, ENDPOINT_CREATE = 0x1010, NOTIFICATION_CREATE = 0x1020, PROCESS_OPEN = 0x1050 }

/** Linux numbers. */
const enum Nr {
  MMAP = 9, MPROTECT = 10, MUNMAP = 11, RT_SIGRETURN = 15, SCHED_YIELD = 24, MADVISE = 28, EXIT = 60, ARCH_PRCTL = 158,
  SET_TID_ADDRESS = 218, EXIT_GROUP = 231,
}

/** Whether a confined process may make the call in `frame`. */
export function confinedMay(frame: TrapFrame): bool {
  const nr = frame.vector;
  switch (<u32>nr) {
    case Anyone.ROOT_CLAIM:
    case Anyone.ENDPOINT_CREATE:
    case Anyone.NOTIFICATION_CREATE:
    case Anyone.PROCESS_OPEN: return false;
    case Nr.MMAP: return (frame.r10 & MAP_ANONYMOUS) != 0 && (frame.rdx & PROT_EXEC) == 0;
    case Nr.MPROTECT: return (frame.rdx & PROT_EXEC) == 0;
    case Nr.MUNMAP:
    case Nr.RT_SIGRETURN:
    case Nr.SCHED_YIELD:
    case Nr.MADVISE:
    case Nr.EXIT:
    case Nr.ARCH_PRCTL:
    case Nr.SET_TID_ADDRESS:
    case Nr.EXIT_GROUP: return true;
    default: return nr >= NATIVE_FIRST;
  }
}
