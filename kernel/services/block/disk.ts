/**
 * Disks: what the kernel remembers of a block device whether or not a driver is there.
 *
 * A driver comes (diskAttach), takes requests from the ring and completes them (diskComplete), and dies (diskDetach). Requests belong to
 * the kernel: what a dead driver had taken is issued to its successor again, oldest first. Programs wait meanwhile and see no error.
 *
 * Invariants  D1  `requests` holds every request that is not DONE, in the order of submission.
 *             D2  a request is ISSUED exactly when TAGS of its disk names it at request.tag, and only while a ring is there.
 *             D3  what a driver writes (counters, ids, statuses) is checked before use; nonsense costs the driver its port.
 * Locking     Disk.lock (Rank.BLOCK) guards all of it; notifications and wait queues are taken below it.
 * Units       sector: 512 bytes.
 */
import { physLoad32, physLoad64, physStore32, physStore64 } from "../../../arch/current";
import {
  BLOCK_DOORBELL, BLOCK_ENTRIES, BLOCK_MAGIC, BlockCompletion, BlockFeature, BlockFlag, BlockOp, BlockRequest, BlockRing, BlockSegment,
} from "../../abi/block-ring";
import { Errno } from "../../abi/errno";
import { MemoryObject, memoryObjectAt, memoryObjectCreate, memoryObjectHead, memoryObjectPa } from "../../core/cap/memory-object";
import { objectAt, objectPut } from "../../core/cap/object";
import { notificationAt, notificationSignal } from "../../core/ipc/notification";
import { waitSleepKillable, waitSleepUninterruptible, wakeUpAll } from "../../core/sync/wait-queue";
import { ListNode, listAppend, listInit, listNodeAt, listRemove, listSame } from "../../lib/list";
import { Rank } from "../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinLockAt, spinUnlock } from "../../lib/spinlock";
import { wordAt, wordSet } from "../../lib/words";
import { Request, requestAt, requestCreate, requestFree, requestNode, requestPieceBytes, requestPiecePa, RequestState, requestWait } from "./request";

@final @unmanaged
export class Disk {
  lock: u64;         // a SpinLock held by value
  lock1: u64;
  requests: u64;     // a ListNode held by value (D1)
  sectors: u64;
  features: u32;     // BlockFeature
  maxSectors: u32;   // of one request
  index: u32;        // 0: vda
  isPresent: u32;    // a driver attached at least once
  ring: u32;         // MemoryObject, one reference; 0: no driver
  doorbell: u32;     // Notification of the driver, one reference
  isStarted: u32;    // the driver takes requests
  generation: u32;   // of the ring
  submitHead: u32;   // our counters: the ring's copies are only told to the driver
  completeTail: u32;
  inFlight: u32;
  deaths: u32;       // drivers lost
  reads: u64;        // requests done, sectors moved: /proc/diskstats
  readSectors: u64;
  writes: u64;
  writeSectors: u64;
}

export const DISKS_MAX: u32 = 8;
const DISKS: usize = memory.data(8 * 128, 8);
/** Per disk: the Request of each tag, 0 when the tag is free. */
const TAGS: usize = memory.data(8 * 128 * 4, 4);
if (offsetof<Disk>() > 128) ERROR("DISKS has 128 bytes a disk");

const PAGE: u32 = 4096;
const REQUEST_BYTES: u32 = 1024;
const SEGMENTS_AT: u32 = 32;
const REQUESTS_AT: u32 = PAGE;
const COMPLETIONS_AT: u32 = PAGE + BLOCK_ENTRIES * REQUEST_BYTES;
const RING_PAGES: u32 = COMPLETIONS_AT / PAGE + 1;

/** Disk `index`, or null when there can be none of that number. */
export function diskAt(index: u32): Disk | null {
  return index < DISKS_MAX ? changetype<Disk>(DISKS + (<usize>index << 7)) : null; // SAFETY: index is in range
}
function lockOf(disk: Disk): SpinLock { return spinLockAt(changetype<usize>(disk)); }
function listOf(disk: Disk): ListNode { return listNodeAt(changetype<usize>(disk) + offsetof<Disk>("requests")); }
function tagsOf(disk: Disk): usize { return TAGS + (<usize>disk.index << 9); }

export function disksInit(): void {
  for (let i: u32 = 0; i < DISKS_MAX; i++) {
    const disk = diskAt(i);
    if (!disk) continue;
    spinInit(lockOf(disk), Rank.BLOCK);
    listInit(listOf(disk));
    disk.index = i;
  }
}

// ---- The ring, as the kernel writes and reads it ----

function ringPa(ring: MemoryObject, offset: u32): u64 { return memoryObjectPa(ring, offset / PAGE) + offset % PAGE; }
function headerPa(ring: MemoryObject, field: usize): u64 { return ringPa(ring, <u32>field); }

