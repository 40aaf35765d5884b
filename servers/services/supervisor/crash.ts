/**
 * Why a server died of itself, in the names of its source: the kernel's note (process_crash) and the .symbols file beside the program.
 *
 *   symbols, ascending:  1a40 servers/drivers/virtio-blk/main.ts:finishedTake
 */
import { CRASH_FRAMES, CrashInfo, CrashReason } from "../../../kernel/abi/capability";
import { processCrash } from "../../runtime/native-calls";
import { fileText } from "../../runtime/linux";
import { get64 } from "../../runtime/memory";
import { hex } from "../../runtime/start";
import { numberOf } from "./manifest";

const FOLDER = "/lib/servers/";
const SYMBOLS_MOST: i32 = 262144;
const FRAMES_AT: usize = offsetof<CrashInfo>("frame0");
const OFFSET_DIGITS: i32 = 8;
const VECTOR_PAGE_FAULT: u32 = 14;
const VECTOR_INVALID: u32 = 6;
/** CrashInfo with all its frames. */
const INFO: usize = memory.data(offsetof<CrashInfo>("frame0") + 16 * 8, 8);
if (CRASH_FRAMES != 16) ERROR("INFO has room for 16 frames");

export class Crash {
  reason: string = "";
  /** Offsets from the start of its code, innermost first. */
  frames: u64[] = [];
}

/** What the kernel noted of a dead process, or null when it died of something else. */
export function crashOf(process: u32): Crash | null {
  if (processCrash(process, INFO) < 0) return null;
  const info = changetype<CrashInfo>(INFO); // SAFETY: storage of that size
  const crash = new Crash();
  crash.reason = reasonText(info.reason, info.vector, info.va);
  for (let i: u32 = 0; i < min<u32>(info.frames, CRASH_FRAMES); i++) crash.frames.push(get64(INFO + FRAMES_AT + (<usize>i << 3)));
  return crash;
}

export function reasonText(reason: u32, vector: u32, va: u64): string {
  switch (reason) {
    case CrashReason.UNREACHABLE: return "broken assertion";
    case CrashReason.DIVISION_BY_ZERO: return "division by zero";
    case CrashReason.DIVISION_OVERFLOW: return "overflow in a division";
    case CrashReason.WILD_CALL: return "call through a wild function value";
    case CrashReason.UNALIGNED: return "unaligned atomic access";
    case CrashReason.OUT_OF_MEMORY: return "out of memory";
    case CrashReason.DISTRUSTED: return "ended by the kernel";
  }
  if (vector == VECTOR_PAGE_FAULT) return "access outside its memory, at " + hex(va);
  return vector == VECTOR_INVALID ? "invalid instruction" : "exception " + vector.toString();
}

/** Lines for the log: where it was at the end, doing what ("": it ran), and who called. */
export function backtrace(frames: u64[], name: string, doing: string): string[] {
  const names = namesOf(frames, fileText(FOLDER + name + ".symbols", SYMBOLS_MOST));
  const lines = [name + " was in " + (names.length > 0 ? names[0] : "an unknown place") + (doing != "" ? ", " + doing : "")];
  const callers = names.slice(1).map<string>((full) => full.substring(full.lastIndexOf(":") + 1));
  if (callers.length > 0) lines.push(name + " called by " + callers.join(", "));
  return lines;
}

/** The function of each offset; of a return address, the one that made the call. */
export function namesOf(frames: u64[], symbols: string): string[] {
  const names = frames.map<string>((offset) => "+" + hex(offset));
  let start = 0;
  while (start < symbols.length) {
    let end = symbols.indexOf("\n", start);
    if (end < 0) end = symbols.length;
    const space = symbols.indexOf(" ", start);
    if (space < 0 || space > end) return names;
    const offset = <u64>numberOf(symbols.substring(start, space), 16, OFFSET_DIGITS);
    for (let i = 0; i < frames.length; i++) if ((i == 0 ? frames[0] : frames[i] - 1) >= offset) names[i] = symbols.substring(space + 1, end);
    start = end + 1;
  }
  return names;
}
