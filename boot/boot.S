/*
 * From the boot loader to 64-bit mode: two entries, one path.
 *
 * Multiboot2 (GRUB) and PVH (QEMU -kernel, Xen) both arrive in 32-bit protected mode without paging. The stub
 * checks for long mode, builds the boot page tables and calls the kernel:
 *
 *   0                       first 4 GiB, identity; dropped by TypeScript once the other CPUs run
 *   0xffff888000000000      first 4 GiB, direct map, never executable; extended by TypeScript to all RAM
 *   0xffffffff80010000      static linear data; page 0 of the window stays unmapped
 *   0xffffffffe0000000      text R-X, rodata R--, data RW-, 4 KiB pages
 *
 * Spec  Multiboot2 specification 2.0, 3.1; Xen PVH start-of-day ABI (hvm_start_info); SDM vol. 3, 10.8.5.
 */
#define MB2_MAGIC 0xe85250d6
#define PVH_MAGIC 0x336ec578
#define XEN_ELFNOTE_PHYS32_ENTRY 18
#define PA(symbol) (symbol + 0x21000000)  /* minus kernel.lds' KERNEL_OFFSET, modulo 2^64 */

#define PTE_P 0x001
#define PTE_RW 0x002
#define PTE_PS 0x080
#define PTE_G 0x100
#define PTE_NX_HIGH 0x80000000

#define CR0_BOOT 0x80010033     /* PG WP NE ET MP PE */
#define CR4_BOOT 0x6a0          /* PAE PGE OSFXSR OSXMMEXCPT */
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define EFER_NXE 0x800

  .section .multiboot, "a"
  .balign 8
multiboot_header:
  .long MB2_MAGIC, 0, multiboot_header_end - multiboot_header
  .long 0x100000000 - (MB2_MAGIC + (multiboot_header_end - multiboot_header))
  .short 5, 1                   /* framebuffer, optional: grub.cfg's gfxpayload decides */
  .long 20, 1024, 768, 32
  .balign 8
  .short 6, 0                   /* modules page aligned */
  .long 8
  .short 0, 0
  .long 8
multiboot_header_end:

  .section .note.Xen, "a", @note
  .balign 4
  .long 4, 8, XEN_ELFNOTE_PHYS32_ENTRY
  .asciz "Xen"
  .quad pvh_entry

  .section .boot, "ax"
  .code32
  .global multiboot_entry
pvh_entry:
  mov $PVH_MAGIC, %eax
multiboot_entry:                /* eax: magic, ebx: information structure */
  cli
  cld
  mov $boot_stack_top_pa, %esp
  push %ebx
  push %eax

  /* CPUID exists when EFLAGS.ID can be flipped (SDM vol. 1, 20.1). */
  pushf
  pop %eax
  mov %eax, %ecx
  xor $0x200000, %eax
  push %eax
  popf
  pushf
  pop %eax
  xor %ecx, %eax
  jz no_long_mode
  mov $0x80000000, %eax
  cpuid
  cmp $0x80000001, %eax
  jb no_long_mode
  mov $0x80000001, %eax
  cpuid
  bt $29, %edx
  jnc no_long_mode
  xor %ebp, %ebp                /* ebp: high half of a no-execute entry */
  mov $EFER_LME, %edi           /* edi: EFER */
  bt $20, %edx
  jnc 1f
  mov $PTE_NX_HIGH, %ebp
  or $EFER_NXE, %edi
1:
  mov $MSR_EFER, %ecx
  mov %edi, %eax
  xor %edx, %edx
  wrmsr

  /* Direct map: 2048 pages of 2 MiB, shared with the identity map. */
  mov $PA(boot_pd_direct), %edi
  mov $(PTE_P | PTE_RW | PTE_PS | PTE_G), %eax
  mov $2048, %ecx
1:
  mov %eax, (%edi)
  add $0x200000, %eax
  add $8, %edi
  loop 1b

  /* The upper levels: every pair of a slot and the table it names. */
  mov $boot_links, %esi
1:
  lodsl
  mov %eax, %edi
  lodsl
  mov %eax, %edx
  lodsl
  mov %eax, %ecx
  jecxz 3f
2:
  mov %edx, (%edi)
  add $8, %edi
  add $4096, %edx
  loop 2b
  jmp 1b
