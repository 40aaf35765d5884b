/**
 * Bringing a modern virtio block device up, and its doorbells.
 *
 * Spec  virtio 1.2, 3.1.1 "Driver Requirements: Device Initialization", 4.1.4 "Virtio Structure PCI Capabilities".
 */
import { mmioLoad16, mmioLoad32, mmioLoad8, mmioStore16, mmioStore32, mmioStore8 } from "../../runtime/intrinsics";
import { irqBind, memoryMap, pciBar, pciConfigRead, pciIrq, pciMaster } from "../../runtime/native-calls";
import { timeNow } from "../../runtime/clock";
import { Virtqueue, QUEUE_SIZE } from "./ring";
import {
  CAP_VENDOR, CapField, CfgType, Common, Config, F_ACCESS_PLATFORM, F_DISCARD, F_FLUSH, F_INDIRECT, F_MULTI_QUEUE, F_READ_ONLY, F_VERSION_1,
  F_WRITE_ZEROES, NO_VECTOR, Status,
} from "./regs";

/** Where BAR i is mapped: 16 MiB each, in the upper half of linear memory. */
const BARS: usize = 0x80000000;
const BAR_STRIDE: usize = 0x1000000;
const PROT_RW: u32 = 3;
const RESET_NS: u64 = 1_000_000_000;
const CAPS_LIMIT: u32 = 48;

let common: usize = 0;
let config: usize = 0;
let notifyBase: usize = 0;
let notifyMultiplier: u32 = 0;
/** By queue. */
const NOTIFY_AT = new StaticArray<usize>(8);
let features: u64 = 0;
let mapped: u32 = 0;

export function deviceSectors(): u64 { return <u64>mmioLoad32(config + Config.CAPACITY + 4) << 32 | mmioLoad32(config + Config.CAPACITY); }
export function deviceHas(feature: u64): bool { return (features & feature) != 0; }
/** Queues it serves at once. */
export function deviceQueues(): u32 { return deviceHas(F_MULTI_QUEUE) ? max<u32>(1, mmioLoad16(config + Config.NUM_QUEUES)) : 1; }
/** It does what cannot be done at once by half: most sectors of one DISCARD and one WRITE_ZEROES. 0: as many as one likes. */
export function deviceMostDiscarded(): u32 { return deviceHas(F_DISCARD) ? mmioLoad32(config + Config.MAX_DISCARD_SECTORS) : 0; }
export function deviceMostZeroed(): u32 { return deviceHas(F_WRITE_ZEROES) ? mmioLoad32(config + Config.MAX_WRITE_ZEROES_SECTORS) : 0; }
/** It has come to an end by its own word; 2.1.2. */
export function deviceNeedsReset(): bool { return (mmioLoad8(common + Common.STATUS) & <u32>Status.NEEDS_RESET) != 0; }

/** Finds the structures, resets the device, agrees on features. "" or what is wrong. */
export function deviceOpen(pci: u32): string {
  if (!structuresFind(pci)) return "it has no modern virtio structures";
  mmioStore8(common + Common.STATUS, 0);
  const deadline = timeNow() + RESET_NS;
  while (mmioLoad8(common + Common.STATUS) != 0) if (timeNow() > deadline) return "it does not reset";
  mmioStore8(common + Common.STATUS, Status.ACKNOWLEDGE);
  mmioStore8(common + Common.STATUS, Status.ACKNOWLEDGE | Status.DRIVER);
  const offered = featureRead();
  if (!(offered & F_VERSION_1)) return "it is a legacy device";
  if (!(offered & F_INDIRECT)) return "it offers no indirect descriptors";
  const known = F_VERSION_1 | F_ACCESS_PLATFORM | F_INDIRECT | F_FLUSH | F_READ_ONLY | F_MULTI_QUEUE | F_DISCARD | F_WRITE_ZEROES;
  features = offered & known;
  featureWrite(features);
  mmioStore8(common + Common.STATUS, Status.ACKNOWLEDGE | Status.DRIVER | Status.FEATURES_OK);
  return mmioLoad8(common + Common.STATUS) & Status.FEATURES_OK ? "" : "it refuses the features";
}

function featureRead(): u64 {
  mmioStore32(common + Common.DEVICE_FEATURE_SELECT, 1);
  const high = mmioLoad32(common + Common.DEVICE_FEATURE);
  mmioStore32(common + Common.DEVICE_FEATURE_SELECT, 0);
  return <u64>high << 32 | mmioLoad32(common + Common.DEVICE_FEATURE);
}

function featureWrite(value: u64): void {
  mmioStore32(common + Common.DRIVER_FEATURE_SELECT, 0);
  mmioStore32(common + Common.DRIVER_FEATURE, <u32>value);
  mmioStore32(common + Common.DRIVER_FEATURE_SELECT, 1);
  mmioStore32(common + Common.DRIVER_FEATURE, <u32>(value >> 32));
}

