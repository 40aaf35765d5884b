/** The machine's own console, as a person at it has it: what is typed on its keyboard, what its screen shows. */
import type { Vm } from "../../qemu/harness.ts";
import { keysOf } from "../../qemu/keyboard.ts";

const KEY_MS = 40;

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Types `text`, no faster than a keyboard controller keeps up with. */
export async function press(vm: Vm, text: string): Promise<void> {
  for (const keys of keysOf(text)) {
    await vm.sendKey(...keys);
    await pause(KEY_MS);
  }
}

/** Pixels of the screen whose colour `isCounted`. */
export async function pixels(vm: Vm, isCounted: (red: number, green: number, blue: number) => boolean): Promise<number> {
  const { rgb } = await vm.screen();
  let count = 0;
  for (let at = 0; at < rgb.length; at += 3) if (isCounted(rgb[at]!, rgb[at + 1]!, rgb[at + 2]!)) count++;
  return count;
}

/** Pixels of the screen that are not black. */
export function litPixels(vm: Vm): Promise<number> {
  return pixels(vm, (red, green, blue) => red + green + blue > 0);
}
