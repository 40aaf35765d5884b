/**
 * procfs inodes: a node number, a process, a thread, a descriptor.
 *
 * Inode.data is the node, data1 the pid (0: the system), data2 the tid (0: the whole process), data3 the descriptor.
 */
import { Errno } from "../../../abi/errno";
import { processByPid, processPut } from "../../process/process-table";
import { credOf } from "../../process/process";
import { inodeAlloc } from "../inode";
import { FileMode, Inode, superOf } from "../types";
import { procNodeAt } from "./node";

const PID_SHIFT: u64 = 40;
const TID_SHIFT: u64 = 18;
const FD_BASE: u32 = 256; // node numbers lie below

@final @unmanaged
class InodeTables {
  dirOps: u32;      // InodeOps and FileOps of directories, files, links
  dirFileOps: u32;
  fileOps: u32;
  fileFileOps: u32;
  linkOps: u32;
}
const TABLES = changetype<InodeTables>(memory.data(offsetof<InodeTables>()));

export function procInodeTablesSet(dirOps: usize, dirFileOps: usize, fileOps: usize, fileFileOps: usize, linkOps: usize): void {
  TABLES.dirOps = <u32>dirOps;
  TABLES.dirFileOps = <u32>dirFileOps;
  TABLES.fileOps = <u32>fileOps;
  TABLES.fileFileOps = <u32>fileFileOps;
  TABLES.linkOps = <u32>linkOps;
}

/** st_ino of what (node, pid, tid, fd) names. */
export function procInodeNumber(id: u32, pid: u32, tid: u32, fd: u32): u64 {
  const low = fd != 0 || isPerFd(id) ? FD_BASE + fd * 2 + (id & 1) : id;
  return <u64>pid << PID_SHIFT | <u64>tid << TID_SHIFT | low;
}

function isPerFd(id: u32): bool {
  return id == 7 || id == 8; // ProcNodeId.FD_LINK, FDINFO_FILE
}

/** A new inode of the file system of `dir`; an errno as pointer when memory is full. */
export function procInodeNew(dir: Inode, id: u32, pid: u32, tid: u32, fd: u32): usize {
  const inode = inodeAlloc(superOf(dir.sb));
  if (!inode) return <usize>-(<i32>Errno.NOMEM);
  inode.ino = procInodeNumber(id, pid, tid, fd);
  inode.mode = procNodeAt(id).mode;
  inode.data = id;
  inode.data1 = pid;
  inode.data2 = tid;
  inode.data3 = fd;
  procInodeDress(inode);
  return changetype<usize>(inode);
}

/** Operations and owner, by kind and process. */
export function procInodeDress(inode: Inode): void {
  const kind = inode.mode & FileMode.IFMT;
  inode.nlink = kind == FileMode.IFDIR ? 2 : 1;
  if (kind == FileMode.IFDIR) {
    inode.ops = TABLES.dirOps;
    inode.fileOps = TABLES.dirFileOps;
  } else {
    inode.ops = kind == FileMode.IFLNK ? TABLES.linkOps : TABLES.fileOps;
    inode.fileOps = TABLES.fileFileOps;
  }
  procInodeOwner(inode);
}

/** What belongs to a process is owned by its effective user. */
export function procInodeOwner(inode: Inode): i32 {
  if (inode.data1 == 0) return 0;
  const process = processByPid(inode.data1);
  if (!process) return -(<i32>Errno.NOENT);
  const creds = process.creds;
  if (creds != 0) {
    inode.uid = credOf(creds).euid;
    inode.gid = credOf(creds).egid;
  }
  processPut(process);
  return 0;
}
