/**
 * Pseudo-terminals: /dev/ptmx makes a pair, /dev/pts/N (devpts) is its slave, a terminal like any other.
 *
 * The master reads what the slave's output ring holds and writes what the slave's discipline receives, so no data is
 * kept twice.
 *
 * Invariants  P1  a slot holds a Tty exactly while its master is open or a slave file exists.
 * Locking     ptyLock (Rank.NONE leaf) guards the slots; each pair is guarded by the slave's Tty.lock.
 * Spec        pty(7), ptmx(4).
 */
import { userStore32, userLoad32 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { TtyIoctl } from "../../abi/termios";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { pollWait } from "../../core/sync/poll-wait";
import { waitSleep, wakeUpAll } from "../../core/sync/wait-queue";
import { bytesCopy, wordAt32 } from "../../lib/bytes";
import { SpinLock, spinLock, spinUnlock } from "../../lib/spinlock";
import { deviceNumber, deviceRegisterChar, deviceRegisterMajor } from "../vfs/dev/device";
import { fileOpsDefaults } from "../vfs/file";
import { bufCopyIn, bufCopyOut } from "../vfs/io-buf";
import { File, FileOps, Inode, OpenFlag, PollEvent, isErrPtr } from "../vfs/types";
import { ttyHangup } from "./job-control";
import { ttyReceive, ttyReceiveRoom } from "./ldisc-input";
import { ttyFileOpen } from "./tty-file";
import { ttyIoctl } from "./tty-ioctl";
import {
  TTY_RING, Tty, TtyDriver, TtyFlag, ttyGet, ttyLock, ttyMasterWait, ttyNew, ttyOf, ttyOutRun, ttyOutRunPtr, ttyOutTake,
  ttyOutUsed, ttyPut, ttyWriteWait,
} from "./tty";

/** Most pairs at once. */
export const PTY_COUNT: u32 = 64;
const PTMX_MAJOR: u32 = 5;
const PTMX_MINOR: u32 = 2;
const PTS_MAJOR: u32 = 136;
const CHUNK: u32 = 256;
if (CHUNK > TTY_RING) ERROR("a chunk goes through the ring");

const DRIVER = changetype<TtyDriver>(memory.data(offsetof<TtyDriver>()));
const MASTER_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));
const SLAVE_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));
const SLOTS: usize = memory.data(64 * 4);
const ptyLock = changetype<SpinLock>(memory.data(16));

/** The driver table alone; ptyInit registers the devices too. */
export function ptyDriverInit(): void {
  DRIVER.kick = ptyKick;
  DRIVER.unthrottle = ptyUnthrottle;
  DRIVER.configure = ptyConfigure;
  DRIVER.closed = ptySlaveClosed;
}

/** The driver of slaves, a TtyDriver. */
export function ptyDriver(): usize {
  return changetype<usize>(DRIVER);
}

export function ptyInit(): void {
  ptyDriverInit();
  fileOpsDefaults(MASTER_OPS);
  MASTER_OPS.open = ptmxOpen;
  MASTER_OPS.read = masterRead;
  MASTER_OPS.write = masterWrite;
  MASTER_OPS.poll = masterPoll;
  MASTER_OPS.ioctl = masterIoctl;
  MASTER_OPS.release = masterRelease;
  fileOpsDefaults(SLAVE_OPS);
  SLAVE_OPS.open = slaveOpen;
  deviceRegisterChar(PTMX_MAJOR, PTMX_MINOR, "ptmx", 0o666, MASTER_OPS);
  deviceRegisterMajor(PTS_MAJOR, SLAVE_OPS);
}

export function ptyRdev(index: u32): u64 {
  return deviceNumber(PTS_MAJOR, index);
}

function slotPtr(index: u32): usize {
  return SLOTS + (index << 2);
}

/** True while pair `index` exists: devpts shows it. */
export function ptyExists(index: u32): bool {
  return index < PTY_COUNT && wordAt32(slotPtr(index)) != 0;
}

// ---- driver of the slave, Tty.lock held ----

