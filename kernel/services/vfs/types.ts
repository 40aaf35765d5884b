/**
 * The nouns of the VFS: super block, inode, dentry, mount, path, file, and the ops tables a file system implements.
 *
 * A buffer argument `bufVa` is a user address (below USER_TOP, already range-checked by the system call) or a kernel
 * linear address made by kernelBuf(); move data with bufCopyIn/bufCopyOut/bufFromPhys/bufToPhys (io-buf.ts) only.
 *
 * Locking  Inode.lock (a sleeping Mutex) orders changes of one inode: data writes, size, directory entries. Two
 *          directories are locked in address order, parents before children. Reference counts are atomic.
 *          The dentry hash, child lists and d_inode are guarded by dentryLock (Rank.DENTRY).
 * Units    times: ns since the epoch. ino: per super block. rdev: Linux's 64-bit dev_t (makedev of sys/sysmacros.h).
 */

export const enum FileMode { // Linux S_IF*
  IFMT = 0xf000, IFIFO = 0x1000, IFCHR = 0x2000, IFDIR = 0x4000, IFBLK = 0x6000, IFREG = 0x8000, IFLNK = 0xa000,
  IFSOCK = 0xc000, ISUID = 0x800, ISGID = 0x400, ISVTX = 0x200,
}

export const enum OpenFlag { // O_* of asm-generic/fcntl.h
  ACCMODE = 3, RDONLY = 0, WRONLY = 1, RDWR = 2, CREAT = 0x40, EXCL = 0x80, NOCTTY = 0x100, TRUNC = 0x200,
  APPEND = 0x400, NONBLOCK = 0x800, DSYNC = 0x1000, ASYNC = 0x2000, DIRECT = 0x4000, LARGEFILE = 0x8000,
  DIRECTORY = 0x10000, NOFOLLOW = 0x20000, NOATIME = 0x40000, CLOEXEC = 0x80000, SYNC = 0x101000, PATH = 0x200000,
  TMPFILE = 0x410000,
}

@final @unmanaged
export class SuperBlock {
  typeName: usize;   // changetype<usize>(string): "tmpfs"
  ops: usize;        // SuperOps
  root: usize;       // Dentry
  dev: u64;          // st_dev
  magic: u32;        // statfs f_type
  flags: u32;        // MS_*
  refs: u32;         // mounts of it
  nextIno: u32;
  blockSize: u32;
  data: u32;   
  maxBytes: u64;
  usedPages: u32;
  maxPages: u32;
  inodeCount: u32;
  anonNode: u32;
  foldsCase: u32;    // ASCII letters of names compare without case; dots at the end do not count
  nameMax: u32;      // bytes of a name
  writers: i32;      // atomic: files open for writing; -1 while it is being remounted read-only
  isMemory: u32;     // its pages have no other home (core/mm/shmem.ts)
  errors: u32;       // of write-back (lib/errseq.ts)
  pad: u32;
}

@final @unmanaged
export class Inode {
  ops: usize;        // InodeOps
  fileOps: usize;    // FileOps that an open file of this inode starts with
  sb: usize;         // SuperBlock
  refs: u32;         // atomic: dentries, open files, vmas
  ino: u64;
  rdev: u64;
  size: u64;         // bytes (INODE lock rules: Inode.lock to change, atomic to read)
  mode: u32;         // S_IF* | permission bits
  nlink: u32;
  uid: u32;
  gid: u32;
  atimeNs: u64;
  mtimeNs: u64;
  ctimeNs: u64;
  btimeNs: u64;
  blocks: u64;       // 512-byte units in use
  lock: u64;         // a Mutex held by value (kernel/core/sync/mutex.ts), 32 bytes
  lock1: u64;
  lock2: u64;
  lock3: u64;
  pages: u32;        // page-cache tree root (page-cache.ts)
  pagesDepth: u32;
  pageCount: u32;
  pagesLock0: u32;   // 16-byte SpinLock held by value, Rank.MAPPING
  pagesLock1: u32;
  pagesLock2: u32;
  pagesLock3: u32;
  writeDeny: i32;    // >0: open for writing; <0: executed (ETXTBSY)
  data: u32;         // file system's own: pipe, tty, directory list, link target…
  data1: u32;   
  data2: u32;   
  data3: u32;   
  lockList: u32;     // flock/POSIX record locks
  fifo: u32;         // Pipe of a FIFO inode
  flags: u32;        // InodeFlag
  pagesDropped: u32; // times that pages left the page cache
}

