/**
 * eventfd(2): a 64-bit counter that reads, writes and polls like a file.
 *
 * Locking  EventFd.lock (a Mutex) guards the counter; poll reads it without.
 * Spec     eventfd(2).
 */
import { Errno } from "../../abi/errno";
import { kfree, kzalloc } from "../../core/mm/slab";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { Mutex, mutexAt, mutexInit, mutexLock, mutexUnlock, waitSleepMutex } from "../../core/sync/mutex";
import { pollWait } from "../../core/sync/poll-wait";
import { WaitQueue, waitQueueAt, waitQueueInit, wakeUpAll } from "../../core/sync/wait-queue";
import { fdInstall } from "./fd-table";
import { fileAllocAnon, fileOpsDefaults, filePut } from "./file";
import { bufCopyIn, bufCopyOut } from "./io-buf";
import { File, FileOps, OpenFlag, PollEvent, fileOf, isErrPtr } from "./types";

const EFD_SEMAPHORE: u32 = 1;
const COUNT_MAX: u64 = 0xfffffffffffffffe;

@final @unmanaged
class EventFd {
  lock: u64;  // a Mutex held by value
  lock1: u64;
  lock2: u64;
  lock3: u64;
  wait: u64;  // a WaitQueue held by value: readers and writers
  wait1: u64;
  wait2: u64;
  wait3: u64;
  count: u64;
  isSemaphore: u32;
  pad: u32;
}

const EVENTFD_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));

/** Fills the table; after vfsInit(). */
export function eventfdInit(): void {
  fileOpsDefaults(EVENTFD_OPS);
  EVENTFD_OPS.read = eventfdRead;
  EVENTFD_OPS.write = eventfdWrite;
  EVENTFD_OPS.poll = eventfdPoll;
  EVENTFD_OPS.release = eventfdRelease;
}

/** SAFETY: File.data of a file with EVENTFD_OPS. */
function eventfdOf(file: File): EventFd { return changetype<EventFd>(file.data); }
function eventfdMutex(event: EventFd): Mutex { return mutexAt(changetype<usize>(event)); }
function eventfdWait(event: EventFd): WaitQueue {
  return waitQueueAt(changetype<usize>(event) + offsetof<EventFd>("wait"));
}

export function sysEventfd(initial: u32): i64 {
  return sysEventfd2(initial, 0);
}

export function sysEventfd2(initial: u32, flags: u32): i64 {
  if ((flags & ~(EFD_SEMAPHORE | OpenFlag.CLOEXEC | OpenFlag.NONBLOCK)) != 0) return -Errno.INVAL;
  const address = kzalloc(offsetof<EventFd>());
  if (!address) return -Errno.NOMEM;
  const file = fileAllocAnon(EVENTFD_OPS, "[eventfd]", OpenFlag.RDWR | (flags & OpenFlag.NONBLOCK));
  if (isErrPtr(file)) {
    kfree(address);
    return <i64><isize>file;
  }
  fileOf(file).data = <u32>address;
  const event = eventfdOf(fileOf(file));
  mutexInit(eventfdMutex(event));
  waitQueueInit(eventfdWait(event));
  event.count = initial;
  event.isSemaphore = flags & EFD_SEMAPHORE;
  const fd = fdInstall(fileOf(file), (flags & OpenFlag.CLOEXEC) != 0);
  if (fd < 0) filePut(fileOf(file));
  return fd;
}

function eventfdRead(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  if (count < 8) return -Errno.INVAL;
  const event = eventfdOf(file);
  mutexLock(eventfdMutex(event));
  let result: i64 = 0;
  while (event.count == 0 && result == 0) result = blockLocked(event, file);
  if (result == 0) {
    const value = event.isSemaphore ? 1 : event.count;
    result = wordOut(bufVa, value);
    if (result == 0) event.count -= value;
    wakeUpAll(eventfdWait(event));
  }
  mutexUnlock(eventfdMutex(event));
  return result == 0 ? 8 : result;
}

function eventfdWrite(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  if (count < 8) return -Errno.INVAL;
  const word = scratchPush(8);
  const failed = bufCopyIn(word, bufVa, 8);
  const value = load<u64>(word);
  scratchPop(8);
  if (failed != 0) return failed;
  if (value == u64.MAX_VALUE) return -Errno.INVAL;
  const event = eventfdOf(file);
  mutexLock(eventfdMutex(event));
  let result: i64 = 0;
  while (COUNT_MAX - event.count < value && result == 0) result = blockLocked(event, file);
  if (result == 0) {
    event.count += value;
    wakeUpAll(eventfdWait(event));
  }
  mutexUnlock(eventfdMutex(event));
  return result == 0 ? 8 : result;
}

function blockLocked(event: EventFd, file: File): i64 {
  if (file.flags & OpenFlag.NONBLOCK) return -Errno.AGAIN;
  return waitSleepMutex(eventfdWait(event), eventfdMutex(event), 0) < 0 ? -Errno.RESTARTSYS : 0;
}

function wordOut(bufVa: u64, value: u64): i64 {
  const word = scratchPush(8);
  store<u64>(word, value);
  const failed = bufCopyOut(bufVa, word, 8);
  scratchPop(8);
  return failed;
}

function eventfdPoll(file: File, table: usize): u32 {
  const event = eventfdOf(file);
  pollWait(table, eventfdWait(event));
  let events: u32 = event.count != 0 ? PollEvent.IN | PollEvent.RDNORM : 0;
  if (event.count < COUNT_MAX) events |= PollEvent.OUT | PollEvent.WRNORM;
  return events;
}

function eventfdRelease(file: File): void {
  kfree(file.data);
}
