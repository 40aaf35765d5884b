/**
 * The kernel for unit tests: the same TypeScript, as WebAssembly in V8, on a simulated machine.
 *
 *   const { exports, memory, machine } = await loadKernel({ ramBytes: 8 * MIB });
 *   const frame = exports.frameAlloc() as number;
 *
 * Every load is a fresh kernel with its own memory; the compiled module is shared within a test file.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Machine, type Intrinsics, type MachineOptions } from "./machine.ts";

export const MIB: number = 1024 * 1024;

/** u32, i32 and usize are numbers (signed, as wasm has them: use >>> 0); u64 and i64 are signed bigints. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type KernelExports = Record<string, any>;

export interface LoadOptions extends MachineOptions {
  /** Linear memory in all; never less than the 64 MiB it is compiled with. */
  linearBytes?: number;
  /** Intrinsics that replace the simulated machine's. */
  intrinsics?: Intrinsics;
  /** A machine of the test's own. */
  machine?: Machine;
}

export interface Kernel {
  exports: KernelExports;
  memory: WebAssembly.Memory;
  machine: Machine;
  /** Values of exported constants: static structs are linear addresses. */
  constant(name: string): number;
  /** Where the kernel's function references point. */
  table: WebAssembly.Table;
}

const WASM_PAGE = 65536;
let compiled: Promise<WebAssembly.Module> | undefined;

/** Instantiates build/kernel-test.wasm (npx tsx toolchain/build.ts testwasm; Jest builds it by itself). */
export async function loadKernel(options: LoadOptions = {}): Promise<Kernel> {
  compiled ??= WebAssembly.compile(readFileSync(join(process.cwd(), "build/kernel-test.wasm")));
  const module = await compiled;
  const machine = options.machine ?? new Machine(options);
  if (options.intrinsics) machine.override(options.intrinsics);
  const names = WebAssembly.Module.imports(module).map(({ name }) => name);
  const instance = await WebAssembly.instantiate(module, { x86_64: machine.imports(names) });
  const memory = instance.exports["memory"] as WebAssembly.Memory;
  const missing = (options.linearBytes ?? 0) - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / WASM_PAGE));
  machine.memory = memory;
  const table = instance.exports["table"] as WebAssembly.Table;
  return { exports: functionsOf(instance), memory, machine, table, constant: (name) => constantOf(instance, name) };
}

/** Exported functions; a misspelt name throws instead of being undefined. */
function functionsOf(instance: WebAssembly.Instance): KernelExports {
  return new Proxy(instance.exports as unknown as KernelExports, {
    get(target, name) {
      const value = target[name as string];
      if (typeof value !== "function" && name !== "then") throw new Error(`the kernel exports no function ${String(name)}`);
      return value;
    },
  });
}

function constantOf(instance: WebAssembly.Instance, name: string): number {
  const value = instance.exports[name];
  if (!(value instanceof WebAssembly.Global)) throw new Error(`the kernel exports no constant ${name}`);
  return Number(value.value);
}

/** Places `text` in linear memory at `ptr`, NUL-terminated; returns its length in bytes. */
export function putString(kernel: Kernel, ptr: number, text: string): number {
  const bytes = new TextEncoder().encode(text);
  const at = new Uint8Array(kernel.memory.buffer, ptr >>> 0, bytes.length + 1);
  at.set(bytes);
  at[bytes.length] = 0;
  return bytes.length;
}

/**
 * A function of the test's as the kernel's code refers to functions: the address of a word with a table index, which is put at `at`.
 * `parameters` of them, all 32 bits wide; no result.
 */
export function hookOf(kernel: Kernel, at: number, parameters: number, hook: (...args: number[]) => void): number {
  const I32 = 0x7f;
  const type = [1, 4 + parameters, 1, 0x60, parameters, ...Array<number>(parameters).fill(I32), 0];
  const imported = [2, 7, 1, 1, 0x68, 1, 0x66, 0, 0]; // "h" "f", function of type 0
  const exported = [7, 5, 1, 1, 0x66, 0, 0];
  const bytes = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...type, ...imported, ...exported]);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { h: { f: hook } });
  const index = kernel.table.grow(1);
  kernel.table.set(index, exports["f"] as CallableFunction);
  new DataView(kernel.memory.buffer).setUint32(at, index, true);
  return at;
}
