/**
 * Local (AF_UNIX) sockets: stream, datagram, sequenced packets.
 *
 * Invariants  U1  two connected stream sockets name each other in `peer`; both are cleared together.
 *             U2  `queued` is the sum of what is left of the messages in the receive queue.
 *             U3  a socket waits only on its own queues, so it may be freed when its file is closed.
 * Locking     unixLock (Rank.PIPE) guards every socket; user memory is copied outside it.
 * Spec        unix(7), socket(2), send(2), recv(2).
 */
import { Errno } from "../../../abi/errno";
import { kfree, kzalloc } from "../../../core/mm/slab";
import { WaitQueue, waitQueueAt, waitQueueInit, waitSleep, wakeUpAll } from "../../../core/sync/wait-queue";
import { monoNowNs } from "../../../../arch/current";
import { bytesEqual } from "../../../lib/bytes";
import { inodePut } from "../../vfs/inode";
import { inodeOf } from "../../vfs/types";
import { Rank } from "../../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../../lib/spinlock";
import { currentCred, currentProcess } from "../../process/process";
import { Message, messageFree, messageOf } from "./message";

export const enum SocketType { STREAM = 1, DGRAM = 2, SEQPACKET = 5 }
export const enum SocketState { IDLE = 0, LISTENING = 1, CONNECTED = 2, CLOSED = 3 }
export const enum Shutdown { RECEIVE = 1, SEND = 2 }

/** Bytes a receive queue holds before senders wait. */
export const QUEUE_BYTES: u32 = 212992;
export const NAME_BYTES: u32 = 108;
/** How long a sender without a connection waits before it looks for room again. */
const RETRY_NS: u64 = 5_000_000;

@final @unmanaged
export class Socket {
  readWait0: u64;  // WaitQueue by value: readers, accept
  readWait1: u64;
  readWait2: u64;
  readWait3: u64;
  writeWait0: u64; // WaitQueue by value: senders, connect
  writeWait1: u64;
  writeWait2: u64;
  writeWait3: u64;
  type: u32;       // SocketType
  state: u32;      // SocketState
  peer: u32;       // Socket (U1); a datagram socket's default target
  shut: u32;       // Shutdown bits
  head: u32;       // Message: oldest received
  tail: u32;
  queued: u32;     // U2
  backlog: u32;    // listen
  pendingHead: u32; // Socket: connected and not yet accepted, chained by `next`
  pendingTail: u32;
  pendingCount: u32;
  next: u32;       // in a pending chain, or among the bound
  nameLength: u32; // of sun_path, 0 when unbound
  inode: u32;      // of a name in the file system, one reference
  pid: u32;        // credentials at connect, listen or socketpair
  uid: u32;
  gid: u32;
  allNext: u32;    // Socket: chain of all sockets
  name0: u64;      // sun_path, 108 bytes and padding
  name1: u64;
  name2: u64;
  name3: u64;
  name4: u64;
  name5: u64;
  name6: u64;
  name7: u64;
  name8: u64;
  name9: u64;
  name10: u64;
  name11: u64;
  name12: u64;
  name13: u64;
}

@final @unmanaged
class SocketTable {
  first: u32; // Socket: chain of all
}
const TABLE = changetype<SocketTable>(memory.data(offsetof<SocketTable>()));
const unixLock = changetype<SpinLock>(memory.data(16));

/** SAFETY: `address` is a Socket or 0, as File.data of a socket and the fields above. */
export function socketOf(address: u32): Socket { return changetype<Socket>(address); }
export function socketPtr(socket: Socket): u32 { return <u32>changetype<usize>(socket); }
export function socketReadWait(socket: Socket): WaitQueue { return waitQueueAt(changetype<usize>(socket) + offsetof<Socket>("readWait0")); }
export function socketWriteWait(socket: Socket): WaitQueue { return waitQueueAt(changetype<usize>(socket) + offsetof<Socket>("writeWait0")); }
export function socketName(socket: Socket): usize { return changetype<usize>(socket) + offsetof<Socket>("name0"); }
export function socketsLock(): void { spinLock(unixLock); }
export function socketsUnlock(): void { spinUnlock(unixLock); }

export function socketsInit(): void {
  spinInit(unixLock, Rank.PIPE);
}

/** A socket without address or peer, or null. */
export function socketNew(type: u32): Socket | null {
  const address = kzalloc(offsetof<Socket>());
  if (address == 0) return null;
  const socket = socketOf(<u32>address);
  socket.type = type;
  waitQueueInit(socketReadWait(socket));
  waitQueueInit(socketWriteWait(socket));
  socketCredTake(socket);
  socketsLock();
  socket.allNext = TABLE.first;
  TABLE.first = socketPtr(socket);
  socketsUnlock();
  return socket;
}

