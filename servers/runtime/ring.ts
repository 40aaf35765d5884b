/**
 * Rings in shared memory: one side puts entries of a fixed size, the other takes them, and a doorbell wakes whoever sleeps.
 *
 *   0             64        128       192        256
 *   | RingHead    | head    | tail    | sleeps   | entries ...      a cache line each, so that the two sides do not share one
 *
 * The memory is a MEMORY object that both sides have mapped, so the other side may write anything into it at any time. Each side keeps
 * geometry and its own index in memory of its own, copies an entry once, and believes no index that cannot be true.
 *
 * The kernel's rings to drivers are rings like these with another layout (block-ring.ts): a Ring says where its counters and entries lie.
 *
 * Invariants  G1  head counts the entries put and tail those taken, modulo 2^32; the putter alone writes head, the taker alone tail.
 *             G2  0 <= head - tail <= entries; a side that sees otherwise is BROKEN from then on and touches nothing more.
 *             G3  nothing is read from shared memory twice, unless the other side is the kernel (ringNext).
 *             G4  the taker sets `sleeps` before it looks for the last time; the putter looks at it after it put: one of them sees the other.
 */

/** What put and take end with. */
export const enum RingResult { OK = 0, NOTHING = 1, BROKEN = 2 } // NOTHING: full for put, empty for take

export const RING_MAGIC: u32 = 0x676e6972; // "ring"
const HEAD: usize = 64;
const TAIL: usize = 128;
const SLEEPS: usize = 192;
const ENTRIES: usize = 256;
const ENTRY_MAX: u32 = 65536;

/** The first words of the memory, written by the side that makes the ring. */
@unmanaged
class RingHead {
  magic: u32;
  entryBytes: u32; // a multiple of 8
  entries: u32;    // a power of two
}

/** One side's view of a ring. */
export class Ring {
  isBroken: bool = false; // G2
  own: u32 = 0;           // what this side put or took

  /** Where the counters and the first entry lie. */
  constructor(readonly head: usize, readonly tail: usize, readonly first: usize, readonly entryBytes: u32, readonly entries: u32) {}
}

/** The ring whose memory begins at `at`. */
function ringAt(at: usize, entryBytes: u32, entries: u32): Ring { return new Ring(at + HEAD, at + TAIL, at + ENTRIES, entryBytes, entries); }

/** Of a ring that has one: rings to the kernel are rung for by calls. */
function sleepsOf(ring: Ring): usize { return ring.head + (SLEEPS - HEAD); }

function entryAt(ring: Ring, index: u32): usize {
  return ring.first + <usize>(index & (ring.entries - 1)) * ring.entryBytes;
}

function ringBreak(ring: Ring): RingResult {
  ring.isBroken = true;
  return RingResult.BROKEN;
}

/** Putter: copies the entry at `from` in. Call ringBell after the last of a batch. */
export function ringPut(ring: Ring, from: usize): RingResult {
  if (ring.isBroken) return RingResult.BROKEN;
  const used = ring.own - atomic.load<u32>(ring.tail);
  if (used > ring.entries) return ringBreak(ring);
  if (used == ring.entries) return RingResult.NOTHING;
  memory.copy(entryAt(ring, ring.own), from, ring.entryBytes);
  ring.own++;
  atomic.store<u32>(ring.head, ring.own); // G1: seen after the entry
  return RingResult.OK;
}

/** Putter: whether the taker asked to be woken: then signal its notification. */
export function ringBell(ring: Ring): bool {
  return !ring.isBroken && atomic.load<u32>(sleepsOf(ring)) != 0 && atomic.xchg<u32>(sleepsOf(ring), 0) != 0;
}

/** Taker: whether there is an entry to take. */
function ringLook(ring: Ring): RingResult {
  if (ring.isBroken) return RingResult.BROKEN;
  const left = atomic.load<u32>(ring.head) - ring.own;
  if (left > ring.entries) return ringBreak(ring);
  return left == 0 ? RingResult.NOTHING : RingResult.OK;
}

/** Taker: copies the next entry to `to`, memory of this side's own (G3). */
export function ringTake(ring: Ring, to: usize): RingResult {
  const found = ringLook(ring);
  if (found != RingResult.OK) return found;
  memory.copy(to, entryAt(ring, ring.own), ring.entryBytes);
  ring.own++;
  atomic.store<u32>(ring.tail, ring.own); // G1: the room is free after the copy
  return RingResult.OK;
}

/** Taker, of a ring that the kernel fills: the next entry where it stands, taken; 0 when there is none. The kernel leaves it alone until it is answered. */
export function ringNext(ring: Ring): usize {
  if (ringLook(ring) != RingResult.OK) return 0;
  const at = entryAt(ring, ring.own);
  ring.own++;
  atomic.store<u32>(ring.tail, ring.own);
  return at;
}

/** Taker: true when it may sleep until the doorbell rings; false when there is something to take, or the ring is broken (G4). */
export function ringSleepBegin(ring: Ring): bool {
  if (ring.isBroken) return false;
  atomic.store<u32>(sleepsOf(ring), 1);
  if (atomic.load<u32>(ring.head) == ring.own) return true;
  atomic.store<u32>(sleepsOf(ring), 0);
  return false;
}

/** Bytes of memory for a ring of `entries` of `entryBytes`. */
export function ringBytes(entryBytes: u32, entries: u32): u32 { return <u32>ENTRIES + entryBytes * entries; }

function isSound(entryBytes: u32, entries: u32, bytes: u32): bool {
  if (entryBytes == 0 || entryBytes > ENTRY_MAX || entryBytes & 7 || entries == 0 || entries & (entries - 1)) return false;
  return entries <= (bytes - <u32>ENTRIES) / entryBytes;
}

/** Makes an empty ring in the `bytes` at `at`; null when they are too few or the geometry is not sound. */
export function ringMake(at: usize, bytes: u32, entryBytes: u32, entries: u32): Ring | null {
  if (bytes < <u32>ENTRIES || !isSound(entryBytes, entries, bytes)) return null;
  const head = changetype<RingHead>(at);
  head.entryBytes = entryBytes;
  head.entries = entries;
  atomic.store<u32>(at + HEAD, 0);
  atomic.store<u32>(at + TAIL, 0);
  atomic.store<u32>(at + SLEEPS, 0);
  atomic.store<u32>(at, RING_MAGIC);
  return ringAt(at, entryBytes, entries);
}

/** The other side's view of a new ring in the `bytes` at `at`; null when there is none, or not of entries of `entryBytes`. */
export function ringOpen(at: usize, bytes: u32, entryBytes: u32): Ring | null {
  if (bytes < <u32>ENTRIES || atomic.load<u32>(at) != RING_MAGIC) return null;
  const entries = atomic.load<u32>(at + offsetof<RingHead>("entries")); // once: G3
  if (atomic.load<u32>(at + offsetof<RingHead>("entryBytes")) != entryBytes || !isSound(entryBytes, entries, bytes)) return null;
  return ringAt(at, entryBytes, entries);
}
