/**
 * The one virtqueue, in DMA memory: rings, and for each of its slots a request header, a status byte and an indirect table.
 *
 *   page 0   descriptors (16 B each)      page 3   headers (16 B each), at 2048 status bytes
 *   page 1   available ring               page 4…  indirect tables, 1 KiB each
 *   page 2   used ring
 *
 * Invariants  Q1  a slot is either free, or its descriptor is with the device and IDS names the request.
 * Spec        virtio 1.2, 2.7 "Split Virtqueues", 2.7.5.3 "Indirect Descriptors", 5.2.6 "Device Operation".
 */
import { Desc, Result, Type } from "./regs";

export const QUEUE_SIZE: u32 = 128;
export const QUEUE_PAGES: u32 = 4 + QUEUE_SIZE / 4;
/** Segments of a request: the header and the status take two places of a table's 64. */
export const SEGMENTS_MAX: u32 = 62;
const AVAIL: usize = 4096;
const USED: usize = 8192;
const HEADERS: usize = 12288;
const STATUSES: usize = 12288 + 2048;
const TABLES: usize = 16384;
const TABLE_BYTES: usize = 1024;
const DESC_BYTES: usize = 16;
const HEADER_BYTES: u32 = 16;
const PENDING: u8 = 0xff;

/** Request ids by slot, 0: free. The ids of the kernel's ring are never 0: generations begin at 1. */
const IDS = new StaticArray<u64>(QUEUE_SIZE);
let base: usize = 0;
let busBase: u64 = 0;
let availIndex: u16 = 0;
let usedIndex: u16 = 0;

/** The queue lies at linear `at`, which the device reaches at `bus`. */
export function queueInit(at: usize, bus: u64): void {
  base = at;
  busBase = bus;
  availIndex = 0;
  usedIndex = 0;
  for (let i: u32 = 0; i < QUEUE_SIZE; i++) IDS[i] = 0;
}

export function queueDescBus(): u64 { return busBase; }
export function queueAvailBus(): u64 { return busBase + AVAIL; }
export function queueUsedBus(): u64 { return busBase + USED; }

function descPut(at: usize, address: u64, bytes: u32, flags: u32, next: u32): void {
  store<u64>(at, address);
  store<u32>(at + 8, bytes);
  store<u16>(at + 12, <u16>flags);
  store<u16>(at + 14, <u16>next);
}

/** True when `slot` can take a request. */
export function slotIsFree(slot: u32): bool { return slot < QUEUE_SIZE && IDS[slot] == 0; }

/** Begins request `id` in a free slot: its header. Segments follow, then slotSubmit. */
export function slotBegin(slot: u32, id: u64, type: u32, sector: u64): void {
  IDS[slot] = id;
  const header = base + HEADERS + slot * HEADER_BYTES;
  store<u32>(header, type);
  store<u32>(header + 4, 0);
  store<u64>(header + 8, sector);
  store<u8>(base + STATUSES + slot, PENDING);
  descPut(base + TABLES + slot * TABLE_BYTES, busBase + HEADERS + slot * HEADER_BYTES, HEADER_BYTES, Desc.NEXT, 1);
}

/** Segment `index` of the request. */
export function slotSegment(slot: u32, index: u32, address: u64, bytes: u32, isDeviceWrite: bool): void {
  const at = base + TABLES + slot * TABLE_BYTES + (index + 1) * DESC_BYTES;
  descPut(at, address, bytes, Desc.NEXT | (isDeviceWrite ? Desc.WRITE : 0), index + 2);
}

/** Closes the table with the status byte and hands the slot to the device; it looks after queuePublish. */
export function slotSubmit(slot: u32, segments: u32): void {
  const table = base + TABLES + slot * TABLE_BYTES;
  descPut(table + (segments + 1) * DESC_BYTES, busBase + STATUSES + slot, 1, Desc.WRITE, 0);
  descPut(base + slot * DESC_BYTES, busBase + TABLES + slot * TABLE_BYTES, (segments + 2) * <u32>DESC_BYTES, Desc.INDIRECT, 0);
  store<u16>(base + AVAIL + 4 + (<usize>(availIndex % QUEUE_SIZE) << 1), <u16>slot);
  availIndex++;
}

/** Shows the device what was submitted. */
export function queuePublish(): void {
  atomic.store<u16>(base + AVAIL + 2, availIndex); // sequentially consistent: tables and ring are seen before the index; 2.7.13.3
}

/** The slot the device finished next, or -1. -2: the device says nonsense. */
export function queueTake(): i32 {
  if (atomic.load<u16>(base + USED + 2) == usedIndex) return -1;
  const slot = atomic.load<u32>(base + USED + 4 + (<usize>(usedIndex % QUEUE_SIZE) << 3));
  if (slot >= QUEUE_SIZE || IDS[slot] == 0) return -2;
  usedIndex++;
  return <i32>slot;
}

/** Frees a finished slot: its request's id. */
export function slotFinish(slot: u32): u64 {
  const id = IDS[slot];
  IDS[slot] = 0;
  return id;
}

/** 0 or a negated errno, from the status byte. Read before slotFinish. */
export function slotStatus(slot: u32): i32 {
  switch (atomic.load<u8>(base + STATUSES + slot)) {
    case Result.OK: return 0;
    case Result.UNSUPPORTED: return -95; // EOPNOTSUPP
    default: return -5; // EIO
  }
}

/** The device's word for an operation of the ring (kernel/abi/block-ring.ts), or -1. */
export function typeOf(op: u32): i32 {
  return op == 0 ? Type.IN : op == 1 ? Type.OUT : op == 2 ? Type.FLUSH : -1;
}
