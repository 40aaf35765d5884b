/**
 * The table of served mounts: who may use one at the moment, and what sync(2) waits for.
 *
 *   NEW ──tableOpen──▶ OPEN ──tableClose──▶ CLOSING ──tableShut──▶ SHUT ──tableLeave──▶ out of the table, its place is free
 *
 * A server that hangs delays what concerns its own mounts and nothing else: nobody calls a server, or waits for one, with the lock of
 * the table. Whoever goes through all mounts takes a pin on one at a time.
 *
 * Invariants  T1  who found a ServedSuper here and gave the lock up has a pin (flushers, sync) or a use (a request of its server).
 *             T2  pins begin while it is OPEN alone, so tableClose waits for those that began; uses begin until it is SHUT, so
 *                 tableShut does. Then it may be freed.
 *             T3  no two mounts here share a sector of a disk. A place is free when nothing of the mount is left to do.
 *             T4  sync(2) draws a ticket. All that was dirty when ticket ServedSuper.synced was drawn has been written; a mount that is
 *                 OPEN or CLOSING owes the tickets above it, a mount that is opened owes none. Unmounting pays as well.
 * Locking     TABLE.lock (Rank.SERVER_FS), for as long as it takes to look; no other lock is taken under it but those of wait queues.
 */
import { Errno } from "../../../abi/errno";
import { FS_MOUNTS } from "../../../abi/file-system";
import { WaitQueue, waitQueueAt, waitQueueInit, waitSleep, waitSleepUninterruptible, wakeUpAll } from "../../../core/sync/wait-queue";
import { Rank } from "../../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinLockAt, spinUnlock } from "../../../lib/spinlock";
import { wordAt, wordSet } from "../../../lib/words";
import { Connection } from "./connection";
import { ServedSuper, servedSuperAt } from "./inode";

/** ServedSuper.state. */
export const enum MountState { NEW = 0, OPEN = 1, CLOSING = 2, SHUT = 3 }

@final @unmanaged
class MountTable {
  lock: u64;     // a SpinLock held by value
  lock1: u64;
  wait: u64;     // a WaitQueue held by value: something changed that somebody may wait for
  wait1: u64;
  wait2: u64;
  wait3: u64;
  tickets: u64;  // drawn so far
}
const TABLE = changetype<MountTable>(memory.data(offsetof<MountTable>(), 8));
/** Addresses of ServedSuper by place; 0: free. */
const MOUNTED: usize = memory.data(16 * 4, 4);
/** 1: the place has a flusher. */
const FLUSHERS: usize = memory.data(16 * 4, 4);
if (FS_MOUNTS != 16) ERROR("MOUNTED and FLUSHERS have a word for each of FS_MOUNTS");

function tableLock(): SpinLock { return spinLockAt(changetype<usize>(TABLE)); }
function tableWait(): WaitQueue { return waitQueueAt(changetype<usize>(TABLE) + offsetof<MountTable>("wait")); }

export function tableInit(): void {
  spinInit(tableLock(), Rank.SERVER_FS);
  waitQueueInit(tableWait());
}

// ---- The life of a mount ----

/** A place for `fs`, which is NEW: 0, EBUSY when it shares sectors with another mount, EMFILE. Its server may use it from now on. */
export function tableEnter(fs: ServedSuper): i32 {
  spinLock(tableLock());
  const place = placeForLocked(fs);
  if (place >= 0) {
    fs.mount = <u32>place;
    wordSet(MOUNTED, <u32>place, <u32>changetype<usize>(fs));
  }
  spinUnlock(tableLock());
  return place < 0 ? place : 0;
}

function placeForLocked(fs: ServedSuper): i32 {
  let place: i32 = -Errno.MFILE;
  for (let i: u32 = 0; i < FS_MOUNTS; i++) {
    const other = wordAt(MOUNTED, i);
    if (other != 0 && overlaps(servedSuperAt(other), fs)) return -Errno.BUSY;
    if (other == 0 && place < 0) place = <i32>i;
  }
  return place;
}

/** Two ranges of one disk share sectors: a disk and its partition, or a device and itself. */
function overlaps(a: ServedSuper, b: ServedSuper): bool {
  return a.disk == b.disk && a.deviceBase < b.deviceBytes && b.deviceBase < a.deviceBytes;
}

/** It is mounted: it may be pinned, and has part in every sync(2) that begins now. */
export function tableOpen(fs: ServedSuper): void {
  spinLock(tableLock());
  fs.synced = TABLE.tickets; // T4
  fs.state = MountState.OPEN;
  spinUnlock(tableLock());
}

/** Nobody but its server begins anything with it any more, and who had begun has ended when this returns. */
export function tableClose(fs: ServedSuper): void {
  spinLock(tableLock());
  fs.state = MountState.CLOSING;
  while (fs.pins != 0) waitSleepUninterruptible(tableWait(), tableLock());
  spinUnlock(tableLock());
}

/** Nor does its server. */
export function tableShut(fs: ServedSuper): void {
  spinLock(tableLock());
  fs.state = MountState.SHUT;
  wakeUpAll(tableWait()); // it owes nothing any more
  while (fs.uses != 0) waitSleepUninterruptible(tableWait(), tableLock());
  spinUnlock(tableLock());
}

