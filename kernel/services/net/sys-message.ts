/**
 * sendto, recvfrom, sendmsg, recvmsg on local sockets. Descriptors are the only ancillary data (rights.ts).
 *
 * Spec  send(2), recv(2); struct msghdr of socket.h: name 0, namelen 8, iov 16, iovlen 24, control 32, controllen 40, flags 48.
 */
import { userCopyIn, userStore32, userStore64 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { bytesCopy, wordAt32, wordAt64 } from "../../lib/bytes";
import { fdBorrow, fdReturn, heldFile } from "../vfs/fd-table";
import { bufCopyIn, bufCopyOut, bufRangeOk } from "../vfs/io-buf";
import { inodePut } from "../vfs/inode";
import { inodeOf, isErrPtr } from "../vfs/types";
import { ADDRESS_BYTES, addressCopyIn, addressCopyOut, addressInode, addressIsPath, addressName } from "./unix/address";
import { Message, messageData, messageFree, messageNew, messageOf } from "./unix/message";
import { RightsList, rightsDeliver, rightsFetch } from "./unix/rights";
import { fileSocket, socketFlags } from "./unix/socket-file";
import { QUEUE_BYTES, Socket, SocketType, socketName, socketOf } from "./unix/socket";
import { MsgFlag, Received, Target, messageSend, receivedCopy, socketReceiveBegin, socketReceiveEnd, socketSend } from "./unix/transfer";

const MSGHDR_BYTES: u32 = 56;
const IOV_MAX: u64 = 1024;
const IO_MAX: u64 = 0x7ffff000;

function noSocket(held: usize): i64 {
  if (held == 0) return -Errno.BADF;
  fdReturn(held);
  return -Errno.NOTSOCK;
}

export function sysSendto(fd: i32, bufVa: u64, count: u64, flags: u32, va: u64, length: i32): i64 {
  if (!bufRangeOk(bufVa, count)) return -Errno.FAULT;
  const held = fdBorrow(fd);
  const address = held != 0 ? fileSocket(heldFile(held)) : 0;
  if (address == 0) return noSocket(held);
  const n = <u32>min<u64>(count, IO_MAX);
  const all = socketFlags(heldFile(held), flags);
  const r = va == 0 ? socketSend(socketOf(address), 0, bufVa, n, all) : sendTo(socketOf(address), bufVa, n, all, va, length);
  fdReturn(held);
  return r;
}

/** A datagram to a named socket. */
function sendTo(socket: Socket, bufVa: u64, count: u32, flags: u32, va: u64, length: i32): i64 {
  if (socket.type != SocketType.DGRAM) return socket.peer != 0 ? -Errno.ISCONN : -Errno.OPNOTSUPP;
  const buffer = scratchPush(ADDRESS_BYTES + offsetof<Target>());
  const target = changetype<Target>(buffer + ADDRESS_BYTES); // SAFETY: room behind the address
  const r = targetFind(target, buffer, va, <u32>length);
  const sent = r != 0 ? <i64>r : socketSend(socket, <u32>changetype<usize>(target), bufVa, count, flags);
  if (r == 0 && target.inode != 0) inodePut(inodeOf(target.inode));
  scratchPop(ADDRESS_BYTES + offsetof<Target>());
  return sent;
}

function targetFind(target: Target, buffer: usize, va: u64, length: u32): i32 {
  const nameLength = addressCopyIn(buffer, va, length);
  if (nameLength <= 0) return nameLength == 0 ? -Errno.INVAL : nameLength;
  target.inode = 0;
  target.name = <u32>addressName(buffer);
  target.length = nameLength;
  if (!addressIsPath(buffer, nameLength)) return 0;
  const inode = addressInode(va);
  if (isErrPtr(inode)) return <i32>inode;
  target.inode = <u32>inode;
  return 0;
}

export function sysRecvfrom(fd: i32, bufVa: u64, count: u64, flags: u32, va: u64, lengthVa: u64): i64 {
  if (!bufRangeOk(bufVa, count)) return -Errno.FAULT;
  const held = fdBorrow(fd);
  const address = held != 0 ? fileSocket(heldFile(held)) : 0;
  if (address == 0) return noSocket(held);
  const out = changetype<Received>(scratchPush(offsetof<Received>())); // SAFETY: scratch of that size
  const all = socketFlags(heldFile(held), flags);
  let r: i64 = socketReceiveBegin(socketOf(address), <u32>min<u64>(count, IO_MAX), all, out);
  if (r == 0) {
    r = receivedCopy(out, bufVa) != 0 ? -Errno.FAULT : fullCount(out, flags);
    if (r >= 0 && senderOut(out, va, lengthVa) != 0) r = -Errno.FAULT;
    socketReceiveEnd(out);
  }
  scratchPop(offsetof<Received>());
  fdReturn(held);
  return r;
}

/** MSG_TRUNC asks for the true length of a datagram that was cut. */
function fullCount(out: Received, flags: u32): i64 {
  if (flags & MsgFlag.TRUNC && out.isCut) return messageOf(out.message).size;
  return out.count;
}

/** The sender's name; nothing at end of file. */
function senderOut(out: Received, va: u64, lengthVa: u64): i32 {
  if (va == 0) return 0;
  if (out.message == 0) return addressCopyOut(va, lengthVa, 0, 0);
  const message = messageOf(out.message);
  return addressCopyOut(va, lengthVa, messageData(message) + message.size, message.sender);
}

// ---- vectors ----

export function sysSendmsg(fd: i32, msgVa: u64, flags: u32): i64 {
  const held = fdBorrow(fd);
  const address = held != 0 ? fileSocket(heldFile(held)) : 0;
  if (address == 0) return noSocket(held);
  const header = scratchPush(MSGHDR_BYTES);
  const r = userCopyIn(header, msgVa, MSGHDR_BYTES) != 0
    ? -<i64>Errno.FAULT : sendVector(socketOf(address), header, socketFlags(heldFile(held), flags));
  scratchPop(MSGHDR_BYTES);
  fdReturn(held);
  return r;
}

function sendVector(socket: Socket, header: usize, flags: u32): i64 {
  const total = vectorBytes(header);
  if (total < 0) return total;
  if (total > <i64>QUEUE_BYTES) return -Errno.MSGSIZE;
  if (total == 0 && socket.type == SocketType.STREAM) return 0;
  const name = socket.type == SocketType.STREAM ? 0 : socket.nameLength;
  const message = messageNew(<u32>total, name);
  if (!message) return -Errno.NOBUFS;
  if (vectorCopy(header, messageData(message), <u32>total, false) != 0) {
    messageFree(message);
    return -Errno.FAULT;
  }
  bytesCopy(messageData(message) + <u32>total, socketName(socket), name);
  const files = rightsFetch(wordAt64(header + 32), wordAt64(header + 40));
  if (files < 0) {
    messageFree(message);
    return files;
  }
  message.files = <u32>files;
  const va = wordAt64(header);
  if (va == 0) return messageSend(socket, 0, message, flags);
  return sendMessageTo(socket, message, flags, va, wordAt32(header + 8));
}

function sendMessageTo(socket: Socket, message: Message, flags: u32, va: u64, length: u32): i64 {
  const buffer = scratchPush(ADDRESS_BYTES + offsetof<Target>());
  const target = changetype<Target>(buffer + ADDRESS_BYTES); // SAFETY: room behind the address
  let r: i64 = socket.type == SocketType.DGRAM ? targetFind(target, buffer, va, length) : -Errno.ISCONN;
  if (r != 0) messageFree(message);
  else {
    r = messageSend(socket, <u32>changetype<usize>(target), message, flags);
    if (target.inode != 0) inodePut(inodeOf(target.inode));
  }
  scratchPop(ADDRESS_BYTES + offsetof<Target>());
  return r;
}

/** Bytes of all parts, or -errno. */
function vectorBytes(header: usize): i64 {
  const count = wordAt64(header + 24);
  if (count > IOV_MAX) return -Errno.MSGSIZE;
  const part = scratchPush(16);
  let total: u64 = 0;
  let r: i64 = 0;
  for (let i: u64 = 0; i < count && r == 0; i++) {
    if (userCopyIn(part, wordAt64(header + 16) + i * 16, 16) != 0) r = -Errno.FAULT;
    else if (!bufRangeOk(wordAt64(part), wordAt64(part + 8))) r = -Errno.FAULT;
    else total += wordAt64(part + 8);
  }
  scratchPop(16);
  if (r != 0) return r;
  return total > IO_MAX ? -Errno.INVAL : <i64>total;
}

/** Moves `size` bytes between linear `ptr` and the parts: 0 or -EFAULT. */
function vectorCopy(header: usize, ptr: usize, size: u32, isOut: bool): i32 {
  const part = scratchPush(16);
  let done: u32 = 0;
  let r: i32 = 0;
  for (let i: u64 = 0; done < size && r == 0; i++) {
    r = userCopyIn(part, wordAt64(header + 16) + i * 16, 16);
    if (r != 0) break;
    const n = <u32>min<u64>(wordAt64(part + 8), size - done);
    if (!bufRangeOk(wordAt64(part), n)) r = -Errno.FAULT;
    else r = isOut ? bufCopyOut(wordAt64(part), ptr + done, n) : bufCopyIn(ptr + done, wordAt64(part), n);
    done += n;
  }
  scratchPop(16);
  return r;
}

export function sysRecvmsg(fd: i32, msgVa: u64, flags: u32): i64 {
  const held = fdBorrow(fd);
  const address = held != 0 ? fileSocket(heldFile(held)) : 0;
  if (address == 0) return noSocket(held);
  const header = scratchPush(MSGHDR_BYTES + offsetof<Received>());
  let r: i64 = userCopyIn(header, msgVa, MSGHDR_BYTES) != 0 ? -Errno.FAULT : vectorBytes(header);
  if (r >= 0) r = receiveVector(socketOf(address), header, msgVa, <u32>r, socketFlags(heldFile(held), flags));
  scratchPop(MSGHDR_BYTES + offsetof<Received>());
  fdReturn(held);
  return r;
}

function receiveVector(socket: Socket, header: usize, msgVa: u64, room: u32, flags: u32): i64 {
  const out = changetype<Received>(header + MSGHDR_BYTES); // SAFETY: room behind the header
  let r: i64 = socketReceiveBegin(socket, room, flags, out);
  if (r != 0) return r;
  if (out.message != 0) r = vectorCopy(header, messageData(messageOf(out.message)) + out.offset, out.count, true);
  if (r == 0 && senderOut(out, wordAt64(header), msgVa + 8) != 0) r = -Errno.FAULT;
  if (r == 0) r = fullCount(out, flags);
  const control = r < 0 ? 0 : controlOut(header, out, flags);
  const shown: u32 = (out.isCut ? <u32>MsgFlag.TRUNC : 0) | out.count; // controlOut left MSG_CTRUNC there
  socketReceiveEnd(out);
  if (control < 0) return control;
  if (userStore64(msgVa + 40, control) != 0 || userStore32(msgVa + 48, shown) != 0) return -Errno.FAULT;
  return r;
}

/** Descriptors that came along: bytes of control data or -errno; out.count becomes MSG_CTRUNC when some were lost, else 0. */
function controlOut(header: usize, out: Received, flags: u32): i64 {
  out.count = 0;
  if (out.files == 0) return 0;
  const list = changetype<RightsList>(out.files); // SAFETY: Received.files
  out.files = 0;
  const cut = changetype<usize>(out) + offsetof<Received>("count");
  const r = rightsDeliver(list, wordAt64(header + 32), wordAt64(header + 40), (flags & MsgFlag.CMSG_CLOEXEC) != 0, cut);
  if (out.count != 0) out.count = MsgFlag.CTRUNC;
  return r;
}
