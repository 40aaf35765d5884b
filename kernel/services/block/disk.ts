/**
 * Disks: what the kernel remembers of a block device whether or not a driver is there.
 *
 * A driver comes (diskAttach), takes requests from the ring and completes them (diskComplete), and dies (diskDetach). Requests belong to
 * the kernel: what a dead driver had taken is issued to its successor again, oldest first. Programs wait meanwhile and see no error.
 *
 * A disk has as many queues as its device and driver can serve and the machine has CPUs; each has a ring and an interrupt of its own, and
 * takes the requests of its CPUs.
 *
 * Invariants  D1  `requests` holds every request that is not DONE, in the order of submission.
 *             D2  a request is ISSUED exactly when its queue names it at request.tag, and only while the queue has a ring.
 *             D3  what a driver writes (counters, ids, statuses) is checked before use; nonsense costs the driver its port.
 *             D4  while a request is suspect (poison.ts), one is under way at a time, the oldest.
 * Locking     Disk.lock (Rank.BLOCK) guards all of it, queues included; notifications and wait queues are taken below it. One lock for
 *             all queues: it is held for some hundred instructions a request, and a driver is one thread that costs a hundred times
 *             that; the order of D1 across queues comes for nothing.
 * Units       sector: 512 bytes.
 */
import { monoNowNs, physLoad32, physLoad64, physStore32, physStore64 } from "../../../arch/current";
import {
  BLOCK_COMPLETIONS_AT, BLOCK_DOORBELL, BLOCK_ENTRIES, BLOCK_QUEUES, BLOCK_REQUEST_BYTES, BLOCK_REQUESTS_AT, BLOCK_SEGMENTS_AT, BlockCompletion,
  BlockFlag, BlockGeometry, BlockRequest, BlockRing, BlockSegment,
} from "../../abi/block-ring";
import { Errno } from "../../abi/errno";
import { MemoryObject, memoryObjectAt } from "../../core/cap/memory-object";
import { objectAt, objectGet, objectPut } from "../../core/cap/object";
import { notificationAt, notificationSignal } from "../../core/ipc/notification";
import { thisCpu } from "../../core/sched/cpu";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { waitSleepKillable, waitSleepUninterruptible, wakeUpAll } from "../../core/sync/wait-queue";
import { ListNode, listAppend, listInit, listNodeAt, listRemove, listSame } from "../../lib/list";
import { Rank } from "../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinLockAt, spinUnlock } from "../../lib/spinlock";
import { wordAt, wordSet } from "../../lib/words";
import { currentProcess, processOf } from "../process/process";
import { processGet, processPut } from "../process/process-table";
import { addressSpoil, ringSpoil } from "./ring-fault";
import { isSuspect, requestBlame, requestGivenUpLog } from "./poison";
import { COMPLETION_BYTES, headerPa, ringCreate, ringPa } from "./ring-pages";
import { dmaDetach, dmaMap, dmaUnmap } from "./dma";
import { Request, requestAt, requestFree, requestNode, requestPieceBytes, RequestState, requestWait } from "./request";

@final @unmanaged
export class Disk {
  lock: u64;         // a SpinLock held by value
  lock1: u64;
  requests: u64;     // a ListNode held by value (D1)
  sectors: u64;
  features: u32;     // BlockFeature
  index: u32;        // 0: vda
  isPresent: u32;    // a driver attached at least once
  queues: u32;       // with rings; 0: no driver
  doorbell: u32;     // Notification of the driver, one reference
  isStarted: u32;    // the driver takes requests
  generation: u32;   // of the rings
  waiting: u32;      // requests on the list that are WAITING
  deaths: u32;       // drivers lost
  maxDiscard: u32;   // sectors of one DISCARD, of one WRITE_ZEROES; 0: any
  maxZeroes: u32;
  driver: u32;       // Process that attached, one reference; 0: none
  errors: u32;       // of write-back (lib/errseq.ts)
  needsScan: u32;    // for partitions
  inFlight: u32;     // requests that are ISSUED
  suspects: u32;     // requests on the list that may be what their drivers died of (D4)
  reads: u64;        // requests done, sectors moved: /proc/diskstats
  readSectors: u64;
  writes: u64;
  writeSectors: u64;
  emptySinceNs: u64; // when the last driver left, 0: one is there
  leads: u32;        // level above its dirty sectors that lead (write-order.ts)
  pad: u32;
}

