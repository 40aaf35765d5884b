/**
 * Names and attributes of served file systems: each answer is kept by the dentry and inode caches, each change is one call.
 *
 * Locking  the VFS holds Inode.lock of the directories involved.
 */
import { Errno } from "../../../abi/errno";
import {
  FsAttributes, FsCreate, FsEntry, FsLookup, FsMethod, FsMkdir, FsNode, FsReaddir, FsRename, FsRmdir, FsSetattr, FsUnlink, FS_NAME_BYTES,
} from "../../../abi/file-system.gen";
import { FsMountFlag, FsValid } from "../../../abi/file-system";
import { realNowNs } from "../../../core/time/clock";
import { kfree, kmalloc } from "../../../core/mm/slab";
import { byteAt, bytesCopy, wordAt32, wordAt64 } from "../../../lib/bytes";
import { AttrValid } from "../attributes";
import { dentryRename } from "../dentry-name";
import { dirEmit, dirEmitDots } from "../dir-emit";
import { fileOpsDefaults } from "../file-ops";
import { inodeOpsDefaults, inodeTouchModified } from "../inode";
import { pageCacheTruncate } from "../page-cache";
import { Dentry, File, FileMode, FileOps, Inode, InodeOps, inodeOf } from "../types";
import {
  callBegin, callEnd, callMake, Connection, reply32, reply64, replyAt, requestPut32, requestPut64, requestPutName, requestPutNode,
} from "./connection";
import { SEEK_DATA, SEEK_HOLE, servedAllocate, servedFileOps, servedTruncate } from "./file";
import {
  dirtyMark, fsOf, metaTake, mountOfFs, nodeTake, servedInodeFind, servedInodeGone, servedInodeNew, ServedInode, servedOf, ServedSuper,
} from "./inode";
import { pagesUndirty } from "./page-state";
import { blocksReclaim, metadataFsync, namesChanged } from "./sync";

/** "." and ".." stand before the server's positions. */
const DOTS: u64 = 2;
const RENAME_NOREPLACE: u32 = 1;
/** Bits of a mode that FAT cannot keep in any form, and Linux's vfat refuses. */
const SPECIAL_BITS: u32 = 0o7000;

const SERVED_DIR_OPS = changetype<InodeOps>(memory.data(offsetof<InodeOps>()));
const SERVED_INODE_OPS = changetype<InodeOps>(memory.data(offsetof<InodeOps>()));
const SERVED_DIR_FILE_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));

export function servedDirectoriesInit(): void {
  inodeOpsDefaults(SERVED_DIR_OPS);
  SERVED_DIR_OPS.lookup = servedLookup;
  SERVED_DIR_OPS.create = servedCreate;
  SERVED_DIR_OPS.unlink = servedUnlink;
  SERVED_DIR_OPS.rmdir = servedRmdir;
  SERVED_DIR_OPS.rename = servedRename;
  SERVED_DIR_OPS.getattr = servedGetattr;
  SERVED_DIR_OPS.setattr = servedSetattr;
  SERVED_DIR_OPS.evict = servedEvict;
  inodeOpsDefaults(SERVED_INODE_OPS);
  SERVED_INODE_OPS.truncate = servedTruncate;
  SERVED_INODE_OPS.allocate = servedAllocate;
  SERVED_INODE_OPS.getattr = servedGetattr;
  SERVED_INODE_OPS.setattr = servedSetattr;
  SERVED_INODE_OPS.evict = servedEvict;
  fileOpsDefaults(SERVED_DIR_FILE_OPS);
  SERVED_DIR_FILE_OPS.readdir = servedReaddir;
  SERVED_DIR_FILE_OPS.fsync = metadataFsync;
  SERVED_DIR_FILE_OPS.seek = servedDirSeek;
  SERVED_DIR_FILE_OPS.read = servedDirRead;
}

