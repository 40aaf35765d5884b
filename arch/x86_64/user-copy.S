/*
 * The only code that touches user memory. Ranges were checked against USER_TOP by intrinsics.c.
 *
 * A page fault in here is resolved by demand paging like the program's own; when it cannot be, trap.ts continues at
 * the fixup. Words are moved eight bytes a step, the tail byte by byte.
 */
#include "user-access.inc"
#define EFAULT 14
#define ENAMETOOLONG 36

  .section .text, "ax"

/* u32 user_copy_native(void *dst, const void *src, u32 size): bytes not copied. Either side may be the user's. */
  .balign 16
  .global user_copy_native
user_copy_native:
  USER_ACCESS_BEGIN
  mov %edx, %ecx
  shr $3, %ecx
  and $7, %edx
1:
  rep movsq
  mov %edx, %ecx
2:
  rep movsb
3:
  USER_ACCESS_END
  mov %ecx, %eax
  ret
4:
  lea (%rdx, %rcx, 8), %ecx
  jmp 3b
  ON_FAULT 1b, 4b
  ON_FAULT 2b, 3b

/* u32 user_zero_native(void *va, u32 size): bytes not cleared. */
  .global user_zero_native
user_zero_native:
  USER_ACCESS_BEGIN
  mov %esi, %ecx
  shr $3, %ecx
  and $7, %esi
  xor %eax, %eax
1:
  rep stosq
  mov %esi, %ecx
2:
  rep stosb
3:
  USER_ACCESS_END
  mov %ecx, %eax
  ret
4:
  lea (%rsi, %rcx, 8), %ecx
  jmp 3b
  ON_FAULT 1b, 4b
  ON_FAULT 2b, 3b

/* s32 user_string_native(void *dst, const void *src, u32 max): length without NUL, or a negated errno. */
  .global user_string_native
user_string_native:
  USER_ACCESS_BEGIN
  mov %edx, %ecx
  jrcxz 2f
1:
  lodsb
  stosb
  test %al, %al
  loopnz 1b
  jnz 2f
  lea -1(%rdx), %eax
  sub %ecx, %eax
  USER_ACCESS_END
  ret
2:
  USER_ACCESS_END
  mov $-ENAMETOOLONG, %eax
  ret
  ON_FAULT 1b, user_word_fault

/* s32 name(...): one access, `before` it what it needs in registers, then `found` to *rdi when given. 0 or -EFAULT. */
.macro USER_WORD name, access, found, before
  .global \name
\name:
  \before
  USER_ACCESS_BEGIN
1:
  \access
  USER_ACCESS_END
  .ifnb \found
  mov \found, (%rdi)
  .endif
  xor %eax, %eax
  ret
  ON_FAULT 1b, user_word_fault
.endm

  /* (u32 *dst, const u32 *va) */
  USER_WORD user_load32_native, "mov (%rsi), %eax", found=%eax
  USER_WORD user_load64_native, "mov (%rsi), %rax", found=%rax
  /* (u32 *va, u32 value) */
  USER_WORD user_store32_native, "mov %esi, (%rdi)"
  USER_WORD user_store64_native, "mov %rsi, (%rdi)"
  /* (u32 *found, u32 *va, u32 expected, u32 value) */
  USER_WORD user_cmpxchg32_native, "lock cmpxchg %ecx, (%rsi)", found=%eax, before="mov %edx, %eax"
  /* (u64 va): XSAVE area in user memory. -EFAULT also for contents XRSTOR refuses. */
  USER_WORD user_fpu_save_native, "xsave64 (%rdi)", before="mov $-1, %eax; mov %eax, %edx"
  USER_WORD user_fpu_restore_native, "xrstor64 (%rdi)", before="mov $-1, %eax; mov %eax, %edx"

user_word_fault:
  USER_ACCESS_END
  mov $-EFAULT, %eax
  ret

/* s32 probe_load64_native(u64 *dst, u64 va): any address; without SMAP's leave, so user memory only when the CPU has none. */
  .global probe_load64_native
probe_load64_native:
1:
  mov (%rsi), %rax
  mov %rax, (%rdi)
  xor %eax, %eax
  ret
  ON_FAULT 1b, user_word_fault

  .section .note.GNU-stack, "", @progbits
