/**
 * Open file descriptions: allocation, references, reading and writing for the kernel itself.
 *
 * Invariants  O1  a file with a dentry holds a reference on it and on its mount, and through the dentry on its inode;
 *                 a file without one holds the inode itself.
 *             O2  FileRight.WRITER and DENIES are counted in Inode.writeDeny, up and down; WRITER in SuperBlock.writers too.
 * Locking     refs: atomic. pos: posLock, taken only when somebody shares the file (filePosLock).
 */
import { Errno } from "../../abi/errno";
import { Mutex, mutexAt, mutexInit, mutexLock, mutexUnlock } from "../../core/sync/mutex";
import { SlabCache, slabAlloc, slabFree, slabInit } from "../../core/mm/slab";
import {
  File, FileMode, FileOps, FileRight, Inode, OpenFlag, SuperBlock, dentryOf, fileOf, fileOpsOf, inodeOf, mountOf, superOf,
} from "./types";
import { inodeAlloc, inodePut } from "./inode";
import { dentryPut } from "./dcache";
import { epollFileClosed } from "./epoll";
import { mountPut, mountWritable } from "./mount";
import { superAlloc, superWriterGet, superWriterPut } from "./super-block";
import { fileLocksRelease } from "./file-lock";
import { kernelBuf } from "./io-buf";

export { fileOpsDefaults } from "./file-ops";

const FILE_SLAB = changetype<SlabCache>(memory.data(offsetof<SlabCache>(), 64));
/** [0] SuperBlock of inodes without a name, [1] files alive. */
const FILE_GLOBALS: usize = memory.data(8, 4);
const ANON_MAGIC: u32 = 0x09041934;

export function fileInit(): void {
  slabInit(FILE_SLAB, "file", offsetof<File>());
  const sb = superAlloc("anon_inodefs", ANON_MAGIC);
  assert(sb);
  sb!.isMemory = 1;
  store<usize>(FILE_GLOBALS, changetype<usize>(sb));
}

/** The super block of inodes without a name (pipes, sockets, memfd). */
export function anonSuper(): SuperBlock {
  return changetype<SuperBlock>(load<usize>(FILE_GLOBALS)); // SAFETY: set by fileInit
}

/** Open files in the system (for /proc/sys/fs/file-nr). */
export function fileCount(): u32 {
  return load<u32>(FILE_GLOBALS, 4);
}

/** A zeroed file with one reference and no inode; null when memory is full. */
export function fileAlloc(): File | null {
  const ptr = slabAlloc(FILE_SLAB);
  if (!ptr) return null;
  memory.fill(ptr, 0, offsetof<File>());
  const file = fileOf(ptr);
  file.refs = 1;
  mutexInit(filePosMutex(file));
  atomic.add<u32>(FILE_GLOBALS, 1, 4);
  return file;
}

/** Frees a file that was never opened. */
export function fileFree(file: File): void {
  atomic.sub<u32>(FILE_GLOBALS, 1, 4);
  slabFree(FILE_SLAB, changetype<usize>(file));
}

export function fileGet(file: File): File {
  atomic.add<u32>(changetype<usize>(file), 1, offsetof<File>("refs"));
  return file;
}

/** Drops one reference; the last one calls ops.release. May sleep. */
export function filePut(file: File): void {
  if (atomic.sub<u32>(changetype<usize>(file), 1, offsetof<File>("refs")) != 1) return;
  fileRelease(file);
}

function fileRelease(file: File): void {
  const inode = inodeOf(file.inode);
  if (!(file.mode & FileRight.PATH_ONLY)) {
    if (inode.lockList) fileLocksRelease(inode, changetype<usize>(file));
    if (file.epollItems) epollFileClosed(file);
    fileOpsOf(file).release(file);
    fileRightsDrop(file, inode);
  }
  if (file.dentry) {
    dentryPut(dentryOf(file.dentry));
    mountPut(mountOf(file.mount));
  } else {
    inodePut(inode);
  }
  fileFree(file);
}

