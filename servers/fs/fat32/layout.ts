/** FAT12, FAT16 and FAT32 on the device. Spec: Microsoft's "FAT: General Overview of On-Disk Format", version 1.03. */

/** Boot sector. */
export const enum Boot {
  SECTOR_BYTES = 11, CLUSTER_SECTORS = 13, RESERVED_SECTORS = 14, FATS = 16, ROOT_ENTRIES = 17, SECTORS_16 = 19, FAT_SECTORS_16 = 22, SECTORS_32 = 32,
  FAT_SECTORS_32 = 36, STATE_16 = 37, EXT_FLAGS = 40, VERSION = 42, ROOT_CLUSTER = 44, FS_INFO = 48, STATE_32 = 65, SIGNATURE = 510,
}
/** FSInfo sector. */
export const enum Info { LEAD = 0, STRUCT = 484, FREE = 488, NEXT = 492 }
export const INFO_LEAD: u32 = 0x41615252;
export const INFO_STRUCT: u32 = 0x61417272;
/** Entry of a directory. */
export const enum Slot {
  NAME = 0, ATTRIBUTES = 11, CASE = 12, BIRTH_TENTHS = 13, BIRTH_TIME = 14, BIRTH_DATE = 16, ACCESS_DATE = 18, CLUSTER_HIGH = 20, WRITE_TIME = 22,
  WRITE_DATE = 24, CLUSTER_LOW = 26, SIZE = 28, BYTES = 32,
}
/** Entry with a part of a long name. */
export const enum Long { ORDINAL = 0, ATTRIBUTES = 11, TYPE = 12, CHECKSUM = 13, CLUSTER = 26 }
export const LONG_CHARS: u32 = 13;
export const LONG_LAST: u32 = 0x40;
export const enum Attribute { READ_ONLY = 1, HIDDEN = 2, SYSTEM = 4, LABEL = 8, DIRECTORY = 16, ARCHIVE = 32, LONG = 15, LONG_MASK = 63 }
/**
 * Slot.CASE. MOVED: how often the entry was moved, modulo eight, in bits that nobody uses: of two entries with one chain, as a power cut in
 * a rename leaves them, the one that is a few moves further is the new one.
 */
export const enum CaseFlag { BASE = 8, EXTENSION = 16, MOVED = 0xc4 }
export const FREED: u32 = 0xe5;
/** Stands for a name that begins with FREED. */
export const KANJI: u32 = 0x05;

/** Entries of the FAT as FAT32 has them; table.ts translates those of 12 and 16 bits. */
export const ENTRY_MASK: u32 = 0x0fffffff;
export const CHAIN_END: u32 = 0x0ffffff8;
export const BAD: u32 = 0x0ffffff7;
/** FAT[1]: the volume was unmounted. FAT12 has only the mark in the boot sector. */
export const CLEAN_BIT: u32 = 0x08000000;
export const CLEAN_BIT_16: u32 = 0x8000;
/** Number of the first cluster-sized piece of a root directory outside the clusters (FAT12, FAT16): beyond every cluster of theirs. */
export const FIXED_ROOT: u32 = 0x00100000;
/** The most clusters of FAT12 and of FAT16. */
export const CLUSTERS_12: u32 = 4084;
export const CLUSTERS_16: u32 = 65524;

export const enum Err { NOENT = -2, IO = -5, EXIST = -17, NOTDIR = -20, INVAL = -22, NOSPC = -28, ROFS = -30, NAMETOOLONG = -36, NOTEMPTY = -39, NODEV = -19, UCLEAN = -117 }
