/**
 * The shape of /proc as a table: every file, directory and link that has a fixed name.
 *
 *   name, parent, mode         what it is
 *   show(seq, pid, tid)        writes the text (or the link's target) and returns 0, or -errno
 *   write(pid, tid, ptr, n)    takes n bytes written to it (linear memory) and returns 0, or -errno
 *   follow(path, pid)          fills the target of a magic link (exe, cwd, root) and returns 0, or -errno
 *
 * pid is 0 for what belongs to no process; tid is 0 below /proc/PID and the thread's below /proc/PID/task/TID.
 *
 * Invariants  X1  nodes are added at boot only; number 0 is none, ROOT and PID_DIR are fixed.
 */
import { bytesSpell } from "../../../lib/bytes";
import { FileMode, Path } from "../types";
import { SeqBuf } from "./seq-buf";

const MAX_NODES: u32 = 128;

/** Nodes with a fixed number; directories from PIDS on have contents of their own (proc-dir.ts). */
export const enum ProcNodeId { NONE = 0, ROOT = 1, PID_DIR = 2, TASK_DIR = 3, TID_DIR = 4, FD_DIR = 5, FDINFO_DIR = 6, FD_LINK = 7, FDINFO_FILE = 8, FIRST_FREE = 9 }

@final @unmanaged
export class ProcNode {
  parent: u32;  // node number
  name: usize;  // a string literal
  mode: u32;    // S_IF* | permission bits
  show: (seq: SeqBuf, pid: u32, tid: u32) => i32;
  write: (pid: u32, tid: u32, ptr: usize, size: u32) => i32;
  follow: (path: Path, pid: u32) => i32;
  hasWrite: u32;
  hasFollow: u32;
}
if (offsetof<ProcNode>() != 32) ERROR("NODES is indexed by 32 bytes");

@final @unmanaged
class NodeTable {
  count: u32;
}
const TABLE = changetype<NodeTable>(memory.data(offsetof<NodeTable>()));
const NODES: usize = memory.data(128 * 32);

export function procNodeAt(id: u32): ProcNode {
  return changetype<ProcNode>(NODES + (id << 5)); // SAFETY: id < MAX_NODES
}

export function procNodeCount(): u32 {
  return TABLE.count;
}

/** Empties the table and makes the fixed nodes. */
export function procNodesReset(): void {
  TABLE.count = ProcNodeId.FIRST_FREE;
  fixedSet(ProcNodeId.ROOT, ProcNodeId.ROOT, "", FileMode.IFDIR | 0o555);
  fixedSet(ProcNodeId.PID_DIR, ProcNodeId.ROOT, "", FileMode.IFDIR | 0o555);
  fixedSet(ProcNodeId.TASK_DIR, ProcNodeId.PID_DIR, "task", FileMode.IFDIR | 0o555);
  fixedSet(ProcNodeId.TID_DIR, ProcNodeId.TASK_DIR, "", FileMode.IFDIR | 0o555);
  fixedSet(ProcNodeId.FD_DIR, ProcNodeId.PID_DIR, "fd", FileMode.IFDIR | 0o500);
  fixedSet(ProcNodeId.FDINFO_DIR, ProcNodeId.PID_DIR, "fdinfo", FileMode.IFDIR | 0o555);
  fixedSet(ProcNodeId.FD_LINK, ProcNodeId.FD_DIR, "", FileMode.IFLNK | 0o700);
  fixedSet(ProcNodeId.FDINFO_FILE, ProcNodeId.FDINFO_DIR, "", FileMode.IFREG | 0o400);
}

function fixedSet(id: u32, parent: u32, name: string, mode: u32): void {
  const node = procNodeAt(id);
  node.parent = parent;
  node.name = changetype<usize>(name);
  node.mode = mode;
  node.show = showNothing;
  node.hasWrite = 0;
  node.hasFollow = 0;
}

function showNothing(seq: SeqBuf, pid: u32, tid: u32): i32 {
  return 0;
}

function nodeNew(parent: u32, name: string, mode: u32): u32 {
  assert(TABLE.count < MAX_NODES);
  const id = TABLE.count;
  TABLE.count = id + 1;
  fixedSet(id, parent, name, mode);
  return id;
}

export function procDirAdd(parent: u32, name: string): u32 {
  return nodeNew(parent, name, FileMode.IFDIR | 0o555);
}

/** A file that can be read. */
export function procFileAdd(parent: u32, name: string, mode: u32, show: (seq: SeqBuf, pid: u32, tid: u32) => i32): u32 {
  const id = nodeNew(parent, name, FileMode.IFREG | mode);
  procNodeAt(id).show = show;
  return id;
}

/** Makes file `id` writable too. */
export function procWriteSet(id: u32, write: (pid: u32, tid: u32, ptr: usize, size: u32) => i32): void {
  procNodeAt(id).write = write;
  procNodeAt(id).hasWrite = 1;
}

/** A link whose target is text. */
export function procLinkAdd(parent: u32, name: string, show: (seq: SeqBuf, pid: u32, tid: u32) => i32): u32 {
  const id = nodeNew(parent, name, FileMode.IFLNK | 0o777);
  procNodeAt(id).show = show;
  return id;
}

/** A link that leads straight to an object, whatever its name says. */
export function procMagicAdd(
  parent: u32, name: string, show: (seq: SeqBuf, pid: u32, tid: u32) => i32, follow: (path: Path, pid: u32) => i32,
): void {
  const node = procNodeAt(procLinkAdd(parent, name, show));
  node.follow = follow;
  node.hasFollow = 1;
}

/** The child of directory `parent` with this name; 0 for none. */
export function procNodeFind(parent: u32, name: usize, length: u32): u32 {
  for (let id: u32 = ProcNodeId.TASK_DIR; id < TABLE.count; id++) {
    const node = procNodeAt(id);
    if (node.parent != parent || length == 0) continue;
    if (bytesSpell(name, length, changetype<string>(node.name))) return id; // SAFETY: a literal
  }
  return 0;
}

/** Length of a node's name: 0 for those that stand for many. */
export function procNodeNameLength(id: u32): u32 {
  return changetype<string>(procNodeAt(id).name).length; // SAFETY: a literal
}
