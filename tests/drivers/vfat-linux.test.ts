/**
 * The same seeded script of calls on a FAT volume, on our kernel and on Debian's Linux with its vfat: every answer is the same, the volumes
 * are sound, and mtools reads the same trees. It runs when VFAT_STEPS=n says how many steps; SEED=n chooses others.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withVm } from "../../qemu/harness.ts";
import { archive, file } from "../../toolchain/cpio.ts";
import { userlandEntries } from "../../toolchain/userland.ts";
import { hasReference, REFERENCE_KERNEL, REFERENCE_MODULES, referenceModules } from "../support/reference.ts";
import { BOOT_MS } from "../support/target.ts";

const FOLDER = "build/tests/vfat-linux";
const SEED = process.env["SEED"] ?? "1";
const STEPS = process.env["VFAT_STEPS"] ?? "2000";
const RUN_MS = 120_000 + Number(STEPS) * 20;
/** FAT12, FAT16, FAT32. */
const SHAPES: readonly (readonly string[])[] = [["-F", "12", "-s", "4", "2048"], ["-F", "16", "-s", "1", "8192"], ["-F", "32", "-s", "1", "40000"]];

interface Run {
  readonly lines: readonly string[];
  readonly trees: readonly string[];
}

/** The script on each volume in turn: what it prints, and what the volumes hold afterwards. */
async function run(name: string, machine: { kernel?: string; append: string }): Promise<Run> {
  const images = SHAPES.map((shape, i) => {
    const image = join(FOLDER, `${name}-${i}.img`);
    execFileSync("mkfs.fat", ["-C", "-i", "12345678", ...shape.slice(0, -1), image, shape.at(-1)!], { stdio: "ignore" });
    return image;
  });
  const options = { ...machine, cpus: 1, memMiB: 256, initrd: join(FOLDER, "root.cpio"), disks: images, deadlineMs: RUN_MS + BOOT_MS };
  const lines = await withVm(options, async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    if (name === "linux") await vm.run(`cd /modules; for m in ${REFERENCE_MODULES.join(" ")}; do insmod $m.ko; done`, BOOT_MS);
    await vm.run("while ! [ -e /dev/vdc ]; do usleep 50000; done", BOOT_MS);
    const printed: string[] = [];
    for (const [i, letter] of ["a", "b", "c"].entries()) {
      const command = `mount -t vfat /dev/vd${letter} /mnt && mkdir /mnt/top && vfat-script ${Number(SEED) + i} ${STEPS} /mnt/top; umount /mnt`;
      const { output, status } = await vm.run(command, RUN_MS);
      expect({ name, letter, status, lines: output.split("\n").length > Number(STEPS), tail: output.slice(-100) }).toMatchObject({ name, letter, status: 0, lines: true });
      printed.push(...output.split("\n").map((line) => `${letter} ${line}`));
    }
    return printed;
  });
  const trees = images.map((image, i) => {
    if (name === "ours") execFileSync("fsck.fat", ["-n", image], { stdio: "ignore" }); // throws unless it is clean
    const out = join(FOLDER, `${name}-${i}`);
    mkdirSync(out);
    execFileSync("mcopy", ["-n", "-s", "-i", image, "::/", out], { env: { ...process.env, LC_ALL: "C.UTF-8", MTOOLS_SKIP_CHECK: "1" } }); // which takes the last cluster for one too many
    return execFileSync("sh", ["-c", "(find . -type d; find . -type f -print0 | xargs -0 md5sum) | LC_ALL=C tr A-Z a-z | LC_ALL=C sort"], { cwd: out, encoding: "utf8" });
  });
  return { lines, trees };
}

(hasReference && process.env["VFAT_STEPS"] ? test : test.skip)("a script of calls is answered as by Linux's vfat", async () => {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  const program = join(FOLDER, "vfat-script");
  execFileSync("gcc", ["-O1", "-static", "-w", "-o", program, "tests/fuzz/vfat-script.c"]);
  writeFileSync(join(FOLDER, "root.cpio"), archive([...userlandEntries(), ...referenceModules(), file("bin/vfat-script", readFileSync(program), 0o755)]));
  const ours = await run("ours", { kernel: "build/kernel.elf", append: "console=ttyS0" });
  const linux = await run("linux", { kernel: REFERENCE_KERNEL, append: "console=ttyS0 quiet" });
  for (const [name, { lines }] of Object.entries({ ours, linux })) writeFileSync(join(FOLDER, `${name}.txt`), lines.join("\n"));
  const differing = linux.lines.flatMap((line, i) => (line === ours.lines[i] ? [] : [`Linux: ${line}`, ` ours: ${ours.lines[i]}`]));
  expect(differing.slice(0, 60)).toEqual([]);
  expect(ours.trees).toEqual(linux.trees);
}, 2 * (RUN_MS + BOOT_MS));
