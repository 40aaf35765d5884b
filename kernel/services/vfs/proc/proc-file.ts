/**
 * Reading and writing /proc files: the text is made whole at the first read and kept with the open file.
 *
 * A read at position 0 makes it afresh, so that lseek(0) and read (top, watch) see new values.
 *
 * Invariants  Z1  File.data is the buffer (0 before the first read), data1 its length.
 * Locking     Inode.lock while the text is made and copied: two readers of one description see one text.
 */
import { Errno } from "../../../abi/errno";
import { kfree, kmalloc } from "../../../core/mm/slab";
import { bytesCopy } from "../../../lib/bytes";
import { fileOpsDefaults } from "../file";
import { inodeLock, inodeUnlock } from "../inode";
import { bufCopyIn, bufCopyOut } from "../io-buf";
import { File, FileOps, Inode, inodeOf } from "../types";
import { ProcNodeId, procNodeAt } from "./node";
import { procFdInfoShow } from "./proc-fd";
import { SeqBuf, seqInit } from "./seq-buf";

const FIRST_BYTES: u32 = 2048;
const MAX_BYTES: u32 = 1 << 20;
const WRITE_MAX: u32 = 4096;
const SEEK_SET: u32 = 0;
const SEEK_CUR: u32 = 1;

export const PROC_FILE_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));

export function procFileInit(): void {
  fileOpsDefaults(PROC_FILE_OPS);
  PROC_FILE_OPS.open = procFileOpen;
  PROC_FILE_OPS.read = procFileRead;
  PROC_FILE_OPS.write = procFileWrite;
  PROC_FILE_OPS.seek = procFileSeek;
  PROC_FILE_OPS.release = procFileRelease;
}

function procFileOpen(inode: Inode, file: File): i32 {
  file.data = 0;
  file.data1 = 0;
  return 0;
}

function procFileRelease(file: File): void {
  if (file.data != 0) kfree(file.data);
  file.data = 0;
}

function procFileSeek(file: File, offset: i64, whence: u32): i64 {
  const base: i64 = whence == SEEK_CUR ? <i64>file.pos : 0;
  if (whence > SEEK_CUR || base + offset < 0) return -(<i64>Errno.INVAL);
  file.pos = <u64>(base + offset);
  return <i64>file.pos;
}

function procFileRead(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  const inode = inodeOf(file.inode);
  inodeLock(inode);
  const result = readLocked(inode, file, bufVa, count, pos);
  inodeUnlock(inode);
  return result;
}

function readLocked(inode: Inode, file: File, bufVa: u64, count: u32, pos: u64): i64 {
  if (pos == 0 || file.data == 0) {
    const r = textMake(inode, file);
    if (r != 0) return r;
  }
  if (pos >= file.data1) return 0;
  const n = min<u32>(count, file.data1 - <u32>pos);
  return bufCopyOut(bufVa, file.data + <u32>pos, n) != 0 ? -(<i64>Errno.FAULT) : <i64>n;
}

/** Makes the text, in a buffer as large as it takes (Z1). */
function textMake(inode: Inode, file: File): i32 {
  procFileRelease(file);
  for (let size = FIRST_BYTES; size <= MAX_BYTES; size *= 4) {
    const address = kmalloc(size);
    if (address == 0) return -(<i32>Errno.NOMEM);
    const seq = changetype<SeqBuf>(address); // SAFETY: the first bytes of the fresh buffer hold the builder
    seqInit(seq, address + offsetof<SeqBuf>(), size - offsetof<SeqBuf>());
    const r = procShow(inode, seq);
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

/** Writes the text of a procfs inode (file or link) to `seq`: 0 or -errno. */
export function procShow(inode: Inode, seq: SeqBuf): i32 {
  if (inode.data == ProcNodeId.FDINFO_FILE) return procFdInfoShow(seq, inode.data1, inode.data3);
  return procNodeAt(inode.data).show(seq, inode.data1, inode.data2);
}

function procFileWrite(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  const inode = inodeOf(file.inode);
  const node = procNodeAt(inode.data);
  if (!node.hasWrite) return -(<i64>Errno.IO);
  if (count > WRITE_MAX) return -(<i64>Errno.INVAL);
  const text = kmalloc(count + 1);
  if (text == 0) return -(<i64>Errno.NOMEM);
  let r: i32 = bufCopyIn(text, bufVa, count);
  if (r == 0) r = node.write(inode.data1, inode.data2, text, count);
  kfree(text);
  return r != 0 ? <i64>r : <i64>count;
}
