/** The watch over disks' drivers: those that owe an answer are ended, and callers let go whose disk has had no driver for long. */
import { monoNowNs } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { listEmpty, listSame } from "../../lib/list";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { serverDistrust } from "../native/distrust";
import { processOf } from "../process/process";
import { processGet, processPut } from "../process/process-table";
import { Disk, diskAt, DISKS_MAX, finishLocked, listOf, lockOf } from "./disk";
import { requestAt, RequestState } from "./request";

/** A driver that owes an answer for so long is not believed to give it any more. */
const OVERDUE_NS: u64 = 10_000_000_000;
/** As long as the supervisor may take to restart a driver, and longer. */
const GIVE_UP_NS: u64 = 60_000_000_000;

/** Called every now and then. */
export function disksWatch(): void {
  for (let i: u32 = 0; i < DISKS_MAX; i++) {
    const disk = diskAt(i);
    if (disk && disk.isPresent) diskWatch(disk, monoNowNs());
  }
}

function diskWatch(disk: Disk, now: u64): void {
  spinLock(lockOf(disk));
  const suspect = disk.driver != 0 && isOverdueLocked(disk, now) ? disk.driver : 0;
  if (suspect != 0) processGet(processOf(suspect));
  if (isAbandonedLocked(disk, now)) requestsFailLocked(disk);
  spinUnlock(lockOf(disk));
  if (suspect == 0) return;
  serverDistrust(processOf(suspect), "does not answer a disk's request");
  processPut(processOf(suspect));
}

function isOverdueLocked(disk: Disk, now: u64): bool {
  for (let node = listOf(disk).next; !listSame(node, listOf(disk)); node = node.next) {
    const request = requestAt(changetype<usize>(node));
    if (request.state == <u32>RequestState.ISSUED && now - request.issuedNs > OVERDUE_NS) return true;
  }
  return false;
}

function isAbandonedLocked(disk: Disk, now: u64): bool {
  return disk.queues == 0 && disk.emptySinceNs != 0 && now - disk.emptySinceNs > GIVE_UP_NS;
}

function requestsFailLocked(disk: Disk): void {
  while (!listEmpty(listOf(disk))) finishLocked(disk, requestAt(changetype<usize>(listOf(disk).next)), -Errno.IO);
}
