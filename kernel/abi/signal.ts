/** Signal numbers, siginfo codes and SA_* flags of Linux x86-64 (asm/signal.h, asm-generic/siginfo.h). */
export const enum Signal {
  HUP = 1, INT = 2, QUIT = 3, ILL = 4, TRAP = 5, ABRT = 6, BUS = 7, FPE = 8, KILL = 9, USR1 = 10, SEGV = 11, USR2 = 12,
  PIPE = 13, ALRM = 14, TERM = 15, STKFLT = 16, CHLD = 17, CONT = 18, STOP = 19, TSTP = 20, TTIN = 21, TTOU = 22,
  URG = 23, XCPU = 24, XFSZ = 25, VTALRM = 26, PROF = 27, WINCH = 28, IO = 29, PWR = 30, SYS = 31, RTMIN = 32,
}

/** Highest signal number. */
export const NSIG: u32 = 64;

export const SI_USER: i32 = 0;
export const SI_KERNEL: i32 = 0x80;
export const SI_QUEUE: i32 = -1;
export const SI_TIMER: i32 = -2;
export const SI_TKILL: i32 = -6;
export const CLD_EXITED: i32 = 1;
export const CLD_KILLED: i32 = 2;
export const CLD_DUMPED: i32 = 3;
export const CLD_TRAPPED: i32 = 4;
export const CLD_STOPPED: i32 = 5;
export const CLD_CONTINUED: i32 = 6;
export const SEGV_MAPERR: i32 = 1;
export const SEGV_ACCERR: i32 = 2;
export const BUS_ADRALN: i32 = 1;
export const BUS_ADRERR: i32 = 2;
export const FPE_INTDIV: i32 = 1;
export const FPE_INTOVF: i32 = 2;
export const FPE_FLTDIV: i32 = 3;
export const FPE_FLTOVF: i32 = 4;
export const FPE_FLTUND: i32 = 5;
export const FPE_FLTRES: i32 = 6;
export const FPE_FLTINV: i32 = 7;
export const ILL_ILLOPN: i32 = 2;
export const TRAP_BRKPT: i32 = 1;
export const TRAP_TRACE: i32 = 2;

export const enum SigActionFlag {
  NOCLDSTOP = 1, NOCLDWAIT = 2, SIGINFO = 4, RESTORER = 0x04000000, ONSTACK = 0x08000000, RESTART = 0x10000000,
  NODEFER = 0x40000000, RESETHAND = 0x80000000,
}

export const SIG_DFL: u64 = 0;
export const SIG_IGN: u64 = 1;

/**
 * The kernel's siginfo: the first 48 bytes of the user layout; the other 80 are zero.
 *
 *   16      20      24              32      40
 *   | pid   | uid   | status/value  | utime | stime |   kill, queue, SIGCHLD
 *   | addr          | lsb                           |   faults
 *   | tid   |overrun| value                         |   timers
 *   | band          | fd                            |   SIGIO
 */
@final @unmanaged
export class SigInfo {
  signo: i32;
  errno: i32;
  code: i32;
  pad: u32;
  field0: u64;
  field1: u64;
  field2: u64;
  field3: u64;
}

/** Bytes of siginfo_t in user memory. */
export const SIGINFO_BYTES: u32 = 128;

/** The bit of `sig` in a signal set. */
export function sigBit(sig: u32): u64 {
  return <u64>1 << (sig - 1);
}
