/**
 * Block devices: disks and their partitions, as ranges of sectors.
 *
 * Invariants  V1  a partition lies within its disk; the disk's drivers never make it shorter while it is used.
 *             V2  partitions change only while nobody uses one of them.
 * Locking     DEVICES_MUTEX: every field, and who comes and goes.
 * Units       sector: 512 bytes. Minor: disk << 4 | partition, 0 being the whole disk, as virtblk's on Linux.
 */
import { Errno } from "../../abi/errno";
import { mutexAt, mutexInit, mutexLock, mutexUnlock } from "../../core/sync/mutex";
import { Disk, diskAt, DISKS_MAX } from "./disk";

@final @unmanaged
export class BlockDevice {
  start: u64;    // first sector on the disk
  length: u64;   // sectors of a partition, 0: there is none
  users: u32;    // open files and mounts
  minor: u32;
}

export const BLOCK_MAJOR: u32 = 254;
/** Minors of a disk: itself and its partitions. */
export const PARTITIONS: u32 = 16;
const DEVICES: usize = memory.data(8 * 16 * 24, 8);
const DEVICES_MUTEX: usize = memory.data(32, 8);
if (offsetof<BlockDevice>() != 24) ERROR("DEVICES has 24 bytes a device");

export function blockDevicesInit(): void {
  mutexInit(mutexAt(DEVICES_MUTEX));
  for (let minor: u32 = 0; minor < DISKS_MAX * PARTITIONS; minor++) deviceAt(minor).minor = minor;
}

function deviceAt(minor: u32): BlockDevice {
  return changetype<BlockDevice>(DEVICES + <usize>minor * 24); // SAFETY: minor < DISKS_MAX * PARTITIONS
}
export function blockDeviceOf(address: usize): BlockDevice { return changetype<BlockDevice>(address); } // SAFETY: the caller names one
export function diskOf(device: BlockDevice): Disk { return changetype<Disk>(diskAt(device.minor / PARTITIONS)); } // SAFETY: in range
export function isPartition(device: BlockDevice): bool { return device.minor % PARTITIONS != 0; }

/** Sectors of a device; 0 when there is none of this number. */
export function blockDeviceSectors(device: BlockDevice): u64 {
  const disk = diskOf(device);
  return !disk.isPresent ? 0 : isPartition(device) ? device.length : disk.sectors;
}

/** The device of this minor, whether or not it is there; null for a number too large. */
export function blockDeviceAt(minor: u32): BlockDevice | null { return minor < DISKS_MAX * PARTITIONS ? deviceAt(minor) : null; }

/** Begins to use a device: it stays as it is. ENXIO when there is none. */
export function blockDeviceUse(device: BlockDevice): i32 {
  mutexLock(mutexAt(DEVICES_MUTEX));
  const isThere = blockDeviceSectors(device) != 0;
  if (isThere) device.users++;
  mutexUnlock(mutexAt(DEVICES_MUTEX));
  return isThere ? 0 : -(<i32>Errno.NXIO);
}

/** Ends it. True when nobody uses the disk any more, neither as a whole nor in part. */
export function blockDeviceLeave(device: BlockDevice): bool {
  mutexLock(mutexAt(DEVICES_MUTEX));
  device.users--;
  const first = device.minor / PARTITIONS * PARTITIONS;
  let users: u32 = 0;
  for (let i: u32 = 0; i < PARTITIONS; i++) users += deviceAt(first + i).users;
  mutexUnlock(mutexAt(DEVICES_MUTEX));
  return users == 0;
}

/** Forgets a disk's partitions: 0, or EBUSY when one is used (V2). The lock is kept, for partitionAdd; give it up with partitionsEnd. */
export function partitionsBegin(disk: Disk): i32 {
  mutexLock(mutexAt(DEVICES_MUTEX));
  const first = disk.index * PARTITIONS;
  for (let i: u32 = 1; i < PARTITIONS; i++) if (deviceAt(first + i).users != 0) return -(<i32>Errno.BUSY);
  for (let i: u32 = 1; i < PARTITIONS; i++) deviceAt(first + i).length = 0;
  return 0;
}

/** Partition `number` (1 … 15) of a disk, within it (V1). */
export function partitionAdd(disk: Disk, number: u32, start: u64, sectors: u64): void {
  const device = deviceAt(disk.index * PARTITIONS + number);
  device.start = start;
  device.length = sectors;
}

export function partitionsEnd(): void { mutexUnlock(mutexAt(DEVICES_MUTEX)); }
