/**
 * /dev/kmsg: the kernel log, a record `level,sequence,microseconds,-;text` a read, and a way for programs to log.
 *
 * File.pos is the ring position of the next line; reads at the end wait by polling the log every tenth of a second,
 * because the log cannot wake anybody (it is written with locks held).
 *
 * Spec  Linux Documentation/ABI/testing/dev-kmsg.
 */
import { Errno } from "../../../abi/errno";
import { kfree, kmalloc } from "../../../core/mm/slab";
import { WaitQueue, waitQueueInit, waitSleep } from "../../../core/sync/wait-queue";
import { SpinLock, spinLock, spinUnlock } from "../../../lib/spinlock";
import { monoNowNs } from "../../../../arch/current";
import { byteAt, bytePut } from "../../../lib/bytes";
import { LOG_RING_BYTES, LogLevel, logBegin, logBytes, logEnd, logRead, logWritten } from "../../../lib/log";
import { fileOpsDefaults } from "../file";
import { bufCopyIn, bufCopyOut } from "../io-buf";
import { File, FileOps, Inode, OpenFlag, PollEvent } from "../types";
import { SeqBuf, seqByte, seqBytes, seqDec, seqInit, seqStr } from "../proc/seq-buf";
import { deviceRegisterChar } from "./device";

const MEM_MAJOR: u32 = 1;
const LINE_MAX: u32 = 512;
const RECORD_MAX: u32 = LINE_MAX + 64;
const PREFIX_MAX: u32 = 40;
const POLL_NS: u64 = 100_000_000;
const pollLock = changetype<SpinLock>(memory.data(16));
const pollQueue = changetype<WaitQueue>(memory.data(offsetof<WaitQueue>(), 8)); // nobody wakes it
const KMSG_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));

export function kmsgInit(): void {
  waitQueueInit(pollQueue);
  fileOpsDefaults(KMSG_OPS);
  KMSG_OPS.open = kmsgOpen;
  KMSG_OPS.read = kmsgRead;
  KMSG_OPS.write = kmsgWrite;
  KMSG_OPS.poll = kmsgPoll;
  KMSG_OPS.seek = kmsgSeek;
  deviceRegisterChar(MEM_MAJOR, 11, "kmsg", 0o644, KMSG_OPS);
}

function kmsgOpen(inode: Inode, file: File): i32 {
  file.pos = 0;
  return 0;
}

function kmsgPoll(file: File, table: usize): u32 {
  const ready: u32 = PollEvent.OUT | PollEvent.WRNORM;
  return file.pos < logWritten() ? ready | PollEvent.IN | PollEvent.RDNORM : ready;
}

/** SEEK_SET: oldest line; SEEK_END: after the newest; others as Linux: EINVAL. */
function kmsgSeek(file: File, offset: i64, whence: u32): i64 {
  if (offset != 0) return -(<i64>Errno.SPIPE);
  if (whence == 0) file.pos = 0;
  else if (whence == 2) file.pos = logWritten();
  else return -(<i64>Errno.INVAL);
  return 0;
}

function kmsgRead(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  const line = kmalloc(LINE_MAX + RECORD_MAX + offsetof<SeqBuf>());
  if (line == 0) return -(<i64>Errno.NOMEM);
  const result = readRecord(file, bufVa, count, line);
  kfree(line);
  return result;
}

function readRecord(file: File, bufVa: u64, count: u32, line: usize): i64 {
  const oldest = logWritten() > LOG_RING_BYTES ? logWritten() - LOG_RING_BYTES : 0;
  if (file.pos < oldest) file.pos = oldest;
  const ready = waitForLine(file);
  if (ready != 0) return ready;
  const got = logRead(file.pos, line, LINE_MAX);
  let length: u32 = 0;
  while (length < got && byteAt(line, length) != 0x0a) length++;
  const seq = changetype<SeqBuf>(line + LINE_MAX + RECORD_MAX); // SAFETY: room made by kmsgRead
  seqInit(seq, line + LINE_MAX, RECORD_MAX);
  recordFormat(seq, line, length, file.pos);
  if (seq.length > count) return -(<i64>Errno.INVAL);
  if (bufCopyOut(bufVa, seq.ptr, seq.length) != 0) return -(<i64>Errno.FAULT);
  file.pos += <u64>length + 1;
  return seq.length;
}

/** Sleeps until there is a line at file.pos: 0, -EAGAIN or -ERESTARTSYS. */
function waitForLine(file: File): i32 {
  while (file.pos >= logWritten()) {
    if (file.flags & OpenFlag.NONBLOCK) return -(<i32>Errno.AGAIN);
    spinLock(pollLock);
    const r = waitSleep(pollQueue, pollLock, monoNowNs() + POLL_NS);
    spinUnlock(pollLock);
    if (r == -(<i32>Errno.INTR)) return -(<i32>Errno.RESTARTSYS);
  }
  return 0;
}

/** `6,position,microseconds,-;rest of the line after "] "`. */
function recordFormat(seq: SeqBuf, line: usize, length: u32, position: u64): void {
  seqStr(seq, "6,");
  seqDec(seq, position);
  seqByte(seq, 0x2c);
  let micros: u64 = 0;
  let at: u32 = 0;
  for (; at < length && at < PREFIX_MAX && byteAt(line, at) != 0x5d; at++) {
    const digit = byteAt(line, at) - 0x30;
    if (digit < 10) micros = micros * 10 + digit; // [ssss.uuuuuu: the digits in a row are microseconds
  }
  seqDec(seq, micros);
  seqStr(seq, ",-;");
  const text: u32 = at + 2 <= length && at < PREFIX_MAX ? at + 2 : 0;
  seqBytes(seq, line + text, length - text);
  seqByte(seq, 0x0a);
}

function kmsgWrite(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  const n = min<u32>(count, LINE_MAX - 64);
  const line = kmalloc(LINE_MAX);
  if (line == 0) return -(<i64>Errno.NOMEM);
  const r = bufCopyIn(line, bufVa, n);
  if (r == 0) logUserLine(line, n);
  kfree(line);
  return r != 0 ? <i64>r : <i64>count;
}

/** Drops a `<level>` prefix and a final newline, and logs the rest. */
function logUserLine(line: usize, size: u32): void {
  let from: u32 = 0;
  let to = size;
  let level: u32 = LogLevel.INFO;
  if (to > 2 && byteAt(line, 0) == 0x3c) {
    while (from < to && byteAt(line, from) != 0x3e) from++;
    if (from < to) level = (byteAt(line, 1) - 0x30) & 7;
    from = from < to ? from + 1 : 0;
  }
  if (to > from && byteAt(line, to - 1) == 0x0a) to--;
  bytePut(line, to < LINE_MAX ? to : LINE_MAX - 1, 0);
  logBegin(level < 4 ? <u32>LogLevel.ERR : level, "user");
  logBytes(line + from, to - from);
  logEnd();
}
