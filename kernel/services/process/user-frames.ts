/**
 * Where a server's code stands: its instruction and the return addresses above, as offsets from the start of its code.
 *
 * The stack is hostile memory: frames are copied in one by one, each must lie above the one before, and a bad one ends the walk.
 */
import { CRASH_FRAMES } from "../../abi/capability";
import { AddressSpace } from "../../core/mm/address-space";
import { userRangeOk } from "../../core/mm/layout";
import { mmReadRemote } from "../../core/mm/user-pages";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { wordAt64, wordPut64 } from "../../lib/bytes";

/** A saved frame pointer and a return address. */
const FRAME_BYTES: u32 = 16;

/** Stores up to CRASH_FRAMES offsets at `to`, innermost first, for a thread at `rip` with `framePointer`: how many. May sleep. */
export function userFramesTell(mm: AddressSpace, rip: u64, framePointer: u64, to: usize): u32 {
  const codeStart = mm.codeStart;
  wordPut64(to, rip - codeStart);
  let count: u32 = 1;
  const ptr = scratchPush(FRAME_BYTES);
  let frameVa = framePointer;
  while (count < CRASH_FRAMES && userRangeOk(frameVa, FRAME_BYTES) && mmReadRemote(mm, frameVa, ptr, FRAME_BYTES) == 0) {
    const above = wordAt64(ptr);
    const returnVa = wordAt64(ptr + 8);
    if (returnVa < codeStart) break;
    wordPut64(to + (<usize>count << 3), returnVa - codeStart);
    count++;
    if (above <= frameVa) break;
    frameVa = above;
  }
  scratchPop(FRAME_BYTES);
  return count;
}
