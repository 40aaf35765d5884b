/**
 * Drivers and file systems that are killed under load: programs see no error, and no byte, page, thread or capability is lost.
 *
 * STORM_MB=200 STORM_KILLS=500 STORM_CPUS=1,4 is the long run; its figures are in docs/measurements.md.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withVm, type Vm } from "../../qemu/harness.ts";
import { archive, file } from "../../toolchain/cpio.ts";
import { userlandEntries } from "../../toolchain/userland.ts";
import { BOOT_MS, targetOptions } from "../support/target.ts";

const MEGABYTES = Number(process.env["STORM_MB"] ?? 24);
const KILLS = Number(process.env["STORM_KILLS"] ?? 40);
const CPUS = (process.env["STORM_CPUS"] ?? "4").split(",").map(Number);
const FOLDER = "build/tests/storm";
const STORM_MS = 120_000 + KILLS * 2_000 + MEGABYTES * 2_000;
/** What caches may keep. */
const SLACK_KIB = 2_048;

interface Counts {
  freeKiB: number;
  threads: number;
  capabilities: number;
}

async function counts(vm: Vm): Promise<Counts> {
  await vm.run("sleep 3"); // restarts end, the dead are buried
  const { output } = await vm.run("awk '/^MemFree/ {print $2}' /proc/meminfo; sed 's/.*[/]//; s/ .*//' /proc/loadavg; cat /proc/capabilities");
  const [freeKiB = NaN, threads = NaN, capabilities = NaN] = output.trim().split("\n").map(Number);
  return { freeKiB, threads, capabilities };
}

/** Seconds from each "gone" of the log to the next "ready", by what was restarted. */
export function recoveries(log: string): Map<string, number[]> {
  const found = new Map<string, number[]>([["virtio-blk", []], ["fat32", []]]);
  const diedAt = new Map<string, number>();
  for (const line of log.split("\n")) {
    const at = Number(/^\[ *(\d+\.\d+)\]/.exec(line)?.[1]);
    if (/block: driver gone/.test(line)) diedAt.set("virtio-blk", at);
    if (/fs: server gone/.test(line)) diedAt.set("fat32", at);
    const back = /server: virtio-blk: ready/.test(line) ? "virtio-blk" : /fs: served: vfat/.test(line) ? "fat32" : undefined;
    const died = back === undefined ? undefined : diedAt.get(back);
    if (back === undefined || died === undefined) continue;
    found.get(back)?.push(at - died);
    diedAt.delete(back);
  }
  return found;
}

function report(name: string, seconds: readonly number[]): string {
  const sorted = [...seconds].sort((a, b) => a - b);
  const ms = (value: number | undefined): string => ((value ?? NaN) * 1000).toFixed(1);
  return `${name}: ${sorted.length} restarts, service back after ${ms(sorted[sorted.length >> 1])} ms (median), ${ms(sorted.at(-1))} ms (worst)`;
}

beforeAll(() => {
  mkdirSync(FOLDER, { recursive: true });
  const script = file("bin/storm", readFileSync("tests/faults/storm.sh"), 0o755);
  writeFileSync(join(FOLDER, "root.cpio"), archive([...userlandEntries(), script]));
});

test.each(CPUS)("a disk's driver and its file system are killed while a tree is copied, on %i CPUs", async (cpus) => {
  const image = join(FOLDER, `disk${cpus}.img`);
  rmSync(image, { force: true });
  writeFileSync(image, "");
  truncateSync(image, 1 << 30);
  execFileSync("mkfs.fat", ["-F", "32", "-n", "STORM", image]);
  const machine = { cpus, memMiB: 1024, initrd: join(FOLDER, "root.cpio"), disks: [image], deadlineMs: STORM_MS + BOOT_MS };
  const sums = await withVm(targetOptions(machine), async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    await vm.run(`storm 4 2`, STORM_MS); // caches of the kernel's own are warm afterwards
    const before = await counts(vm);
    const { output } = await vm.run(`storm ${MEGABYTES} ${KILLS}`, STORM_MS);
    expect(output).toMatch(/storm: ok\n$/);
    expect(output).not.toMatch(/FAILED/);
    const after = await counts(vm);
    expect(after).toMatchObject({ threads: before.threads, capabilities: before.capabilities });
    expect(after.freeKiB).toBeGreaterThan(before.freeKiB - SLACK_KIB);
    const { output: log } = await vm.run("dmesg", BOOT_MS);
    const restarts = [...recoveries(log)].map(([name, seconds]) => report(name, seconds));
    console.log([output.trim().split("\n").slice(-2, -1)[0], ...restarts].join("\n"));
    return (await vm.run("cat /tmp/sums")).output;
  });
  execFileSync("fsck.fat", ["-n", image]); // throws unless it is clean
  expect(sums.trim().split("\n")).toHaveLength(3 * (MEGABYTES >> 1));
  const copy = join(FOLDER, `copy${cpus}`);
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy);
  execFileSync("mcopy", ["-n", "-s", "-i", image, "::/t/a", copy]);
  execFileSync("md5sum", ["--quiet", "-c", "-"], { cwd: copy, input: sums.replaceAll("\r", "") });
  rmSync(copy, { recursive: true });
  rmSync(image);
}, STORM_MS + 2 * BOOT_MS);
