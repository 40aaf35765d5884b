/**
 * A disk that loses power: what the kernel's buffer cache and the device hold back, and what of it a cut may leave on the medium.
 *
 *   COMMITs ──▶ dirty sectors ──level by level──▶ the device's cache ──flush──▶ medium
 *   file data ─────────────────────────────────▶
 *
 * The levels are the kernel's own (kernel/services/block/write-order.ts, as wasm). Of the sectors in the device's cache any set may reach
 * the medium, so that requests of several sectors are torn; and of a sector its first words alone, if asked.
 */
import { loadKernel, type Kernel } from "../../../support/kernel.ts";
import type { FatMachine, Write } from "./fat-machine.ts";
import type { Random } from "../../../support/random.ts";

const SECTOR = 512;
const WORD = 4;
const PAGE_SECTORS = 8;
const LEVEL_MOST = 255;
/** In the kernel's memory: a StageWalk, two BlockWrites, SectorOrders of 16 bytes a page. */
const WALK = 0x02000000;
const FIRST = WALK + 64;
const LAST = WALK + 128;
const ORDERS = WALK + 4096;
const ORDER_BYTES = 16;
const STAGE_AT = 20;
const LEADS_AT = 16;

export class CrashDisk {
  readonly medium: Uint8Array;
  private readonly dirty = new Set<number>();
  private readonly cached = new Map<number, Uint8Array>();
  flushes = 0;
  /** Forced by the order of a COMMIT. */
  conflicts = 0;

  private constructor(private readonly kernel: Kernel, private readonly machine: FatMachine, private readonly onCut: () => void) {
    this.medium = machine.disk.slice();
    new Uint8Array(kernel.memory.buffer, ORDERS, machine.disk.length / SECTOR / PAGE_SECTORS * ORDER_BYTES + ORDER_BYTES).fill(0);
    machine.onCommit = (writes) => this.commit(writes);
  }

  /** Hears of each moment before a flush: the cut may be there. */
  static async attach(machine: FatMachine, onCut: () => void): Promise<CrashDisk> {
    return new CrashDisk(await loadKernel(), machine, onCut);
  }

  private logical(sector: number): Uint8Array { return this.machine.disk.slice(sector * SECTOR, (sector + 1) * SECTOR); }
  private order(sector: number): number { return ORDERS + Math.floor(sector / PAGE_SECTORS) * ORDER_BYTES; }

  /** The writes stand in the machine's disk already; what must be written out before them must not see them. */
  private commit(writes: readonly Write[]): void {
    if (!this.place(writes, 0)) {
      this.conflicts++;
      const sectors = sectorsOf(writes);
      const fresh = new Map([...sectors].map((sector) => [sector, this.logical(sector)]));
      for (const [sector] of fresh) this.machine.disk.set(this.before.get(sector) ?? this.logical(sector), sector * SECTOR);
      this.writeOut();
      for (const [sector, bytes] of fresh) this.machine.disk.set(bytes, sector * SECTOR);
      if (!this.place(writes, 0)) throw new Error("an empty buffer cache has no room for a COMMIT");
    }
    this.place(writes, 1);
    for (const sector of sectorsOf(writes)) {
      this.dirty.add(sector);
      this.before.set(sector, this.logical(sector));
    }
  }
  /** Contents of sectors as the commits before left them. */
  private readonly before = new Map<number, Uint8Array>();

  private place(writes: readonly Write[], isFinal: number): boolean {
    const { exports, memory } = this.kernel;
    const view = new DataView(memory.buffer);
    view.setUint32(FIRST + STAGE_AT, writes[0]!.stage, true);
    view.setUint32(LAST + STAGE_AT, writes.at(-1)!.stage, true);
    exports["stageBegin"](WALK, FIRST, LAST, this.dirty.size > 0 ? this.leads : 0);
    for (const write of writes) {
      exports["stageEnter"](WALK, write.stage);
      for (const sector of sectorsOf([write])) {
        const isDirty = this.dirty.has(sector) ? 1 : 0;
        if (!exports["sectorPlace"](WALK, this.order(sector), sector % PAGE_SECTORS, isDirty, isFinal)) return false;
      }
    }
    if (isFinal) this.leads = view.getUint32(WALK + LEADS_AT, true);
    return true;
  }
  private leads = 0;

  /** File data on its way. */
  data(offset: number, bytes: number): void {
    for (let sector = Math.floor(offset / SECTOR); sector * SECTOR < offset + bytes; sector++) {
      this.cached.set(sector, this.logical(sector));
      this.forget(sector); // buffersForget
    }
  }

  private forget(sector: number): void {
    this.dirty.delete(sector);
    this.before.delete(sector);
    this.kernel.exports["orderForget"](this.order(sector), 1 << sector % PAGE_SECTORS);
  }

  /** buffersWrite. */
  writeOut(): void {
    for (let level = 0; level <= LEVEL_MOST && this.dirty.size > 0; level++) {
      let isAny = false;
      for (const sector of [...this.dirty]) {
        const mask = 1 << sector % PAGE_SECTORS;
        if (this.kernel.exports["maskAtLevel"](this.order(sector), mask, level) !== mask) continue;
        this.cached.set(sector, this.logical(sector));
        this.forget(sector);
        isAny = true;
      }
      if (isAny) this.flush();
    }
    if (this.dirty.size > 0) throw new Error("dirty sectors without a level");
  }

  flush(): void {
    this.flushes++;
    this.onCut();
    for (const [sector, bytes] of this.cached) this.medium.set(bytes, sector * SECTOR);
    this.cached.clear();
  }

  /** The medium if power is cut now, with `percent` of the cached sectors written, and `tear` percent of those in part. */
  cut(random: Random, percent: number, tear: number): Uint8Array {
    const image = this.medium.slice();
    for (const [sector, bytes] of this.cached) {
      if (!random.chance(percent)) continue;
      const end = random.chance(tear) ? random.below(SECTOR / WORD) * WORD : SECTOR;
      image.set(bytes.subarray(0, end), sector * SECTOR);
    }
    return image;
  }
}

function sectorsOf(writes: readonly Write[]): Set<number> {
  const sectors = new Set<number>();
  for (const { offset, bytes } of writes) for (let at = offset; at < offset + bytes.length; at += SECTOR) sectors.add(at / SECTOR);
  return sectors;
}
