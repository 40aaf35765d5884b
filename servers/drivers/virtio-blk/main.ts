/**
 * virtio-blk: the driver of virtio block devices.
 *
 *   kernel's ring ──doorbell──▶ virtqueue ──▶ device ──message──▶ completions ──COMPLETE──▶ kernel
 *
 * Data never passes through here: requests carry bus addresses, which go into descriptors. The driver keeps nothing that its successor
 * would need: what is under way when it dies stands in the kernel's memory and comes again.
 *
 * Capabilities: `pci`, `block` (a BLOCK_DRIVER port), `quota`, `notification`, `log`, `heartbeat`. Argument `disk`: which /dev/vdX.
 */
import { BlockDriverOp, BlockFeature, BlockGeometry, BlockRequest, BLOCK_DOORBELL } from "../../../kernel/abi/block-ring";
import { MemoryFlag } from "../../../kernel/abi/capability";
import { blockRingAnswer, blockRingMap, blockRingNext, blockSegment } from "../../runtime/block-ring";
import { linearVa } from "../../runtime/intrinsics";
import { serveBits } from "../../runtime/loop";
import { memoryAddresses, memoryCreate, memoryMap, serviceCall } from "../../runtime/native-calls";
import { handleNamed, hex, log, numberNamed, runtimeStart, serverBuffer } from "../../runtime/start";
import { deviceCanFlush, deviceIsReadOnly, deviceNotify, deviceOpen, deviceSectors, deviceStart } from "./device";
import {
  queueInit, queuePublish, queueTake, QUEUE_PAGES, SEGMENTS_MAX, slotBegin, slotFinish, slotIsFree, slotSegment, slotStatus, slotSubmit, typeOf,
} from "./ring";

export { serverBuffer };

const QUEUE: usize = 0xb0000000;
const PROT_RW: u32 = 3;
const IRQ_BIT: u64 = 1 << 32;
const MAX_SECTORS: u32 = 256;
const EINVAL: i32 = 22;
const GEOMETRY = changetype<BlockGeometry>(memory.data(offsetof<BlockGeometry>(), 8));
const ADDRESS = changetype<Address>(memory.data(offsetof<Address>(), 8));

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
  serviceCall(port, BlockDriverOp.START, 0, 0, 0, 0);
  serveBits(handleNamed("notification"), onBits);
  return 0;
}

function bringUp(pci: u32, n: u32): string {
  port = handleNamed("block");
  const memory = memoryCreate(handleNamed("quota"), <u64>QUEUE_PAGES << 12, MemoryFlag.DMA | MemoryFlag.CONTIGUOUS);
  if (memory < 0 || memoryMap(<u32>memory, QUEUE, 0, <u64>QUEUE_PAGES << 12, PROT_RW) < 0) return "no memory for the queue";
  if (memoryAddresses(<u32>memory, pci, 0, changetype<usize>(ADDRESS), 1) < 0) return "no bus address for the queue";
  queueInit(QUEUE, ADDRESS.bus);
  const problem = deviceOpen(pci);
  if (problem != "") return problem;
  GEOMETRY.sectors = deviceSectors();
  GEOMETRY.sectorBytes = 512;
  GEOMETRY.queues = 1;
  GEOMETRY.maxSectors = MAX_SECTORS;
  GEOMETRY.maxSegments = SEGMENTS_MAX;
  GEOMETRY.flags = (deviceIsReadOnly() ? BlockFeature.READ_ONLY : 0) | (deviceCanFlush() ? BlockFeature.FLUSH : 0);
  GEOMETRY.index = <u32>numberNamed("disk");
  const ring = serviceCall(port, BlockDriverOp.ATTACH, linearVa(changetype<usize>(GEOMETRY)), n, pci, 0);
  if (ring < 0) return "the kernel gives no ring: " + hex(-ring);
  if (!blockRingMap(<u32>ring)) return "the ring is not one";
  return deviceStart(pci, n, IRQ_BIT);
}

function onBits(bits: u64): void {
  let completed = 0;
  if (bits & IRQ_BIT) completed += finishedTake();
  if (bits & BLOCK_DOORBELL || completed > 0) completed += requestsTake();
  if (completed > 0) serviceCall(port, BlockDriverOp.COMPLETE, 0, 0, 0, 0);
}

/** Moves requests from the kernel's ring to the device; how many were answered at once. */
function requestsTake(): i32 {
  let refused = 0;
  let submitted = 0;
  for (let request = blockRingNext(); request; request = blockRingNext()) {
    if (requestSubmit(request)) submitted++;
    else {
      blockRingAnswer(request.id, -EINVAL);
      refused++;
    }
  }
  if (submitted > 0) {
    queuePublish();
    deviceNotify();
  }
  return refused;
}

/** False for a request that the device could not be told. */
function requestSubmit(request: BlockRequest): bool {
  const slot = <u32>request.id; // tags are below the queue's size and unique among what is under way
  const type = typeOf(request.op);
  if (type < 0 || request.segments > SEGMENTS_MAX || !slotIsFree(slot)) return false;
  slotBegin(slot, request.id, type, request.sector);
  for (let i: u32 = 0; i < request.segments; i++) {
    const segment = blockSegment(request, i);
    slotSegment(slot, i, segment.address, segment.bytes, request.op == 0);
  }
  slotSubmit(slot, request.segments);
  return true;
}

/** Tells the kernel's ring of what the device finished; how many. */
function finishedTake(): i32 {
  let count = 0;
  for (let slot = queueTake(); slot != -1; slot = queueTake()) {
    if (slot < 0) {
      log("the device finished what it never had");
      unreachable(); // the successor begins with a reset
    }
    const status = slotStatus(slot);
    blockRingAnswer(slotFinish(slot), status);
    count++;
  }
  return count;
}
