/** The page cache of one inode: a radix tree from page index to pfn. */
import { Inode } from "./types";

/** The pfn of page `index` with one extra frame reference; absent: a zeroed one when `create`, else 0; or -errno. */
export function pageCacheGet(inode: Inode, index: u64, create: bool): i32 { unreachable(); return 0; }
/** Frees every page with index >= `first`. */
export function pageCacheTruncate(inode: Inode, first: u64): void { unreachable(); }
