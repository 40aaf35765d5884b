/**
 * The pages of a ring to a driver: a header, the requests, the completions (kernel/abi/block-ring.ts).
 *
 * Units  offsets in bytes from the ring's start; pa: physical address.
 */
import { physStore32 } from "../../../arch/current";
import { BLOCK_ENTRIES, BLOCK_MAGIC, BlockCompletion, BlockRing } from "../../abi/block-ring";
import { MemoryObject, memoryObjectCreate, memoryObjectPa } from "../../core/cap/memory-object";

const PAGE: u32 = 4096;
export const REQUEST_BYTES: u32 = 1024;
/** Of a request's segments, in it. */
export const SEGMENTS_AT: u32 = 32;
export const REQUESTS_AT: u32 = PAGE;
export const COMPLETIONS_AT: u32 = PAGE + BLOCK_ENTRIES * REQUEST_BYTES;
export const COMPLETION_BYTES: u32 = <u32>offsetof<BlockCompletion>();
const RING_PAGES: u32 = COMPLETIONS_AT / PAGE + 1;

/** Where byte `offset` lies; nothing of an entry crosses a page. */
export function ringPa(ring: MemoryObject, offset: u32): u64 { return memoryObjectPa(ring, offset / PAGE) + offset % PAGE; }

/** Where the field of the header lies, by its offset in BlockRing. */
export function headerPa(ring: MemoryObject, field: usize): u64 { return ringPa(ring, <u32>field); }

/** An empty ring, or null when memory is full. */
export function ringCreate(): MemoryObject | null {
  const ring = memoryObjectCreate(RING_PAGES, false, 0);
  if (!ring) return null;
  physStore32(headerPa(ring, offsetof<BlockRing>("magic")), BLOCK_MAGIC);
  physStore32(headerPa(ring, offsetof<BlockRing>("entries")), BLOCK_ENTRIES);
  return ring;
}
