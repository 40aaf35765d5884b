/**
 * Faults of mixed kinds, by seed, into a disk's driver and its file system's server at work, on a machine with an IOMMU: the kernel does
 * not panic, nothing unrelated stops, every service comes back. What programs saw and what the volume lost is counted, not excused.
 *
 * CAMPAIGN_FAULTS=10000 CAMPAIGN_BOOTS=10 is the long run; its figures are in docs/measurements.md. CAMPAIGN_SEED replays.
 */
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withVm, type Vm } from "../../qemu/harness.ts";
import { archive, file } from "../../toolchain/cpio.ts";
import { userlandEntries } from "../../toolchain/userland.ts";
import { BOOT_MS, targetOptions } from "../support/target.ts";
import { type Fault, reportOf, tableOf } from "./campaign-report.ts";

const FAULTS = Number(process.env["CAMPAIGN_FAULTS"] ?? 60);
const BOOTS = Number(process.env["CAMPAIGN_BOOTS"] ?? 1);
const SEED = Number(process.env["CAMPAIGN_SEED"] ?? 1);
const PAUSE_MS = Number(process.env["CAMPAIGN_PAUSE_MS"] ?? 100);
const PER_BOOT = Math.ceil(FAULTS / BOOTS);
const FOLDER = "build/tests/campaign";
const CAMPAIGN_MS = 400_000 + PER_BOOT * 3_000;
/** A bystander that pauses for longer was stopped by something; a busy host's pauses are shorter. Hundredths of a second. */
const LONGEST_PAUSE_CS = 3_000;
const SLACK_KIB = 4_096;
const MOST = 0.98;

const all: Fault[] = [];

interface Counts {
  freeKiB: number;
  threads: number;
  capabilities: number;
}

async function counts(vm: Vm): Promise<Counts> {
  await vm.run("sleep 3"); // restarts end, the dead are buried
  const { output } = await vm.run(
    "grep -E '^MemFree' /proc/meminfo | tr -dc '0-9\\n'; sed 's/.*[/]//; s/ .*//' /proc/loadavg; cat /proc/capabilities");
  const [freeKiB = NaN, threads = NaN, capabilities = NaN] = output.split("\n").filter((line) => /^\d+$/.test(line)).map(Number);
  return { freeKiB, threads, capabilities };
}

function diskMake(path: string): void {
  rmSync(path, { force: true });
  writeFileSync(path, "");
  truncateSync(path, 128 << 20);
  execFileSync("mkfs.fat", ["-F", "32", "-s", "1", "-n", "CAMPAIGN", path]);
}

beforeAll(() => {
  mkdirSync(FOLDER, { recursive: true });
  const script = file("bin/campaign", readFileSync("tests/faults/campaign.sh"), 0o755);
  writeFileSync(join(FOLDER, "root.cpio"), archive([...userlandEntries(), script]));
});

afterAll(() => console.log(tableOf(all).join("\n")));

test.each(Array.from({ length: BOOTS }, (_, boot) => SEED + boot * PER_BOOT))("faults from seed %i on", async (seed) => {
  const image = join(FOLDER, `disk-${seed}.img`);
  diskMake(image);
  const machine = { cpus: 2, memMiB: 512, initrd: join(FOLDER, "root.cpio"), disks: [image], iommu: true, append: "console=ttyS0 debugexit" };
  await withVm(targetOptions({ ...machine, deadlineMs: CAMPAIGN_MS + BOOT_MS }), async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    await vm.run("campaign 0 1 10", CAMPAIGN_MS); // caches of the kernel's own are warm afterwards
    const before = await counts(vm);
    await vm.run("echo 7 >/proc/sys/kernel/printk");
    const start = vm.serial.log.length;
    const { output } = await vm.run(`campaign ${seed} ${PER_BOOT} ${PAUSE_MS}`, CAMPAIGN_MS);
    await vm.run("echo 4 >/proc/sys/kernel/printk");
    const log = vm.serial.log.slice(start);
    const report = reportOf(log);
    all.push(...report.faults);
    const summary = output.split("\n").filter((line) => /^(bystander|load|storm: done|storm: no|campaign|  +\d+ )/.test(line));
    const text = [`seed ${seed}`, ...summary, `other ends ${report.others}`, ...[...report.distrusted].map(([why, n]) => `${why}: ${n}`)].join("\n");
    console.log(text);
    appendFileSync(join(FOLDER, "report.txt"), `${text}\n${JSON.stringify(report.faults)}\n`);
    expect(log).not.toMatch(/panic/i);
    expect(output).toMatch(/storm: done/);
    expect(output).not.toMatch(/load: HANGS/);
    expect(report.faults.length).toBeGreaterThan(PER_BOOT * MOST); // the log may miss a line
    const pause = Number(/longest pause (\d+) cs/.exec(output)?.[1]);
    expect(pause).toBeLessThan(LONGEST_PAUSE_CS);
    const after = await counts(vm);
    expect(after).toMatchObject({ threads: before.threads, capabilities: before.capabilities });
    expect(after.freeKiB).toBeGreaterThan(before.freeKiB - SLACK_KIB);
  });
}, CAMPAIGN_MS + 2 * BOOT_MS);
