/**
 * A modern virtio device behind PCI, for servers in V8: configuration space with its vendor capabilities, one BAR with the four
 * structures, split virtqueues. What a kind of device does with a chain is the subclass's; what a dirty device does is the test's.
 *
 * Invariants  V1  a driver that breaks the rules (order of the status bits, features not offered, a queue not enabled, a descriptor that
 *                 points nowhere, a loop) makes the simulation throw: such a driver is wrong whatever the device would do.
 * Spec        virtio 1.2, 2.7 "Split Virtqueues", 3.1.1 "Device Initialization", 4.1.4 "Virtio Structure PCI Capabilities".
 */
import type { PciFunction, Registers } from "./server.ts";

export const STATUS = { ACKNOWLEDGE: 1, DRIVER: 2, DRIVER_OK: 4, FEATURES_OK: 8, NEEDS_RESET: 64, FAILED: 128 } as const;
export const F_INDIRECT: bigint = 1n << 28n;
export const F_VERSION_1: bigint = 1n << 32n;

const BAR = 4;
const BAR_BYTES = 0x4000;
const AT = { common: 0x0000, isr: 0x1000, device: 0x2000, notify: 0x3000 } as const;
const NOTIFY_MULTIPLIER = 4;
const CAPABILITIES_AT = 0x40;
const NO_VECTOR = 0xffff;
const DESC_NEXT = 1;
const DESC_WRITE = 2;
const DESC_INDIRECT = 4;
const CHAIN_LIMIT = 1024;

/** One buffer of a chain; `isDeviceWrite`: the device may write to it, and only that. */
export interface Buffer {
  readonly bytes: DataView;
  readonly isDeviceWrite: boolean;
}

export interface Chain {
  readonly queue: number;
  /** The head of its descriptors: what the used ring names. */
  readonly head: number;
  readonly buffers: readonly Buffer[];
}

export class SimulatedQueue {
  size: number;
  vector: number = NO_VECTOR;
  isEnabled = false;
  desc = 0n;
  driver = 0n;
  device = 0n;
  /** Available entries taken. */
  taken = 0;
  /** Used entries put. */
  used = 0;
  constructor(readonly maxSize: number) {
    this.size = maxSize;
  }
}

export interface VirtioOptions {
  readonly features: bigint;
  readonly queues: number;
  readonly queueSize?: number;
  readonly config: Uint8Array;
}

/** Memory as the device reaches it by bus address. */
export type Bus = (bus: bigint, size: number) => DataView | undefined;

export class VirtioPci implements PciFunction {
  status = 0;
  accepted = 0n;
  isMaster = false;
  queues: SimulatedQueue[] = [];
  /** Bits that the driver bound each message to. */
  readonly messages: Map<number, bigint> = new Map();
  /** Bits of the driver's notification that messages have set since the test took them. */
  raised = 0n;
  configVector: number = NO_VECTOR;
  resets = 0;

  /** Dirty devices. */
  neverResets = false;
  refusesFeatures = false;
  refusesVectors = false;
  /** Vendor capabilities are shown, or not. */
  hasStructures = true;

  private deviceSelect = 0;
  private driverSelect = 0;
  private queueSelect = 0;
  private readonly space: DataView = new DataView(new ArrayBuffer(256));

  constructor(readonly options: VirtioOptions, public bus: Bus) {
    this.capabilitiesPut();
    this.reset();
  }

  // ---- PCI ----

  configRead(offset: number, width: number): number {
    if (!this.hasStructures) return offset === 0x34 ? 0 : 0xffffffff;
    return width === 1 ? this.space.getUint8(offset) : width === 2 ? this.space.getUint16(offset, true) : this.space.getUint32(offset, true);
  }

  bar(index: number): Registers | undefined {
    if (index !== BAR) return undefined;
    return { bytes: BAR_BYTES, load: (offset, width) => this.load(offset, width), store: (offset, width, value) => this.store(offset, width, value) };
  }

  master(isEnabled: boolean): void {
    this.isMaster = isEnabled;
  }

  irqBind(vector: number, bits: bigint): void {
    this.messages.set(vector, bits);
  }

