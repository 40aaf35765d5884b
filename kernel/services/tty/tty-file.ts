/**
 * Terminals as open files. File.data is the Tty, with one reference.
 */
import { Errno } from "../../abi/errno";
import { Signal } from "../../abi/signal";
import { pollWait } from "../../core/sync/poll-wait";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { currentCred } from "../process/process";
import { fileOpsDefaults } from "../vfs/file";
import { File, FileOps, OpenFlag, PollEvent } from "../vfs/types";
import { ttyAdoptOnOpen, ttyCheckBackground } from "./job-control";
import { ldiscRead, ldiscReadableLocked } from "./ldisc-read";
import { ttyIoctl } from "./tty-ioctl";
import { ttyWrite } from "./tty-write";
import {
  Tty, TtyFlag, ttyDriverOf, ttyGet, ttyLock, ttyOf, ttyOutRoom, ttyPut, ttyReadWait, ttyWriteWait,
} from "./tty";

/** Output room that makes poll answer POLLOUT. */
const POLL_OUT_ROOM: u32 = 256;

export const TTY_FILE_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));

export function ttyFileInit(): void {
  fileOpsDefaults(TTY_FILE_OPS);
  TTY_FILE_OPS.read = ttyFileRead;
  TTY_FILE_OPS.write = ttyFileWrite;
  TTY_FILE_OPS.poll = ttyFilePoll;
  TTY_FILE_OPS.ioctl = ttyFileIoctl;
  TTY_FILE_OPS.release = ttyFileRelease;
}

/** Makes `file` an open file of `tty`: 0 or -errno. */
export function ttyFileOpen(file: File, tty: Tty): i32 {
  if ((tty.flags & TtyFlag.EXCLUSIVE) && tty.openCount != 0 && currentCred().euid != 0) return -(<i32>Errno.BUSY);
  spinLock(ttyLock(tty));
  tty.openCount++;
  tty.wasOpened = 1;
  spinUnlock(ttyLock(tty));
  ttyGet(tty);
  file.ops = changetype<usize>(TTY_FILE_OPS);
  file.data = <u32>changetype<usize>(tty);
  if (!(file.flags & OpenFlag.NOCTTY)) ttyAdoptOnOpen(tty);
  return 0;
}

function ttyFileRelease(file: File): void {
  const tty = ttyOf(file.data);
  spinLock(ttyLock(tty));
  tty.openCount--;
  if (tty.openCount == 0) {
    tty.flags &= ~(<u32>TtyFlag.EXCLUSIVE);
    ttyDriverOf(tty).closed(tty);
  }
  spinUnlock(ttyLock(tty));
  ttyPut(tty);
}

function isNonblocking(file: File): bool {
  return (file.flags & OpenFlag.NONBLOCK) != 0;
}

function ttyFileRead(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  const tty = ttyOf(file.data);
  const r = ttyCheckBackground(tty, Signal.TTIN);
  if (r != 0) return r;
  return ldiscRead(tty, bufVa, count, isNonblocking(file));
}

function ttyFileWrite(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  return ttyWrite(ttyOf(file.data), bufVa, count, isNonblocking(file));
}

function ttyFileIoctl(file: File, cmd: u32, argVa: u64): i64 {
  return ttyIoctl(ttyOf(file.data), cmd, argVa);
}

function ttyFilePoll(file: File, table: usize): u32 {
  const tty = ttyOf(file.data);
  if (table != 0) {
    pollWait(table, ttyReadWait(tty));
    pollWait(table, ttyWriteWait(tty));
  }
  return ttyPollEvents(tty);
}

/** Events ready now on the slave side. */
export function ttyPollEvents(tty: Tty): u32 {
  let events: u32 = 0;
  spinLock(ttyLock(tty));
  if (tty.flags & TtyFlag.HUNG_UP) events |= PollEvent.HUP | PollEvent.ERR | PollEvent.IN | PollEvent.RDNORM;
  if (ldiscReadableLocked(tty)) events |= PollEvent.IN | PollEvent.RDNORM;
  if (ttyOutRoom(tty) >= POLL_OUT_ROOM) events |= PollEvent.OUT | PollEvent.WRNORM;
  spinUnlock(ttyLock(tty));
  return events;
}
