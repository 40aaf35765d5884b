/**
 * Open files of served file systems: reading, writing, mapping, truncating.
 *
 * Locking  writers and truncation hold Inode.lock (the VFS takes it); readers nothing but frame references.
 */
import { Errno } from "../../../abi/errno";
import { UnmapKind } from "../../../core/mm/file-unmap";
import { FileMmap } from "../../../core/mm/mm-hooks";
import { framePut, frameRefInc, pfnToPa } from "../../../core/mm/frame";
import { totalPageCount } from "../../../core/mm/buddy";
import { diskErrors } from "../../block/disk";
import { diskFlush } from "../../block/disk-flush";
import { buffersWrite } from "../../block/buffer-cache";
import { errseqCheck, errseqSample } from "../../../lib/errseq";
import { FallocFlag, fileAccessed, pageFill, pagesSeek, pagesUnmap } from "../file-pages";
import { fileOpsDefaults } from "../file-ops";
import { inodeTouchModified } from "../inode";
import { bufFromPhys, bufToPhys } from "../io-buf";
import { NO_PAGE, pageCacheFind, pageCacheInsert, pageCacheTruncate } from "../page-cache";
import { File, FileOps, FileRight, Inode, inodeOf } from "../types";
import { blocksCut, blocksOf } from "./blocks";
import { dataPageAlloc, dataPageGet, lastPageZero, READ_AHEAD } from "./data";
import {
  dirtyMark, diskOfFs, errorsOf, fsOf, ioLock, ioUnlock, isReadOnlyNow, reserveMost, reserveSet, servedOf, ServedInode, servedUsed,
} from "./inode";
import { dirtyPages, pageDirty, pagesUndirty } from "./page-state";
import { blocksReclaim, metadataSync } from "./sync";
import { inodeWriteBack } from "./write-back";

const PAGE: u32 = 4096;
export const SEEK_DATA: u32 = 3;
export const SEEK_HOLE: u32 = 4;
const MAP_SHARED: u32 = 1;
const SERVED_FILE_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));

export function servedFileOps(): FileOps { return SERVED_FILE_OPS; }

export function servedFilesInit(): void {
  fileOpsDefaults(SERVED_FILE_OPS);
  SERVED_FILE_OPS.open = servedOpen;
  SERVED_FILE_OPS.read = servedRead;
  SERVED_FILE_OPS.write = servedWrite;
  SERVED_FILE_OPS.fsync = servedFsync;
  SERVED_FILE_OPS.seek = servedSeek;
  SERVED_FILE_OPS.mmap = servedMmap;
  SERVED_FILE_OPS.mmapPage = servedMmapPage;
}

function servedRead(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  const inode = inodeOf(file.inode);
  const size = inode.size;
  if (pos >= size) return 0;
  const wanted = <u32>min<u64>(count, size - pos);
  const si = servedOf(inode);
  let done: u32 = 0;
  let failed: i32 = 0;
  while (done < wanted) {
    const at = pos + done;
    const offset = <u32>at & (PAGE - 1);
    const chunk = min<u32>(PAGE - offset, wanted - done);
    let pfn = <i32>pageCacheFind(inode, at >> 12);
    if (pfn == 0) pfn = dataPageGet(si, inode, at >> 12, aheadOf(si, at >> 12, (offset + wanted - done - 1) >> 12));
    if (pfn < 0) {
      failed = pfn;
      break;
    }
    const left = bufFromPhys(bufVa + done, pfnToPa(pfn) + offset, chunk);
    framePut(pfn);
    done += chunk - left;
    if (left) break;
  }
  fileAccessed(file, inode);
  if (done || !wanted) return done;
  return failed < 0 ? failed : -(<i64>Errno.FAULT);
}

/** Pages to read behind `index`: what the call wants, more and more when the file is read in order. */
function aheadOf(si: ServedInode, index: u64, wanted: u32): u32 {
  const isNext = index == si.readNext;
  si.readRun = isNext ? min<u32>(READ_AHEAD, max<u32>(4, si.readRun << 1)) : 0;
  const ahead = min<u32>(READ_AHEAD - 1, max<u32>(wanted, si.readRun));
  si.readNext = <u32>index + ahead + 1;
  servedUsed(si);
  return ahead;
}

