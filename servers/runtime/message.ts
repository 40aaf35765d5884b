/**
 * Long messages for servers: bytes, capabilities and a deadline beside label and words (kernel/abi/native.ts, ipc_call_extra).
 *
 * An IpcMessage is used again and again: what it sends is set before each call or reply, what it received stands in it afterwards. What is
 * generated for a protocol that travels in messages (protocol/) calls and answers by this.
 */
import { IpcMessage, SEND_HOW_BITS, SendHow } from "../../kernel/abi/capability";
import { Errno } from "../../kernel/abi/errno";
import { statusOf } from "./client";
import { linearVa, serverCall } from "./intrinsics";
import { bitsTake, NOTIFIED } from "./loop";
import { capDrop, endpointBind, memoryMap } from "./native-calls";

const IPC_CALL_EXTRA: u32 = 0x1013;
const IPC_REPLY_WAIT_EXTRA: u32 = 0x1014;
const PROT_RW: u32 = 3;

/** Most bytes one message carries. */
export const MESSAGE_BYTES: u32 = 65536;
/** Most capabilities one message carries. */
export const MESSAGE_CAPS: u32 = 4;

/** A message with room for `bytes` of what arrives, at `room` (0 bytes: words and capabilities only). It is never given back. */
export function messageNew(room: usize, bytes: u32): IpcMessage {
  const message = changetype<IpcMessage>(heap.alloc(offsetof<IpcMessage>()));
  memory.fill(changetype<usize>(message), 0, offsetof<IpcMessage>());
  if (bytes != 0) message.receiveVa = linearVa(room);
  message.receiveMax = bytes;
  return message;
}

const RIGHTS: usize = offsetof<IpcMessage>("rights0");
const BADGES: usize = offsetof<IpcMessage>("badge0");

function capAt(message: IpcMessage, index: u32): usize {
  return changetype<usize>(message) + offsetof<IpcMessage>("cap0") + (<usize>index << 2);
}

/** Nothing but words goes with the next call or reply, until messageSendBytes and messageSendCap. */
export function messageClear(message: IpcMessage): void {
  message.sendVa = 0;
  message.sendBytes = 0;
  message.sendCaps = 0;
  message.sendHow = 0;
}

/** The next call or reply carries the `bytes` at `at`. */
export function messageSendBytes(message: IpcMessage, at: usize, bytes: u32): void {
  message.sendVa = linearVa(at);
  message.sendBytes = bytes;
}

/** It carries one more capability, which needs the right GRANT. False: four go already. */
export function messageSendCap(message: IpcMessage, handle: u32): bool { return capAdd(message, handle, SendHow.COPY); }

/** The same, and this server has it no more once the message is taken. Memory must not be mapped. */
export function messageMoveCap(message: IpcMessage, handle: u32): bool { return capAdd(message, handle, SendHow.MOVE); }

/** The same, with those of its rights that are in `rights`, and with `badge` unless that is 0. */
export function messageMintCap(message: IpcMessage, handle: u32, rights: u32, badge: u64): bool {
  const at = changetype<usize>(message);
  const index = <usize>message.sendCaps;
  if (!capAdd(message, handle, SendHow.MINT)) return false;
  store<u32>(at + RIGHTS + (index << 2), rights);
  store<u64>(at + BADGES + (index << 3), badge);
  return true;
}

function capAdd(message: IpcMessage, handle: u32, how: SendHow): bool {
  if (message.sendCaps >= MESSAGE_CAPS) return false;
  store<u32>(capAt(message, message.sendCaps), handle);
  message.sendHow |= <u32>how << message.sendCaps * SEND_HOW_BITS;
  message.sendCaps++;
  return true;
}

/** Handle of capability `index` that arrived, or 0. */
export function messageCap(message: IpcMessage, index: u32): u32 {
  return index < message.receiveCaps ? load<u32>(capAt(message, index)) : 0;
}

/** Lets go of every capability that arrived. */
export function messageDropCaps(message: IpcMessage): void {
  for (let i: u32 = 0; i < message.receiveCaps; i++) capDrop(messageCap(message, i));
  message.receiveCaps = 0;
}

/** Maps memory that arrived as capability `index` at linear address `at`: granted, not copied. Negative on failure. */
export function messageMap(message: IpcMessage, index: u32, at: usize, bytes: u64): i64 {
  const handle = messageCap(message, index);
  return handle == 0 ? -Errno.BADF : memoryMap(handle, at, 0, bytes, PROT_RW);
}

/** ipc_call_extra with `label`, until `deadlineNs` (0: none). */
export function messageCall(endpoint: u32, message: IpcMessage, label: i32, deadlineNs: u64): i64 {
  return exchange(IPC_CALL_EXTRA, endpoint, message, label, deadlineNs);
}

/** ipc_reply_wait_extra: answers with `label`, then waits until `deadlineNs` (0: none). */
export function messageReplyWait(endpoint: u32, message: IpcMessage, label: i32, deadlineNs: u64): i64 {
  return exchange(IPC_REPLY_WAIT_EXTRA, endpoint, message, label, deadlineNs);
}

function exchange(nr: u32, endpoint: u32, message: IpcMessage, label: i32, deadlineNs: u64): i64 {
  message.label = label;
  message.deadlineNs = deadlineNs;
  return serverCall(nr, endpoint, linearVa(changetype<usize>(message)), 0, 0, 0, 0);
}

// ---- Servers ----

/** As serveCalls, for calls that are messages: they stand in `message`, and so do their answers when `onCall` returns the label. */
export function serveMessages(endpoint: u32, n: u32, message: IpcMessage, onCall: (label: i32) => i32, onBits: (bits: u64) => void): i64 {
  endpointBind(endpoint, n);
  let answer: i32 = 0;
  while (true) {
    const got = messageReplyWait(endpoint, message, answer, 0);
    if (got == NOTIFIED) bitsTake(message.w0, onBits);
    else if (got >= 0) answer = onCall(<i32>got);
    else if (got != -Errno.INTR) {
      if (message.sendBytes == 0 && message.sendCaps == 0) return got;
      answer = messageRefuse(message, -Errno.IO); // it could not be sent, and is still owed
    }
    __collect();
  }
}

// ---- For generated stubs ----

/** A call whose answer is 0 with exactly `bytes` and `caps` capabilities, or a negated errno with neither; EIO for any other. */
export function messageAsk(message: IpcMessage, endpoint: u32, label: i32, bytes: u32, caps: u32): i32 {
  const status = statusOf(messageCall(endpoint, message, label, 0));
  if (status == 0 && messageIs(message, bytes, caps)) return 0;
  if (status == 0 || status == -Errno.IO) messageDropCaps(message);
  return status == 0 ? -Errno.IO : status;
}

/** Whether exactly so much arrived. */
export function messageIs(message: IpcMessage, bytes: u32, caps: u32): bool {
  return message.receiveBytes == bytes && message.receiveCaps == caps;
}

/** The answer is `bytes` at `at`, and what messageSendCap adds. */
export function messageAnswer(message: IpcMessage, at: usize, bytes: u32): void {
  messageClear(message);
  messageSendBytes(message, at, bytes);
}

/** The answer is `status` alone; what arrived is let go. */
export function messageRefuse(message: IpcMessage, status: i32): i32 {
  messageDropCaps(message);
  messageClear(message);
  return status;
}
