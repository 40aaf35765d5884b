/**
 * The registers of interrupted code, as entry.S leaves them on the kernel stack.
 *
 * After a system call `vector` holds the call's number and `error` holds FRAME_IS_SYSCALL.
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
  vector: u64; // exception or interrupt; number of the system call
  error: u64;  // error code the CPU pushed, 0, or FRAME_IS_SYSCALL
  rip: u64;
  cs: u64;
  rflags: u64;
  rsp: u64;
  ss: u64;
}

/** Bytes of a TrapFrame. */
export const TRAP_FRAME_BYTES: u32 = 176;
if (offsetof<TrapFrame>() != 176) ERROR("entry.S pushes 22 words");

/** `error` of a frame that a system call made. */
export const FRAME_IS_SYSCALL: u64 = 0xffffffffffffffff;

/** SAFETY: entry.S hands the address of the frame it has just pushed. */
export function trapFrameOf(address: usize): TrapFrame {
  return changetype<TrapFrame>(address);
}

/** True when the frame was pushed on the way from ring 3. */
export function frameIsUser(frame: TrapFrame): bool {
  return (frame.cs & 3) != 0;
}

/** Bits of rflags that the kernel names. SDM vol. 1, 3.4.3. */
export const enum Rflag { TF = 0x100, IF = 0x200, DF = 0x400, RF = 0x10000 }