/** One ring to the driver. The counters are ours: the ring's copies are only told to the driver. */
@final @unmanaged
class Queue {
  ring: u32;         // MemoryObject, one reference; 0: none
  submitHead: u32;
  completeTail: u32;
  inFlight: u32;
}

export const DISKS_MAX: u32 = 8;
const DISKS: usize = memory.data(8 * 256, 8);
const QUEUES: usize = memory.data(8 * 8 * 16, 8);
/** Per queue: the Request of each tag, 0 when the tag is free. */
const TAGS: usize = memory.data(8 * 8 * 128 * 4, 4);
if (offsetof<Disk>() > 256) ERROR("DISKS has 256 bytes a disk");
if (offsetof<Queue>() != 16) ERROR("QUEUES has 16 bytes a queue");

/** Disk `index`, or null when there can be none of that number. */
export function diskAt(index: u32): Disk | null {
  return index < DISKS_MAX ? changetype<Disk>(DISKS + (<usize>index << 8)) : null; // SAFETY: index is in range
}
/** Disk.lock and Disk.requests, for disk-watch.ts. */
export function lockOf(disk: Disk): SpinLock { return spinLockAt(changetype<usize>(disk)); }
export function listOf(disk: Disk): ListNode { return listNodeAt(changetype<usize>(disk) + offsetof<Disk>("requests")); }
/** Queue `index` (< BLOCK_QUEUES) of a disk. */
function queueOf(disk: Disk, index: u32): Queue {
  return changetype<Queue>(QUEUES + (<usize>(disk.index * BLOCK_QUEUES + index) << 4)); // SAFETY: index is in range
}
function tagsOf(disk: Disk, queue: u32): usize { return TAGS + (<usize>(disk.index * BLOCK_QUEUES + queue) << 9); }

/** The word where errors of write-back to this disk are kept (lib/errseq.ts). */
export function diskErrors(disk: Disk): usize { return changetype<usize>(disk) + offsetof<Disk>("errors"); }

export function disksInit(): void {
  for (let i: u32 = 0; i < DISKS_MAX; i++) {
    const disk = diskAt(i);
    if (!disk) continue;
    spinInit(lockOf(disk), Rank.BLOCK);
    listInit(listOf(disk));
    disk.index = i;
  }
}

// ---- Issuing ----

/** Puts one request into its queue's ring under `tag` (D2); no room is needed beyond a free tag. */
function issueLocked(disk: Disk, queue: Queue, request: Request, tag: u32): void {
  const ring = memoryObjectAt(queue.ring);
  const pa = ringPa(ring, BLOCK_REQUESTS_AT + queue.submitHead % BLOCK_ENTRIES * BLOCK_REQUEST_BYTES);
  physStore64(pa + offsetof<BlockRequest>("id"), <u64>disk.generation << 32 | tag);
  physStore32(pa + offsetof<BlockRequest>("op"), request.op);
  physStore32(pa + offsetof<BlockRequest>("flags"), request.isReplay ? BlockFlag.REPLAY : 0);
  physStore64(pa + offsetof<BlockRequest>("sector"), request.sector);
  physStore32(pa + offsetof<BlockRequest>("sectors"), request.sectors);
  physStore32(pa + offsetof<BlockRequest>("segments"), request.pieces);
  request.tag = tag;
  for (let i: u32 = 0; i < request.pieces; i++) {
    const segment = pa + BLOCK_SEGMENTS_AT + i * <u32>offsetof<BlockSegment>();
    physStore64(segment, dmaMap(disk.index, request, i));
    physStore32(segment + offsetof<BlockSegment>("bytes"), requestPieceBytes(request, i));
  }
  if (request.pieces != 0) addressSpoil(disk.index, pa + BLOCK_SEGMENTS_AT);
  wordSet(tagsOf(disk, request.queue), tag, <u32>changetype<usize>(request));
  request.state = RequestState.ISSUED;
  request.issuedNs = monoNowNs();
  disk.waiting--;
  disk.inFlight++;
  queue.submitHead++;
  queue.inFlight++;
  physStore32(headerPa(ring, offsetof<BlockRing>("submitHead")), queue.submitHead);
}

