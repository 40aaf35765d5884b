/**
 * Unpacking a newc cpio archive into the root: the initramfs.
 *
 *   | "070701" or "070702" | 13 numbers of 8 hex digits | name, NUL, padded to 4 | data, padded to 4 | …  "TRAILER!!!"
 *
 * Everything in the archive is untrusted: sizes are checked against what is left before they are used, names may
 * neither climb nor be absolute, and whatever does not fit ends the unpacking with a log line, never the kernel.
 *
 * Invariants  C1  at + size <= end before any byte of a field is read.
 * Units       pa: physical addresses of the archive.
 * Spec        Documentation/driver-api/early-userspace/buffer-format.rst
 */
import { physCopyIn, physLoad8, physLoad32 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { kfree, kmalloc, kzalloc } from "../../core/mm/slab";
import { LogLevel, logBegin, logEnd, logKeyDec, logStr } from "../../lib/log";
import { Dentry, FileMode, Inode, dentryOf, inodeOf, inodeOpsOf, isErrPtr } from "./types";
import { dentryGet, dentryInstantiate, dentryPut, dentryUnlink } from "./dcache";
import { inodeGet, inodeLock, inodePut, inodeUnlock } from "./inode";
import { dentryLookupLocked } from "./lookup";
import { inodeIsDirectory } from "./walk";
import { NAME_MAX, PATH_MAX, componentScan, nameHash } from "./name";
import { pagesLoad } from "./file-pages";
import { mountRoot } from "./mount";

const HEADER_BYTES: u32 = 110;
const LINK_BUCKETS: u32 = 64;

/** One archive being unpacked. */
@final @unmanaged
class Cpio {
  at: u64;        // pa of the next header
  end: u64;       // pa after the archive
  header: usize;  // 112 bytes
  name: usize;    // PATH_MAX + 16
  target: usize;  // PATH_MAX: link targets
  links: usize;   // LINK_BUCKETS chains of CpioLink: files with more names to come
  files: u32;
  problem: usize; // a string: why it stopped, 0 while all is well
  trailers: u32;  // archives read to their end
  pad: u32;
  data: u64;      // pa of the current entry's data
}

/** A file that may appear again under another name. */
@final @unmanaged
class CpioLink {
  next: usize;
  inode: usize;   // one reference
  ino: u32;
  major: u32;
  minor: u32;
}

/** The numbers of one header, in archive order. */
@final @unmanaged
class CpioEntry {
  ino: u32;
  mode: u32;
  uid: u32;
  gid: u32;
  nlink: u32;
  mtime: u32;
  fileSize: u32;
  devMajor: u32;
  devMinor: u32;
  rdevMajor: u32;
  rdevMinor: u32;
  nameSize: u32;
  check: u32;
}

const CPIO = changetype<Cpio>(memory.data(offsetof<Cpio>(), 8));
const ENTRY = changetype<CpioEntry>(memory.data(offsetof<CpioEntry>(), 8));

/** Unpacks the newc archive at [pa, pa + size) into the root; files unpacked or -errno. Malformed archives are logged. */
export function initramfsUnpack(pa: u64, size: u64): i32 {
  memory.fill(changetype<usize>(CPIO), 0, offsetof<Cpio>());
  CPIO.at = pa;
  CPIO.end = pa + size;
  const block = kzalloc(4 * PATH_MAX);
  if (!block || CPIO.end < pa) {
    kfree(block);
    return -(<i32>Errno.NOMEM);
  }
  CPIO.header = block;
  CPIO.links = block + 256;
  CPIO.target = block + PATH_MAX;
  CPIO.name = block + 2 * PATH_MAX;
  while (!CPIO.problem && entryNext()) entryUnpack();
  linksFree();
  kfree(block);
  cpioReport();
  return CPIO.problem && !CPIO.files ? -(<i32>Errno.INVAL) : <i32>CPIO.files;
}

/** Why the archive cannot be the root; null when at least one whole archive was unpacked. */
export function initramfsProblem(): string | null {
  if (CPIO.trailers != 0) return null;
  if (!CPIO.problem) return "the initramfs ends before its last entry (truncated?)";
  return changetype<string>(CPIO.problem); // SAFETY: fail() stores literals
}

function cpioReport(): void {
  logBegin(CPIO.problem ? LogLevel.WARN : LogLevel.INFO, "initramfs");
  if (CPIO.problem) {
    logStr("stopped: ");
    logStr(changetype<string>(CPIO.problem)); // SAFETY: fail() stores literals
  } else {
    logStr("unpacked");
  }
  logKeyDec("files", CPIO.files);
  logKeyDec("left", CPIO.end - min<u64>(CPIO.at, CPIO.end));
  logEnd();
}

function fail(why: string): bool {
  CPIO.problem = changetype<usize>(why);
  return false;
}

/** Reads the next header, name and all numbers, skipping the padding between archives; false at the end. */
function entryNext(): bool {
  while (CPIO.at + 4 <= CPIO.end && physLoad32(CPIO.at) == 0) CPIO.at += 4;
  if (CPIO.at >= CPIO.end || (CPIO.end - CPIO.at < 4 && !physLoad8(CPIO.at))) return false;
  if (CPIO.end - CPIO.at < HEADER_BYTES) return fail("the archive ends inside a header");
  physCopyIn(CPIO.header, CPIO.at, HEADER_BYTES);
  if (!headerParse()) return fail("no newc header where one should be (is the archive compressed?)");
  if (ENTRY.nameSize == 0 || ENTRY.nameSize > PATH_MAX) return fail("a name is empty or too long");
  // All sums in 64 bits: a size of 0xffffffff must not wrap (C1).
  const nameAt = CPIO.at + HEADER_BYTES;
  const dataAt = CPIO.at + ((<u64>HEADER_BYTES + ENTRY.nameSize + 3) & ~3);
  const next = dataAt + ((<u64>ENTRY.fileSize + 3) & ~3);
  if (dataAt > CPIO.end || dataAt + ENTRY.fileSize > CPIO.end) return fail("the archive ends inside a file");
  physCopyIn(CPIO.name, nameAt, ENTRY.nameSize);
  if (load<u8>(CPIO.name + ENTRY.nameSize - 1)) return fail("a name does not end");
  store<u64>(CPIO.name + ENTRY.nameSize, 0);
  CPIO.at = next;
  CPIO.data = dataAt;
  return true;
}

/** Turns the header's hex digits into ENTRY; false when it is no header. */
function headerParse(): bool {
  const h = CPIO.header;
  if (load<u32>(h) != 0x37303730 || load<u8>(h + 4) != 0x30) return false; // "0707" "0"
  if (load<u8>(h + 5) != 0x31 && load<u8>(h + 5) != 0x32) return false;
  for (let i: u32 = 0; i < 13; i++) {
    let value: u32 = 0;
    for (let j: u32 = 0; j < 8; j++) {
      const digit = hexValue(load<u8>(h + 6 + (i << 3) + j));
      if (digit > 15) return false;
      value = value << 4 | digit;
    }
    store<u32>(changetype<usize>(ENTRY) + (i << 2), value);
  }
  return true;
}

function hexValue(c: u32): u32 {
  if (c - 0x30 < 10) return c - 0x30;
  const lower = c | 0x20;
  return lower - 0x61 < 6 ? lower - 0x61 + 10 : 16;
}

/** True for "TRAILER!!!". */
function isTrailer(): bool {
  return ENTRY.nameSize == 11 && load<u64>(CPIO.name) == 0x2152454c49415254 && load<u16>(CPIO.name + 8) == 0x2121;
}

function entryUnpack(): void {
  if (isTrailer()) {
    CPIO.trailers++;
    return linksFree();
  }
  let parent = dentryGet(dentryOf(mountRoot().root));
  let p = CPIO.name;
  while (true) {
    while (load<u8>(p) == 0x2f) p++;
    const scan = componentScan(p);
    const length = <u32>scan;
    if (!length) break; // "/" or "."-only paths: the root itself
    let rest = p + length;
    while (load<u8>(rest) == 0x2f) rest++;
    const isLast = load<u8>(rest) == 0;
    if (length == 1 && load<u8>(p) == 0x2e) {
      if (isLast) rootApply(parent);
      p = rest;
      continue;
    }
    if (length > NAME_MAX || (length == 2 && load<u16>(p) == 0x2e2e)) {
      fail("a name climbs out or is too long");
      break;
    }
    if (isLast) {
      entryMake(parent, p, length);
      break;
    }
    const child = directoryEnter(parent, p, length);
    if (!child) break;
    dentryPut(parent);
    parent = dentryOf(child);
    p = rest;
  }
  dentryPut(parent);
}

/** "." gives the root its mode and owner. */
function rootApply(root: Dentry): void {
  const inode = inodeOf(root.inode);
  if ((ENTRY.mode & <u32>FileMode.IFMT) == FileMode.IFDIR) attributesApply(inode);
}

/** The subdirectory `name` of `parent`, made with mode 0755 when missing; 0 after a failure. */
function directoryEnter(parent: Dentry, name: usize, length: u32): usize {
  const dir = inodeOf(parent.inode);
  inodeLock(dir);
  const child = childGet(parent, dir, name, length, FileMode.IFDIR | 0o755, 0);
  inodeUnlock(dir);
  if (!child) return 0;
  const d = dentryOf(child);
  if (inodeIsDirectory(inodeOf(d.inode))) return child;
  dentryPut(d);
  fail("a path leads through something that is no directory");
  return 0;
}

/** The positive dentry `name` in `dir`, made as `mode` when missing; 0 after a failure. Inode.lock held. */
function childGet(parent: Dentry, dir: Inode, name: usize, length: u32, mode: u32, rdev: u64): usize {
  const child = dentryLookupLocked(parent, name, length, nameHash(name, length));
  if (isErrPtr(child)) {
    fail("out of memory");
    return 0;
  }
  const d = dentryOf(child);
  if (d.inode) return child;
  const made = inodeOpsOf(dir).create(dir, d.namePtr, length, mode, rdev);
  if (!isErrPtr(made)) {
    dentryInstantiate(d, inodeOf(made));
    return child;
  }
  dentryPut(d);
  fail("out of memory");
  return 0;
}

/** Makes the entry `name` in `parent`; what stood there before gives way unless both are directories. */
function entryMake(parent: Dentry, name: usize, length: u32): void {
  const dir = inodeOf(parent.inode);
  inodeLock(dir);
  const d = entryMakeLocked(parent, dir, name, length);
  inodeUnlock(dir);
  if (!d) return;
  const inode = inodeOf(dentryOf(d).inode);
  if ((ENTRY.mode & <u32>FileMode.IFMT) == FileMode.IFREG && !fileLoad(inode)) fail("out of memory");
  attributesApply(inode);
  CPIO.files++;
  dentryPut(dentryOf(d));
}

/** A referenced positive dentry of the right kind, or 0 after a failure or when the entry needs nothing more. */
function entryMakeLocked(parent: Dentry, dir: Inode, name: usize, length: u32): usize {
  const kind = ENTRY.mode & <u32>FileMode.IFMT;
  if (!kindIsKnown(kind)) {
    fail("a file is of no known kind");
    return 0;
  }
  if (!oldGivesWay(parent, dir, name, length, kind)) return 0;
  const isShared = kind == FileMode.IFREG && ENTRY.nlink > 1;
  const linked = isShared ? linkFind() : 0;
  if (linked) return linkMake(parent, dir, name, length, inodeOf(linked));
  if (kind == FileMode.IFLNK) return symlinkMake(parent, dir, name, length);
  const isDevice = kind == FileMode.IFCHR || kind == FileMode.IFBLK;
  const rdev = isDevice ? deviceNumber(ENTRY.rdevMajor, ENTRY.rdevMinor) : 0;
  const child = childGet(parent, dir, name, length, ENTRY.mode & 0xffff, rdev);
  if (child && isShared) linkRemember(inodeOf(dentryOf(child).inode));
  return child;
}

function kindIsKnown(kind: u32): bool {
  return kind == FileMode.IFREG || kind == FileMode.IFDIR || kind == FileMode.IFLNK || kind == FileMode.IFCHR ||
    kind == FileMode.IFBLK || kind == FileMode.IFIFO || kind == FileMode.IFSOCK;
}

/** makedev(3). */
export function deviceNumber(major: u32, minor: u32): u64 {
  return <u64>(minor & 0xff) | <u64>(major & 0xfff) << 8 | <u64>(minor & ~0xff) << 12 | <u64>(major & ~0xfff) << 32;
}

/** Removes a file that the new entry replaces; false after a failure. */
function oldGivesWay(parent: Dentry, dir: Inode, name: usize, length: u32, kind: u32): bool {
  const child = dentryLookupLocked(parent, name, length, nameHash(name, length));
  if (isErrPtr(child)) return fail("out of memory");
  const d = dentryOf(child);
  let isDone = true;
  if (d.inode) {
    const inode = inodeOf(d.inode);
    if (!inodeIsDirectory(inode)) {
      isDone = inodeOpsOf(dir).unlink(dir, name, length, inode) == 0;
      if (isDone) dentryUnlink(d);
    } else if (kind != FileMode.IFDIR) {
      isDone = false;
    }
  }
  dentryPut(d);
  return isDone ? true : fail("a file would replace a directory");
}

function linkMake(parent: Dentry, dir: Inode, name: usize, length: u32, inode: Inode): usize {
  const child = dentryLookupLocked(parent, name, length, nameHash(name, length));
  if (isErrPtr(child)) return 0;
  const d = dentryOf(child);
  if (inodeOpsOf(dir).link(dir, d.namePtr, length, inode) == 0) {
    dentryInstantiate(d, inodeGet(inode));
    return child;
  }
  dentryPut(d);
  fail("out of memory");
  return 0;
}

function symlinkMake(parent: Dentry, dir: Inode, name: usize, length: u32): usize {
  if (ENTRY.fileSize == 0 || ENTRY.fileSize >= PATH_MAX) {
    fail("a symbolic link is empty or too long");
    return 0;
  }
  physCopyIn(CPIO.target, CPIO.data, ENTRY.fileSize);
  const child = dentryLookupLocked(parent, name, length, nameHash(name, length));
  if (isErrPtr(child)) return 0;
  const d = dentryOf(child);
  const made = inodeOpsOf(dir).symlink(dir, d.namePtr, length, CPIO.target, ENTRY.fileSize);
  if (!isErrPtr(made)) {
    dentryInstantiate(d, inodeOf(made));
    return child;
  }
  dentryPut(d);
  fail("out of memory");
  return 0;
}

/** Puts the entry's data into a regular file; the names of one file carry it once, the others are empty. */
function fileLoad(inode: Inode): bool {
  if (!ENTRY.fileSize) return true;
  inodeLock(inode);
  const isDone = pagesLoad(inode, CPIO.data, ENTRY.fileSize);
  inodeUnlock(inode);
  return isDone;
}

function attributesApply(inode: Inode): void {
  const kind = inode.mode & <u32>FileMode.IFMT;
  inode.mode = kind == FileMode.IFLNK ? kind | 0o777 : kind | (ENTRY.mode & 0o7777);
  inode.uid = ENTRY.uid;
  inode.gid = ENTRY.gid;
  inode.mtimeNs = <u64>ENTRY.mtime * 1000000000;
}

function linkBucket(): usize {
  return CPIO.links + ((ENTRY.ino % LINK_BUCKETS) << 2);
}

/** The inode of an earlier name of this file, or 0. */
function linkFind(): usize {
  for (let at = load<usize>(linkBucket()); at;) {
    const link = changetype<CpioLink>(at); // SAFETY: made by linkRemember
    if (link.ino == ENTRY.ino && link.major == ENTRY.devMajor && link.minor == ENTRY.devMinor) return link.inode;
    at = link.next;
  }
  return 0;
}

function linkRemember(inode: Inode): void {
  const at = kmalloc(offsetof<CpioLink>());
  if (!at) return; // the next name becomes a file of its own
  const link = changetype<CpioLink>(at); // SAFETY: a fresh block of that size
  link.next = load<usize>(linkBucket());
  link.inode = changetype<usize>(inodeGet(inode));
  link.ino = ENTRY.ino;
  link.major = ENTRY.devMajor;
  link.minor = ENTRY.devMinor;
  store<usize>(linkBucket(), at);
}

/** Inode numbers mean nothing beyond the end of an archive. */
function linksFree(): void {
  for (let i: u32 = 0; i < LINK_BUCKETS; i++) {
    let at = load<usize>(CPIO.links + (i << 2));
    store<usize>(CPIO.links + (i << 2), 0);
    while (at) {
      const link = changetype<CpioLink>(at); // SAFETY: made by linkRemember
      const next = link.next;
      inodePut(inodeOf(link.inode));
      kfree(at);
      at = next;
    }
  }
}
