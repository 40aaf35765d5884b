/**
 * tmpfs: files whose only home is the page cache, names whose only home is memory.
 *
 *   Inode.data   directory: TmpDir   symbolic link: its target, NUL-terminated
 *
 * Invariants  F1  a name's entry holds a reference on its inode: evict runs only for inodes without a name.
 *             F2  a directory's nlink is 2 + its subdirectories, 0 once removed.
 * Locking     Inode.lock of each directory involved (the VFS takes it).
 */
import { Errno } from "../../abi/errno";
import { totalPageCount } from "../../core/mm/buddy";
import { shmemPagesLeft } from "../../core/mm/shmem";
import { kfree, kmalloc } from "../../core/mm/slab";
import {
  Dentry, File, FileMode, FileOps, Inode, InodeOps, SuperBlock, inodeOf, isErrPtr, superOf,
} from "./types";
import { inodeAlloc, inodeGet, inodeLinksAdd, inodeOpsDefaults, inodePut, inodeTouchChanged, inodeTouchModified } from "./inode";
import { FILE_OPS_NONE, fileOpsDefaults } from "./file-ops";
import { inodeOwnerInit, credNow } from "./credentials";
import { fileAllocInode, anonSuper } from "./file";
import { StatfsInfo, SuperOps, superAlloc, superOpsDefaults, superPut, superRootSet } from "./super-block";
import { TmpDir, tmpDirAdd, tmpDirFind, tmpDirFree, tmpDirNew, tmpDirOf, tmpDirRemove, tmpDirSlot, tmpEntryName, tmpEntryOf } from "./tmpfs-dir";
import { pagesMmap, pagesMmapPage, pagesRead, pagesSeek, pagesAllocate, pagesTruncate, pagesWrite } from "./file-pages";
import { pageCacheTruncate } from "./page-cache";
import { dirEmit, dirEmitDots } from "./dir-emit";
import { TmpOptions, tmpOptionsParse } from "./tmpfs-options";
import { scratchPop, scratchPush } from "../../core/sched/scratch";

export const TMPFS_MAGIC: u32 = 0x01021994;
const RENAME_EXCHANGE: u32 = 2;

const DIR_OPS = changetype<InodeOps>(memory.data(offsetof<InodeOps>()));
const FILE_INODE_OPS = changetype<InodeOps>(memory.data(offsetof<InodeOps>()));
const LINK_OPS = changetype<InodeOps>(memory.data(offsetof<InodeOps>()));
const DIR_FILE_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));
const TMP_FILE_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));
const TMP_SUPER_OPS = changetype<SuperOps>(memory.data(offsetof<SuperOps>()));

/** What opens of regular tmpfs files run (memfd compares and copies it). */
export function tmpfsFileOps(): FileOps { return TMP_FILE_OPS; }

/** Fills the tables. */
export function tmpfsInit(): void {
  inodeOpsDefaults(DIR_OPS);
  DIR_OPS.lookup = tmpLookup;
  DIR_OPS.create = tmpCreate;
  DIR_OPS.symlink = tmpSymlink;
  DIR_OPS.link = tmpLink;
  DIR_OPS.unlink = tmpUnlink;
  DIR_OPS.rmdir = tmpRmdir;
  DIR_OPS.rename = tmpRename;
  DIR_OPS.evict = tmpEvictDir;
  inodeOpsDefaults(FILE_INODE_OPS);
  FILE_INODE_OPS.truncate = pagesTruncate;
  FILE_INODE_OPS.allocate = pagesAllocate;
  FILE_INODE_OPS.evict = tmpEvictFile;
  inodeOpsDefaults(LINK_OPS);
  LINK_OPS.readlink = tmpReadlink;
  LINK_OPS.evict = tmpEvictLink;

  fileOpsDefaults(DIR_FILE_OPS);
  DIR_FILE_OPS.readdir = tmpReaddir;
  DIR_FILE_OPS.fsync = tmpFsync;
  DIR_FILE_OPS.seek = tmpDirSeek;
  DIR_FILE_OPS.read = tmpDirRead;
  fileOpsDefaults(TMP_FILE_OPS);
  TMP_FILE_OPS.read = pagesRead;
  TMP_FILE_OPS.write = pagesWrite;
  TMP_FILE_OPS.mmap = pagesMmap;
  TMP_FILE_OPS.mmapPage = pagesMmapPage;
  TMP_FILE_OPS.fsync = tmpFsync;
  TMP_FILE_OPS.seek = pagesSeek;
  superOpsDefaults(TMP_SUPER_OPS);
  TMP_SUPER_OPS.statfs = tmpStatfs;
  TMP_SUPER_OPS.remount = tmpRemount;
}