3:
  mov %ebp, PA(boot_pml4) + 273 * 8 + 4    /* the direct map is never executable */

  /* The image and the static linear data, 4 KiB pages with the permissions of their segments. */
  mov $PA(text_va), %esi
  mov $(PA(boot_pt_image)), %edi
  mov %esi, %eax
  sub $image_pa, %eax
  shr $9, %eax
  add %eax, %edi
  mov $PA(text_end_va), %ecx
  mov $(PTE_P | PTE_G), %eax
  xor %edx, %edx
  call map_pages
  mov $PA(rodata_end_va), %ecx
  mov %ebp, %edx
  call map_pages
  mov $PA(data_end_va), %ecx
  or $PTE_RW, %eax
  call map_pages
  mov $(PA(boot_pt_linear) + 16 * 8), %edi
  mov $image_end_pa, %ecx
  call map_pages

  pop %edi                      /* first argument: magic */
  pop %esi                      /* second: information structure */
  mov $CR4_BOOT, %eax
  mov %eax, %cr4
  mov $PA(boot_pml4), %eax
  mov %eax, %cr3
  mov $CR0_BOOT, %eax
  mov %eax, %cr0
  lgdt boot_gdtr
  ljmp $8, $long_mode

/* Maps physical esi..ecx with flags eax (low) and edx (high) from page-table entry edi on. */
map_pages:
  cmp %ecx, %esi
  jae 1f
  mov %esi, %ebx
  or %eax, %ebx
  mov %ebx, (%edi)
  mov %edx, 4(%edi)
  add $8, %edi
  add $4096, %esi
  jmp map_pages
1:
  ret

/* Says so on COM1 and on the text screen, then stops. */
no_long_mode:
  mov $no_long_mode_text, %esi
  mov $0xb8000, %edi
  mov $0x4f, %ah
1:
  lodsb
  test %al, %al
  jz 3f
  mov %ax, (%edi)
  add $2, %edi
  mov %al, %bl
  mov $0x3fd, %dx
  mov $100000, %ecx             /* an absent port may float: never hang on it */
2:
  in %dx, %al
  test $0x20, %al
  loopz 2b
  mov $0x3f8, %dx
  mov %bl, %al
  out %al, %dx
  jmp 1b
3:
  cli
  hlt
  jmp 3b

no_long_mode_text:
  .asciz "LimitlessOS needs a 64-bit (x86-64) processor; this one has no long mode. Halted.\r\n"

  .balign 4
boot_links:                     /* first slot, first entry, consecutive tables */
  .long PA(boot_pml4), PA(boot_pdpt_direct) + 3, 1
  .long PA(boot_pml4) + 273 * 8, PA(boot_pdpt_direct) + 3, 1
  .long PA(boot_pml4) + 511 * 8, PA(boot_pdpt_high) + 3, 1
  .long PA(boot_pdpt_direct), PA(boot_pd_direct) + 3, 4
  .long PA(boot_pdpt_high) + 510 * 8, PA(boot_pd_linear) + 3, 1
  .long PA(boot_pdpt_high) + 511 * 8, PA(boot_pd_image) + 3, 1
  .long PA(boot_pd_linear), PA(boot_pt_linear) + 3, 8
  .long PA(boot_pd_image) + 256 * 8, PA(boot_pt_image) + 3, 8
  .long 0, 0, 0

  .balign 8
boot_gdt:
  .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdtr:
  .short 23
  .quad boot_gdt

  .code64
long_mode:
  mov $0x10, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov $kernel_start, %rax
  jmp *%rax

  .section .text.entry, "ax"
kernel_start:
  mov $boot_stack_top, %rsp
  xor %ebp, %ebp
  mov %edi, %edi                /* upper halves are undefined after the mode switch */
  mov %esi, %esi
  rdtsc                         /* the stack-protector guard; its low byte is NUL against string overruns */
  shl $32, %rdx
  or %rax, %rdx
  mov $0x9e3779b97f4a7c15, %rax
  imul %rdx, %rax
  shl $8, %rax
  mov %rax, __stack_chk_guard(%rip)
  call kernel_kernelMain
1:
  cli
  hlt
  jmp 1b

  .section .bss
  .balign 4096
  .global boot_pml4
boot_pml4: .skip 4096
boot_pdpt_direct: .skip 4096
boot_pdpt_high: .skip 4096
boot_pd_direct: .skip 4 * 4096
boot_pd_linear: .skip 4096
boot_pd_image: .skip 4096
boot_pt_linear: .skip 8 * 4096
boot_pt_image: .skip 8 * 4096
  .global boot_idt
boot_idt: .skip 4096             /* a page of its own: idt.ts fills it, then takes the right to write away */

  .section .data
  .balign 8
  .global __stack_chk_guard
__stack_chk_guard: .quad 0

  .section .note.GNU-stack, "", @progbits
