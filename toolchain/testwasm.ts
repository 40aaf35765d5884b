/**
 * build/kernel-test.wasm: every file of the kernel as an entry, so that each exported function can be called.
 *
 * Compiled with DEBUG_BUILD and lightly optimised, with function names for readable stack traces. Its memory is
 * exported; in V8 it is flat, so linear addresses that the kernel would map are simply there. Its function table is exported too: a
 * test can put functions of its own where the kernel expects one (hookOf in tests/unit/support/kernel.ts).
 */
import { mkdirSync } from "node:fs";
import { join, relative } from "node:path";
import { writeGenerated } from "./generate.ts";
import { BUILD, ROOT } from "./paths.ts";
import { ascCompile, kernelSources } from "./steps/asc.ts";

const LINEAR_PAGES = 1024; // 64 MiB
const WARNING_NOT_EXPORTABLE = "235"; // classes and namespaces have no wasm form

/** The boot sequence runs on the metal only; the contracts are data for the toolchain. */
const NOT_ENTRIES = new Set([
  "kernel/main.ts", "arch/current.ts", "arch/x86_64/intrinsics.ts",
  "kernel/abi/syscalls.ts", "kernel/abi/native.ts",
]);
const SCHEMAS = "kernel/abi/protocol/";

export function buildTestWasm(): string {
  mkdirSync(BUILD, { recursive: true });
  writeGenerated();
  const wasm = join(BUILD, "kernel-test.wasm");
  ascCompile({
    name: "asc-test",
    target: "test",
    entries: kernelSources().map((path) => relative(ROOT, path)).filter((path) => !NOT_ENTRIES.has(path) && !path.startsWith(SCHEMAS)),
    wasm,
    wat: join(BUILD, "kernel-test.wat"),
    extra: ["--initialMemory", String(LINEAR_PAGES), "--exportTable", "--disableWarning", WARNING_NOT_EXPORTABLE],
  });
  return wasm;
}
