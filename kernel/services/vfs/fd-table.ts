/** Descriptor tables. */
import { File } from "./types";

@final @unmanaged
export class FdTable {
  refs: u32;       // atomic: processes and threads sharing it
  capacity: u32;   // descriptors `slots` has room for
  slots: usize;    // File pointers
  openBits: usize; // bit per descriptor in use
  cloexecBits: usize;
  nextFree: u32;   // no free descriptor below it
  lock0: u32;      // SpinLock by value, Rank.FD_TABLE
  lock1: u32;
  lock2: u32;
  lock3: u32;
}

/** A new empty table with one reference, or null. */
export function fdTableNew(): FdTable | null { unreachable(); return null; }
/** A copy sharing the open files (fork), or null. */
export function fdTableClone(table: FdTable): FdTable | null { unreachable(); return null; }
export function fdTableGet(table: FdTable): FdTable { unreachable(); return table; }
/** Drops one reference; the last one closes every file. */
export function fdTablePut(table: FdTable): void { unreachable(); }
/** Closes what is marked close-on-exec (execve; the table must not be shared any more). */
export function fdTableCloseOnExec(table: FdTable): void { unreachable(); }
/** The file of descriptor `fd` of this process with a reference (filePut it), or null. */
export function fdGet(fd: i32): File | null { unreachable(); return null; }
/** Gives `file` the lowest free descriptor >= 0 and consumes the caller's reference; -EMFILE or -ENOMEM leave it with the caller. */
export function fdInstall(file: File, cloexec: bool): i32 { unreachable(); return 0; }
/** Installs into table `table` at exactly `fd`, for the first process. */
export function fdInstallAt(table: FdTable, fd: u32, file: File): i32 { unreachable(); return 0; }
export function fdClose(fd: i32): i32 { unreachable(); return 0; }
/** For procfs: the lowest open descriptor >= `from` in any table, or -1. */
export function fdTableNextOpen(table: FdTable, from: u32): i32 { unreachable(); return 0; }
/** For procfs: file of a descriptor in any table with a reference, or null. */
export function fdTableFile(table: FdTable, fd: u32): File | null { unreachable(); return null; }
/** SAFETY: `address` is an FdTable, as Process.files. */
export function fdTableOf(address: u32): FdTable { return changetype<FdTable>(address); }
