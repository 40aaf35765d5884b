/** WebAssembly text -> binary -> wasm2c's C, with wabt's own programs. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BUILD } from "../../../../toolchain/paths.ts";
import { runNode } from "../../../../toolchain/run.ts";
import { wasm2cText } from "../../../../toolchain/steps/wasm2c.ts";

/** The path of the assembled module, with function names. */
export function assemble(name: string, text: string): string {
  const folder = join(BUILD, "translation");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(`${path}.wat`, text);
  runNode(["node_modules/wabt/bin/wat2wasm", "--enable-threads", "--debug-names", `${path}.wat`, "-o", `${path}.wasm`]);
  return `${path}.wasm`;
}

export function wasm2c(path: string): string {
  return wasm2cText(path);
}
