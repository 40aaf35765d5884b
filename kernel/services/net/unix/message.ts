/**
 * Messages between sockets: a header and the bytes, in one allocation.
 *
 * A stream socket takes a message's bytes piece by piece; the others take it whole.
 *
 * Invariants  G1  taken <= size; a message leaves its queue when everything is taken.
 *             G2  pins counts readers copying bytes out; the last user of an unqueued message frees it.
 *             G3  files holds one reference on each file on its way; a receive takes the list, or messageFree drops it.
 * Locking     unixLock (socket.ts); messageFree may sleep.
 */
import { kfree, kmalloc } from "../../../core/mm/slab";
import { RightsList, rightsFree } from "./rights";

@final @unmanaged
export class Message {
  next: u32;      // Message
  size: u32;      // bytes of data
  taken: u32;     // bytes already read (stream)
  pins: u32;      // G2
  isQueued: u32;
  sender: u32;    // bytes of the sender's name that follow the data (datagram)
  files: u32;     // RightsList (G3), or 0
  pad: u32;
}

export function messageOf(address: u32): Message { return changetype<Message>(address); } // SAFETY: as the queue fields of Socket

/** An empty message with room for `size` bytes and a name, or null. */
export function messageNew(size: u32, nameBytes: u32): Message | null {
  const address = kmalloc(offsetof<Message>() + size + nameBytes);
  if (address == 0) return null;
  const message = messageOf(<u32>address);
  message.next = 0;
  message.size = size;
  message.taken = 0;
  message.pins = 0;
  message.isQueued = 0;
  message.sender = nameBytes;
  message.files = 0;
  return message;
}

/** Address of the data; the sender's name follows it. */
export function messageData(message: Message): usize {
  return changetype<usize>(message) + offsetof<Message>();
}

/** Frees a message nobody uses. */
export function messageFree(message: Message): void {
  if (message.files != 0) rightsFree(changetype<RightsList>(message.files)); // SAFETY: G3
  kfree(changetype<usize>(message));
}
