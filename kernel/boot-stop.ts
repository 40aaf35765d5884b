/**
 * A boot that cannot go on: the reason on serial and on the text screen, then a halt.
 *
 * Locking  boot CPU only.
 */
import { halt, out8, physStore16 } from "../arch/current";
import { BOOT_INFO, cmdlineHas, cmdlineInt } from "../arch/x86_64/boot-info";
import { powerReboot } from "../arch/x86_64/power";
import { LogLevel, logBegin, logEnd, logStr } from "./lib/log";

const VGA_TEXT: u64 = 0xb8000;
const VGA_CELLS: u32 = 80 * 25;
const WHITE_ON_RED: u32 = 0x4f00;
const FRAMEBUFFER_RGB: u32 = 1;
const DEBUG_EXIT_PORT: u32 = 0xf4;
const DEBUG_EXIT_BAD_BOOT: u32 = 0x7d;

/** Says why and stops; `panic=` restarts the machine and `debugexit` ends QEMU, as after a panic. */
export function bootStop(reason: string): void {
  logBegin(LogLevel.ERR, "boot");
  logStr("cannot boot: ");
  logStr(reason);
  logEnd();
  if (BOOT_INFO.framebufferType != FRAMEBUFFER_RGB) screenWrite(reason);
  if (cmdlineHas("debugexit")) out8(DEBUG_EXIT_PORT, DEBUG_EXIT_BAD_BOOT);
  if (cmdlineInt("panic", 0) != 0) powerReboot();
  halt();
}

/** Clears the text screen and writes one line at its top. */
function screenWrite(text: string): void {
  for (let cell: u32 = 0; cell < VGA_CELLS; cell++) physStore16(VGA_TEXT + cell * 2, WHITE_ON_RED | 0x20);
  const end = screenPut(0, "LimitlessOS cannot boot: ");
  screenPut(end, text);
}

function screenPut(cell: u32, text: string): u32 {
  const at = changetype<usize>(text); // SAFETY: literals are static data
  for (let i = 0; i < text.length; i++) physStore16(VGA_TEXT + (cell + i) * 2, WHITE_ON_RED | load<u8>(at + (<usize>i << 1)));
  return cell + text.length;
}
