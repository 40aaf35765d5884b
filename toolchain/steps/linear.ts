/**
 * Static data of the module -> one assembly file with its two sections.
 *
 *   .lineardata   from linear address 65536 to the last byte that is not zero
 *   .linearbss    zeros up to the end of static data
 *
 * kernel.lds places them at LINEAR_BASE + 65536, so the image is in its place as soon as it is loaded.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { BuildError, messages } from "../messages.ts";
import { LINEAR_START } from "../paths.ts";
import { readWasm, type WasmModule } from "../wasm.ts";

const BYTES_PER_LINE = 32;

/** Writes the assembly for `wasm`; `wat` tells where static data ends. */
export function linearAssembly(wasm: string, wat: string, output: string): void {
  const end = staticEnd(readFileSync(wat, "utf8"));
  const data = linearImage(readWasm(readFileSync(wasm)));
  const lines = [`  .section .lineardata, "aw", @progbits`];
  for (let at = 0; at < data.length; at += BYTES_PER_LINE) {
    lines.push(`  .byte ${[...data.subarray(at, at + BYTES_PER_LINE)].join(",")}`);
  }
  lines.push(`  .section .linearbss, "aw", @nobits`, `  .skip ${Math.max(end - LINEAR_START - data.length, 0)}`);
  lines.push(`  .section .note.GNU-stack, "", @progbits`, "");
  writeFileSync(output, lines.join("\n"));
}

/** The bytes from LINEAR_START to the last initialised one. */
export function linearImage(module: WasmModule): Buffer {
  const end = Math.max(LINEAR_START, ...module.data.map(({ offset, bytes }) => offset + bytes.length));
  const image = Buffer.alloc(end - LINEAR_START);
  for (const { offset, bytes } of module.data) bytes.copy(image, offset - LINEAR_START);
  return image;
}

/** The constant that toolchain/asc/static-end.ts returns. */
function staticEnd(wat: string): number {
  const match = /\(func \$toolchain\/asc\/static-end\/linearStaticEnd \(result i32\)\s+(?:global\.get|i32\.const) (\S+)/.exec(wat);
  const value = match?.[1] ?? "";
  const global = /\(global \$~lib\/memory\/__heap_base i32 \(i32\.const (\d+)\)\)/.exec(wat);
  const end = /^\d+$/.test(value) ? Number(value) : Number(global?.[1]);
  if (!Number.isInteger(end)) throw new BuildError(messages.preludeShape("the end of static data is not a constant"));
  return end;
}