function ringCreate(generation: u32): MemoryObject | null {
  const ring = memoryObjectCreate(RING_PAGES, false, 0);
  if (!ring) return null;
  physStore32(headerPa(ring, offsetof<BlockRing>("magic")), BLOCK_MAGIC);
  physStore32(headerPa(ring, offsetof<BlockRing>("entries")), BLOCK_ENTRIES);
  physStore32(headerPa(ring, offsetof<BlockRing>("generation")), generation);
  return ring;
}

/** Puts one request into the ring under `tag` (D2); no room is needed beyond a free tag. */
function issueLocked(disk: Disk, ring: MemoryObject, request: Request, tag: u32): void {
  const entry = REQUESTS_AT + disk.submitHead % BLOCK_ENTRIES * REQUEST_BYTES;
  const pa = ringPa(ring, entry);
  physStore64(pa + offsetof<BlockRequest>("id"), <u64>disk.generation << 32 | tag);
  physStore32(pa + offsetof<BlockRequest>("op"), request.op);
  physStore32(pa + offsetof<BlockRequest>("flags"), request.isReplay ? BlockFlag.REPLAY : 0);
  physStore64(pa + offsetof<BlockRequest>("sector"), request.sector);
  physStore32(pa + offsetof<BlockRequest>("sectors"), request.sectors);
  physStore32(pa + offsetof<BlockRequest>("segments"), request.pieces);
  for (let i: u32 = 0; i < request.pieces; i++) {
    const segment = pa + SEGMENTS_AT + i * <u32>offsetof<BlockSegment>();
    physStore64(segment, requestPiecePa(request, i));
    physStore32(segment + offsetof<BlockSegment>("bytes"), requestPieceBytes(request, i));
  }
  wordSet(tagsOf(disk), tag, <u32>changetype<usize>(request));
  request.tag = tag;
  request.state = RequestState.ISSUED;
  disk.submitHead++;
  disk.inFlight++;
  physStore32(headerPa(ring, offsetof<BlockRing>("submitHead")), disk.submitHead);
}

function tagFree(disk: Disk): u32 {
  let tag: u32 = 0;
  while (tag < BLOCK_ENTRIES && wordAt(tagsOf(disk), tag) != 0) tag++;
  return tag;
}

/** Issues waiting requests, oldest first, as long as tags are free, and rings the doorbell when there were any. */
function kickLocked(disk: Disk): void {
  if (disk.ring == 0 || !disk.isStarted || disk.inFlight == BLOCK_ENTRIES) return;
  const ring = memoryObjectAt(disk.ring);
  const before = disk.submitHead;
  for (let node = listOf(disk).next; !listSame(node, listOf(disk)); node = node.next) {
    const request = requestAt(changetype<usize>(node));
    if (request.state != <u32>RequestState.WAITING) continue;
    const tag = tagFree(disk);
    if (tag == BLOCK_ENTRIES) break;
    issueLocked(disk, ring, request, tag);
  }
  if (disk.submitHead != before) notificationSignal(notificationAt(disk.doorbell), BLOCK_DOORBELL);
}

// ---- Requests ----

/** Submits a request and waits until it is done, however long that takes: its status. */
export function diskTransfer(disk: Disk, request: Request): i32 {
  request.state = RequestState.WAITING;
  spinLock(lockOf(disk));
  listAppend(listOf(disk), requestNode(request));
  kickLocked(disk);
  while (request.state != <u32>RequestState.DONE) waitSleepUninterruptible(requestWait(request), lockOf(disk));
  spinUnlock(lockOf(disk));
  return request.status;
}

/** The same for a caller that may be killed: -EINTR then, and the request is gone for it (R2). */
export function diskTransferKillable(disk: Disk, request: Request): i32 {
  request.state = RequestState.WAITING;
  spinLock(lockOf(disk));
  listAppend(listOf(disk), requestNode(request));
  kickLocked(disk);
  let interrupted: i32 = 0;
  while (request.state != <u32>RequestState.DONE && interrupted == 0) {
    interrupted = waitSleepKillable(requestWait(request), lockOf(disk), 0);
  }
  const isDone = request.state == <u32>RequestState.DONE;
  if (!isDone) request.isAbandoned = 1; // R2
  spinUnlock(lockOf(disk));
  return isDone ? request.status : interrupted;
}

/** Everything written before is on the medium. */
export function diskFlush(disk: Disk): i32 {
  if (!(disk.features & BlockFeature.FLUSH)) return 0; // the device keeps nothing back
  const request = requestCreate(BlockOp.FLUSH, 0);
  if (!request) return -Errno.NOMEM;
  const result = diskTransfer(disk, request);
  requestFree(request);
  return result;
}

