/** Path walk. */
import { File, Path } from "./types";

export const AT_FDCWD: i32 = -100;
export const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
export const AT_REMOVEDIR: u32 = 0x200;
export const AT_SYMLINK_FOLLOW: u32 = 0x400;
export const AT_NO_AUTOMOUNT: u32 = 0x800;
export const AT_EMPTY_PATH: u32 = 0x1000;

/** Walks the NUL-terminated linear `path` from `dirFd`; AT_* flags; fills `out` (pathPut it) and returns 0, or -errno. */
export function pathLookup(dirFd: i32, path: usize, flags: u32, out: Path): i32 { unreachable(); return 0; }
/** The same with a user string. */
export function pathLookupUser(dirFd: i32, pathVa: u64, flags: u32, out: Path): i32 { unreachable(); return 0; }
export function pathGet(path: Path): void { unreachable(); }
export function pathPut(path: Path): void { unreachable(); }
/** Writes the absolute name of `path` as seen from the caller's root (" (deleted)" appended when unlinked) to linear `ptr`; its length (no NUL) or -ENAMETOOLONG. */
export function pathToBytes(path: Path, ptr: usize, max: u32): i32 { unreachable(); return 0; }
/** The same for an open file ("pipe:[12]", "anon_inode:[eventpoll]"). */
export function fileNameBytes(file: File, ptr: usize, max: u32): i32 { unreachable(); return 0; }