/** Remembers who acts now, for SO_PEERCRED. */
export function socketCredTake(socket: Socket): void {
  socket.pid = currentProcess().pid;
  socket.uid = currentCred().euid;
  socket.gid = currentCred().egid;
}

/** Makes two sockets each other's peer (U1). */
export function socketsJoinLocked(a: Socket, b: Socket): void {
  a.peer = socketPtr(b);
  b.peer = socketPtr(a);
  a.state = SocketState.CONNECTED;
  b.state = SocketState.CONNECTED;
}

/** The file is gone: the peer learns of it, queued messages and waiting connections are dropped. May sleep. */
export function socketClose(socket: Socket): void {
  socketsLock();
  forgetLocked(socket);
  const messages = socket.head;
  let pending = socket.pendingHead;
  socket.head = 0;
  socket.pendingHead = 0;
  const inode = socket.inode;
  socketsUnlock();
  messagesFree(messages);
  if (inode != 0) inodePut(inodeOf(inode));
  while (pending != 0) {
    const waiting = socketOf(pending);
    pending = waiting.next;
    socketClose(waiting);
  }
  kfree(changetype<usize>(socket));
}

function messagesFree(first: u32): void {
  let at = first;
  while (at != 0) {
    const message = messageOf(at);
    at = message.next;
    messageFree(message);
  }
}

/** Takes the socket off the chain; nobody names it as peer any more (U1). */
function forgetLocked(socket: Socket): void {
  let before: u32 = 0;
  for (let at = TABLE.first; at != 0; at = socketOf(at).allNext) {
    const other = socketOf(at);
    if (at == socketPtr(socket)) {
      if (before == 0) TABLE.first = socket.allNext;
      else socketOf(before).allNext = socket.allNext;
      continue;
    }
    before = at;
    if (other.peer == socketPtr(socket)) peerLostLocked(other);
  }
}

function peerLostLocked(socket: Socket): void {
  socket.peer = 0;
  socket.state = SocketState.CLOSED;
  wakeUpAll(socketReadWait(socket));
  wakeUpAll(socketWriteWait(socket));
}

/** The socket bound to a file-system name (`inode`) or, with 0, to an abstract name; 0 for none. */
export function socketBoundLocked(inode: u32, name: usize, length: u32): u32 {
  for (let at = TABLE.first; at != 0; at = socketOf(at).allNext) {
    const socket = socketOf(at);
    if (socket.nameLength == 0 || socket.inode != inode) continue;
    if (inode != 0 || (socket.nameLength == length && bytesEqual(socketName(socket), name, length))) return at;
  }
  return 0;
}

// ---- the receive queue ----

/** Appends a message to the queue of `to`; the caller has checked for room. */
export function socketQueueLocked(to: Socket, message: Message): void {
  message.isQueued = 1;
  const address = <u32>changetype<usize>(message);
  if (to.head == 0) to.head = address;
  else messageOf(to.tail).next = address;
  to.tail = address;
  to.queued += message.size;
  wakeUpAll(socketReadWait(to));
}

/** Takes the first message off the queue. */
export function socketUnqueueLocked(socket: Socket, message: Message): void {
  socket.head = message.next;
  message.next = 0;
  message.isQueued = 0;
}

/** True when `to` takes `size` more bytes; an empty queue takes any one message. */
export function socketHasRoom(to: Socket, size: u32): bool {
  return to.queued == 0 || to.queued + size <= QUEUE_BYTES;
}

/** A sender waits for room on its own queue (U3): 0 to look again, or -errno. */
export function socketWaitRoomLocked(socket: Socket, isNonblocking: bool): i32 {
  if (socket.type == SocketType.DGRAM) return socketWaitShortLocked(socket, isNonblocking);
  return isNonblocking ? -Errno.AGAIN : waitCode(waitSleep(socketWriteWait(socket), unixLock, 0));
}

/** Waits for a socket that cannot wake this one (no connection yet): it looks again a little later. */
export function socketWaitShortLocked(socket: Socket, isNonblocking: bool): i32 {
  if (isNonblocking) return -Errno.AGAIN;
  return waitCode(waitSleep(socketWriteWait(socket), unixLock, monoNowNs() + RETRY_NS));
}

function waitCode(r: i32): i32 {
  return r == -Errno.INTR ? -Errno.RESTARTSYS : 0;
}

/** A reader waits for a message or a connection: 0 to look again, or -errno. */
export function socketWaitInputLocked(socket: Socket, isNonblocking: bool): i32 {
  if (isNonblocking) return -Errno.AGAIN;
  return waitSleep(socketReadWait(socket), unixLock, 0) != 0 ? -Errno.RESTARTSYS : 0;
}
