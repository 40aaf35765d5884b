/**
 * sysfs: mounting, names, links and the operation tables. What is there is in node.ts, what the files say in show-*.ts.
 *
 * Inode.data is the node, data1 the attribute + 1 (0: the node itself).
 *
 * Positions of readdir: 0 and 1 the dots; 2 + index for attributes; FIRST_NODE + id for nodes.
 *
 * Spec  sysfs(5); Linux 6.1, Documentation/ABI/testing/sysfs-bus-pci, sysfs-block, sysfs-devices-system-cpu.
 */
import { Errno } from "../../../abi/errno";
import { scratchPop, scratchPush } from "../../../core/sched/scratch";
import { bytePut, bytesSpell } from "../../../lib/bytes";
import { wordAt, wordSet } from "../../../lib/words";
import { dirEmit, dirEmitDots } from "../dir-emit";
import { fileOpsDefaults } from "../file";
import { inodeAlloc, inodeOpsDefaults } from "../inode";
import { SeqBuf, seqBytes, seqInit, seqStr } from "../proc/seq-buf";
import { fsTypeRegister, superAlloc, superRootSet } from "../super-block";
import { textFileOps, textFileRead } from "../text-file";
import { Dentry, File, FileMode, FileOps, Inode, InodeOps, inodeOf, superOf } from "../types";
import {
  sysAttributeAt, sysAttributeCount, sysChildFind, sysChildFrom, sysNameOf, SysNode, sysNodeAt, sysNodesReset, sysRoot,
} from "./node";
import { sysBlockInit } from "./show-block";
import { sysCpuInit } from "./show-cpu";
import { sysIommuInit } from "./show-iommu";
import { sysPciInit } from "./show-pci";
import { sysTreeInit } from "./tree";

const SYSFS_MAGIC: u32 = 0x62656572;
const FIRST_NODE: u64 = 1024;
const DOTS: u64 = 2;
const DT_SHIFT: u32 = 12;
const DT_REG: u32 = 8;
const DT_DIR: u32 = 4;
const DT_LNK: u32 = 10;
const NAME_BYTES: u32 = 64;
const DEPTH_MAX: u32 = 16;
const ATTRIBUTE_BYTES: u64 = 4096; // what stat says of every attribute
const ATTRIBUTES_SHIFT: u64 = 8;   // ids of nodes above, attributes below

const DIR_OPS = changetype<InodeOps>(memory.data(offsetof<InodeOps>()));
const DIR_FILE_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));
const FILE_OPS = changetype<InodeOps>(memory.data(offsetof<InodeOps>()));
const FILE_FILE_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));
const LINK_OPS = changetype<InodeOps>(memory.data(offsetof<InodeOps>()));

/** Makes the tree of what was found at boot, and the type "sysfs". After pciInit and iommuInit. */
export function sysfsInit(): void {
  sysNodesReset();
  sysTreeInit();
  sysCpuInit();
  sysPciInit();
  sysBlockInit();
  sysIommuInit();
  inodeOpsDefaults(DIR_OPS);
  DIR_OPS.lookup = sysLookup;
  DIR_OPS.revalidate = sysRevalidate;
  fileOpsDefaults(DIR_FILE_OPS);
  DIR_FILE_OPS.readdir = sysReaddir;
  inodeOpsDefaults(FILE_OPS);
  FILE_OPS.truncate = sysTruncate;
  textFileOps(FILE_FILE_OPS);
  FILE_FILE_OPS.read = sysRead;
  inodeOpsDefaults(LINK_OPS);
  LINK_OPS.readlink = sysReadlink;
  fsTypeRegister("sysfs", sysMount);
}

function sysMount(source: usize, flags: u32, options: usize): usize {
  const sb = superAlloc("sysfs", SYSFS_MAGIC);
  if (!sb) return <usize>-(<i32>Errno.NOMEM);
  const root = inodeAlloc(sb);
  if (!root) return <usize>-(<i32>Errno.NOMEM);
  inodeDress(root, sysRoot(), 0);
  const r = superRootSet(sb, changetype<usize>(root));
  return r != 0 ? <usize>r : changetype<usize>(sb);
}

// ---- Inodes ----

function inodeNumber(node: SysNode, attribute: u32): u64 { return <u64>node.id << ATTRIBUTES_SHIFT | attribute; }

function inodeDress(inode: Inode, node: SysNode, attribute: u32): void {
  inode.ino = inodeNumber(node, attribute);
  inode.data = <u32>changetype<usize>(node);
  inode.data1 = attribute;
  inode.nlink = 1;
  if (attribute != 0) {
    inode.mode = sysAttributeAt(attribute - 1).mode;
    inode.size = ATTRIBUTE_BYTES;
    inode.ops = changetype<usize>(FILE_OPS);
    inode.fileOps = changetype<usize>(FILE_FILE_OPS);
  } else if (node.target != 0) {
    inode.mode = FileMode.IFLNK | 0o777;
    inode.ops = changetype<usize>(LINK_OPS);
    inode.fileOps = changetype<usize>(FILE_FILE_OPS);
  } else {
    inode.mode = FileMode.IFDIR | 0o755;
    inode.nlink = 2;
    inode.ops = changetype<usize>(DIR_OPS);
    inode.fileOps = changetype<usize>(DIR_FILE_OPS);
  }
}

