/**
 * Handing directory entries to getdents64: a cursor over the caller's buffer.
 *
 *   struct linux_dirent64   | ino u64 | off u64 | reclen u16 | type u8 | name… NUL, padded to 8 |
 *   struct linux_dirent     | ino u64 | off u64 | reclen u16 | name… NUL … type u8 in the last byte |
 *
 * Locking  the directory's Inode.lock is held by getdents around FileOps.readdir.
 */
import { bufCopyOut } from "./io-buf";
import { Errno } from "../../abi/errno";
import { File, dentryOf, fileOf, inodeOf } from "./types";

@final @unmanaged
export class DirCursor {
  bufVa: u64;      // next free byte of the caller's buffer
  file: usize;
  room: u32;       // bytes left
  isOld: u32;      // 1: struct linux_dirent
  lastRecord: u32; // linear address of the last record in `stage`, 0 for none
  stage: usize;    // linear buffer the records are built in
  staged: u32;     // bytes in it
  stageSize: u32;
  error: i32;      // first failure, reported when nothing was emitted
  count: u32;      // records emitted
}

/** SAFETY: `cursor` is the address of a DirCursor. */
export function dirCursorOf(cursor: usize): DirCursor { return changetype<DirCursor>(cursor); }

const HEADER_64: u32 = 19;
const HEADER_OLD: u32 = 18;

/**
 * Hands one entry to the reader; false when its buffer is full (return 0 then). The caller keeps file.pos at the
 * position of THIS entry while calling and advances it only after true: that value becomes d_off.
 * `type` is DT_* (mode >> 12).
 */
export function dirEmit(cursor: usize, name: usize, length: u32, ino: u64, type: u32): bool {
  const c = dirCursorOf(cursor);
  const size = ((c.isOld ? HEADER_OLD + length + 2 : HEADER_64 + length + 1) + 7) & ~7;
  if (size > c.room) {
    if (!c.count) c.error = -(<i32>Errno.INVAL);
    return false;
  }
  if (c.staged + size > c.stageSize && !dirFlush(c)) return false;
  if (c.lastRecord) store<u64>(c.lastRecord + 8, fileOf(c.file).pos); // d_off of the one before
  const at = c.stage + c.staged;
  store<u64>(at, ino);
  store<u64>(at, 0, 8);
  store<u16>(at, <u16>size, 16);
  const nameAt = at + (c.isOld ? HEADER_OLD : HEADER_64);
  memory.copy(nameAt, name, length);
  memory.fill(nameAt + length, 0, at + size - nameAt - length);
  store<u8>(c.isOld ? at + size - 1 : at + 18, <u8>type);
  c.lastRecord = at;
  c.staged += size;
  c.room -= size;
  c.count++;
  return true;
}

/** Copies what is staged to the caller; the next entry starts at file.pos. */
function dirFlush(c: DirCursor): bool {
  store<u64>(c.lastRecord + 8, fileOf(c.file).pos);
  const r = bufCopyOut(c.bufVa, c.stage, c.staged);
  if (r < 0) {
    c.error = r;
    return false;
  }
  c.bufVa += c.staged;
  c.staged = 0;
  c.lastRecord = 0;
  return true;
}

/** After readdir: the rest goes out, with the position to continue at in the last record. */
export function dirFinish(c: DirCursor): i32 {
  if (!c.lastRecord) return c.error;
  if (!dirFlush(c)) return c.error;
  return 0;
}

/** Emits "." and ".." at positions 0 and 1 (leaves file.pos >= 2); false when the buffer is full. */
export function dirEmitDots(cursor: usize): bool {
  const file = fileOf(dirCursorOf(cursor).file);
  const inode = inodeOf(file.inode);
  store<u16>(DOTS, 0x2e2e);
  if (file.pos == 0) {
    if (!dirEmit(cursor, DOTS, 1, inode.ino, 4)) return false;
    file.pos = 1;
  }
  if (file.pos == 1) {
    const parent = file.dentry ? inodeOf(dentryOf(dentryOf(file.dentry).parent).inode).ino : inode.ino;
    if (!dirEmit(cursor, DOTS, 2, parent, 4)) return false;
    file.pos = 2;
  }
  return true;
}
const DOTS: usize = memory.data(8, 8);
