/** The kernel's pipeline, in order: asc, gates, wasm2c, gcc, ld. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { cachedStep } from "./cache.ts";
import { writeGenerated } from "./generate.ts";
import { importCheck } from "./gates/imports.ts";
import { moduleCheck, overrideCheck } from "./gates/wat.ts";
import { ARCH, BUILD, KERNEL_ENTRY, STATIC_END_ENTRY } from "./paths.ts";
import { ascCompile } from "./steps/asc.ts";
import { assemblySources, compileAssembly, compileKernel, type Flavour } from "./steps/cc.ts";
import { linearAssembly } from "./steps/linear.ts";
import { linkKernel } from "./steps/link.ts";
import { STACK_RULES, stackDepthCheck } from "./steps/stack-depth.ts";
import { vdsoAssembly } from "./steps/vdso.ts";
import { wasmToC } from "./steps/wasm2c.ts";

/** Builds build/<flavour>/kernel.elf and copies it to build/kernel.elf. */
export function buildKernel(flavour: Flavour): string {
  const folder = join(BUILD, flavour);
  mkdirSync(folder, { recursive: true });
  writeGenerated();
  importCheck();
  const { wasm, wat } = compileModule(flavour);
  gateModule(flavour, wasm, wat);

  const { code, names } = wasmToC(wasm, flavour);
  const { object, callGraph } = compileKernel(code, flavour);
  if (flavour === "release") stackDepthReport(callGraph, code, names);
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

/** The depth of the stack is printed with each build that changes it. */
function stackDepthReport(callGraph: string, code: string, names: string): void {
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

/** The gates over the module; the unoptimised one is compiled for them in release builds only. */
function gateModule(flavour: Flavour, wasm: string, wat: string): void {
  cachedStep({
    name: `gates-${flavour}`,
    inputs: [wasm, wat, join(ARCH, "intrinsics.ts")],
    parameters: [],
    outputs: [],
    action: () => moduleCheck(wat, wasm),
  });
  if (flavour === "release") overrideGate();
}

/** The gates over the release module, without translating it. */
export function checkModule(): void {
  mkdirSync(join(BUILD, "release"), { recursive: true });
  const { wasm, wat } = compileModule("release");
  gateModule("release", wasm, wat);
}

/** Compiles without optimisation and looks for overridden methods. */
function overrideGate(): void {
  const wasm = join(BUILD, "check", "kernel.wasm");
  const wat = join(BUILD, "check", "kernel.wat");
  ascCompile({ name: "asc-check", target: "check", entries: [KERNEL_ENTRY], wasm, wat });
  overrideCheck(wat);
}
