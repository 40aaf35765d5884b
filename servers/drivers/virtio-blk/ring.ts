/**
 * A virtqueue, in DMA memory: rings, and for each of its slots a request header, a status byte and an indirect table.
 *
 *   page 0   descriptors (16 B each)      page 3   headers (16 B each), at 2048 status bytes
 *   page 1   available ring               page 4…  indirect tables, 1 KiB each
 *   page 2   used ring
 *
 * A request without data has the range it speaks of (DISCARD, WRITE_ZEROES) in the last place of its table.
 *
 * Invariants  Q1  a slot is either free, or its descriptor is with the device and `ids` names the request.
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
const RANGE_BYTES: u32 = 16;
const RANGE_AT: usize = TABLE_BYTES - RANGE_BYTES;
const PENDING: u8 = 0xff;
/** What Virtqueue.take answers besides slots. */
export const NOTHING: i32 = -1;
export const NONSENSE: i32 = -2;
const EIO: i32 = 5;
const EOPNOTSUPP: i32 = 95;

function descPut(at: usize, address: u64, bytes: u32, flags: u32, next: u32): void {
  store<u64>(at, address);
  store<u32>(at + 8, bytes);
  store<u16>(at + 12, <u16>flags);
  store<u16>(at + 14, <u16>next);
}

export class Virtqueue {
  /** Request ids by slot, 0: free. The ids of the kernel's ring are never 0: generations begin at 1. */
  private ids: StaticArray<u64> = new StaticArray<u64>(QUEUE_SIZE);
  private availIndex: u16 = 0;
  private usedIndex: u16 = 0;

  /** The queue lies at linear `base`, which the device reaches at `bus`. */
  constructor(private base: usize, private bus: u64) {}

  get descBus(): u64 { return this.bus; }
  get availBus(): u64 { return this.bus + AVAIL; }
  get usedBus(): u64 { return this.bus + USED; }

  /** True when `slot` can take a request. */
  isFree(slot: u32): bool { return slot < QUEUE_SIZE && this.ids[slot] == 0; }

  /** Begins request `id` in a free slot: its header. Segments or a range follow, then submit. */
  begin(slot: u32, id: u64, type: u32, sector: u64): void {
    this.ids[slot] = id;
    const header = this.base + HEADERS + slot * HEADER_BYTES;
    store<u32>(header, type);
    store<u32>(header + 4, 0);
    store<u64>(header + 8, sector);
    store<u8>(this.base + STATUSES + slot, PENDING);
    descPut(this.table(slot), this.bus + HEADERS + slot * HEADER_BYTES, HEADER_BYTES, Desc.NEXT, 1);
  }

  /** Segment `index` of the request. */
  segment(slot: u32, index: u32, address: u64, bytes: u32, isDeviceWrite: bool): void {
    descPut(this.table(slot) + (index + 1) * DESC_BYTES, address, bytes, Desc.NEXT | (isDeviceWrite ? Desc.WRITE : 0), index + 2);
  }

  /** Segment 0 is the range of sectors a request without data speaks of; 5.2.6, struct virtio_blk_discard_write_zeroes. */
  range(slot: u32, sector: u64, sectors: u32): void {
    const at = this.table(slot) + RANGE_AT;
    store<u64>(at, sector);
    store<u32>(at + 8, sectors);
    store<u32>(at + 12, 0); // unmap: no, what was asked for are zeros
    this.segment(slot, 0, this.bus + TABLES + slot * TABLE_BYTES + RANGE_AT, RANGE_BYTES, false);
  }

  /** Closes the table with the status byte and hands the slot to the device; it looks after publish. */
  submit(slot: u32, segments: u32): void {
    descPut(this.table(slot) + (segments + 1) * DESC_BYTES, this.bus + STATUSES + slot, 1, Desc.WRITE, 0);
    descPut(this.base + slot * DESC_BYTES, this.bus + TABLES + slot * TABLE_BYTES, (segments + 2) * <u32>DESC_BYTES, Desc.INDIRECT, 0);
    store<u16>(this.base + AVAIL + 4 + (<usize>(this.availIndex % QUEUE_SIZE) << 1), <u16>slot);
    this.availIndex++;
  }

  /** Shows the device what was submitted. */
  publish(): void {
    atomic.store<u16>(this.base + AVAIL + 2, this.availIndex); // sequentially consistent: tables and ring are seen before the index; 2.7.13.3
  }

  /** The slot the device finished next, NOTHING, or NONSENSE when it says what cannot be. */
  take(): i32 {
    if (atomic.load<u16>(this.base + USED + 2) == this.usedIndex) return NOTHING;
    const slot = atomic.load<u32>(this.base + USED + 4 + (<usize>(this.usedIndex % QUEUE_SIZE) << 3));
    if (slot >= QUEUE_SIZE || this.ids[slot] == 0) return NONSENSE;
    this.usedIndex++;
    return <i32>slot;
  }

  /** Frees a finished slot: its request's id. */
  finish(slot: u32): u64 {
    const id = this.ids[slot];
    this.ids[slot] = 0;
    return id;
  }

  /** 0 or a negated errno, from the status byte. Read before finish. */
  status(slot: u32): i32 {
    switch (atomic.load<u8>(this.base + STATUSES + slot)) {
      case Result.OK: return 0;
      case Result.UNSUPPORTED: return -EOPNOTSUPP;
      default: return -EIO;
    }
  }

  private table(slot: u32): usize { return this.base + TABLES + slot * TABLE_BYTES; }
}

/** The device's word for an operation of the ring (kernel/abi/block-ring.ts), or -1. */
export function typeOf(op: u32): i32 {
  switch (op) {
    case 0: return Type.IN;
    case 1: return Type.OUT;
    case 2: return Type.FLUSH;
    case 3: return Type.DISCARD;
    case 4: return Type.WRITE_ZEROES;
    default: return -1;
  }
}
