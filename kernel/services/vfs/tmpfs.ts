/** tmpfs: files whose only home is the page cache. */

/** A mountable tmpfs super block under another type name (devtmpfs), or an errno as pointer. */
export function tmpfsSuperNew(typeName: string, options: usize): usize { unreachable(); return 0; }
/** An unlinked tmpfs regular file opened with `flags` (memfd_create, shared anonymous memory); File or errno as pointer. */
export function tmpfsAnonFile(name: usize, nameLength: u32, size: u64, flags: u32): usize { unreachable(); return 0; }
