/** Hard use: nothing is lost, nothing else dies, and memory is given back. */

import { withVm, type Vm } from "../../qemu/harness.ts";
import { BOOT_MS, isReference, targetOptions } from "../support/target.ts";

const TEST_MS = 10 * BOOT_MS;
const MACHINE = { cpus: 4, memMiB: 512, deadlineMs: TEST_MS } as const;

/** What a few caches may keep; Linux keeps more. */
const SLACK_KIB = isReference ? 16_384 : 1_024;

async function freeKiB(vm: Vm): Promise<number> {
  const { output } = await vm.run("sleep 1; awk '/^MemFree/ {print $2}' /proc/meminfo");
  return Number(output);
}

/** Runs `use` twice, the first time to warm caches up; the second must give its memory back. */
async function expectNoLeak(vm: Vm, use: () => Promise<void>): Promise<void> {
  await use();
  const before = await freeKiB(vm);
  await use();
  expect(await freeKiB(vm)).toBeGreaterThan(before - SLACK_KIB);
}

function booted(use: (vm: Vm) => Promise<void>, cpus: number = MACHINE.cpus): () => Promise<void> {
  return () =>
    withVm(targetOptions({ ...MACHINE, cpus }), async (vm) => {
      await vm.expectPrompt(BOOT_MS);
      await use(vm);
    });
}

test("2,000 times fork, exec and wait on four CPUs lose no frame", booted((vm) =>
  expectNoLeak(vm, async () => {
    const loop = "i=0; while [ $i -lt 250 ]; do /bin/busybox true || echo failed; i=$((i+1)); done";
    const { output } = await vm.run(`for j in 1 2 3 4; do (${loop}) & done; wait; echo done`, TEST_MS);
    expect(output).toMatch(/done\n$/);
    expect(output).not.toMatch(/failed/);
  }),
), TEST_MS);

test("yes | head -c 100000000 | md5sum, typed at the prompt, is right", booted(async (vm) => {
  const { output } = await vm.run("yes | head -c 100000000 | md5sum", TEST_MS);
  expect(output).toBe("a3e8987f8305d5ad2b60ccb3e8125478  -\n");
}), TEST_MS); // the shell's own yes and head write line by line: 100 million system calls

test("a memory hog is refused or killed, alone, and its memory comes back", booted((vm) =>
  expectNoLeak(vm, async () => {
    await vm.run("awk 'BEGIN { s = \"x\"; while (1) s = s s }' >/dev/null 2>&1", TEST_MS);
    expect((await vm.run("echo alive")).output).toContain("alive");
  }),
), TEST_MS);

test("a full tmpfs says so", booted(async (vm) => {
  const { status } = await vm.run("mkdir -p /tmp/m; mount -t tmpfs -o size=20m m /tmp/m; cat /dev/zero >/tmp/m/big", TEST_MS);
  expect(status).not.toBe(0);
  expect((await vm.run("umount /tmp/m; echo ok", TEST_MS)).output).toContain("ok");
}), TEST_MS);

test("a fork bomb within a limit ends, and its memory comes back", booted((vm) =>
  expectNoLeak(vm, async () => {
    await vm.run("(ulimit -u 200 2>/dev/null; setuidgid nobody sh -c 'ulimit -u 200; b() { b & b; }; b' >/dev/null 2>&1 & sleep 4; killall -9 -q sh_none; true)", TEST_MS);
    await vm.run("for i in 1 2 3 4 5; do ps -o pid,user | awk '$2==\"nobody\" {print $1}' | xargs -r kill -9 2>/dev/null; done; true", TEST_MS);
    expect((await vm.run("echo alive")).output).toContain("alive");
  }),
), TEST_MS);