function ptyKick(tty: Tty): void {
  wakeUpAll(ttyMasterWait(tty));
}

function ptyUnthrottle(tty: Tty): void {
  wakeUpAll(ttyMasterWait(tty));
}

function ptyConfigure(tty: Tty): void {}

/** The last slave file is gone: the master reads EIO once the ring is empty. */
function ptySlaveClosed(tty: Tty): void {
  wakeUpAll(ttyMasterWait(tty));
}

// ---- opening ----

function ptmxOpen(inode: Inode, file: File): i32 {
  const made = ptyPairNew();
  if (isErrPtr(made)) return <i32>made;
  ttyOf(<u32>made).flags |= TtyFlag.PTY_LOCKED;
  file.data = <u32>made;
  file.ops = changetype<usize>(MASTER_OPS);
  return 0;
}

/** The slave Tty of a new pair whose master counts as open; an errno as pointer. */
export function ptyPairNew(): usize {
  const tty = ttyNew(DRIVER, 0, 0);
  if (!tty) return <usize>-(<i32>Errno.NOMEM);
  const index = slotTake(<u32>changetype<usize>(tty));
  if (index == PTY_COUNT) {
    ttyPut(tty);
    return <usize>-(<i32>Errno.NOSPC);
  }
  tty.rdev = ptyRdev(index);
  tty.ptyIndex = index;
  tty.flags = TtyFlag.PTY_SLAVE;
  tty.masterOpen = 1;
  return changetype<usize>(tty);
}

function slotTake(tty: u32): u32 {
  spinLock(ptyLock);
  let index: u32 = 0;
  while (index < PTY_COUNT && wordAt32(slotPtr(index)) != 0) index++;
  if (index < PTY_COUNT) atomic.store<u32>(slotPtr(index), tty);
  spinUnlock(ptyLock);
  return index;
}

function slaveOpen(inode: Inode, file: File): i32 {
  const index = <u32>inode.rdev & 0xff;
  spinLock(ptyLock);
  const address = index < PTY_COUNT ? wordAt32(slotPtr(index)) : 0;
  if (address != 0) ttyGet(ttyOf(address));
  spinUnlock(ptyLock);
  if (address == 0) return -(<i32>Errno.NXIO);
  const tty = ttyOf(address);
  let r: i32 = -(<i32>Errno.IO);
  if (!(tty.flags & (TtyFlag.PTY_LOCKED | TtyFlag.HUNG_UP))) r = ttyFileOpen(file, tty);
  ttyPut(tty);
  return r;
}

function masterRelease(file: File): void {
  const tty = ttyOf(file.data);
  spinLock(ptyLock);
  atomic.store<u32>(slotPtr(tty.ptyIndex), 0);
  spinUnlock(ptyLock);
  tty.masterOpen = 0;
  ttyHangup(tty);
  ttyPut(tty);
}

// ---- master I/O ----

function masterRead(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  const tty = ttyOf(file.data);
  const chunk = scratchPush(CHUNK);
  let done: u32 = 0;
  let result: i32 = 0;
  while (done < count) {
    const n = takeOutput(tty, chunk, min<u32>(count - done, CHUNK), done == 0, file);
    if (n <= 0) {
      result = n;
      break;
    }
    if (bufCopyOut(bufVa + done, chunk, n) != 0) {
      result = -(<i32>Errno.FAULT);
      break;
    }
    done += n;
  }
  scratchPop(CHUNK);
  return done != 0 ? <i64>done : <i64>result;
}

