/**
 * Deliberate kernel faults: `crash=KIND` on the command line shows that each ends in a legible panic.
 *
 *   null     a null struct is read            stack   recursion without end
 *   assert   a broken invariant               wild    a call through a wild function pointer
 *   text     kernel text is written
 */
import { ImageSymbol, imageAddress, linearBase } from "../arch/current";
import { cmdlineFind, cmdlineValueLength } from "../arch/x86_64/boot-info";
import { Cpu } from "./core/sched/cpu";

/** Does what `crash=` asks for; returns when it is absent or names nothing known. */
export function crashIfAsked(): void {
  const value = cmdlineFind("crash");
  if (value == 0 || cmdlineValueLength(value) < 2) return;
  const kind = load<u8>(value);
  if (kind == 0x6e) crashNull();
  else if (kind == 0x61) assert(cmdlineValueLength(value) == 0);
  else if (kind == 0x74) crashText();
  else if (kind == 0x73) crashStack(value);
  else if (kind == 0x77) call_indirect<void>(<u32>value);
}

function crashNull(): void {
  const cpu = changetype<Cpu>(cmdlineFind("no-such-word")); // SAFETY: none, and that is the point
  store<u32>(changetype<usize>(cpu) + offsetof<Cpu>("ticks"), cpu.ticks + 1);
}

/** Text lies above the linear window, within reach of a 32-bit address. */
function crashText(): void {
  store<u8>(<usize>(imageAddress(ImageSymbol.TEXT_VA) - linearBase()), 0xcc);
}

/** Each level keeps a word alive, so that the recursion cannot become a loop. */
function crashStack(depth: u32): u32 {
  const below = imageAddress(depth & 1) != 0 ? crashStack(depth + 1) : 0;
  return below + depth;
}