function tagFree(disk: Disk, queue: u32): u32 {
  let tag: u32 = 0;
  while (tag < BLOCK_ENTRIES && wordAt(tagsOf(disk, queue), tag) != 0) tag++;
  return tag;
}

/** Issues a waiting request if its queue has a free tag; the doorbell's bits then. */
function tryIssueLocked(disk: Disk, request: Request): u64 {
  request.queue %= disk.queues; // the driver of before may have had more
  const queue = queueOf(disk, request.queue);
  if (queue.inFlight == BLOCK_ENTRIES || disk.suspects != 0 && disk.inFlight != 0) return 0; // D4
  issueLocked(disk, queue, request, tagFree(disk, request.queue));
  return BLOCK_DOORBELL << request.queue;
}

/** Issues waiting requests, oldest first, as long as tags are free, and rings the doorbell when there were any. */
function kickLocked(disk: Disk): void {
  if (disk.queues == 0 || !disk.isStarted) return;
  let bits: u64 = 0;
  for (let node = listOf(disk).next; disk.waiting != 0 && !listSame(node, listOf(disk)); node = node.next) {
    const request = requestAt(changetype<usize>(node));
    if (request.state == <u32>RequestState.WAITING) bits |= tryIssueLocked(disk, request);
  }
  if (bits != 0) notificationSignal(notificationAt(disk.doorbell), bits);
}

// ---- Requests ----

/** Hands a request over; diskTransfer and diskTransferKillable wait for it, too. */
export function diskSubmit(disk: Disk, request: Request): void {
  spinLock(lockOf(disk));
  submitLocked(disk, request);
  spinUnlock(lockOf(disk));
}

function submitLocked(disk: Disk, request: Request): void {
  const isFirst = disk.waiting == 0;
  request.state = RequestState.WAITING;
  request.queue = thisCpu().id % BLOCK_QUEUES;
  listAppend(listOf(disk), requestNode(request));
  disk.waiting++;
  if (!isFirst) kickLocked(disk);
  else if (disk.queues != 0 && disk.isStarted) {
    const bits = tryIssueLocked(disk, request);
    if (bits != 0) notificationSignal(notificationAt(disk.doorbell), bits);
  }
}

/** Waits until a submitted request is done, however long that takes: its status. */
export function diskWait(disk: Disk, request: Request): i32 {
  spinLock(lockOf(disk));
  while (request.state != <u32>RequestState.DONE) waitSleepUninterruptible(requestWait(request), lockOf(disk));
  spinUnlock(lockOf(disk));
  return request.status;
}

/** Submits a request and waits until it is done: its status. */
export function diskTransfer(disk: Disk, request: Request): i32 {
  diskSubmit(disk, request);
  return diskWait(disk, request);
}

/** The same for a caller that may be killed: -EINTR then, and the request is gone for it (R2). */
export function diskTransferKillable(disk: Disk, request: Request): i32 {
  spinLock(lockOf(disk));
  submitLocked(disk, request);
  let interrupted: i32 = 0;
  while (request.state != <u32>RequestState.DONE && interrupted == 0) {
    interrupted = waitSleepKillable(requestWait(request), lockOf(disk), 0);
  }
  const isDone = request.state == <u32>RequestState.DONE;
  if (!isDone) request.isAbandoned = 1; // R2
  const result = isDone ? request.status : interrupted;
  spinUnlock(lockOf(disk));
  return result;
}

