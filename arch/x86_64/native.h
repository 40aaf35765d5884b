/*
 * What the words of wasm2c's function bodies mean on this machine.
 *
 * toolchain/steps/rewrite.ts keeps only the function bodies of wasm2c's output; this header replaces its prelude:
 * the memory base is a constant, atomics are real, and nothing is bounds checked (the page tables do that).
 *
 * One translation unit is compiled:  native.h, intrinsics.c, then the generated bodies.
 *
 *   name in TypeScript                     name in C
 *   @external("x86_64", "in8")             x86_64_in8(port), written INTRINSIC(u32, in8)(u32 port) { ... }
 *   function frameAlloc                    static ts_frameAlloc
 *   export function kernelMain of main.ts  kernel_kernelMain, global, plain arguments in the C ABI
 *
 * A trap (division, unreachable, wild function pointer) executes UD2 with the TRAP_ code in EAX and TRAP_MAGIC in EDX.
 * gcc may call memcpy, memmove, memset and memcmp; they are defined here. __stack_chk_guard and __stack_chk_fail
 * belong to boot.S and intrinsics.c.
 *
 * LINEAR_BASE, NATIVE_HOST and NATIVE_CHECK_ALIGN may be set by the compiler's command line: the translation tests
 * run the same bodies in a host process. Servers (user/server.c) set LINEAR_SEGMENT: their linear memory begins at the
 * base of a segment register, found at run time.
 */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
typedef __SIZE_TYPE__ native_size;

#ifndef LINEAR_BASE
#define LINEAR_BASE 0xffffffff80000000ull
#endif

#ifndef LINEAR_SEGMENT
#define LINEAR_SEGMENT
#define LINEAR_PLACE(addr) (LINEAR_BASE + (u64)(addr))
#endif

#define INLINE static inline __attribute__((always_inline, unused))
#define INTRINSIC(ret, name) INLINE ret x86_64_##name
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* ---- Traps ---- */
enum {
  TRAP_UNREACHABLE = 1,
  TRAP_DIV_BY_ZERO = 2,
  TRAP_INT_OVERFLOW = 3,
  TRAP_CALL_INDIRECT = 4,
  TRAP_UNALIGNED = 5,
  TRAP_OUT_OF_MEMORY = 6,
};
#define TRAP_MAGIC 0x7472

#ifdef NATIVE_HOST
void wasm_trap(u32 code) __attribute__((noreturn));
#else
INLINE __attribute__((noreturn)) void wasm_trap(u32 code) {
  __asm__ volatile("ud2" : : "a"(code), "d"(TRAP_MAGIC));
  __builtin_unreachable();
}
#endif

#define TRAP(name) (wasm_trap(TRAP_##name), 0)
#define UNREACHABLE (void)TRAP(UNREACHABLE)

/* ---- Linear memory ---- */
#define LINEAR(addr) ((u8*)(LINEAR_BASE + (u64)(addr)))

