/**
 * Reading and writing files whose data is their page cache (tmpfs, memfd).
 *
 * A page enters the cache only when all of its 4 KiB are defined: a fresh one is filled first and inserted then, so
 * neither a reader nor a mapping sees what was in the frame before.
 *
 * Locking  writers hold Inode.lock (the VFS takes it). Readers hold nothing but a frame reference while they copy.
 */
import { physCopy, physStore8, physZero } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { UnmapKind, mmFileProtect, mmFileUnmap } from "../../core/mm/file-unmap";
import { framePut, frameRefs, pfnToPa } from "../../core/mm/frame";
import { pageAlloc } from "../../core/mm/buddy";
import { userPageGet } from "../../core/mm/oom";
import { realNowNs } from "../../core/time/clock";
import { File, FileRight, Inode, OpenFlag, fileOf, inodeOf, mountOf } from "./types";
import { inodeTouchModified } from "./inode";
import { MountFlag } from "./mount";
import { bufFromPhys, bufToPhys, bufZero } from "./io-buf";
import { NO_PAGE, pageCacheFind, pageCacheFreeRange, pageCacheGet, pageCacheInsert, pageCacheNext, pageCacheTruncate } from "./page-cache";

const PAGE_SIZE: u32 = 4096;
const DAY_NS: u64 = 86400 * 1000000000;

/** FileOps.read: bytes copied, 0 at the end of the file. */
export function pagesRead(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  const inode = inodeOf(file.inode);
  const size = inode.size;
  if (pos >= size) return 0;
  const wanted = <u32>min<u64>(count, size - pos);
  let done: u32 = 0;
  while (done < wanted) {
    const offset = <u32>pos & (PAGE_SIZE - 1);
    const chunk = min<u32>(PAGE_SIZE - offset, wanted - done);
    const pfn = pageCacheFind(inode, pos >> 12);
    const left = pfn ? bufFromPhys(bufVa, pfnToPa(pfn) + offset, chunk) : bufZero(bufVa, chunk);
    if (pfn) framePut(pfn);
    done += chunk - left;
    if (left) break;
    pos += chunk;
    bufVa += chunk;
  }
  fileAccessed(file, inode);
  return done || !wanted ? done : -(<i64>Errno.FAULT);
}

/** Moves the access time, as relatime does: when it is not later than the last change, or a day old. */
export function fileAccessed(file: File, inode: Inode): void {
  if (file.flags & <u32>OpenFlag.NOATIME) return;
  if (file.mount && mountOf(file.mount).flags & (<u32>MountFlag.NOATIME | <u32>MountFlag.RDONLY)) return;
  const now = realNowNs();
  const atime = inode.atimeNs;
  if (atime <= inode.mtimeNs || atime <= inode.ctimeNs || now - atime > DAY_NS) inode.atimeNs = now;
}

/** FileOps.write: bytes written, or -errno when none were. Inode.lock is held. */
export function pagesWrite(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  const inode = inodeOf(file.inode);
  if (inode.data3 && sealsForbid(inode, pos + count)) return -(<i64>Errno.PERM);
  let done: u32 = 0;
  let failure: i32 = 0;
  while (done < count) {
    const offset = <u32>pos & (PAGE_SIZE - 1);
    const chunk = min<u32>(PAGE_SIZE - offset, count - done);
    const r = pageWrite(inode, pos >> 12, offset, bufVa, chunk);
    if (r < 0) {
      failure = r;
      break;
    }
    done += r;
    pos += r;
    bufVa += r;
    if (<u32>r < chunk) {
      failure = -(<i32>Errno.FAULT);
      break;
    }
  }
  if (pos > inode.size && done) inode.size = pos;
  if (done) inodeTouchModified(inode);
  return done ? <i64>done : <i64>failure;
}

/** memfd seals (memfd.ts): F_SEAL_WRITE and F_SEAL_FUTURE_WRITE forbid writing, F_SEAL_GROW growing. */
function sealsForbid(inode: Inode, end: u64): bool {
  return (inode.data3 & SEALS_WRITE) != 0 || ((inode.data3 & SEAL_GROW) != 0 && end > inode.size);
}
const SEALS_WRITE: u32 = 8 | 16;
const SEAL_GROW: u32 = 4;