/** Gives a fresh inode its kind: ops tables and private data. 0 or -ENOMEM. */
export function tmpInodeSetup(inode: Inode, mode: u32): i32 {
  const kind = mode & <u32>FileMode.IFMT;
  if (kind == FileMode.IFDIR) {
    inode.data = tmpDirNew();
    if (!inode.data) return -(<i32>Errno.NOMEM);
    inode.ops = changetype<usize>(DIR_OPS);
    inode.fileOps = changetype<usize>(DIR_FILE_OPS);
    inode.nlink = 2; // F2
  } else if (kind == FileMode.IFREG) {
    inode.ops = changetype<usize>(FILE_INODE_OPS);
    inode.fileOps = changetype<usize>(TMP_FILE_OPS);
  } else {
    inode.fileOps = changetype<usize>(FILE_OPS_NONE); // special: the VFS asks special.ts at open
  }
  return 0;
}

/** A mountable tmpfs super block under another type name (devtmpfs), or an errno as pointer. */
export function tmpfsSuperNew(typeName: string, options: usize): usize {
  const parsed = changetype<TmpOptions>(scratchPush(offsetof<TmpOptions>())); // SAFETY: scratch of that size
  const r = tmpOptionsParse(options, parsed);
  const mode = parsed.mode;
  const maxPages = parsed.maxPages;
  const uid = parsed.uid;
  const gid = parsed.gid;
  scratchPop(offsetof<TmpOptions>());
  if (r < 0) return <usize>r;
  const sb = superAlloc(typeName, TMPFS_MAGIC);
  if (!sb) return <usize>-(<i32>Errno.NOMEM);
  sb.ops = changetype<usize>(TMP_SUPER_OPS);
  sb.isMemory = 1;
  sb.maxPages = maxPages ? maxPages : <u32>(totalPageCount() >> 1);
  const root = inodeAlloc(sb);
  if (!root) {
    superPut(sb);
    return <usize>-(<i32>Errno.NOMEM);
  }
  root.mode = FileMode.IFDIR | mode;
  root.uid = uid;
  root.gid = gid;
  const made = tmpInodeSetup(root, root.mode);
  if (made < 0) {
    inodePut(root);
    superPut(sb);
    return <usize>made;
  }
  const rooted = superRootSet(sb, changetype<usize>(root));
  if (rooted == 0) return changetype<usize>(sb);
  superPut(sb);
  return <usize>rooted;
}

/** The mount function of type "tmpfs". */
export function tmpfsMount(source: usize, flags: u32, options: usize): usize {
  return tmpfsSuperNew("tmpfs", options);
}

/** An unlinked tmpfs regular file opened with `flags` (memfd_create, shared anonymous memory); File or errno as pointer. */
export function tmpfsAnonFile(name: string, size: u64, flags: u32): usize {
  const inode = inodeAlloc(anonSuper());
  if (!inode) return <usize>-(<i32>Errno.NOMEM);
  const made = tmpInodeSetup(inode, FileMode.IFREG);
  assert(made == 0); // regular files need no memory
  inode.mode = FileMode.IFREG | 0o777;
  inode.uid = credNow().fsuid;
  inode.gid = credNow().fsgid;
  inode.nlink = 0;
  inode.size = size;
  return fileAllocInode(inode, TMP_FILE_OPS, name, flags);
}

function dirOf(inode: Inode): TmpDir { return tmpDirOf(inode.data); }

function tmpLookup(dir: Inode, name: usize, length: u32, fresh: Dentry): usize {
  const entry = tmpDirFind(dirOf(dir), name, length);
  return entry ? changetype<usize>(inodeGet(inodeOf(tmpEntryOf(entry).inode))) : 0;
}

/** A new inode owned by the caller, with its kind set up; or an errno as pointer. */
function tmpInodeNew(dir: Inode, mode: u32): usize {
  const inode = inodeAlloc(superOf(dir.sb));
  if (!inode) return <usize>-(<i32>Errno.NOSPC);
  inodeOwnerInit(inode, dir, mode);
  const r = tmpInodeSetup(inode, inode.mode);
  if (r == 0) return changetype<usize>(inode);
  inodePut(inode);
  return <usize>r;
}

function tmpCreate(dir: Inode, name: usize, length: u32, mode: u32, rdev: u64): usize {
  const made = tmpInodeNew(dir, mode);
  if (isErrPtr(made)) return made;
  const inode = inodeOf(made);
  inode.rdev = rdev;
  if (!length) { // O_TMPFILE
    inode.nlink = 0;
    return made;
  }
  const r = tmpAttach(dir, name, length, inode);
  if (r < 0) {
    inodePut(inode);
    return <usize>r;
  }
  if ((mode & <u32>FileMode.IFMT) == FileMode.IFDIR) dir.nlink = dir.nlink + 1;
  return made;
}

