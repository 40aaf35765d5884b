/**
 * FsContext: root directory, working directory and umask of a process (shared by CLONE_FS).
 *
 * Invariants  X1  both paths hold a reference on their mount and dentry.
 * Locking     dentryLock guards the four pointers: a walk reads them in the same hold it starts in.
 */
import { SlabCache, slabAlloc, slabFree, slabInit } from "../../core/mm/slab";
import { currentTask } from "../../core/sched/cpu";
import { processOf } from "../process/process";
import { dentryOf, mountOf } from "./types";
import { dcacheLock, dcacheUnlock, dentryGet, dentryPut } from "./dcache";
import { mountGet, mountPut, mountRoot } from "./mount";

@final @unmanaged
export class FsContext {
  refs: u32;        // atomic
  umask: u32;
  rootMount: usize; // Path root
  rootDentry: usize;
  cwdMount: usize;  // Path cwd
  cwdDentry: usize;
}

const FS_SLAB = changetype<SlabCache>(memory.data(offsetof<SlabCache>(), 64));
/** The context of code that runs without a process. */
const BOOT_FS = changetype<FsContext>(memory.data(offsetof<FsContext>(), 8));

export function fsContextInit(): void {
  slabInit(FS_SLAB, "fs-context", offsetof<FsContext>());
}

/** SAFETY: `address` is an FsContext, as Process.fs. */
export function fsContextOf(address: u32): FsContext { return changetype<FsContext>(address); }

/** The caller's context; without a process the root of everything. */
export function fsNow(): FsContext {
  const process = currentTask().process;
  return process ? fsContextOf(processOf(process).fs) : BOOT_FS;
}

/** After the root mount changed: where the kernel itself stands. */
export function fsContextBootSet(): void {
  fillAtRoot(BOOT_FS);
}

function fillAtRoot(fs: FsContext): void {
  const mount = mountRoot();
  fs.refs = 1;
  fs.umask = 0o022;
  fs.rootMount = changetype<usize>(mountGet(mount));
  fs.rootDentry = changetype<usize>(dentryGet(dentryOf(mount.root)));
  fs.cwdMount = changetype<usize>(mountGet(mount));
  fs.cwdDentry = changetype<usize>(dentryGet(dentryOf(mount.root)));
}

/** A context at the root of the root mount with umask 022 and one reference, or null. */
export function fsContextNew(): FsContext | null {
  const ptr = slabAlloc(FS_SLAB);
  if (!ptr) return null;
  const fs = fsContextOf(ptr);
  fillAtRoot(fs);
  return fs;
}

export function fsContextClone(fs: FsContext): FsContext | null {
  const ptr = slabAlloc(FS_SLAB);
  if (!ptr) return null;
  const copy = fsContextOf(ptr);
  dcacheLock();
  memory.copy(ptr, changetype<usize>(fs), offsetof<FsContext>());
  mountGet(mountOf(copy.rootMount));
  mountGet(mountOf(copy.cwdMount));
  dentryGet(dentryOf(copy.rootDentry));
  dentryGet(dentryOf(copy.cwdDentry));
  dcacheUnlock();
  copy.refs = 1;
  return copy;
}

export function fsContextGet(fs: FsContext): FsContext {
  atomic.add<u32>(changetype<usize>(fs), 1);
  return fs;
}

export function fsContextPut(fs: FsContext): void {
  if (atomic.sub<u32>(changetype<usize>(fs), 1) != 1) return;
  dentryPut(dentryOf(fs.rootDentry));
  mountPut(mountOf(fs.rootMount));
  dentryPut(dentryOf(fs.cwdDentry));
  mountPut(mountOf(fs.cwdMount));
  slabFree(FS_SLAB, changetype<usize>(fs));
}

/** Moves the working directory, consuming the references. */
export function fsCwdSet(fs: FsContext, mount: usize, dentry: usize): void {
  dcacheLock();
  const oldMount = fs.cwdMount;
  const oldDentry = fs.cwdDentry;
  fs.cwdMount = mount;
  fs.cwdDentry = dentry;
  dcacheUnlock();
  dentryPut(dentryOf(oldDentry));
  mountPut(mountOf(oldMount));
}

/** Moves the root directory, consuming the references. */
export function fsRootSet(fs: FsContext, mount: usize, dentry: usize): void {
  dcacheLock();
  const oldMount = fs.rootMount;
  const oldDentry = fs.rootDentry;
  fs.rootMount = mount;
  fs.rootDentry = dentry;
  dcacheUnlock();
  dentryPut(dentryOf(oldDentry));
  mountPut(mountOf(oldMount));
}
