/**
 * The supervisor in a whole system: servers as processes, what becomes of bad ones, and its own death under load.
 *
 * The root archive has a few servers more, made of the template: "quitter" ends by itself, "missing" has no program, "damaged" half of one.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withVm, type Vm } from "../../qemu/harness.ts";
import { archive, file, type ArchiveEntry } from "../../toolchain/cpio.ts";
import { buildServers, manifestLines } from "../../toolchain/servers.ts";
import { userlandEntries } from "../../toolchain/userland.ts";
import { BOOT_MS, targetOptions } from "../support/target.ts";

const FOLDER = "build/tests/supervisor";
const IMAGE = join(FOLDER, "disk.img");
const INITRD = join(FOLDER, "root.cpio");
const TEST_MS = 4 * BOOT_MS;
const MORE_SERVERS = `quitter start=always restart=on-failure needs=log
missing start=always needs=log
damaged start=always needs=log
waiter start=always requires=virtio-blk after=fat32 restart=never needs=log
`;
const FIXTURES = "tests/faults/servers";
const FIXTURES_USED = ["asker", "foreman", "worker"];
/** What the foreman (tests/faults/servers/foreman) keeps unanswered, and has done in all. */
const [IN_HAND, TOTAL] = [16, 30_000];

function entries(): ArchiveEntry[] {
  const program = readFileSync("build/servers/template/template");
  const path = "lib/servers/manifests";
  const manifests = userlandEntries().find((entry) => entry.path === path)!.data.toString();
  const fixtures = buildServers(FIXTURES);
  const isUsed = (line: string): boolean => FIXTURES_USED.some((name) => line.startsWith(`${name} `));
  const used = manifestLines(FIXTURES).split("\n").filter(isUsed).join("\n");
  const lines = manifests.replace("template start=never", "template start=always") + MORE_SERVERS + `${used}\n`;
  return [
    ...userlandEntries().filter((entry) => entry.path !== path),
    file(path, Buffer.from(lines), 0o644),
    ...FIXTURES_USED.map((name) => file(`lib/servers/${name}`, readFileSync(fixtures.get(name)!), 0o755)),
    file("lib/servers/quitter", program, 0o755),
    file("lib/servers/waiter", program, 0o755),
    file("lib/servers/damaged", program.subarray(0, 40), 0o755),
  ];
}

beforeAll(() => {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(INITRD, archive(entries()));
  writeFileSync(IMAGE, "");
  truncateSync(IMAGE, 64 << 20);
  execFileSync("mkfs.fat", ["-F", "32", IMAGE]);
}, BOOT_MS);

/** Runs `command` and gives its output without the last newline; it must succeed. */
async function output(vm: Vm, command: string, limitMs = BOOT_MS): Promise<string> {
  const result = await vm.run(command, limitMs);
  expect(`${command}: ${result.status}\n${result.output}`).toMatch(`${command}: 0\n`);
  return result.output.replace(/\n$/, "");
}

/** Waits until the line of `instance` in the table of services looks like `pattern`. */
async function until(vm: Vm, instance: string, pattern: string): Promise<void> {
  await output(vm, `n=0; until services | grep -q '^${instance}  *${pattern}' || [ $n -gt 150 ]; do usleep 200000; n=$((n+1)); done; [ $n -le 150 ] || { services; false; }`);
}

test("servers are processes, bad ones are told apart, and nobody misses a dead supervisor", () =>
  withVm(targetOptions({ cpus: 2, memMiB: 512, initrd: INITRD, disks: [IMAGE], deadlineMs: TEST_MS }), async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    await lookLikeProcesses(vm);
    await serversCallEachOther(vm);
    await guestsOfAChannelDie(vm);
    await badServersEndClearly(vm);
    await rootControlsThem(vm);
    await hungDriverIsReplaced(vm);
    await supervisorDiesUnderLoad(vm);
  }), TEST_MS);

