/**
 * A checker of FAT images, written from Microsoft's specification and from nothing of ours: what fsck.fat would find, and the tree
 * with its contents for comparison.
 */
import { fold } from "./fat-client.ts";
import { fatGet, geometryOf, type Geometry } from "./fat-image.ts";

export interface Found {
  isDirectory: boolean;
  size: number;
  chain: number[];
  /** Of the short entry on the image. */
  at: number;
  attributes: number;
  shortName: string;
  content: Uint8Array;
}

export interface Report {
  /** What makes the volume unsound, in words. */
  problems: string[];
  /** Clusters that are taken and belong to nothing. */
  lost: number;
  free: number;
  /** By path, "/a/b". */
  tree: Map<string, Found>;
  isDirty: boolean;
  /** FSInfo's count agrees. */
  isCountRight: boolean;
}

const DIRECTORY = 0x10;
const LABEL = 0x08;
const DEPTH_MOST = 64;

/** Looks at everything. */
export function fatCheck(image: Uint8Array): Report {
  return new Checker(image).run();
}

class Checker {
  private readonly geometry: Geometry;
  private readonly view: DataView;
  private readonly owners = new Map<number, string>();
  private readonly report: Report = { problems: [], lost: 0, free: 0, tree: new Map(), isDirty: false, isCountRight: true };

  constructor(private readonly image: Uint8Array) {
    this.geometry = geometryOf(image);
    this.view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  }

  run(): Report {
    const { geometry, report } = this;
    this.copies();
    const rootChain = geometry.bits === 32 ? this.chainOf("/", geometry.rootCluster) : [];
    const root = geometry.bits === 32 ? this.bytesOf(rootChain) : { bytes: this.image.subarray(geometry.rootStart, geometry.rootStart + geometry.rootBytes), places: (at: number): number => geometry.rootStart + at };
    this.directory("", root.bytes, root.places, geometry.rootCluster, geometry.rootCluster, 0);
    for (let cluster = 2; cluster < geometry.clusters + 2; cluster++) {
      const entry = fatGet(this.image, geometry, cluster);
      if (entry === 0) report.free++;
      else if (!this.owners.has(cluster) && entry !== this.bad()) report.lost++;
    }
    this.marks();
    return report;
  }

  private bad(): number { return { 12: 0xff7, 16: 0xfff7, 32: 0x0ffffff7 }[this.geometry.bits]; }
  private isEnd(entry: number): boolean { return entry > this.bad(); }
  private problem(text: string): void { this.report.problems.push(text); }

  private copies(): void {
    const { fatStart, fatBytes, fats } = this.geometry;
    for (let copy = 1; copy < fats; copy++) {
      const first = this.image.subarray(fatStart, fatStart + fatBytes);
      const other = this.image.subarray(fatStart + copy * fatBytes, fatStart + (copy + 1) * fatBytes);
      if (Buffer.compare(first, other) !== 0) this.problem("the copies of the FAT differ");
    }
  }

  private marks(): void {
    const { geometry, report, view } = this;
    const second = fatGet(this.image, geometry, 1);
    const clean = { 12: 0, 16: 0x8000, 32: 0x08000000 }[geometry.bits];
    const state = view.getUint8(geometry.bits === 32 ? 65 : 37);
    report.isDirty = (clean !== 0 && (second & clean) === 0) || (state & 1) !== 0;
    if (geometry.infoAt !== 0) report.isCountRight = view.getUint32(geometry.infoAt + 488, true) === report.free;
  }

  /** The clusters of a chain; each must be free for us. */
  private chainOf(owner: string, first: number): number[] {
    const chain: number[] = [];
    let cluster = first;
    while (!this.isEnd(cluster)) {
      if (cluster < 2 || cluster >= this.geometry.clusters + 2) {
        this.problem(`${owner}: its chain leads to ${cluster} after ${chain.length} clusters`);
        break;
      }
      const other = this.owners.get(cluster);
      if (other !== undefined) {
        this.problem(`${owner}: cluster ${cluster} is also ${other}'s`);
        break;
      }
      this.owners.set(cluster, owner);
      chain.push(cluster);
      cluster = fatGet(this.image, this.geometry, cluster);
    }
    return chain;
  }

  private bytesOf(chain: readonly number[]): { bytes: Uint8Array; places: (at: number) => number } {
    const { clusterBytes, dataStart } = this.geometry;
    const bytes = new Uint8Array(chain.length * clusterBytes);
    const place = (cluster: number): number => dataStart + (cluster - 2) * clusterBytes;
    chain.forEach((cluster, i) => bytes.set(this.image.subarray(place(cluster), place(cluster) + clusterBytes), i * clusterBytes));
    return { bytes, places: (at) => place(chain[Math.floor(at / clusterBytes)]!) + at % clusterBytes };
  }

