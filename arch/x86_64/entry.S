/*
 * Every way into the kernel and out of it: interrupts, system calls, new threads, context switches.
 *
 * All of them leave one picture on the task's kernel stack, the TrapFrame of trap-frame.ts:
 *
 *   r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi | vector error | rip cs rflags rsp ss
 *
 * Invariants  E1  in the kernel, gs is the Cpu record; in user mode it is the program's (swapgs at each border).
 *             E2  interrupts are off from entry to exit; only idle_wait and irq_window let them in.
 *             E3  RSP is 16-byte aligned at each call: the frame has 22 words and starts at an aligned top.
 * Spec        SDM vol. 3, 7.14 (64-bit interrupts); vol. 2, SYSCALL, SYSRET, SWAPGS.
 */
#include "user-access.inc"

#define CPU_KERNEL_SP 8
#define CPU_USER_SP 16
#define FRAME_RBX (5 * 8)
#define FRAME_R10 (7 * 8)
#define FRAME_R9 (8 * 8)
#define FRAME_R8 (9 * 8)
#define FRAME_RAX (10 * 8)
#define FRAME_RDX (12 * 8)
#define FRAME_RSI (13 * 8)
#define FRAME_RDI (14 * 8)
#define FRAME_VECTOR (15 * 8)
#define FRAME_RIP (17 * 8)
#define FRAME_CS (18 * 8)
#define FRAME_RFLAGS (19 * 8)
#define FRAME_RSP (20 * 8)
#define FRAME_SIZE (22 * 8)
#define CALLEE_SAVED_SIZE (6 * 8)
#define TASK_SAVED_SP 16        /* task.ts */
#define TASK_ON_CPU 52
#define LINEAR_BASE -0x80000000
#define IPC_CALL 0x1011         /* kernel/abi/native.ts */
#define IPC_REPLY_WAIT 0x1012
#define USER_CS 0x33            /* gdt.ts */
#define USER_SS 0x2b
#define MSR_GS_BASE 0xc0000101
#define VECTOR_NMI 2
#define VECTOR_DOUBLE_FAULT 8
#define VECTOR_MACHINE_CHECK 18

/* Linear address of the frame at RSP: the window starts 2 GiB below the top, so its bit 31 goes. */
#define LINEAR_OF_RSP(register) mov %esp, register; btr $31, register

.macro PUSH_CALLEE_SAVED
  .irp register, rbx, rbp, r12, r13, r14, r15
  push %\register
  .endr
.endm

.macro POP_CALLEE_SAVED
  .irp register, r15, r14, r13, r12, rbp, rbx
  pop %\register
  .endr
.endm

.macro PUSH_REGISTERS
  .irp register, rdi, rsi, rdx, rcx, rax, r8, r9, r10, r11
  push %\register
  .endr
  PUSH_CALLEE_SAVED
.endm

.macro POP_REGISTERS
  POP_CALLEE_SAVED
  .irp register, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi
  pop %\register
  .endr
.endm

  .section .text, "ax"

/* 256 stubs of 16 bytes; the exceptions that push an error code are 8, 10-14, 17, 21, 29, 30. */
  .balign 16
  .global isr_stubs
isr_stubs:
  .set vector, 0
  .rept 256
  .balign 16
  .if vector > 31 || !((0x60227d00 >> (vector & 31)) & 1)
  push $0
  .endif
  push $vector
  .if vector == VECTOR_NMI || vector == VECTOR_DOUBLE_FAULT || vector == VECTOR_MACHINE_CHECK
  jmp isr_paranoid
  .else
  jmp isr_common
  .endif
  .set vector, vector + 1
  .endr

  .balign 16
isr_common:
  testb $3, 24(%rsp)            /* cs of the interrupted code */
  jz 1f
  swapgs
1:
  PUSH_REGISTERS
  cld
  USER_ACCESS_END               /* the interrupted code may have been a user copy, or a program that set AC */
  LINEAR_OF_RSP(%edi)
  call kernel_trapEntry

/* Leaves through the TrapFrame at RSP. */
  .global frame_return
frame_return:
  testb $3, FRAME_CS(%rsp)
  jz 2f
  /* A rip outside the user half would fault on IRETQ with the user's gs: send the program to the top page instead. */
  mov FRAME_RIP(%rsp), %rax
  shr $47, %rax
  jz 1f
  movabs $0x7ffffffff000, %rax
  mov %rax, FRAME_RIP(%rsp)
1:
  swapgs
2:
  POP_REGISTERS
  add $16, %rsp                 /* vector, error */
  iretq