/** Writes into one page: bytes copied (fewer than `chunk` when the buffer faults), or -errno. */
function pageWrite(inode: Inode, index: u64, offset: u32, bufVa: u64, chunk: u32): i32 {
  while (true) {
    const known = pageCacheFind(inode, index);
    if (known) {
      const left = bufToPhys(pfnToPa(known) + offset, bufVa, chunk);
      framePut(known);
      return <i32>(chunk - left);
    }
    const fresh = userPageGet();
    if (!fresh) return -(<i32>Errno.NOSPC);
    const left = pageFill(pfnToPa(fresh), offset, bufVa, chunk);
    const r = left == chunk ? 0 : pageCacheInsert(inode, index, fresh);
    if (r == 1) return <i32>(chunk - left);
    framePut(fresh);
    if (r < 0) return r;
    if (left == chunk) return 0;
    // A page fault filled the hole meanwhile: write into that page.
  }
}

/** Defines all of a fresh page: the buffer's bytes at `offset`, zeros elsewhere. Returns the bytes NOT copied. */
export function pageFill(pa: u64, offset: u32, bufVa: u64, chunk: u32): u32 {
  if (chunk < PAGE_SIZE) physZero(pa, PAGE_SIZE);
  const left = bufToPhys(pa + offset, bufVa, chunk);
  if (left && chunk == PAGE_SIZE) {
    // The copy stopped somewhere inside: clear everything and count nothing as written.
    physZero(pa, PAGE_SIZE);
    return chunk;
  }
  return left;
}

/** InodeOps.truncate: frees what lies beyond and clears the rest of the last page. Inode.lock is held. */
export function pagesTruncate(inode: Inode, size: u64): i32 {
  const shrinks = size < inode.size;
  inode.size = size;
  if (shrinks) {
    pagesUnmap(inode, (size + PAGE_SIZE - 1) >> 12, NO_PAGE, UnmapKind.TRUNCATE);
    pageCacheTruncate(inode, (size + PAGE_SIZE - 1) >> 12);
    const offset = <u32>size & (PAGE_SIZE - 1);
    if (offset) pageZeroPart(inode, size >> 12, offset, PAGE_SIZE - offset);
  }
  return 0;
}

/** Takes pages [first, end) out of every address space that maps them; the size has changed already. */
export function pagesUnmap(inode: Inode, first: u64, end: u64, kind: u32): void {
  for (let index = pageCacheNext(inode, first); index < end; index = pageCacheNext(inode, index + 1)) {
    const pfn = pageCacheFind(inode, index);
    if (!pfn) continue;
    const isMapped = frameRefs(pfn) > 2; // besides the cache's reference and ours
    framePut(pfn);
    if (!isMapped) continue;
    mmFileUnmap(changetype<usize>(inode), first, end, kind, fileShowsInode); // SAFETY: compared as an address only
    return;
  }
}

/** Makes pages [first, end) read-only in every shared mapping: the next store faults. */
export function pagesProtect(inode: Inode, first: u64, end: u64): void {
  mmFileProtect(changetype<usize>(inode), first, end, fileShowsInode); // SAFETY: compared as an address only
}

function fileShowsInode(file: usize, inode: usize): bool {
  return fileOf(file).inode == inode;
}

/** Clears part of a page when it is cached. */
export function pageZeroPart(inode: Inode, index: u64, offset: u32, length: u32): void {
  const pfn = pageCacheFind(inode, index);
  if (!pfn) return;
  const pa = pfnToPa(pfn);
  const start = pa + offset;
  // physZero works on 8-byte units; the ragged ends take bytes.
  let at = start;
  const end = start + length;
  while (at < end && at & 7) physStore8(at++, 0);
  const words = <u32>(end - at) & ~7;
  if (words) physZero(at, words);
  at += words;
  while (at < end) physStore8(at++, 0);
  framePut(pfn);
}

/** fallocate(2): reserves, punches or zeroes. Inode.lock is held; offset and length are valid. */
export function pagesAllocate(inode: Inode, mode: u32, offset: u64, length: u64): i32 {
  const end = offset + length;
  if (mode & FallocFlag.PUNCH_HOLE || mode & FallocFlag.ZERO_RANGE) {
    pagesZero(inode, offset, end);
    if (mode & FallocFlag.PUNCH_HOLE) return 0;
  }
  for (let index = offset >> 12; index <= (end - 1) >> 12; index++) {
    const pfn = pageCacheGet(inode, index, true);
    if (pfn < 0) return pfn == -(<i32>Errno.NOMEM) ? -(<i32>Errno.NOSPC) : pfn;
    framePut(pfn);
  }
  if (!(mode & FallocFlag.KEEP_SIZE) && end > inode.size) inode.size = end;
  return 0;
}

