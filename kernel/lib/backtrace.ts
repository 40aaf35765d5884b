/**
 * Backtraces in source names: frame pointers walked, return addresses looked up in the symbol blob of the image.
 *
 * The blob (toolchain/steps/symbols.ts): magic "SYM1", count, count pairs { offset from TEXT_VA, name offset } sorted by
 * offset, then NUL-terminated names.
 */
import { ImageSymbol, imageAddress, linearBase, physLoad32, physLoad8, probeLoad64 } from "../../arch/current";
import { LogLevel, logBegin, logByte, logDec, logEnd, logHex, logStr } from "./log";

const SYMBOLS_MAGIC: u32 = 0x314d5953;
const SYMBOLS_HEADER: u64 = 8;
const MAX_FRAMES: u32 = 32;
const WORD: usize = memory.data(8, 8);

function blobPa(): u64 {
  const va = imageAddress(ImageSymbol.SYMTAB_VA);
  if (va == 0) return 0;
  const pa = va - imageAddress(ImageSymbol.KERNEL_OFFSET);
  return physLoad32(pa) == SYMBOLS_MAGIC ? pa : 0;
}

/** Index of the last symbol that starts at or before `offset`, -1 when there is none. */
function symbolFind(pa: u64, offset: u32): i32 {
  let low: i32 = 0;
  let high: i32 = <i32>physLoad32(pa + 4) - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (physLoad32(pa + SYMBOLS_HEADER + <u64>middle * 8) <= offset) low = middle + 1;
    else high = middle - 1;
  }
  return high;
}

/** Appends `file.ts:function+0x12` for a kernel text address to the line being logged. */
export function logSymbol(va: u64): void {
  const text = imageAddress(ImageSymbol.TEXT_VA);
  const pa = blobPa();
  if (pa == 0 || va < text || va >= imageAddress(ImageSymbol.TEXT_END_VA)) return;
  const index = symbolFind(pa, <u32>(va - text));
  if (index < 0) return;
  const entry = pa + SYMBOLS_HEADER + <u64>index * 8;
  const names = pa + SYMBOLS_HEADER + <u64>physLoad32(pa + 4) * 8;
  logStr(" ");
  for (let at = names + physLoad32(entry + 4); physLoad8(at) != 0; at++) logByte(physLoad8(at));
  logStr("+");
  logHex(va - text - physLoad32(entry));
}

/** Logs one line per frame, starting with `rip` (0: with the caller of the function whose frame `rbp` is). */
export function backtraceLog(rip: u64, rbp: u64): void {
  let frame = rbp;
  let depth: u32 = 0;
  if (rip != 0) frameLog(depth++, rip);
  while (depth < MAX_FRAMES) {
    if (frame < linearBase() || (frame & 7) != 0 || // a user's rbp ends the chain
      probeLoad64(WORD, frame + 8) != 0) return;
    const caller = load<u64>(WORD);
    if (caller == 0) return;
    frameLog(depth++, caller);
    if (probeLoad64(WORD, frame) != 0) return;
    const next = load<u64>(WORD);
    if (next <= frame) return; // stacks grow down: a chain that turns back is broken, 0 ends it
    frame = next;
  }
}

function frameLog(depth: u32, va: u64): void {
  logBegin(LogLevel.ERR, "panic");
  logStr("  #");
  logDec(depth);
  logStr(" ");
  logHex(va);
  logSymbol(va);
  logEnd();
}
