/**
 * Sending and receiving on local sockets.
 *
 * Locking  unixLock, taken here; user memory is copied outside it.
 * Spec     send(2), recv(2), unix(7).
 */
import { Errno } from "../../../abi/errno";
import { Signal } from "../../../abi/signal";
import { currentTask } from "../../../core/sched/cpu";
import { wakeUpAll } from "../../../core/sync/wait-queue";
import { signalSendTask } from "../../signal/send";
import { bufCopyIn, bufCopyOut } from "../../vfs/io-buf";
import { bytesCopy } from "../../../lib/bytes";
import { RightsList, rightsCopy, rightsFree } from "./rights";
import { Message, messageData, messageFree, messageNew, messageOf } from "./message";
import {
  QUEUE_BYTES, Shutdown, Socket, SocketState, SocketType, socketBoundLocked, socketHasRoom, socketName, socketOf, socketQueueLocked,
  socketUnqueueLocked, socketWaitInputLocked, socketWaitRoomLocked, socketWriteWait, socketsLock, socketsUnlock,
} from "./socket";

export const enum MsgFlag { OOB = 1, PEEK = 2, TRUNC = 0x20, DONTWAIT = 0x40, EOR = 0x80, CTRUNC = 8, WAITALL = 0x100, NOSIGNAL = 0x4000, CMSG_CLOEXEC = 0x40000000 }

/** Bytes of one stream message: a large write becomes several. */
const STREAM_CHUNK: u32 = 16384;

/** send on a socket with a peer (or to Target `target`, for datagrams); bytes sent or -errno. */
export function socketSend(socket: Socket, target: u32, bufVa: u64, count: u32, flags: u32): i64 {
  if (flags & MsgFlag.OOB) return -Errno.OPNOTSUPP;
  if (socket.type != SocketType.STREAM) return sendOne(socket, target, bufVa, count, flags);
  let done: u32 = 0;
  while (done < count) {
    const n = min<u32>(count - done, STREAM_CHUNK);
    const r = sendOne(socket, 0, bufVa + done, n, flags);
    if (r < 0) return done != 0 ? <i64>done : r;
    done += n;
  }
  return done;
}

function sendOne(socket: Socket, target: u32, bufVa: u64, count: u32, flags: u32): i64 {
  if (count > QUEUE_BYTES) return -Errno.MSGSIZE;
  const message = messageNew(count, socket.type == SocketType.STREAM ? 0 : socket.nameLength);
  if (!message) return -Errno.NOBUFS;
  if (bufCopyIn(messageData(message), bufVa, count) != 0) {
    messageFree(message);
    return -Errno.FAULT;
  }
  if (message.sender != 0) bytesCopy(messageData(message) + count, socketName(socket), message.sender);
  return messageSend(socket, target, message, flags);
}

/** Delivers a built message, or frees it; bytes sent or -errno. */
export function messageSend(socket: Socket, target: u32, message: Message, flags: u32): i64 {
  const size = message.size;
  socketsLock();
  const r = deliverLocked(socket, target, message, flags);
  socketsUnlock();
  if (r == 0) return size;
  messageFree(message);
  if (r == -Errno.PIPE && !(flags & MsgFlag.NOSIGNAL)) signalSendTask(currentTask(), Signal.PIPE, 0); // EPIPE tells the rest
  return r;
}

function deliverLocked(socket: Socket, target: u32, message: Message, flags: u32): i32 {
  while (true) {
    if (socket.shut & Shutdown.SEND) return -Errno.PIPE;
    const to = target != 0 ? targetLocked(targetOf(target)) : socket.peer;
    if (to == 0) return target != 0 ? -Errno.CONNREFUSED : noPeer(socket);
    const peer = socketOf(to);
    if (peer.shut & Shutdown.RECEIVE) return -Errno.PIPE;
    if (socketHasRoom(peer, message.size)) {
      socketQueueLocked(peer, message);
      return 0;
    }
    const r = socketWaitRoomLocked(socket, (flags & MsgFlag.DONTWAIT) != 0);
    if (r != 0) return r;
  }
  return 0;
}

