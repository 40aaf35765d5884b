/**
 * FAT volumes as users meet them: images of mkfs.fat and mcopy are read, changed in the guest, and judged by fsck.fat and mtools.
 *
 * FAT_FILES=10000 FAT_MB=1024 FAT_LARGE=300000000 is the size of issue 3.
 */
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { withVm } from "../../qemu/harness.ts";
import { archive, file } from "../../toolchain/cpio.ts";
import { userlandEntries } from "../../toolchain/userland.ts";
import { BOOT_MS, targetOptions } from "../support/target.ts";

const FILES = Number(process.env["FAT_FILES"] ?? 400);
const MEGABYTES = Number(process.env["FAT_MB"] ?? 40);
const LARGE = Number(process.env["FAT_LARGE"] ?? 6_000_000);
const DEPTH = 12;
const FOLDER = `build/tests/vfat-${FILES}`;
const RUN_MS = 120_000 + FILES * 100 + MEGABYTES * 1_000;

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: "utf8", maxBuffer: 1 << 28 });
}

/** A tree of small files in one directory, and of deep directories. */
function hostTree(folder: string): void {
  let deep = "deep";
  const paths = Array.from({ length: FILES }, (_, i) => i % 40 === 0 ? `many/f${i} with a longer name.text` : `many/f${i}.txt`);
  for (let level = 0; level < DEPTH; level++) {
    deep += `/Level ${level} of the tree`;
    paths.push(`${deep}/file${level}.bin`);
  }
  const sums = paths.map((path, i) => {
    const content = randomBytes(i % 9 === 0 ? 20_000 : 10 + i % 700);
    mkdirSync(dirname(join(folder, "host", path)), { recursive: true });
    writeFileSync(join(folder, "host", path), content);
    return `${createHash("md5").update(content).digest("hex")}  ${path}\n`;
  });
  writeFileSync(join(folder, "sums"), sums.join(""));
}

test("volumes of mkfs.fat and mcopy: read, written, filled, remounted; clean for fsck.fat and whole for mtools", async () => {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(join(FOLDER, "in"), { recursive: true });
  const image = join(FOLDER, "tree.img");
  const small = join(FOLDER, "small.img");
  hostTree(join(FOLDER, "in"));
  run("mkfs.fat", "-C", "-F", "32", "-s", MEGABYTES > 512 ? "8" : "1", "-n", "TREE", image, String(MEGABYTES << 10));
  run("mcopy", "-s", "-i", image, join(FOLDER, "in/host"), join(FOLDER, "in/sums"), "::/");
  run("mkfs.fat", "-C", small, "8192"); // FAT12 or FAT16, as mkfs.fat likes
  const script = file("bin/vfat", readFileSync("tests/drivers/vfat.sh"), 0o755);
  writeFileSync(join(FOLDER, "root.cpio"), archive([...userlandEntries(), script]));
  const machine = { cpus: 2, memMiB: 256, initrd: join(FOLDER, "root.cpio"), disks: [image, small], deadlineMs: RUN_MS + BOOT_MS };
  await withVm(targetOptions(machine), async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    await vm.run("mkdir -p /mnt; while ! [ -e /dev/vdb ]; do usleep 50000; done", BOOT_MS);
    // Both drivers start at the same time, on two CPUs.
    expect((await vm.run("stat -c '%n %t:%T' /dev/vda /dev/vdb", BOOT_MS)).output).toBe("/dev/vda fe:0\n/dev/vdb fe:10\n");
    for (const part of ["users", "full", "cached", `tree ${LARGE}`]) {
      expect({ part, ...await vm.run(`vfat ${part}`, RUN_MS) }).toEqual({ part, output: "vfat: ok\n", status: 0 });
    }
    if (process.env["FAT_FILES"]) process.stdout.write((await vm.run("cat /tmp/figures; grep -v :0 /proc/meminfo; services", BOOT_MS)).output);
  });
  for (const each of [image, small]) run("fsck.fat", "-n", each); // throws unless it is clean
  const out = join(FOLDER, "out");
  mkdirSync(out);
  run("mcopy", "-n", "-s", "-i", image, "::/", out);
  execFileSync("md5sum", ["--quiet", "-c", "guest-sums"], { cwd: out });
  execFileSync("md5sum", ["--quiet", "-c", "../sums"], { cwd: join(out, "host") });
  expect(readFileSync(join(out, "guest-sums"), "utf8").split("\n").length).toBeGreaterThan(FILES / 2);
  rmSync(FOLDER, { recursive: true });
}, RUN_MS + 2 * BOOT_MS);
