/**
 * A simulated DMA remapping unit: registers, invalidation queue, tables read from simulated RAM, and caches that forget nothing unless
 * they are told to. So an invalidation that the kernel leaves out is seen as a device reaching what it no longer may.
 *
 * Spec  Intel VT-d: 3.4 (root and context entries), 3.7 (second-level translation), 6.5.2 (queue), 11.4 (registers).
 */
import type { Machine, MmioRange } from "./machine.ts";

const CAP = 0x08, ECAP = 0x10, GCMD = 0x18, GSTS = 0x1c, RTADDR = 0x20, FSTS = 0x34, FECTL = 0x38, IQT = 0x88, IQA = 0x90, IRTA = 0xb8;
const TRANSLATES = 31n, ROOT_SET = 30n, QUEUE_ON = 26n, REMAPS = 25n, TABLE_SET = 24n;
const ADDRESS = 0x000ffffffffff000n;
const PAGE = 4096n;

export interface VtdOptions {
  /** Register CAP: 39 bits of address, three levels, page-selective invalidation of up to 2^18 pages, 256 domains. */
  readonly cap?: bigint;
  /** Register ECAP: coherent, queued invalidation, interrupt remapping. */
  readonly ecap?: bigint;
  /** False: it does not switch remapping of interrupts on. */
  readonly remaps?: boolean;
  /** False: it never finishes an invalidation. */
  readonly answers?: boolean;
}

export const CAP_CACHES_ABSENT: bigint = 1n << 7n;
export const DEFAULT_CAP: bigint = 2n | 1n << 9n | 38n << 16n | 0x22n << 24n | 1n << 39n | 18n << 48n;

const FAULT_RECORD = 0x220;
export const DEFAULT_ECAP: bigint = 3n | 1n << 3n | 0xfn << 8n;

/** What a message became. */
export interface Interrupt {
  readonly vector: number;
  readonly target: number;
  readonly isLevel: boolean;
}

/** Reasons of faults; 7.1.2. */
export const enum Refused { ENTRY_ABSENT = 0x22, PLAIN = 0x25, REQUESTER = 0x26 }

interface Translation {
  readonly pa: bigint;
  /** 1: read, 2: write. */
  readonly access: number;
  readonly domain: bigint;
}

export class Vtd implements MmioRange {
  readonly size: bigint = 4096n;
  translates = false;
  /** From now on it finishes no invalidation. */
  isSilent = false;
  invalidations = 0;
  private status = 0n;
  private rootRegister = 0n;
  private root = 0n;
  private queue = 0n;
  private tail = 0n;
  /** The one fault record (11.4.15), at the offset that DEFAULT_CAP tells. */
  readonly record: DataView = new DataView(new ArrayBuffer(16));
  private remapRegister = 0n;
  private remapTable = 0n;
  /** Entries of the interrupt table, absent ones too: it forgets nothing either. */
  private readonly entries = new Map<number, readonly [low: bigint, high: bigint]>();
  private readonly contexts = new Map<number, { table: bigint; domain: bigint; levels: number }>();
  private readonly iotlb = new Map<string, Translation>();

  constructor(private readonly machine: Machine, readonly base: bigint, private readonly options: VtdOptions = {}) {
    machine.mmio.push(this);
  }

  load(offset: number, width: number): bigint {
    if (offset >= FAULT_RECORD) return width === 64 ? this.record.getBigUint64(offset - FAULT_RECORD, true) : BigInt(this.record.getUint32(offset - FAULT_RECORD, true));
    switch (offset) {
      case CAP: return this.options.cap ?? DEFAULT_CAP;
      case ECAP: return this.options.ecap ?? DEFAULT_ECAP;
      case GSTS: return this.status;
      case FSTS: return 0n;
      default: throw new Error(`vtd: read of ${width} bits at ${offset.toString(16)}`);
    }
  }

  store(offset: number, width: number, value: bigint): void {
    if (offset === FAULT_RECORD + 12) return this.record.setUint32(12, 0, true); // written as read: gone
    switch (offset) {
      case RTADDR: this.rootRegister = value; break;
      case FSTS: case FECTL: break;
      case IQA: this.queue = value & ADDRESS; break;
      case IRTA: this.remapRegister = value; break;
      case IQT: this.queueRun(value); break;
      case GCMD: this.command(value); break;
      default: throw new Error(`vtd: write of ${width} bits at ${offset.toString(16)}`);
    }
  }

  private command(value: bigint): void {
    if (value >> ROOT_SET & 1n) this.root = this.rootRegister;
    this.translates = (value >> TRANSLATES & 1n) !== 0n;
    if (value >> TABLE_SET & 1n) this.remapTable = this.remapRegister;
    const lasting = 1n << TRANSLATES | 1n << ROOT_SET | 1n << QUEUE_ON | 1n << TABLE_SET;
    this.status = value & (this.options.remaps === false ? lasting : lasting | 1n << REMAPS);
  }

  private queueRun(tail: bigint): void {
    if (this.options.answers === false || this.isSilent || this.tail === tail) return;
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
      case 4n: // interrupt entries: the kernel only uses global ones
        expect(low).toBe(4n);
        this.entries.clear();
        break;
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

  /** What becomes of a message of `requester`, or why it is refused. Spec: 5.1.3 "Interrupt-Remapping Hardware Operation". */
  interrupt(requester: number, address: number, data: number): Interrupt | Refused {
    if (!(this.status >> REMAPS & 1n)) return { vector: data & 0xff, target: address >> 12 & 0xff, isLevel: false };
    if (!(address & 0x10)) return Refused.PLAIN;
    expect(address & 0xfff0000b).toBe(0xfee00000 | 0); // no sub-handle
    const handle = address >> 5 & 0x7fff | (address & 4) << 13;
    if (handle >= 2 << Number(this.remapTable & 15n)) return Refused.ENTRY_ABSENT;
    const [low, high] = this.entry(handle);
    if (!(low & 1n)) return Refused.ENTRY_ABSENT;
    expect([low & 0xff00f0ecn & ~0x10n, high >> 20n, high >> 18n & 3n]).toEqual([0n, 0n, 1n]); // fixed, physical, nothing reserved, requester verified
    if (Number(high & 0xffffn) !== requester) return Refused.REQUESTER;
    const isWide = (this.remapTable >> 11n & 1n) !== 0n;
    return { vector: Number(low >> 16n & 0xffn), target: Number(isWide ? low >> 32n : low >> 40n & 0xffn), isLevel: (low & 0x10n) !== 0n };
  }

  private entry(handle: number): readonly [low: bigint, high: bigint] {
    let known = this.entries.get(handle);
    if (!known) {
      const at = (this.remapTable & ADDRESS) + BigInt(handle) * 16n;
      known = [this.machine.load64(at), this.machine.load64(at + 8n)];
      this.entries.set(handle, known);
    }
    return known;
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
