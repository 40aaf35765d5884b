/** Constants of the file-system protocol (kernel/abi/protocol/file-system.ts) and the operations of a FILE_SYSTEM port. */
/** w1 of a call that a dead server had under way. */
export const FS_REPEATED: u64 = 1;
/** Live mounts of one type. */
export const FS_MOUNTS: u32 = 16;

/** NO_HOLES: every block up to the size exists; blocks between are zeroed by the kernel. FOLD_CASE: ASCII letters of names compare without case, and dots at the end do not count. QUIET: a new owner that
 * cannot be kept is no error. */
export const enum FsMountFlag { NO_HOLES = 1, FOLD_CASE = 2, READ_ONLY = 4, QUIET = 8 }
export const enum FsValid { MODE = 1, ATIME = 2, MTIME = 4 }

/** service_call on a FILE_SYSTEM port. `mount`: a number the kernel named in a call. Results: 0 or more, or a negated errno. */
export const enum FileSystemOp {
  /** a0 = va of the type's name (NUL-terminated, at most 15 bytes), a1 = endpoint. The window's MEMORY handle. EEXIST: another server has the type. */
  REGISTER = 1,
  /** a0 = mount, a1 = byte offset, a2 = va, a3 = bytes (at most 1 MiB). Through the kernel's buffer cache. */
  READ = 2,
  /**
   * a0 = mount, a1 = va of BlockWrite[] (kernel/abi/block-ring.ts), a2 = count (at most 256; 512 KiB in all). All of it or nothing is
   * done, as far as servers see. The medium gets it later, sector by sector, in any order but that of the pieces' stages. EROFS.
   */
  COMMIT = 3,
  /** a0 = mount. Bytes of the device. */
  DEVICE_BYTES = 4,
}
