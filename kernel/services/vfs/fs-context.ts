/** FsContext: root directory, working directory and umask of a process (shared by CLONE_FS). */
@final @unmanaged
export class FsContext {
  refs: u32;        // atomic
  umask: u32;
  rootMount: usize; // Path root
  rootDentry: usize;
  cwdMount: usize;  // Path cwd
  cwdDentry: usize;
  lock0: u32;       // SpinLock by value, Rank.FD_TABLE: guards the four pointers when refs > 1
  lock1: u32;
  lock2: u32;
  lock3: u32;
}

/** A context at the root of the root mount with umask 022 and one reference, or null. */
export function fsContextNew(): FsContext | null { unreachable(); return null; }
export function fsContextClone(fs: FsContext): FsContext | null { unreachable(); return null; }
export function fsContextGet(fs: FsContext): FsContext { unreachable(); return fs; }
export function fsContextPut(fs: FsContext): void { unreachable(); }
/** SAFETY: `address` is an FsContext, as Process.fs. */
export function fsContextOf(address: u32): FsContext { return changetype<FsContext>(address); }
