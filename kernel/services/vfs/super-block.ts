/** Super blocks and file-system types. */
import { SuperBlock } from "./types";

/** A new super block with its own st_dev and one reference; null when memory is full. */
export function superAlloc(typeName: string, magic: u32): SuperBlock | null { unreachable(); return null; }
/**
 * Makes a file system mountable. `mount` gets the source and option strings (linear, NUL-terminated, never 0) and the
 * MS_* flags; it returns a SuperBlock with `root` set (superRootSet) and one reference, or an errno as pointer.
 */
export function fsTypeRegister(name: string, mount: (source: usize, flags: u32, options: usize) => usize): void { unreachable(); }
/** Makes the root dentry of `sb` from its root inode (consumes the caller's inode reference). 0 or -errno. */
export function superRootSet(sb: SuperBlock, rootInode: usize): i32 { unreachable(); return 0; }
