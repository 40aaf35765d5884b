/** Local sockets as open files: read, write, poll, close. File.data is the Socket. */
import { userStore32 } from "../../../../arch/current";
import { Errno } from "../../../abi/errno";
import { pollWait } from "../../../core/sync/poll-wait";
import { scratchPop, scratchPush } from "../../../core/sched/scratch";
import { fileAllocAnon, fileOpsDefaults } from "../../vfs/file";
import { File, FileMode, FileOps, OpenFlag, PollEvent, fileOf, inodeOf, isErrPtr } from "../../vfs/types";
import {
  QUEUE_BYTES, Shutdown, Socket, SocketState, SocketType, socketClose, socketOf, socketPtr, socketReadWait,
  socketWriteWait, socketsInit, socketsLock, socketsUnlock,
} from "./socket";
import { MsgFlag, Received, receivedCopy, socketReceiveBegin, socketReceiveEnd, socketSend } from "./transfer";

const FIONREAD: u32 = 0x541b;
const SOCKET_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));

export function unixSocketsInit(): void {
  socketsInit();
  fileOpsDefaults(SOCKET_OPS);
  SOCKET_OPS.read = socketFileRead;
  SOCKET_OPS.write = socketFileWrite;
  SOCKET_OPS.poll = socketFilePoll;
  SOCKET_OPS.ioctl = socketFileIoctl;
  SOCKET_OPS.release = socketFileRelease;
}

/** A File for the socket, which it owns from now on (freed with it on failure); or an errno as pointer. */
export function socketFileNew(socket: Socket, flags: u32): usize {
  const made = fileAllocAnon(SOCKET_OPS, "socket", OpenFlag.RDWR | flags & OpenFlag.NONBLOCK);
  if (isErrPtr(made)) {
    socketClose(socket);
    return made;
  }
  const file = fileOf(made);
  file.data = socketPtr(socket);
  inodeOf(file.inode).mode = FileMode.IFSOCK | 0o777;
  return made;
}

/** The socket of an open file, or 0 when it is none. */
export function fileSocket(file: File): u32 {
  return file.ops == changetype<usize>(SOCKET_OPS) ? file.data : 0;
}

/** Flags of a call on this file: O_NONBLOCK counts as MSG_DONTWAIT. */
export function socketFlags(file: File, flags: u32): u32 {
  return file.flags & OpenFlag.NONBLOCK ? flags | MsgFlag.DONTWAIT : flags;
}

function socketFileRead(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  const out = changetype<Received>(scratchPush(offsetof<Received>())); // SAFETY: scratch of that size
  let result: i64 = socketReceiveBegin(socketOf(file.data), count, socketFlags(file, 0), out);
  if (result == 0) {
    result = receivedCopy(out, bufVa) != 0 ? -Errno.FAULT : <i64>out.count;
    socketReceiveEnd(out);
  }
  scratchPop(offsetof<Received>());
  return result;
}

function socketFileWrite(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  return socketSend(socketOf(file.data), 0, bufVa, count, socketFlags(file, 0));
}

function socketFileIoctl(file: File, cmd: u32, argVa: u64): i64 {
  return cmd == FIONREAD ? userStore32(argVa, socketOf(file.data).queued) : -Errno.NOTTY;
}

function socketFileRelease(file: File): void {
  socketClose(socketOf(file.data));
}

function socketFilePoll(file: File, table: usize): u32 {
  const socket = socketOf(file.data);
  if (table != 0) {
    pollWait(table, socketReadWait(socket));
    pollWait(table, socketWriteWait(socket));
  }
  socketsLock();
  const events = eventsLocked(socket);
  socketsUnlock();
  return events;
}

function eventsLocked(socket: Socket): u32 {
  let events: u32 = 0;
  const isEnded = socket.state == SocketState.CLOSED && socket.type != SocketType.DGRAM;
  const peerShut = socket.peer != 0 ? socketOf(socket.peer).shut : 0;
  if (isEnded) events |= PollEvent.HUP | PollEvent.RDHUP;
  if (peerShut & Shutdown.SEND) events |= PollEvent.RDHUP | PollEvent.IN;
  if (socket.head != 0 || socket.pendingHead != 0 || isEnded) events |= PollEvent.IN | PollEvent.RDNORM;
  const mayWrite = socket.peer == 0 || socketOf(socket.peer).queued < QUEUE_BYTES;
  if (socket.state != SocketState.LISTENING && mayWrite) events |= PollEvent.OUT | PollEvent.WRNORM;
  return events;
}
