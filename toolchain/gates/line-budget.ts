/**
 * Gate: C and assembly stay small, by the stricter measure: all lines of every file outside tests, with comments and blank lines, as
 * `wc -l` counts them. The lines of code, linker scripts among them, are told beside it and held to the same budget.
 */
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { filesUnder } from "../cache.ts";
import { BuildError, messages } from "../messages.ts";
import { ROOT } from "../paths.ts";

const BUDGET = 1500;
const FOLDERS = ["arch", "boot", "kernel", "servers", "rootfs", "qemu", "toolchain"];
const LANGUAGES = [".c", ".h", ".S", ".s", ".inc"];
const LINKER_SCRIPTS = [".lds"];

export function lineBudgetCheck(): void {
  const sources = textsOf(LANGUAGES);
  const code = sum([...sources, ...textsOf(LINKER_SCRIPTS)].map(({ text }) => codeLines(text)));
  const all = sum(sources.map(({ text }) => allLines(text)));
  console.log(`  C and assembly   ${all} of ${BUDGET} lines with comments and blanks; ${code} of code, linker scripts included`);
  if (Math.max(all, code) > BUDGET) {
    throw new BuildError(messages.lineBudget(all, code, BUDGET, sources.map(({ file, text }) => `${file}: ${allLines(text)}`)));
  }
}

function textsOf(suffixes: readonly string[]): { file: string; text: string }[] {
  return FOLDERS.flatMap((folder) => suffixes.flatMap((suffix) => filesUnder(join(ROOT, folder), suffix)))
    .map((path) => ({ file: relative(ROOT, path), text: readFileSync(path, "utf8") }));
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

/** Every line of a file. */
export function allLines(text: string): number {
  return text.replace(/\n$/, "").split("\n").length;
}

/** Lines that are neither blank nor comment. */
export function codeLines(text: string): number {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(?:\/\/|^\s*#(?=\s)).*$/gm, "").split("\n")
    .filter((line) => line.trim() !== "").length;
}