/** The inode of a reply with its operations; an errno as pointer. */
export function servedInodeOf(fs: ServedSuper, node: usize, attributes: usize): usize {
  const inode = servedInodeNew(fs, node, attributes);
  if (!inode) return <usize>-(<i32>Errno.IO);
  const isDirectory = (inode.mode & <u32>FileMode.IFMT) == FileMode.IFDIR;
  inode.ops = changetype<usize>(isDirectory ? SERVED_DIR_OPS : SERVED_INODE_OPS);
  inode.fileOps = changetype<usize>(isDirectory ? SERVED_DIR_FILE_OPS : servedFileOps());
  return changetype<usize>(inode);
}

function servedLookup(dir: Inode, name: usize, length: u32, fresh: Dentry): usize {
  const si = servedOf(dir);
  const fs = fsOf(si);
  if (length > fs.nameMax) return <usize>-(<i32>Errno.NAMETOOLONG);
  const c = callBegin(mountOfFs(fs));
  requestPutNode(c, FsLookup.DIR, si.n0, si.n1);
  requestPutName(c, FsLookup.NAME, name, length);
  let result = callMake(c, mountOfFs(fs), FsMethod.LOOKUP, FsLookup.REQUEST_END, FsLookup.REPLY_END);
  if (result == 0) result = listedNameTake(c, fs, fresh);
  const known = result == 0 ? servedInodeFind(fs, replyAt(c, FsLookup.R_NODE)) : null; // it knows better than the server
  const found = known ? changetype<usize>(known) : result == 0 ? servedInodeOf(fs, replyAt(c, FsLookup.R_NODE), replyAt(c, FsLookup.R_ATTRIBUTES)) : 0;
  callEnd(c);
  return result == -(<i32>Errno.NOENT) ? 0 : result < 0 ? <usize>result : found;
}

/** What was found by an alias is named as the directory lists it. 0 or a negated errno. */
function listedNameTake(c: Connection, fs: ServedSuper, fresh: Dentry): i32 {
  const length = reply32(c, FsLookup.R_NAME);
  if (length == 0) return 0;
  const name = replyAt(c, FsLookup.R_NAME) + 4;
  if (length > fs.nameMax || !nameIsSound(name, length)) return -(<i32>Errno.IO);
  return dentryRename(fresh, name, length) ? 0 : -(<i32>Errno.NOMEM);
}

/** Directories may need a block for the entry, and one for themselves; the server knows, but not what is promised to files. */
function roomIsLeft(fs: ServedSuper): bool {
  const isPlenty = fs.blocksFree >= fs.reserved + 2 || (blocksReclaim(fs) && fs.blocksFree >= fs.reserved + 2);
  return isPlenty || fs.reserved == 0;
}

function servedCreate(dir: Inode, name: usize, length: u32, mode: u32, rdev: u64): usize {
  const kind = mode & <u32>FileMode.IFMT;
  if (length == 0) return <usize>-(<i32>Errno.OPNOTSUPP); // O_TMPFILE
  if (kind != FileMode.IFREG && kind != FileMode.IFDIR) return <usize>-(<i32>Errno.PERM);
  const si = servedOf(dir);
  const fs = fsOf(si);
  if (mountOfFs(fs).isReadOnly) return <usize>-(<i32>Errno.ROFS);
  if (length > fs.nameMax) return <usize>-(<i32>Errno.NAMETOOLONG);
  if (!roomIsLeft(fs)) return <usize>-(<i32>Errno.NOSPC);
  const isDirectory = kind == FileMode.IFDIR;
  const c = callBegin(mountOfFs(fs));
  requestPutNode(c, FsCreate.DIR, si.n0, si.n1);
  requestPut64(c, FsCreate.TIME_NS, realNowNs());
  requestPut32(c, FsCreate.MODE, mode);
  requestPutName(c, FsCreate.NAME, name, length);
  const method = isDirectory ? FsMethod.MKDIR : FsMethod.CREATE; // both are laid out alike
  const result = callMake(c, mountOfFs(fs), method, FsCreate.REQUEST_END, FsCreate.REPLY_END);
  let made = <usize>result;
  if (result == 0) {
    fs.blocksFree = reply64(c, FsCreate.R_BLOCKS_FREE);
    nodeTake(si, replyAt(c, FsCreate.R_DIR));
    made = servedInodeOf(fs, replyAt(c, FsCreate.R_NODE), replyAt(c, FsCreate.R_ATTRIBUTES));
  }
  callEnd(c);
  if (result < 0) return made;
  namesChanged(fs);
  inodeTouchModified(dir);
  if (isDirectory) dir.nlink++;
  return made;
}
if (FsCreate.R_BLOCKS_FREE != <i32>FsMkdir.R_BLOCKS_FREE || FsCreate.NAME != <i32>FsMkdir.NAME) ERROR("create and mkdir share their code");
if (FsUnlink.NAME != <i32>FsRmdir.NAME || FsUnlink.R_NODE != <i32>FsRmdir.R_NODE) ERROR("unlink and rmdir share their code");

