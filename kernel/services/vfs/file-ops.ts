/** The default answers of open files. */
import { Errno } from "../../abi/errno";
import { File, FileOps, Inode, PollEvent } from "./types";

/** The answers of fileOpsDefaults, as a table of their own. */
export const FILE_OPS_NONE = changetype<FileOps>(memory.data(offsetof<FileOps>()));

function noneRead(file: File, bufVa: u64, count: u32, pos: u64): i64 { return -(<i64>Errno.INVAL); }
function noneReaddir(file: File, cursor: usize): i32 { return -(<i32>Errno.NOTDIR); }
function nonePoll(file: File, table: usize): u32 {
  return PollEvent.IN | PollEvent.OUT | PollEvent.RDNORM | PollEvent.WRNORM;
}
function noneIoctl(file: File, cmd: u32, argVa: u64): i64 { return -(<i64>Errno.NOTTY); }
function noneMmap(file: File, prot: u32, flags: u32): i32 { return -(<i32>Errno.NODEV); }
function noneOpen(inode: Inode, file: File): i32 { return 0; }
function noneRelease(file: File): void {}
function noneFsync(file: File): i32 { return -(<i32>Errno.INVAL); }
function noneMmapPage(file: File, index: u64, forWrite: u32): i32 { return -(<i32>Errno.FAULT); }
function noneSeek(file: File, offset: i64, whence: u32): i64 { return -(<i64>Errno.SPIPE); }

/** Fills every slot with the answer of a file that cannot do it (EINVAL, ENOTTY, ESPIPE for seek…); then set what you have. */
export function fileOpsDefaults(ops: FileOps): void {
  ops.read = noneRead;
  ops.write = noneRead;
  ops.readdir = noneReaddir;
  ops.poll = nonePoll;
  ops.ioctl = noneIoctl;
  ops.mmap = noneMmap;
  ops.open = noneOpen;
  ops.release = noneRelease;
  ops.fsync = noneFsync;
  ops.seek = noneSeek;
  ops.mmapPage = noneMmapPage;
}
