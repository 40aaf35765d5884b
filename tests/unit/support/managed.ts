/**
 * Pure parts of a server in V8: a module of the test's own (NAME.as.ts) that imports them, with the managed runtime exported, so that
 * texts go in and out. It asks nothing of the kernel but what the test answers; a whole server is loaded by support/server.ts.
 *
 *   const module = await loadManaged("tests/unit/…/pure.as.ts");
 *   module.text(module.exports.f(module.string("…")));
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cachedStep, filesUnder } from "../../../toolchain/cache.ts";
import { BUILD, ROOT } from "../../../toolchain/paths.ts";
import { runNode } from "../../../toolchain/run.ts";

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Exports = Record<string, any>;

export interface Managed {
  exports: Exports;
  memory: WebAssembly.Memory;
  /** A managed string, held for ever. */
  string(text: string): number;
  /** The characters of a managed string. */
  text(pointer: number): string;
}

/** The time asc may take on a busy machine. */
export const COMPILE_MS = 60_000;

const STRING_ID = 2;
const OBJECT_HEADER = 20;
const PAGES = 64; // 4 MiB

/** Compiles `entry` (relative to the root), once a content; asc adds the runtime. */
function compileManaged(entry: string): string {
  const folder = join(BUILD, "tests/managed");
  mkdirSync(folder, { recursive: true });
  const name = entry.replace(/[^a-z0-9]+/gi, "-");
  const wasm = join(folder, `${name}.wasm`);
  const args = [
    join(ROOT, "node_modules/assemblyscript/bin/asc.js"), entry, "--optimizeLevel", "1", "--runtime", "minimal", "--exportRuntime",
    "--enable", "threads", "--memoryBase", "65536", "--initialMemory", String(PAGES), "--exportStart", "_initialize", "--use", "abort=",
    "--debug", "--disableWarning", "201,235", "--outFile", wasm,
  ];
  cachedStep({
    name: `managed-${name}`,
    inputs: [...filesUnder(join(ROOT, "servers"), ".ts"), ...filesUnder(join(ROOT, "kernel/abi"), ".ts"), join(ROOT, entry)],
    parameters: args.slice(1).map((arg) => arg.replace(ROOT, "")),
    outputs: [wasm],
    action: () => void runNode(args),
  });
  return wasm;
}

/** `known`: what the kernel answers, of the imports of servers/runtime/intrinsics.ts; nothing of a pure part. */
export async function loadManaged(entry: string, known: WebAssembly.ModuleImports = {}): Promise<Managed> {
  const module = await WebAssembly.compile(readFileSync(compileManaged(entry)));
  const refuse = (name: string) => (): never => {
    throw new Error(`a pure part calls ${name}`);
  };
  const imports = WebAssembly.Module.imports(module).map(({ name }) => [name, known[name] ?? refuse(name)] as const);
  const instance = await WebAssembly.instantiate(module, { x86_64: Object.fromEntries(imports) });
  const exports = instance.exports as Exports;
  exports["_initialize"]();
  const memory = exports["memory"] as WebAssembly.Memory;
  return {
    exports,
    memory,
    string(text) {
      const pointer = exports["__pin"](exports["__new"](text.length << 1, STRING_ID)) as number;
      const view = new Uint16Array(memory.buffer, pointer, text.length);
      for (let i = 0; i < text.length; i++) view[i] = text.charCodeAt(i);
      return pointer;
    },
    text(pointer) {
      const bytes = new DataView(memory.buffer).getUint32(pointer - OBJECT_HEADER + 16, true);
      return String.fromCharCode(...new Uint16Array(memory.buffer, pointer, bytes >> 1));
    },
  };
}
