/** The kernel's side of a block driver's rings, as the test plays it: kernel/abi/block-ring.ts. */
import { blockDriver } from "../../../support/block-driver.gen.ts";
import type { MemoryObject, Port, Server } from "../../../support/server.ts";

export const OP = { READ: 0, WRITE: 1, FLUSH: 2, DISCARD: 3, WRITE_ZEROES: 4 } as const;
const ENTRIES = 128;
const REQUEST_BYTES = 1024;
const COMPLETIONS_AT = 4096 + ENTRIES * REQUEST_BYTES;
const RING_BYTES = COMPLETIONS_AT + 4096;
const MAGIC = 0x6b636c62;
const HEAD = { submitHead: 16, submitTail: 20, completeHead: 24, completeTail: 28 } as const;

export interface Geometry {
  sectors: number;
  queues: number;
  flags: number;
  maxDiscard: number;
  maxZeroes: number;
}

export interface Put {
  op: number;
  sector: number;
  sectors: number;
  segments?: readonly { bus: bigint; bytes: number }[];
}

export class KernelRings implements Port {
  geometry: Geometry | undefined;
  isStarted = false;
  /** COMPLETE calls. */
  completions = 0;
  /** What ATTACH answers instead. */
  refusal: number | undefined;
  private readonly rings: MemoryObject[] = [];
  private readonly submitted: number[] = [];
  private readonly taken: number[] = [];

  /** `cpus`: the kernel uses no more queues than it has CPUs. */
  constructor(private readonly server: () => Server, readonly generation = 1, private readonly cpus = 1) {}

  readonly serviceCall: Port["serviceCall"] = blockDriver.serve({
    attach: ({ geometry }) => this.refusal ?? { queues: this.attach(geometry) },
    ring: ({ queue }) => ({ memory: this.server().give(this.rings[queue]!) }),
    start: () => {
      this.isStarted = true;
      return {};
    },
    complete: () => ({ taken: ++this.completions }),
  }).serviceCall;

  private attach(va: bigint): number {
    const bytes = this.server().at(va, 40);
    const view = new DataView(bytes.buffer, bytes.byteOffset, 40);
    const field = (at: number): number => view.getUint32(at, true);
    this.geometry = { sectors: Number(view.getBigUint64(0, true)), queues: field(12), flags: field(24), maxDiscard: field(28), maxZeroes: field(32) };
    const queues = Math.min(this.geometry.queues, this.cpus);
    for (let i = 0; i < queues; i++) {
      this.rings.push(this.server().memoryObject(RING_BYTES, this.header()));
      this.submitted.push(0);
      this.taken.push(0);
    }
    return queues;
  }

  private at(queue: number): number {
    return this.rings[queue]!.at;
  }

  private header(): Uint8Array {
    return new Uint8Array(new Uint32Array([MAGIC, ENTRIES, this.generation]).buffer);
  }

  id(tag: number): bigint {
    return (BigInt(this.generation) << 32n) | BigInt(tag);
  }

  put(queue: number, tag: number, { op, sector, sectors, segments = [] }: Put): void {
    const { view } = this.server();
    const entry = this.at(queue) + 4096 + (this.submitted[queue]! % ENTRIES) * REQUEST_BYTES;
    view.setBigUint64(entry, this.id(tag), true);
    view.setUint32(entry + 8, op, true);
    view.setUint32(entry + 12, 0, true);
    view.setBigUint64(entry + 16, BigInt(sector), true);
    view.setUint32(entry + 24, sectors, true);
    view.setUint32(entry + 28, segments.length, true);
    segments.slice(0, 62).forEach(({ bus, bytes }, index) => {
      view.setBigUint64(entry + 32 + index * 16, bus, true);
      view.setUint32(entry + 40 + index * 16, bytes, true);
    });
    view.setUint32(this.at(queue) + HEAD.submitHead, ++this.submitted[queue]!, true);
  }

  /** Counts requests that nobody put. */
  spoil(queue: number): void {
    this.server().view.setUint32(this.at(queue) + HEAD.submitHead, this.submitted[queue]! + ENTRIES + 1, true);
  }

  /** Answers since the last look: tag and status. */
  answers(queue = 0): [number, number][] {
    const { view } = this.server();
    const found: [number, number][] = [];
    for (const head = view.getUint32(this.at(queue) + HEAD.completeHead, true); this.taken[queue] !== head; this.taken[queue]!++) {
      const at = this.at(queue) + COMPLETIONS_AT + (this.taken[queue]! % ENTRIES) * 16;
      const id = view.getBigUint64(at, true);
      if (id >> 32n !== BigInt(this.generation)) throw new Error(`an answer of generation ${id >> 32n}`);
      found.push([Number(id & 0xffffffffn), view.getInt32(at + 8, true)]);
    }
    view.setUint32(this.at(queue) + HEAD.completeTail, this.taken[queue]!, true);
    return found;
  }
}
