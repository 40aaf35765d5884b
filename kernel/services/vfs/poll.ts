/**
 * poll(2) and ppoll(2).
 *
 * Locking  none of its own; the pollfd array is a kernel copy.
 * Spec     poll(2).
 */
import { userCopyIn, userCopyOut } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { userRangeOk } from "../../core/mm/layout";
import { kfree, kmalloc } from "../../core/mm/slab";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import {
  POLL_TABLE_BYTES, PollTable, pollSleep, pollTableAt, pollTableDone, pollTableFree, pollTableInit,
} from "../../core/sync/poll-wait";
import { temporaryMaskEnd, temporaryMaskSet } from "../signal/temporary-mask";
import { fdBorrow, fdReturn, heldFile, rlimitNow } from "./fd-table";
import { deadlineOfMs, deadlineOfTime, timeLeftStore } from "./poll-time";
import { PollEvent, fileOpsOf } from "./types";

const POLLFD_BYTES: u32 = 8;
const RLIMIT_NOFILE: u32 = 7;
const MAX_POLLFDS: u64 = 65536;
/** Reported whether asked for or not. */
const ALWAYS: u32 = PollEvent.ERR | PollEvent.HUP;

/** Events of `events` (and ERR, HUP) that descriptor `fd` has now; NVAL for a closed one. */
export function fdPoll(fd: i32, events: u32, table: usize): u32 {
  const held = fdBorrow(fd);
  if (held == 0) return PollEvent.NVAL;
  const file = heldFile(held);
  const ready = fileOpsOf(file).poll(file, table) & (events | ALWAYS);
  fdReturn(held);
  return ready;
}

export function sysPoll(fdsVa: u64, count: u64, timeoutMs: i32): i64 {
  return pollUntil(fdsVa, count, deadlineOfMs(timeoutMs));
}

export function sysPpoll(fdsVa: u64, count: u64, timeoutVa: u64, maskVa: u64, maskSize: u64): i64 {
  const deadlineNs = deadlineOfTime(timeoutVa, 1);
  if (deadlineNs < 0) return deadlineNs;
  const failed = temporaryMaskSet(maskVa, maskSize);
  if (failed != 0) return failed;
  const result = pollUntil(fdsVa, count, <u64>deadlineNs);
  timeLeftStore(timeoutVa, <u64>deadlineNs, 1);
  return temporaryMaskEnd(result);
}

function pollUntil(fdsVa: u64, count: u64, deadlineNs: u64): i64 {
  if (count > rlimitNow(RLIMIT_NOFILE) || count > MAX_POLLFDS) return -Errno.INVAL;
  const size = <u32>count * POLLFD_BYTES;
  if (!userRangeOk(fdsVa, size)) return -Errno.FAULT;
  const fds = kmalloc(max<u32>(size, 1));
  if (!fds) return -Errno.NOMEM;
  let result: i64 = userCopyIn(fds, fdsVa, size);
  if (result == 0) {
    const table = pollTableAt(scratchPush(POLL_TABLE_BYTES));
    pollTableInit(table);
    result = pollLoop(fds, <u32>count, table, deadlineNs);
    pollTableFree(table);
    scratchPop(POLL_TABLE_BYTES);
  }
  if (result >= 0 && userCopyOut(fdsVa, fds, size) != 0) result = -Errno.FAULT;
  kfree(fds);
  return result;
}

/** Looks until something is ready: the number of descriptors with events, 0 after the deadline, or -errno. */
function pollLoop(fds: usize, count: u32, table: PollTable, deadlineNs: u64): i64 {
  while (true) {
    const ready = pollOnce(fds, count, changetype<usize>(table));
    if (ready != 0) return ready;
    if (table.error != 0) return table.error;
    pollTableDone(table);
    const slept = pollSleep(table, deadlineNs);
    if (slept == -Errno.TIMEDOUT) return pollOnce(fds, count, 0);
    if (slept == -Errno.INTR) return -Errno.RESTARTNOHAND;
  }
}

function pollOnce(fds: usize, count: u32, table: usize): i64 {
  let ready: i64 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const at = fds + i * POLLFD_BYTES;
    const fd = load<i32>(at);
    // Once one is ready the call will not sleep: no need to queue on the rest.
    const events = fd < 0 ? 0 : fdPoll(fd, load<u16>(at, 4), ready != 0 ? 0 : table);
    store<u16>(at, <u16>events, 6);
    if (events != 0) ready++;
  }
  return ready;
}
