/**
 * A simulated DMA remapping unit: registers, invalidation queue, tables read from simulated RAM, and caches that forget nothing unless
 * they are told to. So an invalidation that the kernel leaves out is seen as a device reaching what it no longer may.
 *
 * Spec  Intel VT-d: 3.4 (root and context entries), 3.7 (second-level translation), 6.5.2 (queue), 11.4 (registers).
 */
import type { Machine, MmioRange } from "./machine.ts";

const CAP = 0x08, ECAP = 0x10, GCMD = 0x18, GSTS = 0x1c, RTADDR = 0x20, FSTS = 0x34, IQT = 0x88, IQA = 0x90;
const TRANSLATES = 31n, ROOT_SET = 30n, QUEUE_ON = 26n;
const ADDRESS = 0x000ffffffffff000n;
const PAGE = 4096n;

export interface VtdOptions {
  /** Register CAP: 39 bits of address, three levels, page-selective invalidation of up to 2^18 pages, 256 domains. */
  readonly cap?: bigint;
  /** False: it never finishes an invalidation. */
  readonly answers?: boolean;
}

export const CAP_CACHES_ABSENT: bigint = 1n << 7n;
export const DEFAULT_CAP: bigint = 2n | 1n << 9n | 38n << 16n | 0x22n << 24n | 1n << 39n | 18n << 48n;

interface Translation {
  readonly pa: bigint;
  /** 1: read, 2: write. */
  readonly access: number;
  readonly domain: bigint;
}

export class Vtd implements MmioRange {
  readonly size: bigint = 4096n;
  translates = false;
  invalidations = 0;
  private status = 0n;
  private rootRegister = 0n;
  private root = 0n;
  private queue = 0n;
  private tail = 0n;
  private readonly contexts = new Map<number, { table: bigint; domain: bigint; levels: number }>();
  private readonly iotlb = new Map<string, Translation>();

  constructor(private readonly machine: Machine, readonly base: bigint, private readonly options: VtdOptions = {}) {
    machine.mmio.push(this);
  }

  load(offset: number, width: number): bigint {
    switch (offset) {
      case CAP: return this.options.cap ?? DEFAULT_CAP;
      case ECAP: return 2n | 0xfn << 8n;
      case GSTS: return this.status;
      case FSTS: return 0n;
      default: throw new Error(`vtd: read of ${width} bits at ${offset.toString(16)}`);
    }
  }

  store(offset: number, width: number, value: bigint): void {
    switch (offset) {
      case RTADDR: this.rootRegister = value; break;
      case IQA: this.queue = value & ADDRESS; break;
      case IQT: this.queueRun(value); break;
      case GCMD: this.command(value); break;
      default: throw new Error(`vtd: write of ${width} bits at ${offset.toString(16)}`);
    }
  }

  private command(value: bigint): void {
    if (value >> ROOT_SET & 1n) this.root = this.rootRegister;
    this.translates = (value >> TRANSLATES & 1n) !== 0n;
    this.status = value & (1n << TRANSLATES | 1n << ROOT_SET | 1n << QUEUE_ON);
  }

  private queueRun(tail: bigint): void {
    if (this.options.answers === false || this.tail === tail) return;
    expect(this.status >> QUEUE_ON & 1n).toBe(1n);
    for (; this.tail !== tail; this.tail = (this.tail + 16n) % PAGE) {
      this.descriptor(this.machine.load64(this.queue + this.tail), this.machine.load64(this.queue + this.tail + 8n));
    }
  }

  private descriptor(low: bigint, high: bigint): void {
    const domain = low >> 16n & 0xffffn;
    const granularity = low >> 4n & 3n;
    this.invalidations++;
    switch (low & 15n) {
      case 1n: // context cache: the kernel only uses global ones
        expect(granularity).toBe(1n);
        this.contexts.clear();
        break;
      case 2n: this.iotlbForget(granularity, domain, high & ADDRESS, PAGE << (high & 63n)); break;
      case 5n: this.machine.store(high & ~3n, 32, low >> 32n); break;
      default: throw new Error(`vtd: descriptor ${low.toString(16)}`);
    }
  }

  private iotlbForget(granularity: bigint, domain: bigint, start: bigint, bytes: bigint): void {
    if (granularity === 3n) expect(start % bytes).toBe(0n); // an address is aligned to its mask
    for (const [key, entry] of this.iotlb) {
      const at = BigInt(key.split("/")[1]!);
      const isMeant = granularity === 1n || (entry.domain === domain && (granularity === 2n || (at >= start && at < start + bytes)));
      if (isMeant) this.iotlb.delete(key);
    }
  }

  /** Where `requester` gets to at `iova`: null when it is stopped. What is found is remembered, absence too when the unit does that. */
  reach(requester: number, iova: bigint, isWrite: boolean): bigint | null {
    if (!this.translates) return iova;
    const context = this.context(requester);
    if (!context) return null;
    const page = iova & ~(PAGE - 1n);
    const key = `${context.domain}/${page}`;
    const known = this.iotlb.get(key);
    const found = known ?? this.walk(context, page);
    const remembersAbsence = ((this.options.cap ?? DEFAULT_CAP) & CAP_CACHES_ABSENT) !== 0n;
    if (found.access !== 0 || remembersAbsence) this.iotlb.set(key, found);
    return found.access & (isWrite ? 2 : 1) ? found.pa + (iova & (PAGE - 1n)) : null;
  }

  private context(requester: number): { table: bigint; domain: bigint; levels: number } | null {
    const known = this.contexts.get(requester);
    if (known) return known;
    const rootEntry = this.machine.load64(this.root + BigInt(requester >> 8) * 16n);
    if (!(rootEntry & 1n)) return null;
    const slot = (rootEntry & ADDRESS) + BigInt(requester & 0xff) * 16n;
    const low = this.machine.load64(slot);
    const high = this.machine.load64(slot + 8n);
    if (!(low & 1n)) return null;
    expect([low & 0xffen, high & 0xff0000f8n]).toEqual([0n, 0n]); // translation type 0, no reserved bit
    const context = { table: low & ADDRESS, domain: high >> 8n & 0xffffn, levels: Number(high & 7n) + 2 };
    this.contexts.set(requester, context);
    return context;
  }

  private walk({ table, domain, levels }: { table: bigint; domain: bigint; levels: number }, page: bigint): Translation {
    if (page >> BigInt(12 + 9 * levels)) return { pa: 0n, access: 0, domain };
    let at = table;
    let access = 3;
    for (let level = levels; level > 0; level--) {
      const entry = this.machine.load64(at + (page >> BigInt(12 + 9 * (level - 1)) & 511n) * 8n);
      access &= Number(entry & 3n);
      if (access === 0) return { pa: 0n, access, domain };
      at = entry & ADDRESS;
    }
    return { pa: at, access, domain };
  }
}
