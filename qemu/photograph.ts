/** `make screenshot`: boots the ISO, types a few commands on the keyboard, and saves the screen as PNG. */

import { writeFileSync } from "node:fs";
import { withVm } from "./harness.ts";
import { keysOf } from "./keyboard.ts";

const BOOT_MS = 120_000;
const SETTLE_MS = 3_000;
const COMMANDS = ["uname -a", "ls /", "cat /proc/meminfo | head -3", "ps | head -12", "free -m"];

const out = process.argv[2] ?? "docs/screenshot.png";
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

await withVm({ medium: "cd", cpus: 4, memMiB: 1024, deadlineMs: 2 * BOOT_MS }, async (vm) => {
  await vm.waitFor(/init: ready/, BOOT_MS);
  await pause(SETTLE_MS);
  for (const key of COMMANDS.flatMap((command) => keysOf(`${command}\n`))) await vm.sendKey(...key);
  await pause(SETTLE_MS);
  writeFileSync(out, await vm.screenshot());
});
console.log(`screenshot: ${out}`);
