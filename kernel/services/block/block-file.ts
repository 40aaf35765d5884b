/**
 * Block device nodes: /dev/vda, /dev/vda1, … read and written at any position, through the page cache of disks (buffer-cache.ts) or, with
 * O_DIRECT, past it.
 *
 * What a mounted file system keeps in that cache is seen, and changed, through the node too. Of file data only what has reached the disk.
 *
 * Units    pos: bytes on the device; offset: bytes on the disk.
 */
import { Errno } from "../../abi/errno";
import { BlockFeature, BlockOp } from "../../abi/block-ring";
import { pageAlloc } from "../../core/mm/buddy";
import { framePut, pfnToPa } from "../../core/mm/frame";
import { currentTask } from "../../core/sched/cpu";
import { TaskWork } from "../../core/sched/task";
import { errseqCheck, errseqSample } from "../../lib/errseq";
import { deviceMinor, deviceNumber } from "../vfs/dev/device";
import { devtmpfsNodeAdd } from "../vfs/dev/devtmpfs";
import { fileOpsDefaults } from "../vfs/file";
import { bufFromPhys, bufToPhys } from "../vfs/io-buf";
import { specialFileOpsSet } from "../vfs/special";
import { sysDiskAppear } from "../vfs/sys/show-block";
import { File, FileMode, FileOps, FileRight, Inode, OpenFlag } from "../vfs/types";
import {
  BlockDevice, BLOCK_MAJOR, blockDeviceAt, blockDeviceLeave, blockDeviceOf, blockDeviceSectors, blockDeviceUse, diskOf, PARTITIONS,
} from "./block-device";
import { blockIoctl } from "./block-ioctl";
import { buffersDropClean, buffersForget, buffersPut, buffersReadAhead, buffersWrite } from "./buffer-cache";
import { buffersCrowded } from "./buffer-table";
import { Disk, diskErrors, diskTransferKillable } from "./disk";
import { diskFlush } from "./disk-flush";
import { REQUEST_PIECES, requestCreatePages, requestFree, requestPiecePa } from "./request";

const PAGE: u32 = 4096;
const SECTOR: u64 = 512;
/** Most bytes of one direct transfer, most pages of a read-ahead. */
const CHUNK: u32 = REQUEST_PIECES << 12;
const READ_AHEAD_FIRST: u32 = 4;
const enum Whence { SET = 0, CUR = 1, END = 2 }

const BLOCK_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));

/** File.data: BlockDevice. data1: the page after the last one read. data2: pages the last read-ahead took. */
export function blockFilesInit(): void {
  fileOpsDefaults(BLOCK_OPS);
  BLOCK_OPS.open = blockOpen;
  BLOCK_OPS.release = blockRelease;
  BLOCK_OPS.read = blockRead;
  BLOCK_OPS.write = blockWrite;
  BLOCK_OPS.fsync = blockSync;
  BLOCK_OPS.seek = blockSeek;
  BLOCK_OPS.ioctl = blockIoctl;
  specialFileOpsSet(FileMode.IFBLK, BLOCK_OPS);
}

/** The node of a disk that has got its first driver: vda for disk 0. */
export function blockDeviceAppear(disk: Disk): void {
  sysDiskAppear(disk);
  devtmpfsNodeAdd("vd", 0x61 + disk.index, 0, FileMode.IFBLK | 0o660, deviceNumber(BLOCK_MAJOR, disk.index * PARTITIONS));
}

function deviceOfFile(file: File): BlockDevice { return blockDeviceOf(file.data); }
function bytesOf(device: BlockDevice): u64 { return blockDeviceSectors(device) * SECTOR; }
function errorsSeenAt(file: File): usize { return changetype<usize>(file) + offsetof<File>("errorsSeen"); }

function blockOpen(inode: Inode, file: File): i32 {
  const device = blockDeviceAt(deviceMinor(inode.rdev));
  if (!device) return -(<i32>Errno.NXIO);
  const failed = blockDeviceUse(device);
  if (failed < 0) return failed;
  if (file.mode & FileRight.WRITE && diskOf(device).features & BlockFeature.READ_ONLY) {
    blockDeviceLeave(device);
    return -(<i32>Errno.ROFS);
  }
  file.mode |= FileRight.SEEKABLE;
  file.data = <u32>changetype<usize>(device);
  file.errorsSeen = errseqSample(diskErrors(diskOf(device)));
  return 0;
}

/** As on Linux the last user leaves a clean disk and an empty cache. */
function blockRelease(file: File): void {
  const device = deviceOfFile(file);
  if (file.mode & FileRight.WRITE) buffersWrite(diskOf(device)); // errors: Disk.errors has them
  if (blockDeviceLeave(device)) buffersDropClean(diskOf(device), 0, diskOf(device).sectors * SECTOR);
}

// ---- Reading ----

function blockRead(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  const device = deviceOfFile(file);
  if (pos >= bytesOf(device)) return 0;
  const total = <u32>min<u64>(count, bytesOf(device) - pos);
  if (file.flags & OpenFlag.DIRECT) return directMove(device, bufVa, total, pos, false);
  const offset = device.start * SECTOR + pos;
  const run = readRun(file, offset, total);
  let done: u32 = 0;
  while (done < total && !isDying()) {
    const part = min<u32>(total - done, PAGE - (<u32>(offset + done) & (PAGE - 1)));
    const failed = buffersReadAhead(diskOf(device), offset + done, bufVa + done, part, run + ((total - done) >> 12));
    if (failed < 0) return done != 0 ? <i64>done : <i64>failed;
    done += part;
  }
  return done;
}

