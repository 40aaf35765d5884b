/**
 * Steps are skipped when nothing they read has changed.
 *
 * A step's key is a hash of its name, its parameters and the content of every input, the toolchain's own source
 * among them. Its outputs are kept under build/.cache/<key>/ and copied back, so switching branches is cheap too.
 *
 * Invariants  C1  an entry is complete: it is written elsewhere and renamed into place.
 */
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { CACHE, ROOT } from "./paths.ts";

const MAX_ENTRIES = 60;

export interface Step {
  name: string;
  /** Files whose content decides the result. */
  inputs: readonly string[];
  /** Anything else that decides it: flags, versions. */
  parameters: readonly string[];
  /** Files the step writes. */
  outputs: readonly string[];
  action: () => void;
}

/** Runs the step unless its outputs are known; true when it really ran. */
export function cachedStep(step: Step): boolean {
  const entry = join(CACHE, `${step.name}-${stepKey(step)}`);
  if (existsSync(entry)) {
    restore(entry, step.outputs);
    return false;
  }
  for (const output of step.outputs) mkdirSync(dirname(output), { recursive: true });
  const started = Date.now();
  step.action();
  console.log(`  ${step.name.padEnd(16)} ${((Date.now() - started) / 1000).toFixed(1)} s`);
  save(entry, step.outputs);
  return true;
}

function stepKey(step: Step): string {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([step.name, step.parameters, step.outputs.map((path) => relative(ROOT, path))]));
  for (const input of [...step.inputs, ...toolchainSources()]) {
    hash.update(`\0${relative(ROOT, input)}\0`);
    hash.update(readFileSync(input));
  }
  return hash.digest("hex").slice(0, 32);
}

let sources: string[] | undefined;
function toolchainSources(): string[] {
  sources ??= [...filesUnder(join(ROOT, "toolchain"), ".ts"), join(ROOT, "package-lock.json")];
  return sources;
}

/** All files below `folder` whose name ends in `suffix`, sorted. */
export function filesUnder(folder: string, suffix: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(suffix))
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .sort();
}

function restore(entry: string, outputs: readonly string[]): void {
  outputs.forEach((output, index) => {
    mkdirSync(dirname(output), { recursive: true });
    cpSync(join(entry, String(index)), output);
  });
  const now = new Date();
  utimesSync(entry, now, now);
}

function save(entry: string, outputs: readonly string[]): void {
  const partial = `${entry}.${process.pid}`;
  mkdirSync(partial, { recursive: true });
  outputs.forEach((output, index) => cpSync(output, join(partial, String(index))));
  rmSync(entry, { recursive: true, force: true });
  renameSync(partial, entry); // C1
  evict();
}

/** Keeps the entries used most recently. */
function evict(): void {
  const entries = readdirSync(CACHE).map((name) => join(CACHE, name));
  if (entries.length <= MAX_ENTRIES) return;
  entries.sort((a, b) => lastUse(a) - lastUse(b));
  for (const old of entries.slice(0, entries.length - MAX_ENTRIES)) rmSync(old, { recursive: true, force: true });
}

/** Zero when another build has just evicted the entry. */
function lastUse(entry: string): number {
  return statSync(entry, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
