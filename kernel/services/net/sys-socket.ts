/**
 * Socket system calls. Local sockets only: other families are EAFNOSUPPORT.
 *
 * Spec  socket(2), socketpair(2), bind(2), listen(2), accept(2), connect(2), shutdown(2), getsockopt(2), unix(7).
 */
import { userCopyOut, userLoad32, userStore32 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { wakeUpAll } from "../../core/sync/wait-queue";
import { bytesCopy, wordAt32, wordPut32 } from "../../lib/bytes";
import { fdBorrow, fdClose, fdInstall, fdReturn, heldFile } from "../vfs/fd-table";
import { filePut } from "../vfs/file";
import { bufRangeOk } from "../vfs/io-buf";
import { inodePut } from "../vfs/inode";
import { AT_FDCWD } from "../vfs/namei";
import { sysMknodat } from "../vfs/sys-dir";
import { File, FileMode, OpenFlag, fileOf, inodeOf, isErrPtr } from "../vfs/types";
import { AF_UNIX, ADDRESS_BYTES, addressCopyIn, addressCopyOut, addressInode, addressIsPath, addressName, addressPathLength } from "./unix/address";
import { fileSocket, socketFileNew } from "./unix/socket-file";
import {
  Shutdown, Socket, SocketState, SocketType, socketBoundLocked, socketClose, socketCredTake, socketName, socketNew,
  socketOf, socketPtr, socketReadWait, socketWaitInputLocked, socketWaitShortLocked, socketWriteWait, socketsJoinLocked,
  socketsLock, socketsUnlock,
} from "./unix/socket";

const TYPE_MASK: u32 = 15;
const BACKLOG_MAX: u32 = 4096;
const SOL_SOCKET: i32 = 1;
const enum SocketOption { DEBUG = 1, REUSEADDR = 2, TYPE = 3, ERROR = 4, BROADCAST = 6, SNDBUF = 7, RCVBUF = 8, KEEPALIVE = 9, PASSCRED = 16, PEERCRED = 17, RCVTIMEO = 20, SNDTIMEO = 21, ACCEPTCONN = 30, PROTOCOL = 38, DOMAIN = 39 }

/** Type without its flags, or -errno when a socket of that kind cannot be. */
function kindCheck(family: i32, type: i32, protocol: i32): i32 {
  if (family != AF_UNIX) return -Errno.AFNOSUPPORT;
  if (<u32>type & ~(TYPE_MASK | <u32>OpenFlag.NONBLOCK | <u32>OpenFlag.CLOEXEC)) return -Errno.INVAL;
  if (protocol != 0 && protocol != AF_UNIX) return -Errno.PROTONOSUPPORT;
  const kind = type & TYPE_MASK;
  const isKnown = kind == SocketType.STREAM || kind == SocketType.DGRAM || kind == SocketType.SEQPACKET;
  return isKnown ? kind : -Errno.SOCKTNOSUPPORT;
}

/** A descriptor for a socket that becomes the file's; the descriptor or -errno. */
function socketInstall(socket: Socket, flags: u32): i64 {
  const made = socketFileNew(socket, flags);
  if (isErrPtr(made)) return <i32>made;
  const fd = fdInstall(fileOf(made), (flags & OpenFlag.CLOEXEC) != 0);
  if (fd < 0) filePut(fileOf(made));
  return fd;
}

export function sysSocket(family: i32, type: i32, protocol: i32): i64 {
  const kind = kindCheck(family, type, protocol);
  if (kind < 0) return kind;
  const socket = socketNew(kind);
  return socket ? socketInstall(socket, type) : -Errno.NOMEM;
}

export function sysSocketpair(family: i32, type: i32, protocol: i32, fdsVa: u64): i64 {
  const kind = kindCheck(family, type, protocol);
  if (kind < 0) return kind;
  if (!bufRangeOk(fdsVa, 8)) return -Errno.FAULT;
  const a = socketNew(kind);
  if (!a) return -Errno.NOMEM;
  const b = socketNew(kind);
  if (!b) {
    socketClose(a);
    return -Errno.NOMEM;
  }
  socketsLock();
  socketsJoinLocked(a, b);
  socketsUnlock();
  const first = socketInstall(a, type);
  if (first < 0) {
    socketClose(b);
    return first;
  }
  const second = socketInstall(b, type);
  if (second >= 0 && userStore32(fdsVa, <u32>first) == 0 && userStore32(fdsVa + 4, <u32>second) == 0) return 0;
  fdClose(<i32>first);
  if (second < 0) return second;
  fdClose(<i32>second);
  return -Errno.FAULT;
}

/** The socket behind a borrowed descriptor (fdReturn it); 0 when there is none. */
function heldSocket(held: usize): u32 {
  return held != 0 ? fileSocket(heldFile(held)) : 0;
}

function notSocket(held: usize): i64 {
  if (held == 0) return -Errno.BADF;
  fdReturn(held);
  return -Errno.NOTSOCK;
}

export function sysBind(fd: i32, va: u64, length: i32): i64 {
  const held = fdBorrow(fd);
  const address = heldSocket(held);
  if (address == 0) return notSocket(held);
  const buffer = scratchPush(ADDRESS_BYTES);
  const nameLength = addressCopyIn(buffer, va, <u32>length);
  let r: i64 = nameLength;
  if (nameLength == 0) r = -Errno.INVAL;
  else if (nameLength > 0) r = bindName(socketOf(address), buffer, nameLength, va);
  scratchPop(ADDRESS_BYTES);
  fdReturn(held);
  return r;
}

function bindName(socket: Socket, buffer: usize, nameLength: u32, va: u64): i64 {
  if (socket.nameLength != 0) return -Errno.INVAL;
  if (!addressIsPath(buffer, nameLength)) return bindAs(socket, 0, addressName(buffer), nameLength);
  const pathLength = addressPathLength(buffer, nameLength);
  if (pathLength < 0) return pathLength;
  const made = sysMknodat(AT_FDCWD, va + 2, FileMode.IFSOCK | 0o777, 0);
  if (made != 0) return made == -Errno.EXIST ? -Errno.ADDRINUSE : made;
  const inode = addressInode(va);
  if (isErrPtr(inode)) return <i32>inode;
  return bindAs(socket, <u32>inode, addressName(buffer), pathLength + 1);
}

function bindAs(socket: Socket, inode: u32, name: usize, length: u32): i64 {
  socketsLock();
  const isTaken = socketBoundLocked(inode, name, length) != 0 || socket.nameLength != 0;
  if (!isTaken) {
    bytesCopy(socketName(socket), name, length);
    socket.nameLength = length;
    socket.inode = inode;
  }
  socketsUnlock();
  if (isTaken && inode != 0) inodePut(inodeOf(inode));
  return isTaken ? -Errno.ADDRINUSE : 0;
}

export function sysListen(fd: i32, backlog: i32): i64 {
  const held = fdBorrow(fd);
  const address = heldSocket(held);
  if (address == 0) return notSocket(held);
  const socket = socketOf(address);
  let r: i64 = 0;
  socketsLock();
  if (socket.type == SocketType.DGRAM) r = -Errno.OPNOTSUPP;
  else if (socket.nameLength == 0 || (socket.state != SocketState.IDLE && socket.state != SocketState.LISTENING)) r = -Errno.INVAL;
  else {
    socket.state = SocketState.LISTENING;
    socket.backlog = min<u32>(backlog < 0 ? BACKLOG_MAX : <u32>backlog + 1, BACKLOG_MAX);
    socketCredTake(socket);
  }
  socketsUnlock();
  fdReturn(held);
  return r;
}

export function sysConnect(fd: i32, va: u64, length: i32): i64 {
  const held = fdBorrow(fd);
  const address = heldSocket(held);
  if (address == 0) return notSocket(held);
  const buffer = scratchPush(ADDRESS_BYTES);
  const nameLength = addressCopyIn(buffer, va, <u32>length);
  let r: i64 = nameLength;
  if (nameLength > 0) r = connectName(heldFile(held), socketOf(address), buffer, nameLength, va);
  else if (nameLength == 0) r = -Errno.INVAL;
  scratchPop(ADDRESS_BYTES);
  fdReturn(held);
  return r;
}

function connectName(file: File, socket: Socket, buffer: usize, nameLength: u32, va: u64): i64 {
  let inode: usize = 0;
  if (addressIsPath(buffer, nameLength)) {
    if (addressPathLength(buffer, nameLength) < 0) return -Errno.INVAL;
    inode = addressInode(va);
    if (isErrPtr(inode)) return <i32>inode;
  }
  const isNonblocking = (file.flags & OpenFlag.NONBLOCK) != 0;
  const r = socket.type == SocketType.DGRAM
    ? connectDatagram(socket, <u32>inode, addressName(buffer), nameLength)
    : connectStream(socket, <u32>inode, addressName(buffer), nameLength, isNonblocking);
  if (inode != 0) inodePut(inodeOf(inode));
  return r;
}

function connectDatagram(socket: Socket, inode: u32, name: usize, length: u32): i64 {
  socketsLock();
  const target = socketBoundLocked(inode, name, length);
  let r: i64 = 0;
  if (target == 0) r = -Errno.CONNREFUSED;
  else if (socketOf(target).type != socket.type) r = -Errno.PROTOTYPE;
  else {
    socket.peer = target;
    socket.state = SocketState.CONNECTED;
  }
  socketsUnlock();
  return r;
}

/** Makes the server's end of the connection and leaves it for accept. */
function connectStream(socket: Socket, inode: u32, name: usize, length: u32, isNonblocking: bool): i64 {
  const end = socketNew(socket.type);
  if (!end) return -Errno.NOMEM;
  socketsLock();
  const r = connectLocked(socket, end, inode, name, length, isNonblocking);
  socketsUnlock();
  if (r != 0) socketClose(end);
  return r;
}

function connectLocked(socket: Socket, end: Socket, inode: u32, name: usize, length: u32, isNonblocking: bool): i64 {
  while (true) {
    if (socket.state == SocketState.CONNECTED) return -Errno.ISCONN;
    if (socket.state != SocketState.IDLE) return -Errno.INVAL;
    const target = socketBoundLocked(inode, name, length);
    if (target == 0) return -Errno.CONNREFUSED;
    const server = socketOf(target);
    if (server.type != socket.type) return -Errno.PROTOTYPE;
    if (server.state != SocketState.LISTENING) return -Errno.CONNREFUSED;
    if (server.pendingCount < server.backlog) {
      pendingAddLocked(server, socket, end);
      return 0;
    }
    const r = socketWaitShortLocked(socket, isNonblocking); // the backlog is full
    if (r != 0) return r;
  }
  return 0;
}

function pendingAddLocked(server: Socket, socket: Socket, end: Socket): void {
  socketsJoinLocked(socket, end);
  end.pid = server.pid;
  end.uid = server.uid;
  end.gid = server.gid;
  bytesCopy(socketName(end), socketName(server), server.nameLength);
  end.next = 0;
  if (server.pendingHead == 0) server.pendingHead = socketPtr(end);
  else socketOf(server.pendingTail).next = socketPtr(end);
  server.pendingTail = socketPtr(end);
  server.pendingCount++;
  wakeUpAll(socketReadWait(server));
}

export function sysAccept(fd: i32, va: u64, lengthVa: u64): i64 {
  return sysAccept4(fd, va, lengthVa, 0);
}

export function sysAccept4(fd: i32, va: u64, lengthVa: u64, flags: u32): i64 {
  if (flags & ~(<u32>OpenFlag.NONBLOCK | <u32>OpenFlag.CLOEXEC)) return -Errno.INVAL;
  const held = fdBorrow(fd);
  const address = heldSocket(held);
  if (address == 0) return notSocket(held);
  const end = acceptTake(socketOf(address), (heldFile(held).flags & OpenFlag.NONBLOCK) != 0);
  fdReturn(held);
  if (isErrPtr(end)) return <i32>end;
  const r = addressCopyOut(va, lengthVa, 0, 0); // a client's end is unnamed here
  if (r != 0) {
    socketClose(socketOf(<u32>end));
    return r;
  }
  return socketInstall(socketOf(<u32>end), flags);
}

function acceptTake(server: Socket, isNonblocking: bool): usize {
  let r: i32 = 0;
  socketsLock();
  if (server.state != SocketState.LISTENING) r = -Errno.INVAL;
  while (r == 0 && server.pendingHead == 0) r = socketWaitInputLocked(server, isNonblocking);
  const end = server.pendingHead;
  if (r == 0) {
    server.pendingHead = socketOf(end).next;
    server.pendingCount--;
  }
  socketsUnlock();
  return r != 0 ? <usize>r : end;
}

export function sysShutdown(fd: i32, how: i32): i64 {
  if (<u32>how > 2) return -Errno.INVAL;
  const held = fdBorrow(fd);
  const address = heldSocket(held);
  if (address == 0) return notSocket(held);
  const socket = socketOf(address);
  socketsLock();
  const isConnected = socket.state == SocketState.CONNECTED;
  if (isConnected) {
    socket.shut |= <u32>how + 1; // SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2: Shutdown bits 1, 2, 3
    wakeUpAll(socketReadWait(socket));
    wakeUpAll(socketWriteWait(socket));
    if (socket.peer != 0) {
      wakeUpAll(socketReadWait(socketOf(socket.peer)));
      wakeUpAll(socketWriteWait(socketOf(socket.peer)));
    }
  }
  socketsUnlock();
  fdReturn(held);
  return isConnected ? 0 : -Errno.NOTCONN;
}

export function sysGetsockname(fd: i32, va: u64, lengthVa: u64): i64 {
  const held = fdBorrow(fd);
  const address = heldSocket(held);
  if (address == 0) return notSocket(held);
  const socket = socketOf(address);
  const r = addressCopyOut(va, lengthVa, socketName(socket), socket.nameLength);
  fdReturn(held);
  return r;
}

export function sysGetpeername(fd: i32, va: u64, lengthVa: u64): i64 {
  const held = fdBorrow(fd);
  const address = heldSocket(held);
  if (address == 0) return notSocket(held);
  const name = scratchPush(ADDRESS_BYTES);
  socketsLock();
  const peer = socketOf(address).peer;
  const length = peer != 0 ? socketOf(peer).nameLength : 0;
  if (peer != 0) bytesCopy(name, socketName(socketOf(peer)), length);
  socketsUnlock();
  const r = peer != 0 ? addressCopyOut(va, lengthVa, name, length) : -Errno.NOTCONN;
  scratchPop(ADDRESS_BYTES);
  fdReturn(held);
  return r;
}

/** Options that a local socket may be given without effect; the rest is ENOPROTOOPT. */
export function sysSetsockopt(fd: i32, level: i32, name: i32, va: u64, length: i32): i64 {
  const held = fdBorrow(fd);
  if (heldSocket(held) == 0) return notSocket(held);
  fdReturn(held);
  if (level != SOL_SOCKET) return -Errno.NOPROTOOPT;
  if (length < 4) return -Errno.INVAL;
  switch (name) {
    case SocketOption.REUSEADDR: case SocketOption.BROADCAST: case SocketOption.SNDBUF: case SocketOption.RCVBUF:
    case SocketOption.KEEPALIVE: case SocketOption.DEBUG: return 0;
    default: return -Errno.NOPROTOOPT;
  }
}

export function sysGetsockopt(fd: i32, level: i32, name: i32, va: u64, lengthVa: u64): i64 {
  const held = fdBorrow(fd);
  const address = heldSocket(held);
  if (address == 0) return notSocket(held);
  const value = scratchPush(16);
  const size = level == SOL_SOCKET ? optionGet(socketOf(address), name, value) : -Errno.NOPROTOOPT;
  const r = size < 0 ? <i64>size : optionOut(value, size, va, lengthVa);
  scratchPop(16);
  fdReturn(held);
  return r;
}

/** Places an option's value at linear `to`; its size or -errno. */
function optionGet(socket: Socket, name: i32, to: usize): i32 {
  wordPut32(to, 0);
  switch (name) {
    case SocketOption.TYPE: wordPut32(to, socket.type); return 4;
    case SocketOption.ERROR: return 4;
    case SocketOption.DOMAIN: wordPut32(to, AF_UNIX); return 4;
    case SocketOption.PROTOCOL: return 4;
    case SocketOption.SNDBUF: case SocketOption.RCVBUF: wordPut32(to, 212992); return 4;
    case SocketOption.ACCEPTCONN: wordPut32(to, socket.state == SocketState.LISTENING ? 1 : 0); return 4;
    case SocketOption.PEERCRED: return credGet(socket, to);
    default: return -Errno.NOPROTOOPT;
  }
}

/** struct ucred of the peer. */
function credGet(socket: Socket, to: usize): i32 {
  socketsLock();
  const from = socket.peer != 0 ? socketOf(socket.peer) : socket;
  wordPut32(to, from.pid);
  wordPut32(to + 4, from.uid);
  wordPut32(to + 8, from.gid);
  socketsUnlock();
  return 12;
}

function optionOut(value: usize, size: u32, va: u64, lengthVa: u64): i64 {
  const word = scratchPush(8);
  const r = userLoad32(word, lengthVa);
  const room = wordAt32(word);
  scratchPop(8);
  if (r != 0) return -Errno.FAULT;
  if (<i32>room < 0) return -Errno.INVAL;
  const n = min<u32>(room, size);
  if (userCopyOut(va, value, n) != 0) return -Errno.FAULT;
  return userStore32(lengthVa, n);
}