/** Enters a name for `inode` with a reference of its own (F1). */
function tmpAttach(dir: Inode, name: usize, length: u32, inode: Inode): i32 {
  const r = tmpDirAdd(dirOf(dir), name, length, changetype<usize>(inode));
  if (r < 0) return r;
  inodeGet(inode);
  tmpDirChanged(dir, 1);
  return 0;
}

/** Size and times of a directory follow its entries. */
function tmpDirChanged(dir: Inode, delta: i32): void {
  dir.size += <i64>delta * 20;
  inodeTouchModified(dir);
}

function tmpSymlink(dir: Inode, name: usize, length: u32, target: usize, targetLength: u32): usize {
  const copy = kmalloc(targetLength + 1);
  if (!copy) return <usize>-(<i32>Errno.NOSPC);
  const made = tmpInodeNew(dir, FileMode.IFLNK | 0o777);
  if (isErrPtr(made)) {
    kfree(copy);
    return made;
  }
  memory.copy(copy, target, targetLength);
  store<u8>(copy + targetLength, 0);
  const inode = inodeOf(made);
  inode.ops = changetype<usize>(LINK_OPS);
  inode.data = copy;
  inode.size = targetLength;
  const r = tmpAttach(dir, name, length, inode);
  if (r == 0) return made;
  inodePut(inode);
  return <usize>r;
}

function tmpLink(dir: Inode, name: usize, length: u32, inode: Inode): i32 {
  const r = tmpAttach(dir, name, length, inode);
  if (r < 0) return r;
  inodeLinksAdd(inode, 1);
  inodeTouchChanged(inode);
  return 0;
}

/** Takes the name away; drops the entry's reference. */
function tmpDetach(dir: Inode, name: usize, length: u32, inode: Inode): void {
  const entry = tmpDirFind(dirOf(dir), name, length);
  assert(entry != 0 && tmpEntryOf(entry).inode == changetype<usize>(inode)); // the dentry cache and we agree
  tmpDirRemove(dirOf(dir), entry);
  tmpDirChanged(dir, -1);
  inodePut(inode);
}

function tmpUnlink(dir: Inode, name: usize, length: u32, inode: Inode): i32 {
  inodeLinksAdd(inode, -1);
  inodeTouchChanged(inode);
  tmpDetach(dir, name, length, inode);
  return 0;
}

function tmpRmdir(dir: Inode, name: usize, length: u32, inode: Inode): i32 {
  if (dirOf(inode).count) return -(<i32>Errno.NOTEMPTY);
  inode.nlink = 0; // F2
  inodeTouchChanged(inode);
  dir.nlink = dir.nlink - 1;
  tmpDetach(dir, name, length, inode);
  return 0;
}

function isDirectory(inode: Inode): bool {
  return (inode.mode & <u32>FileMode.IFMT) == FileMode.IFDIR;
}

function tmpRename(
  oldDir: Inode, oldName: usize, oldLength: u32, inode: Inode,
  newDir: Inode, newName: usize, newLength: u32, target: usize, flags: u32,
): i32 {
  if (flags & RENAME_EXCHANGE) return tmpExchange(oldDir, oldName, oldLength, newDir, newName, newLength);
  if (target && isDirectory(inodeOf(target)) && dirOf(inodeOf(target)).count) return -(<i32>Errno.NOTEMPTY);
  if (target) {
    // The entry changes hands: no memory is needed, so nothing can fail half way.
    const entry = tmpEntryOf(tmpDirFind(dirOf(newDir), newName, newLength));
    entry.inode = changetype<usize>(inodeGet(inode));
    tmpForget(inodeOf(target), newDir);
    inodeTouchModified(newDir);
  } else {
    const r = tmpAttach(newDir, newName, newLength, inode);
    if (r < 0) return r;
  }
  tmpDetach(oldDir, oldName, oldLength, inode);
  if (isDirectory(inode)) {
    oldDir.nlink = oldDir.nlink - 1;
    newDir.nlink = newDir.nlink + 1;
  }
  inodeTouchChanged(inode);
  return 0;
}

/** A replaced inode loses its name, whose reference it drops. */
function tmpForget(inode: Inode, dir: Inode): void {
  if (isDirectory(inode)) {
    inode.nlink = 0;
    dir.nlink = dir.nlink - 1;
  } else {
    inodeLinksAdd(inode, -1);
  }
  inodeTouchChanged(inode);
  inodePut(inode);
}

