/**
 * What memory management asks of the services above it, as function tables they fill at boot.
 *
 *   slot         may sleep  returns
 *   getPage      yes        pfn of page `index` of `file`, one reference for the caller; -FAULT beyond the end of the
 *                           file (the program gets SIGBUS), else another -errno. forWrite: a hole must be filled and
 *                           the page may be changed through a shared mapping (TRACKED: it is asked for each page that
 *                           becomes writable). A pfn beyond RAM is device memory.
 *   cachedPages  no         stores up to `count` u32 pfns at `outPtr` for pages index, index + 1, …: 0 where the page is
 *                           not cached or lies beyond the end; each other with one reference; how many are not 0
 *   fileRef      no         nothing: adds `delta` (+1 or -1) references to `file`; -1 may be the last
 *   fileMmap     yes        -errno when `file` must not be mapped so (access, kind, seals; ACCES, NODEV, PERM), else
 *                           FileMmap. prot and flags are mmap's.
 *   fileSync     yes        0 when what was written to `file` is on its medium, else -errno; without AddressSpace.lock
 *   limit        no         soft limit of RLIMIT number `resource` of the calling process (~0: none)
 *   random       no         64 random bits for address-space layout
 *   oomKill      no         sends SIGKILL to the process using most memory (logs it); 0 when there is nobody to kill
 *   cacheShrink  yes        frees names and other things kept only because they may be used again; how many
 *   mayLockAny   no         1 when the caller has CAP_IPC_LOCK
 *
 * Locking  none of them may take an Inode.lock or this mm's lock: they run inside page faults with AddressSpace.lock.
 */
@final @unmanaged
export class MmHooks {
  getPage: (file: usize, index: u64, forWrite: u32) => i32;
  cachedPages: (file: usize, index: u64, count: u32, outPtr: usize) => u32;
  fileRef: (file: usize, delta: i32) => void;
  fileMmap: (file: usize, prot: u32, flags: u32) => i32;
  fileSync: (file: usize) => i32;
  limit: (resource: u32) => u64;
  random: () => u64;
  oomKill: () => u32;
  mayLockAny: () => u32;
  cacheShrink: () => u32;
}
export const MM_HOOKS = changetype<MmHooks>(memory.data(offsetof<MmHooks>()));

/** Answers of fileMmap. */
export const enum FileMmap {
  PAGES = 0, // pages come from getPage
  ANON = 1,  // treat the mapping as anonymous (/dev/zero)
  IO = 2,    // device memory: never copied, never counted
  TRACKED = 3, // as PAGES, and the file must know which of them a shared mapping may write to
}

const ENODEV: i32 = 19;
let randomState: u64 = 0x9e3779b97f4a7c15;

function noPage(file: usize, index: u64, forWrite: u32): i32 { return -ENODEV; }
function noCachedPages(file: usize, index: u64, count: u32, outPtr: usize): u32 {
  memory.fill(outPtr, 0, count << 2);
  return 0;
}
function noFileRef(file: usize, delta: i32): void {}
function noFileMmap(file: usize, prot: u32, flags: u32): i32 { return -ENODEV; }
function noFileSync(file: usize): i32 { return 0; }
function noLimit(resource: u32): u64 { return ~<u64>0; }
function noOomKill(): u32 { return 0; }
function noCache(): u32 { return 0; }
function noLockRight(): u32 { return 1; }

/** splitmix64, until a real source of randomness is installed. */
function weakRandom(): u64 {
  randomState += 0x9e3779b97f4a7c15;
  let z = randomState;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/** Every slot answers "nothing there" until its owner installs itself. */
export function mmHooksInit(): void {
  MM_HOOKS.getPage = noPage;
  MM_HOOKS.cachedPages = noCachedPages;
  MM_HOOKS.fileRef = noFileRef;
  MM_HOOKS.fileMmap = noFileMmap;
  MM_HOOKS.fileSync = noFileSync;
  MM_HOOKS.limit = noLimit;
  MM_HOOKS.random = weakRandom;
  MM_HOOKS.oomKill = noOomKill;
  MM_HOOKS.mayLockAny = noLockRight;
  MM_HOOKS.cacheShrink = noCache;
}

/** Installs the file side (VFS). */
export function mmFilePageHookSet(
  getPage: (file: usize, index: u64, forWrite: u32) => i32,
  cachedPages: (file: usize, index: u64, count: u32, outPtr: usize) => u32,
  fileRef: (file: usize, delta: i32) => void,
  fileMmap: (file: usize, prot: u32, flags: u32) => i32,
  fileSync: (file: usize) => i32,
): void {
  MM_HOOKS.getPage = getPage;
  MM_HOOKS.cachedPages = cachedPages;
  MM_HOOKS.fileRef = fileRef;
  MM_HOOKS.fileMmap = fileMmap;
  MM_HOOKS.fileSync = fileSync;
}

/** Installs what gives back cached names when memory is full (VFS). */
export function mmCacheHookSet(shrink: () => u32): void {
  MM_HOOKS.cacheShrink = shrink;
}

/** Installs the process side (PROC). */
export function mmProcessHooksSet(
  limit: (resource: u32) => u64, mayLockAny: () => u32, oomKill: () => u32,
): void {
  MM_HOOKS.limit = limit;
  MM_HOOKS.mayLockAny = mayLockAny;
  MM_HOOKS.oomKill = oomKill;
}

/** Installs the kernel's random generator. */
export function mmRandomHookSet(random: () => u64): void {
  MM_HOOKS.random = random;
}
