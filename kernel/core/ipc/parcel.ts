/**
 * Parcels: what travels beside the words of a message, up to 64 KiB by copy and up to four capabilities.
 *
 * A parcel is made in the sender's context and opened in the receiver's, so each side's bad pointers are its own affair. Capabilities are
 * in transit meanwhile (cap/transit.ts). A parcel has one owner at a time: the sender, then the call, then who took the message.
 *
 * Locking  none: the owner's. The counters are atomic.
 */
import { userCopyIn, userCopyOut } from "../../../arch/current";
import { CapKind, IpcMessage, SEND_HOW_BITS, SendHow } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { wordAt64 } from "../../lib/bytes";
import { wordAt } from "../../lib/words";
import { memoryObjectAt } from "../cap/memory-object";
import { objectAt, objectPut } from "../cap/object";
import { CapSlot, slotAddress, slotAt } from "../cap/slot";
import { capDrop, capLookup, CapSpace } from "../cap/space";
import { capDepart, capReturn, capsArrive } from "../cap/transit";
import { userRangeOk } from "../mm/layout";
import { kfree, kmalloc, kzalloc } from "../mm/slab";

export const PARCEL_BYTES_MAX: u32 = 65536;
export const PARCEL_CAPS_MAX: u32 = 4;
const SEND_HOW_MASK: u32 = (1 << SEND_HOW_BITS) - 1;

@final @unmanaged
export class Parcel {
  data: u32;  // the bytes, 0: none
  bytes: u32;
  caps: u32;  // how many of the slots below are used
  pad: u32;   // then PARCEL_CAPS_MAX CapSlots
}

/** What messages moved since boot, besides words. */
@final @unmanaged
export class IpcCounters {
  bytesCopied: u64;
  capsSent: u64;
  pagesGranted: u64; // of the MEMORY objects among them: no byte of these was copied
}
export const IPC_COUNTERS = changetype<IpcCounters>(memory.data(offsetof<IpcCounters>(), 8)); // SAFETY: static storage of that size

export function parcelAt(address: u32): Parcel { return changetype<Parcel>(<usize>address); } // SAFETY: the caller names one
function slotOf(address: u32, index: u32): CapSlot {
  return slotAt(address + <u32>offsetof<Parcel>() + index * <u32>offsetof<CapSlot>());
}

function countAdd(field: usize, amount: u64): void {
  atomic.add<u64>(changetype<usize>(IPC_COUNTERS) + field, amount);
}

/** Whether somebody with that much room can take the parcel at `address` (0: words only). */
export function parcelFits(address: u32, roomBytes: u32, roomCaps: u32): bool {
  return address == 0 || (parcelAt(address).bytes <= roomBytes && parcelAt(address).caps <= roomCaps);
}

/**
 * Packs what the running program's `message` sends: its bytes, and capabilities of `space` (null: it has none). The parcel, 0 when there is
 * nothing to pack, or -EMSGSIZE, -EFAULT, -ENOMEM, and of capabilities -EINVAL, -EBADF, -ESTALE, -EACCES, -EBUSY: then nothing was taken.
 */
export function parcelPack(message: IpcMessage, space: CapSpace | null): i32 {
  const bytes = message.sendBytes;
  const caps = message.sendCaps;
  if (bytes > PARCEL_BYTES_MAX || caps > PARCEL_CAPS_MAX) return -Errno.MSGSIZE;
  if (message.sendHow >> caps * SEND_HOW_BITS != 0) return -Errno.INVAL;
  if (bytes == 0 && caps == 0) return 0;
  if (!userRangeOk(message.sendVa, bytes)) return -Errno.FAULT;
  const address = <u32>kzalloc(offsetof<Parcel>() + PARCEL_CAPS_MAX * offsetof<CapSlot>());
  if (address == 0) return -Errno.NOMEM;
  let failed = bytesPack(parcelAt(address), message.sendVa, bytes);
  if (failed == 0 && caps != 0) failed = space ? capsPack(address, space, message) : -Errno.BADF;
  if (failed == 0) return <i32>address;
  parcelFree(address);
  return failed;
}

function bytesPack(parcel: Parcel, va: u64, bytes: u32): i32 {
  if (bytes == 0) return 0;
  parcel.data = <u32>kmalloc(bytes);
  if (parcel.data == 0) return -Errno.NOMEM;
  parcel.bytes = bytes;
  return userCopyIn(parcel.data, va, bytes) == 0 ? 0 : -Errno.FAULT;
}

function capsPack(address: u32, space: CapSpace, message: IpcMessage): i32 {
  const parcel = parcelAt(address);
  const at = changetype<usize>(message);
  while (parcel.caps < message.sendCaps) {
    const i = parcel.caps;
    const how = message.sendHow >> i * SEND_HOW_BITS & SEND_HOW_MASK;
    if (how > <u32>SendHow.MINT) return -Errno.INVAL;
    const transit = slotOf(address, i);
    transit.rights = wordAt(at + offsetof<IpcMessage>("rights0"), i);
    transit.badge = wordAt64(at + offsetof<IpcMessage>("badge0") + (<usize>i << 3));
    const failed = capDepart(space, wordAt(at + offsetof<IpcMessage>("cap0"), i), transit, how);
    if (failed != 0) return failed;
    parcel.caps++;
  }
  return 0;
}

/** Throws a parcel away; what was to move is the sender's again. */
export function parcelFree(address: u32): void {
  const parcel = parcelAt(address);
  for (let i: u32 = 0; i < parcel.caps; i++) capReturn(slotOf(address, i));
  if (parcel.data != 0) kfree(parcel.data);
  kfree(address);
}

/**
 * Opens a parcel for the running program: bytes to `va`, capabilities into `space` (null: memory is full) with their handles to `handles`.
 * 0, or -EFAULT, -ENOMEM, -ESTALE for a capability revoked on the way: then nothing arrived. The parcel is gone either way.
 */
export function parcelOpen(address: u32, va: u64, space: CapSpace | null, handles: usize): i32 {
  const parcel = parcelAt(address);
  let failed: i32 = parcel.bytes != 0 && userCopyOut(va, parcel.data, parcel.bytes) != 0 ? -Errno.FAULT : 0;
  if (failed == 0 && parcel.caps != 0) failed = space ? capsOpen(address, space, handles) : -Errno.NOMEM;
  if (failed == 0) countAdd(offsetof<IpcCounters>("bytesCopied"), parcel.bytes);
  parcelFree(address);
  return failed;
}

function capsOpen(address: u32, space: CapSpace, handles: usize): i32 {
  const caps = parcelAt(address).caps;
  const failed = capsArrive(slotAddress(slotOf(address, 0)), caps, space, handles);
  if (failed != 0) return failed;
  for (let i: u32 = 0; i < caps; i++) countAdd(offsetof<IpcCounters>("pagesGranted"), pagesOf(space, <i32>wordAt(handles, i)));
  countAdd(offsetof<IpcCounters>("capsSent"), caps);
  return 0;
}

/** Pages of RAM behind a capability that arrived; 0 for all but memory. */
function pagesOf(space: CapSpace, handle: i32): u32 {
  const memory = capLookup(space, handle, CapKind.MEMORY, 0);
  if (<i32>memory < 0) return 0;
  const pages = memoryObjectAt(memory).pages;
  objectPut(objectAt(memory));
  return pages;
}

/** Takes the first `count` capabilities that arrived away again. */
export function capsDrop(space: CapSpace, handles: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) capDrop(space, wordAt(handles, i)); // -ESTALE: revoked meanwhile, as good
}
