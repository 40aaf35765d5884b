/** Test programs in C, built as a Debian user would: static with glibc, static with musl, dynamic with musl. */

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { file, type ArchiveEntry } from "../../toolchain/cpio.ts";

export interface Program {
  /** Source name and kind, as "threads.musl-dynamic". */
  readonly name: string;
  /** The binary on the host. */
  readonly path: string;
}

const KINDS = {
  "glibc-static": { compiler: "gcc", flags: ["-static"] },
  "musl-static": { compiler: "musl-gcc", flags: ["-static"] },
  "musl-dynamic": { compiler: "musl-gcc", flags: ["-pie", "-fPIE"] },
} as const;

const OUT = "build/tests/programs";
const COMMON_FLAGS = ["-O1", "-w", "-pthread"];

export function buildPrograms(folder: string): Program[] {
  mkdirSync(OUT, { recursive: true });
  const sources = readdirSync(folder).filter((name) => name.endsWith(".c"));
  return sources.flatMap((source) =>
    Object.entries(KINDS).map(([kind, { compiler, flags }]) => {
      const name = `${source.replace(/\.c$/, "")}.${kind}`;
      const path = join(OUT, name);
      const input = join(folder, source);
      if (!isNewer(path, input)) execFileSync(compiler, [...COMMON_FLAGS, ...flags, "-o", path, input, "-lm"]);
      return { name, path };
    }),
  );
}

/** Where a program is in the guest. */
export function guestPath(program: Program): string {
  return `/programs/${program.name}`;
}

export function programEntries(programs: readonly Program[]): ArchiveEntry[] {
  return programs.map((program) => file(guestPath(program).slice(1), readFileSync(program.path), 0o755));
}

function isNewer(output: string, input: string): boolean {
  const made = statSync(output, { throwIfNoEntry: false });
  return made !== undefined && made.mtimeMs > statSync(input).mtimeMs;
}
