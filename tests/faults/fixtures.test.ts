/**
 * Servers that do what no server may (tests/faults/servers/misfit): each is stopped, named in the log with its reason, started again or
 * given up, and a bystander notices nothing.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withVm, type Vm } from "../../qemu/harness.ts";
import { archive, file, type ArchiveEntry } from "../../toolchain/cpio.ts";
import { buildServers, symbolsOf } from "../../toolchain/servers.ts";
import { ROOT } from "../../toolchain/paths.ts";
import { userlandEntries } from "../../toolchain/userland.ts";
import { BOOT_MS, targetOptions } from "../support/target.ts";

const FOLDER = "build/tests/fixtures";
const IMAGE = join(FOLDER, "disk.img");
/** What the false file systems are asked to mount. */
const OTHER = join(FOLDER, "other.img");
const MANIFESTS = "lib/servers/manifests";
const TEST_MS = 5 * BOOT_MS;
/** Hundredths of a second; a busy host's pauses are shorter. */
const LONGEST_PAUSE_CS = 1_000;
/** The FATs of the image, and the first clusters. */
const FIRST_FILES_BYTES = 4_000_000;
/** Of the 20,000 lines of the flooder. */
const LINES_KEPT = 1_000;
const ORDINARY = "log,heartbeat,notification,endpoint,quota,filesystem memory=2";
const NAMES = ["wild-read", "null-read", "looper", "glutton", "guesser", "flooder", "liar", "mute", "stuck"];

/** What the log calls the deaths of those that are ended at once. */
const REASONS = [["wild-read", "access outside its memory"], ["null-read", "access outside its memory"], ["glutton", "out of memory"]] as const;

const BYSTANDER = `bystander() {
  gap=0 last=0
  while [ ! -e /tmp/stop ]; do
    echo $last | md5sum >/tmp/sum; usleep 20000
    read -r up rest </proc/uptime; at=\${up%.*}\${up#*.}; at=\${at#0}
    [ $last != 0 ] && [ $((at - last)) -gt $gap ] && gap=$((at - last))
    last=$at; echo $gap >/tmp/gap
  done
}
bystander &`;

function entries(): ArchiveEntry[] {
  const path = buildServers(join(ROOT, "tests/faults/servers")).get("misfit")!;
  const program = readFileSync(path);
  const symbols = readFileSync(symbolsOf(path));
  const shipped = userlandEntries();
  const manifests = shipped.find(({ path }) => path === MANIFESTS)!;
  const lines = NAMES.map((name) => `${name} start=always needs=${name === "flooder" ? "time," : ""}${ORDINARY} failures=${name === "liar" ? 20 : 3} schedule=${name === "looper" ? "fifo:20" : "normal"}\n`).join("");
  return [
    ...shipped.filter(({ path }) => path !== MANIFESTS),
    file(MANIFESTS, Buffer.concat([manifests.data, Buffer.from(lines)]), 0o644),
    ...NAMES.flatMap((name) => [file(`lib/servers/${name}`, program, 0o755), file(`lib/servers/${name}.symbols`, symbols, 0o644)]),
  ];
}

beforeAll(() => {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, "root.cpio"), archive(entries()));
  rmSync(IMAGE, { force: true });
  writeFileSync(IMAGE, "");
  truncateSync(IMAGE, 64 << 20);
  execFileSync("mkfs.fat", ["-F", "32", IMAGE]);
  writeFileSync(OTHER, Buffer.alloc(1 << 20));
});

/** Lines of the kernel's log like `pattern` (as grep -E has it), once there are any. */
async function logLines(vm: Vm, pattern: string): Promise<string> {
  for (let tries = 0; tries < 120; tries++) {
    const { output, status } = await vm.run(`dmesg | grep -E '${pattern}' || { usleep 500000; false; }`, BOOT_MS);
    if (status === 0) return output;
  }
  throw new Error(`no line of the log is like ${pattern}`);
}

