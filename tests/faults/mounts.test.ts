/**
 * Two disks mounted, written and unmounted again and again, while everything is synced all the time and their server is killed: every file
 * is as it was left, both volumes are clean, and no thread is left over. MOUNTS_ROUNDS=n: as often.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withVm } from "../../qemu/harness.ts";
import { BOOT_MS, targetOptions } from "../support/target.ts";

const FOLDER = "build/tests/mounts";
const IMAGES = ["a.img", "b.img"].map((name) => join(FOLDER, name));
const ROUNDS = Number(process.env["MOUNTS_ROUNDS"] ?? 60);
const TEST_MS = 3 * BOOT_MS + ROUNDS * 1000;
const TASKS = "cut -d/ -f2 /proc/loadavg | cut -d' ' -f1";

/** Each round finds the number of the one before, or says what it found. tasks: waits until there are as many as before, and so many more. */
const LOOP = `round() { mount -t vfat /dev/$2 $1 || echo mount $1: $?
  n=$(cat $1/n 2>/dev/null || echo 0); [ "$n" = $3 ] || echo "$1: $n instead of $3"
  [ $(($3 % 6)) != 5 ] || killall -9 fat32 2>/dev/null
  echo $(($3 + 1)) >$1/n; head -c 30000 /dev/zero >$1/f$(($3 % 5)); umount $1 || echo umount $1: $?; }
tasks() { n=0; until [ $(${TASKS}) = $((before + $1)) ] || [ $n -gt 60 ]; do sleep 1; n=$((n+1)); done; [ $n -le 60 ]; }
loop() { i=0; while [ $i -lt ${ROUNDS} ]; do round $1 $2 $i; i=$((i+1)); done; }`;

const RUN = `mkdir -p /a /b; before=$(${TASKS})
for s in 1 2 3; do while [ ! -e /tmp/stop ]; do sync; done & done
loop /a vda & A=$!; loop /b vdb & B=$!; wait $A $B; touch /tmp/stop; wait
tasks 0 || echo more tasks`;

beforeAll(() => {
  mkdirSync(FOLDER, { recursive: true });
  for (const image of IMAGES) {
    writeFileSync(image, "");
    truncateSync(image, 64 << 20);
    execFileSync("mkfs.fat", ["-F", "32", image]);
  }
});

test("two mounts come and go while everything is synced and their server dies", () =>
  withVm(targetOptions({ cpus: 2, memMiB: 256, disks: IMAGES, deadlineMs: TEST_MS }), async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    await vm.run(LOOP);
    expect(await vm.run(RUN, TEST_MS - BOOT_MS)).toEqual({ output: "", status: 0 });
    const last = `mount -t vfat /dev/vda /a && mount -t vfat /dev/vdb /b && cat /a/n /b/n && tasks 2 && umount /a /b`;
    expect(await vm.run(last, 2 * BOOT_MS)).toEqual({ output: `${ROUNDS}\n${ROUNDS}\n`, status: 0 }); // each has its flusher
  }), TEST_MS + BOOT_MS);

afterAll(() => {
  for (const image of IMAGES) execFileSync("fsck.fat", ["-n", image]); // throws unless it is clean
});
