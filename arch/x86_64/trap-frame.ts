/**
 * TrapFrame: the registers of interrupted code, as entry.S leaves them at the top of the kernel stack.
 *
 * A system call builds the same frame: `vector` then holds the call number (original rax), `error` is ~0 and the rcx
 * and r11 slots hold the caller's rip and rflags, which is what the `syscall` instruction made of them.
 */
@final @unmanaged
export class TrapFrame {
  r15: u64;
  r14: u64;
  r13: u64;
  r12: u64;
  rbp: u64;
  rbx: u64;
  r11: u64;
  r10: u64;
  r9: u64;
  r8: u64;
  rax: u64;
  rcx: u64;
  rdx: u64;
  rsi: u64;
  rdi: u64;
  vector: u64; // trap vector, or the system call number
  error: u64;  // hardware error code, or FRAME_SYSCALL
  rip: u64;
  cs: u64;
  rflags: u64;
  rsp: u64;
  ss: u64;
}

/** `error` of a frame that a system call built. */
export const FRAME_SYSCALL: u64 = ~0;

export const enum Rflag { CF = 1, PF = 4, AF = 16, ZF = 64, SF = 128, TF = 0x100, IF = 0x200, DF = 0x400, OF = 0x800, RF = 0x10000, AC = 0x40000 }

/** SAFETY: `address` is the frame entry.S built, as Task.frame or the argument of trapEntry and syscallEntry. */
export function trapFrameOf(address: usize): TrapFrame {
  return changetype<TrapFrame>(address);
}