/** LINKABLE: made by O_TMPFILE, link(2) may give it a first name. */
export const enum InodeFlag { LINKABLE = 1 }

@final @unmanaged
export class Dentry {
  parent: usize;     // Dentry; itself for a root
  inode: usize;      // Inode, 0 for a negative dentry
  sb: usize;
  refs: u32;         // atomic
  nameHash: u32;
  nameLength: u32;
  namePtr: usize;    // bytes, not NUL terminated
  hashNext: usize;   // bucket chain
  hashPrev: usize;
  childHead: u64;    // ListNode by value: cached children
  siblingNode: u64;  // ListNode by value
  lruNode: u64;      // ListNode by value
  mountCount: u32;   // mounts on top of it
  flags: u32;
  inlineName0: u64;  // names up to 31 bytes live here
  inlineName1: u64;
  inlineName2: u64;
  inlineName3: u64;
}

@final @unmanaged
export class Mount {
  sb: usize;
  root: usize;        // Dentry shown at the mount point
  mountPoint: usize;  // Dentry it covers (0 for the root mount)
  parent: usize;      // Mount
  refs: u32;
  flags: u32;         // MS_RDONLY, MS_NOSUID…
  id: u32;
  sourcePtr: usize;   // NUL-terminated device name, for /proc/mounts
  listNode: u64;      // ListNode by value: all mounts, in order
  childHead: u64;     // ListNode by value: mounts on top of dentries of this one
  siblingNode: u64;   // ListNode by value
}

/** An open file description. */
@final @unmanaged
export class File {
  ops: usize;        // FileOps
  inode: usize;
  dentry: usize;
  mount: usize;
  refs: u32;         // atomic: descriptors, vmas, calls in progress
  flags: u32;        // O_* as fcntl(F_GETFL) shows them
  mode: u32;         // FileRight bits
  data: u32;         // pipe end, tty, epoll…
  pos: u64;          // f_pos, guarded by posLock
  posLock0: u64;     // a Mutex held by value, 32 bytes
  posLock1: u64;
  posLock2: u64;
  posLock3: u64;
  dirCursor: u64;
  data1: u32;   
  data2: u32;   
  ownerPid: i32;     // F_SETOWN
  ownerSignal: u32;
  epollItems: u32;
  seals: u32;
  name: u32;         // a string: what /proc/PID/fd shows of an anonymous file
  errorsSeen: u32;   // of write-back (lib/errseq.ts): what fsync told of already
  superErrorsSeen: u32; // the same of SuperBlock.errors, and syncfs
  pad: u32;
}

/** WRITER and DENIES count in Inode.writeDeny; STREAM has no position. */
export const enum FileRight { READ = 1, WRITE = 2, EXEC = 4, SEEKABLE = 8, PATH_ONLY = 16, STREAM = 32, WRITER = 64, DENIES = 128 }

/** Events of poll(2). */
export const enum PollEvent { IN = 1, PRI = 2, OUT = 4, ERR = 8, HUP = 16, NVAL = 32, RDNORM = 64, RDBAND = 128, WRNORM = 256, WRBAND = 512, RDHUP = 0x2000 }

/**
 * What an open file does. One static table per kind; a slot is never null (fileOpsDefaults fills ENOSYS-like answers).
 *
 *   slot     may sleep  returns
 *   read     yes        bytes read, 0 at end of file, or -errno; `pos` is meaningless for streams
 *   write    yes        bytes written or -errno; the VFS has resolved O_APPEND by giving pos = size under Inode.lock
 *   readdir  yes        0; emits entries through dirEmit(cursor…) and advances file.pos
 *   poll     no         PollEvent bits ready now; first calls pollWait(table, waitQueue) for each queue when table != 0
 *   ioctl    yes        >= 0 or -errno (ENOTTY when unknown)
 *   mmap     no         FileMmap (kernel/core/mm/mm-hooks.ts) or -errno; pages come from slot mmapPage
 *   open     yes        0 or -errno; may replace file.ops and file.data
 *   release  yes        nothing: last reference is gone
 *   fsync    yes        0 or -errno
 *   seek     no         new position or -errno
 */
