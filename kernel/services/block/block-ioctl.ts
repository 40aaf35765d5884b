/**
 * ioctl(2) on block devices: sizes, flushing, partitions, discarding and zeroing. Numbers: linux/fs.h.
 *
 * Units  sector: 512 bytes, the logical and physical block of all our disks.
 */
import { physZero, userLoad64, userStore32, userStore64 } from "../../../arch/current";
import { BlockFeature, BlockOp } from "../../abi/block-ring";
import { Errno } from "../../abi/errno";
import { pageAlloc } from "../../core/mm/buddy";
import { framePut, frameRefInc, pfnToPa } from "../../core/mm/frame";
import { userRangeOk } from "../../core/mm/layout";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { wordAt64 } from "../../lib/bytes";
import { Cap, credHasCap, credNow } from "../vfs/credentials";
import { File, FileRight } from "../vfs/types";
import { BlockDevice, blockDeviceOf, blockDeviceSectors, diskOf, isPartition } from "./block-device";
import { blockPartitionsScan } from "./block-worker";
import { buffersDropClean, buffersForget, buffersWrite } from "./buffer-cache";
import { Disk, diskTransfer } from "./disk";
import { diskFlush } from "./disk-flush";
import { REQUEST_PIECES, requestAdd, requestCreate, requestFree } from "./request";

const enum Ioctl {
  BLKROGET = 0x125e, BLKRRPART = 0x125f, BLKGETSIZE = 0x1260, BLKFLSBUF = 0x1261, BLKRAGET = 0x1263, BLKSECTGET = 0x1267, BLKSSZGET = 0x1268,
  BLKDISCARD = 0x1277, BLKIOMIN = 0x1278, BLKIOOPT = 0x1279, BLKALIGNOFF = 0x127a, BLKPBSZGET = 0x127b, BLKDISCARDZEROES = 0x127c,
  BLKROTATIONAL = 0x127e, BLKZEROOUT = 0x127f,
}
const BLKBSZGET: u32 = 0x80081270;
const BLKGETSIZE64: u32 = 0x80081272;
const SECTOR: u64 = 512;
const PAGE: u32 = 4096;
const READ_AHEAD_SECTORS: u32 = REQUEST_PIECES << 3;
/** Sectors of one DISCARD or WRITE_ZEROES where the driver names no limit. */
const RANGE_MOST: u32 = 1 << 22;

/** FileOps.ioctl. */
export function blockIoctl(file: File, cmd: u32, argVa: u64): i64 {
  const device = blockDeviceOf(file.data);
  switch (cmd) {
    case Ioctl.BLKFLSBUF: return flushBuffers(device);
    case Ioctl.BLKRRPART: return partitionsReread(device);
    case Ioctl.BLKDISCARD:
    case Ioctl.BLKZEROOUT: return rangeDo(file, device, cmd == Ioctl.BLKDISCARD ? BlockOp.DISCARD : BlockOp.WRITE_ZEROES, argVa);
    default: return userRangeOk(argVa, 8) ? sizeTell(device, cmd, argVa) : -(<i64>Errno.FAULT);
  }
}

function sizeTell(device: BlockDevice, cmd: u32, argVa: u64): i64 {
  switch (cmd) {
    case BLKGETSIZE64: return userStore64(argVa, blockDeviceSectors(device) * SECTOR);
    case Ioctl.BLKGETSIZE: return userStore64(argVa, blockDeviceSectors(device));
    case Ioctl.BLKSSZGET:
    case Ioctl.BLKPBSZGET:
    case Ioctl.BLKIOMIN: return userStore32(argVa, <u32>SECTOR);
    case BLKBSZGET: return userStore32(argVa, PAGE);
    case Ioctl.BLKIOOPT:
    case Ioctl.BLKALIGNOFF:
    case Ioctl.BLKROTATIONAL:
    case Ioctl.BLKDISCARDZEROES: return userStore32(argVa, 0);
    case Ioctl.BLKRAGET: return userStore64(argVa, READ_AHEAD_SECTORS);
    case Ioctl.BLKSECTGET: return userStore32(argVa, READ_AHEAD_SECTORS);
    case Ioctl.BLKROGET: return userStore32(argVa, diskOf(device).features & BlockFeature.READ_ONLY ? 1 : 0);
    default: return -(<i64>Errno.NOTTY);
  }
}

