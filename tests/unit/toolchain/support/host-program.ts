/**
 * Runs a WebAssembly module natively in a host process, translated exactly as the kernel is.
 *
 * The module's exports all have the type (i64, i64, i64) -> i64. The process reads calls, one a line, and answers each
 * with its result or its trap; at the end it prints a hash of memory.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ARCH, BUILD } from "../../../../toolchain/paths.ts";
import { run, runNode } from "../../../../toolchain/run.ts";
import { rewriteWasm2c } from "../../../../toolchain/steps/rewrite.ts";
import { readWasm } from "../../../../toolchain/wasm.ts";

export const MEMORY_BYTES = 65536;
/** Names of traps, by the TRAP_ codes of native.h. */
export const TRAPS: readonly string[] = ["", "unreachable", "div by zero", "overflow", "call_indirect", "unaligned"];

const FLAGS = [
  "-std=gnu11", "-O2", "-fno-strict-aliasing", "-fwrapv", "-fno-delete-null-pointer-checks", "-pthread", "-w",
  "-DNATIVE_HOST", "-DNATIVE_CHECK_ALIGN", "-DLINEAR_BASE=0x200000000000ull", `-I${ARCH}`,
];

export interface Call {
  name: string;
  args: readonly [bigint, bigint, bigint];
}

/** Translates and compiles; the path of the program. */
export function compileNative(name: string, wasm: Uint8Array, exports: readonly string[]): string {
  const folder = join(BUILD, "translation", name);
  mkdirSync(folder, { recursive: true });
  const path = (file: string): string => join(folder, file);
  writeFileSync(path("module.wasm"), wasm);
  runNode(["node_modules/wabt/bin/wasm2c", "--enable-threads", "-n", "kernel", path("module.wasm"), "-o", path("w2c.c")]);
  const code = rewriteWasm2c(readFileSync(path("w2c.c"), "utf8")).code;
  writeFileSync(path("program.c"), programText(code, exports, dataLines(wasm)));
  run("gcc", [...FLAGS, path("program.c"), "-o", path("program")]);
  return path("program");
}

/** Answers of the native program, one a call, then the memory's hash. */
export function runNative(program: string, calls: readonly Call[], exports: readonly string[]): string[] {
  const input = calls.map(({ name, args }) =>
    [exports.indexOf(name), ...args.map((arg) => BigInt.asUintN(64, arg).toString(16))].join(" "));
  return run(program, [], { input: input.join("\n") + "\n" }).trim().split("\n");
}

/** Runs `name` in `threads` threads at once; afterwards the memory is as the hash and the words say. */
export function runThreads(program: string, index: number, threads: number, rounds: number): number {
  return Number(run(program, ["threads", String(index), String(threads), String(rounds)]).trim());
}

/** FNV-1a over memory, as the program computes it. */
export function memoryHash(bytes: Uint8Array): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return `memory ${hash.toString(16)}`;
}

/** Statements that place the module's data. */
function dataLines(wasm: Uint8Array): string {
  return readWasm(Buffer.from(wasm)).data.map(({ offset, bytes }) =>
    `  memcpy(LINEAR(${offset}), (u8[]){${[...bytes].join(",")}}, ${bytes.length});`).join("\n");
}

function programText(code: string, exports: readonly string[], data: string): string {
  return `
#include "native.h"
INTRINSIC(u32, in8)(u32 port) { return port * 3 + 1; }
${code}
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static jmp_buf trapped;
void wasm_trap(u32 code) { longjmp(trapped, code); }

typedef u64 (*test_function)(u64, u64, u64);
static const test_function functions[] = {${exports.map((name) => `kernel_${name}`).join(", ")}};

static void* thread_body(void* argument) {
  u64* work = argument;
  functions[work[0]](work[1], 0, 0);
  return 0;
}

static int run_threads(u64 function, int threads, u64 rounds) {
  pthread_t ids[64];
  u64 work[2] = {function, rounds};
  for (int i = 0; i < threads; i++) pthread_create(&ids[i], 0, thread_body, work);
  for (int i = 0; i < threads; i++) pthread_join(ids[i], 0);
  printf("%u\\n", *(u32*)LINEAR(1024));
  return 0;
}

int main(int argc, char** argv) {
  if (mmap((void*)LINEAR_BASE, ${MEMORY_BYTES}, PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) return 2;
${data}
  if (argc > 4) return run_threads(atoi(argv[2]), atoi(argv[3]), atoll(argv[4]));
  unsigned index;
  u64 a, b, c;
  while (scanf("%u %llx %llx %llx", &index, &a, &b, &c) == 4) {
    int trap = setjmp(trapped);
    if (trap == 0) printf("%llx\\n", functions[index](a, b, c));
    else printf("trap %d\\n", trap);
  }
  u64 hash = 0xcbf29ce484222325ull;
  for (u64 i = 0; i < ${MEMORY_BYTES}; i++) hash = (hash ^ *LINEAR(i)) * 0x100000001b3ull;
  printf("memory %llx\\n", hash);
  return 0;
}
`;
}