test("misfits are stopped and named; nothing else suffers", () =>
  withVm(targetOptions({ cpus: 2, memMiB: 256, initrd: join(FOLDER, "root.cpio"), disks: [IMAGE, OTHER], deadlineMs: TEST_MS - BOOT_MS }), async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    await vm.run(BYSTANDER);
    for (const [name, reason] of REASONS) {
      await logLines(vm, `supervisor: ${name} \\(pid [0-9]+\\) ${reason}`);
      await logLines(vm, `supervisor: ${name} is given up: ${reason}`);
    }
    expect((await vm.run("dmesg | grep -E ': found [0-9]|out of memory: killed'")).output).toBe("");
    expect(await logLines(vm, "glutton: got")).toMatch(/got 0 objects and 0 mappings/);
    expect(await logLines(vm, "guesser: guessed")).toMatch(/guessed 0 native calls and 0 of Linux's, knows 6 handles/);
    await logLines(vm, "flooder: [0-9]+ lines left out");
    expect((await logLines(vm, "flooder: line")).split("\n").length).toBeLessThan(LINES_KEPT);
    await logLines(vm, "supervisor: looper \\(pid [0-9]+\\) hangs");
    await logLines(vm, "supervisor: looper was in tests/faults/servers/misfit/main.ts:[a-zA-Z]+, running");
    await liarIsNotBelieved(vm);
    await stuckHoldsUpItsOwnAlone(vm);
    await muteIsFound(vm); // its mount goes on trying
    await restIsWell(vm);
  }), TEST_MS);

/** Whoever asks it gets an error, not nonsense and not a wait without end. */
async function liarIsNotBelieved(vm: Vm): Promise<void> {
  const { status } = await vm.run("mkdir -p /tmp/l && mount -t liarfs /dev/vdb /tmp/l", 2 * BOOT_MS);
  expect(status).not.toBe(0);
  await logLines(vm, "server: liar \\(pid [0-9]+\\) answers nonsense: killed");
}

/** It answers heartbeats, but no call: the kernel's watchdog sees that, while the mount that waits for it waits on. */
async function muteIsFound(vm: Vm): Promise<void> {
  await vm.run("mkdir -p /tmp/m; { mount -t mutefs /dev/vdb /tmp/m; } 2>/dev/null &");
  await logLines(vm, "server: mute \\(pid [0-9]+\\) does not answer a call: killed");
  await logLines(vm, "supervisor: mute \\(pid [0-9]+\\) ended by the kernel");
  await logLines(vm, "supervisor: mute was in ");
}

/**
 * While a server hangs in a call, and sync(2) waits for it, another file system's data reach the disk by themselves, by syncfs and by
 * umount. Nothing here ends the server but this test, so nothing depends on how fast things go.
 */
async function stuckHoldsUpItsOwnAlone(vm: Vm): Promise<void> {
  const succeeds = async (command: string): Promise<string> => {
    const { output, status } = await vm.run(command, BOOT_MS);
    expect({ command, output, status }).toEqual({ command, output, status: 0 });
    return output.trim();
  };
  const isOnDisk = (text: string): string =>
    `n=0; until blockdev --flushbufs /dev/vda; head -c ${FIRST_FILES_BYTES} /dev/vda | grep -q '${text}' || [ $n -gt 40 ]; do sleep 1; n=$((n+1)); done; [ $n -le 40 ]`;
  await succeeds("mkdir -p /tmp/s /mnt && mount -t stuckfs /dev/vdb /tmp/s && mount -t vfat /dev/vda /mnt");
  const pid = await succeeds("pidof stuck");
  await succeeds("{ ls /tmp/s/nothing; touch /tmp/looked; } 2>/dev/null &");
  await logLines(vm, "stuck: does not come back");
  await succeeds("echo $(printf first; printf line) >/mnt/f; { sync; touch /tmp/synced; } &");
  await succeeds(isOnDisk("firstline")); // sync(2) begins with all, before it waits for one
  await succeeds("echo $(printf second; printf line) >/mnt/f");
  await succeeds(isOnDisk("secondline")); // it was dirty for a while
  await succeeds("echo third >/mnt/f && sync -f /mnt/f && umount /mnt && mount -t vfat /dev/vda /mnt && grep third /mnt/f && umount /mnt");
  expect(await succeeds("pidof stuck; ls /tmp/looked /tmp/synced 2>/dev/null; true")).toBe(pid);
  await succeeds(`kill -9 ${pid}; until [ -e /tmp/looked ] && [ -e /tmp/synced ]; do usleep 100000; done; umount /tmp/s`);
}

async function restIsWell(vm: Vm): Promise<void> {
  expect(Number((await vm.run("cat /tmp/gap")).output)).toBeLessThan(LONGEST_PAUSE_CS);
  const { output, status } = await vm.run(
    "touch /tmp/stop; mount -t vfat /dev/vda /mnt && echo fine >/mnt/f && umount /mnt && mount -t vfat /dev/vda /mnt && cat /mnt/f && umount /mnt", BOOT_MS);
  expect({ output, status }).toEqual({ output: expect.stringContaining("fine"), status: 0 });
  const { output: table } = await vm.run("services");
  expect(table).toMatch(/virtio-blk\.0 +running/);
  expect(table).toMatch(/fat32\.0 +running/);
}
