/** Signal numbers, siginfo codes and SA_* flags of Linux x86-64 (asm/signal.h, asm-generic/siginfo.h). */
export namespace Signal {
  export const HUP: u32 = 1;
  export const INT: u32 = 2;
  export const QUIT: u32 = 3;
  export const ILL: u32 = 4;
  export const TRAP: u32 = 5;
  export const ABRT: u32 = 6;
  export const BUS: u32 = 7;
  export const FPE: u32 = 8;
  export const KILL: u32 = 9;
  export const USR1: u32 = 10;
  export const SEGV: u32 = 11;
  export const USR2: u32 = 12;
  export const PIPE: u32 = 13;
  export const ALRM: u32 = 14;
  export const TERM: u32 = 15;
  export const STKFLT: u32 = 16;
  export const CHLD: u32 = 17;
  export const CONT: u32 = 18;
  export const STOP: u32 = 19;
  export const TSTP: u32 = 20;
  export const TTIN: u32 = 21;
  export const TTOU: u32 = 22;
  export const URG: u32 = 23;
  export const XCPU: u32 = 24;
  export const XFSZ: u32 = 25;
  export const VTALRM: u32 = 26;
  export const PROF: u32 = 27;
  export const WINCH: u32 = 28;
  export const IO: u32 = 29;
  export const PWR: u32 = 30;
  export const SYS: u32 = 31;
  export const RTMIN: u32 = 32;
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

export namespace SigActionFlag {
  export const NOCLDSTOP: u64 = 1;
  export const NOCLDWAIT: u64 = 2;
  export const SIGINFO: u64 = 4;
  export const RESTORER: u64 = 0x04000000;
  export const ONSTACK: u64 = 0x08000000;
  export const RESTART: u64 = 0x10000000;
  export const NODEFER: u64 = 0x40000000;
  export const RESETHAND: u64 = 0x80000000;
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
