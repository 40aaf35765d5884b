/**
 * Everything the toolchain says when it stops.
 *
 * One place, so that messages stay consistent: what is wrong, where, and what to do about it.
 */

/** A problem in the input: printed without a stack trace. */
export class BuildError extends Error {}

const list = (items: readonly string[]): string => items.map((item) => `  ${item}`).join("\n");

export const messages = {
  commandFailed: (command: string, status: number | null, output: string): string =>
    `command failed (status ${status ?? "none"}):\n  ${command}\n${output}`,
  commandMissing: (command: string): string => `${command}: not installed; run: make deps`,
  noSource: (path: string): string => `${path}: missing; the build needs it`,

  preludeShape: (what: string): string =>
    `wasm2c's output does not have the known shape: ${what}\n` +
    `  The translation is written for the pinned wabt; see docs/toolchain.md, "When wabt changes".`,
  unknownOperation: (name: string, fn: string): string =>
    `wasm2c operation ${name} (in ${fn}) is not defined by arch/x86_64/native.h\n` +
    `  Define it there, list it in toolchain/steps/operations.ts and test it in tests/unit/toolchain.`,
  manifest: (path: string, why: string): string => `${path}: ${why}`,
  nestedTooDeep: `wasm2c ran out of stack: some function nests too deeply, often a switch of more than 150 cases
  Split it by the upper bits of the value, as kernel/services/syscall-dispatch.gen.ts does.`,
  floatingPoint: (fn: string): string =>
    `${fn} uses floating point; the kernel runs with the program's FPU registers live, use integers`,
  importInTable: (name: string): string =>
    `intrinsic ${name} is used as a function value; wrap it in a TypeScript function`,

  allocation: (symbol: string, chain: readonly string[]): string =>
    `the kernel reaches ${symbol}, which allocates:\n${list(chain)}\n` +
    `  No new, object literals, string concatenation or managed arrays in ring 0 (docs/style.md, rule 1).`,
  memoryGrow: "the kernel reaches memory.grow; linear memory is mapped by kernel/core/mm, never grown",
  startCode: (code: string): string =>
    `the module has start code: a module-level initialiser is not a constant. What it does:\n${code}`,
  override: (lines: readonly string[]): string =>
    `an @unmanaged method is overridden, which picks the callee from memory that is not ours:\n${list(lines)}`,
  overrideFailed: "the kernel did not pass the override gate",
  undeclaredImport: (name: string): string => `import ${name} is not declared in arch/x86_64/intrinsics.ts`,

  importDirection: (problems: readonly string[]): string =>
    `imports point one way only, kernel/abi <- arch <- kernel/lib <- kernel/core <- kernel/services:\n${list(problems)}`,
  importCycle: (cycles: readonly string[]): string =>
    `files import each other in a circle; break it with a hook table:\n${list(cycles)}`,
  fence: (problems: readonly string[]): string =>
    `raw memory access outside the fence rose (docs/style.md, rule 6):\n${list(problems)}\n` +
    `  The counts in toolchain/fence.json may only fall: npm run check -- --update-fence`,
  fenceStale: "raw memory access fell: commit the lower counts (npm run check -- --update-fence)",
  lineBudget: (all: number, code: number, budget: number, files: readonly string[]): string =>
    `C and assembly have ${all} lines in all and ${code} of code, the budget for each is ${budget}:\n${list(files)}`,
  segmentPermissions: (path: string, segments: readonly string[]): string =>
    `${path} has segments that are writable and executable:\n${list(segments)}`,
  stackDepth: (problems: readonly string[]): string => `kernel stack overflow is possible:\n${list(problems)}`,
  goldenStale: (paths: readonly string[]): string =>
    `generated files are not current; run: npx tsx toolchain/build.ts generate\n${list(paths)}`,

  duplicateHandler: (name: string, a: string, b: string): string => `${name} is exported by ${a} and by ${b}`,
  handlerSignature: (name: string, why: string): string => `${name}: ${why}`,
};
