/**
 * The words of wasm2c that arch/x86_64/native.h defines.
 *
 * A body that uses any other word stops the build: a new wabt may give an old word a new meaning only together
 * with a new prelude, whose hash is pinned in rewrite.ts.
 */
const WIDTHS_32 = ["8_u", "16_u"];
const WIDTHS_64 = ["8_u", "16_u", "32_u"];
const LOADS = [
  "i32_load", "i64_load", "i32_load8_s", "i64_load8_s", "i32_load8_u", "i64_load8_u", "i32_load16_s",
  "i64_load16_s", "i32_load16_u", "i64_load16_u", "i64_load32_s", "i64_load32_u",
];
const STORES = [
  "i32_store", "i64_store", "i32_store8", "i32_store16", "i64_store8", "i64_store16", "i64_store32",
];
const ATOMIC_STORES = STORES.map((name) => name.replace("_store", "_atomic_store"));
const ATOMIC_LOADS = [
  "i32_atomic_load", "i64_atomic_load",
  ...WIDTHS_32.map((width) => `i32_atomic_load${width}`),
  ...WIDTHS_64.map((width) => `i64_atomic_load${width}`),
];

function rmwNames(): string[] {
  return ["add", "sub", "and", "or", "xor", "xchg", "cmpxchg"].flatMap((op) => [
    `i32_atomic_rmw_${op}`, `i32_atomic_rmw8_${op}_u`, `i32_atomic_rmw16_${op}_u`,
    `i64_atomic_rmw_${op}`, `i64_atomic_rmw8_${op}_u`, `i64_atomic_rmw16_${op}_u`, `i64_atomic_rmw32_${op}_u`,
  ]);
}

export const MEMORY_OPERATIONS: ReadonlySet<string> = new Set(
  [...LOADS, ...STORES, ...ATOMIC_LOADS, ...ATOMIC_STORES, ...rmwNames()].map((name) => `${name}_default32`),
);

export const OPERATIONS: ReadonlySet<string> = new Set([
  ...MEMORY_OPERATIONS,
  "memory_fill", "memory_copy", "atomic_fence", "CALL_INDIRECT", "UNREACHABLE",
  "I32_CLZ", "I64_CLZ", "I32_CTZ", "I64_CTZ", "I32_POPCNT", "I64_POPCNT",
  "I32_DIV_S", "I64_DIV_S", "I32_REM_S", "I64_REM_S", "DIV_U", "REM_U",
  "I32_ROTL", "I32_ROTR", "I64_ROTL", "I64_ROTR",
]);

/** What arch/x86_64/user/server.c defines: a server's collector asks for the size of its memory. */
export const SERVER_OPERATIONS: ReadonlySet<string> = new Set([...OPERATIONS, "memory_grow", "memory_pages"]);

/** C words that are followed by a parenthesis in the bodies. */
export const C_WORDS: ReadonlySet<string> = new Set(["if", "switch", "return", "while", "u32", "u64", "s32", "s64"]);