  private capabilitiesPut(): void {
    this.space.setUint8(0x34, CAPABILITIES_AT);
    const structures = [[1, AT.common, 0x38], [3, AT.isr, 4], [4, AT.device, this.options.config.length], [2, AT.notify, 0x1000]] as const;
    structures.forEach(([type, offset, length], index) => {
      const at = CAPABILITIES_AT + index * 0x14;
      const next = index + 1 < structures.length ? at + 0x14 : 0;
      this.space.setUint32(at, 9 | (next << 8) | (0x14 << 16) | (type << 24), true);
      this.space.setUint8(at + 4, BAR);
      this.space.setUint32(at + 8, offset, true);
      this.space.setUint32(at + 12, length, true);
      if (type === 2) this.space.setUint32(at + 16, NOTIFY_MULTIPLIER, true);
    });
  }

  // ---- Registers ----

  private load(offset: number, width: number): number {
    if (offset >= AT.notify) return 0;
    if (offset >= AT.device) return this.configLoad(offset - AT.device, width);
    if (offset >= AT.isr) return 0;
    const queue = this.queues[this.queueSelect];
    switch (offset) {
      case 4: return Number(BigInt.asUintN(32, this.options.features >> BigInt(32 * this.deviceSelect))) | 0;
      case 16: return this.configVector;
      case 18: return this.options.queues;
      case 20: return this.status;
      case 24: return queue ? queue.size : 0;
      case 26: return queue && !this.refusesVectors ? queue.vector : NO_VECTOR;
      case 28: return queue?.isEnabled ? 1 : 0;
      case 30: return this.queueSelect;
      default: throw new Error(`virtio: a read of register ${offset} (V1)`);
    }
  }

  private configLoad(offset: number, width: number): number {
    const { buffer, byteOffset, byteLength } = this.options.config;
    if (offset + width / 8 > byteLength) throw new Error(`virtio: the configuration ends before ${offset} (V1)`);
    const view = new DataView(buffer, byteOffset, byteLength);
    return width === 8 ? view.getUint8(offset) : width === 16 ? view.getUint16(offset, true) : view.getInt32(offset, true);
  }

  private store(offset: number, _width: number, value: number): void {
    if (offset >= AT.notify) return this.notified((offset - AT.notify) / NOTIFY_MULTIPLIER, value);
    if (offset >= AT.isr) throw new Error(`virtio: a write to ${offset} (V1)`);
    switch (offset) {
      case 0: this.deviceSelect = value; return;
      case 8: this.driverSelect = value; return;
      case 12: this.featuresTake(BigInt(value >>> 0) << BigInt(32 * this.driverSelect)); return;
      case 16: this.configVector = this.refusesVectors ? NO_VECTOR : value; return;
      case 20: this.statusSet(value); return;
      case 22: this.queueSelect = value; return;
      default: this.queueStore(offset, value);
    }
  }

  private featuresTake(bits: bigint): void {
    if (this.status & STATUS.FEATURES_OK) throw new Error("virtio: features after FEATURES_OK (V1)");
    if (bits & ~this.options.features) throw new Error(`virtio: features that were not offered: 0x${bits.toString(16)} (V1)`);
    this.accepted |= bits;
  }

  private statusSet(value: number): void {
    if (value === 0) return this.neverResets ? undefined : this.reset();
    if (this.status & ~value & ~STATUS.NEEDS_RESET) throw new Error("virtio: a status bit is taken back (V1)");
    if (value & STATUS.DRIVER_OK && !(this.status & STATUS.FEATURES_OK)) throw new Error("virtio: DRIVER_OK before FEATURES_OK (V1)");
    this.status = this.refusesFeatures ? value & ~STATUS.FEATURES_OK : value;
  }

  reset(): void {
    this.status = this.neverResets ? STATUS.ACKNOWLEDGE : 0;
    this.accepted = 0n;
    this.resets++;
    this.queues = Array.from({ length: this.options.queues }, () => new SimulatedQueue(this.options.queueSize ?? 256));
  }

