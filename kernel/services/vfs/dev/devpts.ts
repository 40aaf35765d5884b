/**
 * devpts: one node per open pty pair, and ptmx.
 *
 * Nodes are made on look-up and believed only while the pair exists.
 *
 * Invariants  ino: 1 the root, 2 ptmx, 3 + N for pair N.
 * Spec        Linux Documentation/filesystems/devpts.rst.
 */
import { Errno } from "../../../abi/errno";
import { byteAt, bytePut, bytesSpell } from "../../../lib/bytes";
import { PTY_COUNT, ptyExists, ptyRdev } from "../../tty/pty";
import { currentCred } from "../../process/process";
import { dirEmit, dirEmitDots } from "../dir-emit";
import { fileOpsDefaults } from "../file";
import { inodeAlloc, inodeOpsDefaults } from "../inode";
import { fsTypeRegister, superAlloc, superRootSet } from "../super-block";
import { Dentry, File, FileMode, FileOps, Inode, InodeOps, superOf } from "../types";
import { deviceFileOps, deviceNumber } from "./device";

const DEVPTS_MAGIC: u32 = 0x1cd1;
const INO_PTMX: u64 = 2;
const INO_FIRST: u64 = 3;
const DT_CHR: u32 = 2;
const DOTS: u64 = 2; // positions 0 and 1
const DIR_OPS = changetype<InodeOps>(memory.data(offsetof<InodeOps>()));
const DIR_FILE_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));
const NODE_OPS = changetype<InodeOps>(memory.data(offsetof<InodeOps>()));
const NAME: usize = memory.data(16);

export function devptsInit(): void {
  inodeOpsDefaults(DIR_OPS);
  DIR_OPS.lookup = devptsLookup;
  DIR_OPS.revalidate = devptsRevalidate;
  inodeOpsDefaults(NODE_OPS);
  fileOpsDefaults(DIR_FILE_OPS);
  DIR_FILE_OPS.readdir = devptsReaddir;
  fsTypeRegister("devpts", devptsMount);
}

function devptsMount(source: usize, flags: u32, options: usize): usize {
  const sb = superAlloc("devpts", DEVPTS_MAGIC);
  if (!sb) return -(<i32>Errno.NOMEM);
  const root = inodeAlloc(sb);
  if (!root) return -(<i32>Errno.NOMEM);
  root.ino = 1;
  root.mode = FileMode.IFDIR | 0o755;
  root.nlink = 2;
  root.ops = changetype<usize>(DIR_OPS);
  root.fileOps = changetype<usize>(DIR_FILE_OPS);
  const r = superRootSet(sb, changetype<usize>(root));
  return r != 0 ? <usize>r : changetype<usize>(sb);
}

/** The pair a name means, PTY_COUNT for none. */
function pairOf(name: usize, length: u32): u32 {
  if (length == 0 || length > 2 || (length == 2 && byteAt(name, 0) == 0x30)) return PTY_COUNT;
  let index: u32 = 0;
  for (let i: u32 = 0; i < length; i++) {
    const digit = byteAt(name, i) - 0x30;
    if (digit > 9) return PTY_COUNT;
    index = index * 10 + digit;
  }
  return ptyExists(index) ? index : PTY_COUNT;
}

function devptsLookup(dir: Inode, name: usize, length: u32, fresh: Dentry): usize {
  if (bytesSpell(name, length, "ptmx")) return nodeNew(dir, INO_PTMX, 0o666, deviceNumber(5, 2));
  const index = pairOf(name, length);
  if (index == PTY_COUNT) return 0;
  return nodeNew(dir, INO_FIRST + index, 0o620, ptyRdev(index));
}

function devptsRevalidate(dir: Inode, name: usize, length: u32, inode: usize): bool {
  if (bytesSpell(name, length, "ptmx")) return true;
  return inode != 0 && pairOf(name, length) != PTY_COUNT;
}

/** A device node owned by the caller, as grantpt leaves it. */
function nodeNew(dir: Inode, ino: u64, mode: u32, rdev: u64): usize {
  const inode = inodeAlloc(superOf(dir.sb));
  if (!inode) return -(<i32>Errno.NOMEM);
  inode.ino = ino;
  inode.mode = FileMode.IFCHR | mode;
  inode.nlink = 1;
  inode.rdev = rdev;
  inode.uid = currentCred().fsuid;
  inode.gid = currentCred().fsgid;
  inode.ops = changetype<usize>(NODE_OPS);
  inode.fileOps = deviceFileOps();
  return changetype<usize>(inode);
}

function devptsReaddir(file: File, cursor: usize): i32 {
  if (!dirEmitDots(cursor)) return 0;
  if (file.pos == DOTS) {
    if (!emit(cursor, "ptmx", INO_PTMX)) return 0;
    file.pos = DOTS + 1;
  }
  for (let index = <u32>(file.pos - DOTS - 1); index < PTY_COUNT; index++) {
    file.pos = DOTS + 1 + index;
    if (ptyExists(index) && !emitPair(cursor, index)) return 0;
    file.pos = DOTS + 2 + index;
  }
  return 0;
}

function emit(cursor: usize, name: string, ino: u64): bool {
  for (let i = 0; i < name.length; i++) bytePut(NAME, i, name.charCodeAt(i));
  return dirEmit(cursor, NAME, name.length, ino, DT_CHR);
}

function emitPair(cursor: usize, index: u32): bool {
  let length: u32 = 0;
  if (index >= 10) bytePut(NAME, length++, 0x30 + index / 10);
  bytePut(NAME, length++, 0x30 + index % 10);
  return dirEmit(cursor, NAME, length, INO_FIRST + index, DT_CHR);
}
