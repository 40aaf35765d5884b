/** Anybody's archive and anybody's first program, as with Linux; and what the command line switches on. */

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { withVm } from "../../qemu/harness.ts";
import { BOOT_MS, isReference, targetOptions } from "../support/target.ts";

const FOLDER = "build/tests/own";
const TEST_MS = 2 * BOOT_MS;

/** A root that the host's own cpio packed, with one static program and no device nodes. */
function foreignArchive(): string {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(`${FOLDER}/root/opt`, { recursive: true });
  cpSync("/bin/busybox", `${FOLDER}/root/opt/busybox`);
  const script = "#!/opt/busybox sh\n/opt/busybox echo mine: pid $$, $0 $1\n/opt/busybox ls /\n/opt/busybox poweroff -f\n";
  writeFileSync(`${FOLDER}/root/opt/start`, script, { mode: 0o755 });
  const names = execFileSync("find", ["."], { cwd: `${FOLDER}/root`, encoding: "utf8" });
  const archive = execFileSync("cpio", ["-o", "-H", "newc", "--quiet"], { cwd: `${FOLDER}/root`, input: names, maxBuffer: 1 << 26 });
  writeFileSync(`${FOLDER}/own.cpio`, archive);
  return `${FOLDER}/own.cpio`;
}

test("the host's cpio as root, rdinit= as process 1, its poweroff ends QEMU", () =>
  withVm(targetOptions({ initrd: foreignArchive(), append: "console=ttyS0 rdinit=/opt/start -- word", deadlineMs: TEST_MS }), async (vm) => {
    expect(await vm.exit).toBe(0);
    expect(vm.serial.log).toMatch(/mine: pid 1, \/opt\/start word\r\ndev +opt\r\n/);
  }), TEST_MS);

(isReference ? test.skip : test)("strace=NAME on the command line logs that program's calls, and no other's", () =>
  withVm(targetOptions({ append: "console=ttyS0 strace=md5sum loglevel=7", deadlineMs: TEST_MS }), async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    const { output } = await vm.run("dmesg -c >/dev/null; /bin/true; echo abc >/tmp/f; /bin/md5sum /tmp/f; dmesg");
    expect(output).toMatch(/strace: .*openat?\(.*"\/tmp\/f"/);
    expect(output).not.toMatch(/strace: .*"\/bin\/true"/);
  }), TEST_MS);

(isReference ? test.skip : test)("a process is traced from when 1 is written to its procfs file until 0 is", () =>
  withVm(targetOptions({ deadlineMs: TEST_MS }), async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    const script = "while read x; do cat /etc/hostname >/dev/null; echo did $x; done";
    await vm.run(`mkfifo /tmp/p; sh -c '${script}' </tmp/p >/tmp/out & sleep 0.2; exec 7>/tmp/p; pid=$!`);
    const traced = async (name: string): Promise<number> => {
      const { output } = await vm.run(`dmesg -c >/dev/null; echo ${name} >&7; sleep 0.3; dmesg | grep -c 'strace: .*read('`);
      return Number(output);
    };
    expect(await traced("one")).toBe(0);
    expect((await vm.run("echo 1 >/proc/$pid/strace; cat /proc/$pid/strace")).output).toBe("1\n");
    expect(await traced("two")).toBeGreaterThan(0);
    await vm.run("echo 0 >/proc/$pid/strace");
    await traced("three"); // a child that was traced may still end
    expect(await traced("four")).toBe(0);
    expect((await vm.run("cat /tmp/out")).output).toBe("did one\ndid two\ndid three\ndid four\n");
  }), TEST_MS);
