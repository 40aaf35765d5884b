/** Boots that cannot succeed and kernel bugs: the reason is legible on the serial console and on the screen. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { withVm, type Vm, type VmOptions } from "../../qemu/harness.ts";
import { litPixels, pixels } from "../support/screen.ts";
import { BOOT_MS, targetOptions } from "../support/target.ts";

const FOLDER = "build/tests/failures";
const TEST_MS = 2 * BOOT_MS;
const SETTLE_MS = 500;
const CRASHED = 253; // (0x7e << 1) | 1, what debugexit writes in a panic

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** An archive of its own for a test. */
function initrdOf(name: string, content: Uint8Array): string {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${FOLDER}/${name}`, content);
  return `${FOLDER}/${name}`;
}

/** Pixels more red than anything else: the background of a boot that cannot go on. */
const redPixels = (vm: Vm): Promise<number> => pixels(vm, (red, green, blue) => red > 100 && green < 50 && blue < 50);

const whole = (): Buffer => readFileSync("build/initramfs.cpio");

test.each<[string, () => VmOptions, RegExp]>([
  ["no initramfs", () => ({ initrd: "" }), /cannot boot: no initramfs/],
  ["an archive cut in the middle", () => ({ initrd: initrdOf("half.cpio", whole().subarray(0, 1_000_000)) }), /cannot boot: the archive ends inside a file/],
  ["an archive that is none", () => ({ initrd: initrdOf("garbage.cpio", Buffer.alloc(8192, 7)) }), /cannot boot: no newc header/],
])("%s is said on the serial console and in red on the screen", (_, options, words) =>
  withVm(targetOptions({ ...options(), deadlineMs: TEST_MS }), async (vm) => {
    await vm.waitFor(words, BOOT_MS);
    await pause(SETTLE_MS);
    expect(await redPixels(vm)).toBeGreaterThan(1000);
  }), TEST_MS);

test("a processor without long mode is told so on the serial console and on the screen", () =>
  withVm(targetOptions({ cpuModel: "qemu32", deadlineMs: TEST_MS }), async (vm) => {
    await pause(SETTLE_MS);
    await vm.waitFor(/needs a 64-bit \(x86-64\) processor/, BOOT_MS);
    await pause(SETTLE_MS);
    expect(await litPixels(vm)).toBeGreaterThan(500);
  }), TEST_MS);

test.each([
  ["null", /page fault in the kernel[^]*#0 \S+ kernel\/main\.ts:/],
  ["assert", /broken invariant[^]*#0 \S+ kernel\/main\.ts:/],
  ["text", /page fault in the kernel[^]*error=0x3[^]*#0 \S+ kernel\/main\.ts:/],
  ["stack", /double fault \(kernel stack overflow\?\)[^]*#1 \S+ kernel\/crash\.ts:crashStack/],
  ["wild", /call through a wild function pointer[^]*#0 \S+ kernel\/main\.ts:/],
])("crash=%s prints registers and a backtrace in TypeScript names, and ends QEMU with failure", (kind, words) =>
  withVm(targetOptions({ cpus: 2, append: `console=ttyS0 crash=${kind} debugexit`, deadlineMs: TEST_MS }), async (vm) => {
    expect(await vm.exit).toBe(CRASHED);
    expect(vm.serial.log).toMatch(words);
    expect(vm.serial.log).toMatch(/rip=0x[0-9a-f]{16} rsp=0x[0-9a-f]{16}[^]*r15=0x/);
  }), TEST_MS);

test("the crash a program asks for shows the way there, on serial and on the screen", () =>
  withVm(targetOptions({ cpus: 4, append: "console=tty0 console=ttyS0", deadlineMs: TEST_MS }), async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    await vm.run("clear >/dev/tty1");
    await pause(SETTLE_MS);
    const before = await litPixels(vm);
    vm.type("echo c >/proc/sysrq-trigger\r");
    await vm.waitFor(/kernel panic: sysrq: crash asked for/, BOOT_MS);
    await vm.waitFor(/#\d+ \S+ kernel\/services\/vfs\/[^]*kernel\/services\/[^]*running task \d+ sh/, BOOT_MS);
    await pause(SETTLE_MS);
    expect(await litPixels(vm)).toBeGreaterThan(before + 1000);
  }), TEST_MS);