  private directory(path: string, bytes: Uint8Array, places: (at: number) => number, self: number, parent: number, depth: number): void {
    if (depth > DEPTH_MOST) return this.problem(`${path}: too deep`);
    const names = new Set<string>();
    const shorts = new Set<string>();
    let parts: string[] = [];
    let sum = -1;
    let next = 0;
    for (let at = 0; at < bytes.length && bytes[at] !== 0; at += 32) {
      const slot = bytes.subarray(at, at + 32);
      if (slot[0] === 0xe5) {
        if (parts.length > 0) this.problem(`${path}/: parts of a name before a freed slot at ${at}`);
        parts = [];
        continue;
      }
      if ((slot[11]! & 0x3f) === 0x0f) {
        const ordinal = slot[0]!;
        if (ordinal & 0x40) {
          if (parts.length > 0) this.problem(`${path}/: parts of a name without a short entry at ${at}`);
          parts = [];
          next = ordinal & 0x3f;
          sum = slot[13]!;
        }
        if ((ordinal & 0x3f) !== next || slot[13] !== sum) this.problem(`${path}/: parts of a name out of order at ${at}`);
        next--;
        parts.unshift(longPart(slot));
        continue;
      }
      const short = String.fromCharCode(...slot.subarray(0, 11));
      if (slot[0] === 0x2e) {
        this.dots(path, slot, at, self, parent, depth);
        continue;
      }
      let name = shortName(slot);
      if (parts.length > 0) {
        if (next !== 0) this.problem(`${path}/${name}: its long name lacks parts`);
        if (checksum(slot) !== sum) this.problem(`${path}/${name}: checksum of the long name`);
        if (next === 0 && checksum(slot) === sum) name = parts.join("").split("\0")[0]!; // else every reader shows the short one
        parts = [];
      }
      if (slot[11]! & LABEL) continue;
      if (shorts.has(short)) this.problem(`${path}/: two short names ${short}`);
      shorts.add(short);
      const folded = fold(name);
      if (names.has(folded)) this.problem(`${path}/: two names ${name}`);
      names.add(folded);
      this.entry(`${path}/${name}`, slot, places(at), self, depth);
    }
    if (parts.length > 0) this.problem(`${path}/: parts of a name at the end`);
    if (depth > 0 && (bytes[0] !== 0x2e || bytes[32] !== 0x2e || bytes[33] !== 0x2e)) this.problem(`${path}: no . and ..`);
  }

  private dots(path: string, slot: Uint8Array, at: number, self: number, parent: number, depth: number): void {
    const isUp = slot[1] === 0x2e;
    if (depth === 0 || at !== (isUp ? 32 : 0)) return this.problem(`${path}: a dot entry at ${at}`);
    const expected = isUp ? (parent === this.geometry.rootCluster ? 0 : parent) : self;
    if (clusterOf(slot) !== expected) this.problem(`${path}: ${isUp ? ".." : "."} names ${clusterOf(slot)}, not ${expected}`);
  }

  private entry(path: string, slot: Uint8Array, at: number, parent: number, depth: number): void {
    const { clusterBytes } = this.geometry;
    const view = new DataView(slot.buffer, slot.byteOffset, 32);
    const isDirectory = (slot[11]! & DIRECTORY) !== 0;
    const size = view.getUint32(28, true);
    const first = clusterOf(slot);
    const chain = first === 0 ? [] : this.chainOf(path, first);
    const data = this.bytesOf(chain);
    if (!isDirectory && size > chain.length * clusterBytes) this.problem(`${path}: ${size} bytes in ${chain.length} clusters`);
    if (isDirectory && (size !== 0 || chain.length === 0)) this.problem(`${path}: a directory of size ${size} with ${chain.length} clusters`);
    const content = isDirectory ? new Uint8Array() : data.bytes.subarray(0, size);
    this.report.tree.set(path, { isDirectory, size, chain, at, attributes: slot[11]!, shortName: String.fromCharCode(...slot.subarray(0, 11)), content });
    if (isDirectory) this.directory(path, data.bytes, data.places, first, parent, depth + 1);
  }
}

function clusterOf(slot: Uint8Array): number {
  const view = new DataView(slot.buffer, slot.byteOffset, 32);
  return view.getUint16(20, true) << 16 | view.getUint16(26, true);
}

function longPart(slot: Uint8Array): string {
  let text = "";
  const view = new DataView(slot.buffer, slot.byteOffset, 32);
  for (let i = 0; i < 13; i++) {
    const at = i < 5 ? 1 + i * 2 : i < 11 ? 14 + (i - 5) * 2 : 28 + (i - 11) * 2;
    text += String.fromCharCode(view.getUint16(at, true));
  }
  return text;
}

function shortName(slot: Uint8Array): string {
  const part = (from: number, to: number, isSmall: boolean): string => {
    const letters = String.fromCharCode(...slot.subarray(from, to)).trimEnd();
    return isSmall ? letters.toLowerCase() : letters;
  };
  const extension = part(8, 11, (slot[12]! & 16) !== 0);
  const base = part(0, 8, (slot[12]! & 8) !== 0);
  return (base.charCodeAt(0) === 5 ? `\u00e5${base.slice(1)}` : base) + (extension === "" ? "" : `.${extension}`);
}

function checksum(slot: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < 11; i++) sum = (((sum & 1) << 7) + (sum >> 1) + slot[i]!) & 0xff;
  return sum;
}
