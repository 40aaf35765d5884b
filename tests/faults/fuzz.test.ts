/**
 * The seeded fuzzer of system calls and native calls (tests/fuzz) in a machine with four CPUs and a FAT disk, as root and as nobody:
 * no panic, no hang, no frame lost. FUZZ_CALLS and FUZZ_SEED choose more calls or replay a failure.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { withVm } from "../../qemu/harness.ts";
import { archive, file } from "../../toolchain/cpio.ts";
import { userlandEntries } from "../../toolchain/userland.ts";
import { writeGrammar } from "../fuzz/grammar.ts";
import { BOOT_MS, targetOptions } from "../support/target.ts";

const CALLS = Number(process.env["FUZZ_CALLS"] ?? 40_000);
const SEED = Number(process.env["FUZZ_SEED"] ?? 1);
const FOLDER = "build/tests/fuzz";
const RUN_MS = 120_000 + CALLS * 2;
/** What caches and files left in /tmp/fuzz may keep. */
const SLACK_KIB = 4_096;

function buildFuzzer(): string {
  mkdirSync(FOLDER, { recursive: true });
  writeGrammar(`${FOLDER}/grammar.h`);
  execFileSync("gcc", ["-O1", "-static", "-w", `-I${FOLDER}`, "-o", `${FOLDER}/fuzz`, "tests/fuzz/fuzz.c"]);
  const initrd = `${FOLDER}/initramfs.cpio`;
  writeFileSync(initrd, archive([...userlandEntries(), file("bin/fuzz", readFileSync(`${FOLDER}/fuzz`), 0o755)]));
  return initrd;
}

function makeDisk(): string {
  const path = `${FOLDER}/disk.img`;
  writeFileSync(path, "");
  truncateSync(path, 64 << 20);
  execFileSync("mkfs.fat", ["-F", "32", "-s", "1", path]);
  return path;
}

const MOUNT = "mkdir -p /tmp/fuzz/fat; grep -q /tmp/fuzz/fat /proc/mounts || mount -t vfat -o umask=0 /dev/vda /tmp/fuzz/fat";
/** Without /dev/null: as root the fuzzer may have made something else of it. */
const UNMOUNT = "while umount /tmp/fuzz/fat; do echo unmounted; done; ! grep vfat /proc/mounts";

test(`${CALLS} random calls each as root and as nobody, seed ${SEED}`, async () => {
  const initrd = buildFuzzer();
  await withVm(targetOptions({ initrd, disks: [makeDisk()], cpus: 4, memMiB: 512, deadlineMs: 2 * RUN_MS + BOOT_MS }), async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    const freeKiB = async (): Promise<number> => {
      const { output } = await vm.run(`${UNMOUNT}; rm -rf /tmp/fuzz; sleep 1; awk '/^MemFree/ {print $2}' /proc/meminfo`, BOOT_MS);
      return Number(output.trim().split("\n").at(-1));
    };
    await vm.run(`${MOUNT}; fuzz 999 2000 4 65534`, RUN_MS); // caches warm up
    const before = await freeKiB();
    for (const uid of [65534, 0]) {
      const { output, status } = await vm.run(`${MOUNT}; fuzz ${SEED} ${CALLS} 4 ${uid}`, RUN_MS);
      expect(output).toMatch(/fuzz: seed=\d+ calls=\d+/);
      expect(status).toBe(0);
    }
    expect(await freeKiB()).toBeGreaterThan(before - SLACK_KIB);
  });
}, 3 * RUN_MS + BOOT_MS);
