/** Inodes: allocation, references, default operations. */
import { Inode, InodeOps, SuperBlock } from "./types";

/** A new inode of `sb` with one reference, the next number, current times and default ops; null when memory is full. */
export function inodeAlloc(sb: SuperBlock): Inode | null { unreachable(); return null; }
export function inodeGet(inode: Inode): Inode { unreachable(); return inode; }
/** Drops one reference; the last one calls ops.evict and frees. */
export function inodePut(inode: Inode): void { unreachable(); }
export function inodeLock(inode: Inode): void { unreachable(); }
export function inodeUnlock(inode: Inode): void { unreachable(); }
/** Fills every slot with the answer of a file system that cannot do it; call first, then set what you have. */
export function inodeOpsDefaults(ops: InodeOps): void { unreachable(); }
