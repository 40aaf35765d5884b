/**
 * A block driver's end of the ring to the kernel (kernel/abi/block-ring.ts): requests come, answers go.
 *
 * Invariants  R1  submitTail counts the requests taken, completeHead the answers put; this side alone writes both.
 */
import { BlockCompletion, BlockRequest, BlockRing, BlockSegment, BLOCK_ENTRIES, BLOCK_MAGIC } from "../../kernel/abi/block-ring";
import { memoryMap } from "./native-calls";

const RING: usize = 0xa0000000;
const REQUESTS: usize = RING + 4096;
const REQUEST_BYTES: usize = 1024;
const SEGMENTS_AT: usize = 32;
const COMPLETIONS: usize = REQUESTS + BLOCK_ENTRIES * REQUEST_BYTES;
const RING_BYTES: u64 = 4096 + BLOCK_ENTRIES * 1024 + 4096;
const PROT_RW: u32 = 3;

function ring(): BlockRing { return changetype<BlockRing>(RING); }

/** Takes the memory that ATTACH gave: false when it is no ring. */
export function blockRingMap(memory: u32): bool {
  return memoryMap(memory, RING, 0, RING_BYTES, PROT_RW) >= 0 && ring().magic == BLOCK_MAGIC;
}

/** The next request, or null when there is none. It stays readable until its answer is put. */
export function blockRingNext(): BlockRequest | null {
  const tail = ring().submitTail;
  if (atomic.load<u32>(RING + offsetof<BlockRing>("submitHead")) == tail) return null;
  atomic.store<u32>(RING + offsetof<BlockRing>("submitTail"), tail + 1); // R1
  return changetype<BlockRequest>(REQUESTS + <usize>(tail % BLOCK_ENTRIES) * REQUEST_BYTES);
}

/** Segment `index` (< segments) of a request. */
export function blockSegment(request: BlockRequest, index: u32): BlockSegment {
  return changetype<BlockSegment>(changetype<usize>(request) + SEGMENTS_AT + <usize>index * offsetof<BlockSegment>());
}

/** Puts the answer to request `id`; COMPLETE tells the kernel of all that were put. */
export function blockRingAnswer(id: u64, status: i32): void {
  const head = ring().completeHead;
  const answer = changetype<BlockCompletion>(COMPLETIONS + <usize>(head % BLOCK_ENTRIES) * offsetof<BlockCompletion>());
  answer.id = id;
  answer.status = status;
  atomic.store<u32>(RING + offsetof<BlockRing>("completeHead"), head + 1); // R1: seen after the answer
}