/** Queue `index` with message `index`, whose arrival sets `bits` of `n`. "" or what is wrong. */
export function deviceQueueStart(pci: u32, index: u32, queue: Virtqueue, n: u32, bits: u64): string {
  mmioStore16(common + Common.QUEUE_SELECT, index);
  if (mmioLoad16(common + Common.QUEUE_SIZE) < QUEUE_SIZE) return "its queue is too short";
  mmioStore16(common + Common.QUEUE_SIZE, QUEUE_SIZE);
  const irq = pciIrq(pci, index);
  if (irq < 0 || irqBind(<u32>irq, n, bits) < 0) return "it has no message-signalled interrupt";
  mmioStore16(common + Common.QUEUE_MSIX_VECTOR, index);
  if (mmioLoad16(common + Common.QUEUE_MSIX_VECTOR) == NO_VECTOR) return "it takes no interrupt vector";
  addressWrite(Common.QUEUE_DESC, queue.descBus);
  addressWrite(Common.QUEUE_DRIVER, queue.availBus);
  addressWrite(Common.QUEUE_DEVICE, queue.usedBus);
  NOTIFY_AT[index] = notifyBase + <usize>mmioLoad16(common + Common.QUEUE_NOTIFY_OFF) * notifyMultiplier;
  mmioStore16(common + Common.QUEUE_ENABLE, 1);
  return "";
}

/** Its queues stand: the device runs. Message `vector`, if it has so many, tells by `bits` of `n` that its state changed. "" or what is wrong. */
export function deviceRun(pci: u32, vector: u32, n: u32, bits: u64): string {
  const irq = pciIrq(pci, vector);
  const isBound = irq >= 0 && irqBind(<u32>irq, n, bits) >= 0;
  mmioStore16(common + Common.MSIX_CONFIG, isBound ? vector : NO_VECTOR);
  if (pciMaster(pci, 1) < 0) return "it may not master the bus";
  mmioStore8(common + Common.STATUS, Status.ACKNOWLEDGE | Status.DRIVER | Status.FEATURES_OK | Status.DRIVER_OK);
  return "";
}

function addressWrite(field: u32, address: u64): void {
  mmioStore32(common + field, <u32>address);
  mmioStore32(common + field + 4, <u32>(address >> 32));
}

/** Tells the device to look at queue `index`. */
export function deviceNotify(index: u32): void { mmioStore16(NOTIFY_AT[index], index); }

function structuresFind(pci: u32): bool {
  let at = <u32>pciConfigRead(pci, 0x34, 1) & 0xfc;
  for (let i: u32 = 0; at >= 0x40 && i < CAPS_LIMIT; i++) {
    const head = <u32>pciConfigRead(pci, at, 4);
    if ((head & 0xff) == CAP_VENDOR) structureTake(pci, at, head >> 24);
    at = head >> 8 & 0xfc;
  }
  return common != 0 && config != 0 && notifyBase != 0;
}

/** The first structure of each type counts; 4.1.4.1. */
function structureTake(pci: u32, at: u32, type: u32): void {
  const bar = <u32>pciConfigRead(pci, at + CapField.BAR, 1);
  const offset = <u32>pciConfigRead(pci, at + CapField.OFFSET, 4);
  const length = <u32>pciConfigRead(pci, at + CapField.LENGTH, 4);
  if (bar > 5 || <u64>offset + length > BAR_STRIDE) return;
  if (type != <u32>CfgType.COMMON && type != <u32>CfgType.NOTIFY && type != <u32>CfgType.DEVICE) return;
  if (!barMap(pci, bar, offset + length)) return;
  const place = BARS + bar * BAR_STRIDE + offset;
  if (type == <u32>CfgType.COMMON && common == 0) common = place;
  if (type == <u32>CfgType.DEVICE && config == 0) config = place;
  if (type == <u32>CfgType.NOTIFY && notifyBase == 0) {
    notifyBase = place;
    notifyMultiplier = <u32>pciConfigRead(pci, at + CapField.NOTIFY_MULTIPLIER, 4);
  }
}

/** Maps BAR `bar`, whole pages up to `bytes`, once; structures of one BAR lie within what the first mapping takes. */
function barMap(pci: u32, bar: u32, bytes: u32): bool {
  if (mapped >> bar & 1) return true;
  const range = pciBar(pci, bar);
  if (range < 0) return false;
  let size: u64 = BAR_STRIDE;
  while (size >= 4096 && memoryMap(<u32>range, BARS + bar * BAR_STRIDE, 0, size, PROT_RW) < 0) size >>= 1;
  if (size < bytes) return false;
  mapped |= 1 << bar;
  return true;
}
