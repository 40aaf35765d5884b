/**
 * Manifests as the root image carries them: one line a server, made from servers/<kind>/<name>/manifest.json by toolchain/servers.ts.
 *
 *   name start=device pci=1af4:1042,class:010802 needs=pci,block,log requires=other after=third restart=always failures=10 silent=10 quota=4096
 *   memory=24 schedule=fifo:20
 *
 * A line is taken whole or not at all: what is wrong with it stands in `problem`, and the server is refused, not guessed at.
 *
 * Units  quota: KiB of device memory.  memory: MiB of linear memory.  silent: heartbeats.  failures: short lives in a row.
 */
import { Restart } from "./policy";

export const LINE_MAX: i32 = 1024;
export const MANIFESTS_MAX: i32 = 64;
/** A process's name holds no more. */
const NAME_MAX: i32 = 15;
const LIST_MAX: i32 = 16;
const FAILURES: u32 = 10;
const SILENT: u32 = 10;
const QUOTA_KIB: u32 = 4096;
const MEMORY_MIB: u32 = 16;
const NUMBER_MAX: i64 = 1_000_000;
const CLASS_PREFIX = "class:";
/** Numbers of sched_setscheduler(2), by name. */
const POLICIES: string[] = ["normal", "fifo", "rr", "batch", "", "idle"];
const POLICY_FIFO: u32 = 1;
const POLICY_RR: u32 = 2;
/** Above them the supervisor itself runs: it must find a real-time server in an endless loop. */
export const PRIORITY_MOST: u32 = 90;
/** Need "call:NAME": the right to call that server. */
export const CALL_PREFIX = "call:";

/** A PCI function that a server drives: by its ids (device << 16 | vendor) or by its class code. */
export class Match {
  isClass: bool;
  value: u32;

  constructor(isClass: bool, value: u32) {
    this.isClass = isClass;
    this.value = value;
  }
}

export class Manifest {
  name: string = "";
  start: string = "never";
  pci: Match[] = [];
  needs: string[] = [];
  /** Servers that must be ready whenever this one starts. */
  requires: string[] = [];
  /** Servers that get their first chance before this one's first. */
  after: string[] = [];
  restart: Restart = Restart.ALWAYS;
  failures: u32 = FAILURES;
  silent: u32 = SILENT;
  quotaKiB: u32 = QUOTA_KIB;
  memoryMiB: u32 = MEMORY_MIB;
  /** SCHED_* and its real-time priority. */
  policy: u32 = 0;
  priority: u32 = 0;
  /** Why it is refused, "" for a good one. */
  problem: string = "";
}

/** Every line that is not empty, in the file's order; a name that comes again is refused the second time. */
export function manifestsParse(text: string): Manifest[] {
  const result: Manifest[] = [];
  const lines = text.split("\n");
  for (let i = 0; i < lines.length && result.length < MANIFESTS_MAX; i++) {
    if (lines[i].length == 0) continue;
    const manifest = lineParse(lines[i]);
    if (manifest.problem == "" && hasName(result, manifest.name)) manifest.problem = "its name is taken";
    result.push(manifest);
  }
  return result;
}

function hasName(manifests: Manifest[], name: string): bool {
  for (let i = 0; i < manifests.length; i++) if (manifests[i].name == name && manifests[i].problem == "") return true;
  return false;
}

function lineParse(line: string): Manifest {
  const manifest = new Manifest();
  const words = line.substring(0, LINE_MAX).split(" ");
  if (!isName(words[0])) {
    manifest.name = "?";
    manifest.problem = "its name is not one";
    return manifest;
  }
  manifest.name = words[0];
  if (line.length > LINE_MAX) manifest.problem = "its line is too long";
  for (let i = 1; i < words.length && manifest.problem == ""; i++) {
    const at = words[i].indexOf("=");
    const isTaken = at > 0 && fieldTake(manifest, words[i].substring(0, at), words[i].substring(at + 1));
    if (!isTaken) manifest.problem = "it says " + printable(words[i]);
  }
  return manifest;
}

