/**
 * select(2) and pselect6(2): three bit sets of descriptors.
 *
 *   kernel copy   in read | in write | in except | out read | out write | out except, `bytes` each
 *
 * Spec  select(2); which poll events make a descriptor readable, writable, exceptional: its "Correspondence" section.
 */
import { userCopyIn, userCopyOut } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { userRangeOk } from "../../core/mm/layout";
import { kfree, kzalloc } from "../../core/mm/slab";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import {
  POLL_TABLE_BYTES, PollTable, pollSleep, pollTableAt, pollTableDone, pollTableFree, pollTableInit,
} from "../../core/sync/poll-wait";
import { temporaryMaskEnd, temporaryMaskSet } from "../signal/temporary-mask";
import { fdTableCapacity, fdTableNow } from "./fd-table";
import { fdPoll } from "./poll";
import { deadlineOfTime, timeLeftStore } from "./poll-time";
import { PollEvent } from "./types";

const READABLE: u32 = PollEvent.IN | PollEvent.RDNORM | PollEvent.RDBAND | PollEvent.HUP | PollEvent.ERR;
const WRITABLE: u32 = PollEvent.OUT | PollEvent.WRNORM | PollEvent.WRBAND | PollEvent.ERR;
const EXCEPTIONAL: u32 = PollEvent.PRI;

export function sysSelect(count: i32, readVa: u64, writeVa: u64, exceptVa: u64, timeoutVa: u64): i64 {
  const deadlineNs = deadlineOfTime(timeoutVa, 1000);
  if (deadlineNs < 0) return deadlineNs;
  const result = selectUntil(count, readVa, writeVa, exceptVa, <u64>deadlineNs);
  timeLeftStore(timeoutVa, <u64>deadlineNs, 1000);
  return result;
}

export function sysPselect6(count: i32, readVa: u64, writeVa: u64, exceptVa: u64, timeoutVa: u64, maskArgVa: u64): i64 {
  const deadlineNs = deadlineOfTime(timeoutVa, 1);
  if (deadlineNs < 0) return deadlineNs;
  const failed = maskArgument(maskArgVa);
  if (failed != 0) return failed;
  const result = selectUntil(count, readVa, writeVa, exceptVa, <u64>deadlineNs);
  timeLeftStore(timeoutVa, <u64>deadlineNs, 1);
  return temporaryMaskEnd(result);
}

/** The sixth argument points at { mask pointer, size }. */
function maskArgument(va: u64): i32 {
  if (va == 0) return 0;
  if (!userRangeOk(va, 16)) return -Errno.FAULT;
  const pair = scratchPush(16);
  const failed = userCopyIn(pair, va, 16);
  const mask = load<u64>(pair);
  const size = load<u64>(pair, 8);
  scratchPop(16);
  return failed != 0 ? failed : temporaryMaskSet(mask, size);
}

function selectUntil(count: i32, readVa: u64, writeVa: u64, exceptVa: u64, deadlineNs: u64): i64 {
  if (count < 0) return -Errno.INVAL;
  const fds = min<u32>(count, (fdTableCapacity(fdTableNow()) + 63) & ~63);
  const bytes = ((fds + 63) >> 6) << 3;
  const sets = kzalloc(max<u32>(bytes * 6, 8));
  if (!sets) return -Errno.NOMEM;
  let result: i64 = setIn(sets, readVa, bytes);
  if (result == 0) result = setIn(sets + bytes, writeVa, bytes);
  if (result == 0) result = setIn(sets + bytes * 2, exceptVa, bytes);
  if (result == 0) {
    const table = pollTableAt(scratchPush(POLL_TABLE_BYTES));
    pollTableInit(table);
    result = selectLoop(sets, fds, bytes, table, deadlineNs);
    pollTableFree(table);
    scratchPop(POLL_TABLE_BYTES);
  }
  if (result >= 0 && !setsOut(sets + bytes * 3, readVa, writeVa, exceptVa, bytes)) result = -Errno.FAULT;
  kfree(sets);
  return result;
}

function setIn(ptr: usize, va: u64, bytes: u32): i32 {
  if (va == 0) return 0;
  return userRangeOk(va, bytes) ? userCopyIn(ptr, va, bytes) : -Errno.FAULT;
}

function setsOut(ptr: usize, readVa: u64, writeVa: u64, exceptVa: u64, bytes: u32): bool {
  if (readVa != 0 && userCopyOut(readVa, ptr, bytes) != 0) return false;
  if (writeVa != 0 && userCopyOut(writeVa, ptr + bytes, bytes) != 0) return false;
  return exceptVa == 0 || userCopyOut(exceptVa, ptr + bytes * 2, bytes) == 0;
}

function selectLoop(sets: usize, fds: u32, bytes: u32, table: PollTable, deadlineNs: u64): i64 {
  let isLast = false;
  while (true) {
    const ready = selectOnce(sets, fds, bytes, changetype<usize>(table));
    if (ready != 0 || isLast) return ready;
    if (table.error != 0) return table.error;
    pollTableDone(table);
    const slept = pollSleep(table, deadlineNs);
    if (slept == -Errno.TIMEDOUT) isLast = true;
    else if (slept == -Errno.INTR) return -Errno.RESTARTNOHAND;
  }
}

/** Number of bits set in the three result sets, or -EBADF. */
function selectOnce(sets: usize, fds: u32, bytes: u32, table: usize): i64 {
  let ready: i64 = 0;
  for (let fd: u32 = 0; fd < fds; fd++) {
    const at = sets + (fd >> 3);
    const bit = <u32>1 << (fd & 7);
    const wanted = eventsWanted(at, bytes, bit);
    if (wanted == 0) continue;
    const events = fdPoll(fd, wanted, ready != 0 ? 0 : table);
    if (events & PollEvent.NVAL) return -Errno.BADF;
    ready += resultStore(at, bytes, bit, events & READABLE) + resultStore(at + bytes, bytes, bit, events & WRITABLE) +
      resultStore(at + bytes * 2, bytes, bit, events & EXCEPTIONAL);
  }
  return ready;
}

function eventsWanted(at: usize, bytes: u32, bit: u32): u32 {
  let wanted: u32 = 0;
  if (load<u8>(at) & bit) wanted |= READABLE;
  if (load<u8>(at + bytes) & bit) wanted |= WRITABLE;
  if (load<u8>(at + bytes * 2) & bit) wanted |= EXCEPTIONAL;
  return wanted;
}

/** Sets the bit in the result set that belongs to the input byte `at` when it was asked for and `events` came. */
function resultStore(at: usize, bytes: u32, bit: u32, events: u32): i64 {
  if (events == 0 || (load<u8>(at) & bit) == 0) return 0;
  store<u8>(at + bytes * 3, load<u8>(at + bytes * 3) | <u8>bit);
  return 1;
}