@final @unmanaged
export class FileOps {
  read: (file: File, bufVa: u64, count: u32, pos: u64) => i64;
  write: (file: File, bufVa: u64, count: u32, pos: u64) => i64;
  readdir: (file: File, cursor: usize) => i32;
  poll: (file: File, table: usize) => u32;
  ioctl: (file: File, cmd: u32, argVa: u64) => i64;
  mmap: (file: File, prot: u32, flags: u32) => i32;
  open: (inode: Inode, file: File) => i32;
  release: (file: File) => void;
  fsync: (file: File) => i32;
  seek: (file: File, offset: i64, whence: u32) => i64;
  /** Page `index` for a mapping: its pfn with one reference (beyond RAM for FileMmap.IO), or -errno. May sleep. */
  mmapPage: (file: File, index: u64, forWrite: u32) => i32;
}

/**
 * What a directory (or link) inode does; names are linear (ptr, length), checked for length and slashes.
 * All slots hold the parent's Inode.lock except lookup (shared use), readlink and permission.
 */
@final @unmanaged
export class InodeOps {
  /**
   * Finds `name`: an Inode with one reference for the caller, 0 when absent, or an errno (isErrPtr). `fresh` is a dentry of that name which
   * nobody else has yet: it may be given the one by which the directory lists what was found (dentryRename).
   */
  lookup: (dir: Inode, name: usize, length: u32, fresh: Dentry) => usize;
  /**
   * Makes a node of `mode` (regular, fifo, chr, blk, socket, dir); the new Inode (one reference) or an errno as pointer.
   * Length 0 (O_TMPFILE) makes a nameless regular file with nlink 0, or answers EOPNOTSUPP.
   */
  create: (dir: Inode, name: usize, length: u32, mode: u32, rdev: u64) => usize;
  symlink: (dir: Inode, name: usize, length: u32, target: usize, targetLength: u32) => usize;
  link: (dir: Inode, name: usize, length: u32, inode: Inode) => i32;
  unlink: (dir: Inode, name: usize, length: u32, inode: Inode) => i32;
  rmdir: (dir: Inode, name: usize, length: u32, inode: Inode) => i32;
  /** Atomically moves; `target` is the replaced inode or 0; flags RENAME_EXCHANGE handled with both present. */
  rename: (oldDir: Inode, oldName: usize, oldLength: u32, inode: Inode,
           newDir: Inode, newName: usize, newLength: u32, target: usize, flags: u32) => i32;
  /** Copies the target to linear `ptr` (at most `max` bytes); its length or -errno. */
  readlink: (inode: Inode, ptr: usize, max: u32) => i32;
  /** Magic links (/proc/self/fd/N): fills a Path and returns 1; 0 when the link is an ordinary one. */
  followLink: (inode: Inode, path: Path) => i32;
  truncate: (inode: Inode, size: u64) => i32;
  /** fallocate(2) with a FallocFlag mode, of a range within maxBytes; Inode.lock is held. 0 or -errno, EOPNOTSUPP for a mode it has not. */
  allocate: (inode: Inode, mode: u32, offset: u64, length: u64) => i32;
  /** Called before stat answers, so that synthetic files can refresh; 0 or -errno. */
  getattr: (inode: Inode) => i32;
  /** Mode, owner, time changes have been checked and stored in the inode; persist them. 0 or -errno. */
  setattr: (inode: Inode, valid: u32) => i32;
  /** The last reference fell and nlink is 0, or the cache drops it: free data. */
  evict: (inode: Inode) => void;
  /** Whether a cached (or negative) dentry may still be believed: procfs answers false for vanished pids. */
  revalidate: (dir: Inode, name: usize, length: u32, inode: usize) => bool;
}

@final @unmanaged
export class Path {
  mount: usize;  // Mount, one reference
  dentry: usize; // Dentry, one reference
}

/** A pointer-or-errno result: values in the top 4095 are negated errnos. */
export function isErrPtr(p: usize): bool {
  return p > <usize>-4096;
}

export function inodeOf(p: usize): Inode { return changetype<Inode>(p); } // SAFETY: p is an Inode field
export function dentryOf(p: usize): Dentry { return changetype<Dentry>(p); } // SAFETY: p is a Dentry field
export function mountOf(p: usize): Mount { return changetype<Mount>(p); } // SAFETY: p is a Mount field
export function fileOf(p: usize): File { return changetype<File>(p); } // SAFETY: p is a File field
export function superOf(p: usize): SuperBlock { return changetype<SuperBlock>(p); } // SAFETY: p is a SuperBlock field
export function inodeOpsOf(inode: Inode): InodeOps { return changetype<InodeOps>(inode.ops); } // SAFETY: set at creation
export function fileOpsOf(file: File): FileOps { return changetype<FileOps>(file.ops); } // SAFETY: set at open
