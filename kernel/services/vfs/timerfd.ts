/**
 * timerfd: a timer whose expiries are counted and read like a file.
 *
 * A periodic one that has expired is armed again when its expiries are read or its state is asked for, with those counted that went by
 * meanwhile: a short period costs a call each time.
 *
 * Invariants  T1  deadlineNs is the next expiry, 0: disarmed. While `waits` is set it is the one that came last, and the timer is at rest.
 * Locking  TimerFd.lock (Rank.TIMER_POSIX) guards the record; the timer's function takes it in the timer interrupt.
 * Units    ns of monoNowNs(); deadlineNs 0: disarmed.
 * Spec     timerfd_create(2).
 */
import { monoNowNs } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { kfree, kzalloc } from "../../core/mm/slab";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { pollWait } from "../../core/sync/poll-wait";
import { WaitQueue, waitQueueAt, waitQueueInit, waitSleep, wakeUpPoll } from "../../core/sync/wait-queue";
import { clockRealToMono } from "../../core/time/clock";
import { Timer, timerAt, timerCancelSync, timerInit, timerStart } from "../../core/time/timer";
import { Rank } from "../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinLockAt, spinUnlock } from "../../lib/spinlock";
import { clockIsReal, clockIsWaitable } from "../process/sys-time";
import { timespecReadNs, timespecWriteNs } from "../process/user-time";
import { fdGet, fdInstall } from "./fd-table";
import { fileAllocAnon, fileOpsDefaults, filePut } from "./file";
import { bufCopyOut } from "./io-buf";
import { File, FileOps, OpenFlag, PollEvent, fileOf, isErrPtr } from "./types";

const TFD_TIMER_ABSTIME: u32 = 1;
const TFD_TIMER_CANCEL_ON_SET: u32 = 2;

@final @unmanaged
class TimerFd {
  lock: u64;       // a SpinLock held by value
  lock1: u64;
  wait: u64;       // a WaitQueue held by value
  wait1: u64;
  wait2: u64;
  wait3: u64;
  timer: u64;      // a Timer held by value
  timer1: u64;
  timer2: u64;
  timer3: u64;
  timer4: u64;
  deadlineNs: u64; // T1
  intervalNs: u64; // 0: once
  expiries: u64;   // since the last read
  clock: i32;
  waits: u32;      // T1
}

const TIMERFD_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));

/** Fills the table; after vfsInit(). */
export function timerfdInit(): void {
  fileOpsDefaults(TIMERFD_OPS);
  TIMERFD_OPS.read = timerfdRead;
  TIMERFD_OPS.poll = timerfdPoll;
  TIMERFD_OPS.release = timerfdRelease;
}

/** SAFETY: File.data of a file with TIMERFD_OPS, or the timer's argument. */
function timerfdOf(address: u32): TimerFd { return changetype<TimerFd>(address); }
function timerfdLock(tfd: TimerFd): SpinLock { return spinLockAt(changetype<usize>(tfd)); }
function timerfdWait(tfd: TimerFd): WaitQueue { return waitQueueAt(changetype<usize>(tfd) + offsetof<TimerFd>("wait")); }
function timerfdTimer(tfd: TimerFd): Timer { return timerAt(changetype<usize>(tfd) + offsetof<TimerFd>("timer")); }

export function sysTimerfdCreate(clock: i32, flags: u32): i64 {
  if (!clockIsWaitable(clock) || (flags & ~(OpenFlag.CLOEXEC | OpenFlag.NONBLOCK)) != 0) return -Errno.INVAL;
  const address = kzalloc(offsetof<TimerFd>());
  if (!address) return -Errno.NOMEM;
  const file = fileAllocAnon(TIMERFD_OPS, "[timerfd]", OpenFlag.RDWR | (flags & OpenFlag.NONBLOCK));
  if (isErrPtr(file)) {
    kfree(address);
    return <i64><isize>file;
  }
  const tfd = timerfdOf(<u32>address);
  spinInit(timerfdLock(tfd), Rank.TIMER_POSIX);
  waitQueueInit(timerfdWait(tfd));
  timerInit(timerfdTimer(tfd), timerfdFire, <u32>address);
  tfd.clock = clock;
  fileOf(file).data = <u32>address;
  const fd = fdInstall(fileOf(file), (flags & OpenFlag.CLOEXEC) != 0);
  if (fd < 0) filePut(fileOf(file));
  return fd;
}

/** The deadline has come, in the timer interrupt: unless it was moved while this CPU waited for the lock. */
function timerfdFire(address: u32): void {
  const tfd = timerfdOf(address);
  spinLock(timerfdLock(tfd));
  if (tfd.deadlineNs != 0 && !tfd.waits && tfd.deadlineNs <= monoNowNs()) fireLocked(tfd);
  spinUnlock(timerfdLock(tfd));
}

function fireLocked(tfd: TimerFd): void {
  tfd.expiries++;
  if (tfd.intervalNs == 0) tfd.deadlineNs = 0;
  else tfd.waits = 1;
  wakeUpPoll(timerfdWait(tfd), PollEvent.IN | PollEvent.RDNORM);
}

/** Counts the periods that went by since the last expiry, and arms the timer for the next (T1). */
function goOnLocked(tfd: TimerFd): void {
  const now = monoNowNs();
  const missed = now > tfd.deadlineNs ? (now - tfd.deadlineNs) / tfd.intervalNs : 0;
  tfd.waits = 0;
  tfd.expiries += missed;
  tfd.deadlineNs += (missed + 1) * tfd.intervalNs;
  timerStart(timerfdTimer(tfd), tfd.deadlineNs);
}

