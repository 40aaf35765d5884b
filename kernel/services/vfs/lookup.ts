/**
 * One name in one directory: the cache is asked, then the file system.
 *
 * Locking  the directory's Inode.lock, so that a name is asked for once and nobody makes or removes it meanwhile.
 */
import { Errno } from "../../abi/errno";
import { byteAt } from "../../lib/bytes";
import { DentryFlag, dcacheLock, dcacheUnlock, dentryAlloc, dentryFindLocked, dentryGet, dentryHashLocked, dentryInvalidate, dentryPut, dentryRespell } from "./dcache";
import { inodeLock, inodeRevalidates, inodeUnlock } from "./inode";
import { nameEqual } from "./name";
import { Dentry, Inode, dentryOf, inodeOf, inodeOpsOf, isErrPtr, superOf } from "./types";

/** The dentry of a child, negative or not, with a reference; an errno as pointer. Takes the directory's lock. */
export function dentryLookup(parent: Dentry, name: usize, length: u32, hash: u32): usize {
  const dir = inodeOf(parent.inode);
  inodeLock(dir);
  const child = dentryLookupLocked(parent, name, length, hash);
  inodeUnlock(dir);
  return child;
}

/** The same with the directory's Inode.lock held. */
export function dentryLookupLocked(parent: Dentry, name: usize, length: u32, hash: u32): usize {
  const dir = inodeOf(parent.inode);
  dcacheLock();
  const known = dentryFindLocked(changetype<usize>(parent), hash, name, length);
  if (known) dentryGet(dentryOf(known));
  dcacheUnlock();
  if (known) {
    const d = dentryOf(known);
    if (superOf(d.sb).foldsCase && !d.inode) dentryRespell(d, name); // should the name be made, it is made as spelt now
    if (!(d.flags & DentryFlag.REVALIDATE) || inodeOpsOf(dir).revalidate(dir, name, length, d.inode)) return known;
    dentryInvalidate(d);
    dentryPut(d);
  }
  const fresh = dentryAlloc(changetype<usize>(parent), parent.sb, hash, name, length);
  if (!fresh) return <usize>-(<i32>Errno.NOMEM);
  const inode = inodeOpsOf(dir).lookup(dir, fresh.namePtr, length, fresh);
  if (isErrPtr(inode)) {
    dentryPut(fresh);
    return inode;
  }
  fresh.inode = inode;
  const isByAlias = fresh.nameLength != length || !nameEqual(fresh.namePtr, name, length);
  return isByAlias ? aliasTake(parent, fresh) : freshTake(dir, fresh);
}

/** Puts an answer into the cache, unless it may be another one soon. */
function freshTake(dir: Inode, fresh: Dentry): usize {
  const asksAgain = inodeRevalidates(dir);
  if (asksAgain) fresh.flags |= DentryFlag.REVALIDATE;
  // A negative answer is worth keeping only where it stays true.
  if (!fresh.inode && (asksAgain || !dir.nlink || mayBecomeAlias(fresh))) return changetype<usize>(fresh);
  dcacheLock();
  dentryHashLocked(fresh);
  dcacheUnlock();
  return changetype<usize>(fresh);
}

/** A long name that is made may get this one as its alias: they have a tilde. */
function mayBecomeAlias(d: Dentry): bool {
  if (!superOf(d.sb).foldsCase) return false;
  for (let i: u32 = 0; i < d.nameLength; i++) if (byteAt(d.namePtr, i) == 0x7e) return true;
  return false;
}

/** What was found by an alias has one dentry all the same, under the name it is listed by: the cached one, or `fresh` from now on. */
function aliasTake(parent: Dentry, fresh: Dentry): usize {
  dcacheLock();
  const known = dentryFindLocked(changetype<usize>(parent), fresh.nameHash, fresh.namePtr, fresh.nameLength);
  const isKnown = known != 0 && dentryOf(known).inode != 0;
  if (isKnown) dentryGet(dentryOf(known));
  else if (known == 0) dentryHashLocked(fresh);
  dcacheUnlock();
  if (!isKnown) return changetype<usize>(fresh); // beside a negative answer it is not kept: one of them is wrong
  dentryPut(fresh);
  return known;
}
