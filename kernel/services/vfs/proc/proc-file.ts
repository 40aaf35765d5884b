/** Reading and writing /proc files: text-file.ts with the text of the node. */
import { Errno } from "../../../abi/errno";
import { kfree, kmalloc } from "../../../core/mm/slab";
import { bufCopyIn } from "../io-buf";
import { textFileOps, textFileRead } from "../text-file";
import { File, FileOps, Inode, inodeOf } from "../types";
import { ProcNodeId, procNodeAt } from "./node";
import { procFdInfoShow } from "./proc-fd";
import { SeqBuf } from "./seq-buf";

const WRITE_MAX: u32 = 4096;

export const PROC_FILE_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));

export function procFileInit(): void {
  textFileOps(PROC_FILE_OPS);
  PROC_FILE_OPS.read = procFileRead;
  PROC_FILE_OPS.write = procFileWrite;
}

function procFileRead(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  return textFileRead(file, bufVa, count, pos, procShow);
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
