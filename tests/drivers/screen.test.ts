/** The machine's own console: keys pressed on the PS/2 keyboard, the picture on the screen. */

import { withVm } from "../../qemu/harness.ts";
import { litPixels, pause, press } from "../support/screen.ts";
import { BOOT_MS, targetOptions } from "../support/target.ts";

const TEST_MS = 3 * BOOT_MS;
const OPTIONS = { cpus: 2, append: "console=tty0 console=ttyS0", deadlineMs: TEST_MS };

test("what is typed on the keyboard reaches the shell on the screen", () =>
  withVm(targetOptions(OPTIONS), async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    await pause(1000);
    await press(vm, "echo \"A_b {~}|\" kbd-$((6*7)) >/dev/ttyS0\n");
    await vm.waitFor(/A_b \{~\}\| kbd-42/);
    await press(vm, "xecho up >/dev/ttyS0");
    await vm.sendKey("home");
    await vm.sendKey("delete");
    await vm.sendKey("end");
    await vm.sendKey("ret");
    await vm.waitFor(/\bup\b/);
    await press(vm, "cat\n");
    await pause(300);
    await vm.sendKey("ctrl", "c");
    await press(vm, "echo $? back >/dev/ttyS0\n");
    await vm.waitFor(/130 back/);
  }), TEST_MS);

test("the screen shows text, clear empties it, Alt-F2 is another terminal", () =>
  withVm(targetOptions(OPTIONS), async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    await pause(1000);
    const boot = await litPixels(vm);
    expect(boot).toBeGreaterThan(1000);
    await press(vm, "clear\n");
    await pause(500);
    const cleared = await litPixels(vm);
    expect(cleared).toBeLessThan(boot / 2);
    await vm.sendKey("alt", "f2");
    await pause(300);
    expect(await litPixels(vm)).toBeLessThan(cleared);
    await vm.sendKey("alt", "f1");
    await pause(300);
    expect(await litPixels(vm)).toBe(cleared);
  }), TEST_MS);

test("Ctrl-Alt-Delete restarts the machine", () =>
  withVm(targetOptions(OPTIONS), async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    await vm.sendKey("ctrl", "alt", "delete");
    expect(await vm.exit).toBe(0);
  }), TEST_MS);
