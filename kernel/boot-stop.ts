/**
 * A boot that cannot go on: the reason on serial and on the screen, then a halt.
 *
 * Locking  boot CPU only.
 */
import { halt, out8 } from "../arch/current";
import { cmdlineHas, cmdlineInt } from "../arch/x86_64/boot-info";
import { powerReboot } from "../arch/x86_64/power";
import { LogLevel, logBegin, logEnd, logFlush, logStr } from "./lib/log";
import { DISPLAY } from "./services/driver/display";
import { framebufferInit } from "./services/driver/framebuffer";
import { vgaTextInit } from "./services/driver/vga-text";

const WHITE_ON_RED: u32 = 15 << 16 | 4 << 20; // a cell's colours, as display.ts has them
const DEBUG_EXIT_PORT: u32 = 0xf4;
const DEBUG_EXIT_BAD_BOOT: u32 = 0x7d;

/** Says why and stops; `panic=` restarts the machine and `debugexit` ends QEMU, as after a panic. */
export function bootStop(reason: string): void {
  logBegin(LogLevel.ERR, "boot");
  logStr("cannot boot: ");
  logStr(reason);
  logEnd();
  logFlush(); // no interrupt will come
  screenWrite(reason);
  if (cmdlineHas("debugexit")) out8(DEBUG_EXIT_PORT, DEBUG_EXIT_BAD_BOOT);
  if (cmdlineInt("panic", 0) != 0) powerReboot();
  halt();
}

/** White on red at the top of whatever screen there is. */
function screenWrite(text: string): void {
  if (!framebufferInit() && !vgaTextInit()) return;
  const end = screenPut(0, "LimitlessOS cannot boot: ");
  screenPut(end, text);
}

function screenPut(cell: u32, text: string): u32 {
  for (let i = 0; i < text.length; i++, cell++) {
    DISPLAY.draw(cell / DISPLAY.cols, cell % DISPLAY.cols, text.charCodeAt(i) | WHITE_ON_RED);
  }
  return cell;
}
