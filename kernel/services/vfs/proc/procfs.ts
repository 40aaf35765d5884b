/**
 * procfs: mounting, links, and the operation tables. What the files say is in show-*.ts, their names in node.ts.
 *
 * Spec  proc(5), Linux 6.1.
 */
import { Errno } from "../../../abi/errno";
import { kfree, kmalloc } from "../../../core/mm/slab";
import { fileOpsDefaults } from "../file";
import { inodeAlloc, inodeOpsDefaults } from "../inode";
import { fsTypeRegister, superAlloc, superRootSet } from "../super-block";
import { FileOps, Inode, InodeOps, Path } from "../types";
import { ProcNodeId, procNodeAt, procNodesReset } from "./node";
import { procLookup, procReaddir, procRevalidate } from "./proc-dir";
import { procFdFollow, procFdName } from "./proc-fd";
import { PROC_FILE_OPS, procFileInit, procShow } from "./proc-file";
import { procInodeDress, procInodeOwner, procInodeTablesSet } from "./proc-inode";
import { processNodesAdd } from "./show-process";
import { systemNodesAdd } from "./show-system";
import { sysctlNodesAdd } from "./show-sysctl";
import { SeqBuf, seqInit } from "./seq-buf";

const PROC_MAGIC: u32 = 0x9fa0;
const ROOT_INO: u64 = 1;
const DIR_OPS = changetype<InodeOps>(memory.data(offsetof<InodeOps>()));
const DIR_FILE_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));
const FILE_INODE_OPS = changetype<InodeOps>(memory.data(offsetof<InodeOps>()));
const LINK_OPS = changetype<InodeOps>(memory.data(offsetof<InodeOps>()));

/** Makes the table of nodes and the type "proc". After vfsInit. */
export function procfsInit(): void {
  procNodesReset();
  systemNodesAdd();
  sysctlNodesAdd();
  processNodesAdd();
  procFileInit();
  inodeOpsDefaults(DIR_OPS);
  DIR_OPS.lookup = procLookup;
  DIR_OPS.revalidate = procRevalidate;
  DIR_OPS.getattr = procInodeOwner;
  fileOpsDefaults(DIR_FILE_OPS);
  DIR_FILE_OPS.readdir = procReaddir;
  inodeOpsDefaults(FILE_INODE_OPS);
  FILE_INODE_OPS.getattr = procInodeOwner;
  FILE_INODE_OPS.truncate = procTruncate;
  inodeOpsDefaults(LINK_OPS);
  LINK_OPS.getattr = procInodeOwner;
  LINK_OPS.readlink = procReadlink;
  LINK_OPS.followLink = procFollow;
  procInodeTablesSet(
    changetype<usize>(DIR_OPS), changetype<usize>(DIR_FILE_OPS), changetype<usize>(FILE_INODE_OPS),
    changetype<usize>(PROC_FILE_OPS), changetype<usize>(LINK_OPS),
  );
  fsTypeRegister("proc", procfsMount);
}

function procfsMount(source: usize, flags: u32, options: usize): usize {
  const sb = superAlloc("proc", PROC_MAGIC);
  if (!sb) return <usize>-(<i32>Errno.NOMEM);
  const root = inodeAlloc(sb);
  if (!root) return <usize>-(<i32>Errno.NOMEM);
  root.ino = ROOT_INO;
  root.mode = procNodeAt(ProcNodeId.ROOT).mode;
  root.data = ProcNodeId.ROOT;
  procInodeDress(root);
  const r = superRootSet(sb, changetype<usize>(root));
  return r != 0 ? <usize>r : changetype<usize>(sb);
}

/** `> /proc/…`: O_TRUNC is welcome and means nothing. */
function procTruncate(inode: Inode, size: u64): i32 {
  return 0;
}

function procReadlink(inode: Inode, ptr: usize, max: u32): i32 {
  if (inode.data == ProcNodeId.FD_LINK) return procFdName(inode.data1, inode.data3, ptr, max);
  const address = kmalloc(offsetof<SeqBuf>());
  if (address == 0) return -(<i32>Errno.NOMEM);
  const seq = changetype<SeqBuf>(address); // SAFETY: a fresh object of that size
  seqInit(seq, ptr, max);
  const r = procShow(inode, seq);
  const length = <i32>seq.length;
  kfree(address);
  return r != 0 ? r : length;
}

/** 1 with `path` filled for magic links, 0 for ordinary ones. */
function procFollow(inode: Inode, path: Path): i32 {
  if (inode.data == ProcNodeId.FD_LINK) return procFdFollow(inode.data1, inode.data3, path);
  const node = procNodeAt(inode.data);
  if (!node.hasFollow) return 0;
  const r = node.follow(path, inode.data1);
  return r != 0 ? r : 1;
}
