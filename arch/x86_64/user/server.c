/*
 * A server's process: from the kernel's initial stack to serverMain, and the intrinsics of servers/runtime.
 *
 *   linear memory   8 GiB of reserved addresses at a random place: index and offset of an access are 32 bits each, so
 *                   none leaves them, and nothing is bounds checked. The first SERVER_MEMORY bytes can be used; page 0
 *                   and what lies beyond are not mapped. Upper half: rings, registers and DMA memory, mapped by request.
 *   gs base         its start: a plain access is one instruction with a segment prefix
 *
 * The unit: this file, then the bodies that wasm2c made of the server, with native.h's words.
 * SERVER_MEMORY comes from the command line; server_image and server_image_size from the generated assembly.
 */
typedef unsigned long long server_word;
static server_word linear_base;
#define LINEAR_BASE linear_base
#define LINEAR_SEGMENT __seg_gs
#define LINEAR_PLACE(addr) ((u64)(addr))
#include "../native.h"

extern const u8 server_image[] __attribute__((visibility("hidden")));
extern const u32 server_image_size __attribute__((visibility("hidden")));
extern const struct { s64 tag; u64 value; } _DYNAMIC[] __attribute__((visibility("hidden")));
u64 __stack_chk_guard;
void kernel__initialize(void);
u32 kernel_serverBuffer(u32 size);
u32 kernel_serverMain(u32 count);

#define LINEAR_START 65536ull
#define RESERVED (8ull << 30)
enum { SYS_mmap = 9, SYS_mprotect = 10, SYS_arch_prctl = 158, SYS_exit_group = 231, ARCH_SET_GS = 0x1001 };
enum { AT_NULL, AT_PHDR = 3, AT_PHNUM = 5, AT_RANDOM = 25, DT_RELA = 7, DT_RELASZ = 8, PT_GNU_RELRO = 0x6474e552 };

/* ---- Intrinsics ---- */
INTRINSIC(u64, server_call)(u32 nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
  u64 result;
  register u64 r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(result), "+r"(r10), "+r"(r8), "+r"(r9) : "a"((u64)nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}

/* ipc_call and ipc_reply_wait: the words at linear `words` (badge, w0..w3) go and come in registers. */
INTRINSIC(u64, server_ipc)(u32 nr, u32 endpoint, u32 label, u32 words) {
  u64* message = (u64*)LINEAR(words);
  u64 result, rdi = endpoint, rsi = label, rdx = message[1];
  register u64 r10 __asm__("r10") = message[2], r8 __asm__("r8") = message[3], r9 __asm__("r9") = message[4];
  __asm__ volatile("syscall" : "=a"(result), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10), "+r"(r8), "+r"(r9) : "a"((u64)nr) : "rcx", "r11", "memory");
  message[0] = rdi, message[1] = rdx, message[2] = r10, message[3] = r8, message[4] = r9;
  return result;
}

INTRINSIC(u64, linear_va)(u32 ptr) { return (u64)LINEAR(ptr); }
INTRINSIC(u32, mmio_load8)(u32 ptr) { return *(volatile u8*)LINEAR(ptr); }
INTRINSIC(u32, mmio_load16)(u32 ptr) { return *(volatile u16*)LINEAR(ptr); }
INTRINSIC(u32, mmio_load32)(u32 ptr) { return *(volatile u32*)LINEAR(ptr); }
INTRINSIC(void, mmio_store8)(u32 ptr, u32 value) { *(volatile u8*)LINEAR(ptr) = (u8)value; }
INTRINSIC(void, mmio_store16)(u32 ptr, u32 value) { *(volatile u16*)LINEAR(ptr) = (u16)value; }
INTRINSIC(void, mmio_store32)(u32 ptr, u32 value) { *(volatile u32*)LINEAR(ptr) = value; }

/* ---- Memory of a fixed size: who wants more dies, and the log says of what ---- */
#define memory_pages() (SERVER_MEMORY / 65536u)
#define memory_grow(pages) ((void)(pages), TRAP(OUT_OF_MEMORY))

/* ---- Start ---- */
static u64 checked(u64 result) {
  if (result >= (u64)-4095) x86_64_server_call(SYS_exit_group, 125, 0, 0, 0, 0, 0);
  return result;
}

/* The function table holds addresses, which depend on where the program lies. */
static u64 relocate(void) {
  u64 table = 0, size = 0, base = 0;
  __asm__("lea __ehdr_start(%%rip), %0" : "=r"(base));
  for (u32 i = 0; _DYNAMIC[i].tag; i++) {
    if (_DYNAMIC[i].tag == DT_RELA) table = base + _DYNAMIC[i].value;
    if (_DYNAMIC[i].tag == DT_RELASZ) size = _DYNAMIC[i].value;
  }
  for (u64* rela = (u64*)table; rela < (u64*)(table + size); rela += 3) *(u64*)(base + rela[0]) = base + rela[2];
  return base;
}

static void protect_relocated(u64 base, const u32* header, u64 count) {
  for (; count > 0; count--, header += 14) {
    const u64* fields = (const u64*)header; /* type|flags, offset, vaddr, paddr, filesz, memsz, align */
    if (header[0] != PT_GNU_RELRO) continue;
    u64 start = (base + fields[2]) & ~4095ull, end = (base + fields[2] + fields[5]) & ~4095ull;
    checked(x86_64_server_call(SYS_mprotect, start, end - start, 1, 0, 0, 0));
  }
}

/* Joins the arguments, each with its NUL, in memory that the server gives. */
static u32 arguments_copy(u64 count, u8** argument) {
  u32 size = 0, at = 0;
  for (u64 i = 0; i < count; i++) for (u8* c = argument[i];; c++) if (size++, !*c) break;
  u32 buffer = kernel_serverBuffer(size);
  for (u64 i = 0; i < count; i++) for (u8* c = argument[i];; c++) if (*LINEAR(buffer + at++) = *c, !*c) break;
  return (u32)count;
}

__attribute__((used)) void server_start(u64* stack) {
  u64 base = relocate(), random = 0, headers = 0, header_count = 0;
  u64* aux = stack + 2 + stack[0];
  while (*aux++) {}
  for (; aux[0] != AT_NULL; aux += 2) {
    if (aux[0] == AT_RANDOM) random = *(u64*)aux[1];
    if (aux[0] == AT_PHDR) headers = aux[1];
    if (aux[0] == AT_PHNUM) header_count = aux[1];
  }
  __stack_chk_guard = random & ~255ull;
  protect_relocated(base, (const u32*)headers, header_count);
  linear_base = checked(x86_64_server_call(SYS_mmap, 0, RESERVED, 0, 0x4022, ~0ull, 0)); /* private, anonymous, no reserve */
  checked(x86_64_server_call(SYS_mprotect, linear_base + LINEAR_START, SERVER_MEMORY - LINEAR_START, 3, 0, 0, 0));
  checked(x86_64_server_call(SYS_arch_prctl, ARCH_SET_GS, linear_base, 0, 0, 0, 0));
  memcpy(LINEAR(LINEAR_START), server_image, server_image_size);
  kernel__initialize();
  u32 status = kernel_serverMain(arguments_copy(stack[0], (u8**)(stack + 1)));
  x86_64_server_call(SYS_exit_group, status, 0, 0, 0, 0, 0);
}
__attribute__((noreturn)) void __stack_chk_fail(void) { wasm_trap(TRAP_UNREACHABLE); }
__asm__(".globl _start\n_start:\n  xor %ebp, %ebp\n  mov %rsp, %rdi\n  and $-16, %rsp\n  call server_start\n  ud2\n");
