/**
 * epoll(7): a set of watched files that remembers which of them had events.
 *
 *   Epoll ── items ──▶ EpollItem ── entries on the wait queues of its file
 *     └───── ready ──▶ items whose file was woken since it was last looked at
 *
 * The wake-up callback only marks the item and wakes the waiters of the epoll file; what is really ready is asked from
 * the files themselves by epoll_wait, so a level-triggered item that stays ready goes back on the ready list.
 *
 * Invariants  E1  item.isReady == 1 exactly while its readyNode is on Epoll.ready.
 *             E2  an item ends with the last reference of its file (fileClosed) or of the epoll file.
 * Locking     epollMutex (one for all sets: changes are rare) guards item lists and File.epollItems; Epoll.readyLock
 *             (above WAIT_QUEUE: callbacks hold the queue they come from) guards the ready list. The wait queue of an
 *             epoll file ranks just above the queues of what it watches: sets nest up to MAX_DEPTH.
 * Spec        epoll(7), epoll_ctl(2).
 */
import { Errno } from "../../abi/errno";
import { kfree, kzalloc } from "../../core/mm/slab";
import { Mutex, mutexAt, mutexInit, mutexLock, mutexUnlock } from "../../core/sync/mutex";
import { PollTable, pollTableAt, pollTableInit, pollWait } from "../../core/sync/poll-wait";
import { WaitEntry, WaitQueue, waitAdd, waitEntryAt, waitEntryInitCallback, waitQueueAt, waitQueueInit, waitRemove, wakeUpAll } from "../../core/sync/wait-queue";
import { ListNode, listAppend, listEmpty, listInit, listNodeAt, listRemove, listSame, ownerOf } from "../../lib/list";
import { Rank } from "../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinLockAt, spinUnlock } from "../../lib/spinlock";
import { fileOpsDefaults } from "./file-ops";
import { File, FileOps, PollEvent, fileOf, fileOpsOf } from "./types";

export const EPOLLET: u32 = 0x80000000;
export const EPOLLONESHOT: u32 = 0x40000000;
export const EPOLLEXCLUSIVE: u32 = 0x10000000;
export const EPOLLWAKEUP: u32 = 0x20000000;
/** Modifiers, as opposed to events. */
const MODIFIERS: u32 = 0xf0000000;
const ALWAYS: u32 = PollEvent.ERR | PollEvent.HUP;
const MAX_QUEUES: u32 = 3;
const MAX_DEPTH: u32 = 2;

@final @unmanaged
export class Epoll {
  wait: u64;       // a WaitQueue held by value: epoll_wait, and poll on the epoll file
  wait1: u64;
  wait2: u64;
  wait3: u64;
  readyLock: u64;  // a SpinLock held by value
  readyLock1: u64;
  items: u64;      // ListNode by value: EpollItem.node
  ready: u64;      // ListNode by value: EpollItem.readyNode
  depth: u32;      // sets nested inside this one
  refs: u32;
}

@final @unmanaged
export class EpollItem {
  entry0: u64;     // MAX_QUEUES WaitEntry held by value
  entry1: u64;
  entry2: u64;
  entry3: u64;
  entry4: u64;
  entry5: u64;
  entry6: u64;
  entry7: u64;
  entry8: u64;
  entry9: u64;
  entry10: u64;
  entry11: u64;
  node: u64;       // ListNode by value: Epoll.items
  readyNode: u64;  // ListNode by value: Epoll.ready
  data: u64;       // the user's word
  epoll: u32;      // Epoll
  file: u32;       // File; no reference: the file's end ends the item (E2)
  fileNext: u32;   // EpollItem: chain of File.epollItems
  fd: i32;
  events: u32;     // asked for, with modifiers
  isReady: u32;    // E1
  queueCount: u32; // entries in use
  pad: u32;
}

const EPOLL_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));
const MUTEX: usize = memory.data(32, 8);

function epollMutex(): Mutex { return mutexAt(MUTEX); }
/** SAFETY: File.data of a file with EPOLL_OPS, EpollItem.epoll. */
export function epollOf(address: u32): Epoll { return changetype<Epoll>(address); }
function itemOf(address: u32): EpollItem { return changetype<EpollItem>(address); } // SAFETY: chains of EpollItem
export function epollWaitQueue(epoll: Epoll): WaitQueue { return waitQueueAt(changetype<usize>(epoll)); }
function readyLockOf(epoll: Epoll): SpinLock { return spinLockAt(changetype<usize>(epoll) + offsetof<Epoll>("readyLock")); }
function itemsOf(epoll: Epoll): ListNode { return listNodeAt(changetype<usize>(epoll) + offsetof<Epoll>("items")); }
function readyOf(epoll: Epoll): ListNode { return listNodeAt(changetype<usize>(epoll) + offsetof<Epoll>("ready")); }
function itemNode(item: EpollItem): ListNode { return listNodeAt(changetype<usize>(item) + offsetof<EpollItem>("node")); }
function itemReadyNode(item: EpollItem): ListNode {
  return listNodeAt(changetype<usize>(item) + offsetof<EpollItem>("readyNode"));
}
function itemEntry(item: EpollItem, index: u32): WaitEntry { return waitEntryAt(changetype<usize>(item) + index * 32); }