function mayAdminister(): bool { return credHasCap(credNow(), Cap.SYS_ADMIN); }

function flushBuffers(device: BlockDevice): i64 {
  if (!mayAdminister()) return -(<i64>Errno.ACCES);
  const disk = diskOf(device);
  const written = buffersWrite(disk);
  const flushed = diskFlush(disk);
  buffersDropClean(disk, 0, disk.sectors * SECTOR);
  return written < 0 ? written : flushed;
}

function partitionsReread(device: BlockDevice): i64 {
  if (isPartition(device)) return -(<i64>Errno.INVAL);
  return mayAdminister() ? blockPartitionsScan(diskOf(device)) : -(<i64>Errno.ACCES);
}

// ---- Discarding and zeroing ----

/** The two 64-bit words at `argVa` are the first byte and the number of bytes. */
function rangeDo(file: File, device: BlockDevice, op: u32, argVa: u64): i64 {
  if (!(file.mode & FileRight.WRITE)) return -(<i64>Errno.BADF);
  if (!userRangeOk(argVa, 16)) return -(<i64>Errno.FAULT);
  const words = scratchPush(16);
  let result: i64 = userLoad64(words, argVa) != 0 || userLoad64(words + 8, argVa + 8) != 0 ? -(<i64>Errno.FAULT) : 0;
  const start = wordAt64(words);
  const bytes = wordAt64(words + 8);
  scratchPop(16);
  if (result < 0) return result;
  const size = blockDeviceSectors(device) * SECTOR;
  if (((start | bytes) & (SECTOR - 1)) != 0 || start > size || bytes > size - start) return -(<i64>Errno.INVAL);
  return diskRangeDo(diskOf(device), op, device.start + start / SECTOR, bytes / SECTOR);
}

/** Discards or zeroes sectors of a disk, and forgets what the cache had of them. 0 or a negated errno. */
function diskRangeDo(disk: Disk, op: u32, sector: u64, sectors: u64): i32 {
  const isZeroes = op == <u32>BlockOp.WRITE_ZEROES;
  const isOffered = (disk.features & (isZeroes ? BlockFeature.WRITE_ZEROES : BlockFeature.DISCARD)) != 0;
  if (!isOffered && !isZeroes) return -Errno.OPNOTSUPP;
  const limit = isZeroes ? disk.maxZeroes : disk.maxDiscard;
  const most = !isOffered ? REQUEST_PIECES << 3 : limit != 0 ? limit : RANGE_MOST;
  let failed: i32 = 0;
  buffersForget(disk, sector * SECTOR, sectors * SECTOR);
  for (let done: u64 = 0; done < sectors && failed == 0;) {
    const part = <u32>min<u64>(most, sectors - done);
    failed = isOffered ? rangeTransfer(disk, op, sector + done, part) : zeroesWrite(disk, sector + done, part);
    done += part;
  }
  buffersForget(disk, sector * SECTOR, sectors * SECTOR); // somebody may have read it meanwhile
  return failed;
}

function rangeTransfer(disk: Disk, op: u32, sector: u64, sectors: u32): i32 {
  const request = requestCreate(op, sector);
  if (!request) return -Errno.NOMEM;
  request.sectors = sectors;
  const failed = diskTransfer(disk, request);
  requestFree(request);
  return failed;
}

/** For a device that cannot zero by itself: one page of zeros, written over and over. */
function zeroesWrite(disk: Disk, sector: u64, sectors: u32): i32 {
  const pfn = pageAlloc();
  const request = pfn != 0 ? requestCreate(BlockOp.WRITE, sector) : null;
  if (!request) {
    if (pfn != 0) framePut(pfn);
    return -Errno.NOMEM;
  }
  physZero(pfnToPa(pfn), PAGE);
  for (let left = sectors << 9; left != 0; left -= min<u32>(left, PAGE)) {
    frameRefInc(pfn);
    requestAdd(request, pfn, 0, min<u32>(left, PAGE));
  }
  framePut(pfn);
  const failed = diskTransfer(disk, request);
  requestFree(request);
  return failed;
}
