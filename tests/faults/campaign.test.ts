/**
 * Faults of mixed kinds, by seed, into a disk's driver and its file system's server at work, on a machine with an IOMMU: the kernel does
 * not panic, nothing unrelated stops, every service comes back. What programs saw and what the volume lost is counted, not excused.
 *
 * CAMPAIGN_FAULTS=10000 CAMPAIGN_BOOTS=10 is the long run; its figures are in docs/measurements.md. CAMPAIGN_SEED replays.
 */
import { appendFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withVm } from "../../qemu/harness.ts";
import { BOOT_MS, targetOptions } from "../support/target.ts";
import { type Fault, reportOf, tableOf } from "./campaign-report.ts";
import { counts, countsLike, expectNothingLost, option, rootWithScript, runLogged, volumeMake } from "./under-load.ts";

const FAULTS = option("CAMPAIGN_FAULTS", 60);
const BOOTS = option("CAMPAIGN_BOOTS", 1);
const SEED = option("CAMPAIGN_SEED", 1);
const PAUSE_MS = option("CAMPAIGN_PAUSE_MS", 100);
/** CAMPAIGN_IOMMU=0: nothing holds a corrupted driver's device, and the kernel can promise nothing. */
const HAS_IOMMU = option("CAMPAIGN_IOMMU", 1) !== 0;
const PER_BOOT = Math.ceil(FAULTS / BOOTS);
const FOLDER = "build/tests/campaign";
const CAMPAIGN_MS = 400_000 + PER_BOOT * 3_000;
/** A bystander that pauses for longer was stopped by something; a busy host's pauses are shorter. Hundredths of a second. */
const LONGEST_PAUSE_CS = 3_000;
const SLACK_KIB = 4_096;
const MOST = 0.98;

const all: Fault[] = [];

let root = "";
beforeAll(() => {
  root = rootWithScript("campaign");
});

afterAll(() => console.log(tableOf(all).join("\n")));

test.each(Array.from({ length: BOOTS }, (_, boot) => SEED + boot * PER_BOOT))("faults from seed %i on", async (seed) => {
  const image = volumeMake(join(FOLDER, `disk-${seed}.img`), 128, "-s", "1", "-n", "CAMPAIGN");
  const machine = { cpus: 2, memMiB: 512, initrd: root, disks: [image], iommu: HAS_IOMMU, append: "console=ttyS0 debugexit" };
  await withVm(targetOptions({ ...machine, deadlineMs: CAMPAIGN_MS + BOOT_MS }), async (vm) => {
    vm.serial.onEnd = (whole) => writeFileSync(join(FOLDER, `log-${seed}.txt`), whole);
    await vm.expectPrompt(BOOT_MS);
    await vm.run("campaign 0 1 10", CAMPAIGN_MS); // caches of the kernel's own are warm afterwards
    const before = await counts(vm);
    const { output, log } = await runLogged(vm, `campaign ${seed} ${PER_BOOT} ${PAUSE_MS}`, CAMPAIGN_MS);
    const after = await countsLike(vm, before);
    const report = reportOf(log);
    all.push(...report.faults);
    const lines = [`seed ${seed}`, output.trim(), `other ends ${report.others}`, ...[...report.distrusted].map(([why, n]) => `${why}: ${n}`)];
    const text = [...lines, `before ${JSON.stringify(before)} after ${JSON.stringify(after)}`].join("\n");
    console.log(text);
    appendFileSync(join(FOLDER, "report.txt"), `${text}\n${JSON.stringify(report.faults)}\n`);
    expect(log).not.toMatch(/panic/i);
    expect(output).toMatch(/storm: done/);
    expect(output).not.toMatch(/load: HANGS/);
    expect(report.faults.length).toBeGreaterThan(PER_BOOT * MOST); // the log may miss a line
    const pause = Number(/longest pause (\d+) cs/.exec(output)?.[1]);
    expect(pause).toBeLessThan(LONGEST_PAUSE_CS);
    expectNothingLost(before, after, SLACK_KIB);
  });
  rmSync(image);
}, CAMPAIGN_MS + 2 * BOOT_MS);
