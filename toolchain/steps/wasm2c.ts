/** WebAssembly -> C (wabt's wasm2c), rewritten onto arch/x86_64/native.h. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cachedStep } from "../cache.ts";
import { BuildError, messages } from "../messages.ts";
import { BUILD, ROOT } from "../paths.ts";
import { runNode } from "../run.ts";
import { rewriteWasm2c } from "./rewrite.ts";

const WASM2C = join(ROOT, "node_modules/wabt/bin/wasm2c");

export interface TranslatedC {
  /** The generated translation unit. */
  code: string;
  /** JSON: C name -> TypeScript name, and the C names in the function table. */
  names: string;
}

/** What TranslatedC.names holds. */
export interface NameMap {
  names: Record<string, string>;
  addressTaken: string[];
}

export function wasmToC(wasm: string, flavour: string): TranslatedC {
  const result = { code: join(BUILD, flavour, "kernel.c"), names: join(BUILD, flavour, "names.json") };
  cachedStep({
    name: `wasm2c-${flavour}`,
    inputs: [wasm],
    parameters: [],
    outputs: [result.code, result.names],
    action: () => {
      const rewritten = rewriteWasm2c(wasm2cText(wasm));
      writeFileSync(result.code, `#include "native.h"\n#include "intrinsics.c"\n\n${rewritten.code}`);
      const map: NameMap = { names: Object.fromEntries(rewritten.names), addressTaken: rewritten.addressTaken };
      writeFileSync(result.names, JSON.stringify(map, null, 1));
    },
  });
  return result;
}

/** wasm2c's own output for a module. */
export function wasm2cText(wasm: string): string {
  const output = wasm.replace(/\.wasm$/, ".w2c.c");
  try {
    runNode([WASM2C, "--enable-threads", "-n", "kernel", wasm, "-o", output]);
  } catch (error) {
    const isTooDeep = error instanceof BuildError && /RuntimeError: (?:memory access out of bounds|unreachable)/.test(error.message);
    throw isTooDeep ? new BuildError(messages.nestedTooDeep) : error;
  }
  return readFileSync(output, "utf8");
}
