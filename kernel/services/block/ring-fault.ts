/**
 * Nonsense in a disk's ring on purpose, at the moment its driver completes a request: what a driver gone wrong could write there.
 *
 * Locking  ringSpoil: the disk's lock. Arming is one store, after the seed's.
 */
import { physLoad32, physLoad64, physStore32, physStore64 } from "../../../arch/current";
import { BlockCompletion, BlockRing } from "../../abi/block-ring";
import { RingFault } from "../../abi/debug";
import { wordAt64, wordPut64 } from "../../lib/bytes";
import { seededAt } from "../../lib/seeded";

const HEADER_COUNTERS_AT: u32 = <u32>offsetof<BlockRing>("submitHead");
const COUNTERS: u64 = 4;

/** Per disk: RingFault of its next completion (0: none), nothing, seed. */
const ARMED: usize = memory.data(8 * 16, 8);
function armedAt(disk: u32): usize { return ARMED + (<usize>disk << 4); }

/** The next completion of disk `index` meets `fault`. */
export function ringFaultArm(index: u32, fault: u32, seed: u64): void {
  wordPut64(armedAt(index) + 8, seed);
  atomic.store<u32>(armedAt(index), fault);
}

/** Per disk: whether the next request's address is spoilt, nothing, seed. */
const BOGUS: usize = memory.data(8 * 16, 8);
/** Bits of a page's address that are flipped. */
const ADDRESS_BITS: u64 = 0x3ffffff000;

/** The next request put into a ring of disk `index` names an address that is not its own. */
export function bogusDmaArm(index: u32, seed: u64): void {
  const at = BOGUS + (<usize>index << 4);
  wordPut64(at + 8, seed);
  atomic.store<u32>(at, 1);
}

/** What was armed happens to the address at `segmentPa`. */
export function addressSpoil(index: u32, segmentPa: u64): void {
  const at = BOGUS + (<usize>index << 4);
  if (atomic.load<u32>(at) == 0) return;
  atomic.store<u32>(at, 0);
  physStore64(segmentPa, physLoad64(segmentPa) ^ (seededAt(wordAt64(at + 8), 0) & ADDRESS_BITS));
}

/** What was armed for disk `index` happens: `headerPa`: the ring's header; `completionPa`: the completion the kernel looks at next. */
export function ringSpoil(index: u32, headerPa: u64, completionPa: u64): void {
  const fault = atomic.load<u32>(armedAt(index));
  if (fault == 0) return;
  atomic.store<u32>(armedAt(index), 0);
  const random = seededAt(wordAt64(armedAt(index) + 8), 0);
  const head = headerPa + offsetof<BlockRing>("completeHead");
  switch (fault) {
    case RingFault.COUNTER: physStore32(head, <u32>random); break;
    case RingFault.TOO_MANY: physStore32(head, physLoad32(head) + 1); break;
    case RingFault.ID: physStore64(completionPa, random); break;
    case RingFault.STATUS: physStore32(completionPa + offsetof<BlockCompletion>("status"), <u32>random | 1); break;
    default: physStore32(headerPa + HEADER_COUNTERS_AT + (<u32>(random % COUNTERS) << 2), <u32>(random >> 32));
  }
}