function nameRemove(dir: Inode, name: usize, length: u32, inode: Inode, method: u32): i32 {
  const si = servedOf(dir);
  const target = servedOf(inode);
  const fs = fsOf(si);
  if (mountOfFs(fs).isReadOnly) return -(<i32>Errno.ROFS);
  const c = callBegin(mountOfFs(fs));
  requestPutNode(c, FsUnlink.DIR, si.n0, si.n1);
  requestPutNode(c, FsUnlink.NODE, target.n0, target.n1);
  requestPut64(c, FsUnlink.TIME_NS, realNowNs());
  requestPutName(c, FsUnlink.NAME, name, length);
  const result = callMake(c, mountOfFs(fs), method, FsUnlink.REQUEST_END, FsUnlink.REPLY_END);
  if (result == 0) nodeTake(target, replyAt(c, FsUnlink.R_NODE));
  callEnd(c);
  if (result < 0) return result;
  namesChanged(fs);
  inode.nlink = 0;
  inodeTouchModified(dir);
  return 0;
}

function servedUnlink(dir: Inode, name: usize, length: u32, inode: Inode): i32 {
  return nameRemove(dir, name, length, inode, FsMethod.UNLINK);
}

function servedRmdir(dir: Inode, name: usize, length: u32, inode: Inode): i32 {
  const failed = nameRemove(dir, name, length, inode, FsMethod.RMDIR);
  if (failed == 0) subdirectoryGone(dir);
  return failed;
}

/** A directory that lost one; what the server said of its links need not be true. */
function subdirectoryGone(dir: Inode): void { if (dir.nlink > 2) dir.nlink--; }

function servedRename(
  oldDir: Inode, oldName: usize, oldLength: u32, inode: Inode,
  newDir: Inode, newName: usize, newLength: u32, target: usize, flags: u32,
): i32 {
  const si = servedOf(inode);
  const fs = fsOf(si);
  if (flags & ~RENAME_NOREPLACE) return -(<i32>Errno.INVAL);
  if (mountOfFs(fs).isReadOnly) return -(<i32>Errno.ROFS);
  if (newLength > fs.nameMax) return -(<i32>Errno.NAMETOOLONG);
  if (!roomIsLeft(fs)) return -(<i32>Errno.NOSPC);
  const c = callBegin(mountOfFs(fs));
  requestPutNode(c, FsRename.OLD_DIR, servedOf(oldDir).n0, servedOf(oldDir).n1);
  requestPutNode(c, FsRename.NODE, si.n0, si.n1);
  requestPutNode(c, FsRename.NEW_DIR, servedOf(newDir).n0, servedOf(newDir).n1);
  requestPutNode(c, FsRename.VICTIM, target ? servedOf(inodeOf(target)).n0 : 0, target ? servedOf(inodeOf(target)).n1 : 0);
  requestPut64(c, FsRename.TIME_NS, realNowNs());
  requestPut32(c, FsRename.HAS_VICTIM, target ? 1 : 0);
  requestPutName(c, FsRename.OLD_NAME, oldName, oldLength);
  requestPutName(c, FsRename.NEW_NAME, newName, newLength);
  const result = callMake(c, mountOfFs(fs), FsMethod.RENAME, FsRename.REQUEST_END, FsRename.REPLY_END);
  if (result == 0) {
    nodeTake(si, replyAt(c, FsRename.R_NODE));
    if (target) nodeTake(servedOf(inodeOf(target)), replyAt(c, FsRename.R_VICTIM));
    fs.blocksFree = reply64(c, FsRename.R_BLOCKS_FREE);
  }
  callEnd(c);
  if (result < 0) return result;
  namesChanged(fs);
  const isDirectory = (inode.mode & <u32>FileMode.IFMT) == FileMode.IFDIR;
  if (target) {
    inodeOf(target).nlink = 0;
    if (isDirectory) subdirectoryGone(newDir);
  }
  if (isDirectory && changetype<usize>(oldDir) != changetype<usize>(newDir)) {
    subdirectoryGone(oldDir);
    newDir.nlink++;
  }
  inodeTouchModified(oldDir);
  inodeTouchModified(newDir);
  return 0;
}

