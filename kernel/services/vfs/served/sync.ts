/**
 * Bringing everything of a mount to its device, in the order that keeps it sound: file data, then what the server holds back, then
 * the metadata of the buffer cache, in order.
 */
import { Errno } from "../../../abi/errno";
import { FsMethod, FsRelease, FsSync } from "../../../abi/file-system.gen";
import { kfree } from "../../../core/mm/slab";
import { errseqSet } from "../../../lib/errseq";
import { buffersWrite } from "../../block/buffer-cache";
import { diskFlush } from "../../block/disk-flush";
import { inodePut } from "../inode";
import { MountFlag } from "../mount";
import { superErrors } from "../super-block";
import { File, inodeOf, superOf } from "../types";
import { callBegin, callEnd, callMake, reply64, requestPut32, requestPutNode } from "./connection";
import {
  dirtyNumber, dirtyTake, diskOfFs, doomedTake, fsOf, hasDirty, hasDoomed, mountOfFs, servedOf, ServedSuper, syncLock, syncUnlock,
} from "./inode";
import { pagesUndirty } from "./page-state";
import { inodeWriteBack } from "./write-back";

/**
 * Writes back the files that became dirty before `beforeNs` and up to now, and frees the blocks of those that are gone; waits for who does
 * that already. The first failure.
 */
export function dataSync(fs: ServedSuper, beforeNs: u64): i32 {
  let failed: i32 = 0;
  syncLock(fs);
  const most = dirtyNumber();
  for (let si = dirtyTake(fs, beforeNs, most); si; si = dirtyTake(fs, beforeNs, most)) {
    const inode = inodeOf(si.inode);
    const result = inodeWriteBack(si);
    inodePut(inode); // of the dirty list
    if (result < 0 && failed == 0) failed = result;
  }
  syncUnlock(fs);
  return failed;
}

/** The mount ends, and there was no memory to write these files back. */
export function dirtyForget(fs: ServedSuper): void {
  for (let si = dirtyTake(fs, u64.MAX_VALUE, dirtyNumber()); si; si = dirtyTake(fs, u64.MAX_VALUE, dirtyNumber())) {
    pagesUndirty(inodeOf(si.inode), 0);
    inodePut(inodeOf(si.inode));
  }
}

/**
 * RELEASE for every chain of blocks that nothing leads to any more. That must be so on the medium too before the blocks are free, and
 * they must be free there before somebody gets them: no call reaches the server meanwhile. 0 or a negated errno.
 */
export function doomedRelease(fs: ServedSuper): i32 {
  if (!hasDoomed(fs)) return 0;
  const c = callBegin(mountOfFs(fs)); // nothing is allotted from here on
  let failed = buffersWrite(diskOfFs(fs));
  while (failed == 0) {
    const si = doomedTake(fs);
    if (!si) break;
    requestPutNode(c, FsRelease.NODE, si.n0, si.n1);
    const result = callMake(c, mountOfFs(fs), FsMethod.RELEASE, FsRelease.REQUEST_END, FsRelease.REPLY_END);
    if (result == 0) fs.blocksFree = reply64(c, FsRelease.R_BLOCKS_FREE);
    kfree(changetype<usize>(si));
  }
  if (failed == 0) failed = buffersWrite(diskOfFs(fs));
  callEnd(c);
  return failed;
}

/** The mount ends, and its server did not release them: they are lost until the volume is checked. */
export function doomedForget(fs: ServedSuper): void {
  for (let si = doomedTake(fs); si; si = doomedTake(fs)) kfree(changetype<usize>(si));
}

/** Blocks of deleted files are wanted now. True: some may be free that were not. */
export function blocksReclaim(fs: ServedSuper): bool {
  if (!hasDirty(fs) && !hasDoomed(fs)) return false;
  dataSync(fs, u64.MAX_VALUE); // a file that was deleted before it was written waits there
  return doomedRelease(fs) == 0;
}

/** SYNC: the server commits what it holds back, and marks the volume clean if asked. */
export function metadataSync(fs: ServedSuper, isClean: bool): i32 {
  if (mountOfFs(fs).isReadOnly) return 0;
  const c = callBegin(mountOfFs(fs));
  requestPut32(c, FsSync.CLEAN, isClean ? 1 : 0);
  const result = callMake(c, mountOfFs(fs), FsMethod.SYNC, FsSync.REQUEST_END, FsSync.REPLY_END);
  callEnd(c);
  return result;
}

/** Everything of the mount is on the medium when this answers 0. `isClean`: it is being unmounted. */
export function servedSync(fs: ServedSuper, isClean: bool): i32 {
  const data = dataSync(fs, u64.MAX_VALUE);
  let failed = metadataSync(fs, false);
  if (failed == 0) failed = diskFlush(diskOfFs(fs)); // data before what leads to it
  if (failed == 0) failed = doomedRelease(fs);
  if (failed == 0) failed = buffersWrite(diskOfFs(fs));
  if (failed == 0 && isClean) failed = metadataSync(fs, true); // the mark comes last
  if (failed == 0) failed = buffersWrite(diskOfFs(fs));
  failureNote(fs, failed);
  return data < 0 ? data : failed;
}

/**
 * Metadata or a flush failed while nobody waited, or for one caller: syncfs(2) tells the others. Files' own data: inodeWriteBack. What found
 * no memory is tried again.
 */
export function failureNote(fs: ServedSuper, failed: i32): void {
  if (failed < 0 && failed != -Errno.NOMEM) errseqSet(superErrors(superOf(fs.sb)), failed);
}

/** FileOps.fsync of directories: their entries are metadata. */
export function metadataFsync(file: File): i32 {
  return metadataWrite(fsOf(servedOf(inodeOf(file.inode))));
}

/** Names have changed: with "sync" or "dirsync" that is on the medium before the call returns. Errors: fsync of whoever is open, and syncfs. */
export function namesChanged(fs: ServedSuper): void {
  if (superOf(fs.sb).flags & (MountFlag.SYNCHRONOUS | MountFlag.DIRSYNC)) failureNote(fs, metadataWrite(fs));
}

function metadataWrite(fs: ServedSuper): i32 {
  const failed = metadataSync(fs, false);
  return failed == 0 ? buffersWrite(diskOfFs(fs)) : failed;
}