/** Moves up to `room` bytes of the slave's output to `ptr`; sleeps for the first one when `mayWait`. */
function takeOutput(tty: Tty, ptr: usize, room: u32, mayWait: bool, file: File): i32 {
  let r: i32 = 0;
  spinLock(ttyLock(tty));
  while (mayWait && r == 0 && ttyOutUsed(tty) == 0) {
    if (tty.openCount == 0 && tty.wasOpened != 0) r = -(<i32>Errno.IO); // slaves came and went
    else if (file.flags & OpenFlag.NONBLOCK) r = -(<i32>Errno.AGAIN);
    else if (waitSleep(ttyMasterWait(tty), ttyLock(tty), 0) != 0) r = -(<i32>Errno.RESTARTSYS);
  }
  const n = r == 0 ? min<u32>(ttyOutRun(tty), room) : 0;
  bytesCopy(ptr, ttyOutRunPtr(tty), n);
  ttyOutTake(tty, n);
  spinUnlock(ttyLock(tty));
  if (n != 0) wakeUpAll(ttyWriteWait(tty));
  return r != 0 ? r : <i32>n;
}

function masterWrite(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  const tty = ttyOf(file.data);
  const chunk = scratchPush(CHUNK);
  let done: u32 = 0;
  let result: i32 = 0;
  while (done < count && result == 0) {
    const room = waitReceiveRoom(tty, file);
    if (room <= 0) {
      result = room;
      break;
    }
    const n = min<u32>(min<u32>(count - done, CHUNK), room);
    if (bufCopyIn(chunk, bufVa + done, n) != 0) {
      result = -(<i32>Errno.FAULT);
    } else {
      ttyReceive(tty, chunk, n);
      done += n;
    }
  }
  scratchPop(CHUNK);
  return done != 0 ? <i64>done : <i64>result;
}

/** Room for input, sleeping for it when the master may block. */
function waitReceiveRoom(tty: Tty, file: File): i32 {
  let r: i32 = 0;
  spinLock(ttyLock(tty));
  while (r == 0 && ttyReceiveRoom(tty) == 0) {
    tty.flags |= TtyFlag.THROTTLED;
    if (file.flags & OpenFlag.NONBLOCK) r = -(<i32>Errno.AGAIN);
    else if (waitSleep(ttyMasterWait(tty), ttyLock(tty), 0) != 0) r = -(<i32>Errno.RESTARTSYS);
  }
  const room = ttyReceiveRoom(tty);
  spinUnlock(ttyLock(tty));
  return r != 0 ? r : <i32>room;
}

function masterPoll(file: File, table: usize): u32 {
  const tty = ttyOf(file.data);
  if (table != 0) pollWait(table, ttyMasterWait(tty));
  let events: u32 = 0;
  spinLock(ttyLock(tty));
  if (ttyOutUsed(tty) != 0) events |= PollEvent.IN | PollEvent.RDNORM;
  if (ttyReceiveRoom(tty) != 0) events |= PollEvent.OUT | PollEvent.WRNORM;
  if (tty.openCount == 0 && tty.wasOpened != 0) events |= PollEvent.HUP;
  spinUnlock(ttyLock(tty));
  return events;
}

function masterIoctl(file: File, cmd: u32, argVa: u64): i64 {
  const tty = ttyOf(file.data);
  switch (cmd) {
    case TtyIoctl.TIOCGPTN: return userStore32(argVa, tty.ptyIndex);
    case TtyIoctl.TIOCSPTLCK: return lockSet(tty, argVa);
    case TtyIoctl.TIOCINQ: return userStore32(argVa, ttyOutUsed(tty));
    case TtyIoctl.TIOCOUTQ: return userStore32(argVa, tty.canonHead - tty.inTail);
    case TtyIoctl.TIOCGPGRP: return userStore32(argVa, tty.pgrp);
    case TtyIoctl.TIOCGSID: return tty.sid != 0 ? userStore32(argVa, tty.sid) : -(<i64>Errno.NOTTY);
    default: return ttyIoctl(tty, cmd, argVa);
  }
}

function lockSet(tty: Tty, argVa: u64): i64 {
  const word = scratchPush(8);
  const r = userLoad32(word, argVa);
  const isLocked = wordAt32(word) != 0;
  scratchPop(8);
  if (r != 0) return r;
  spinLock(ttyLock(tty));
  if (isLocked) tty.flags |= TtyFlag.PTY_LOCKED;
  else tty.flags &= ~(<u32>TtyFlag.PTY_LOCKED);
  spinUnlock(ttyLock(tty));
  return 0;
}
