/**
 * A block driver's end of the rings to the kernel (kernel/abi/block-ring.ts): requests come, answers go.
 *
 * They are rings as in ring.ts, with all four counters side by side: submitTail counts the requests taken, completeHead the answers put, and
 * this side alone writes both.
 */
import {
  BlockCompletion, BlockRequest, BlockRing, BlockSegment, BLOCK_COMPLETIONS_AT, BLOCK_ENTRIES, BLOCK_MAGIC, BLOCK_QUEUES, BLOCK_REQUEST_BYTES,
  BLOCK_REQUESTS_AT, BLOCK_RING_BYTES, BLOCK_SEGMENTS_AT,
} from "../../kernel/abi/block-ring";
import { memoryMap } from "./native-calls";
import { blockDriverRing } from "./protocol/block-driver-client.gen";
import { Ring, ringNext, ringPut, RingResult } from "./ring";

/** Rings lie side by side, by queue. */
const RINGS: usize = 0xa0000000;
const RING_STRIDE: usize = 0x100000;
const PROT_RW: u32 = 3;
const REQUESTS = new StaticArray<Ring | null>(BLOCK_QUEUES);
const ANSWERS = new StaticArray<Ring | null>(BLOCK_QUEUES);
const COMPLETION_BYTES: u32 = <u32>offsetof<BlockCompletion>();
const ANSWER = changetype<BlockCompletion>(memory.data(offsetof<BlockCompletion>(), 8));

/** Takes the ring of `queue` from the port the driver attached by: false when there is none. */
export function blockRingMap(port: u32, queue: u32): bool {
  const memory = blockDriverRing(port, queue);
  const at = RINGS + queue * RING_STRIDE;
  if (memory < 0 || memoryMap(<u32>memory, at, 0, BLOCK_RING_BYTES, PROT_RW) < 0) return false;
  const header = changetype<BlockRing>(at);
  if (header.magic != BLOCK_MAGIC || header.entries != BLOCK_ENTRIES) return false;
  REQUESTS[queue] = new Ring(
    at + offsetof<BlockRing>("submitHead"), at + offsetof<BlockRing>("submitTail"), at + BLOCK_REQUESTS_AT, BLOCK_REQUEST_BYTES, BLOCK_ENTRIES);
  ANSWERS[queue] = new Ring(
    at + offsetof<BlockRing>("completeHead"), at + offsetof<BlockRing>("completeTail"), at + BLOCK_COMPLETIONS_AT, COMPLETION_BYTES, BLOCK_ENTRIES);
  return true;
}

/** The next request, or null when there is none. It stays readable until its answer is put. */
export function blockRingNext(queue: u32): BlockRequest | null {
  const at = ringNext(REQUESTS[queue]!);
  assert(!REQUESTS[queue]!.isBroken); // somebody spoilt it: the next driver gets a new one
  return at == 0 ? null : changetype<BlockRequest>(at);
}

/** Segment `index` (< segments) of a request. */
export function blockSegment(request: BlockRequest, index: u32): BlockSegment {
  return changetype<BlockSegment>(changetype<usize>(request) + BLOCK_SEGMENTS_AT + <usize>index * offsetof<BlockSegment>());
}

/** Puts the answer to request `id` of `queue`; COMPLETE tells the kernel of all that were put. */
export function blockRingAnswer(queue: u32, id: u64, status: i32): void {
  ANSWER.id = id;
  ANSWER.status = status;
  const put = ringPut(ANSWERS[queue]!, changetype<usize>(ANSWER));
  assert(put == RingResult.OK); // there is room for as many as are under way, unless somebody spoilt the ring
}
