/**
 * The block layer's own thread: looks for partitions when a disk appears, and writes back what has been dirty for a while.
 *
 * A driver cannot do the first itself: it would wait for its own answers.
 *
 * Locking  WORK_LOCK (Rank.BLOCK): Disk.needsScan. Nothing is held while a disk is at work.
 */
import { monoNowNs } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { kfree, kzalloc } from "../../core/mm/slab";
import { taskCreateKernel, taskStart } from "../../core/sched/sched";
import { WaitQueue, waitQueueInit, waitSleep, wakeUpAll } from "../../core/sync/wait-queue";
import { Rank } from "../../lib/lock-rank";
import { LogLevel, logBegin, logByte, logEnd, logKeyDec, logStr, logWarn } from "../../lib/log";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";
import { deviceNumber } from "../vfs/dev/device";
import { devtmpfsNodeAdd } from "../vfs/dev/devtmpfs";
import { sysPartitionAppear } from "../vfs/sys/show-block";
import { FileMode } from "../vfs/types";
import { BLOCK_MAJOR, partitionAdd, PARTITIONS, partitionsBegin, partitionsEnd } from "./block-device";
import { buffersWrite } from "./buffer-cache";
import { buffersCrowded, buffersDirty, dirtySinceNs } from "./buffer-table";
import { Disk, diskAt, DISKS_MAX } from "./disk";
import { PartitionList, PARTITION_LIST_BYTES, partitionListAt, PARTITION_MOST, partitionOf, partitionsRead } from "./partition-table";

const ROUND_NS: u64 = 1_000_000_000;
/** As long may what was written be in memory alone. */
const DIRTY_NS: u64 = 5_000_000_000;
const WORK = changetype<WaitQueue>(memory.data(offsetof<WaitQueue>()));
const WORK_LOCK = changetype<SpinLock>(memory.data(offsetof<SpinLock>()));

export function blockWorkerInit(): void {
  waitQueueInit(WORK);
  spinInit(WORK_LOCK, Rank.BLOCK);
  const worker = taskCreateKernel("blockd", workerMain, 0);
  if (worker) taskStart(worker);
  else logWarn("block", "no thread: there are no partitions, and disks are written by sync alone");
}

/** A disk has got a driver that takes requests: its partitions are looked for when it is the first. */
export function blockDiskStarted(disk: Disk): void {
  spinLock(WORK_LOCK);
  const isFirst = disk.needsScan != 0;
  if (isFirst) wakeUpAll(WORK);
  spinUnlock(WORK_LOCK);
}

function workerMain(arg: u32): void {
  while (true) {
    const disk = scanTake();
    if (disk) blockPartitionsScan(disk);
    else dirtyWrite();
  }
}

/** A disk to look at, or null after a while without one. */
function scanTake(): Disk | null {
  let found: Disk | null = null;
  spinLock(WORK_LOCK);
  for (let tries = 0; tries < 2 && !found; tries++) {
    for (let i: u32 = 0; i < DISKS_MAX && !found; i++) {
      const disk = diskAt(i);
      if (disk && disk.needsScan && disk.isStarted) found = disk;
    }
    if (!found && tries == 0) waitSleep(WORK, WORK_LOCK, monoNowNs() + ROUND_NS);
  }
  if (found) found.needsScan = 0;
  spinUnlock(WORK_LOCK);
  return found;
}

function dirtyWrite(): void {
  if (buffersDirty() == 0) return;
  const now = monoNowNs();
  for (let i: u32 = 0; i < DISKS_MAX; i++) {
    const disk = diskAt(i);
    const since = disk && disk.isPresent ? dirtySinceNs(disk) : u64.MAX_VALUE;
    if (disk && since < now && (now - since > DIRTY_NS || buffersCrowded())) buffersWrite(disk); // errors: Disk.errors has them
  }
}

// ---- Partitions ----

/** Reads the partition table anew: 0; EBUSY when a partition is used; EINVAL for a table that makes no sense; errors of the disk. */
export function blockPartitionsScan(disk: Disk): i32 {
  const address = kzalloc(PARTITION_LIST_BYTES);
  if (address == 0) return -Errno.NOMEM;
  const list = partitionListAt(address);
  let result = partitionsRead(disk, list);
  if (result == 0) result = partitionsTake(disk, list);
  if (result == 0 && list.problem != 0) result = -Errno.INVAL;
  if (result == 0) nodesAdd(disk, list);
  scanLog(disk, list, result);
  kfree(address);
  return result;
}

function partitionsTake(disk: Disk, list: PartitionList): i32 {
  const busy = partitionsBegin(disk);
  for (let i: u32 = 1; i <= PARTITION_MOST && busy == 0 && list.problem == 0; i++) {
    const partition = partitionOf(list, i);
    if (partition.sectors != 0) partitionAdd(disk, i, partition.start, partition.sectors);
  }
  partitionsEnd();
  return busy;
}

function nodesAdd(disk: Disk, list: PartitionList): void {
  for (let i: u32 = 1; i <= list.highest; i++) {
    if (partitionOf(list, i).sectors == 0) continue;
    sysPartitionAppear(disk, i);
    devtmpfsNodeAdd("vd", 0x61 + disk.index, i, FileMode.IFBLK | 0o660, deviceNumber(BLOCK_MAJOR, disk.index * PARTITIONS + i));
  }
}

function scanLog(disk: Disk, list: PartitionList, result: i32): void {
  if (result == 0 && list.highest == 0) return;
  logBegin(result == 0 && !list.usesBackup ? LogLevel.INFO : LogLevel.WARN, "block");
  logStr("vd");
  logByte(0x61 + disk.index);
  if (list.problem != 0) {
    logStr(": no partitions: ");
    logStr(changetype<string>(<usize>list.problem)); // SAFETY: PartitionList.problem is a literal
  } else if (result != 0) logStr(": its partition table cannot be read");
  else partitionsLog(list);
  logEnd();
}

function partitionsLog(list: PartitionList): void {
  logStr(list.usesBackup ? ": the backup GPT says: partitions" : ": partitions");
  for (let i: u32 = 1; i <= list.highest; i++) if (partitionOf(list, i).sectors != 0) {
    logByte(0x20);
    if (i > 9) logByte(0x31);
    logByte(0x30 + i % 10);
  }
  if (list.ignored != 0) logKeyDec("ignored", list.ignored);
}