function tmpExchange(
  oldDir: Inode, oldName: usize, oldLength: u32, newDir: Inode, newName: usize, newLength: u32,
): i32 {
  const a = tmpEntryOf(tmpDirFind(dirOf(oldDir), oldName, oldLength));
  const b = tmpEntryOf(tmpDirFind(dirOf(newDir), newName, newLength));
  const moved = a.inode;
  a.inode = b.inode;
  b.inode = moved;
  const delta = (isDirectory(inodeOf(a.inode)) ? 1 : 0) - (isDirectory(inodeOf(b.inode)) ? 1 : 0);
  oldDir.nlink = oldDir.nlink + delta;
  newDir.nlink = newDir.nlink - delta;
  inodeTouchModified(oldDir);
  inodeTouchModified(newDir);
  inodeTouchChanged(inodeOf(a.inode));
  inodeTouchChanged(inodeOf(b.inode));
  return 0;
}

function tmpReadlink(inode: Inode, ptr: usize, max: u32): i32 {
  const length = min<u32>(max, <u32>inode.size);
  memory.copy(ptr, inode.data, length);
  return <i32>length;
}

function tmpReaddir(file: File, cursor: usize): i32 {
  if (!dirEmitDots(cursor)) return 0;
  const dir = dirOf(inodeOf(file.inode));
  while (file.pos - 2 < dir.slotEnd) {
    const entry = tmpDirSlot(dir, <u32>file.pos - 2);
    if (entry) {
      const e = tmpEntryOf(entry);
      const inode = inodeOf(e.inode);
      if (!dirEmit(cursor, tmpEntryName(entry), e.length, inode.ino, inode.mode >> 12 & 15)) return 0;
    }
    file.pos++;
  }
  return 0;
}

function tmpDirSeek(file: File, offset: i64, whence: u32): i64 {
  const target = whence == 1 ? <i64>file.pos + offset : offset;
  if (whence > 1 || target < 0) return -(<i64>Errno.INVAL);
  file.pos = <u64>target;
  return target;
}

function tmpDirRead(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  return -(<i64>Errno.ISDIR);
}

function tmpFsync(file: File): i32 {
  return 0; // memory is all there is
}

function tmpEvictFile(inode: Inode): void {
  pageCacheTruncate(inode, 0);
}

function tmpEvictLink(inode: Inode): void {
  kfree(inode.data);
}

/** Also runs for a whole tree at unmount: the names go with their directory. */
function tmpEvictDir(inode: Inode): void {
  if (!inode.data) return;
  const top = dirOf(inode);
  let chain = tmpDirEmpty(top, 0);
  tmpDirFree(top);
  // Directories that lost their last reference are emptied here one by one, so that depth costs no stack.
  while (chain) {
    const child = inodeOf(chain);
    chain = child.data1;
    const dir = dirOf(child);
    chain = tmpDirEmpty(dir, chain);
    tmpDirFree(dir);
    child.data = 0;
    inodePut(child);
  }
}

/** Drops every entry; subdirectories that nobody else holds are chained (through data1) in front of `chain`. */
function tmpDirEmpty(dir: TmpDir, chain: usize): usize {
  for (let i: u32 = 0; i < dir.slotEnd; i++) {
    const entry = tmpDirSlot(dir, i);
    if (!entry) continue;
    const inode = inodeOf(tmpEntryOf(entry).inode);
    kfree(entry);
    if (isDirectory(inode) && inode.refs == 1) {
      inode.data1 = chain;
      chain = changetype<usize>(inode);
    } else {
      inodePut(inode);
    }
  }
  dir.slotEnd = 0;
  dir.count = 0;
  return chain;
}

function tmpStatfs(sb: SuperBlock, info: StatfsInfo): void {
  info.blocks = sb.maxPages;
  info.blocksFree = min<u32>(sb.maxPages > sb.usedPages ? sb.maxPages - sb.usedPages : 0, shmemPagesLeft());
  info.files = <u64>sb.inodeCount + info.blocksFree;
  info.filesFree = info.blocksFree;
}

function tmpRemount(sb: SuperBlock, flags: u32, options: usize): i32 {
  const parsed = changetype<TmpOptions>(scratchPush(offsetof<TmpOptions>())); // SAFETY: scratch of that size
  const r = tmpOptionsParse(options, parsed);
  const maxPages = parsed.maxPages;
  scratchPop(offsetof<TmpOptions>());
  if (r < 0) return r;
  if (maxPages && maxPages < sb.usedPages) return -(<i32>Errno.INVAL);
  if (maxPages) sb.maxPages = maxPages;
  return 0;
}