function timerfdRead(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  if (count < 8) return -Errno.INVAL;
  const tfd = timerfdOf(file.data);
  let result: i32 = 0;
  spinLock(timerfdLock(tfd));
  while (tfd.expiries == 0 && result == 0) {
    if (file.flags & OpenFlag.NONBLOCK) result = -Errno.AGAIN;
    else if (waitSleep(timerfdWait(tfd), timerfdLock(tfd), 0) < 0) result = -Errno.RESTARTSYS;
  }
  if (result == 0 && tfd.waits) goOnLocked(tfd);
  const expiries = tfd.expiries;
  if (result == 0) tfd.expiries = 0;
  spinUnlock(timerfdLock(tfd));
  if (result != 0) return result;
  const word = scratchPush(8);
  store<u64>(word, expiries);
  const failed = bufCopyOut(bufVa, word, 8);
  scratchPop(8);
  return failed != 0 ? failed : 8;
}

function timerfdPoll(file: File, table: usize): u32 {
  const tfd = timerfdOf(file.data);
  pollWait(table, timerfdWait(tfd));
  return atomic.load<u64>(changetype<usize>(tfd) + offsetof<TimerFd>("expiries")) != 0 ? PollEvent.IN | PollEvent.RDNORM : 0;
}

function timerfdRelease(file: File): void {
  const tfd = timerfdOf(file.data);
  timerfdDisarm(tfd);
  kfree(changetype<usize>(tfd));
}

/** Afterwards the timer's function neither runs nor will run. */
function timerfdDisarm(tfd: TimerFd): void {
  spinLock(timerfdLock(tfd));
  tfd.deadlineNs = 0; // a function that waits for the lock finds itself disarmed
  tfd.waits = 0;
  spinUnlock(timerfdLock(tfd));
  timerCancelSync(timerfdTimer(tfd));
}

/** The timerfd behind a descriptor, with a file reference for the caller. */
function timerfdGet(fd: i32): File | null {
  const file = fdGet(fd);
  if (!file || file.ops == changetype<usize>(TIMERFD_OPS)) return file;
  filePut(file);
  return null;
}

/** EBADF when the descriptor is closed, EINVAL when it is no timerfd. */
function timerfdError(fd: i32): i64 {
  const file = fdGet(fd);
  if (!file) return -Errno.BADF;
  filePut(file);
  return -Errno.INVAL;
}

/** Puts interval and time left of the timer at `ptr`, two u64. */
function timerfdState(tfd: TimerFd, ptr: usize): void {
  spinLock(timerfdLock(tfd));
  if (tfd.waits) goOnLocked(tfd);
  const now = monoNowNs();
  store<u64>(ptr, tfd.intervalNs);
  store<u64>(ptr, tfd.deadlineNs == 0 ? 0 : tfd.deadlineNs > now ? tfd.deadlineNs - now : 1, 8);
  spinUnlock(timerfdLock(tfd));
}

function stateWrite(va: u64, ptr: usize): i64 {
  const result = timespecWriteNs(va, load<i64>(ptr));
  return result < 0 ? result : timespecWriteNs(va + 16, load<i64>(ptr, 8));
}

export function sysTimerfdSettime(fd: i32, flags: u32, valueVa: u64, oldVa: u64): i64 {
  if ((flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) != 0) return -Errno.INVAL;
  const intervalNs = timespecReadNs(valueVa);
  if (intervalNs < 0) return intervalNs;
  const valueNs = timespecReadNs(valueVa + 16);
  if (valueNs < 0) return valueNs;
  const file = timerfdGet(fd);
  if (!file) return timerfdError(fd);
  const ptr = scratchPush(16);
  const tfd = timerfdOf(file.data);
  timerfdState(tfd, ptr);
  timerfdArm(tfd, <u64>valueNs, <u64>intervalNs, (flags & TFD_TIMER_ABSTIME) != 0);
  const result = oldVa != 0 ? stateWrite(oldVa, ptr) : 0;
  scratchPop(16);
  filePut(file);
  return result;
}

function timerfdArm(tfd: TimerFd, valueNs: u64, intervalNs: u64, isAbsolute: bool): void {
  timerfdDisarm(tfd);
  let deadlineNs = valueNs;
  if (!isAbsolute && valueNs != 0) deadlineNs += monoNowNs();
  else if (valueNs != 0 && clockIsReal(tfd.clock)) deadlineNs = max<u64>(clockRealToMono(valueNs), 1);
  spinLock(timerfdLock(tfd));
  tfd.expiries = 0;
  tfd.intervalNs = intervalNs;
  tfd.waits = 0;
  tfd.deadlineNs = deadlineNs;
  if (deadlineNs != 0) timerStart(timerfdTimer(tfd), deadlineNs);
  spinUnlock(timerfdLock(tfd));
}

export function sysTimerfdGettime(fd: i32, valueVa: u64): i64 {
  const file = timerfdGet(fd);
  if (!file) return timerfdError(fd);
  const ptr = scratchPush(16);
  timerfdState(timerfdOf(file.data), ptr);
  const result = stateWrite(valueVa, ptr);
  scratchPop(16);
  filePut(file);
  return result;
}
