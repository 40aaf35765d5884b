/**
 * servers/<kind>/<name>/manifest.json: what a server is, needs and may cost. Checked here, so that the supervisor sees only lines it knows.
 *
 * docs/servers.md explains each field to people.
 */
import { readFileSync } from "node:fs";
import { BuildError, messages } from "./messages.ts";

/** A PCI function a server drives: by vendor and device, or by class code (class, subclass, interface), in hexadecimal. */
export type Match = { readonly vendor: string; readonly device: string } | { readonly class: string };

export interface Manifest {
  name: string;
  about: string;
  /** Linear memory; the server dies when it wants more. */
  memoryMiB: number;
  /** "never", "always", or for each PCI function that matches `pci`. */
  start: "never" | "always" | "device";
  pci?: readonly Match[];
  /** Capabilities by the names the server asks for. */
  needs: readonly string[];
  /** Servers that must be ready whenever this one starts. */
  requires?: readonly string[];
  /** Servers that have their first chance before this one, where they exist. */
  after?: readonly string[];
  /** After every end, after ends other than exit(0), or not at all; "always" unless told. */
  restart?: "always" | "on-failure" | "never";
  /** Short lives in a row after which it is given up. */
  failures?: number;
  /** Heartbeats (four a second) it may miss before it is taken for hung; 0: any number. */
  silent?: number;
  /** What it may have of memory that devices reach. */
  quotaKiB?: number;
  /** How it is scheduled: "normal", "batch", "idle", "fifo:PRIORITY" or "rr:PRIORITY", 1 to 90. */
  schedule?: string;
}

/** Names the supervisor can give (servers/services/supervisor/spawn.ts). */
const NEEDS: readonly string[] = ["log", "heartbeat", "notification", "time", "clock", "endpoint", "quota", "pci", "block", "filesystem"];
/** "call:NAME": the right to call that server. */
const CALL_PREFIX = "call:";
const FIELDS: readonly string[] = [
  "name", "about", "memoryMiB", "start", "pci", "needs", "requires", "after", "restart", "failures", "silent", "quotaKiB",
  "schedule",
];
const SCHEDULE = /^(?:normal|batch|idle|(?:fifo|rr):(?:[1-9]|[1-8]\d|90))$/;
const NAME = /^[a-z0-9][a-z0-9-]{0,14}$/;
const MEMORY_MOST = 1024;

/** Reads and checks a manifest; throws what is wrong with it. */
export function readManifest(path: string): Manifest {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(path, "utf8")) as Manifest;
  } catch (error) {
    throw new BuildError(messages.manifest(path, String(error)));
  }
  const problem = manifestProblem(manifest);
  if (problem !== undefined) throw new BuildError(messages.manifest(path, problem));
  return manifest;
}

/** The first thing wrong with a manifest. */
export function manifestProblem(manifest: Manifest): string | undefined {
  const unknown = Object.keys(manifest).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) return `unknown field ${unknown}`;
  if (!NAME.test(manifest.name ?? "")) return "name: up to 15 lower-case letters, digits and hyphens";
  if (!["never", "always", "device"].includes(manifest.start)) return "start: never, always or device";
  if (!["always", "on-failure", "never"].includes(manifest.restart ?? "always")) return "restart: always, on-failure or never";
  if (!(manifest.memoryMiB >= 1 && manifest.memoryMiB <= MEMORY_MOST)) return `memoryMiB: 1 to ${MEMORY_MOST}`;
  const need = (manifest.needs ?? ["no needs"]).find((name) => !NEEDS.includes(name) && !name.startsWith(CALL_PREFIX));
  const called = manifest.needs?.filter((name) => name.startsWith(CALL_PREFIX)).map((name) => name.slice(CALL_PREFIX.length));
  const unready = called?.find((name) => !manifest.requires?.includes(name));
  if (unready !== undefined) return `needs: who calls ${unready} requires it too`;
  if (need !== undefined) return `needs: nothing is called ${need}; known: ${NEEDS.join(", ")}`;
  if (manifest.start === "device" && !manifest.pci?.length) return "pci: a server that starts for a device says for which";
  if (manifest.pci?.some((match) => !matchText(match))) return "pci: each entry is { vendor, device } or { class }, in lower-case hexadecimal";
  if (!SCHEDULE.test(manifest.schedule ?? "normal")) return "schedule: normal, batch, idle, fifo:N or rr:N, N from 1 to 90";
  const other = [...(manifest.requires ?? []), ...(manifest.after ?? [])].find((name) => !NAME.test(name));
  if (other !== undefined) return `requires, after: ${other} is no name`;
  const numbers = [manifest.failures, manifest.silent, manifest.quotaKiB];
  if (numbers.some((number) => number !== undefined && !(Number.isInteger(number) && number >= 0 && number <= 1_000_000))) {
    return "failures, silent, quotaKiB: whole numbers up to 1000000";
  }
  return undefined;
}

function matchText(match: Match): string | undefined {
  const text = "class" in match ? `class:${match.class}` : `${match.vendor}:${match.device}`;
  return /^(?:class:[0-9a-f]{6}|[0-9a-f]{4}:[0-9a-f]{4})$/.test(text) ? text : undefined;
}

/** The line that servers/services/supervisor/manifest.ts reads. */
export function manifestLine(manifest: Manifest): string {
  const fields: [string, string | number | undefined][] = [
    ["start", manifest.start],
    ["pci", manifest.pci?.map(matchText).join(",")],
    ["needs", manifest.needs.join(",")],
    ["requires", manifest.requires?.join(",")],
    ["after", manifest.after?.join(",")],
    ["restart", manifest.restart],
    ["failures", manifest.failures],
    ["silent", manifest.silent],
    ["quota", manifest.quotaKiB],
    ["memory", manifest.memoryMiB],
    ["schedule", manifest.schedule],
  ];
  const words = fields.filter(([, value]) => value !== undefined && value !== "").map(([key, value]) => `${key}=${value}`);
  return `${[manifest.name, ...words].join(" ")}\n`;
}