function servedWrite(file: File, bufVa: u64, wanted: u32, pos: u64): i64 {
  const inode = inodeOf(file.inode);
  const si = servedOf(inode);
  if (isReadOnlyNow(fsOf(si))) return -(<i64>Errno.ROFS);
  const end = pos + wanted <= inode.size || sizeReserve(si, pos + wanted) ? pos + wanted : max<u64>(inode.size, sizeReserveMost(si));
  if (end <= pos && wanted != 0) return -(<i64>Errno.NOSPC);
  const count = <u32>(end - pos);
  if (pos > inode.size) lastPageZero(inode, inode.size);
  let done: u32 = 0;
  let failure: i32 = 0;
  while (done < count) {
    const at = pos + done;
    const offset = <u32>at & (PAGE - 1);
    const chunk = min<u32>(PAGE - offset, count - done);
    const r = pageWriteServed(si, inode, at >> 12, offset, bufVa + done, chunk);
    if (r < 0) {
      failure = r;
      break;
    }
    done += r;
    if (at + r > inode.size) inode.size = at + r;
    if (<u32>r < chunk) {
      failure = -(<i32>Errno.FAULT);
      break;
    }
  }
  if (end > inode.size) sizeReserve(si, inode.size);
  if (done != 0) {
    inodeTouchModified(inode);
    si.hasNewTimes = 1;
    dirtyMark(si);
  }
  if (dirtyPages() > <u32>(totalPageCount() >> 3)) inodeWriteBack(si); // writers wait when too much is held back
  return done != 0 ? <i64>done : <i64>failure;
}

/** Sees to it that blocks up to `size` will be had; what deleted files still hold is freed when it must be. */
function sizeReserve(si: ServedInode, size: u64): bool {
  const need = max<u32>(si.promised, blocksOf(si, size));
  const missing = need > si.blocks ? need - si.blocks : 0;
  return reserveSet(si, missing) || (blocksReclaim(fsOf(si)) && reserveSet(si, missing));
}

/** Sees to it that the file can have all blocks that are left: the size that this makes possible. */
function sizeReserveMost(si: ServedInode): u64 {
  const fs = fsOf(si);
  const most = si.blocks + reserveMost(si);
  return sizeReserve(si, <u64>most * fs.blockBytes) ? <u64>most * fs.blockBytes : 0;
}

/** Writes into one page: bytes copied (fewer when the buffer faults), or a negated errno. */
function pageWriteServed(si: ServedInode, inode: Inode, index: u64, offset: u32, bufVa: u64, chunk: u32): i32 {
  while (true) {
    const known = pageCacheFind(inode, index);
    if (known != 0) return pageOverwrite(si, known, offset, bufVa, chunk);
    if (chunk < PAGE && index << 12 < si.validEnd) {
      const got = dataPageGet(si, inode, index, 0);
      if (got < 0) return got;
      return pageOverwrite(si, got, offset, bufVa, chunk);
    }
    const fresh = dataPageAlloc();
    if (fresh == 0) return -(<i32>Errno.NOMEM);
    const left = pageFill(pfnToPa(fresh), offset, bufVa, chunk);
    frameRefInc(fresh); // ours: nobody takes it out of the cache before it is marked
    const r = left == chunk ? 0 : pageCacheInsert(inode, index, fresh);
    if (r == 1) pageDirty(si, fresh);
    framePut(fresh);
    if (r == 1) return <i32>(chunk - left);
    framePut(fresh);
    if (r < 0) return r;
    if (left == chunk) return 0;
  }
}

/** Consumes the page's reference. */
function pageOverwrite(si: ServedInode, pfn: u32, offset: u32, bufVa: u64, chunk: u32): i32 {
  const left = bufToPhys(pfnToPa(pfn) + offset, bufVa, chunk);
  if (left != chunk) pageDirty(si, pfn);
  framePut(pfn);
  return <i32>(chunk - left);
}

/** File.errorsSeen: of the file's errors; data1: of its disk's. */
function servedOpen(inode: Inode, file: File): i32 {
  file.errorsSeen = errseqSample(errorsOf(servedOf(inode)));
  file.data1 = errseqSample(diskErrors(diskOfFs(fsOf(servedOf(inode)))));
  return 0;
}

