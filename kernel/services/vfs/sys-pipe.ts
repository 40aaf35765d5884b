/**
 * pipe(2) and FIFOs: how pipe ends come to be. A pipe is a FIFO whose inode has no name, so /proc/PID/fd opens another end of it.
 *
 * Locking  Inode.lock guards Inode.fifo.
 * Spec     pipe(2), fifo(7).
 */
import { userCopyOut } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { fdClose, fdInstall } from "./fd-table";
import { anonSuper, fileAllocInode, fileOpsDefaults, filePut } from "./file";
import { inodeAlloc, inodeGet, inodeLock, inodePut, inodeUnlock } from "./inode";
import { userRangeOk } from "../../core/mm/layout";
import { pipeEndClose, pipeEndOpen, pipeFree, pipeNew, pipeOf, pipeOpsFill, pipeWaitPeer } from "./pipe";
import { File, FileMode, FileOps, Inode, OpenFlag, fileOf, inodeOf, isErrPtr } from "./types";
import { specialFileOpsSet } from "./vfs";

const FIFO_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));

/** Fills the tables; after vfsInit(). */
export function pipeInit(): void {
  fileOpsDefaults(FIFO_OPS);
  pipeOpsFill(FIFO_OPS);
  FIFO_OPS.open = fifoOpen;
  FIFO_OPS.release = fifoRelease;
  specialFileOpsSet(FileMode.IFIFO, FIFO_OPS);
}

export function sysPipe(fdsVa: u64): i64 {
  return sysPipe2(fdsVa, 0);
}

export function sysPipe2(fdsVa: u64, flags: u32): i64 {
  if ((flags & ~(<u32>OpenFlag.CLOEXEC | OpenFlag.NONBLOCK)) != 0) return -Errno.INVAL;
  if (!userRangeOk(fdsVa, 8)) return -Errno.FAULT;
  const inode = pipeInode();
  if (!inode) return -Errno.NFILE;
  const status = flags & OpenFlag.NONBLOCK;
  const reader = endNew(inode, OpenFlag.RDONLY | status);
  const writer = isErrPtr(reader) ? reader : endNew(inode, OpenFlag.WRONLY | status);
  if (isErrPtr(writer)) {
    if (isErrPtr(reader)) fifoDrop(inode);
    else filePut(fileOf(reader));
    inodePut(inode);
    return <i64><isize>writer;
  }
  inodePut(inode); // both ends have a reference of their own
  return pipeInstall(fileOf(reader), fileOf(writer), (flags & OpenFlag.CLOEXEC) != 0, fdsVa);
}

/** A nameless FIFO with its pipe, or null when memory is full. */
function pipeInode(): Inode | null {
  const pipe = pipeNew();
  if (!pipe) return null;
  const inode = inodeAlloc(anonSuper());
  if (!inode) {
    pipeFree(pipe);
    return null;
  }
  inode.mode = FileMode.IFIFO | 0o600;
  inode.fifo = <u32>changetype<usize>(pipe);
  return inode;
}

/** One end of the pipe, or an errno as pointer. */
function endNew(inode: Inode, flags: u32): usize {
  const file = fileAllocInode(inodeGet(inode), FIFO_OPS, "pipe", flags);
  if (!isErrPtr(file)) pipeEndOpen(pipeOf(inode.fifo), fileOf(file)); // whose answer is for FIFOs
  return file;
}

/** Gives both ends descriptors and tells the caller; consumes both references. */
function pipeInstall(reader: File, writer: File, isCloexec: bool, fdsVa: u64): i64 {
  const readFd = fdInstall(reader, isCloexec);
  if (readFd < 0) {
    filePut(reader);
    filePut(writer);
    return readFd;
  }
  const writeFd = fdInstall(writer, isCloexec);
  if (writeFd < 0) {
    fdClose(readFd);
    filePut(writer);
    return writeFd;
  }
  const fds = scratchPush(8);
  store<i32>(fds, readFd);
  store<i32>(fds, writeFd, 4);
  const failed = userCopyOut(fdsVa, fds, 8);
  scratchPop(8);
  if (failed == 0) return 0;
  fdClose(readFd);
  fdClose(writeFd);
  return failed;
}

/** Opening a FIFO: waits for the other side unless non-blocking; a lone non-blocking writer gets ENXIO. A nameless one never waits. */
function fifoOpen(inode: Inode, file: File): i32 {
  const isNameless = inode.sb == changetype<usize>(anonSuper());
  inodeLock(inode);
  if (inode.fifo == 0) {
    const fresh = pipeNew();
    if (fresh) inode.fifo = <u32>changetype<usize>(fresh);
  }
  const pipe = pipeOf(inode.fifo);
  const access = file.flags & OpenFlag.ACCMODE;
  const isNonBlocking = (file.flags & OpenFlag.NONBLOCK) != 0;
  if (inode.fifo == 0 || (access == OpenFlag.WRONLY && isNonBlocking && !isNameless && pipe.readers == 0)) {
    const isMemory = inode.fifo == 0;
    if (!isMemory && pipe.writers == 0) fifoDrop(inode);
    inodeUnlock(inode);
    return isMemory ? -Errno.NOMEM : -Errno.NXIO;
  }
  file.ops = changetype<usize>(FIFO_OPS);
  const opens = pipeEndOpen(pipe, file);
  inodeUnlock(inode);
  if (isNonBlocking || isNameless || access == OpenFlag.RDWR) return 0;
  const result = pipeWaitPeer(pipe, access == OpenFlag.WRONLY, opens);
  if (result == 0) return 0;
  fifoRelease(file);
  return <i32>result;
}

function fifoDrop(inode: Inode): void {
  pipeFree(pipeOf(inode.fifo));
  inode.fifo = 0;
}

function fifoRelease(file: File): void {
  const inode = inodeOf(file.inode);
  inodeLock(inode);
  if (pipeEndClose(pipeOf(file.data), file)) fifoDrop(inode);
  inodeUnlock(inode);
}