/** Fills the table; after vfsInit(). */
export function epollInit(): void {
  mutexInit(epollMutex());
  fileOpsDefaults(EPOLL_OPS);
  EPOLL_OPS.poll = epollPoll;
  EPOLL_OPS.release = epollRelease;
}

/** The operations of epoll files, by which one is told from others. */
export function epollFileOps(): FileOps { return EPOLL_OPS; }
export function fileIsEpoll(file: File): bool { return file.ops == changetype<usize>(EPOLL_OPS); }

/** An empty set, or null when memory is full. */
export function epollNew(): Epoll | null {
  const address = kzalloc(offsetof<Epoll>());
  if (!address) return null;
  const epoll = epollOf(<u32>address);
  waitQueueInit(epollWaitQueue(epoll));
  spinLockAt(changetype<usize>(epoll)).rank = Rank.WAIT_QUEUE + 1;
  spinInit(readyLockOf(epoll), Rank.TIMER - 1);
  listInit(itemsOf(epoll));
  listInit(readyOf(epoll));
  return epoll;
}

export function epollFree(epoll: Epoll): void {
  kfree(changetype<usize>(epoll));
}

function epollRelease(file: File): void {
  const epoll = epollOf(file.data);
  mutexLock(epollMutex());
  while (!listEmpty(itemsOf(epoll))) itemEnd(ownerOf<EpollItem>(itemsOf(epoll).next, offsetof<EpollItem>("node")));
  mutexUnlock(epollMutex());
  epollFree(epoll);
}

/** The last reference of a watched file is gone: its items end. Called by the VFS when file.epollItems != 0. */
export function epollFileClosed(file: File): void {
  mutexLock(epollMutex());
  while (file.epollItems != 0) itemEnd(itemOf(file.epollItems));
  mutexUnlock(epollMutex());
}

/** Takes the item out of everything and frees it. */
function itemEnd(item: EpollItem): void {
  itemUnhook(item);
  const epoll = epollOf(item.epoll);
  spinLock(readyLockOf(epoll));
  if (item.isReady) listRemove(itemReadyNode(item));
  spinUnlock(readyLockOf(epoll));
  listRemove(itemNode(item));
  const file = fileOf(item.file);
  if (file.epollItems == <u32>changetype<usize>(item)) file.epollItems = item.fileNext;
  else chainUnlink(file, item);
  kfree(changetype<usize>(item));
}

function chainUnlink(file: File, item: EpollItem): void {
  let at = itemOf(file.epollItems);
  while (at.fileNext != <u32>changetype<usize>(item)) at = itemOf(at.fileNext);
  at.fileNext = item.fileNext;
}

function itemUnhook(item: EpollItem): void {
  for (let i: u32 = 0; i < item.queueCount; i++) {
    const entry = itemEntry(item, i);
    waitRemove(waitQueueAt(entry.queue), entry);
  }
  item.queueCount = 0;
}

/** PollTable.add of an item's table: data is the item. More queues than an item has entries are refused. */
function itemAddQueue(table: PollTable, wq: WaitQueue): void {
  const item = itemOf(table.data);
  if (item.queueCount == MAX_QUEUES) {
    table.error = -Errno.NOMEM;
    return;
  }
  const entry = itemEntry(item, item.queueCount++);
  waitEntryInitCallback(entry, itemWoken, table.data);
  waitAdd(wq, entry);
}

/** A queue of the item's file was woken; that queue is locked. */
function itemWoken(entry: WaitEntry, events: u32): void {
  const item = itemOf(entry.data);
  if ((events & (item.events | ALWAYS)) == 0 || (item.events & ~MODIFIERS) == 0) return;
  itemMark(item);
  wakeUpAll(epollWaitQueue(epollOf(item.epoll)));
}

function itemMark(item: EpollItem): void {
  const epoll = epollOf(item.epoll);
  spinLock(readyLockOf(epoll));
  if (!item.isReady) {
    item.isReady = 1;
    listAppend(readyOf(epoll), itemReadyNode(item));
  }
  spinUnlock(readyLockOf(epoll));
}

function itemFind(epoll: Epoll, file: File, fd: i32): u32 {
  for (let address = file.epollItems; address != 0; address = itemOf(address).fileNext) {
    const item = itemOf(address);
    if (item.fd == fd && item.epoll == <u32>changetype<usize>(epoll)) return address;
  }
  return 0;
}

const enum Ctl { ADD = 1, DEL = 2, MOD = 3 }

