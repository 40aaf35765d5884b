/** TypeScript -> WebAssembly (asc, with Binaryen's optimiser inside). */
import { join } from "node:path";
import { cachedStep, filesUnder } from "../cache.ts";
import { ROOT } from "../paths.ts";
import { runNode } from "../run.ts";

export interface AscOptions {
  /** Name of the step, for the cache and the log. */
  name: string;
  /** Target in asconfig.json. */
  target: "release" | "dev" | "test" | "check";
  entries: readonly string[];
  /** Paths of the results. */
  wasm: string;
  wat: string;
  extra?: readonly string[];
}

/** Warning 201 speaks of wasm64, which the kernel's linear memory is not. */
const QUIET_WARNINGS = ["201"];

export function ascCompile(options: AscOptions): void {
  const args = [
    join(ROOT, "node_modules/assemblyscript/bin/asc.js"),
    ...options.entries,
    "--config", "asconfig.json",
    "--target", options.target,
    "--outFile", options.wasm,
    "--textFile", options.wat,
    ...QUIET_WARNINGS.flatMap((code) => ["--disableWarning", code]),
    ...(options.extra ?? []),
  ];
  cachedStep({
    name: options.name,
    inputs: [...kernelSources(), join(ROOT, "asconfig.json")],
    parameters: args.slice(1).map((arg) => arg.replace(ROOT, "")),
    outputs: [options.wasm, options.wat],
    action: () => {
      const output = runNode(args);
      if (output.trim() !== "") process.stderr.write(output);
    },
  });
}

/** Every AssemblyScript source of the kernel. */
export function kernelSources(): string[] {
  return [...filesUnder(join(ROOT, "kernel"), ".ts"), ...filesUnder(join(ROOT, "arch"), ".ts")];
}
