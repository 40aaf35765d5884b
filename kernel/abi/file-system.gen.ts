/**
 * Where the fields of calls lie in the window; R_ fields are the reply's.
 *
 * Generated from kernel/abi/protocol/file-system.ts by toolchain/protocol; do not edit.
 */
export const enum FsMethod { MOUNT = 1, ATTACH = 2, UNMOUNT = 3, LOOKUP = 4, READDIR = 5, CREATE = 6, MKDIR = 7, UNLINK = 8, RMDIR = 9, RENAME = 10, SETATTR = 11, EXTENTS = 12, ALLOCATE = 13, TRUNCATE = 14, RELEASE = 15, STATFS = 16, SYNC = 17 }
export const FS_WINDOW_BYTES: u32 = 65536;
export const FS_REPLY_OFFSET: u32 = 8192;
export const FS_NAME_BYTES: u32 = 768;

// ---- Structures ----

export const enum FsNode { N0 = 0, N1 = 8, BYTES = 16 }
export const enum FsAttributes { MODE = 0, NLINK = 4, UID = 8, GID = 12, INO = 16, SIZE = 24, BLOCKS = 32, ATIME_NS = 40, MTIME_NS = 48, CTIME_NS = 56, BTIME_NS = 64, BYTES = 72 }
export const enum FsEntry { NODE = 0, ATTRIBUTES = 16, POSITION = 88, NAME = 96, BYTES = 872 }
export const enum FsExtent { FILE_BLOCK = 0, DEVICE_BLOCK = 8, BLOCKS = 16, BYTES = 24 }

// ---- Methods ----

export const enum FsMount { READ_ONLY = 0, OPTIONS = 4, R_ROOT = 8192, R_ATTRIBUTES = 8208, R_BLOCK_BYTES = 8280, R_NAME_MAX = 8284, R_DEVICE_START = 8288, R_MAX_BYTES = 8296, R_FLAGS = 8304, R_MAGIC = 8308, R_BLOCKS_FREE = 8312, R_MTIME_STEP_NS = 8320, R_ATIME_STEP_NS = 8328, REQUEST_END = 776, REPLY_END = 8336 }
export const enum FsAttach { READ_ONLY = 0, OPTIONS = 4, R_ROOT = 8192, R_ATTRIBUTES = 8208, R_BLOCK_BYTES = 8280, R_NAME_MAX = 8284, R_DEVICE_START = 8288, R_MAX_BYTES = 8296, R_FLAGS = 8304, R_MAGIC = 8308, R_BLOCKS_FREE = 8312, R_MTIME_STEP_NS = 8320, R_ATIME_STEP_NS = 8328, REQUEST_END = 776, REPLY_END = 8336 }
export const enum FsUnmount { REQUEST_END = 0, REPLY_END = 8192 }
export const enum FsLookup { DIR = 0, NAME = 16, R_NODE = 8192, R_ATTRIBUTES = 8208, R_NAME = 8280, REQUEST_END = 792, REPLY_END = 9056 }
export const enum FsReaddir { DIR = 0, POSITION = 16, R_ENTRIES = 8192, R_ENTRIES_AT = 8200, R_ENTRIES_MOST = 48, REQUEST_END = 24, REPLY_END = 50056 }
export const enum FsCreate { DIR = 0, TIME_NS = 16, MODE = 24, NAME = 28, R_NODE = 8192, R_DIR = 8208, R_ATTRIBUTES = 8224, R_BLOCKS_FREE = 8296, REQUEST_END = 800, REPLY_END = 8304 }
export const enum FsMkdir { DIR = 0, TIME_NS = 16, MODE = 24, NAME = 28, R_NODE = 8192, R_DIR = 8208, R_ATTRIBUTES = 8224, R_BLOCKS_FREE = 8296, REQUEST_END = 800, REPLY_END = 8304 }
export const enum FsUnlink { DIR = 0, NODE = 16, TIME_NS = 32, NAME = 40, R_NODE = 8192, REQUEST_END = 816, REPLY_END = 8208 }
export const enum FsRmdir { DIR = 0, NODE = 16, TIME_NS = 32, NAME = 40, R_NODE = 8192, REQUEST_END = 816, REPLY_END = 8208 }
export const enum FsRename { OLD_DIR = 0, NODE = 16, NEW_DIR = 32, VICTIM = 48, TIME_NS = 64, HAS_VICTIM = 72, OLD_NAME = 76, NEW_NAME = 848, R_NODE = 8192, R_VICTIM = 8208, R_BLOCKS_FREE = 8224, REQUEST_END = 1624, REPLY_END = 8232 }
export const enum FsSetattr { NODE = 0, ATIME_NS = 16, MTIME_NS = 24, VALID = 32, MODE = 36, R_NODE = 8192, R_ATTRIBUTES = 8208, REQUEST_END = 40, REPLY_END = 8280 }
export const enum FsExtents { NODE = 0, FILE_BLOCK = 16, BLOCKS = 24, R_EXTENTS = 8192, R_EXTENTS_AT = 8200, R_EXTENTS_MOST = 256, REQUEST_END = 32, REPLY_END = 14344 }
export const enum FsAllocate { NODE = 0, HAVE = 16, BLOCKS = 24, SIZE = 32, TIME_NS = 40, R_NODE = 8192, R_BLOCKS = 8208, R_BLOCKS_FREE = 8216, R_EXTENTS = 8224, R_EXTENTS_AT = 8232, R_EXTENTS_MOST = 256, REQUEST_END = 48, REPLY_END = 14376 }
export const enum FsTruncate { NODE = 0, BLOCKS = 16, SIZE = 24, TIME_NS = 32, TAIL_BLOCK = 40, R_NODE = 8192, R_TAIL = 8208, R_ATTRIBUTES = 8224, R_BLOCKS_FREE = 8296, REQUEST_END = 48, REPLY_END = 8304 }
export const enum FsRelease { NODE = 0, R_BLOCKS_FREE = 8192, REQUEST_END = 16, REPLY_END = 8200 }
export const enum FsStatfs { R_BLOCKS = 8192, R_BLOCKS_FREE = 8200, R_FILES = 8208, R_FILES_FREE = 8216, REQUEST_END = 0, REPLY_END = 8224 }
export const enum FsSync { CLEAN = 0, REQUEST_END = 8, REPLY_END = 8192 }