/** What is not cached is no hole: all of a file is data. */
function servedSeek(file: File, offset: i64, whence: u32): i64 {
  if (whence != SEEK_DATA && whence != SEEK_HOLE) return pagesSeek(file, offset, whence);
  const size = <i64>inodeOf(file.inode).size;
  if (offset < 0 || offset >= size) return -(<i64>Errno.NXIO);
  file.pos = whence == SEEK_DATA ? <u64>offset : <u64>size;
  return <i64>file.pos;
}

/** Every error of write-back is told once to each open file. */
function servedFsync(file: File): i32 {
  const si = servedOf(inodeOf(file.inode));
  const fs = fsOf(si);
  const written = inodeWriteBack(si); // any failure but ENOMEM is among the errors
  let failed = metadataSync(fs, false);
  if (failed == 0) failed = diskFlush(diskOfFs(fs)); // data before what leads to it
  if (failed == 0) failed = buffersWrite(diskOfFs(fs));
  const ofFile = errseqCheck(errorsOf(si), changetype<usize>(file) + offsetof<File>("errorsSeen"));
  const ofDisk = errseqCheck(diskErrors(diskOfFs(fs)), changetype<usize>(file) + offsetof<File>("data1"));
  return ofFile < 0 ? ofFile : ofDisk < 0 ? ofDisk : written == -(<i32>Errno.NOMEM) ? written : failed;
}

function servedMmap(file: File, prot: u32, flags: u32): i32 {
  if (file.mode & FileRight.PATH_ONLY) return -(<i32>Errno.BADF);
  const si = servedOf(inodeOf(file.inode));
  if (flags & MAP_SHARED && file.mode & FileRight.WRITE) { // mprotect may add PROT_WRITE
    atomic.store<u32>(changetype<usize>(si) + offsetof<ServedInode>("isMappedShared"), 1);
  }
  return FileMmap.TRACKED;
}

function servedMmapPage(file: File, index: u64, forWrite: u32): i32 {
  const inode = inodeOf(file.inode);
  const si = servedOf(inode);
  if (index >= (inode.size + PAGE - 1) >> 12) return -(<i32>Errno.FAULT);
  let pfn = <i32>pageCacheFind(inode, index);
  if (pfn == 0) pfn = dataPageGet(si, inode, index, aheadOf(si, index, 0));
  if (pfn > 0 && forWrite) {
    inodeTouchModified(inode);
    si.hasNewTimes = 1;
    pageDirty(si, pfn);
  }
  return pfn;
}

/** InodeOps.truncate. Inode.lock is held. */
export function servedTruncate(inode: Inode, size: u64): i32 {
  const si = servedOf(inode);
  if (isReadOnlyNow(fsOf(si))) return -(<i32>Errno.ROFS);
  si.hasNewTimes = 1;
  if (size >= inode.size) return servedExtend(si, inode, size);
  const first = (size + PAGE - 1) >> 12;
  inode.size = size;
  pagesUnmap(inode, first, NO_PAGE, UnmapKind.TRUNCATE);
  ioLock(si);
  pagesUndirty(inode, first);
  pageCacheTruncate(inode, first);
  lastPageZero(inode, size);
  if (si.validEnd > size) si.validEnd = size;
  si.cuts++;
  si.promised = 0;
  const failed = blocksCut(si, inode, size);
  ioUnlock(si);
  dirtyMark(si);
  return failed;
}

function servedExtend(si: ServedInode, inode: Inode, size: u64): i32 {
  if (!sizeReserve(si, size)) return -(<i32>Errno.NOSPC);
  lastPageZero(inode, inode.size);
  inode.size = size;
  dirtyMark(si);
  return 0;
}

/** InodeOps.allocate, as Linux's vfat has it: a longer file, or the promise of room for one. */
export function servedAllocate(inode: Inode, mode: u32, offset: u64, length: u64): i32 {
  const si = servedOf(inode);
  const end = offset + length;
  if (isReadOnlyNow(fsOf(si))) return -(<i32>Errno.ROFS);
  if (mode == 0) return end > inode.size ? servedTruncate(inode, end) : 0;
  if (mode != FallocFlag.KEEP_SIZE) return -(<i32>Errno.OPNOTSUPP);
  const before = si.promised;
  si.promised = max<u32>(before, blocksOf(si, end));
  if (sizeReserve(si, inode.size)) return 0;
  si.promised = before;
  return -(<i32>Errno.NOSPC);
}
