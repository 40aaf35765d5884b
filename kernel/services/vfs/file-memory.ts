/**
 * Memory that lives as long as somebody has a file open: what waits in pipes and sockets, and files in memory without a name.
 * It is in nobody's resident set, so whoever looks for the process that uses most memory asks here as well.
 */
import { fileSocket } from "../net/unix/socket-file";
import { socketOf } from "../net/unix/socket";
import { FdTable, fdTableSum } from "./fd-table";
import { fileIsPipe, pipeOf } from "./pipe";
import { File, FileRight, inodeOf, superOf } from "./types";

const PAGE_SHIFT: u32 = 12;

/** Pages that the open files of a table keep. Locking: the caller keeps the table; takes its lock. */
export function filesMemoryPages(table: FdTable): u64 {
  return fdTableSum(table, fileMemoryPages);
}

/** A guess without locks: pages that go when the last such file is closed. */
function fileMemoryPages(file: File): u64 {
  if (file.inode == 0 || file.mode & FileRight.PATH_ONLY) return 0;
  const socket = fileSocket(file);
  if (socket != 0) return (<u64>socketOf(socket).queued >> PAGE_SHIFT) + 1;
  if (fileIsPipe(file)) return file.data != 0 ? pipePages(file.data) : 0;
  const inode = inodeOf(file.inode);
  return inode.nlink == 0 && superOf(inode.sb).isMemory ? inode.pageCount : 0;
}

/** Both ends keep a pipe: each counts half of it. */
function pipePages(address: u32): u64 {
  const pipe = pipeOf(address);
  return <u64>(pipe.head - pipe.tail + 1) >> 1;
}