async function lookLikeProcesses(vm: Vm): Promise<void> {
  await until(vm, "virtio-blk.0", "running");
  const pid = await output(vm, "pidof virtio-blk");
  expect(await output(vm, "services")).toMatch(new RegExp(`^virtio-blk\\.0 +running +${pid} +0 +\\d+s +\\d+K 00:0\\d\\.0 +-$`, "m"));
  expect(await output(vm, `cat /proc/${pid}/comm`)).toBe("virtio-blk");
  expect(await output(vm, `tr '\\0' ' ' </proc/${pid}/cmdline`)).toMatch(/^virtio-blk pci=[0-9a-f]+ .*instance=0 $/);
  expect(await output(vm, `cat /proc/${pid}/stat`)).toMatch(new RegExp(`^${pid} \\(virtio-blk\\) [SR] `));
  expect(await output(vm, `readlink /proc/${pid}/exe`)).toBe("/lib/servers/virtio-blk");
  expect(await output(vm, "ps")).toMatch(new RegExp(`^ *${pid} root +virtio-blk `, "m"));
  const status = await output(vm, `cat /proc/${pid}/status`);
  expect(status).toMatch(/^Name:\tvirtio-blk$/m);
  expect(Number(/^PPid:\t(\d+)$/m.exec(status)?.[1])).toBe(Number(await output(vm, "pidof supervisor")));
  expect(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1])).toBeGreaterThan(32);
}

/** The template is started by its manifest, and answers another server, which was given the right to call it. */
async function serversCallEachOther(vm: Vm): Promise<void> {
  await until(vm, "template.0", "running");
  await until(vm, "asker.0", "finished .*exited with 0");
  const log = await output(vm, "dmesg | grep 'server: asker'");
  expect(log.replace(/^.*server: /gm, "").split("\n")).toEqual([
    "asker: 40 + 2 is 42", "asker: the largest number + 2 is 1", "asker: sums: 2, of a thing unknown: -38",
  ]);
}

/**
 * Work and answers through rings in granted memory, while the guest is killed twice with work in hand, and its host once: the foreman says itself
 * whether each piece of work was answered once.
 */
async function guestsOfAChannelDie(vm: Vm): Promise<void> {
  const lines = (pattern: string, count: number): Promise<string> =>
    output(vm, `n=0; until [ $(dmesg | grep -c '${pattern}') -ge ${count} ] || [ $n -gt 150 ]; do usleep 200000; n=$((n+1)); done; dmesg | grep '${pattern}'`);
  for (const kill of [1, 2]) {
    await lines("worker: has work in hand and does not do it", kill);
    await output(vm, "kill -9 $(pidof worker)");
  }
  expect(await lines("foreman: .* answers, ", 1)).toMatch(`foreman: ${TOTAL} answers, 0 wrong, 0 missing, 3 guests, ${2 * IN_HAND} pieces of work came again`);
  expect(await lines("foreman: worker is guest", 3)).toMatch(/guest 1 after 0 answers\n.*guest 2 after 8000 answers\n.*guest 3 after 16000 answers/);
  await output(vm, "kill -9 $(pidof foreman)");
  await lines("worker: its host is gone", 1);
  expect(await lines("foreman: worker is guest", 4)).toMatch(/guest 1 after 0 answers$/); // the next one's first
}

async function badServersEndClearly(vm: Vm): Promise<void> {
  await until(vm, "missing.0", "given-up .*its program is missing or damaged");
  await until(vm, "damaged.0", "given-up .*its program is missing or damaged");
  await until(vm, "quitter.0", "finished .*exited with 0");
  await until(vm, "waiter.0", "finished"); // it required the driver, and came after the file system
  const log = await output(vm, "dmesg");
  expect(log).toMatch(/supervisor: missing is given up: its program is missing or damaged/);
  expect(log).toMatch(/supervisor: damaged is given up/);
  expect(log.indexOf("server: waiter: ready")).toBeGreaterThan(log.indexOf("server: virtio-blk: ready"));
  expect(log.indexOf("server: waiter: ready")).toBeGreaterThan(log.indexOf("fs: served: vfat"));
}

