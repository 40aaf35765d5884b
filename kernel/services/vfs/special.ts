/**
 * Special files: what an open of a device, FIFO or socket node runs.
 *
 * The owner of each kind installs one table at boot; its `open` finds the driver by inode.rdev (or makes the pipe)
 * and replaces file.ops. Until then an open answers ENXIO.
 */
import { Errno } from "../../abi/errno";
import { File, FileMode, FileOps, Inode } from "./types";
import { fileOpsDefaults } from "./file-ops";

const SPECIAL_NONE = changetype<FileOps>(memory.data(offsetof<FileOps>()));
/** FileOps pointers, indexed by S_IF* >> 12. */
const SPECIAL_TABLE: usize = memory.data(16 * 4, 4);

function specialOpenNone(inode: Inode, file: File): i32 {
  return -(<i32>Errno.NXIO);
}

export function specialInit(): void {
  fileOpsDefaults(SPECIAL_NONE);
  SPECIAL_NONE.open = specialOpenNone;
  for (let i: usize = 0; i < 16; i++) {
    if (!load<usize>(SPECIAL_TABLE + (i << 2))) store<usize>(SPECIAL_TABLE + (i << 2), changetype<usize>(SPECIAL_NONE));
  }
}

/** What an open of a special file runs: S_IFCHR, S_IFBLK, S_IFIFO or S_IFSOCK. Nodes made earlier see it too. */
export function specialFileOpsSet(kind: u32, ops: FileOps): void {
  store<usize>(SPECIAL_TABLE + ((kind >> 12 & 15) << 2), changetype<usize>(ops));
}

/** The table for an inode of `mode`. */
export function specialFileOps(mode: u32): usize {
  return load<usize>(SPECIAL_TABLE + ((mode >> 12 & 15) << 2));
}

/** True for devices, FIFOs and sockets. */
export function modeIsSpecial(mode: u32): bool {
  const kind = mode & <u32>FileMode.IFMT;
  return kind != FileMode.IFREG && kind != FileMode.IFDIR && kind != FileMode.IFLNK;
}
