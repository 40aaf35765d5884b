/**
 * Block device nodes: /dev/vda, /dev/vdb, … read and written at any position, straight from and to the disk.
 *
 * Bytes go through pages of the request; nothing is cached, so what a write returned for is with the device (durable after fsync).
 *
 * Locking  Inode.lock of the node makes a write of partial sectors (read, change, write) one step.
 * Units    pos: bytes. Major 254, minor: the disk's index.
 */
import { userRangeOk } from "../../core/mm/layout";
import { userStore32, userStore64 } from "../../../arch/current";
import { BlockFeature, BlockOp } from "../../abi/block-ring";
import { Errno } from "../../abi/errno";
import { deviceMinor, deviceNumber } from "../vfs/dev/device";
import { devtmpfsNodeAdd } from "../vfs/dev/devtmpfs";
import { fileOpsDefaults } from "../vfs/file";
import { inodeLock, inodeUnlock } from "../vfs/inode";
import { bufFromPhys, bufToPhys } from "../vfs/io-buf";
import { specialFileOpsSet } from "../vfs/special";
import { File, FileMode, FileOps, FileRight, Inode, inodeOf } from "../vfs/types";
import { buffersWrite } from "./buffer-cache";
import { Disk, diskAt, diskFlush, diskTransferKillable } from "./disk";
import { Request, REQUEST_PIECES, requestCreatePages, requestFree, requestPiecePa } from "./request";

export const BLOCK_MAJOR: u32 = 254;
const CHUNK: u32 = REQUEST_PIECES << 12;
const SECTOR: u64 = 512;
const PAGE_MASK: u32 = 4095;

/** ioctl commands of linux/fs.h. */
const enum Ioctl { BLKROGET = 0x125e, BLKGETSIZE = 0x1260, BLKFLSBUF = 0x1261, BLKSSZGET = 0x1268, BLKPBSZGET = 0x127b }
const BLKGETSIZE64: u32 = 0x80081272;
const enum Whence { SET = 0, CUR = 1, END = 2 }

const BLOCK_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));

export function blockFilesInit(): void {
  fileOpsDefaults(BLOCK_OPS);
  BLOCK_OPS.open = blockOpen;
  BLOCK_OPS.read = blockRead;
  BLOCK_OPS.write = blockWrite;
  BLOCK_OPS.fsync = blockSync;
  BLOCK_OPS.seek = blockSeek;
  BLOCK_OPS.ioctl = blockIoctl;
  specialFileOpsSet(FileMode.IFBLK, BLOCK_OPS);
}

/** The node of a disk that has got its first driver: vda for disk 0. */
export function blockDeviceAppear(disk: Disk): void {
  devtmpfsNodeAdd("vd", 0x61 + disk.index, FileMode.IFBLK | 0o660, deviceNumber(BLOCK_MAJOR, disk.index));
}

/** The open file's disk. */
function diskOf(file: File): Disk { return changetype<Disk>(file.data); } // SAFETY: blockOpen stored it

function blockOpen(inode: Inode, file: File): i32 {
  const disk = diskAt(deviceMinor(inode.rdev));
  if (!disk || !disk.isPresent) return -(<i32>Errno.NXIO);
  if (file.mode & FileRight.WRITE && disk.features & BlockFeature.READ_ONLY) return -(<i32>Errno.ROFS);
  buffersWrite(disk); // what a mounted file system holds back is seen
  file.mode |= FileRight.SEEKABLE;
  file.data = <u32>changetype<usize>(disk);
  return 0;
}

function bytesOf(disk: Disk): u64 { return disk.sectors * SECTOR; }

function blockRead(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  const disk = diskOf(file);
  if (pos >= bytesOf(disk)) return 0;
  const total = <u32>min<u64>(count, bytesOf(disk) - pos);
  let done: u32 = 0;
  while (done < total) {
    const start = (pos + done) & ~(SECTOR - 1);
    const skip = <u32>(pos + done - start);
    const part = min<u32>(total - done, CHUNK - skip);
    const failed = chunkRead(disk, start, skip, part, bufVa + done);
    if (failed != 0) return done != 0 ? done : failed;
    done += part;
  }
  return done;
}

/** A request for the sectors that hold [start, start + bytes); `start` begins one. */
function chunkRequest(op: u32, start: u64, bytes: u32): Request | null {
  return requestCreatePages(op, start / SECTOR, (bytes + 511) & ~511);
}

