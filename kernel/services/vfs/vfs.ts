/** Bringing the VFS up: caches, tables, the root tmpfs. */
import { totalPageCount } from "../../core/mm/buddy";
import { shmemPagesLeft } from "../../core/mm/shmem";
import { FileMode, SuperBlock, dentryOf, inodeOf, isErrPtr, superOf } from "./types";
import { anonMountInit } from "./anon-mount";
import { credentialsInit } from "./credentials";
import { dcacheInit } from "./dcache";
import { fdTableInit } from "./fd-table";
import { fileInit } from "./file";
import { fileLockInit } from "./file-lock";
import { fileIoInit } from "./file-io";
import { FILE_OPS_NONE, fileOpsDefaults } from "./file-ops";
import { fsContextBootSet, fsContextInit } from "./fs-context";
import { inodeInit } from "./inode";
import { mmapHooksInit } from "./mmap-hooks";
import { mountAttach, mountInit, mountNew, mountRootSet } from "./mount";
import { pageCacheInit } from "./page-cache";
import { renameInit } from "./rename";
import { sizeSignalInit } from "./size-signal";
import { specialInit } from "./special";
import { fsTypeRegister, superInit } from "./super-block";
import { tmpfsInit, tmpfsMount, tmpfsSuperNew } from "./tmpfs";

export { vfsCreateIn, vfsMkdir, vfsMknod } from "./kernel-files";
export { vfsMount } from "./sys-mount";
export { specialFileOpsSet } from "./special";
export { initramfsProblem, initramfsUnpack } from "./cpio";

/** Bucket counts and cache sizes follow the RAM between these bounds. */
const BUCKETS_MIN: u32 = 1024;
const BUCKETS_MAX: u32 = 65536;

/** Caches, tmpfs, the root mount, the page hook of core/mm. Called once, before any process exists. */
export function vfsInit(): void {
  credentialsInit();
  fileOpsDefaults(FILE_OPS_NONE);
  inodeInit();
  specialInit();
  superInit();
  mountInit();
  const buckets = bucketsFor(<u32>totalPageCount());
  dcacheInit(buckets, buckets << 1);
  fileInit();
  fileLockInit();
  fileIoInit();
  sizeSignalInit();
  renameInit();
  fdTableInit();
  fsContextInit();
  pageCacheInit();
  tmpfsInit();
  fsTypeRegister("tmpfs", tmpfsMount);
  rootMountMake();
  anonMountInit();
  mmapHooksInit();
}

/** One bucket for 16 pages of RAM, as a power of two. */
function bucketsFor(pages: u32): u32 {
  let buckets = BUCKETS_MIN;
  while (buckets < BUCKETS_MAX && buckets << 4 < pages) buckets <<= 1;
  return buckets;
}

function rootMountMake(): void {
  store<u64>(ROOT_NAME, 0x746f6f72); // "root"
  store<u64>(ROOT_NAME + 8, 0);
  const made = tmpfsSuperNew("tmpfs", ROOT_NAME + 8);
  assert(!isErrPtr(made));
  const sb = superOf(made);
  rootSuperSet(sb);
  const mount = mountNew(sb, dentryOf(sb.root), 0, ROOT_NAME);
  assert(mount);
  mountRootSet(mount!);
  mountAttach(mount!, 0, 0);
  fsContextBootSet();
}
const ROOT_NAME: usize = memory.data(16, 8);

/** The root may take what all file systems in memory may take together, and is nobody else's to write. */
function rootSuperSet(sb: SuperBlock): void {
  sb.maxPages = shmemPagesLeft();
  inodeOf(dentryOf(sb.root).inode).mode = FileMode.IFDIR | 0o755;
}
