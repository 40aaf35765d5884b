/**
 * Drivers and file systems that are killed under load: programs see no error, and no byte, page, thread or capability is lost.
 *
 * STORM_MB=200 STORM_KILLS=500 STORM_CPUS=1,4 is the long run, STORM_IOMMU=1 puts it behind an IOMMU; its figures are in docs/measurements.md.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { withVm } from "../../qemu/harness.ts";
import { BOOT_MS, targetOptions } from "../support/target.ts";
import { counts, countsLike, expectNothingLost, option, rootWithScript, runLogged, volumeMake } from "./under-load.ts";

interface Storm {
  readonly cpus: number;
  readonly iommu: boolean;
  readonly megabytes: number;
  readonly kills: number;
}

const FOLDER = "build/tests/storm";
const MEGABYTES = option("STORM_MB", 24);
const KILLS = option("STORM_KILLS", 40);
/** Without STORM_CPUS: a run on four CPUs, and a small one behind an IOMMU. */
const STORMS: readonly Storm[] = process.env["STORM_CPUS"] === undefined
  ? [{ cpus: 4, iommu: false, megabytes: MEGABYTES, kills: KILLS }, { cpus: 2, iommu: true, megabytes: MEGABYTES / 3, kills: KILLS / 2 }]
  : process.env["STORM_CPUS"].split(",").map((cpus) => ({ cpus: Number(cpus), iommu: option("STORM_IOMMU", 0) === 1, megabytes: MEGABYTES, kills: KILLS }));
const STORM_MS = 120_000 + KILLS * 2_000 + MEGABYTES * 2_000;
/** What caches may keep. */
const SLACK_KIB = 2_048;

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

let root = "";
beforeAll(() => {
  root = rootWithScript("storm");
});

test.each(STORMS)("a disk's driver and its file system are killed while a tree is copied: $cpus CPUs, IOMMU $iommu", async ({ cpus, iommu, megabytes, kills }) => {
  const image = volumeMake(join(FOLDER, `disk${cpus}.img`), 1024, "-n", "STORM");
  const machine = { cpus, iommu, memMiB: 1024, initrd: root, disks: [image], deadlineMs: STORM_MS + BOOT_MS };
  const sums = await withVm(targetOptions(machine), async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    await vm.run(`storm 4 2`, STORM_MS); // caches of the kernel's own are warm afterwards
    const before = await counts(vm);
    const { output, log } = await runLogged(vm, `storm ${megabytes} ${kills}`, STORM_MS);
    expect(output).toMatch(/storm: ok\n$/);
    expect(output).not.toMatch(/FAILED/);
    expectNothingLost(before, await countsLike(vm, before), SLACK_KIB);
    const restarts = [...recoveries(log)].map(([name, seconds]) => report(name, seconds));
    expect([...recoveries(log).values()].flat().length).toBeGreaterThan(kills / 2);
    console.log([output.trim().split("\n").slice(-2, -1)[0], ...restarts].join("\n"));
    return (await vm.run("cat /tmp/sums")).output;
  });
  execFileSync("fsck.fat", ["-n", image]); // throws unless it is clean
  expect(sums.trim().split("\n")).toHaveLength(3 * (megabytes >> 1));
  const copy = join(FOLDER, `copy${cpus}`);
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy);
  execFileSync("mcopy", ["-n", "-s", "-i", image, "::/t/a", copy]);
  execFileSync("md5sum", ["--quiet", "-c", "-"], { cwd: copy, input: sums.replaceAll("\r", "") });
  rmSync(copy, { recursive: true });
  rmSync(image);
}, STORM_MS + 2 * BOOT_MS);
