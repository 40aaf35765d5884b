/*
 * Where an application processor wakes up: real mode, at the page named by the STARTUP IPI.
 *
 * smp.ts copies these bytes to a free page below 1 MiB and fills in the words at the front. The page tables it names
 * map that page at its physical address while processors start.
 *
 *   0      8     12     16      24      32
 *   | jump | cr3 | cpu  | stack | efer  | code ...
 */
#define CR4_START 0x6a0         /* PAE PGE OSFXSR OSXMMEXCPT; the rest is for cpu-features.ts */
#define CR0_START 0x80010033
#define MSR_EFER 0xc0000080

  .section .trampoline, "a"
  .code16
trampoline:
  jmp start
  .balign 8
tramp_cr3: .long 0
tramp_cpu: .long 0
tramp_stack: .quad 0
tramp_efer: .quad 0

start:
  cli
  cld
  xor %ebx, %ebx
  mov %cs, %bx
  mov %bx, %ds
  shl $4, %ebx                  /* linear address of this page */
  lea (tramp_gdt - trampoline)(%ebx), %eax
  mov %eax, tramp_gdtr - trampoline + 2
  lea (long_mode - trampoline)(%ebx), %eax
  mov %eax, tramp_far - trampoline
  lgdtl tramp_gdtr - trampoline
  mov $CR4_START, %eax
  mov %eax, %cr4
  mov tramp_cr3 - trampoline, %eax
  mov %eax, %cr3
  mov $MSR_EFER, %ecx
  mov tramp_efer - trampoline, %eax
  xor %edx, %edx
  wrmsr
  mov $CR0_START, %eax
  mov %eax, %cr0                /* protection, paging and long mode in one step */
  ljmpl *(tramp_far - trampoline)

  .balign 8
tramp_gdt: .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
tramp_gdtr: .short 23
  .long 0
tramp_far: .long 0
  .short 8

  .code64
long_mode:
  mov $0x10, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov %ebx, %ebx
  mov (tramp_cpu - trampoline)(%rbx), %edi
  mov (tramp_stack - trampoline)(%rbx), %rsp
  mov $ap_start, %rax
  jmp *%rax

  .section .text.entry, "ax"
ap_start:
  xor %ebp, %ebp
  call kernel_apMain
1:
  cli
  hlt
  jmp 1b

  .section .note.GNU-stack, "", @progbits
