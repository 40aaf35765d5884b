/**
 * virtio-blk: the driver of virtio block devices.
 *
 *   kernel's ring ──doorbell──▶ virtqueue ──▶ device ──message──▶ completions ──COMPLETE──▶ kernel      one such way a queue
 *
 * Data never passes through here: requests carry bus addresses, which go into descriptors. The driver keeps nothing that its successor
 * would need: what is under way when it dies stands in the kernel's memory and comes again.
 *
 * Capabilities: `pci`, `block` (a BLOCK_DRIVER port), `quota`, `notification`, `log`, `heartbeat`. Argument `disk`: which /dev/vdX.
 */
import {
  BlockFeature, BlockGeometry, BlockOp, BlockRequest, BLOCK_DOORBELL, BLOCK_QUEUES, BLOCK_SECTORS,
} from "../../../kernel/abi/block-ring";
import { MemoryFlag } from "../../../kernel/abi/capability";
import { blockRingAnswer, blockRingMap, blockRingNext, blockSegment } from "../../runtime/block-ring";
import { serveBits } from "../../runtime/loop";
import { memoryAddresses, memoryCreate, memoryMap } from "../../runtime/native-calls";
import { blockDriverAttach, blockDriverComplete, blockDriverStart } from "../../runtime/protocol/block-driver-client.gen";
import { handleNamed, hex, log, runtimeStart, serverBuffer } from "../../runtime/start";
import {
  deviceHas, deviceMostDiscarded, deviceMostZeroed, deviceNeedsReset, deviceNotify, deviceOpen, deviceQueues, deviceQueueStart, deviceRun,
  deviceSectors,
} from "./device";
import { F_DISCARD, F_FLUSH, F_READ_ONLY, F_WRITE_ZEROES } from "./regs";
import { NONSENSE, NOTHING, QUEUE_PAGES, SEGMENTS_MAX, typeOf, Virtqueue } from "./ring";

export { serverBuffer };

const QUEUE: usize = 0xb0000000;
const QUEUE_STRIDE: usize = 0x100000;
const PROT_RW: u32 = 3;
/** Queue i's message sets this bit, shifted left by i. */
const IRQ_BIT: u64 = 1 << 32;
/** Its state changed. */
const STATE_BIT: u64 = 1 << 40;
const EINVAL: i32 = 22;
const GEOMETRY = changetype<BlockGeometry>(memory.data(offsetof<BlockGeometry>(), 8));
const ADDRESS = changetype<Address>(memory.data(offsetof<Address>(), 8));
const QUEUES: Virtqueue[] = [];

@unmanaged
class Address { bus: u64; }

let port: u32 = 0;

export function serverMain(count: u32): u32 {
  runtimeStart(count);
  const problem = bringUp(handleNamed("pci"), handleNamed("notification"));
  if (problem != "") {
    log(problem);
    return 1;
  }
  log("ready, sectors " + hex(deviceSectors()));
  blockDriverStart(port);
  serveBits(handleNamed("notification"), onBits);
  return 0;
}

function bringUp(pci: u32, n: u32): string {
  port = handleNamed("block");
  let problem = deviceOpen(pci);
  if (problem != "") return problem;
  geometryFill();
  const queues = blockDriverAttach(port, changetype<usize>(GEOMETRY), n, pci);
  if (queues < 0) return "the kernel takes no disk from it: " + hex(-queues);
  for (let i: u32 = 0; i < <u32>queues; i++) {
    problem = queueStart(pci, n, i);
    if (problem != "") return problem;
  }
  return deviceRun(pci, <u32>queues, n, STATE_BIT);
}