/** False for a key that is unknown and for a value that means nothing. */
function fieldTake(manifest: Manifest, key: string, value: string): bool {
  if (key == "start") {
    manifest.start = value;
    return value == "never" || value == "always" || value == "device";
  }
  if (key == "restart") return restartTake(manifest, value);
  if (key == "pci") return matchesTake(manifest, value);
  if (key == "needs") return namesTake(manifest.needs, value, true);
  if (key == "requires") return namesTake(manifest.requires, value, false);
  if (key == "after") return namesTake(manifest.after, value, false);
  if (key == "schedule") return scheduleTake(manifest, value);
  const number = numberOf(value, 10, 7);
  if (number < 0 || number > NUMBER_MAX) return false;
  if (key == "failures") manifest.failures = <u32>number;
  else if (key == "silent") manifest.silent = <u32>number;
  else if (key == "quota") manifest.quotaKiB = <u32>number;
  else if (key == "memory") manifest.memoryMiB = <u32>number;
  else return false;
  return true;
}

function restartTake(manifest: Manifest, value: string): bool {
  if (value == "always") manifest.restart = Restart.ALWAYS;
  else if (value == "on-failure") manifest.restart = Restart.ON_FAILURE;
  else if (value == "never") manifest.restart = Restart.NEVER;
  else return false;
  return true;
}

/** "fifo:20", "rr:1", "batch". */
function scheduleTake(manifest: Manifest, value: string): bool {
  const words = value.split(":");
  const policy = words[0] == "" ? -1 : POLICIES.indexOf(words[0]);
  if (policy < 0 || words.length > 2) return false;
  manifest.policy = <u32>policy;
  if (!isRealTime(manifest)) return words.length == 1;
  const priority = words.length == 2 ? numberOf(words[1], 10, 2) : -1;
  manifest.priority = <u32>priority;
  return priority >= 1 && priority <= <i64>PRIORITY_MOST;
}

/** Whether it can keep a CPU from others for as long as it likes. */
export function isRealTime(manifest: Manifest): bool { return manifest.policy == POLICY_FIFO || manifest.policy == POLICY_RR; }

function namesTake(names: string[], value: string, isNeeds: bool): bool {
  if (value.length == 0) return true;
  const found = value.split(",");
  for (let i = 0; i < found.length; i++) {
    const isCall = found[i].startsWith(CALL_PREFIX) && isNeeds;
    if (i == LIST_MAX || !isName(isCall ? found[i].substring(CALL_PREFIX.length) : found[i])) return false;
    names.push(found[i]);
  }
  return true;
}

function matchesTake(manifest: Manifest, value: string): bool {
  if (value.length == 0) return true;
  const found = value.split(",");
  for (let i = 0; i < found.length; i++) {
    const isClass = found[i].startsWith(CLASS_PREFIX);
    const id = isClass ? numberOf(found[i].substring(CLASS_PREFIX.length), 16, 6) : idOf(found[i]);
    if (i == LIST_MAX || id < 0) return false;
    manifest.pci.push(new Match(isClass, <u32>id));
  }
  return true;
}

/** "vendor:device" in hexadecimal as device << 16 | vendor, or -1. */
function idOf(text: string): i64 {
  const at = text.indexOf(":");
  if (at < 0) return -1;
  const vendor = numberOf(text.substring(0, at), 16, 4);
  const device = numberOf(text.substring(at + 1), 16, 4);
  return vendor < 0 || device < 0 ? -1 : device << 16 | vendor;
}

/** Lower-case digits of `radix`, at most `digits` of them; -1 for anything else. */
export function numberOf(text: string, radix: i32, digits: i32): i64 {
  if (text.length == 0 || text.length > digits) return -1;
  let value: i64 = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    const digit = c >= 0x61 ? c - 0x61 + 10 : c >= 0x30 && c <= 0x39 ? c - 0x30 : -1;
    if (digit < 0 || digit >= radix) return -1;
    value = value * radix + digit;
  }
  return value;
}

/** What a file below /lib/servers, a process and a line of the table can be called. */
export function isName(text: string): bool {
  if (text.length == 0 || text.length > NAME_MAX) return false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    const isGood = (c >= 0x61 && c <= 0x7a) || (c >= 0x30 && c <= 0x39) || (c == 0x2d && i > 0);
    if (!isGood) return false;
  }
  return true;
}

/** The start of a hostile text, for a log line; the kernel makes what is not ASCII harmless. */
function printable(text: string): string {
  return text.length > 40 ? text.substring(0, 40) + "..." : text;
}
