/** The system calls of epoll(7). */
import { userCopyIn, userCopyOut } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { userRangeOk } from "../../core/mm/layout";
import { kfree, kmalloc } from "../../core/mm/slab";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import {
  POLL_TABLE_BYTES, PollTable, pollSleep, pollTableAt, pollTableDone, pollTableFree, pollTableInit, pollWait,
} from "../../core/sync/poll-wait";
import { temporaryMaskEnd, temporaryMaskSet } from "../signal/temporary-mask";
import {
  EPOLL_EVENT_BYTES, Epoll, epollControl, epollFileOps, epollFree, epollHarvest, epollMayBeReady, epollNew, epollOf,
  epollWaitQueue, fileIsEpoll,
} from "./epoll";
import { fdBorrow, fdInstall, fdReturn, heldFile } from "./fd-table";
import { fileAllocAnon, filePut } from "./file";
import { deadlineOfMs, deadlineOfTime } from "./poll-time";
import { File, FileMode, OpenFlag, fileOf, inodeOf, isErrPtr } from "./types";

const CTL_DEL: i32 = 2;
/** Events handed over at a time; the caller's array may be larger. */
const MAX_BATCH: u32 = 128;

export function sysEpollCreate(size: i32): i64 {
  return size <= 0 ? -Errno.INVAL : sysEpollCreate1(0);
}

export function sysEpollCreate1(flags: u32): i64 {
  if ((flags & ~<u32>OpenFlag.CLOEXEC) != 0) return -Errno.INVAL;
  const epoll = epollNew();
  if (!epoll) return -Errno.NOMEM;
  const file = fileAllocAnon(epollFileOps(), "[eventpoll]", OpenFlag.RDWR);
  if (isErrPtr(file)) {
    epollFree(epoll);
    return <i64><isize>file;
  }
  fileOf(file).data = <u32>changetype<usize>(epoll);
  const fd = fdInstall(fileOf(file), (flags & OpenFlag.CLOEXEC) != 0);
  if (fd < 0) filePut(fileOf(file));
  return fd;
}

export function sysEpollCtl(epollFd: i32, op: i32, fd: i32, eventVa: u64): i64 {
  let events: u32 = 0;
  let data: u64 = 0;
  if (op != CTL_DEL) {
    if (!userRangeOk(eventVa, EPOLL_EVENT_BYTES)) return -Errno.FAULT;
    const event = scratchPush(EPOLL_EVENT_BYTES);
    const failed = userCopyIn(event, eventVa, EPOLL_EVENT_BYTES);
    events = load<u32>(event);
    data = load<u64>(event, 4);
    scratchPop(EPOLL_EVENT_BYTES);
    if (failed != 0) return failed;
  }
  const heldSet = fdBorrow(epollFd);
  if (heldSet == 0) return -Errno.BADF;
  const held = fdBorrow(fd);
  const result = held == 0 ? -Errno.BADF : controlFiles(heldFile(heldSet), op, heldFile(held), fd, events, data);
  if (held != 0) fdReturn(held);
  fdReturn(heldSet);
  return result;
}

function controlFiles(set: File, op: i32, file: File, fd: i32, events: u32, data: u64): i64 {
  if (!fileIsEpoll(set) || set == file) return -Errno.INVAL;
  const kind = inodeOf(file.inode).mode & FileMode.IFMT;
  if (kind == FileMode.IFREG || kind == FileMode.IFDIR) return -Errno.PERM; // always ready: nothing to watch
  const table = scratchPush(POLL_TABLE_BYTES);
  const result = epollControl(epollOf(set.data), op, file, fd, events, data, table);
  scratchPop(POLL_TABLE_BYTES);
  return result;
}

export function sysEpollWait(epollFd: i32, eventsVa: u64, maxEvents: i32, timeoutMs: i32): i64 {
  return waitOn(epollFd, eventsVa, maxEvents, deadlineOfMs(timeoutMs));
}

export function sysEpollPwait(
  epollFd: i32, eventsVa: u64, maxEvents: i32, timeoutMs: i32, maskVa: u64, maskSize: u64,
): i64 {
  const failed = temporaryMaskSet(maskVa, maskSize);
  if (failed != 0) return failed;
  return temporaryMaskEnd(waitOn(epollFd, eventsVa, maxEvents, deadlineOfMs(timeoutMs)));
}

export function sysEpollPwait2(
  epollFd: i32, eventsVa: u64, maxEvents: i32, timeoutVa: u64, maskVa: u64, maskSize: u64,
): i64 {
  const deadlineNs = deadlineOfTime(timeoutVa, 1);
  if (deadlineNs < 0) return deadlineNs;
  const failed = temporaryMaskSet(maskVa, maskSize);
  if (failed != 0) return failed;
  return temporaryMaskEnd(waitOn(epollFd, eventsVa, maxEvents, <u64>deadlineNs));
}

function waitOn(epollFd: i32, eventsVa: u64, maxEvents: i32, deadlineNs: u64): i64 {
  if (maxEvents <= 0) return -Errno.INVAL;
  const max = min<u32>(maxEvents, MAX_BATCH);
  if (!userRangeOk(eventsVa, max * EPOLL_EVENT_BYTES)) return -Errno.FAULT;
  const held = fdBorrow(epollFd);
  if (held == 0) return -Errno.BADF;
  let result: i64 = -Errno.INVAL;
  if (fileIsEpoll(heldFile(held))) {
    const events = kmalloc(max * EPOLL_EVENT_BYTES);
    result = events ? harvestUntil(epollOf(heldFile(held).data), events, max, deadlineNs) : -Errno.NOMEM;
    if (result > 0 && userCopyOut(eventsVa, events, <u32>result * EPOLL_EVENT_BYTES) != 0) result = -Errno.FAULT;
    kfree(events);
  }
  fdReturn(held);
  return result;
}

function harvestUntil(epoll: Epoll, events: usize, max: u32, deadlineNs: u64): i64 {
  const quick = epollMayBeReady(epoll) ? epollHarvest(epoll, events, max) : 0;
  if (quick != 0) return quick;
  const table = pollTableAt(scratchPush(POLL_TABLE_BYTES));
  pollTableInit(table);
  pollWait(changetype<usize>(table), epollWaitQueue(epoll));
  pollTableDone(table);
  const result = table.error != 0 ? <i64>table.error : harvestLoop(epoll, events, max, table, deadlineNs);
  pollTableFree(table);
  scratchPop(POLL_TABLE_BYTES);
  return result;
}

function harvestLoop(epoll: Epoll, events: usize, max: u32, table: PollTable, deadlineNs: u64): i64 {
  while (true) {
    const found = epollHarvest(epoll, events, max);
    if (found != 0) return found;
    const slept = pollSleep(table, deadlineNs);
    if (slept == -Errno.TIMEDOUT) return epollHarvest(epoll, events, max);
    if (slept == -Errno.INTR) return -Errno.RESTARTNOHAND;
  }
}
