/**
 * Gate: raw memory access stays behind its fence (docs/style.md, rule 6).
 *
 *   raw         load<>, store<> and memory.* calls outside kernel/lib, kernel/core/mm, arch and drivers' ring.ts, regs.ts
 *   changetype  casts of an address to an object outside those folders, without a `// SAFETY:` reason on the line
 *               or the line above
 *
 * Not counted: `memory.data(...)`, which only reserves static storage, a cast of it to its struct, and
 * `changetype<usize>(object)`, which takes an address and dereferences nothing. toolchain/fence.json holds the counts;
 * they may only fall.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { filesUnder } from "../cache.ts";
import { BuildError, messages } from "../messages.ts";
import { ROOT } from "../paths.ts";

const COUNTS = join(ROOT, "toolchain/fence.json");
const INSIDE = /^(?:kernel\/lib\/|kernel\/core\/mm\/|arch\/|servers\/runtime\/|servers\/drivers\/[^/]+\/(?:ring|regs)\.ts$)/;
const RAW = /(?<![.\w])(?:load|store)<|\bmemory\.(?!data\b)\w+\s*\(/g;
const CAST = /\bchangetype<(?!usize>)/g;

export interface FenceCounts {
  raw: number;
  changetype: number;
}

type FileCounts = FenceCounts & { file: string };

export function fenceCheck(update: boolean): void {
  const files = ["kernel", "arch", "servers"].flatMap((folder) => filesUnder(join(ROOT, folder), ".ts"))
    .map((path) => relative(ROOT, path))
    .filter((file) => !INSIDE.test(file) && !file.endsWith(".gen.ts"))
    .map((file) => ({ file, ...countRaw(readFileSync(join(ROOT, file), "utf8")) }));
  const now: FenceCounts = { raw: sum(files, "raw"), changetype: sum(files, "changetype") };
  const before = existsSync(COUNTS) ? (JSON.parse(readFileSync(COUNTS, "utf8")) as FenceCounts) : now;
  const risen = (["raw", "changetype"] as const).filter((kind) => now[kind] > before[kind]);
  if (risen.length > 0) {
    throw new BuildError(messages.fence(risen.flatMap((kind) => [
      `${kind}: ${now[kind]}, was ${before[kind]}`, ...worst(files, kind),
    ])));
  }
  if (update) writeFileSync(COUNTS, JSON.stringify(now, null, 2) + "\n");
  else if (now.raw < before.raw || now.changetype < before.changetype) console.log(`  note: ${messages.fenceStale}`);
}

/** Counts in one source. */
export function countRaw(text: string): FenceCounts {
  const counts: FenceCounts = { raw: 0, changetype: 0 };
  let previous = "";
  for (const line of text.split("\n")) {
    const code = line.replace(/\/\/.*$|^\s*\/?\*.*$/, "");
    const safe = /\/\/ SAFETY:/.test(line) || /\/\/ SAFETY:/.test(previous) || code.includes("memory.data(");
    counts.raw += code.match(RAW)?.length ?? 0;
    if (!safe) counts.changetype += code.match(CAST)?.length ?? 0;
    previous = line;
  }
  return counts;
}

function sum(files: readonly FileCounts[], kind: keyof FenceCounts): number {
  return files.reduce((total, file) => total + file[kind], 0);
}

function worst(files: readonly FileCounts[], kind: keyof FenceCounts): string[] {
  return files.filter((file) => file[kind] > 0).sort((a, b) => b[kind] - a[kind])
    .map((file) => `  ${String(file[kind]).padStart(4)}  ${file.file}`);
}