/** Its place is free; it is SHUT. */
export function tableLeave(fs: ServedSuper): void {
  spinLock(tableLock());
  wordSet(MOUNTED, fs.mount, 0);
  wakeUpAll(tableWait()); // its flusher ends
  spinUnlock(tableLock());
}

// ---- Pins and uses ----

/** The mount at `place` with a pin; null: there is none, or it is coming or going. */
export function tablePin(place: u32): ServedSuper | null {
  spinLock(tableLock());
  const address = wordAt(MOUNTED, place);
  const isOpen = address != 0 && servedSuperAt(address).state == MountState.OPEN;
  if (isOpen) servedSuperAt(address).pins++;
  spinUnlock(tableLock());
  return isOpen ? servedSuperAt(address) : null;
}

export function tableUnpin(fs: ServedSuper): void {
  spinLock(tableLock());
  if (--fs.pins == 0 && fs.state != MountState.OPEN) wakeUpAll(tableWait());
  spinUnlock(tableLock());
}

/** The mount that the server of `c` names, for one request: tableUnuse ends it. Null when it is none of its mounts. */
export function tableUse(c: Connection, mount: u64): ServedSuper | null {
  if (mount >= FS_MOUNTS) return null;
  spinLock(tableLock());
  const address = wordAt(MOUNTED, <u32>mount);
  const fs = servedSuperAt(address);
  const isHis = address != 0 && fs.connection == <u32>changetype<usize>(c) && fs.state != MountState.SHUT;
  if (isHis) fs.uses++;
  spinUnlock(tableLock());
  return isHis ? fs : null;
}

export function tableUnuse(fs: ServedSuper): void {
  spinLock(tableLock());
  if (--fs.uses == 0 && fs.state == MountState.SHUT) wakeUpAll(tableWait());
  spinUnlock(tableLock());
}

// ---- sync(2) ----

/** A ticket that every mount of this moment owes; their flushers wake up. */
export function syncDraw(): u64 {
  spinLock(tableLock());
  const ticket = ++TABLE.tickets;
  wakeUpAll(tableWait());
  spinUnlock(tableLock());
  return ticket;
}

/** The ticket up to which a mount is paid by who begins to write now; 0 when it owes none. */
export function syncOwed(fs: ServedSuper): u64 {
  spinLock(tableLock());
  const ticket = TABLE.tickets > fs.synced ? TABLE.tickets : 0;
  spinUnlock(tableLock());
  return ticket;
}

/** All of `fs` that was dirty when syncOwed answered `ticket` is written, or cannot be. */
export function syncPaid(fs: ServedSuper, ticket: u64): void {
  spinLock(tableLock());
  fs.synced = max<u64>(fs.synced, ticket);
  wakeUpAll(tableWait());
  spinUnlock(tableLock());
}

/** Waits until no mount owes `ticket`. */
export function syncAwait(ticket: u64): void {
  spinLock(tableLock());
  while (isOwedLocked(ticket)) waitSleepUninterruptible(tableWait(), tableLock());
  spinUnlock(tableLock());
}

/** True while some mount owes `ticket`. */
export function syncIsOwed(ticket: u64): bool {
  spinLock(tableLock());
  const isOwed = isOwedLocked(ticket);
  spinUnlock(tableLock());
  return isOwed;
}

function isOwedLocked(ticket: u64): bool {
  for (let i: u32 = 0; i < FS_MOUNTS; i++) if (placeOwesLocked(i, ticket)) return true;
  return false;
}

function placeOwesLocked(place: u32, ticket: u64): bool {
  if (wordAt(MOUNTED, place) == 0) return false;
  const fs = servedSuperAt(wordAt(MOUNTED, place));
  return (fs.state == MountState.OPEN || fs.state == MountState.CLOSING) && fs.synced < ticket;
}

// ---- Flushers ----

/** True for whoever is to start the flusher of `place`: it has none, and is said to have one from now on. */
export function flusherTake(place: u32): bool {
  spinLock(tableLock());
  const isMissing = wordAt(FLUSHERS, place) == 0;
  wordSet(FLUSHERS, place, 1);
  spinUnlock(tableLock());
  return isMissing;
}

/** It could not be started. */
export function flusherLost(place: u32): void {
  spinLock(tableLock());
  wordSet(FLUSHERS, place, 0);
  spinUnlock(tableLock());
}

export function flusherIsThere(place: u32): bool {
  spinLock(tableLock());
  const isThere = wordAt(FLUSHERS, place) != 0;
  spinUnlock(tableLock());
  return isThere;
}

/** The flusher of `place` waits: until sync(2) wants its mount written, at most until `deadlineNs`. False: there is no mount, it ends. */
export function flusherAwait(place: u32, deadlineNs: u64): bool {
  spinLock(tableLock());
  while (wordAt(MOUNTED, place) != 0 && !isAskedLocked(place)) {
    if (waitSleep(tableWait(), tableLock(), deadlineNs) == -Errno.TIMEDOUT) break;
  }
  const isMounted = wordAt(MOUNTED, place) != 0;
  if (!isMounted) wordSet(FLUSHERS, place, 0); // the next mount here starts another one
  spinUnlock(tableLock());
  return isMounted;
}

/** It owes a ticket and can be pinned. */
function isAskedLocked(place: u32): bool {
  return placeOwesLocked(place, TABLE.tickets) && servedSuperAt(wordAt(MOUNTED, place)).state == MountState.OPEN;
}