  private queueStore(offset: number, value: number): void {
    const queue = this.queues[this.queueSelect];
    if (!queue) throw new Error(`virtio: there is no queue ${this.queueSelect} (V1)`);
    const half = (old: bigint, isHigh: boolean): bigint =>
      isHigh ? BigInt.asUintN(32, old) | (BigInt(value >>> 0) << 32n) : ((old >> 32n) << 32n) | BigInt(value >>> 0);
    switch (offset) {
      case 24: queue.size = value; return;
      case 26: queue.vector = value; return;
      case 28: queue.isEnabled = value === 1; return;
      case 32: case 36: queue.desc = half(queue.desc, offset === 36); return;
      case 40: case 44: queue.driver = half(queue.driver, offset === 44); return;
      case 48: case 52: queue.device = half(queue.device, offset === 52); return;
      default: throw new Error(`virtio: a write to register ${offset} (V1)`);
    }
  }

  /** The doorbell of a queue. */
  protected notified(index: number, value: number): void {
    if (value !== index || !this.queues[index]?.isEnabled) throw new Error(`virtio: a doorbell of queue ${index} (V1)`);
    if (!(this.status & STATUS.DRIVER_OK)) throw new Error("virtio: a doorbell before DRIVER_OK (V1)");
  }

  // ---- Queues ----

  private memory(bus: bigint, size: number): DataView {
    if (!this.isMaster) throw new Error("virtio: it may not master the bus yet (V1)");
    const view = this.bus(bus, size);
    if (!view) throw new Error(`virtio: DMA at 0x${bus.toString(16)}, ${size} bytes (V1)`);
    return view;
  }

  /** The next chain the driver made available on a queue, or undefined. */
  chainTake(index: number): Chain | undefined {
    const queue = this.queues[index]!;
    const available = this.memory(queue.driver, 4 + queue.size * 2);
    if (available.getUint16(2, true) === (queue.taken & 0xffff)) return undefined;
    const head = available.getUint16(4 + (queue.taken++ % queue.size) * 2, true);
    return { queue: index, head, buffers: this.buffersOf(queue.desc, queue.size, head) };
  }

  private buffersOf(table: bigint, entries: number, first: number): Buffer[] {
    const buffers: Buffer[] = [];
    for (let index = first, steps = 0; ; steps++) {
      if (index >= entries || steps > CHAIN_LIMIT) throw new Error(`virtio: descriptor ${index} of ${entries} (V1)`);
      const desc = this.memory(table + BigInt(index) * 16n, 16);
      const [address, bytes, flags] = [desc.getBigUint64(0, true), desc.getUint32(8, true), desc.getUint16(12, true)];
      if (flags & DESC_INDIRECT) {
        if (flags & DESC_NEXT || !(this.accepted & F_INDIRECT)) throw new Error("virtio: an indirect table that may not be (V1)");
        return this.buffersOf(address, bytes / 16, 0);
      }
      buffers.push({ bytes: this.memory(address, bytes), isDeviceWrite: (flags & DESC_WRITE) !== 0 });
      if (!(flags & DESC_NEXT)) return buffers;
      index = desc.getUint16(14, true);
    }
  }

  /** Puts `head` into the used ring, as written with `written` bytes, and sends the queue's message. */
  usedPut(index: number, head: number, written: number): void {
    const queue = this.queues[index]!;
    const ring = this.memory(queue.device, 4 + queue.size * 8);
    ring.setUint32(4 + (queue.used % queue.size) * 8, head, true);
    ring.setUint32(8 + (queue.used % queue.size) * 8, written, true);
    queue.used++;
    ring.setUint16(2, queue.used & 0xffff, true);
    this.raised |= this.messages.get(queue.vector) ?? 0n;
  }

  /** Sets the status and sends the message for changes of state. */
  needReset(): void {
    this.status |= STATUS.NEEDS_RESET;
    this.raised |= this.messages.get(this.configVector) ?? 0n;
  }

  /** Bits of messages since the last look. */
  bitsTake(): bigint {
    const bits = this.raised;
    this.raised = 0n;
    return bits;
  }
}