export const enum FallocFlag { KEEP_SIZE = 1, PUNCH_HOLE = 2, ZERO_RANGE = 16 }

/** Makes [start, end) read as zeros, freeing whole pages. */
function pagesZero(inode: Inode, start: u64, end: u64): void {
  const firstWhole = (start + PAGE_SIZE - 1) >> 12;
  const endWhole = end >> 12;
  if (firstWhole > endWhole) return pageZeroPart(inode, start >> 12, <u32>start & 4095, <u32>(end - start));
  if (start & 4095) pageZeroPart(inode, start >> 12, <u32>start & 4095, PAGE_SIZE - (<u32>start & 4095));
  if (end & 4095) pageZeroPart(inode, endWhole, 0, <u32>end & 4095);
  pagesUnmap(inode, firstWhole, endWhole, UnmapKind.PUNCH);
  pageCacheFreeRange(inode, firstWhole, endWhole);
}

/** FileOps.seek of regular files, with SEEK_DATA and SEEK_HOLE. */
export function pagesSeek(file: File, offset: i64, whence: u32): i64 {
  const inode = inodeOf(file.inode);
  const size = <i64>inode.size;
  let target = offset;
  if (whence == 1) target += <i64>file.pos;
  else if (whence == 2) target += size;
  else if (whence == 3 || whence == 4) {
    if (offset < 0 || offset >= size) return -(<i64>Errno.NXIO);
    target = whence == 3 ? dataFrom(inode, offset, size) : holeFrom(inode, offset, size);
    if (target < 0) return target;
  } else if (whence > 4) return -(<i64>Errno.INVAL);
  if (target < 0) return offset > 0 ? -(<i64>Errno.OVERFLOW) : -(<i64>Errno.INVAL);
  file.pos = <u64>target;
  return target;
}

function dataFrom(inode: Inode, offset: i64, size: i64): i64 {
  const index = pageCacheNext(inode, <u64>offset >> 12);
  if (index == NO_PAGE || <i64>(index << 12) >= size) return -(<i64>Errno.NXIO);
  return max<i64>(offset, <i64>(index << 12));
}

function holeFrom(inode: Inode, offset: i64, size: i64): i64 {
  let index = <u64>offset >> 12;
  while (<i64>(index << 12) < size && pageCacheNext(inode, index) == index) index++;
  return min<i64>(size, max<i64>(offset, <i64>(index << 12)));
}

/** FileOps.mmap: the rights were checked, and every page inside the file can be had. */
export function pagesMmap(file: File, prot: u32, flags: u32): i32 {
  return file.mode & FileRight.PATH_ONLY ? -(<i32>Errno.BADF) : 0;
}

/** FileOps.mmapPage: a page of the cache, holes filled with zeros; EFAULT beyond the end. */
export function pagesMmapPage(file: File, index: u64, forWrite: u32): i32 {
  const inode = inodeOf(file.inode);
  if (index >= (inode.size + PAGE_SIZE - 1) >> 12) return -(<i32>Errno.FAULT);
  return pageCacheGet(inode, index, true);
}

/** Makes physical memory [pa, pa + size) the contents of an empty or shorter file (the initramfs). False when memory is full. */
export function pagesLoad(inode: Inode, pa: u64, size: u64): bool {
  for (let at: u64 = 0; at < size; at += PAGE_SIZE) {
    const chunk = <u32>min<u64>(PAGE_SIZE, size - at);
    const pfn = pageAlloc();
    if (!pfn) return false;
    if (chunk < PAGE_SIZE) physZero(pfnToPa(pfn), PAGE_SIZE);
    physCopy(pfnToPa(pfn), pa + at, chunk);
    const r = pageCacheInsert(inode, at >> 12, pfn);
    if (r == 1) continue;
    framePut(pfn);
    if (r < 0) return false;
    // A second copy of the same file: it overwrites the first.
    const known = pageCacheFind(inode, at >> 12);
    physCopy(pfnToPa(known), pa + at, chunk);
    framePut(known);
  }
  if (inode.size < size) inode.size = size;
  return true;
}