function finishLocked(disk: Disk, request: Request, status: i32): void {
  listRemove(requestNode(request));
  request.state = RequestState.DONE;
  request.status = status;
  if (request.op == 0) {
    disk.reads++;
    disk.readSectors += request.sectors;
  } else {
    disk.writes++;
    disk.writeSectors += request.sectors;
  }
  if (request.isAbandoned) requestFree(request);
  else wakeUpAll(requestWait(request));
}

// ---- Drivers ----

/** Takes a driver: its notification (reference taken over). The ring it is to use, one reference more; EBUSY, ENOMEM as pointer. */
export function diskAttach(disk: Disk, sectors: u64, features: u32, maxSectors: u32, doorbell: u32): usize {
  const ring = ringCreate(disk.generation + 1);
  if (!ring) return <usize>-Errno.NOMEM;
  spinLock(lockOf(disk));
  const isFree = disk.ring == 0;
  if (isFree) {
    disk.ring = <u32>changetype<usize>(ring);
    disk.doorbell = doorbell;
    disk.generation++;
    disk.submitHead = 0;
    disk.completeTail = 0;
    disk.sectors = sectors;
    disk.features = features;
    disk.maxSectors = maxSectors;
    disk.isPresent = 1;
  }
  spinUnlock(lockOf(disk));
  if (isFree) return changetype<usize>(ring);
  objectPut(memoryObjectHead(ring));
  return <usize>-Errno.BUSY;
}

/** The driver of `generation` is ready. */
export function diskStart(disk: Disk, generation: u32): i32 {
  spinLock(lockOf(disk));
  const isCurrent = disk.ring != 0 && disk.generation == generation;
  if (isCurrent) {
    disk.isStarted = 1;
    kickLocked(disk);
  }
  spinUnlock(lockOf(disk));
  return isCurrent ? 0 : -Errno.STALE;
}

/** The driver of `generation` is gone: everything it had taken waits for the next one (D2). */
export function diskDetach(disk: Disk, generation: u32): void {
  spinLock(lockOf(disk));
  const isCurrent = disk.ring != 0 && disk.generation == generation;
  const ring = isCurrent ? disk.ring : 0;
  const doorbell = isCurrent ? disk.doorbell : 0;
  if (isCurrent) {
    for (let tag: u32 = 0; tag < BLOCK_ENTRIES; tag++) tagReturnLocked(disk, tag);
    disk.ring = 0;
    disk.doorbell = 0;
    disk.isStarted = 0;
    disk.inFlight = 0;
    disk.deaths++;
  }
  spinUnlock(lockOf(disk));
  if (ring != 0) objectPut(objectAt(ring));
  if (doorbell != 0) objectPut(objectAt(doorbell));
}

function tagReturnLocked(disk: Disk, tag: u32): void {
  const address = wordAt(tagsOf(disk), tag);
  if (address == 0) return;
  requestAt(address).state = RequestState.WAITING;
  requestAt(address).isReplay = 1;
  wordSet(tagsOf(disk), tag, 0);
}

/** Takes the completions that stand in the ring: how many, -ESTALE for a driver of before, -EPROTO for nonsense (D3). */
export function diskComplete(disk: Disk, generation: u32): i32 {
  spinLock(lockOf(disk));
  const result = disk.ring != 0 && disk.generation == generation ? completeLocked(disk) : -Errno.STALE;
  if (result > 0) kickLocked(disk);
  spinUnlock(lockOf(disk));
  return result;
}

function completeLocked(disk: Disk): i32 {
  const ring = memoryObjectAt(disk.ring);
  const head = physLoad32(headerPa(ring, offsetof<BlockRing>("completeHead")));
  const count = head - disk.completeTail;
  if (count > BLOCK_ENTRIES) return -Errno.PROTO;
  for (let i: u32 = 0; i < count; i++) {
    const pa = ringPa(ring, COMPLETIONS_AT + disk.completeTail % BLOCK_ENTRIES * <u32>offsetof<BlockCompletion>());
    const id = physLoad64(pa);
    const status = <i32>physLoad32(pa + offsetof<BlockCompletion>("status"));
    const tag = <u32>id;
    if (<u32>(id >> 32) != disk.generation || tag >= BLOCK_ENTRIES || wordAt(tagsOf(disk), tag) == 0) return -Errno.PROTO;
    const request = requestAt(wordAt(tagsOf(disk), tag));
    wordSet(tagsOf(disk), tag, 0);
    disk.inFlight--;
    disk.completeTail++;
    finishLocked(disk, request, status == 0 || status == -Errno.OPNOTSUPP ? status : -Errno.IO);
  }
  physStore32(headerPa(ring, offsetof<BlockRing>("completeTail")), disk.completeTail);
  return <i32>count;
}