function servedGetattr(inode: Inode): i32 {
  const si = servedOf(inode);
  const fs = fsOf(si);
  inode.blocks = (<u64>si.blocks + si.reserved) * (fs.blockBytes >> 9); // those it will have are promised
  inode.mtimeNs -= inode.mtimeNs % fs.mtimeStepNs;
  inode.ctimeNs -= inode.ctimeNs % fs.mtimeStepNs;
  inode.atimeNs -= inode.atimeNs % fs.atimeStepNs;
  return 0;
}

/** The VFS has stored the new attributes in the inode; what the server cannot keep is taken back. */
function servedSetattr(inode: Inode, valid: u32): i32 {
  const si = servedOf(inode);
  const fs = fsOf(si);
  if (valid & AttrValid.SIZE) return 0; // truncate did it
  if (mountOfFs(fs).isReadOnly) return -(<i32>Errno.ROFS);
  if (inode.nlink == 0) return 0;
  const mode = inode.mode;
  const uid = inode.uid;
  const gid = inode.gid;
  const c = callBegin(mountOfFs(fs));
  requestPutNode(c, FsSetattr.NODE, si.n0, si.n1);
  requestPut64(c, FsSetattr.ATIME_NS, inode.atimeNs);
  requestPut64(c, FsSetattr.MTIME_NS, inode.mtimeNs);
  const isModeKept = (valid & AttrValid.MODE) != 0 && (mode & SPECIAL_BITS) == 0;
  requestPut32(c, FsSetattr.VALID, (isModeKept ? FsValid.MODE : 0) | (valid & AttrValid.TIMES ? FsValid.ATIME | FsValid.MTIME : 0));
  requestPut32(c, FsSetattr.MODE, mode);
  const result = callMake(c, mountOfFs(fs), FsMethod.SETATTR, FsSetattr.REQUEST_END, FsSetattr.REPLY_END);
  if (result == 0) answerTake(si, inode, c, valid);
  callEnd(c);
  if (result < 0) return result;
  const isOwnerRefused = (valid & AttrValid.OWNER) != 0 && (inode.uid != uid || inode.gid != gid);
  const isRefused = isOwnerRefused || ((valid & AttrValid.MODE) != 0 && !isModeKept);
  return isRefused && !(fs.flags & FsMountFlag.QUIET) ? -(<i32>Errno.PERM) : 0;
}

/** Times that are newer here than the server knows stay. */
function answerTake(si: ServedInode, inode: Inode, c: Connection, valid: u32): void {
  const atime = inode.atimeNs;
  const mtime = inode.mtimeNs;
  const ctime = inode.ctimeNs;
  nodeTake(si, replyAt(c, FsSetattr.R_NODE));
  metaTake(inode, replyAt(c, FsSetattr.R_ATTRIBUTES));
  if (!(valid & AttrValid.TIMES)) {
    inode.atimeNs = atime;
    inode.mtimeNs = mtime;
    inode.ctimeNs = ctime;
  } else if (si.hasNewTimes) {
    dirtyMark(si); // a write-back to come would otherwise bring an older time
  }
}

