/** What core/mm asks of files: pages, references, and whether a mapping is allowed. */
import { Errno } from "../../abi/errno";
import { mmCacheHookSet, mmFilePageHookSet } from "../../core/mm/mm-hooks";
import { File, FileRight, fileOf, fileOpsOf, inodeOf, mountOf } from "./types";
import { fileGet, filePut } from "./file";
import { dcacheShrink } from "./dcache";
import { MountFlag } from "./mount";
import { servedPagesTrim } from "./served/inode";
import { tmpfsFileOps } from "./tmpfs";
import { pageCacheFindMany } from "./page-cache";

const SHRINK_ALL: u32 = 0x7fffffff;
const PROT_WRITE: u32 = 2;
const PROT_EXEC: u32 = 4;
const MAP_SHARED: u32 = 1;
/** memfd seals that forbid a new writable mapping: F_SEAL_WRITE, F_SEAL_FUTURE_WRITE. */
const SEALS_WRITE: u32 = 8 | 16;

export function mmapHooksInit(): void {
  mmFilePageHookSet(hookGetPage, hookCachedPages, hookFileRef, hookFileMmap, hookFileSync);
  mmCacheHookSet(hookCacheShrink);
}

/** Every page that can be read again, and every name nobody holds, those used lately too: memory is full. */
function hookCacheShrink(): u32 {
  const freed = servedPagesTrim(SHRINK_ALL) + dcacheShrink(SHRINK_ALL);
  return freed + dcacheShrink(SHRINK_ALL);
}

function hookGetPage(file: usize, index: u64, forWrite: u32): i32 {
  return fileOpsOf(fileOf(file)).mmapPage(fileOf(file), index, forWrite);
}

/** Only files whose data is their page cache can map pages around a fault. */
function hookCachedPages(file: usize, index: u64, count: u32, outPtr: usize): u32 {
  const f = fileOf(file);
  memory.fill(outPtr, 0, count << 2);
  if (f.ops != changetype<usize>(tmpfsFileOps())) return 0;
  const inode = inodeOf(f.inode);
  const end = (inode.size + 4095) >> 12;
  if (index >= end) return 0;
  return pageCacheFindMany(inode, index, <u32>min<u64>(count, end - index), outPtr);
}

function hookFileRef(file: usize, delta: i32): void {
  if (delta > 0) fileGet(fileOf(file));
  else filePut(fileOf(file));
}

function hookFileMmap(file: usize, prot: u32, flags: u32): i32 {
  const f = fileOf(file);
  const sharesWrites = (flags & MAP_SHARED) != 0 && (prot & PROT_WRITE) != 0;
  if (f.mode & FileRight.PATH_ONLY) return -(<i32>Errno.BADF);
  if (!(f.mode & FileRight.READ)) return -(<i32>Errno.ACCES);
  if (sharesWrites && !(f.mode & FileRight.WRITE)) return -(<i32>Errno.ACCES);
  if (prot & PROT_EXEC && f.mount && mountOf(f.mount).flags & MountFlag.NOEXEC) return -(<i32>Errno.PERM);
  if (sharesWrites && fileSeals(f) & SEALS_WRITE) return -(<i32>Errno.PERM);
  return fileOpsOf(f).mmap(f, prot, flags);
}

/** Files that have nothing to bring anywhere (devices, capabilities' memory) are as they should be. */
function hookFileSync(file: usize): i32 {
  const f = fileOf(file);
  const result = fileOpsOf(f).fsync(f);
  return result == -(<i32>Errno.INVAL) ? 0 : result;
}

/** Seals belong to the inode; memfd keeps them in Inode.data3. */
export function fileSeals(file: File): u32 {
  return file.ops == changetype<usize>(tmpfsFileOps()) ? inodeOf(file.inode).data3 : 0;
}
