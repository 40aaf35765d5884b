/** A server's answer made wrong on purpose, before the kernel looks at it: label, errno, or bits of the reply in the window. */
import { physLoad8, physStore8 } from "../../../../arch/current";
import { ReplyFault } from "../../../abi/debug";
import { FS_REPLY_OFFSET } from "../../../abi/file-system.gen";
import { MemoryObject, memoryObjectPa } from "../../../core/cap/memory-object";
import { seededAt } from "../../../lib/seeded";

const PAGE: u32 = 4096;
const FLIPS: u64 = 8;
const ERRNOS: u64 = 133;
const LABEL_LOWEST: i32 = 1;

/** The label to go on with; `replyEnd`: offset behind the reply in the window. */
export function replySpoil(fault: u32, seed: u64, label: i32, window: MemoryObject, replyEnd: u32): i32 {
  const random = seededAt(seed, 0);
  if (fault == <u32>ReplyFault.LABEL) return max<i32>(<i32>random & i32.MAX_VALUE, LABEL_LOWEST);
  if (fault == <u32>ReplyFault.ERRNO) return -1 - <i32>(random % ERRNOS);
  if (replyEnd > FS_REPLY_OFFSET) windowFlip(seed, window, FS_REPLY_OFFSET, replyEnd - FS_REPLY_OFFSET);
  return label;
}

function windowFlip(seed: u64, window: MemoryObject, start: u32, bytes: u32): void {
  for (let i: u64 = 0; i < FLIPS; i++) {
    const random = seededAt(seed, i + 1);
    const at = start + <u32>((random >> 8) % bytes);
    const pa = memoryObjectPa(window, at / PAGE) + at % PAGE;
    physStore8(pa, physLoad8(pa) ^ 1 << <u32>(random & 7));
  }
}
