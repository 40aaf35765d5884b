/** Gate: C and assembly stay small. Lines of code are counted, neither blank lines nor comments. */
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { filesUnder } from "../cache.ts";
import { BuildError, messages } from "../messages.ts";
import { ARCH, BOOT, ROOT } from "../paths.ts";

const BUDGET = 1500;
const SUFFIXES = [".c", ".h", ".S", ".inc", ".lds"];

export function lineBudgetCheck(): void {
  const files = [ARCH, BOOT].flatMap((folder) => SUFFIXES.flatMap((suffix) => filesUnder(folder, suffix)));
  const counts = files.map((file) => ({ file: relative(ROOT, file), lines: codeLines(readFileSync(file, "utf8")) }));
  const total = counts.reduce((lines, file) => lines + file.lines, 0);
  console.log(`  C and assembly   ${total} of ${BUDGET} lines`);
  if (total > BUDGET) {
    throw new BuildError(messages.lineBudget(total, BUDGET, counts.map(({ file, lines }) => `${file}: ${lines}`)));
  }
}

export function codeLines(text: string): number {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(?:\/\/|^\s*#(?=\s)).*$/gm, "").split("\n")
    .filter((line) => line.trim() !== "").length;
}