/** The last reference is gone, or the cache drops it: nothing is dirty (an inode that is has a reference). */
function servedEvict(inode: Inode): void {
  if (inode.data == 0) return;
  const si = servedOf(inode);
  pagesUndirty(inode, 0);
  pageCacheTruncate(inode, 0);
  servedInodeGone(si, inode.nlink == 0);
  inode.data = 0;
}

function servedReaddir(file: File, cursor: usize): i32 {
  if (!dirEmitDots(cursor)) return 0;
  const entries = kmalloc(FsReaddir.R_ENTRIES_MOST * <u32>FsEntry.BYTES);
  if (entries == 0) return -(<i32>Errno.NOMEM);
  let more: i32 = 1;
  while (more > 0) {
    const count = entriesFetch(file, entries);
    more = count > 0 ? entriesEmit(file, cursor, entries, count) : count;
  }
  kfree(entries);
  return more;
}

/** The entries behind file.pos, copied to `entries`, for the reader's memory may not be touched during a call: how many, or a negated errno. */
function entriesFetch(file: File, entries: usize): i32 {
  const si = servedOf(inodeOf(file.inode));
  const fs = fsOf(si);
  const c = callBegin(mountOfFs(fs));
  requestPutNode(c, FsReaddir.DIR, si.n0, si.n1);
  requestPut64(c, FsReaddir.POSITION, file.pos - DOTS);
  let result = callMake(c, mountOfFs(fs), FsMethod.READDIR, FsReaddir.REQUEST_END, FsReaddir.REPLY_END);
  if (result == 0) {
    const count = reply32(c, FsReaddir.R_ENTRIES);
    result = count > <u32>FsReaddir.R_ENTRIES_MOST ? -(<i32>Errno.IO) : <i32>count;
    if (result > 0) bytesCopy(entries, replyAt(c, FsReaddir.R_ENTRIES_AT), count * FsEntry.BYTES);
  }
  callEnd(c);
  return result;
}

/** A name that a program may be shown: not empty, too long, with "/" or NUL, "." or "..". */
export function nameIsSound(name: usize, length: u32): bool {
  if (length == 0 || length > FS_NAME_BYTES) return false;
  for (let i: u32 = 0; i < length; i++) if (byteAt(name, i) == 0 || byteAt(name, i) == 0x2f) return false;
  return length > 2 || byteAt(name, 0) != 0x2e || byteAt(name, length - 1) != 0x2e;
}

/** Hands entries to the reader: 1 when it wants more, 0, or -EIO. */
function entriesEmit(file: File, cursor: usize, entries: usize, count: u32): i32 {
  for (let i: u32 = 0; i < count; i++) {
    const entry = entries + i * <u32>FsEntry.BYTES;
    const length = wordAt32(entry + FsEntry.NAME);
    const position = wordAt64(entry + FsEntry.POSITION);
    const mode = wordAt32(entry + FsEntry.ATTRIBUTES);
    if (!nameIsSound(entry + FsEntry.NAME + 4, length) || position <= file.pos - DOTS || position > <u64>i64.MAX_VALUE - DOTS) return -(<i32>Errno.IO);
    const ino = wordAt64(entry + FsEntry.ATTRIBUTES + FsAttributes.INO);
    if (!dirEmit(cursor, entry + FsEntry.NAME + 4, length, ino, mode >> 12 & 15)) return 0;
    file.pos = position + DOTS;
  }
  return 1;
}

function servedDirSeek(file: File, offset: i64, whence: u32): i64 {
  const target = whence == 1 ? <i64>file.pos + offset : offset;
  if (whence == SEEK_DATA || whence == SEEK_HOLE) return -(<i64>Errno.NXIO);
  if (whence > 1 || target < 0) return -(<i64>Errno.INVAL);
  file.pos = <u64>target;
  return target;
}

function servedDirRead(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  return -(<i64>Errno.ISDIR);
}