/* Whole cells and the narrower, zero-extended ones: the parts of an operation's name, the cell, the operand. */
#define FOR_EACH_CELL(DEFINE, ...)                \
  DEFINE(i32, , , u32, u32, ##__VA_ARGS__)        \
  DEFINE(i64, , , u64, u64, ##__VA_ARGS__)        \
  DEFINE(i32, 8, _u, u8, u32, ##__VA_ARGS__)      \
  DEFINE(i64, 8, _u, u8, u64, ##__VA_ARGS__)      \
  DEFINE(i32, 16, _u, u16, u32, ##__VA_ARGS__)    \
  DEFINE(i64, 16, _u, u16, u64, ##__VA_ARGS__)    \
  DEFINE(i64, 32, _u, u32, u64, ##__VA_ARGS__)

#define DEFINE_LOAD(type, width, sign, stored, result)                        \
  INLINE result type##_load##width##sign##_default32(u64 addr) {              \
    typedef stored cell __attribute__((aligned(1), may_alias));               \
    return (result)*(const cell LINEAR_SEGMENT*)LINEAR_PLACE(addr);           \
  }
FOR_EACH_CELL(DEFINE_LOAD)
DEFINE_LOAD(i32, 8, _s, s8, u32)
DEFINE_LOAD(i64, 8, _s, s8, u64)
DEFINE_LOAD(i32, 16, _s, s16, u32)
DEFINE_LOAD(i64, 16, _s, s16, u64)
DEFINE_LOAD(i64, 32, _s, s32, u64)

#define DEFINE_STORE(type, width, sign, stored, operand)                      \
  INLINE void type##_store##width##_default32(u64 addr, operand value) {      \
    typedef stored cell __attribute__((aligned(1), may_alias));               \
    *(cell LINEAR_SEGMENT*)LINEAR_PLACE(addr) = (stored)value;                \
  }
FOR_EACH_CELL(DEFINE_STORE)

/* ---- Atomics: sequentially consistent, as WebAssembly has them ---- */
#ifdef NATIVE_CHECK_ALIGN
#define ALIGNED(addr, type) if (UNLIKELY((addr) & (sizeof(type) - 1))) wasm_trap(TRAP_UNALIGNED)
#else
#define ALIGNED(addr, type) /* x86 locks the bus instead */
#endif

#define DEFINE_ATOMIC_LOAD(type, width, sign, stored, result)                 \
  INLINE result type##_atomic_load##width##sign##_default32(u64 addr) {       \
    ALIGNED(addr, stored);                                                    \
    return __atomic_load_n((stored*)LINEAR(addr), __ATOMIC_SEQ_CST);          \
  }
FOR_EACH_CELL(DEFINE_ATOMIC_LOAD)

#define DEFINE_ATOMIC_STORE(type, width, sign, stored, operand)               \
  INLINE void type##_atomic_store##width##_default32(u64 addr, operand value) { \
    ALIGNED(addr, stored);                                                    \
    __atomic_store_n((stored*)LINEAR(addr), (stored)value, __ATOMIC_SEQ_CST); \
  }
FOR_EACH_CELL(DEFINE_ATOMIC_STORE)

#define DEFINE_ATOMIC_RMW(type, width, sign, stored, operand, op, builtin)    \
  INLINE operand type##_atomic_rmw##width##_##op##sign##_default32(u64 addr, operand value) { \
    ALIGNED(addr, stored);                                                    \
    return builtin((stored*)LINEAR(addr), (stored)value, __ATOMIC_SEQ_CST);   \
  }
FOR_EACH_CELL(DEFINE_ATOMIC_RMW, add, __atomic_fetch_add)
FOR_EACH_CELL(DEFINE_ATOMIC_RMW, sub, __atomic_fetch_sub)
FOR_EACH_CELL(DEFINE_ATOMIC_RMW, and, __atomic_fetch_and)
FOR_EACH_CELL(DEFINE_ATOMIC_RMW, or, __atomic_fetch_or)
FOR_EACH_CELL(DEFINE_ATOMIC_RMW, xor, __atomic_fetch_xor)
FOR_EACH_CELL(DEFINE_ATOMIC_RMW, xchg, __atomic_exchange_n)

/* A narrow cell is compared with `expected` wrapped to its width. */
#define DEFINE_ATOMIC_CMPXCHG(type, width, sign, stored, operand)                                     \
  INLINE operand type##_atomic_rmw##width##_cmpxchg##sign##_default32(u64 addr, operand expected, operand replacement) { \
    ALIGNED(addr, stored);                                                                            \
    stored found = (stored)expected;                                                                  \
    __atomic_compare_exchange_n((stored*)LINEAR(addr), &found, (stored)replacement, 0,                \
                                __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                                  \
    return found;                                                                                     \
  }
FOR_EACH_CELL(DEFINE_ATOMIC_CMPXCHG)

#define atomic_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)

/* ---- Integers ---- */
#define I32_CLZ(x) ((x) ? (u32)__builtin_clz(x) : 32u)
#define I64_CLZ(x) ((x) ? (u64)__builtin_clzll(x) : 64ull)
#define I32_CTZ(x) ((x) ? (u32)__builtin_ctz(x) : 32u)
#define I64_CTZ(x) ((x) ? (u64)__builtin_ctzll(x) : 64ull)

/* Without POPCNT, which a PC of 2003 lacks, and without libgcc. */
INLINE u32 I32_POPCNT(u32 x) {
  x -= (x >> 1) & 0x55555555;
  x = (x & 0x33333333) + ((x >> 2) & 0x33333333);
  return (((x + (x >> 4)) & 0x0f0f0f0f) * 0x01010101) >> 24;
}
INLINE u64 I64_POPCNT(u64 x) { return I32_POPCNT((u32)x) + I32_POPCNT((u32)(x >> 32)); }

#define DEFINE_DIVISION(bits, min)                                        \
  INLINE u##bits I##bits##_DIV_S(u##bits x, u##bits y) {                  \
    if (UNLIKELY(y == 0)) wasm_trap(TRAP_DIV_BY_ZERO);                    \
    if (UNLIKELY(x == min && y == (u##bits)-1)) wasm_trap(TRAP_INT_OVERFLOW); \
    return (u##bits)((s##bits)x / (s##bits)y);                            \
  }                                                                       \
  INLINE u##bits I##bits##_REM_S(u##bits x, u##bits y) {                  \
    if (UNLIKELY(y == 0)) wasm_trap(TRAP_DIV_BY_ZERO);                    \
    if (UNLIKELY(y == (u##bits)-1)) return 0;                             \
    return (u##bits)((s##bits)x % (s##bits)y);                            \
  }
DEFINE_DIVISION(32, 0x80000000u)
DEFINE_DIVISION(64, 0x8000000000000000ull)

#define DIV_U(x, y) (UNLIKELY((y) == 0) ? TRAP(DIV_BY_ZERO) : ((x) / (y)))
#define REM_U(x, y) (UNLIKELY((y) == 0) ? TRAP(DIV_BY_ZERO) : ((x) % (y)))

INLINE u32 I32_ROTL(u32 x, u32 y) { return (x << (y & 31)) | (x >> (-y & 31)); }
INLINE u32 I32_ROTR(u32 x, u32 y) { return (x >> (y & 31)) | (x << (-y & 31)); }
INLINE u64 I64_ROTL(u64 x, u64 y) { return (x << (y & 63)) | (x >> (-y & 63)); }
INLINE u64 I64_ROTR(u64 x, u64 y) { return (x >> (y & 63)) | (x << (-y & 63)); }

/* ---- Calls through the function table (rodata; type 0 is the null entry) ---- */
typedef struct {
  u32 type;
  void (*function)(void);
} table_entry;

#define CALL_INDIRECT(signature, expected, index, ...)                                       \
  (LIKELY((index) < TABLE_SIZE && table[index].type == (expected)) ? 0 : TRAP(CALL_INDIRECT), \
   ((signature)table[index].function)(__VA_ARGS__))

/* ---- Bulk memory. REP MOVSQ moves a word a step; a tail word overlaps instead of looping. ---- */
#ifndef NATIVE_HOST
#define LIBCALL __attribute__((used, optimize("no-tree-loop-distribute-patterns")))

LIBCALL void* memcpy(void* dst, const void* src, native_size size) {
  void* result = dst;
  if (size >= 8) {
    u64 tail;
    u8* tail_at = (u8*)dst + size - 8;
    __builtin_memcpy(&tail, (const u8*)src + size - 8, 8);
    native_size words = size / 8;
    __asm__ volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(words) : : "memory");
    __builtin_memcpy(tail_at, &tail, 8);
    return result;
  }
  for (native_size i = 0; i < size; i++) ((u8*)dst)[i] = ((const u8*)src)[i];
  return result;
}

LIBCALL void* memmove(void* dst, const void* src, native_size size) {
  if ((u64)dst - (u64)src >= size) return memcpy(dst, src, size); /* forward is safe whenever dst is below src */
  while (size >= 8) {
    u64 word;
    size -= 8;
    __builtin_memcpy(&word, (const u8*)src + size, 8);
    __builtin_memcpy((u8*)dst + size, &word, 8);
  }
  while (size > 0) {
    size--;
    ((u8*)dst)[size] = ((const u8*)src)[size];
  }
  return dst;
}

LIBCALL void* memset(void* dst, int value, native_size size) {
  u64 word = (u8)value * 0x0101010101010101ull;
  void* result = dst;
  if (size >= 8) {
    __builtin_memcpy((u8*)dst + size - 8, &word, 8);
    native_size words = size / 8;
    __asm__ volatile("rep stosq" : "+D"(dst), "+c"(words) : "a"(word) : "memory");
    return result;
  }
  for (native_size i = 0; i < size; i++) ((u8*)dst)[i] = (u8)value;
  return result;
}

LIBCALL int memcmp(const void* left, const void* right, native_size size) {
  for (native_size i = 0; i < size; i++) {
    int difference = ((const u8*)left)[i] - ((const u8*)right)[i];
    if (difference) return difference;
  }
  return 0;
}
#endif

/* Small structs are cleared word by word and copied through registers: REP takes long to begin. Areas may overlap. */
INLINE void memory_fill(u32 dst, u32 value, u32 size) {
  if (__builtin_constant_p(value) && value == 0 && __builtin_constant_p(size) && size <= 128 && size % 8 == 0) {
#pragma GCC unroll 16
    for (u32 at = 0; at < size; at += 8) *(u64*)LINEAR(dst + at) = 0;
  } else __builtin_memset(LINEAR(dst), (int)value, size);
}
INLINE void memory_copy(u32 dst, u32 src, u32 size) {
  const u64 *from = (const u64*)LINEAR(src);
  u64 *to = (u64*)LINEAR(dst);
  if (__builtin_constant_p(size) && size == 48) {
    u64 a = from[0], b = from[1], c = from[2], d = from[3], e = from[4], f = from[5];
    to[0] = a, to[1] = b, to[2] = c, to[3] = d, to[4] = e, to[5] = f;
  } else if (__builtin_constant_p(size) && size == 32) {
    u64 a = from[0], b = from[1], c = from[2], d = from[3];
    to[0] = a, to[1] = b, to[2] = c, to[3] = d;
  } else __builtin_memmove(to, from, size);
}
