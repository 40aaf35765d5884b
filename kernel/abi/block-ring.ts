/**
 * The request ring between the kernel's block layer and one queue of a driver server.
 *
 *   page 0                        page 1 ...                       then
 *   | BlockRing header | ...      | BlockRequest[entries] 1 KiB each | BlockCompletion[entries] 16 B each |
 *
 * The kernel makes the memory at ATTACH and keeps every request in memory of its own: what stands in the ring is a copy, so that a
 * driver can spoil nothing but its own answers. Each side owns the counters it writes; they count up without wrapping to the ring's
 * size (index = counter & (entries - 1)). Loads and stores of counters are atomic.
 * After a restart the successor gets a fresh ring with another generation, and every request not completed is in it again, in the
 * order of first submission, with REPLAY set.
 *
 * A disk has one ring for each queue; tags are a queue's own. DISCARD and WRITE_ZEROES have sectors and no segments.
 *
 * Doorbells: the kernel signals BLOCK_DOORBELL on the driver's notification when it puts requests; the driver calls
 * `complete` on its port (protocol/block-driver.ts) when it put completions.
 * Units: sector = 512 bytes.
 */
export const BLOCK_MAGIC: u32 = 0x6b636c62;
export const BLOCK_ENTRIES: u32 = 128;
export const BLOCK_SEGMENTS: u32 = 62;
export const BLOCK_DOORBELL: u64 = 1 << 0; // bit of the notification given at ATTACH, shifted left by the queue's number
/** Most queues of a disk; their doorbells are the lowest bits of the notification. */
export const BLOCK_QUEUES: u32 = 8;
/** Where requests lie in a ring, and how far apart; a request's segments, in it; completions; the ring's whole pages. */
export const BLOCK_REQUESTS_AT: u32 = 4096;
export const BLOCK_REQUEST_BYTES: u32 = 1024;
export const BLOCK_SEGMENTS_AT: u32 = 32;
export const BLOCK_COMPLETIONS_AT: u32 = BLOCK_REQUESTS_AT + BLOCK_ENTRIES * BLOCK_REQUEST_BYTES;
export const BLOCK_RING_BYTES: u32 = BLOCK_COMPLETIONS_AT + 4096;
/** A driver takes requests of so many sectors and segments at least. */
export const BLOCK_SECTORS: u32 = 256;

export const enum BlockOp { READ = 0, WRITE = 1, FLUSH = 2, DISCARD = 3, WRITE_ZEROES = 4 }
export const enum BlockFlag { FUA = 1, REPLAY = 2 }

@final @unmanaged
export class BlockGeometry {
  sectors: u64;
  sectorBytes: u32;  // logical: 512 or 4096
  queues: u32;       // the driver can serve at once
  maxSectors: u32;   // of one request
  maxSegments: u32;
  flags: u32;        // BlockFeature
  maxDiscard: u32;   // sectors of one DISCARD, of one WRITE_ZEROES; 0: any
  maxZeroes: u32;
  pad: u32;
}
export const enum BlockFeature { READ_ONLY = 1, FLUSH = 2, FUA = 4, DISCARD = 8, WRITE_ZEROES = 16 }

/** One piece of `commit` (protocol/file-system-port.ts). */
@final @unmanaged
export class BlockWrite {
  offset: u64; // bytes from the start of the device
  va: u64;
  bytes: u32;
  stage: u32;  // BlockStage.NUMBER: reaches the medium after all pieces of lower ones; pieces come in order of it. And flags
}
/** LEADS: pieces of later COMMITs may have to follow this one. WAITS: this one follows all earlier COMMITs' that lead. */
export const enum BlockStage { NUMBER = 0xff, LEADS = 0x100, WAITS = 0x200 }

@final @unmanaged
export class BlockRing {
  magic: u32;
  entries: u32;
  generation: u32;
  pad: u32;
  submitHead: u32;   // written by the kernel
  submitTail: u32;   // written by the driver: taken so far
  completeHead: u32; // written by the driver
  completeTail: u32; // written by the kernel: taken so far
}

@final @unmanaged
export class BlockRequest {
  id: u64;           // generation << 32 | tag
  op: u32;
  flags: u32;
  sector: u64;
  sectors: u32;
  segments: u32;     // BlockSegment[segments] follow at BLOCK_SEGMENTS_AT
}

@final @unmanaged
export class BlockSegment {
  address: u64;      // bus address
  bytes: u32;
  pad: u32;
}

@final @unmanaged
export class BlockCompletion {
  id: u64;
  status: i32;       // 0 or a negated errno
  pad: u32;
}
