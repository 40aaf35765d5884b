/**
 * A block driver's end of the rings to the kernel (kernel/abi/block-ring.ts): requests come, answers go.
 *
 * Invariants  R1  submitTail counts the requests taken, completeHead the answers put; this side alone writes both.
 */
import { BlockCompletion, BlockRequest, BlockRing, BlockSegment, BLOCK_ENTRIES, BLOCK_MAGIC } from "../../kernel/abi/block-ring";
import { memoryMap } from "./native-calls";
import { blockDriverRing } from "./protocol/block-driver-client.gen";

/** Rings lie side by side, by queue. */
const RINGS: usize = 0xa0000000;
const RING_STRIDE: usize = 0x100000;
const REQUESTS_AT: usize = 4096;
const REQUEST_BYTES: usize = 1024;
const SEGMENTS_AT: usize = 32;
const COMPLETIONS_AT: usize = REQUESTS_AT + BLOCK_ENTRIES * REQUEST_BYTES;
const RING_BYTES: u64 = 4096 + BLOCK_ENTRIES * 1024 + 4096;
const PROT_RW: u32 = 3;

function ringAt(queue: u32): usize { return RINGS + queue * RING_STRIDE; }
function ringOf(queue: u32): BlockRing { return changetype<BlockRing>(ringAt(queue)); }

/** Takes the ring of `queue` from the port the driver attached by: false when there is none. */
export function blockRingMap(port: u32, queue: u32): bool {
  const memory = blockDriverRing(port, queue);
  return memory >= 0 && memoryMap(<u32>memory, ringAt(queue), 0, RING_BYTES, PROT_RW) >= 0 && ringOf(queue).magic == BLOCK_MAGIC;
}

/** The next request, or null when there is none. It stays readable until its answer is put. */
export function blockRingNext(queue: u32): BlockRequest | null {
  const tail = ringOf(queue).submitTail;
  if (atomic.load<u32>(ringAt(queue) + offsetof<BlockRing>("submitHead")) == tail) return null;
  atomic.store<u32>(ringAt(queue) + offsetof<BlockRing>("submitTail"), tail + 1); // R1
  return changetype<BlockRequest>(ringAt(queue) + REQUESTS_AT + <usize>(tail % BLOCK_ENTRIES) * REQUEST_BYTES);
}

/** Segment `index` (< segments) of a request. */
export function blockSegment(request: BlockRequest, index: u32): BlockSegment {
  return changetype<BlockSegment>(changetype<usize>(request) + SEGMENTS_AT + <usize>index * offsetof<BlockSegment>());
}

/** Puts the answer to request `id` of `queue`; COMPLETE tells the kernel of all that were put. */
export function blockRingAnswer(queue: u32, id: u64, status: i32): void {
  const head = ringOf(queue).completeHead;
  const at = ringAt(queue) + COMPLETIONS_AT + <usize>(head % BLOCK_ENTRIES) * offsetof<BlockCompletion>();
  const answer = changetype<BlockCompletion>(at);
  answer.id = id;
  answer.status = status;
  atomic.store<u32>(ringAt(queue) + offsetof<BlockRing>("completeHead"), head + 1); // R1: seen after the answer
}
