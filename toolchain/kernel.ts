/** The kernel's pipeline, in order: asc, gates, wasm2c, gcc, ld. */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { cachedStep } from "./cache.ts";
import { writeGenerated } from "./generate.ts";
import { importCheck } from "./gates/imports.ts";
import { moduleCheck, overrideCheck } from "./gates/wat.ts";
import { BuildError, messages } from "./messages.ts";
import { ARCH, BUILD, KERNEL_ENTRY, ROOT, STATIC_END_ENTRY } from "./paths.ts";
import { ascCompile } from "./steps/asc.ts";
import { assemblySources, compileAssembly, compileKernel, type Flavour } from "./steps/cc.ts";
import { linearAssembly } from "./steps/linear.ts";
import { linkKernel } from "./steps/link.ts";
import { STACK_RULES, stackDepthCheck } from "./steps/stack-depth.ts";
import { vdsoAssembly } from "./steps/vdso.ts";
import { wasmToC } from "./steps/wasm2c.ts";

/** Builds build/<flavour>/kernel.elf and copies it to build/kernel.elf. */
export async function buildKernel(flavour: Flavour): Promise<string> {
  mkdirSync(join(BUILD, flavour), { recursive: true });
  writeGenerated();
  importCheck();
  const override = flavour === "release" ? overrideGateBeside() : undefined;
  const elf = translateKernel(flavour);
  if (override !== undefined && (await override) !== 0) throw new BuildError(messages.overrideFailed);
  return elf;
}

function translateKernel(flavour: Flavour): string {
  const folder = join(BUILD, flavour);
  const { wasm, wat } = compileModule(flavour);
  gateModule(flavour, wasm, wat);

  const { code, names } = wasmToC(wasm, flavour);
  const { object } = compileKernel(code, flavour);
  const linear = join(folder, "linear.S");
  cachedStep({
    name: `linear-${flavour}`,
    inputs: [wasm, wat],
    parameters: [],
    outputs: [linear],
    action: () => linearAssembly(wasm, wat, linear),
  });
  const assembly = compileAssembly(flavour, [...assemblySources(), linear, vdsoAssembly(flavour)]);
  return linkKernel([...assembly, object], names, flavour);
}

/** The gate over the kernel stack: translates the release build as far as gcc's call graph. */
export function checkStackDepth(): void {
  const { wasm } = compileModule("release");
  const { code, names } = wasmToC(wasm, "release");
  const { callGraph } = compileKernel(code, "release");
  cachedStep({
    name: "stack-depth",
    inputs: [callGraph, code, names, STACK_RULES],
    parameters: [],
    outputs: [],
    action: () => stackDepthCheck(callGraph, code, names),
  });
}

function compileModule(flavour: Flavour): { wasm: string; wat: string } {
  const wasm = join(BUILD, flavour, "kernel.wasm");
  const wat = join(BUILD, flavour, "kernel.wat");
  ascCompile({
    name: `asc-${flavour}`, target: flavour, entries: [KERNEL_ENTRY, STATIC_END_ENTRY], wasm, wat,
    extra: ["--noExportMemory"],
  });
  return { wasm, wat };
}

/** The gates over the module. */
function gateModule(flavour: Flavour, wasm: string, wat: string): void {
  cachedStep({
    name: `gates-${flavour}`,
    inputs: [wasm, wat, join(ARCH, "intrinsics.ts")],
    parameters: [],
    outputs: [],
    action: () => moduleCheck(wat, wasm),
  });
}

/** The gates over the release module, without translating it. */
export function checkModule(): void {
  mkdirSync(join(BUILD, "release"), { recursive: true });
  const { wasm, wat } = compileModule("release");
  gateModule("release", wasm, wat);
  overrideGate();
}

/** Runs the override gate in a process of its own while this one translates; its exit status. */
function overrideGateBeside(): Promise<number | null> {
  const tsx = join(ROOT, "node_modules/tsx/dist/cli.mjs");
  const child = spawn(process.execPath, [tsx, join(ROOT, "toolchain/build.ts"), "override"], {
    cwd: ROOT, stdio: ["ignore", "inherit", "inherit"],
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
}

/** Compiles without optimisation, which keeps every name, and looks for overridden methods. */
export function overrideGate(): void {
  const wasm = join(BUILD, "check", "kernel.wasm");
  const wat = join(BUILD, "check", "kernel.wat");
  ascCompile({ name: "asc-check", target: "check", entries: [KERNEL_ENTRY], wasm, wat });
  overrideCheck(wat);
}
