/**
 * Long messages for servers: bytes, capabilities and a deadline beside label and words (kernel/abi/native.ts, ipc_call_extra).
 *
 * A message object is used again and again: what it sends is set before each call, what it received stands in it afterwards.
 */
import { IpcMessage } from "../../kernel/abi/capability";
import { linearVa, serverCall } from "./intrinsics";
import { capDrop, memoryMap } from "./native-calls";

const IPC_CALL_EXTRA: u32 = 0x1013;
const IPC_REPLY_WAIT_EXTRA: u32 = 0x1014;
const PROT_RW: u32 = 3;

/** Most bytes one message carries. */
export const MESSAGE_BYTES: u32 = 65536;
/** Most capabilities one message carries. */
export const MESSAGE_CAPS: u32 = 4;

/** A message and the memory it arrives in. */
export class Message {
  /** The kernel's structure: label, words, badge, handles. */
  readonly raw: IpcMessage;
  /** What arrived: receivedBytes() of it. */
  readonly room: usize;

  /** Room for `bytes` of what arrives; never given back. */
  constructor(bytes: u32) {
    this.raw = changetype<IpcMessage>(heap.alloc(offsetof<IpcMessage>()));
    memory.fill(changetype<usize>(this.raw), 0, offsetof<IpcMessage>());
    this.room = bytes != 0 ? heap.alloc(bytes) : 0;
    this.raw.receiveVa = bytes != 0 ? linearVa(this.room) : 0;
    this.raw.receiveMax = bytes;
  }

  receivedBytes(): u32 { return this.raw.receiveBytes; }
  receivedCaps(): u32 { return this.raw.receiveCaps; }

  /** Handle of capability `index` that arrived or is to be sent. */
  cap(index: u32): u32 { return load<u32>(this.capAt(index)); }
  private capAt(index: u32): usize { return changetype<usize>(this.raw) + offsetof<IpcMessage>("cap0") + (<usize>index << 2); }

  /** Nothing but words goes with the next call or reply, until sendBytes and sendCap. */
  clear(): void {
    this.raw.sendVa = 0;
    this.raw.sendBytes = 0;
    this.raw.sendCaps = 0;
  }

  /** The next call or reply carries these bytes. */
  sendBytes(at: usize, bytes: u32): void {
    this.raw.sendVa = linearVa(at);
    this.raw.sendBytes = bytes;
  }

  /** It carries one more capability, which needs the right GRANT. False: four go already. */
  sendCap(handle: u32): bool {
    if (this.raw.sendCaps == MESSAGE_CAPS) return false;
    store<u32>(this.capAt(this.raw.sendCaps++), handle);
    return true;
  }

  /** Lets go of every capability that arrived and was not wanted. */
  dropReceived(): void {
    for (let i: u32 = 0; i < this.raw.receiveCaps; i++) capDrop(this.cap(i));
    this.raw.receiveCaps = 0;
  }

  /** Maps memory that arrived as capability `index` at linear address `at`: granted, not copied. Negative on failure. */
  mapReceived(index: u32, at: usize, bytes: u64): i64 {
    return index < this.raw.receiveCaps ? memoryMap(this.cap(index), at, 0, bytes, PROT_RW) : -9; // EBADF
  }

  /** ipc_call_extra, until `deadlineNs` (0: none). */
  call(endpoint: u32, label: i32, deadlineNs: u64): i64 {
    this.raw.label = label;
    this.raw.deadlineNs = deadlineNs;
    return serverCall(IPC_CALL_EXTRA, endpoint, this.va(), 0, 0, 0, 0);
  }

  /** ipc_reply_wait_extra, until `deadlineNs` (0: none). */
  replyWait(endpoint: u32, label: i32, deadlineNs: u64): i64 {
    this.raw.label = label;
    this.raw.deadlineNs = deadlineNs;
    return serverCall(IPC_REPLY_WAIT_EXTRA, endpoint, this.va(), 0, 0, 0, 0);
  }

  private va(): u64 { return linearVa(changetype<usize>(this.raw)); }
}