function chunkRead(disk: Disk, start: u64, skip: u32, part: u32, bufVa: u64): i32 {
  const request = chunkRequest(BlockOp.READ, start, skip + part);
  if (!request) return -(<i32>Errno.NOMEM);
  let result = diskTransferKillable(disk, request);
  if (result == -(<i32>Errno.INTR)) return result; // the request is the disk's now (R2)
  if (result == 0) result = pagesMove(request, skip, part, bufVa, false);
  requestFree(request);
  return result;
}

/** Moves bytes [skip, skip + part) between the request's pages and the buffer. */
function pagesMove(request: Request, skip: u32, part: u32, bufVa: u64, isWrite: bool): i32 {
  for (let moved: u32 = 0; moved < part;) {
    const at = skip + moved;
    const n = min<u32>(part - moved, 4096 - (at & PAGE_MASK));
    const pa = requestPiecePa(request, at >> 12) + (at & PAGE_MASK);
    const left = isWrite ? bufToPhys(pa, bufVa + moved, n) : bufFromPhys(bufVa + moved, pa, n);
    if (left != 0) return -(<i32>Errno.FAULT);
    moved += n;
  }
  return 0;
}

function blockWrite(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  const disk = diskOf(file);
  if (disk.features & BlockFeature.READ_ONLY) return -(<i64>Errno.PERM);
  if (pos >= bytesOf(disk)) return count == 0 ? 0 : -(<i64>Errno.NOSPC);
  const total = <u32>min<u64>(count, bytesOf(disk) - pos);
  const inode = inodeOf(file.inode);
  let done: u32 = 0;
  let failed: i32 = 0;
  inodeLock(inode);
  while (done < total && failed == 0) {
    const start = (pos + done) & ~(SECTOR - 1);
    const skip = <u32>(pos + done - start);
    const part = min<u32>(total - done, CHUNK - skip);
    failed = chunkWrite(disk, start, skip, part, bufVa + done);
    if (failed == 0) done += part;
  }
  inodeUnlock(inode);
  return done != 0 ? done : failed;
}

function chunkWrite(disk: Disk, start: u64, skip: u32, part: u32, bufVa: u64): i32 {
  const isPartial = skip != 0 || (part & 511) != 0;
  const request = chunkRequest(isPartial ? BlockOp.READ : BlockOp.WRITE, start, skip + part);
  if (!request) return -(<i32>Errno.NOMEM);
  let result = isPartial ? diskTransferKillable(disk, request) : 0;
  if (result == -(<i32>Errno.INTR)) return result;
  if (result == 0) result = pagesMove(request, skip, part, bufVa, true);
  if (result == 0) {
    request.op = BlockOp.WRITE;
    result = diskTransferKillable(disk, request);
    if (result == -(<i32>Errno.INTR)) return result;
  }
  requestFree(request);
  return result;
}

/** What was written before is on the medium, by this way and through a mounted file system. */
function blockSync(file: File): i32 {
  const disk = diskOf(file);
  const failed = buffersWrite(disk);
  return failed != 0 ? failed : diskFlush(disk);
}

function blockSeek(file: File, offset: i64, whence: u32): i64 {
  const size = <i64>bytesOf(diskOf(file));
  const base: i64 = whence == Whence.CUR ? <i64>file.pos : whence == Whence.END ? size : 0;
  if (whence > <u32>Whence.END || base + offset < 0 || base + offset > size) return -(<i64>Errno.INVAL);
  file.pos = base + offset;
  return base + offset;
}

function blockIoctl(file: File, cmd: u32, argVa: u64): i64 {
  const disk = diskOf(file);
  if (cmd == Ioctl.BLKFLSBUF) return blockSync(file);
  if (!userRangeOk(argVa, 8)) return -(<i64>Errno.FAULT);
  switch (cmd) {
    case BLKGETSIZE64: return userStore64(argVa, bytesOf(disk));
    case Ioctl.BLKGETSIZE: return userStore64(argVa, disk.sectors);
    case Ioctl.BLKSSZGET:
    case Ioctl.BLKPBSZGET: return userStore32(argVa, <u32>SECTOR);
    case Ioctl.BLKROGET: return userStore32(argVa, disk.features & BlockFeature.READ_ONLY ? 1 : 0);
    default: return -(<i64>Errno.NOTTY);
  }
}