/** A datagram's destination: looked up anew after every wait, for it may be gone by then. */
@final @unmanaged
export class Target {
  inode: u32;   // of a file-system name, held by the caller; 0: abstract
  name: u32;    // linear address of the abstract name
  length: u32;
}
function targetOf(address: u32): Target { return changetype<Target>(address); } // SAFETY: made by sys-socket.ts
function targetLocked(target: Target): u32 { return socketBoundLocked(target.inode, target.name, target.length); }

function noPeer(socket: Socket): i32 {
  if (socket.state == SocketState.CLOSED) return socket.type == SocketType.DGRAM ? -Errno.CONNREFUSED : -Errno.PIPE;
  return -Errno.NOTCONN;
}

/** What a receive found besides bytes. */
@final @unmanaged
export class Received {
  message: u32;   // Message pinned for the caller (socketReceiveEnd), or 0 at end of file
  offset: u32;    // of the bytes within it
  count: u32;     // bytes to copy
  isCut: u32;     // a datagram was longer than the buffer
  files: u32;     // RightsList that came with the message: the caller's, or 0
}

/** Claims up to `count` bytes of the next message: 0 with `out` filled, or -errno. */
export function socketReceiveBegin(socket: Socket, count: u32, flags: u32, out: Received): i32 {
  out.message = 0;
  out.count = 0;
  out.isCut = 0;
  out.files = 0;
  socketsLock();
  const r = waitMessageLocked(socket, flags);
  if (r == 0 && socket.head != 0) claimLocked(socket, messageOf(socket.head), count, flags, out);
  socketsUnlock();
  return r;
}

/** Sleeps until there is a message, or the end: 0, or -errno. */
function waitMessageLocked(socket: Socket, flags: u32): i32 {
  while (socket.head == 0) {
    const isStreamLike = socket.type != SocketType.DGRAM;
    if (socket.shut & Shutdown.RECEIVE || (isStreamLike && socket.state == SocketState.CLOSED)) return 0;
    if (isStreamLike && socket.state != SocketState.CONNECTED) return -Errno.NOTCONN;
    if (socket.peer != 0 && socketOf(socket.peer).shut & Shutdown.SEND && isStreamLike) return 0;
    const r = socketWaitInputLocked(socket, (flags & MsgFlag.DONTWAIT) != 0);
    if (r != 0) return r;
  }
  return 0;
}

function claimLocked(socket: Socket, message: Message, count: u32, flags: u32, out: Received): void {
  const left = message.size - message.taken;
  const n = min<u32>(count, left);
  out.message = <u32>changetype<usize>(message);
  out.offset = message.taken;
  out.count = n;
  out.isCut = socket.type != SocketType.STREAM && n < left ? 1 : 0;
  message.pins++;
  if (flags & MsgFlag.PEEK) {
    if (message.files != 0) out.files = rightsCopy(changetype<RightsList>(message.files)); // SAFETY: G3
    return;
  }
  out.files = message.files;
  message.files = 0;
  const consumed = socket.type == SocketType.STREAM ? n : left;
  message.taken += consumed;
  socket.queued -= consumed;
  if (message.taken == message.size) socketUnqueueLocked(socket, message);
  if (socket.peer != 0) wakeUpAll(socketWriteWait(socketOf(socket.peer)));
}

/** Lets go of a claimed message and of files nobody asked for. May sleep. */
export function socketReceiveEnd(out: Received): void {
  if (out.message == 0) return;
  if (out.files != 0) rightsFree(changetype<RightsList>(out.files)); // SAFETY: G3
  out.files = 0;
  const message = messageOf(out.message);
  socketsLock();
  message.pins--;
  const isFree = message.pins == 0 && !message.isQueued;
  socketsUnlock();
  if (isFree) messageFree(message);
}

/** Copies the claimed bytes to a buffer: 0 or -EFAULT. */
export function receivedCopy(out: Received, bufVa: u64): i32 {
  if (out.message == 0) return 0;
  return bufCopyOut(bufVa, messageData(messageOf(out.message)) + out.offset, out.count);
}