/** The request is done: off the list, its caller awake. */
export function finishLocked(disk: Disk, request: Request, status: i32): void {
  listRemove(requestNode(request));
  if (request.state == <u32>RequestState.WAITING) disk.waiting--;
  if (isSuspect(request)) disk.suspects--;
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

/**
 * Takes the running process as driver for a disk of this geometry, and its notification (reference taken over): the number of queues,
 * or EBUSY, ENOMEM.
 */
export function diskAttach(disk: Disk, geometry: BlockGeometry, queues: u32, doorbell: u32): i32 {
  const rings = scratchPush(BLOCK_QUEUES << 2);
  let made: u32 = 0;
  for (let ring = ringCreate(); ring; ring = made < queues ? ringCreate() : null) wordSet(rings, made++, <u32>changetype<usize>(ring));
  let result: i32 = made == queues ? <i32>queues : -Errno.NOMEM;
  if (result > 0 && !attach(disk, geometry, rings, queues, doorbell)) result = -Errno.BUSY;
  for (let i: u32 = 0; i < made && result < 0; i++) objectPut(objectAt(wordAt(rings, i)));
  scratchPop(BLOCK_QUEUES << 2);
  return result;
}

/** False when the disk has a driver. */
function attach(disk: Disk, geometry: BlockGeometry, rings: usize, queues: u32, doorbell: u32): bool {
  spinLock(lockOf(disk));
  const isFree = disk.queues == 0;
  if (isFree) {
    disk.doorbell = doorbell;
    disk.generation++;
    disk.queues = queues;
    if (!disk.isPresent || disk.sectors != geometry.sectors) disk.needsScan = 1;
    disk.sectors = geometry.sectors;
    disk.features = geometry.flags;
    disk.maxDiscard = geometry.maxDiscard;
    disk.maxZeroes = geometry.maxZeroes;
    disk.isPresent = 1;
    disk.emptySinceNs = 0;
    disk.driver = <u32>changetype<usize>(currentProcess());
    processGet(currentProcess());
    for (let i: u32 = 0; i < queues; i++) ringSet(queueOf(disk, i), memoryObjectAt(wordAt(rings, i)), disk.generation);
  }
  spinUnlock(lockOf(disk));
  return isFree;
}

function ringSet(queue: Queue, ring: MemoryObject, generation: u32): void {
  physStore32(headerPa(ring, offsetof<BlockRing>("generation")), generation);
  queue.ring = <u32>changetype<usize>(ring);
  queue.submitHead = 0;
  queue.completeTail = 0;
  queue.inFlight = 0;
}

/** The ring of queue `index` for the driver of `generation`, one reference more; EINVAL, ESTALE as pointer. */
export function diskRing(disk: Disk, generation: u32, index: u32): usize {
  spinLock(lockOf(disk));
  const isCurrent = disk.queues != 0 && disk.generation == generation;
  const ring: usize = isCurrent && index < disk.queues ? queueOf(disk, index).ring : 0;
  if (ring != 0) objectGet(objectAt(ring));
  spinUnlock(lockOf(disk));
  return ring != 0 ? ring : <usize>(isCurrent ? -Errno.INVAL : -Errno.STALE);
}

/** The driver of `generation` is ready. */
export function diskStart(disk: Disk, generation: u32): i32 {
  spinLock(lockOf(disk));
  const isCurrent = disk.queues != 0 && disk.generation == generation;
  if (isCurrent) {
    disk.isStarted = 1;
    kickLocked(disk);
  }
  spinUnlock(lockOf(disk));
  return isCurrent ? 0 : -Errno.STALE;
}

/** The driver of `generation` is gone: everything it had taken waits for the next one (D2). */
export function diskDetach(disk: Disk, generation: u32): void {
  const rings = scratchPush(BLOCK_QUEUES << 2);
  spinLock(lockOf(disk));
  const queues = disk.generation == generation ? disk.queues : 0;
  const doorbell = disk.doorbell;
  const driver = disk.driver;
  const isAlone = disk.inFlight == 1;
  if (queues != 0) dmaDetach(disk.index);
  for (let i: u32 = 0; i < queues; i++) wordSet(rings, i, queueLeaveLocked(disk, i, isAlone));
  if (queues != 0) {
    disk.queues = 0;
    disk.doorbell = 0;
    disk.isStarted = 0;
    disk.driver = 0;
    disk.emptySinceNs = monoNowNs();
    disk.deaths++;
  }
  spinUnlock(lockOf(disk));
  for (let i: u32 = 0; i < queues; i++) objectPut(objectAt(wordAt(rings, i)));
  if (queues != 0) objectPut(objectAt(doorbell));
  if (queues != 0) processPut(processOf(driver));
  scratchPop(BLOCK_QUEUES << 2);
}

/** The queue's ring, which it has no more. */
function queueLeaveLocked(disk: Disk, index: u32, isAlone: bool): u32 {
  const queue = queueOf(disk, index);
  const ring = queue.ring;
  for (let tag: u32 = 0; tag < BLOCK_ENTRIES; tag++) tagReturnLocked(disk, index, tag, isAlone);
  queue.ring = 0;
  queue.inFlight = 0;
  return ring;
}

/** The request waits for the next driver, unless too many have died of it. */
function tagReturnLocked(disk: Disk, queue: u32, tag: u32, isAlone: bool): void {
  const address = wordAt(tagsOf(disk, queue), tag);
  if (address == 0) return;
  const request = requestAt(address);
  request.state = RequestState.WAITING;
  request.isReplay = 1;
  disk.waiting++;
  disk.inFlight--;
  wordSet(tagsOf(disk, queue), tag, 0);
  const wasSuspect = isSuspect(request);
  const isGivenUp = requestBlame(request, isAlone);
  if (isSuspect(request) && !wasSuspect) disk.suspects++;
  if (!isGivenUp) return;
  requestGivenUpLog(disk.index, request);
  finishLocked(disk, request, -Errno.IO);
}

/** Takes the completions in the ring of queue `index`: how many, -ESTALE for a driver of before, -EPROTO for nonsense (D3). */
export function diskComplete(disk: Disk, generation: u32, index: u32): i32 {
  spinLock(lockOf(disk));
  let result: i32 = disk.queues != 0 && disk.generation == generation ? 0 : -Errno.STALE;
  if (result == 0) result = index < disk.queues ? completeLocked(disk, index) : -Errno.INVAL;
  if (result > 0) kickLocked(disk);
  spinUnlock(lockOf(disk));
  return result;
}

function completeLocked(disk: Disk, index: u32): i32 {
  const queue = queueOf(disk, index);
  const ring = memoryObjectAt(queue.ring);
  ringSpoil(disk.index, headerPa(ring, 0), ringPa(ring, BLOCK_COMPLETIONS_AT + queue.completeTail % BLOCK_ENTRIES * COMPLETION_BYTES));
  const head = physLoad32(headerPa(ring, offsetof<BlockRing>("completeHead")));
  const count = head - queue.completeTail;
  if (count > BLOCK_ENTRIES) return -Errno.PROTO;
  for (let i: u32 = 0; i < count; i++) {
    const pa = ringPa(ring, BLOCK_COMPLETIONS_AT + queue.completeTail % BLOCK_ENTRIES * COMPLETION_BYTES);
    const id = physLoad64(pa);
    const status = <i32>physLoad32(pa + offsetof<BlockCompletion>("status"));
    const tag = <u32>id;
    if (<u32>(id >> 32) != disk.generation || tag >= BLOCK_ENTRIES || wordAt(tagsOf(disk, index), tag) == 0) return -Errno.PROTO;
    const request = requestAt(wordAt(tagsOf(disk, index), tag));
    wordSet(tagsOf(disk, index), tag, 0);
    queue.inFlight--;
    disk.inFlight--;
    queue.completeTail++;
    dmaUnmap(disk.index, request);
    finishLocked(disk, request, status == 0 || status == -Errno.OPNOTSUPP ? status : -Errno.IO);
  }
  physStore32(headerPa(ring, offsetof<BlockRing>("completeTail")), queue.completeTail);
  return <i32>count;
}
