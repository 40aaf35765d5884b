/** Constants of the file-system protocol (kernel/abi/protocol/file-system.ts). */
/** w1 of a call that a dead server had under way. */
export const FS_REPEATED: u64 = 1;
/** Live mounts of one type. */
export const FS_MOUNTS: u32 = 16;

/** NO_HOLES: every block up to the size exists; blocks between are zeroed by the kernel. FOLD_CASE: ASCII letters of names compare without case, and dots at the end do not count. QUIET: a new owner that
 * cannot be kept is no error. */
export const enum FsMountFlag { NO_HOLES = 1, FOLD_CASE = 2, READ_ONLY = 4, QUIET = 8 }
export const enum FsValid { MODE = 1, ATIME = 2, MTIME = 4 }
