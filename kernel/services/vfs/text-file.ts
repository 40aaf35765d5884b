/**
 * Files whose text is made when it is read (procfs, sysfs): whole at the first read, and kept with the open file.
 *
 * A read at position 0 makes it afresh, so that lseek(0) and read (top, watch) see new values. A file system's FileOps take open, seek and
 * release from here, and read by a wrapper that says what the text is.
 *
 * Invariants  Z1  File.data is the buffer (0 before the first read), data1 its length.
 * Locking     Inode.lock while the text is made and copied: two readers of one description see one text.
 */
import { Errno } from "../../abi/errno";
import { kfree, kmalloc } from "../../core/mm/slab";
import { bytesCopy } from "../../lib/bytes";
import { fileOpsDefaults } from "./file";
import { inodeLock, inodeUnlock } from "./inode";
import { bufCopyOut } from "./io-buf";
import { SeqBuf, seqInit } from "./proc/seq-buf";
import { File, FileOps, Inode, inodeOf } from "./types";

const FIRST_BYTES: u32 = 2048;
const MAX_BYTES: u32 = 1 << 20;
const SEEK_CUR: u32 = 1;

/** Everything but read. */
export function textFileOps(ops: FileOps): void {
  fileOpsDefaults(ops);
  ops.open = textOpen;
  ops.seek = textSeek;
  ops.release = textRelease;
}

function textOpen(inode: Inode, file: File): i32 {
  file.data = 0;
  file.data1 = 0;
  return 0;
}

function textRelease(file: File): void {
  if (file.data != 0) kfree(file.data);
  file.data = 0;
}

function textSeek(file: File, offset: i64, whence: u32): i64 {
  const base: i64 = whence == SEEK_CUR ? <i64>file.pos : 0;
  if (whence > SEEK_CUR || base + offset < 0) return -(<i64>Errno.INVAL);
  file.pos = <u64>(base + offset);
  return <i64>file.pos;
}

/** read(2) of the text that `show` writes (0 or -errno). */
export function textFileRead(file: File, bufVa: u64, count: u32, pos: u64, show: (inode: Inode, seq: SeqBuf) => i32): i64 {
  const inode = inodeOf(file.inode);
  inodeLock(inode);
  const result = readLocked(file, bufVa, count, pos, show);
  inodeUnlock(inode);
  return result;
}

function readLocked(file: File, bufVa: u64, count: u32, pos: u64, show: (inode: Inode, seq: SeqBuf) => i32): i64 {
  if (pos == 0 || file.data == 0) {
    const r = textMake(file, show);
    if (r != 0) return r;
  }
  if (pos >= file.data1) return 0;
  const n = min<u32>(count, file.data1 - <u32>pos);
  return bufCopyOut(bufVa, file.data + <u32>pos, n) != 0 ? -(<i64>Errno.FAULT) : <i64>n;
}

/** Makes the text, in a buffer as large as it takes (Z1). */
function textMake(file: File, show: (inode: Inode, seq: SeqBuf) => i32): i32 {
  textRelease(file);
  for (let size = FIRST_BYTES; size <= MAX_BYTES; size *= 4) {
    const address = kmalloc(size);
    if (address == 0) return -(<i32>Errno.NOMEM);
    const seq = changetype<SeqBuf>(address); // SAFETY: the first bytes of the fresh buffer hold the builder
    seqInit(seq, address + offsetof<SeqBuf>(), size - offsetof<SeqBuf>());
    const r = show(inodeOf(file.inode), seq);
    if (r == 0 && !seq.isFull) {
      file.data1 = seq.length;
      file.data = <u32>address;
      bytesCopy(address, address + offsetof<SeqBuf>(), file.data1);
      return 0;
    }
    kfree(address);
    if (r != 0) return r;
  }
  return -(<i32>Errno.FBIG);
}
