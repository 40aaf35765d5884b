/** What the kill storm and the fault campaign share: options, a disk, a root with their script, and what must be the same afterwards. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Vm } from "../../qemu/harness.ts";
import { archive, file } from "../../toolchain/cpio.ts";
import { userlandEntries } from "../../toolchain/userland.ts";

/** The number in environment variable `name`. */
export function option(name: string, fallback: number): number {
  return Number(process.env[name] ?? fallback);
}

/** The shipped root with tests/faults/<name>.sh as program <name>: build/tests/<name>/root.cpio. */
export function rootWithScript(name: string): string {
  const folder = join("build/tests", name);
  mkdirSync(folder, { recursive: true });
  const root = join(folder, "root.cpio");
  writeFileSync(root, archive([...userlandEntries(), file(`bin/${name}`, readFileSync(`tests/faults/${name}.sh`), 0o755)]));
  return root;
}

/** An empty FAT32 volume at `path`. */
export function volumeMake(path: string, mib: number, ...more: readonly string[]): string {
  rmSync(path, { force: true });
  writeFileSync(path, "");
  truncateSync(path, mib << 20);
  execFileSync("mkfs.fat", ["-F", "32", ...more, path]);
  return path;
}

export interface Counts {
  readonly freeKiB: number;
  readonly threads: number;
  readonly capabilities: number;
}

const COUNTS = "grep -E '^MemFree' /proc/meminfo | tr -dc '0-9\\n'; sed 's/.*[/]//; s/ .*//' /proc/loadavg; cat /proc/capabilities";
const TRIES = 20;

/** Free memory, threads and capabilities once the dead are buried; a line of the log among them makes it ask again. */
export async function counts(vm: Vm): Promise<Counts> {
  for (let tries = 0; tries < TRIES; tries++) {
    await vm.run("sleep 3");
    const numbers = (await vm.run(COUNTS)).output.split("\n").filter((line) => /^\d+$/.test(line)).map(Number);
    if (numbers.length === 3) return { freeKiB: numbers[0]!, threads: numbers[1]!, capabilities: numbers[2]! };
  }
  throw new Error("the counts cannot be read");
}

/** The counts when threads and capabilities are as `before` again, or after a minute: a restart may still be under way. */
export async function countsLike(vm: Vm, before: Counts): Promise<Counts> {
  let now = await counts(vm);
  for (let tries = 0; tries < TRIES && (now.threads !== before.threads || now.capabilities !== before.capabilities); tries++) now = await counts(vm);
  return now;
}

/** Nothing but what caches may keep is missing. */
export function expectNothingLost(before: Counts, after: Counts, slackKiB: number): void {
  expect(after).toMatchObject({ threads: before.threads, capabilities: before.capabilities });
  expect(after.freeKiB).toBeGreaterThan(before.freeKiB - slackKiB);
}

/** Runs a command whose servers die all the time: what it printed, and the kernel's log meanwhile, whole, from the serial console. */
export async function runLogged(vm: Vm, command: string, limitMs: number): Promise<{ output: string; log: string }> {
  const start = vm.serial.log.length;
  await vm.run(`echo 7 >/proc/sys/kernel/printk; ${command} >/tmp/output 2>&1`, limitMs);
  await vm.run("echo 4 >/proc/sys/kernel/printk; usleep 300000");
  const log = vm.serial.log.slice(start).replaceAll("\r", "");
  return { output: (await vm.run("cat /tmp/output")).output, log };
}
