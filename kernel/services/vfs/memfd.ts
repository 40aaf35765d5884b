/**
 * memfd_create and seals: a tmpfs file without a place, whose owner can promise not to change it any more.
 *
 *   Inode.data2  1 for a memfd     Inode.data3  its seals
 *
 * Spec  memfd_create(2), fcntl(2) F_ADD_SEALS.
 */
import { Errno } from "../../abi/errno";
import { File, FileRight, Inode, OpenFlag, fileOf, inodeOf, isErrPtr } from "./types";
import { DentryFlag, dentryAlloc } from "./dcache";
import { inodeGet, inodeLock, inodePut, inodeUnlock } from "./inode";
import { mountGet } from "./mount";
import { anonMount } from "./anon-mount";
import { filePut } from "./file";
import { fdInstall } from "./fd-table";
import { pathFetch } from "./path-buffer";
import { tmpfsAnonFile, tmpfsFileOps } from "./tmpfs";
import { bytesLength } from "./name";

const MFD_CLOEXEC: u32 = 1;
const MFD_ALLOW_SEALING: u32 = 2;
/** "memfd:" goes in front, and 255 bytes are the longest name. */
const NAME_LIMIT: u32 = 249;
const F_SEAL_SEAL: u32 = 1;
const SEALS_KNOWN: u32 = 31;
const F_ADD_SEALS: u32 = 1033;

export function sysMemfdCreate(nameVa: u64, flags: u32): i64 {
  if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING)) return -(<i64>Errno.INVAL);
  const name = pathFetch(nameVa);
  if (isErrPtr(name)) return <i32>name;
  const length = bytesLength(name);
  if (length > NAME_LIMIT) return -(<i64>Errno.INVAL);
  const made = memfdNew(name, length, (flags & MFD_ALLOW_SEALING) != 0);
  if (isErrPtr(made)) return <i32>made;
  const fd = fdInstall(fileOf(made), (flags & MFD_CLOEXEC) != 0);
  if (fd < 0) filePut(fileOf(made));
  return fd;
}

/** The file, with a dentry of its own that says "/memfd:name (deleted)"; or an errno as pointer. */
function memfdNew(name: usize, length: u32, maySeal: bool): usize {
  const made = tmpfsAnonFile("memfd", 0, OpenFlag.RDWR | OpenFlag.LARGEFILE);
  if (isErrPtr(made)) return made;
  const file = fileOf(made);
  const inode = inodeOf(file.inode);
  file.mode |= FileRight.SEEKABLE;
  inode.data2 = 1;
  inode.data3 = maySeal ? 0 : F_SEAL_SEAL;
  memory.copy(name + 6, name, length);
  store<u32>(name, 0x666d656d); // "memf"
  store<u16>(name + 4, 0x3a64); // "d:"
  const d = dentryAlloc(0, inode.sb, 0, name, length + 6);
  if (!d) {
    filePut(file);
    return <usize>-(<i32>Errno.NOMEM);
  }
  d.inode = changetype<usize>(inodeGet(inode));
  d.flags |= DentryFlag.NAMELESS | DentryFlag.UNLINKED;
  file.dentry = changetype<usize>(d);
  file.mount = changetype<usize>(mountGet(anonMount()));
  inodePut(inode); // the dentry holds it now (O1 of file.ts)
  return made;
}

/** F_ADD_SEALS and F_GET_SEALS. */
export function fileSealsControl(file: File, cmd: u32, arg: u64): i64 {
  if (file.ops != changetype<usize>(tmpfsFileOps())) return -(<i64>Errno.INVAL);
  const inode = inodeOf(file.inode);
  if (cmd != F_ADD_SEALS) return inode.data2 ? inode.data3 : F_SEAL_SEAL;
  if (arg & ~(<u64>SEALS_KNOWN)) return -(<i64>Errno.INVAL);
  if (!(file.mode & FileRight.WRITE)) return -(<i64>Errno.PERM);
  inodeLock(inode);
  const r = sealsAddLocked(inode, <u32>arg);
  inodeUnlock(inode);
  return r;
}

function sealsAddLocked(inode: Inode, seals: u32): i64 {
  if (!inode.data2 || inode.data3 & F_SEAL_SEAL) return -(<i64>Errno.PERM);
  inode.data3 = inode.data3 | seals;
  return 0;
}