/*
 * NMI, double fault and machine check may hit between an entry and its SWAPGS. They have stacks of their own, whose
 * top word is this CPU's gs base: load that one, and put back whatever was there.
 */
isr_paranoid:
  PUSH_REGISTERS
  cld
  USER_ACCESS_END
  mov $MSR_GS_BASE, %ecx
  rdmsr
  shl $32, %rdx
  or %rdx, %rax
  mov %rax, %rbx
  mov FRAME_SIZE(%rsp), %rax
  mov %rax, %rdx
  shr $32, %rdx
  wrmsr
  LINEAR_OF_RSP(%edi)
  call kernel_trapEntry
  mov %rbx, %rax
  mov %rbx, %rdx
  shr $32, %rdx
  mov $MSR_GS_BASE, %ecx
  wrmsr
  jmp 2b

/* SYSCALL: rcx is the return address, r11 the flags; STAR and SFMASK are set up by gdt.ts. */
  .balign 16
  .global syscall_entry
syscall_entry:
  swapgs
  mov %rsp, %gs:CPU_USER_SP
  mov %gs:CPU_KERNEL_SP, %rsp
  push $USER_SS
  push %gs:CPU_USER_SP
  push %r11
  push $USER_CS
  push %rcx
  push $-1                      /* error: this frame is a system call */
  push %rax                     /* vector: its number */
  PUSH_REGISTERS
  LINEAR_OF_RSP(%edi)
  lea -IPC_CALL(%rax), %ecx
  cmp $(IPC_REPLY_WAIT - IPC_CALL), %ecx
  jbe 3f
1:
  call kernel_syscallEntry
  test %eax, %eax
  jnz 2f
syscall_leave:
  /* Untouched frame: C kept the callee-saved registers, so only the others come back from it. */
  mov FRAME_RIP(%rsp), %rcx     /* canonical, as SYSRET needs it: the page below the hole is never mapped */
  mov FRAME_RFLAGS(%rsp), %r11
  mov FRAME_R10(%rsp), %r10
  mov FRAME_R9(%rsp), %r9
  mov FRAME_R8(%rsp), %r8
  mov FRAME_RAX(%rsp), %rax
  mov FRAME_RDX(%rsp), %rdx
  mov FRAME_RSI(%rsp), %rsi
  mov FRAME_RDI(%rsp), %rdi
  mov FRAME_RSP(%rsp), %rsp
  swapgs
  sysretq
2:
  LINEAR_OF_RSP(%edi)
  mov %eax, %esi
  call kernel_syscallWork
  test %eax, %eax
  jz syscall_leave
  jmp frame_return
3:
  call kernel_ipcEntry          /* returns when it did nothing */
  LINEAR_OF_RSP(%edi)
  jmp 1b

/* First instruction of a new thread, RSP at its TrapFrame; a kernel thread never returns from threadStart. */
  .global thread_entry
thread_entry:
  xor %ebp, %ebp
  call kernel_threadStart
  jmp frame_return

/* void context_switch_native(u64 *savedSp, u64 nextSp); the stack of a new thread is made by its creator. */
  .global context_switch_native
context_switch_native:
  PUSH_CALLEE_SAVED
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  POP_CALLEE_SAVED
  ret

/*
 * void syscall_resume_native(Task *prev, TrapFrame *next, u32 *lock), linear addresses: a switch to the end of another task's system
 * call. What that one had on its stack is forgotten; the old task begins anew at syscall_resumed if anybody switches to it. It is let
 * go as soon as its stack is left.
 */
  .global syscall_resume_native
syscall_resume_native:
  push $syscall_resumed
  sub $CALLEE_SAVED_SIZE, %rsp
  mov %rsp, LINEAR_BASE + TASK_SAVED_SP(%rdi)
  lea LINEAR_BASE(%rsi), %rsp
  movl $0, LINEAR_BASE + TASK_ON_CPU(%rdi)
  movl $0, LINEAR_BASE(%rdx)
  POP_CALLEE_SAVED
  sub $CALLEE_SAVED_SIZE, %rsp
  jmp syscall_leave
syscall_resumed:
  mov %gs:CPU_KERNEL_SP, %rsp
  sub $FRAME_SIZE, %rsp
  LINEAR_OF_RSP(%edi)
  call kernel_syscallResumed
  jmp frame_return

/* void segments_reload(void): kernel CS and flat data segments after LGDT. gs keeps its base. */
  .global segments_reload
segments_reload:
  mov $0x10, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  pop %rax
  push $0x08
  push %rax
  lretq

  .section .note.GNU-stack, "", @progbits
