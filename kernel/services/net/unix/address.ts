/**
 * struct sockaddr_un: file-system names, abstract names (a leading NUL), and none.
 *
 * Spec  unix(7) "Address format".
 */
import { userCopyIn, userCopyOut, userLoad32, userStore32 } from "../../../../arch/current";
import { Errno } from "../../../abi/errno";
import { byteAt, bytesCopy, wordAt16, wordAt32, wordPut16 } from "../../../lib/bytes";
import { scratchPop, scratchPush } from "../../../core/sched/scratch";
import { AT_FDCWD, pathLookupUser } from "../../vfs/namei";
import { pathPut } from "../../vfs/mount";
import { inodeGet } from "../../vfs/inode";
import { FileMode, Path, dentryOf, inodeOf } from "../../vfs/types";
import { NAME_BYTES } from "./socket";

export const AF_UNIX: u32 = 1;
const FAMILY_BYTES: u32 = 2;
/** Room for a copied address. */
export const ADDRESS_BYTES: u32 = 112;

/** Copies an address to linear `to` (ADDRESS_BYTES); the length of its name (0: unnamed) or -errno. */
export function addressCopyIn(to: usize, va: u64, length: u32): i32 {
  if (length < FAMILY_BYTES || length > FAMILY_BYTES + NAME_BYTES) return -Errno.INVAL;
  if (userCopyIn(to, va, length) != 0) return -Errno.FAULT;
  if (wordAt16(to) != AF_UNIX) return -Errno.INVAL;
  return <i32>(length - FAMILY_BYTES);
}

/** The name within a copied address. */
export function addressName(address: usize): usize {
  return address + FAMILY_BYTES;
}

/** True for a name that is a path, ended by a NUL within its length. */
export function addressIsPath(address: usize, nameLength: u32): bool {
  return nameLength > 0 && byteAt(address, FAMILY_BYTES) != 0;
}

/** Length of a path name without its NUL; -EINVAL when it has none. */
export function addressPathLength(address: usize, nameLength: u32): i32 {
  for (let i: u32 = 0; i < nameLength; i++) {
    if (byteAt(address, FAMILY_BYTES + i) == 0) return <i32>i;
  }
  return -Errno.INVAL;
}

/** The socket inode (one reference) that the path in user memory at `va` names, or an errno as pointer. */
export function addressInode(va: u64): usize {
  const path = changetype<Path>(scratchPush(offsetof<Path>())); // SAFETY: scratch of that size
  const r = pathLookupUser(AT_FDCWD, va + FAMILY_BYTES, 0, path);
  let found: usize = <usize>r;
  if (r == 0) {
    const inode = inodeOf(dentryOf(path.dentry).inode);
    const isSocket = (inode.mode & FileMode.IFMT) == FileMode.IFSOCK;
    found = isSocket ? changetype<usize>(inodeGet(inode)) : <usize>-(<i32>Errno.CONNREFUSED);
    pathPut(path);
  }
  scratchPop(offsetof<Path>());
  return found;
}

/** Gives a name out to (va, *lengthVa), cut to the caller's room: 0 or -errno. A null `va` asks for nothing. */
export function addressCopyOut(va: u64, lengthVa: u64, name: usize, nameLength: u32): i32 {
  if (va == 0 || lengthVa == 0) return 0;
  const buffer = scratchPush(ADDRESS_BYTES + 8);
  const r = copyOut(va, lengthVa, name, nameLength, buffer);
  scratchPop(ADDRESS_BYTES + 8);
  return r;
}

function copyOut(va: u64, lengthVa: u64, name: usize, nameLength: u32, buffer: usize): i32 {
  const word = buffer + ADDRESS_BYTES;
  if (userLoad32(word, lengthVa) != 0) return -Errno.FAULT;
  const room = wordAt32(word);
  if (<i32>room < 0) return -Errno.INVAL;
  wordPut16(buffer, AF_UNIX);
  bytesCopy(buffer + FAMILY_BYTES, name, nameLength);
  const full = FAMILY_BYTES + nameLength;
  if (userCopyOut(va, buffer, min<u32>(room, full)) != 0) return -Errno.FAULT;
  return userStore32(lengthVa, full);
}
