/** Bringing the VFS up, and the kernel's own small file operations. */
import { Dentry, FileOps } from "./types";

/** Caches, tmpfs, the root mount, the page hook of core/mm. Called once, before any process exists. */
export function vfsInit(): void { unreachable(); }
/** Unpacks the newc archive at [pa, pa + size) into the root; files unpacked or -errno. Malformed archives are logged. */
export function initramfsUnpack(pa: u64, size: u64): i32 { unreachable(); return 0; }
/** mkdir -p style helpers for boot, root credentials: 0 or -errno (EEXIST is fine to ignore). */
export function vfsMkdir(path: string, mode: u32): i32 { unreachable(); return 0; }
/** mount -t type source at target, as the kernel. */
export function vfsMount(source: string, target: string, typeName: string, flags: u32): i32 { unreachable(); return 0; }
/** Makes a node (directory, device, fifo…) in a directory dentry, past permission checks: for devtmpfs. 0 or -errno. */
export function vfsCreateIn(dir: Dentry, name: usize, length: u32, mode: u32, rdev: u64): i32 { unreachable(); return 0; }
/** What an open of a special file runs: S_IFCHR, S_IFBLK, S_IFIFO or S_IFSOCK. Their owners call it at init; ops.open picks the device by inode.rdev. */
export function specialFileOpsSet(kind: u32, ops: FileOps): void { unreachable(); }
