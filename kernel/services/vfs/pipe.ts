/**
 * Pipes: a ring of page slots between writers and readers.
 *
 *   ring[tail]          ring[head - 1]
 *   | oldest data | … | newest data | free | free |        indices grow for ever and are taken modulo slotCount
 *
 * A small write goes into the newest page when it fits whole, else it takes a slot of its own, so a write of at most
 * PIPE_BUF bytes is never split.
 *
 * Invariants  P1  head - tail <= slotCount; every slot between them holds a page with length > 0.
 *             P2  bytes == sum of the slots' lengths.
 * Locking     Pipe.lock (a Mutex) guards everything but readers/writers/bytes, which poll reads without it.
 * Spec        pipe(7): atomicity, EPIPE, poll events, F_SETPIPE_SZ.
 */
import { userStore32 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { framePut } from "../../core/mm/frame";
import { userPageGet } from "../../core/mm/oom";
import { pfnToPa } from "../../core/mm/frame-table";
import { kfree, kmalloc, kzalloc } from "../../core/mm/slab";
import { currentTask } from "../../core/sched/cpu";
import { Mutex, mutexAt, mutexInit, mutexLock, mutexUnlock, waitSleepMutex } from "../../core/sync/mutex";
import { pollWait } from "../../core/sync/poll-wait";
import { WaitQueue, waitQueueAt, waitQueueInit, wakeUpAll } from "../../core/sync/wait-queue";
import { bufFromPhys, bufToPhys } from "./io-buf";
import { signalSendTask } from "../signal/send";
import { File, FileMode, FileOps, OpenFlag, PollEvent, inodeOf } from "./types";

const PAGE: u32 = 4096;
const DEFAULT_SLOTS: u32 = 16;
/** Largest pipe an unprivileged process may ask for, in slots (1 MiB). */
const MAX_SLOTS: u32 = 256;
const SLOT_BYTES: u32 = 12;
const SIGPIPE: u32 = 13;
const FIONREAD: u32 = 0x541b;

@final @unmanaged
export class Pipe {
  lock: u64;        // a Mutex held by value
  lock1: u64;
  lock2: u64;
  lock3: u64;
  readWait: u64;    // WaitQueue by value: readers, and openers of a FIFO waiting for a writer
  readWait1: u64;
  readWait2: u64;
  readWait3: u64;
  writeWait: u64;   // WaitQueue by value: writers, and openers waiting for a reader
  writeWait1: u64;
  writeWait2: u64;
  writeWait3: u64;
  readers: u32;     // open read ends
  writers: u32;
  readerOpens: u32; // read ends ever opened: a FIFO's opener sees a reader that came and went
  writerOpens: u32;
  head: u32;        // next slot to fill
  tail: u32;        // oldest slot (P1)
  slotCount: u32;   // a power of two
  bytes: u32;       // P2
  ring: usize;      // slotCount slots
  spare: u32;       // one page kept for the next write, 0 for none
}

/** One page of data. */
@final @unmanaged
class Slot {
  pfn: u32;
  offset: u32;
  length: u32;
}
if (offsetof<Slot>() != 12) ERROR("the ring is allocated with SLOT_BYTES a slot");

/** SAFETY: File.data of a pipe end, Inode.fifo of a FIFO. */
export function pipeOf(address: u32): Pipe {
  return changetype<Pipe>(address);
}

function pipeMutex(pipe: Pipe): Mutex { return mutexAt(changetype<usize>(pipe)); }

function pipeReadWait(pipe: Pipe): WaitQueue {
  return waitQueueAt(changetype<usize>(pipe) + offsetof<Pipe>("readWait"));
}

function pipeWriteWait(pipe: Pipe): WaitQueue {
  return waitQueueAt(changetype<usize>(pipe) + offsetof<Pipe>("writeWait"));
}

function slotAt(pipe: Pipe, index: u32): Slot {
  return changetype<Slot>(pipe.ring + (index & (pipe.slotCount - 1)) * SLOT_BYTES); // SAFETY: masked into the ring
}

/** An empty pipe without ends, or null when memory is full. */
export function pipeNew(): Pipe | null {
  const address = kzalloc(offsetof<Pipe>());
  if (!address) return null;
  const pipe = pipeOf(<u32>address);
  pipe.ring = kmalloc(DEFAULT_SLOTS * SLOT_BYTES);
  if (!pipe.ring) {
    kfree(address);
    return null;
  }
  pipe.slotCount = DEFAULT_SLOTS;
  mutexInit(pipeMutex(pipe));
  waitQueueInit(pipeReadWait(pipe));
  waitQueueInit(pipeWriteWait(pipe));
  return pipe;
}

/** Frees a pipe nobody has open. */
export function pipeFree(pipe: Pipe): void {
  for (; pipe.tail != pipe.head; pipe.tail++) framePut(slotAt(pipe, pipe.tail).pfn);
  if (pipe.spare) framePut(pipe.spare);
  kfree(pipe.ring);
  kfree(changetype<usize>(pipe));
}

/** read(2): what is there, or sleeps for the first byte. */
export function pipeRead(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  if (count == 0) return 0;
  const pipe = pipeOf(file.data);
  mutexLock(pipeMutex(pipe));
  let result: i64 = 0;
  while (pipe.bytes == 0) {
    if (pipe.writers == 0) break;
    result = file.flags & OpenFlag.NONBLOCK ? -Errno.AGAIN : sleepOn(pipe, pipeReadWait(pipe));
    if (result != 0) break;
  }
  if (pipe.bytes != 0) result = readLocked(pipe, bufVa, count);
  mutexUnlock(pipeMutex(pipe));
  return result;
}

/** Sleeps with the pipe unlocked: 0, or the restart code when a signal came. */
function sleepOn(pipe: Pipe, queue: WaitQueue): i64 {
  return waitSleepMutex(queue, pipeMutex(pipe), 0) < 0 ? -Errno.RESTARTSYS : 0;
}

function readLocked(pipe: Pipe, bufVa: u64, count: u32): i64 {
  const wasFull = pipe.head - pipe.tail == pipe.slotCount;
  let done: u32 = 0;
  while (done < count && pipe.tail != pipe.head) {
    const slot = slotAt(pipe, pipe.tail);
    const chunk = min<u32>(slot.length, count - done);
    const left = bufFromPhys(bufVa + done, pfnToPa(slot.pfn) + slot.offset, chunk);
    const copied = chunk - left;
    slot.offset += copied;
    slot.length -= copied;
    pipe.bytes -= copied;
    done += copied;
    if (slot.length == 0) slotRelease(pipe, slot);
    if (left != 0) break;
  }
  if (wasFull && pipe.head - pipe.tail < pipe.slotCount) wakeUpAll(pipeWriteWait(pipe));
  return done != 0 ? <i64>done : -Errno.FAULT;
}

function slotRelease(pipe: Pipe, slot: Slot): void {
  pipe.tail++;
  if (pipe.spare == 0) pipe.spare = slot.pfn;
  else framePut(slot.pfn);
}

/** write(2): all of it, sleeping for room; -EPIPE and SIGPIPE without readers. */
export function pipeWrite(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  if (count == 0) return 0;
  const pipe = pipeOf(file.data);
  mutexLock(pipeMutex(pipe));
  const result = writeLocked(pipe, bufVa, count, (file.flags & OpenFlag.NONBLOCK) != 0);
  mutexUnlock(pipeMutex(pipe));
  if (result == -Errno.PIPE) signalSendTask(currentTask(), SIGPIPE, 0);
  return result;
}

function writeLocked(pipe: Pipe, bufVa: u64, count: u32, isNonBlocking: bool): i64 {
  let done: u32 = 0;
  while (done < count) {
    if (pipe.readers == 0) return done != 0 ? <i64>done : -Errno.PIPE;
    const wasEmpty = pipe.bytes == 0;
    const put = putChunk(pipe, bufVa + done, count - done);
    if (put > 0) {
      done += <u32>put;
      if (wasEmpty) wakeUpAll(pipeReadWait(pipe));
      continue;
    }
    if (put < 0) return done != 0 ? <i64>done : put;
    const stop = isNonBlocking ? -<i64>Errno.AGAIN : sleepOn(pipe, pipeWriteWait(pipe));
    if (stop != 0) return done != 0 ? <i64>done : stop;
  }
  return done;
}

/** Stores up to a page: the bytes stored, 0 when the pipe is full, or -errno. */
function putChunk(pipe: Pipe, bufVa: u64, count: u32): i64 {
  if (pipe.head != pipe.tail && count <= PAGE) {
    const newest = slotAt(pipe, pipe.head - 1);
    const end = newest.offset + newest.length;
    if (end + count <= PAGE) {
      const left = bufToPhys(pfnToPa(newest.pfn) + end, bufVa, count);
      if (left != 0) return -Errno.FAULT; // nothing counted: a short write of at most PIPE_BUF must not be split
      newest.length += count;
      pipe.bytes += count;
      return count;
    }
  }
  if (pipe.head - pipe.tail == pipe.slotCount) return 0;
  return putPage(pipe, bufVa, min<u32>(count, PAGE));
}

function putPage(pipe: Pipe, bufVa: u64, count: u32): i64 {
  const pfn = pipe.spare != 0 ? pipe.spare : userPageGet();
  if (pfn == 0) return -Errno.NOMEM;
  pipe.spare = 0;
  if (bufToPhys(pfnToPa(pfn), bufVa, count) != 0) {
    pipe.spare = pfn;
    return -Errno.FAULT;
  }
  const slot = slotAt(pipe, pipe.head);
  slot.pfn = pfn;
  slot.offset = 0;
  slot.length = count;
  pipe.head++;
  pipe.bytes += count;
  return count;
}

export function pipePoll(file: File, table: usize): u32 {
  const pipe = pipeOf(file.data);
  let events: u32 = 0;
  if ((file.flags & OpenFlag.ACCMODE) != OpenFlag.WRONLY) {
    pollWait(table, pipeReadWait(pipe));
    if (atomic.load<u32>(changetype<usize>(pipe), offsetof<Pipe>("bytes")) != 0) events |= PollEvent.IN | PollEvent.RDNORM;
    if (pipe.writers == 0 && pipe.writerOpens != 0) events |= PollEvent.HUP;
  }
  if ((file.flags & OpenFlag.ACCMODE) != OpenFlag.RDONLY) {
    pollWait(table, pipeWriteWait(pipe));
    if (pipe.head - pipe.tail < pipe.slotCount) events |= PollEvent.OUT | PollEvent.WRNORM;
    if (pipe.readers == 0) events |= PollEvent.ERR;
  }
  return events;
}

/** FIONREAD's answer through the generic ioctl path: bytes waiting. */
function pipeIoctl(file: File, cmd: u32, argVa: u64): i64 {
  if (cmd != FIONREAD) return -Errno.NOTTY;
  return userStore32(argVa, pipeOf(file.data).bytes);
}

/** Adds an end to the pipe according to the file's access mode; pipe unlocked. The answer is for pipeWaitPeer. */
export function pipeEndOpen(pipe: Pipe, file: File): u32 {
  const access = file.flags & OpenFlag.ACCMODE;
  mutexLock(pipeMutex(pipe));
  const others = access == OpenFlag.WRONLY ? pipe.readers : pipe.writers;
  const opens = access == OpenFlag.WRONLY ? pipe.readerOpens : pipe.writerOpens;
  if (access != OpenFlag.WRONLY) {
    pipe.readers++;
    pipe.readerOpens++;
    wakeUpAll(pipeWriteWait(pipe));
  }
  if (access != OpenFlag.RDONLY) {
    pipe.writers++;
    pipe.writerOpens++;
    wakeUpAll(pipeReadWait(pipe));
  }
  file.data = <u32>changetype<usize>(pipe);
  mutexUnlock(pipeMutex(pipe));
  return others != 0 ? opens - 1 : opens;
}

/** Takes the end away; true when no end is left. */
export function pipeEndClose(pipe: Pipe, file: File): bool {
  const access = file.flags & OpenFlag.ACCMODE;
  mutexLock(pipeMutex(pipe));
  if (access != OpenFlag.WRONLY) pipe.readers--;
  if (access != OpenFlag.RDONLY) pipe.writers--;
  const isUnused = pipe.readers == 0 && pipe.writers == 0;
  wakeUpAll(pipeReadWait(pipe)); // end of file, EPIPE
  wakeUpAll(pipeWriteWait(pipe));
  mutexUnlock(pipeMutex(pipe));
  return isUnused;
}

/**
 * FIFO open: sleeps until the other side has been opened since `opens`, which is pipeEndOpen's answer: it may have come, written and gone
 * before this looks. 0 or the restart code.
 */
export function pipeWaitPeer(pipe: Pipe, forReader: bool, opens: u32): i64 {
  mutexLock(pipeMutex(pipe));
  let result: i64 = 0;
  while (result == 0 && (forReader ? pipe.readerOpens : pipe.writerOpens) == opens) {
    result = sleepOn(pipe, forReader ? pipeWriteWait(pipe) : pipeReadWait(pipe));
  }
  mutexUnlock(pipeMutex(pipe));
  return result;
}

/** F_GETPIPE_SZ: capacity in bytes. */
export function pipeCapacity(file: File): i64 {
  return <i64>pipeOf(file.data).slotCount * PAGE;
}

/** F_SETPIPE_SZ: rounds up to a power of two pages; the new capacity, -EPERM beyond 1 MiB, -EBUSY when data would not fit. */
export function pipeResize(file: File, size: u64): i64 {
  let slots: u32 = 1;
  while (<u64>slots * PAGE < size && slots <= MAX_SLOTS) slots <<= 1;
  if (slots > MAX_SLOTS) return -Errno.PERM;
  const ring = kmalloc(slots * SLOT_BYTES);
  if (!ring) return -Errno.NOMEM;
  const pipe = pipeOf(file.data);
  mutexLock(pipeMutex(pipe));
  const result = resizeLocked(pipe, ring, slots);
  mutexUnlock(pipeMutex(pipe));
  if (result < 0) kfree(ring);
  return result;
}

function resizeLocked(pipe: Pipe, ring: usize, slots: u32): i64 {
  const used = pipe.head - pipe.tail;
  if (used > slots) return -Errno.BUSY;
  for (let i: u32 = 0; i < used; i++) {
    memory.copy(ring + i * SLOT_BYTES, changetype<usize>(slotAt(pipe, pipe.tail + i)), SLOT_BYTES);
  }
  kfree(pipe.ring);
  pipe.ring = ring;
  pipe.slotCount = slots;
  pipe.tail = 0;
  pipe.head = used;
  wakeUpAll(pipeWriteWait(pipe));
  return <i64>slots * PAGE;
}

/** True when the file is an end of a pipe or FIFO. */
export function fileIsPipe(file: File): bool {
  return (inodeOf(file.inode).mode & FileMode.IFMT) == FileMode.IFIFO;
}

/** Fills the slots that are the pipe's own. */
export function pipeOpsFill(ops: FileOps): void {
  ops.read = pipeRead;
  ops.write = pipeWrite;
  ops.poll = pipePoll;
  ops.ioctl = pipeIoctl;
}
