/*
 * Bodies of intrinsics.ts, included in front of the kernel's generated C: what is one instruction there is one here.
 *
 * Longer ones are assembly in entry.S and user-copy.S. Nothing in this file decides anything.
 */
#define DIRECT_BASE 0xffff888000000000ull
#define USER_TOP 0x00007ffffffff000ull
#define EFAULT 14
#define DIRECT(pa) ((u8*)(DIRECT_BASE + (u64)(pa)))
#define TRAP_STACK_SMASHED 6

/* ---- Port I/O ---- */
#define DEFINE_PORT(bits, suffix)                                                                \
  INTRINSIC(u32, in##bits)(u32 port) {                                                           \
    u##bits value;                                                                               \
    __asm__ volatile("in" suffix " %w1, %0" : "=a"(value) : "Nd"(port));                         \
    return value;                                                                                \
  }                                                                                              \
  INTRINSIC(void, out##bits)(u32 port, u32 value) {                                              \
    __asm__ volatile("out" suffix " %0, %w1" : : "a"((u##bits)value), "Nd"(port) : "memory");    \
  }
DEFINE_PORT(8, "b")
DEFINE_PORT(16, "w")
DEFINE_PORT(32, "l")

/* ---- Physical memory ---- */
#define DEFINE_PHYS(bits, operand)                                                                          \
  INTRINSIC(operand, phys_load##bits)(u64 pa) { return *(volatile u##bits*)DIRECT(pa); }                    \
  INTRINSIC(void, phys_store##bits)(u64 pa, operand value) { *(volatile u##bits*)DIRECT(pa) = (u##bits)value; }
DEFINE_PHYS(8, u32)
DEFINE_PHYS(16, u32)
DEFINE_PHYS(32, u32)
DEFINE_PHYS(64, u64)

INTRINSIC(u64, phys_cmpxchg64)(u64 pa, u64 expected, u64 value) {
  __atomic_compare_exchange_n((u64*)DIRECT(pa), &expected, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return expected;
}
INTRINSIC(u64, phys_xchg64)(u64 pa, u64 value) {
  return __atomic_exchange_n((u64*)DIRECT(pa), value, __ATOMIC_SEQ_CST);
}
INTRINSIC(void, phys_copy)(u64 dst, u64 src, u32 size) { memcpy(DIRECT(dst), DIRECT(src), size); }
INTRINSIC(void, phys_move)(u64 dst, u64 src, u32 size) { memmove(DIRECT(dst), DIRECT(src), size); }
INTRINSIC(void, phys_zero)(u64 pa, u32 size) {
  u8* at = DIRECT(pa);
  u64 words = size / 8;
  __asm__ volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(0ull) : "memory");
}
INTRINSIC(void, phys_fill32)(u64 pa, u32 value, u32 count) {
  u8* at = DIRECT(pa);
  u64 pairs = count / 2;
  __asm__ volatile("rep stosq" : "+D"(at), "+c"(pairs) : "a"((u64)value << 32 | value) : "memory");
  if (count & 1) *(volatile u32*)at = value;
}
INTRINSIC(void, phys_flush)(u64 pa) { __asm__ volatile("clflush %0; mfence" : : "m"(*DIRECT(pa)) : "memory"); }
INTRINSIC(void, phys_copy_in)(u32 ptr, u64 src, u32 size) { memcpy(LINEAR(ptr), DIRECT(src), size); }
INTRINSIC(void, phys_copy_out)(u64 dst, u32 ptr, u32 size) { memcpy(DIRECT(dst), LINEAR(ptr), size); }

/* ---- User memory ---- */
extern u32 user_copy_native(void* dst, const void* src, u32 size);
extern u32 user_zero_native(void* va, u32 size);
extern s32 user_string_native(void* dst, const void* src, u32 max);
extern s32 user_load32_native(void* dst, u64 va);
extern s32 user_load64_native(void* dst, u64 va);
extern s32 user_store32_native(u64 va, u32 value);
extern s32 user_store64_native(u64 va, u64 value);
extern s32 user_cmpxchg32_native(void* found, u64 va, u32 expected, u32 value);
extern s32 probe_load64_native(void* dst, u64 va);

#define USER_OK(va, size) LIKELY((va) <= USER_TOP - (size))

INTRINSIC(u32, user_copy_in)(u32 ptr, u64 src, u32 size) {
  return USER_OK(src, size) && user_copy_native(LINEAR(ptr), (void*)src, size) == 0 ? 0 : (u32)-EFAULT;
}
INTRINSIC(u32, user_copy_out)(u64 dst, u32 ptr, u32 size) {
  return USER_OK(dst, size) && user_copy_native((void*)dst, LINEAR(ptr), size) == 0 ? 0 : (u32)-EFAULT;
}
INTRINSIC(u32, user_copy_to_phys)(u64 dst, u64 src, u32 size) {
  return USER_OK(src, size) ? user_copy_native(DIRECT(dst), (void*)src, size) : size;
}
INTRINSIC(u32, user_copy_from_phys)(u64 dst, u64 src, u32 size) {
  return USER_OK(dst, size) ? user_copy_native((void*)dst, DIRECT(src), size) : size;
}
INTRINSIC(u32, user_zero)(u64 va, u32 size) {
  return USER_OK(va, size) ? user_zero_native((void*)va, size) : size;
}
/* The copy stops at USER_TOP by itself: the page there is never mapped. */
INTRINSIC(u32, user_copy_string)(u32 ptr, u64 src, u32 max) {
  return src < USER_TOP ? (u32)user_string_native(LINEAR(ptr), (void*)src, max) : (u32)-EFAULT;
}
INTRINSIC(u32, user_load32)(u32 ptr, u64 src) {
  return USER_OK(src, 4) ? (u32)user_load32_native(LINEAR(ptr), src) : (u32)-EFAULT;
}
INTRINSIC(u32, user_load64)(u32 ptr, u64 src) {
  return USER_OK(src, 8) ? (u32)user_load64_native(LINEAR(ptr), src) : (u32)-EFAULT;
}
INTRINSIC(u32, user_store32)(u64 dst, u32 value) {
  return USER_OK(dst, 4) ? (u32)user_store32_native(dst, value) : (u32)-EFAULT;
}
INTRINSIC(u32, user_store64)(u64 dst, u64 value) {
  return USER_OK(dst, 8) ? (u32)user_store64_native(dst, value) : (u32)-EFAULT;
}
INTRINSIC(u32, user_cmpxchg32)(u32 found, u64 va, u32 expected, u32 value) {
  return USER_OK(va, 4) ? (u32)user_cmpxchg32_native(LINEAR(found), va, expected, value) : (u32)-EFAULT;
}
INTRINSIC(u32, probe_load64)(u32 ptr, u64 va) { return (u32)probe_load64_native(LINEAR(ptr), va); }

/* ---- This CPU ---- */
INTRINSIC(u32, this_cpu)(void) { return *(volatile u32 __seg_gs*)0; }
INTRINSIC(u32, current_task)(void) { return *(volatile u32 __seg_gs*)4; }
INTRINSIC(u64, rdtsc)(void) {
  u32 low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (u64)high << 32 | low;
}
INTRINSIC(void, cpuid)(u32 leaf, u32 subleaf, u32 ptr) {
  u32* out = (u32*)LINEAR(ptr);
  __asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "0"(leaf), "2"(subleaf));
}
INTRINSIC(u64, rdmsr)(u32 msr) {
  u32 low, high;
  __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
  return (u64)high << 32 | low;
}
INTRINSIC(u64, rdfsbase)(void) {
  u64 base;
  __asm__ volatile("rdfsbase %0" : "=r"(base));
  return base;
}
INTRINSIC(u64, rdgsbase_user)(void) {
  u64 base;
  __asm__ volatile("swapgs; rdgsbase %0; swapgs" : "=r"(base));
  return base;
}
INTRINSIC(void, wrmsr)(u32 msr, u64 value) {
  __asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

#define DEFINE_CONTROL_READ(reg)                           \
  INTRINSIC(u64, read_##reg)(void) {                       \
    u64 value;                                             \
    __asm__ volatile("mov %%" #reg ", %0" : "=r"(value));  \
    return value;                                          \
  }
#define DEFINE_CONTROL_WRITE(reg) \
  INTRINSIC(void, write_##reg)(u64 value) { __asm__ volatile("mov %0, %%" #reg : : "r"(value) : "memory"); }
DEFINE_CONTROL_READ(cr0)
DEFINE_CONTROL_READ(cr2)
DEFINE_CONTROL_READ(cr3)
DEFINE_CONTROL_READ(cr4)
DEFINE_CONTROL_WRITE(cr0)
DEFINE_CONTROL_WRITE(cr3)
DEFINE_CONTROL_WRITE(cr4)
INTRINSIC(void, invlpg)(u64 va) { __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory"); }

extern void segments_reload(void);
typedef struct __attribute__((packed)) {
  u16 limit;
  u64 base;
} descriptor_table;
INTRINSIC(void, lgdt)(u64 va, u32 limit) {
  descriptor_table table = { (u16)limit, va };
  __asm__ volatile("lgdt %0" : : "m"(table));
  segments_reload();
}
INTRINSIC(void, lidt)(u64 va, u32 limit) {
  descriptor_table table = { (u16)limit, va };
  __asm__ volatile("lidt %0" : : "m"(table));
}
INTRINSIC(void, ltr)(u32 selector) { __asm__ volatile("ltr %w0" : : "r"(selector)); }
INTRINSIC(void, xsetbv)(u32 index, u64 value) {
  __asm__ volatile("xsetbv" : : "c"(index), "a"((u32)value), "d"((u32)(value >> 32)));
}

/* Set once at boot by cpu_options_set, before any other CPU runs. */
enum { OPTION_XSAVE = 1, OPTION_XSAVEOPT = 2, OPTION_RDRAND = 4, OPTION_RDSEED = 8 };
static u32 cpu_options;
INTRINSIC(void, cpu_options_set)(u32 options) { cpu_options = options; }

INTRINSIC(void, fpu_save)(u32 ptr) {
  u8* area = LINEAR(ptr);
  if (LIKELY(cpu_options & OPTION_XSAVEOPT)) __asm__ volatile("xsaveopt64 %0" : : "m"(*area), "a"(-1), "d"(-1) : "memory");
  else if (cpu_options & OPTION_XSAVE) __asm__ volatile("xsave64 %0" : : "m"(*area), "a"(-1), "d"(-1) : "memory");
  else __asm__ volatile("fxsave64 %0" : : "m"(*area) : "memory");
}
INTRINSIC(void, fpu_restore)(u32 ptr) {
  u8* area = LINEAR(ptr);
  if (LIKELY(cpu_options & OPTION_XSAVE)) __asm__ volatile("xrstor64 %0" : : "m"(*area), "a"(-1), "d"(-1) : "memory");
  else __asm__ volatile("fxrstor64 %0" : : "m"(*area) : "memory");
}
INTRINSIC(void, fpu_exchange)(u32 save, u32 restore) {
  u8 *from = LINEAR(save), *to = LINEAR(restore);
  if (LIKELY(cpu_options & OPTION_XSAVEOPT))
    __asm__ volatile("xsaveopt64 %0; xrstor64 %1" : : "m"(*from), "m"(*to), "a"(-1), "d"(-1) : "memory");
  else x86_64_fpu_save(save), x86_64_fpu_restore(restore);
}
extern s32 user_fpu_save_native(u64 va);
extern s32 user_fpu_restore_native(u64 va);
INTRINSIC(u32, user_fpu_save)(u64 va) { return USER_OK(va, 4096) ? (u32)user_fpu_save_native(va) : (u32)-EFAULT; }
INTRINSIC(u32, user_fpu_restore)(u64 va) { return USER_OK(va, 4096) ? (u32)user_fpu_restore_native(va) : (u32)-EFAULT; }
INTRINSIC(void, fpu_reset)(void) {
  u32 mxcsr = 0x1f80;
  __asm__ volatile("fninit; ldmxcsr %0" : : "m"(mxcsr));
}
INTRINSIC(void, pause)(void) { __asm__ volatile("pause" : : : "memory"); }
INTRINSIC(void, idle_wait)(void) { __asm__ volatile("sti; hlt; cli" : : : "memory"); }
INTRINSIC(void, irq_window)(void) { __asm__ volatile("sti; nop; cli" : : : "memory"); }
INTRINSIC(void, halt)(void) {
  for (;;) __asm__ volatile("cli; hlt" : : : "memory");
}
INTRINSIC(void, mfence)(void) { __asm__ volatile("mfence; lfence" : : : "memory"); }
INTRINSIC(u32, hw_random)(u32 ptr) {
  u64 word;
  u8 ok = 0;
  if (cpu_options & OPTION_RDSEED) __asm__ volatile("rdseed %0; setc %1" : "=r"(word), "=qm"(ok) : : "cc");
  if (!ok && cpu_options & OPTION_RDRAND) __asm__ volatile("rdrand %0; setc %1" : "=r"(word), "=qm"(ok) : : "cc");
  if (ok) *(u64*)LINEAR(ptr) = word;
  return ok;
}

/* ---- Control flow ---- */
extern void context_switch_native(u64* saved, u64 next);
extern void syscall_resume_native(u64 prev, u64 frame, u64 lock) __attribute__((noreturn));
extern char isr_stubs[], thread_entry[], syscall_entry[];
INTRINSIC(void, context_switch)(u32 saved, u64 next) { context_switch_native((u64*)LINEAR(saved), next); }
INTRINSIC(void, syscall_resume)(u32 prev, u32 frame, u32 lock) { syscall_resume_native(prev, frame, lock); }
INTRINSIC(u64, thread_entry_va)(void) { return (u64)thread_entry; }
INTRINSIC(u64, isr_stub_va)(u32 vector) { return (u64)isr_stubs + vector * 16; }
INTRINSIC(u64, syscall_entry_va)(void) { return (u64)syscall_entry; }
INTRINSIC(u64, frame_pointer)(void) { return (u64)__builtin_frame_address(0); }

typedef struct {
  u64 at, fixup;
} fixup_pair;
extern const fixup_pair extable_start[], extable_end[];
INTRINSIC(u64, fault_fixup)(u64 rip) {
  for (const fixup_pair* entry = extable_start; entry < extable_end; entry++)
    if (entry->at == rip) return entry->fixup;
  return 0;
}

__attribute__((noreturn, used)) void __stack_chk_fail(void) { wasm_trap(TRAP_STACK_SMASHED); }

/* ---- The image ---- */
extern char image_pa[], image_end_pa[], linear_pa[], linear_start[], linear_end[], text_va[], text_end_va[], rodata_va[],
  rodata_end_va[], data_va[], data_end_va[], symtab_va[], symtab_end_va[], trampoline_va[], trampoline_end_va[], boot_pml4[],
  vdso_va[], vdso_end_va[], smap_sites_start[], smap_sites_end[], boot_stack_guard[], boot_idt[], KERNEL_OFFSET[];
INTRINSIC(u64, linear_base)(void) { return LINEAR_BASE; }
INTRINSIC(u64, direct_base)(void) { return DIRECT_BASE; }
/* In the order of ImageSymbol. */
static char* const image_symbols[] = {
  linear_pa, linear_start - LINEAR_BASE, linear_end - LINEAR_BASE, text_va, text_end_va, rodata_va, rodata_end_va, data_va,
  data_end_va, image_pa, image_end_pa, symtab_va, trampoline_va, trampoline_end_va, boot_pml4, vdso_va, vdso_end_va,
  KERNEL_OFFSET, symtab_end_va, smap_sites_start, smap_sites_end, boot_stack_guard - LINEAR_BASE, boot_idt,
};
enum { BOOT_PML4_PA = 14 };
INTRINSIC(u64, image_address)(u32 which) {
  u64 address = (u64)image_symbols[which];
  return which == BOOT_PML4_PA ? address - (u64)KERNEL_OFFSET : address;
}
