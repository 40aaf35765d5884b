/** A virtio disk on the simulated bus: sectors in memory, requests done when the test says so. Spec: virtio 1.2, 5.2 "Block Device". */
import { type Bus, type Chain, F_INDIRECT, F_VERSION_1, VirtioPci, type VirtioOptions } from "../../../support/virtio-pci.ts";

export const FEATURE: Readonly<Record<"READ_ONLY" | "FLUSH" | "MULTI_QUEUE" | "DISCARD" | "WRITE_ZEROES", bigint>> = {
  READ_ONLY: 1n << 5n, FLUSH: 1n << 9n, MULTI_QUEUE: 1n << 12n, DISCARD: 1n << 13n, WRITE_ZEROES: 1n << 14n,
};
export const RESULT = { OK: 0, IOERR: 1, UNSUPPORTED: 2 } as const;
const TYPE = { IN: 0, OUT: 1, FLUSH: 4, DISCARD: 11, WRITE_ZEROES: 13 } as const;
const CONFIG_BYTES = 60;
const SECTOR = 512;

export interface DiskOptions {
  readonly sectors?: number;
  readonly features?: bigint;
  readonly queues?: number;
  readonly queueSize?: number;
}

function configOf(sectors: number, queues: number): Uint8Array {
  const config = new Uint8Array(CONFIG_BYTES);
  const view = new DataView(config.buffer);
  view.setBigUint64(0, BigInt(sectors), true);
  view.setUint16(34, queues, true);
  view.setUint32(36, 2048, true);
  view.setUint32(48, 4096, true);
  return config;
}

function virtioOptions({ sectors = 256, features, queues = 1, queueSize }: DiskOptions): VirtioOptions {
  return {
    features: features ?? F_VERSION_1 | F_INDIRECT | FEATURE.FLUSH | FEATURE.MULTI_QUEUE | FEATURE.DISCARD | FEATURE.WRITE_ZEROES,
    queues,
    ...(queueSize === undefined ? {} : { queueSize }),
    config: configOf(sectors, queues),
  };
}

export class DiskDevice extends VirtioPci {
  readonly contents: Uint8Array;
  /** Requests taken from the queues and not done. */
  readonly pending: Chain[] = [];
  /** What was done, in order: "IN 8+2". */
  readonly done: string[] = [];
  /** What each request ends with, instead of what it should. */
  resultOf: ((kind: string) => number) | undefined;

  constructor(options: DiskOptions, bus: Bus) {
    super(virtioOptions(options), bus);
    this.contents = new Uint8Array((options.sectors ?? 256) * SECTOR);
  }

  protected override notified(index: number, value: number): void {
    super.notified(index, value);
    for (let chain = this.chainTake(index); chain; chain = this.chainTake(index)) this.pending.push(chain);
  }

  override reset(): void {
    super.reset();
    this.pending?.splice(0);
  }

  /** Does the pending request at `index` (the oldest unless said otherwise) and tells the driver. */
  finish(index = 0): void {
    const [chain] = this.pending.splice(index, 1);
    if (!chain) throw new Error("the disk has nothing to do");
    const last = chain.buffers.at(-1)!;
    if (!last.isDeviceWrite || last.bytes.byteLength !== 1) throw new Error("virtio-blk: there is no place for the status (V1)");
    const [result, written] = this.perform(chain);
    last.bytes.setUint8(0, result);
    this.usedPut(chain.queue, chain.head, written + 1);
  }

  finishAll(): void {
    while (this.pending.length > 0) this.finish();
  }

  private perform(chain: Chain): [number, number] {
    const header = chain.buffers[0]!;
    if (header.isDeviceWrite || header.bytes.byteLength !== 16) throw new Error("virtio-blk: a header of another size (V1)");
    const type = header.bytes.getUint32(0, true);
    const sector = Number(header.bytes.getBigUint64(8, true));
    const data = chain.buffers.slice(1, -1);
    const kind = Object.entries(TYPE).find(([, value]) => value === type)?.[0] ?? `type ${type}`;
    const forced = this.resultOf?.(kind);
    if (forced !== undefined && forced !== RESULT.OK) return [forced, 0];
    switch (type) {
      case TYPE.IN: return this.transfer("IN", sector, data);
      case TYPE.OUT: return this.transfer("OUT", sector, data);
      case TYPE.FLUSH: this.done.push("FLUSH"); return [RESULT.OK, 0];
      case TYPE.DISCARD: case TYPE.WRITE_ZEROES: return this.zero(kind, data[0]!.bytes);
      default: return [RESULT.UNSUPPORTED, 0];
    }
  }

  private transfer(kind: "IN" | "OUT", sector: number, data: readonly { bytes: DataView; isDeviceWrite: boolean }[]): [number, number] {
    let at = sector * SECTOR;
    for (const { bytes, isDeviceWrite } of data) {
      if (isDeviceWrite !== (kind === "IN")) throw new Error("virtio-blk: data in the wrong direction (V1)");
      if (at + bytes.byteLength > this.contents.length) return [RESULT.IOERR, 0];
      const memory = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      if (kind === "IN") memory.set(this.contents.subarray(at, at + memory.length));
      else this.contents.set(memory, at);
      at += memory.length;
    }
    const sectors = at / SECTOR - sector;
    this.done.push(`${kind} ${sector}+${sectors}`);
    return [RESULT.OK, kind === "IN" ? sectors * SECTOR : 0];
  }

  private zero(kind: string, range: DataView): [number, number] {
    if (range.byteLength !== 16) throw new Error("virtio-blk: a range of another size (V1)");
    const [sector, sectors] = [Number(range.getBigUint64(0, true)), range.getUint32(8, true)];
    if (kind === "WRITE_ZEROES") this.contents.fill(0, sector * SECTOR, (sector + sectors) * SECTOR);
    this.done.push(`${kind} ${sector}+${sectors}`);
    return [RESULT.OK, 0];
  }
}
