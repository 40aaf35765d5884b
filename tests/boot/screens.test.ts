/** The ISO under both firmwares, on both kinds of screen: the shell on the first virtual terminal shows what is typed. */

import { withVm, type Vm, type VmOptions } from "../../qemu/harness.ts";
import { litPixels, pause, press } from "../support/screen.ts";
import { BOOT_MS, isReference } from "../support/target.ts";

const TEST_MS = 4 * BOOT_MS;
const SETTLE_MS = 1_000;
const FRAMEBUFFER = [1024, 768] as const;
const VGA_TEXT = [720, 400] as const;

/** UEFI machines have no text mode: there the second entry of the menu falls back to the framebuffer. */
const SCREENS: readonly [name: string, options: VmOptions, entry: number, size: readonly [number, number]][] = [
  ["BIOS, CD, framebuffer", { medium: "cd", firmware: "bios" }, 0, FRAMEBUFFER],
  ["BIOS, USB, VGA text", { medium: "usb", firmware: "bios" }, 1, VGA_TEXT],
  ["UEFI, CD, framebuffer", { medium: "cd", firmware: "uefi" }, 0, FRAMEBUFFER],
  ["UEFI, USB, framebuffer", { medium: "usb", firmware: "uefi" }, 0, FRAMEBUFFER],
];

(isReference ? test.skip.each : test.each)(SCREENS)("%s: commands typed on the keyboard show on the screen", (_, options, entry, size) =>
  withVm({ ...options, cpus: 2, memMiB: 512, deadlineMs: TEST_MS }, async (vm) => {
    if (entry !== 0) await menuPick(vm, entry);
    await vm.expectPrompt(TEST_MS);
    await pause(SETTLE_MS);
    const { width, height } = await vm.screen();
    expect([width, height]).toEqual(size);
    await press(vm, "clear; echo typed $((6*7)) >/dev/ttyS0\n");
    await vm.waitFor(/typed 42/);
    await pause(SETTLE_MS);
    const cleared = await litPixels(vm);
    await press(vm, "ls -l /bin | head\n");
    await pause(SETTLE_MS);
    expect(await litPixels(vm)).toBeGreaterThan(cleared + 2_000);
  }), TEST_MS);

/** Presses "down" in the loader's menu, which waits a second, until the choice is made. */
async function menuPick(vm: Vm, entry: number): Promise<void> {
  for (let tries = 0; tries < 100 && !vm.serial.log.includes("LimitlessOS cmdline"); tries++) {
    if ((await vm.screen()).width !== 0) for (let i = 0; i < entry; i++) await vm.sendKey("down");
    await pause(100);
    if (tries % 10 === 9) await vm.sendKey("ret");
  }
}
