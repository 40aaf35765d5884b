/**
 * Simulated PCI configuration space, reached by ports: functions with ranges that can be sized, capabilities, bridges.
 *
 * Spec  PCI Local Bus 3.0, 3.2.2.3.2, 6.2.5.1 (sizing), 6.8.2 (MSI-X).
 */
import type { Machine, MmioRange } from "./machine.ts";

const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;
const BAR0 = 0x10;
const CAPABILITIES = 0x34;
const FIRST_CAPABILITY = 0x40;
const CAPABILITY_BYTES = 0x20;
const CAP_MSI = 5;
const CAP_MSIX = 0x11;
const ENTRY_BYTES = 16;
export const COMMAND_MASTER = 4;

export interface Bar {
  readonly base: bigint;
  readonly size: bigint;
  readonly kind?: "memory" | "wide" | "ports";
}

export interface FunctionOptions {
  readonly id?: number;
  readonly bars?: Readonly<Record<number, Bar>>;
  /** Messages, and where their table lies. */
  readonly msix?: { readonly vectors: number; readonly bar: number; readonly offset: number };
  readonly hasMsi?: boolean;
  /** A bridge: its secondary and subordinate bus. */
  readonly buses?: readonly [secondary: number, subordinate: number];
  readonly isMultiFunction?: boolean;
}

export const addressOf = (bus: number, device: number, fn = 0): number => bus << 8 | device << 3 | fn;

export class SimulatedFunction {
  readonly space: DataView = new DataView(new ArrayBuffer(256));

  constructor(readonly options: FunctionOptions) {
    const { space } = this;
    space.setUint32(0, options.id ?? 0x11e81234, true);
    space.setUint8(0x0e, (options.buses ? 1 : 0) | (options.isMultiFunction ? 0x80 : 0));
    if (options.buses) options.buses.forEach((bus, i) => space.setUint8(0x19 + i, bus));
    for (const [index, bar] of Object.entries(options.bars ?? {})) this.barPut(Number(index), bar);
    this.capabilitiesPut();
  }

  get command(): number { return this.space.getUint16(4, true); }

  private barPut(index: number, { base, kind }: Bar): void {
    const flags = kind === "ports" ? 1n : kind === "wide" ? 4n : 0n;
    this.space.setUint32(BAR0 + 4 * index, Number((base | flags) & 0xffffffffn), true);
    if (kind === "wide") this.space.setUint32(BAR0 + 4 * index + 4, Number(base >> 32n), true);
  }

  private capabilitiesPut(): void {
    const { msix, hasMsi } = this.options;
    let at = FIRST_CAPABILITY;
    let link = CAPABILITIES;
    const add = (id: number, fill: (at: number) => void): void => {
      this.space.setUint16(6, 0x10, true);
      this.space.setUint8(link, at);
      this.space.setUint8(at, id);
      link = at + 1;
      fill(at);
      at += CAPABILITY_BYTES;
    };
    if (hasMsi) add(CAP_MSI, () => {});
    if (!msix) return;
    add(CAP_MSIX, (here) => {
      this.space.setUint16(here + 2, msix.vectors - 1, true);
      this.space.setUint32(here + 4, msix.offset | msix.bar, true);
    });
  }

  /** What a range's registers keep of what is written. */
  private barMask(offset: number): number | undefined {
    const index = (offset - BAR0) >> 2;
    const low = this.options.bars?.[index];
    if (low) return low.kind === "ports" ? 0xfffffffc & ~(Number(low.size) - 1) : Number(~(low.size - 1n) & 0xfffffff0n);
    const wide = this.options.bars?.[index - 1];
    return wide?.kind === "wide" ? Number((~(wide.size - 1n) >> 32n) & 0xffffffffn) : undefined;
  }

  store(offset: number, width: number, value: number): void {
    const isBar = offset >= BAR0 && offset < BAR0 + (this.options.buses ? 8 : 24);
    if (width === 32 && isBar) {
      const mask = this.barMask(offset) ?? 0;
      const flags = this.space.getUint32(offset, true) & (this.options.bars?.[(offset - BAR0) >> 2] ? 15 : 0) & ~mask;
      this.space.setUint32(offset, (value & mask | flags) >>> 0, true);
    } else if (width === 32) this.space.setUint32(offset, value, true);
    else if (width === 16) this.space.setUint16(offset, value, true);
    else this.space.setUint8(offset, value);
  }
}

export class PciSpace {
  readonly functions: Map<number, SimulatedFunction> = new Map();
  private selected = 0;

  constructor(private readonly machine: Machine) {
    machine.portWriters.set(CONFIG_ADDRESS, (value) => (this.selected = value));
    for (let lane = 0; lane < 4; lane++) {
      machine.portReaders.set(CONFIG_DATA + lane, (width) => this.load((this.selected & 0xfc) + lane, width));
      machine.portWriters.set(CONFIG_DATA + lane, (value, width) => this.functions.get(this.selected >> 8 & 0xffff)?.store((this.selected & 0xfc) + lane, width, value));
    }
  }

  private load(offset: number, width: number): number {
    const space = this.functions.get(this.selected >> 8 & 0xffff)?.space;
    if (!space) return 2 ** width - 1;
    return width === 8 ? space.getUint8(offset) : width === 16 ? space.getUint16(offset, true) : space.getUint32(offset, true);
  }

  /** A function there; its table of messages can be written to. */
  add(address: number, options: FunctionOptions = {}): SimulatedFunction {
    const made = new SimulatedFunction(options);
    this.functions.set(address, made);
    const { msix, bars } = options;
    const bar = msix && bars?.[msix.bar];
    if (bar) this.machine.mmio.push(new Words(bar.base + BigInt(msix.offset), BigInt(msix.vectors * ENTRY_BYTES)));
    return made;
  }
}

/** Registers that keep what is written to them. */
class Words implements MmioRange {
  private readonly words: Map<number, bigint> = new Map();
  constructor(readonly base: bigint, readonly size: bigint) {}
  load(offset: number): bigint { return this.words.get(offset) ?? 0n; }
  store(offset: number, _width: number, value: bigint): void { this.words.set(offset, value); }
}