/** epoll_ctl on a set: 0 or -errno. `tablePtr` is scratch for a PollTable. */
export function epollControl(epoll: Epoll, op: i32, file: File, fd: i32, events: u32, data: u64, tablePtr: usize): i32 {
  mutexLock(epollMutex());
  const known = itemFind(epoll, file, fd);
  let result: i32 = -Errno.INVAL;
  if (op == Ctl.ADD) result = known != 0 ? -Errno.EXIST : itemAdd(epoll, file, fd, events, data, tablePtr);
  else if (known == 0) result = op == Ctl.DEL || op == Ctl.MOD ? -Errno.NOENT : -Errno.INVAL;
  else if (op == Ctl.DEL) {
    itemEnd(itemOf(known));
    result = 0;
  } else if (op == Ctl.MOD) result = itemChange(itemOf(known), events, data);
  mutexUnlock(epollMutex());
  return result;
}

function itemAdd(epoll: Epoll, file: File, fd: i32, events: u32, data: u64, tablePtr: usize): i32 {
  if (fileIsEpoll(file)) {
    const inner = epollOf(file.data);
    if (inner == epoll || inner.depth + 1 > MAX_DEPTH) return -Errno.LOOP;
    epoll.depth = max<u32>(epoll.depth, inner.depth + 1);
    spinLockAt(changetype<usize>(epoll)).rank = Rank.WAIT_QUEUE + 1 + epoll.depth;
  }
  const address = kzalloc(offsetof<EpollItem>());
  if (!address) return -Errno.NOMEM;
  const item = itemOf(<u32>address);
  item.epoll = <u32>changetype<usize>(epoll);
  item.file = <u32>changetype<usize>(file);
  item.fd = fd;
  item.events = events;
  item.data = data;
  listInit(itemReadyNode(item));
  listAppend(itemsOf(epoll), itemNode(item));
  item.fileNext = file.epollItems;
  file.epollItems = <u32>address;
  return itemHook(item, file, tablePtr);
}

/** Queues the item on its file's wait queues and takes the present state along. */
function itemHook(item: EpollItem, file: File, tablePtr: usize): i32 {
  const table = pollTableAt(tablePtr);
  pollTableInit(table);
  table.add = itemAddQueue;
  table.data = <u32>changetype<usize>(item);
  const ready = fileOpsOf(file).poll(file, tablePtr);
  if (table.error != 0) {
    itemEnd(item);
    return table.error;
  }
  if (ready & (item.events | ALWAYS)) itemReport(item);
  return 0;
}

function itemReport(item: EpollItem): void {
  itemMark(item);
  wakeUpAll(epollWaitQueue(epollOf(item.epoll)));
}

function itemChange(item: EpollItem, events: u32, data: u64): i32 {
  item.events = events;
  item.data = data;
  const file = fileOf(item.file);
  if (fileOpsOf(file).poll(file, 0) & (events | ALWAYS)) itemReport(item);
  return 0;
}

/** Takes the next item that may be ready off the list, 0 when there is none. */
function readyTake(epoll: Epoll): u32 {
  spinLock(readyLockOf(epoll));
  let address: u32 = 0;
  if (!listEmpty(readyOf(epoll))) {
    const item = ownerOf<EpollItem>(readyOf(epoll).next, offsetof<EpollItem>("readyNode"));
    listRemove(itemReadyNode(item));
    item.isReady = 0;
    address = <u32>changetype<usize>(item);
  }
  spinUnlock(readyLockOf(epoll));
  return address;
}

/** Bytes of struct epoll_event, packed on x86-64: u32 events, u64 data. */
export const EPOLL_EVENT_BYTES: u32 = 12;

/** Stores up to `max` ready events at linear `out`; how many. */
export function epollHarvest(epoll: Epoll, out: usize, max: u32): u32 {
  mutexLock(epollMutex());
  let found: u32 = 0;
  let first: u32 = 0; // level-triggered items come back: stop when the round meets the first of them again
  while (found < max) {
    const address = readyTake(epoll);
    if (address == 0) break;
    const item = itemOf(address);
    if (address == first) {
      itemMark(item);
      break;
    }
    const file = fileOf(item.file);
    const ready = fileOpsOf(file).poll(file, 0) & (item.events & ~MODIFIERS | ALWAYS);
    if (ready == 0 || (item.events & ~MODIFIERS) == 0) continue;
    store<u32>(out + found * EPOLL_EVENT_BYTES, ready);
    store<u64>(out + found * EPOLL_EVENT_BYTES, item.data, 4);
    found++;
    if (item.events & EPOLLONESHOT) item.events &= MODIFIERS;
    else if ((item.events & EPOLLET) == 0) {
      itemMark(item);
      if (first == 0) first = address;
    }
  }
  mutexUnlock(epollMutex());
  return found;
}

/** True when an item may be ready (a hint: epollHarvest decides). */
export function epollMayBeReady(epoll: Epoll): bool {
  return !listSame(readyOf(epoll).next, readyOf(epoll));
}

function epollPoll(file: File, table: usize): u32 {
  const epoll = epollOf(file.data);
  pollWait(table, epollWaitQueue(epoll));
  return epollMayBeReady(epoll) ? PollEvent.IN | PollEvent.RDNORM : 0;
}