/** Pages to read behind what is wanted: more and more when the device is read in order. */
function readRun(file: File, offset: u64, total: u32): u32 {
  const isNext = <u32>(offset >> 12) - file.data1 <= 1; // the last page may not have been read to its end
  file.data2 = isNext && offset != 0 ? min<u32>(REQUEST_PIECES, max<u32>(READ_AHEAD_FIRST, file.data2 << 1)) : 0;
  file.data1 = <u32>((offset + total - 1) >> 12);
  return file.data2;
}

/** The caller was killed: he shall not read a whole disk first. */
function isDying(): bool { return (atomic.load<u32>(changetype<usize>(currentTask())) & TaskWork.EXIT) != 0; }

// ---- Writing ----

function blockWrite(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  const device = deviceOfFile(file);
  const disk = diskOf(device);
  if (disk.features & BlockFeature.READ_ONLY) return -(<i64>Errno.PERM);
  if (pos >= bytesOf(device)) return count == 0 ? 0 : -(<i64>Errno.NOSPC);
  const total = <u32>min<u64>(count, bytesOf(device) - pos);
  if (file.flags & OpenFlag.DIRECT) return directMove(device, bufVa, total, pos, true);
  const bounce = pageAlloc();
  if (bounce == 0) return -(<i64>Errno.NOMEM);
  const done = pagesPut(disk, device.start * SECTOR + pos, bufVa, total, pfnToPa(bounce));
  framePut(bounce);
  if (buffersCrowded()) buffersWrite(disk); // writers wait when too much is held back
  return done;
}

/** Bytes written, or a negated errno when it is none. User memory is copied before the cache is touched. */
function pagesPut(disk: Disk, offset: u64, bufVa: u64, total: u32, bouncePa: u64): i64 {
  let done: u32 = 0;
  while (done < total && !isDying()) {
    const part = min<u32>(total - done, PAGE - (<u32>(offset + done) & (PAGE - 1)));
    const failed = bufToPhys(bouncePa, bufVa + done, part) != 0 ? -(<i32>Errno.FAULT) : buffersPut(disk, offset + done, bouncePa, part);
    if (failed < 0) return done != 0 ? <i64>done : <i64>failed;
    done += part;
  }
  return done;
}

// ---- O_DIRECT ----

/** Moves whole sectors between the disk and the buffer, with the cache out of the way. Bytes moved, or a negated errno. */
function directMove(device: BlockDevice, bufVa: u64, total: u32, pos: u64, isWrite: bool): i64 {
  if (((bufVa | total | pos) & (SECTOR - 1)) != 0) return -(<i64>Errno.INVAL);
  const disk = diskOf(device);
  const offset = device.start * SECTOR + pos;
  if (!isWrite) buffersWrite(disk);
  let done: u32 = 0;
  let failed: i32 = 0;
  while (done < total && failed == 0) {
    const part = min<u32>(total - done, CHUNK);
    failed = isWrite ? chunkWrite(disk, offset + done, part, bufVa + done) : chunkRead(disk, offset + done, part, bufVa + done);
    if (failed == 0) done += part;
  }
  return done != 0 ? <i64>done : <i64>failed;
}

function chunkRead(disk: Disk, offset: u64, part: u32, bufVa: u64): i32 {
  const request = requestCreatePages(BlockOp.READ, offset / SECTOR, part);
  if (!request) return -(<i32>Errno.NOMEM);
  let result = diskTransferKillable(disk, request);
  if (result == -(<i32>Errno.INTR)) return result; // the request is the disk's now (R2)
  for (let at: u32 = 0; at < part && result == 0; at += PAGE) {
    if (bufFromPhys(bufVa + at, requestPiecePa(request, at >> 12), min<u32>(PAGE, part - at)) != 0) result = -(<i32>Errno.FAULT);
  }
  requestFree(request);
  return result;
}

function chunkWrite(disk: Disk, offset: u64, part: u32, bufVa: u64): i32 {
  const request = requestCreatePages(BlockOp.WRITE, offset / SECTOR, part);
  if (!request) return -(<i32>Errno.NOMEM);
  let result: i32 = 0;
  for (let at: u32 = 0; at < part && result == 0; at += PAGE) {
    if (bufToPhys(requestPiecePa(request, at >> 12), bufVa + at, min<u32>(PAGE, part - at)) != 0) result = -(<i32>Errno.FAULT);
  }
  if (result == 0) {
    buffersForget(disk, offset, part); // what is dirty there must not come after it
    result = diskTransferKillable(disk, request);
    buffersForget(disk, offset, part); // somebody may have read it meanwhile
    if (result == -(<i32>Errno.INTR)) return result;
  }
  requestFree(request);
  return result;
}

// ---- The rest ----

/** What was written before is on the medium, by this way and through a mounted file system. An error of before is told here, once. */
function blockSync(file: File): i32 {
  const disk = diskOf(deviceOfFile(file));
  const written = buffersWrite(disk);
  const flushed = written == 0 ? diskFlush(disk) : 0;
  const told = errseqCheck(diskErrors(disk), errorsSeenAt(file));
  return told < 0 ? told : written == -(<i32>Errno.NOMEM) ? written : flushed;
}

function blockSeek(file: File, offset: i64, whence: u32): i64 {
  const size = <i64>bytesOf(deviceOfFile(file));
  const base: i64 = whence == Whence.CUR ? <i64>file.pos : whence == Whence.END ? size : 0;
  if (whence > <u32>Whence.END || base + offset < 0 || base + offset > size) return -(<i64>Errno.INVAL);
  file.pos = base + offset;
  return base + offset;
}