/** Gives back what the file counts in its inode and super block (O2). */
export function fileRightsDrop(file: File, inode: Inode): void {
  const counter = changetype<usize>(inode) + offsetof<Inode>("writeDeny");
  if (file.mode & FileRight.WRITER) {
    atomic.sub<i32>(counter, 1);
    superWriterPut(superOf(inode.sb));
  }
  if (file.mode & FileRight.DENIES) atomic.add<i32>(counter, 1);
  file.mode &= ~(<u32>FileRight.WRITER | <u32>FileRight.DENIES);
}

/**
 * Counts `file` as a writer (delta 1) or an executor (delta -1) of `inode` (O2). -ETXTBSY while the other kind is there; -EROFS when
 * a remount forbids writers, or did since the mount was looked at: fileRightsDrop also after a failure.
 */
export function fileRightsTake(file: File, inode: Inode, delta: i32): i32 {
  const counter = changetype<usize>(inode) + offsetof<Inode>("writeDeny");
  while (true) {
    const now = atomic.load<i32>(counter);
    if (delta > 0 ? now < 0 : now > 0) return -(<i32>Errno.TXTBSY);
    if (atomic.cmpxchg<i32>(counter, now, now + delta) == now) break;
  }
  if (delta < 0) {
    file.mode |= FileRight.DENIES;
    return 0;
  }
  if (!superWriterGet(superOf(inode.sb))) {
    atomic.sub<i32>(counter, 1);
    return -(<i32>Errno.ROFS);
  }
  file.mode |= FileRight.WRITER;
  return mountWritable(file.mount);
}

/** FileRight bits of the access mode in O_* `flags`. */
export function fileRightsOf(flags: u32): u32 {
  const access = flags & <u32>OpenFlag.ACCMODE;
  if (access == OpenFlag.RDONLY) return FileRight.READ;
  if (access == OpenFlag.WRONLY) return FileRight.WRITE;
  return access == OpenFlag.RDWR ? <u32>FileRight.READ | <u32>FileRight.WRITE : 0;
}

/** A File with one reference on an anonymous inode named `name` ("pipe", "[eventpoll]"), flags = O_*; or an errno as pointer. */
export function fileAllocAnon(ops: FileOps, name: string, flags: u32): usize {
  const inode = inodeAlloc(anonSuper());
  if (!inode) return <usize>-(<i32>Errno.NOMEM);
  inode.mode = FileMode.IFREG | 0o600;
  return fileAllocInode(inode, ops, name, flags);
}

/** The same on a given inode, whose reference it consumes also on failure. */
export function fileAllocInode(inode: Inode, ops: FileOps, name: string, flags: u32): usize {
  const file = fileAlloc();
  if (!file) {
    inodePut(inode);
    return <usize>-(<i32>Errno.NOMEM);
  }
  file.ops = changetype<usize>(ops);
  file.inode = changetype<usize>(inode);
  file.flags = flags & ~<u32>OpenFlag.CLOEXEC;
  file.mode = fileRightsOf(flags);
  file.name = changetype<usize>(name);
  return changetype<usize>(file);
}

function filePosMutex(file: File): Mutex {
  return mutexAt(changetype<usize>(file) + offsetof<File>("posLock0"));
}

/** Takes posLock when somebody else could use the position; pass the answer to filePosUnlock. */
export function filePosLock(file: File): bool {
  if (atomic.load<u32>(changetype<usize>(file), offsetof<File>("refs")) == 1) return false;
  mutexLock(filePosMutex(file));
  return true;
}

export function filePosUnlock(file: File, taken: bool): void {
  if (taken) mutexUnlock(filePosMutex(file));
}

/** Reads into linear `ptr`; bytes read or -errno. */
export function fileReadKernel(file: File, ptr: usize, count: u32, pos: u64): i64 {
  return fileOpsOf(file).read(file, kernelBuf(ptr), count, pos);
}

export function fileWriteKernel(file: File, ptr: usize, count: u32, pos: u64): i64 {
  return fileOpsOf(file).write(file, kernelBuf(ptr), count, pos);
}
