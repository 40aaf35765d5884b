/** Handing directory entries to getdents64. */

/**
 * Hands one entry to the reader; false when its buffer is full (return 0 then). The caller keeps file.pos at the
 * position of THIS entry while calling and advances it only after true: that value becomes d_off.
 * `type` is DT_* (mode >> 12).
 */
export function dirEmit(cursor: usize, name: usize, length: u32, ino: u64, type: u32): bool { unreachable(); return false; }
/** Emits "." and ".." at positions 0 and 1 (leaves file.pos >= 2); false when the buffer is full. */
export function dirEmitDots(cursor: usize): bool { unreachable(); return false; }
