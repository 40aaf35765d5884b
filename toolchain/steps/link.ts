/**
 * Objects -> kernel.elf, in two passes: the second contains the symbol table of the first.
 *
 * The table lies behind .text, so its size moves no code and the first pass' addresses hold.
 */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cachedStep } from "../cache.ts";
import { segmentPermissionsCheck } from "../gates/segments.ts";
import { ARCH, BUILD } from "../paths.ts";
import { run } from "../run.ts";
import type { Flavour } from "./cc.ts";
import { compileAssembly } from "./cc.ts";
import { readSymbols, symbolAssembly } from "./symbols.ts";
import type { NameMap } from "./wasm2c.ts";

/** Links `objects` with the table of their symbols; returns the ELF's path. */
export function linkKernel(objects: readonly string[], names: string, flavour: Flavour): string {
  const elf = join(BUILD, flavour, "kernel.elf");
  cachedStep({
    name: `link-${flavour}`,
    inputs: [...objects, names, join(ARCH, "kernel.lds")],
    parameters: [],
    outputs: [elf],
    action: () => linkTwice(objects, names, flavour, elf),
  });
  copyFileSync(elf, join(BUILD, "kernel.elf"));
  return elf;
}

function linkTwice(objects: readonly string[], names: string, flavour: Flavour, elf: string): void {
  const map = JSON.parse(readFileSync(names, "utf8")) as NameMap;
  const firstPass = join(BUILD, flavour, "pass1.elf");
  const table = join(BUILD, flavour, "symtab.S");
  link(objects, firstPass);
  writeFileSync(table, symbolAssembly(readSymbols(firstPass, map.names)));
  link([...objects, ...compileAssembly(flavour, [table])], elf);
  segmentPermissionsCheck(elf);
}

function link(objects: readonly string[], output: string): void {
  process.stderr.write(
    run("ld", [
      "-T", join(ARCH, "kernel.lds"), "-nostdlib", "-static", "--build-id=none", "-z", "max-page-size=4096",
      "-z", "noexecstack", "--no-warn-rwx-segments", "--orphan-handling=warn", "-o", output, ...objects,
    ]),
  );
}