async function rootControlsThem(vm: Vm): Promise<void> {
  await output(vm, "services stop virtio-blk.0");
  await until(vm, "virtio-blk.0", "stopped .*stopped on request");
  await output(vm, "{ dd if=/dev/vda of=/dev/null bs=4096 count=1 skip=900 2>/dev/null; echo $? >/tmp/read; } &"); // it waits for a driver
  await output(vm, "usleep 300000; [ ! -e /tmp/read ]");
  await output(vm, "services start virtio-blk");
  await until(vm, "virtio-blk.0", "running");
  await output(vm, "wait; [ $(cat /tmp/read) = 0 ]");
  const before = await output(vm, "pidof fat32");
  await output(vm, "services restart fat32");
  await until(vm, "fat32.0", "running .*restarted on request");
  expect(await output(vm, "pidof fat32")).not.toBe(before);
  expect(await vm.run("services stop nobody")).toEqual({ output: "services: nobody: there is no server of that name\n", status: 1 });
  expect(await vm.run("su user -s /bin/sh -c 'services stop fat32'")).toEqual({ output: "services: only root may stop servers\n", status: 1 });
}

/** Where the driver's program and its linear memory begin. */
async function places(vm: Vm): Promise<{ program: string | undefined; linear: string | undefined }> {
  const maps = await output(vm, "cat /proc/$(pidof virtio-blk)/maps");
  const program = /^([0-9a-f]+)-.*\/lib\/servers\/virtio-blk$/m.exec(maps)?.[1];
  const linear = /^([0-9a-f]+)-[0-9a-f]+ ---p /m.exec(maps)?.[1]; // its first page is never mapped
  expect([program, linear]).not.toContain(undefined);
  return { program, linear };
}

async function hungDriverIsReplaced(vm: Vm): Promise<void> {
  const before = await places(vm);
  await output(vm, "kill -STOP $(pidof virtio-blk)");
  await output(vm, "dd if=/dev/vda of=/dev/null bs=4096 count=1 skip=1900"); // waits for the next driver
  await until(vm, "virtio-blk.0", "running .*hung");
  const after = await places(vm);
  expect(after.program).not.toBe(before.program);
  expect(after.linear).not.toBe(before.linear);
  expect(await output(vm, "dmesg")).toMatch(/supervisor: virtio-blk \(pid \d+\) hangs/);
}

async function supervisorDiesUnderLoad(vm: Vm): Promise<void> {
  await output(vm, "mkdir -p /mnt && mount -t vfat /dev/vda /mnt && head -c 6000000 /dev/urandom >/tmp/data && md5sum </tmp/data >/tmp/sum");
  await output(vm, "{ i=0; while [ ! -e /tmp/enough ]; do cp /tmp/data /mnt/f$((i % 4)) || echo cp $? >>/tmp/bad; sync; " +
    "md5sum </mnt/f$((i % 4)) | cmp -s - /tmp/sum || echo sum >>/tmp/bad; i=$((i+1)); done; echo $i >/tmp/rounds; } &");
  for (let death = 0; death < 4; death++) {
    const old = await output(vm, "pidof supervisor");
    await output(vm, `sleep 1; kill -9 ${old}; n=0; until p=$(pidof supervisor) && [ $p != ${old} ] || [ $n -gt 100 ]; do usleep 100000; n=$((n+1)); done; pidof supervisor`);
    await until(vm, "virtio-blk.0", "running");
    await until(vm, "fat32.0", "running");
  }
  await output(vm, "touch /tmp/enough; wait; [ ! -e /tmp/bad ] || { cat /tmp/bad; false; }", TEST_MS);
  expect(Number(await output(vm, "cat /tmp/rounds"))).toBeGreaterThan(1);
  await output(vm, "umount /mnt");
  // None is left over, once init has waited for the dead (which it does every second).
  await output(vm, "n=0; until [ $(pidof virtio-blk fat32 supervisor | wc -w) = 3 ] || [ $n -gt 100 ]; do usleep 200000; n=$((n+1)); done; [ $n -le 100 ] || { ps; false; }");
  await output(vm, "! dmesg | grep -q 'errno 16'"); // every device was free again
}

afterAll(() => {
  execFileSync("fsck.fat", ["-n", IMAGE]); // throws unless it is clean
});
