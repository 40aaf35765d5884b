/** C and assembly -> objects (gcc). */
import { basename, join } from "node:path";
import { cachedStep, filesUnder } from "../cache.ts";
import { ARCH, BOOT, BUILD, ROOT } from "../paths.ts";
import { run } from "../run.ts";

export type Flavour = "release" | "dev";

/** Language and machine model: the same for the kernel's bodies and for the hand-written files. */
const COMMON_FLAGS = [
  "-std=gnu11", "-ffreestanding", "-nostdlib", "-mcmodel=kernel", "-mno-red-zone", "-mgeneral-regs-only", "-fno-pic",
  "-fno-pie", "-fno-strict-aliasing", "-fwrapv", "-fno-delete-null-pointer-checks", "-fno-omit-frame-pointer",
  "-fstack-protector-strong", "-mstack-protector-guard=global", "-fcf-protection=none",
  "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-fno-ident", "-g0", "-pipe",
  `-ffile-prefix-map=${ROOT}/=`, `-I${ARCH}`,
];
/**
 * Inlining as -O3 has it, without -O3's loop copies. Measured with asc at -O1: 5 to 20 % fewer instructions on the memory
 * paths than asc -O3 and plain -O2, and half of asc's time.
 */
const INLINING = ["--param=max-inline-insns-auto=30", "--param=early-inlining-insns=14"];
const OPTIMISE: Record<Flavour, string[]> = { release: ["-O2", ...INLINING], dev: ["-O1"] };
/** Our own C is clean; wasm2c's bodies have unused variables and labels by nature. */
const WARNINGS = [
  "-Wall", "-Wextra", "-Werror=implicit-function-declaration", "-Wno-unused", "-Wno-sign-compare",
  "-Wno-array-bounds", "-Wno-stringop-overflow", "-Wno-stringop-overread",
];

/** Compiles the generated unit; the .ci file beside the object is gcc's call graph with stack sizes. */
export function compileKernel(code: string, flavour: Flavour): { object: string; callGraph: string } {
  const object = join(BUILD, flavour, "kernel.o");
  const callGraph = join(BUILD, flavour, "kernel.ci");
  const flags = [...COMMON_FLAGS, ...OPTIMISE[flavour], ...WARNINGS, "-fcallgraph-info=su"];
  cachedStep({
    name: `gcc-${flavour}`,
    inputs: [code, ...filesUnder(ARCH, ".h"), ...filesUnder(ARCH, ".c")],
    parameters: flags.map((flag) => flag.replaceAll(ROOT, "")),
    outputs: [object, callGraph],
    action: () => process.stderr.write(run("gcc", [...flags, "-c", code, "-o", object])),
  });
  return { object, callGraph };
}

/** boot/*.S and arch/x86_64/*.S. */
export function assemblySources(): string[] {
  return [...filesUnder(BOOT, ".S"), ...filesUnder(ARCH, ".S")];
}

/** Objects of assembly files. */
export function compileAssembly(flavour: Flavour, sources: readonly string[]): string[] {
  const headers = [...filesUnder(ARCH, ".h"), ...filesUnder(BOOT, ".h"), ...filesUnder(ARCH, ".inc")];
  const flags = [...COMMON_FLAGS, `-I${BOOT}`];
  return sources.map((source) => {
    const object = join(BUILD, flavour, `${basename(source, ".S")}.S.o`);
    cachedStep({
      name: `as-${basename(source, ".S")}`,
      inputs: [source, ...headers],
      parameters: flags.map((flag) => flag.replaceAll(ROOT, "")),
      outputs: [object],
      action: () => process.stderr.write(run("gcc", [...flags, "-c", source, "-o", object])),
    });
    return object;
  });
}
