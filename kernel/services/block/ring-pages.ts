/**
 * The pages of a ring to a driver: a header, the requests, the completions (kernel/abi/block-ring.ts).
 *
 * Units  offsets in bytes from the ring's start; pa: physical address.
 */
import { physStore32 } from "../../../arch/current";
import { BLOCK_ENTRIES, BLOCK_MAGIC, BLOCK_RING_BYTES, BlockCompletion, BlockRing } from "../../abi/block-ring";
import { MemoryObject, memoryObjectCreate, memoryObjectPa } from "../../core/cap/memory-object";

const PAGE: u32 = 4096;
export const COMPLETION_BYTES: u32 = <u32>offsetof<BlockCompletion>();

/** Where byte `offset` lies; nothing of an entry crosses a page. */
export function ringPa(ring: MemoryObject, offset: u32): u64 { return memoryObjectPa(ring, offset / PAGE) + offset % PAGE; }

/** Where the field of the header lies, by its offset in BlockRing. */
export function headerPa(ring: MemoryObject, field: usize): u64 { return ringPa(ring, <u32>field); }

/** An empty ring, or null when memory is full. */
export function ringCreate(): MemoryObject | null {
  const ring = memoryObjectCreate(BLOCK_RING_BYTES / PAGE, false, 0);
  if (!ring) return null;
  physStore32(headerPa(ring, offsetof<BlockRing>("magic")), BLOCK_MAGIC);
  physStore32(headerPa(ring, offsetof<BlockRing>("entries")), BLOCK_ENTRIES);
  return ring;
}
