/**
 * The nouns of virtual memory: an address space and its areas (VMAs).
 *
 * Invariants  V1  areas of one address space never overlap; both ends are page aligned, start < end <= USER_TOP.
 *             V2  every present user entry of the page tables lies inside an area.
 *             V3  bit n of cpuMask is set while CPU n has the page tables loaded (and perhaps a little longer).
 * Locking     AddressSpace.lock (a sleeping Mutex, taken before any spinlock) guards the tree, the areas and the page
 *             tables. It is taken inside Inode.lock-holding code by faults in user copies, so nothing called with it
 *             held may take an Inode.lock. cpuMask and refs are atomic.
 * Units       start, end, va: bytes. pages: 4 KiB.
 */
@final @unmanaged
export class AddressSpace {
  refs: u32;          // atomic: processes and lookers (procfs)
  vmaCount: u32;
  lock0: u64;         // a Mutex held by value, 32 bytes
  lock1: u64;
  lock2: u64;
  lock3: u64;
  rootPa: u64;        // the PML4
  cpuMask: u64;       // V3
  tree: u32;          // Vma: root of the AVL tree
  first: u32;         // Vma with the lowest address
  lastHit: u32;       // Vma found by the latest lookup
  flags: u32;         // MmFlag
  mmapBase: u64;      // mappings without an address are placed below, downwards
  brkStart: u64;
  brkEnd: u64;
  stackTop: u64;      // end of the main stack's area
  totalPages: u64;    // size of all areas (RLIMIT_AS)
  dataPages: u64;     // private writable (RLIMIT_DATA)
  lockedPages: u64;   // areas with VmFlag.LOCKED (RLIMIT_MEMLOCK)
  rssAnon: u64;       // present pages that belong to this space (or are shared copy-on-write)
  rssFile: u64;       // present pages of files and shared memory
  peakRss: u64;       // most of rssAnon + rssFile before they fell: mmPeakPages
  codeStart: u64;     // set by exec, shown by procfs
  codeEnd: u64;
  dataStart: u64;
  dataEnd: u64;
  argStart: u64;
  argEnd: u64;
  envStart: u64;
  envEnd: u64;
  auxv: u32;          // linear copy of the auxiliary vector (exec owns it), or 0
  auxvBytes: u32;
  allNode: u64;       // a ListNode held by value: all address spaces
  owner: u32;         // services' Process that execed it, for the out-of-memory killer
  exeFile: u32;       // services' File of the executable, or 0
  vdsoBase: u64;
  dead: u32;          // Vma: taken out of the tree, freed by mmUnlock
  pad: u32;
  context: u64;       // P2 of pcid.ts
  flushes: u64;       // atomic: changes of entries that TLBs had to be told of (pcid.ts)
}

export const enum MmFlag {
  LOCK_FUTURE = 1, // mlockall(MCL_FUTURE)
  OOM_VICTIM = 2,  // being killed: faults take the kernel's reserve
}

@final @unmanaged
export class Vma {
  start: u64;
  end: u64;
  pgoff: u64;         // page of the file (or of the shared pages) that `start` shows; anonymous: start >> 12
  maxGap: u64;        // largest hole directly below any area of this subtree
  mm: u32;            // AddressSpace
  left: u32;          // Vma: tree links
  right: u32;
  parent: u32;
  height: u32;
  prev: u32;          // Vma: neighbours by address
  next: u32;
  flags: u32;         // VmFlag
  file: u32;          // services' File (one reference), or 0
  pages: u32;         // SharedPages of shared anonymous memory (one reference), or 0
  name: u32;          // a string shown by procfs ("[vdso]"), or 0
  twin: u32;          // Vma: its copy while a fork copies the tree
}

export const enum VmFlag {
  READ = 1,        // = PROT_READ
  WRITE = 2,       // = PROT_WRITE
  EXEC = 4,        // = PROT_EXEC
  PROT = 7,
  MAY_WRITE = 8,   // mprotect may add WRITE
  SHARED = 16,
  GROWS_DOWN = 32,
  LOCKED = 64,
  STACK = 128,     // the main stack
  HEAP = 256,      // brk
  HAS_ANON = 512,  // private file area with pages of its own
  NO_FORK = 1024,  // MADV_DONTFORK
  WIPE_FORK = 2048,
  NO_DUMP = 4096,
  NO_RESERVE = 8192,
  SPECIAL = 16384, // frames put there by the kernel (vDSO): no paging, no merging, no resizing
  MAY_EXEC = 32768,
  MAY_READ = 65536,
  RANDOM_READ = 131072, // MADV_RANDOM: no fault-around
  IO = 262144,     // device memory
  TRACKED = 524288, // shared, of a file that is asked before a page becomes writable (FileMmap.TRACKED)
}

/** SAFETY: `address` is an AddressSpace or 0, as every u32 field documented so. */
export function mmOf(address: u32): AddressSpace {
  return changetype<AddressSpace>(address);
}

/** SAFETY: `address` is a Vma or 0, as every u32 field documented so. */
export function vmaOf(address: u32): Vma {
  return changetype<Vma>(address);
}

export function mmPtr(mm: AddressSpace): u32 {
  return <u32>changetype<usize>(mm);
}

export function vmaPtr(vma: Vma): u32 {
  return <u32>changetype<usize>(vma);
}

export function vmaPages(vma: Vma): u64 {
  return (vma.end - vma.start) >> 12;
}
