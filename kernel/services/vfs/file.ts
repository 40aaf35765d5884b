/** Open file descriptions. */
import { File, FileOps } from "./types";

export function fileGet(file: File): File { unreachable(); return file; }
/** Drops one reference; the last one calls ops.release. May sleep. */
export function filePut(file: File): void { unreachable(); }
/** Fills every slot with the answer of a file that cannot do it (EINVAL, ENOTTY, ESPIPE for seek…); then set what you have. */
export function fileOpsDefaults(ops: FileOps): void { unreachable(); }
/** A File with one reference on an anonymous inode named `name` ("pipe", "[eventpoll]"), flags = O_*; or an errno as pointer. */
export function fileAllocAnon(ops: FileOps, name: string, flags: u32): usize { unreachable(); return 0; }
/** Opens a path (linear bytes) as the kernel; a File with one reference or an errno as pointer. */
export function fileOpenKernel(path: usize, length: u32, flags: u32): usize { unreachable(); return 0; }
/** The same with a string literal. */
export function fileOpenName(path: string, flags: u32): usize { unreachable(); return 0; }
/** Opens for execve: regular, executable by the caller, writers denied until the last filePut. `path` NUL-terminated linear. */
export function fileOpenExec(dirFd: i32, path: usize, atFlags: u32): usize { unreachable(); return 0; }
/** Reads into linear `ptr`; bytes read or -errno. */
export function fileReadKernel(file: File, ptr: usize, count: u32, pos: u64): i64 { unreachable(); return 0; }
export function fileWriteKernel(file: File, ptr: usize, count: u32, pos: u64): i64 { unreachable(); return 0; }