function geometryFill(): void {
  GEOMETRY.sectors = deviceSectors();
  GEOMETRY.sectorBytes = 512;
  GEOMETRY.queues = min<u32>(BLOCK_QUEUES, deviceQueues());
  GEOMETRY.maxSectors = BLOCK_SECTORS;
  GEOMETRY.maxSegments = SEGMENTS_MAX;
  GEOMETRY.flags = flagIf(F_READ_ONLY, BlockFeature.READ_ONLY) | flagIf(F_FLUSH, BlockFeature.FLUSH) |
    flagIf(F_DISCARD, BlockFeature.DISCARD) | flagIf(F_WRITE_ZEROES, BlockFeature.WRITE_ZEROES);
  GEOMETRY.maxDiscard = deviceMostDiscarded();
  GEOMETRY.maxZeroes = deviceMostZeroed();
}

function flagIf(feature: u64, flag: u32): u32 { return deviceHas(feature) ? flag : 0; }

function queueStart(pci: u32, n: u32, index: u32): string {
  const at = QUEUE + index * QUEUE_STRIDE;
  const memory = memoryCreate(handleNamed("quota"), <u64>QUEUE_PAGES << 12, MemoryFlag.DMA | MemoryFlag.CONTIGUOUS);
  if (memory < 0 || memoryMap(<u32>memory, at, 0, <u64>QUEUE_PAGES << 12, PROT_RW) < 0) return "no memory for the queue";
  if (memoryAddresses(<u32>memory, pci, 0, changetype<usize>(ADDRESS), 1) < 0) return "no bus address for the queue";
  if (!blockRingMap(port, index)) return "the kernel gives no ring";
  QUEUES.push(new Virtqueue(at, ADDRESS.bus));
  return deviceQueueStart(pci, index, QUEUES[index], n, IRQ_BIT << index);
}

/** What it had taken comes again to the successor, who begins with a reset. */
function giveUp(reason: string): void {
  log(reason);
  unreachable();
}

/** No bits at all: time to look whether an interrupt got lost. */
function onBits(bits: u64): void {
  if (bits & STATE_BIT && deviceNeedsReset()) giveUp("the device asks for a reset");
  for (let i = 0; i < QUEUES.length; i++) {
    const hasFinished = bits == 0 || (bits & (IRQ_BIT << i)) != 0;
    let completed = hasFinished ? finishedTake(i) : 0;
    if (bits & (BLOCK_DOORBELL << i) || completed > 0) completed += requestsTake(i);
    if (completed > 0) blockDriverComplete(port, i);
  }
}

/** Moves requests from the kernel's ring to the device; how many were answered at once. */
function requestsTake(index: u32): i32 {
  const queue = QUEUES[index];
  let refused = 0;
  let submitted = 0;
  for (let request = blockRingNext(index); request; request = blockRingNext(index)) {
    if (requestSubmit(queue, request)) submitted++;
    else {
      blockRingAnswer(index, request.id, -EINVAL);
      refused++;
    }
  }
  if (submitted > 0) {
    queue.publish();
    deviceNotify(index);
  }
  return refused;
}

/** False for a request that the device could not be told. */
function requestSubmit(queue: Virtqueue, request: BlockRequest): bool {
  const slot = <u32>request.id; // tags are below the queue's size and unique among what is under way
  const type = typeOf(request.op);
  if (type < 0 || request.segments > SEGMENTS_MAX || !queue.isFree(slot)) return false;
  const isRange = request.op == BlockOp.DISCARD || request.op == BlockOp.WRITE_ZEROES;
  queue.begin(slot, request.id, type, isRange ? 0 : request.sector);
  if (isRange) queue.range(slot, request.sector, request.sectors);
  for (let i: u32 = 0; i < request.segments && !isRange; i++) {
    const segment = blockSegment(request, i);
    queue.segment(slot, i, segment.address, segment.bytes, request.op == BlockOp.READ);
  }
  queue.submit(slot, isRange ? 1 : request.segments);
  return true;
}

/** Tells the kernel's ring of what the device finished; how many. */
function finishedTake(index: u32): i32 {
  const queue = QUEUES[index];
  let count = 0;
  for (let slot = queue.take(); slot != NOTHING; slot = queue.take()) {
    if (slot == NONSENSE) giveUp("the device finished what it never had");
    const status = queue.status(slot);
    blockRingAnswer(index, queue.finish(slot), status);
    count++;
  }
  return count;
}
