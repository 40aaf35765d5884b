/**
 * The translation keeps WebAssembly's meaning: the same module, natively and in V8, gives the same answers.
 *
 * TRANSLATION_SEED=n replays a run; the seed is part of every failure.
 */
import fc from "fast-check";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BUILD } from "../../../toolchain/paths.ts";
import { runNode } from "../../../toolchain/run.ts";
import { type Call, compileNative, runNative, runThreads } from "./support/host-program.ts";
import { moduleText, randomBodies, singleOperations } from "./support/module-source.ts";
import { runV8 } from "./support/v8.ts";

const SEED = Number(process.env["TRANSLATION_SEED"] ?? 20260101);
const CALLS_PER_OPERATION = 40;
const RANDOM_FUNCTIONS = 60;
const CALLS_PER_RANDOM = 25;
const COMPILE_MS = 120_000;

/** Values where integer operations change their mind. */
const EDGES: readonly bigint[] = [
  0n, 1n, 2n, 7n, 8n, 31n, 32n, 33n, 63n, 64n, 127n, 128n, 255n, 256n, 0x7fffn, 0x8000n, 0xffffn, 0x7fffffffn,
  0x80000000n, 0xffffffffn, 0x100000000n, 0x7fffffffffffffffn, -0x8000000000000000n, -1n, -2n, -128n, -32768n,
  -0x80000000n,
];
const operand = fc.oneof(fc.constantFrom(...EDGES), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));

function callsOf(names: readonly string[], each: number): Call[] {
  const args = fc.sample(fc.tuple(operand, operand, operand), { numRuns: names.length * each, seed: SEED });
  return args.map((values, index) => ({ name: names[index % names.length] as string, args: values }));
}

function assemble(name: string, text: string): Uint8Array {
  const folder = join(BUILD, "translation");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(`${path}.wat`, text);
  runNode(["node_modules/wabt/bin/wat2wasm", "--enable-threads", `${path}.wat`, "-o", `${path}.wasm`]);
  return readFileSync(`${path}.wasm`);
}

async function compare(name: string, bodies: Map<string, string>, each: number): Promise<void> {
  const exports = [...bodies.keys()];
  const wasm = assemble(name, moduleText(bodies));
  const calls = callsOf(exports, each);
  const native = runNative(compileNative(name, wasm, exports), calls, exports);
  const expected = await runV8(wasm, calls);
  const wrong = expected.flatMap((answer, index) =>
    native[index] === answer ? [] : [{ seed: SEED, call: calls[index], v8: answer, native: native[index] }]);
  expect(wrong.slice(0, 5)).toEqual([]);
  expect(native.length).toBe(expected.length);
}

test("every integer, memory, atomic and control operation agrees with V8", async () => {
  await compare("operations", singleOperations(), CALLS_PER_OPERATION);
}, COMPILE_MS);

test("random programs agree with V8", async () => {
  await compare("random", randomBodies(RANDOM_FUNCTIONS, SEED), CALLS_PER_RANDOM);
}, COMPILE_MS);

test("division, unreachable and call_indirect trap as in V8", async () => {
  const bodies = singleOperations();
  const exports = ["i32_div_s", "i64_div_s", "i32_div_u", "i64_rem_s", "trap", "indirect", "i64_rmw_add"];
  const wasm = assemble("traps", moduleText(bodies));
  const calls: Call[] = [
    { name: "i32_div_s", args: [5n, 0n, 0n] }, { name: "i32_div_s", args: [-0x80000000n, -1n, 0n] },
    { name: "i64_div_s", args: [-0x8000000000000000n, -1n, 0n] }, { name: "i32_div_u", args: [1n, 0n, 0n] },
    { name: "i64_rem_s", args: [-0x8000000000000000n, -1n, 0n] }, { name: "trap", args: [0n, 0n, 0n] },
    { name: "indirect", args: [0n, 1n, 2n] }, { name: "indirect", args: [1n, 50n, 2n] },
    { name: "indirect", args: [3n, 1n, 2n] }, { name: "indirect", args: [4n, 1n, 2n] },
    { name: "indirect", args: [-1n, 1n, 2n] }, { name: "i64_rmw_add", args: [4n, 1n, 0n] },
  ];
  const native = runNative(compileNative("traps", wasm, exports), calls, exports);
  expect(native.slice(0, -1)).toEqual([
    "trap 2", "trap 3", "trap 3", "trap 2", "0", "trap 1", "trap 4", "2a", "trap 4", "trap 4", "trap 4", "trap 5",
  ]);
  expect(native).toEqual(await runV8(wasm, calls));
}, COMPILE_MS);

/** Rounds of an atomic increment, and of a plain one under a spinlock made of cmpxchg and an atomic store. */
const THREAD_BODIES = new Map([
  ["increment", `(loop $again
      (drop (i32.atomic.rmw.add (i32.const 1024) (i32.const 1)))
      (local.set 0 (i64.sub (local.get 0) (i64.const 1)))
      (br_if $again (i64.ne (local.get 0) (i64.const 0)))) (i64.const 0)`],
  ["locked", `(loop $again
      (loop $spin (br_if $spin (i32.atomic.rmw.cmpxchg (i32.const 2048) (i32.const 0) (i32.const 1))))
      (i32.store (i32.const 1024) (i32.add (i32.load (i32.const 1024)) (i32.const 1)))
      (i32.atomic.store (i32.const 2048) (i32.const 0))
      (local.set 0 (i64.sub (local.get 0) (i64.const 1)))
      (br_if $again (i64.ne (local.get 0) (i64.const 0)))) (i64.const 0)`],
]);

test("atomics hold between real threads", () => {
  const exports = [...THREAD_BODIES.keys()];
  const program = compileNative("threads", assemble("threads", moduleText(THREAD_BODIES)), exports);
  expect(runThreads(program, 0, 4, 200_000)).toBe(800_000);
  expect(runThreads(program, 1, 4, 20_000)).toBe(80_000);
}, COMPILE_MS);
