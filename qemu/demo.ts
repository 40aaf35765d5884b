/**
 * `make demo`: the README's demonstration. A machine with a FAT32 disk copies files while the disk's driver is killed again and again; the
 * commands are typed on its keyboard, the screen is saved as docs/demo.png, and the copies are compared here, on the host.
 *
 * Environment: CPUS, MEM (MiB), UEFI=1, as for `make run`.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { withVm, type Vm } from "./harness.ts";
import { keysOf } from "./keyboard.ts";
import { cropBottom, pngEncode } from "./screenshot.ts";

const BOOT_MS = 180_000;
const COPY_MS = 240_000;
const SETTLE_MS = 1_000;
const MARGIN_ROWS = 8;
const COPIES = 6;
const IMAGE = "build/demo.img";
const IMAGE_BYTES = 64 << 20;
const BUSYBOX = "/bin/busybox"; // the same file here and there
const NUMBERS = Array.from({ length: COPIES }, (_, i) => i + 1);
const COMMANDS = [
  "mount -t vfat /dev/vda /mnt",
  "while usleep 300000; do kill -9 $(pidof virtio-blk) 2>/dev/null; done &",
  `for i in ${NUMBERS.join(" ")}; do cp /bin/busybox /mnt/copy$i; sync; done`,
  "umount /mnt; mount -t vfat /dev/vda /mnt",
  "md5sum /bin/busybox /mnt/copy*",
  "kill $!; usleep 500000; services",
];
/** True for the shell of tty1 (device 4, 1) when it is in the foreground of its own terminal: it waits for a line. */
const AT_PROMPT = "awk '$7 == 1025 && $6 == $1 { found = 1; busy += $5 != $8 } END { exit !found || busy }' /proc/[0-9]*/stat 2>/dev/null";
/** Between two programs of a loop the shell is in the foreground, too, but not three looks long. */
const IDLE = `n=0; while [ $n -lt 3 ]; do if ${AT_PROMPT}; then n=$((n+1)); else n=0; fi; usleep 200000; done`;

const out = process.argv[2] ?? "docs/demo.png";
const { CPUS, MEM, UEFI } = process.env;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const md5 = (bytes: Buffer): string => createHash("md5").update(bytes).digest("hex");

async function type(vm: Vm, text: string): Promise<void> {
  for (const key of keysOf(text)) await vm.sendKey(...key);
}

/** Types what `make run` would be told; how often the driver was restarted. */
async function demonstrate(vm: Vm): Promise<number> {
  await vm.waitFor(/init: ready/, BOOT_MS);
  await vm.expectPrompt(BOOT_MS);
  for (const command of ["clear", ...COMMANDS]) {
    await vm.run(IDLE, COPY_MS);
    await type(vm, `${command}\n`);
    await pause(SETTLE_MS);
  }
  await vm.run(IDLE, COPY_MS);
  writeFileSync(out, pngEncode(cropBottom(await vm.screen(), MARGIN_ROWS)));
  const { output } = await vm.run("services; umount /mnt", COPY_MS);
  return Number(/^virtio-blk\.0 +\S+ +\S+ +(\d+)/m.exec(output)?.[1]);
}

/** The disk as this machine sees it: throws unless it is clean and every copy is right. */
function compare(): void {
  execFileSync("fsck.fat", ["-n", IMAGE]);
  const expected = md5(readFileSync(BUSYBOX));
  for (const i of NUMBERS) {
    const copy = execFileSync("mtype", ["-i", IMAGE, `::/copy${i}`], { maxBuffer: IMAGE_BYTES });
    if (md5(copy) !== expected) throw new Error(`demo: copy${i} differs`);
  }
}

mkdirSync("build", { recursive: true });
rmSync(IMAGE, { force: true });
writeFileSync(IMAGE, "");
truncateSync(IMAGE, IMAGE_BYTES);
execFileSync("mkfs.fat", ["-F", "32", IMAGE]);
const restarts = await withVm({
  medium: "cd", cpus: Number(CPUS || 4), memMiB: Number(MEM || 1024), firmware: UEFI ? "uefi" : "bios", disks: [IMAGE],
  deadlineMs: 2 * BOOT_MS + COPY_MS,
}, demonstrate);
compare();
if (!(restarts > 0)) throw new Error("demo: the driver was never killed");
console.log(`demo: ${COPIES} copies are right, the disk is clean, its driver was restarted ${restarts} times; ${out}`);
