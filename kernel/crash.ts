/**
 * Deliberate kernel faults: `crash=KIND` on the command line shows that each ends in a legible panic.
 *
 *   null     a null struct is read            stack   recursion without end
 *   assert   a broken invariant               wild    a call through a wild function pointer
 *   text     kernel text is written
 */
import { ImageSymbol, imageAddress, linearBase, physStore8 } from "../arch/current";
import { cmdlineFind, cmdlineValueLength } from "../arch/x86_64/boot-info";
import { Cpu } from "./core/sched/cpu";

/** A byte of video memory nobody shows: never written in fact. */
const SCRATCH_PA: u64 = 0xbffff;

/** Does what `crash=` asks for; returns when it is absent or names nothing known. */
export function crashIfAsked(): void {
  const value = cmdlineFind("crash");
  if (value == 0 || cmdlineValueLength(value) < 2) return;
  const kind = load<u8>(value);
  if (kind == 0x6e) crashNull();
  else if (kind == 0x61) assert(cmdlineValueLength(value) == 0);
  else if (kind == 0x74) crashText();
  else if (kind == 0x73) crashStack(1 << 32);
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

/** The store after the call is volatile, so that the recursion cannot become a loop. */
function crashStack(depth: u64): void {
  if (depth == 0) return;
  crashStack(depth - 1);
  physStore8(SCRATCH_PA, <u32>depth);
}