function sysLookup(dir: Inode, name: usize, length: u32, fresh: Dentry): usize {
  const node = sysNodeAt(dir.data);
  const child = sysChildFind(node, name, length);
  const attribute = child ? 0 : attributeFind(node, name, length);
  if (!child && attribute == 0) return 0;
  const inode = inodeAlloc(superOf(dir.sb));
  if (!inode) return <usize>-(<i32>Errno.NOMEM);
  inodeDress(inode, child ? child : node, attribute);
  return changetype<usize>(inode);
}

/** 1 + the attribute of that name in a directory, 0 for none. */
function attributeFind(dir: SysNode, name: usize, length: u32): u32 {
  for (let i: u32 = 0; i < sysAttributeCount(); i++) {
    const attribute = sysAttributeAt(i);
    if (attribute.kinds & dir.kind && bytesSpell(name, length, changetype<string>(attribute.name))) return i + 1; // SAFETY: a literal
  }
  return 0;
}

/** What is there stays; what is not there yet may come. */
function sysRevalidate(dir: Inode, name: usize, length: u32, inode: usize): bool { return inode != 0; }

/** `> /sys/…`: O_TRUNC is welcome and means nothing. */
function sysTruncate(inode: Inode, size: u64): i32 { return 0; }

function sysRead(file: File, bufVa: u64, count: u32, pos: u64): i64 { return textFileRead(file, bufVa, count, pos, sysShow); }

function sysShow(inode: Inode, seq: SeqBuf): i32 {
  return sysAttributeAt(inode.data1 - 1).show(seq, sysNodeAt(inode.data).object);
}

// ---- Links ----

/** The way from the directory of the link up to what it shares with the target, and down again. */
function sysReadlink(inode: Inode, ptr: usize, max: u32): i32 {
  const address = scratchPush(offsetof<SeqBuf>() + DEPTH_MAX * 4);
  const seq = changetype<SeqBuf>(address); // SAFETY: scratch of that size
  seqInit(seq, ptr, max);
  linkSpell(seq, sysNodeAt(inode.data), address + offsetof<SeqBuf>());
  const length = <i32>seq.length;
  scratchPop(offsetof<SeqBuf>() + DEPTH_MAX * 4);
  return length;
}

function linkSpell(seq: SeqBuf, link: SysNode, path: usize): void {
  let depth: u32 = 0;
  for (let at = link.target; at != 0 && depth < DEPTH_MAX; at = sysNodeAt(at).parent) wordSet(path, depth++, at);
  let shared = depth; // how many of `path` from its end on are above the link, too
  for (let up = link.parent; up != 0; up = sysNodeAt(up).parent) {
    shared = pathIndex(path, depth, up);
    if (shared != depth) break;
    seqStr(seq, "../");
  }
  for (let i = shared; i > 0; i--) {
    const node = sysNodeAt(wordAt(path, i - 1));
    seqBytes(seq, sysNameOf(node), node.nameLength);
    if (i > 1) seqStr(seq, "/");
  }
}

/** Where `node` stands above the target in the path, `depth` when it does not: the target's name is always in the link. */
function pathIndex(path: usize, depth: u32, node: u32): u32 {
  let i: u32 = 1;
  while (i < depth && wordAt(path, i) != node) i++;
  return i;
}

// ---- readdir ----

function sysReaddir(file: File, cursor: usize): i32 {
  if (!dirEmitDots(cursor)) return 0;
  const dir = sysNodeAt(inodeOf(file.inode).data);
  const name = scratchPush(NAME_BYTES);
  if (file.pos >= FIRST_NODE || emitAttributes(file, dir, cursor, name)) emitNodes(file, dir, cursor);
  scratchPop(NAME_BYTES);
  return 0;
}

/** False when the reader's buffer is full. */
function emitAttributes(file: File, dir: SysNode, cursor: usize, name: usize): bool {
  for (let i = <u32>(file.pos - DOTS); i < sysAttributeCount(); i++) {
    const attribute = sysAttributeAt(i);
    if ((attribute.kinds & dir.kind) == 0) continue;
    file.pos = DOTS + i;
    const text = changetype<string>(attribute.name); // SAFETY: a literal
    for (let c = 0; c < text.length; c++) bytePut(name, c, text.charCodeAt(c));
    if (!dirEmit(cursor, name, text.length, inodeNumber(dir, i + 1), DT_REG)) return false;
  }
  file.pos = FIRST_NODE;
  return true;
}

function emitNodes(file: File, dir: SysNode, cursor: usize): void {
  let from = <u32>(file.pos - FIRST_NODE);
  for (let found = sysChildFrom(dir, from); found; found = sysChildFrom(dir, from)) {
    file.pos = FIRST_NODE + found.id;
    if (!dirEmit(cursor, sysNameOf(found), found.nameLength, inodeNumber(found, 0), found.target != 0 ? DT_LNK : DT_DIR)) return;
    from = found.id + 1;
    file.pos = FIRST_NODE + from;
  }
}
