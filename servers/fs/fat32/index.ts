/**
 * Indexes of directories: where in a directory the names with a given hash are, so that a large one need not be read for each call.
 *
 * They are made by reading a directory once, follow every change, and are dropped whenever a change fails. They hold no names: whoever
 * finds a candidate reads its entry.
 *
 * Invariants  I1  an index has every entry of its directory, by the hash of its name and by that of its short name.
 *             I2  INDEXES are few: the one used longest ago makes room.
 */
import { get8 } from "../../runtime/memory";
import { DirWalk, walkBegin, walkNext } from "./directory";
import { nameHash, SHORT_BYTES } from "./name";
import { Volume } from "./volume";

const BUCKETS: u32 = 4096;
const KEPT = 8;
const NO_HOLE: u32 = 32;

export class DirIndex {
  mount: u32 = 0;
  start: u32 = 0;         // first cluster of the directory
  usedAt: u32 = 0;
  endAt: u32 = 0;         // byte of the directory behind the last entry or freed slot
  freeTotal: u32 = 0;     // freed slots
  noHoleOf: u32 = NO_HOLE; // so many freed slots in a row are known not to be there
  free: u32 = 0;          // 1 + an unused record, linked by `next`
  byName: StaticArray<u32> = new StaticArray<u32>(BUCKETS);  // 1 + record
  byShort: StaticArray<u32> = new StaticArray<u32>(BUCKETS);
  next: Array<u32> = [];
  nextShort: Array<u32> = [];
  hash: Array<u32> = [];
  shortHash: Array<u32> = [];
  cluster: Array<u32> = [];  // of the entry's first slot
  position: Array<u32> = []; // of it, in bytes of the directory
}

const INDEXES = new StaticArray<DirIndex | null>(KEPT);
let tick: u32 = 0;
const WALK = new DirWalk();

/** All indexes are worth nothing: a change failed, or the volume is another. */
export function indexesDrop(): void {
  for (let i = 0; i < KEPT; i++) INDEXES[i] = null;
}

/** The directory is gone. */
export function indexDrop(v: Volume, start: u32): void {
  for (let i = 0; i < KEPT; i++) {
    const index = INDEXES[i];
    if (index !== null && index.start == start && index.mount == v.mount) INDEXES[i] = null;
  }
}

/** The index of the directory that begins at `start`; null when it cannot be read. */
export function indexOf(v: Volume, start: u32): DirIndex | null {
  let oldest = 0;
  let oldestAt: u32 = u32.MAX_VALUE;
  for (let i = 0; i < KEPT; i++) {
    const index = INDEXES[i];
    if (index !== null && index.start == start && index.mount == v.mount) {
      index.usedAt = ++tick;
      return index;
    }
    const usedAt: u32 = index === null ? 0 : index.usedAt;
    if (usedAt >= oldestAt) continue;
    oldest = i;
    oldestAt = usedAt;
  }
  const made = indexMake(v, start);
  INDEXES[oldest] = made;
  return made;
}

function indexMake(v: Volume, start: u32): DirIndex | null {
  const index = new DirIndex();
  index.mount = v.mount;
  index.start = start;
  index.usedAt = ++tick;
  if (walkBegin(v, WALK, start, 0) < 0) return null;
  while (true) {
    const more = walkNext(v, WALK);
    if (more < 0) return null;
    if (more == 0) break;
    indexAdd(index, WALK);
  }
  index.endAt = WALK.position;
  index.freeTotal = WALK.freeTotal;
  return index;
}

export function shortHash(short: usize): u32 {
  let hash: u32 = 0x811c9dc5;
  for (let i: u32 = 0; i < SHORT_BYTES; i++) hash = (hash ^ get8(short + i)) * 0x01000193;
  return hash;
}

/** Enters the entry that `walk` stands at (its name, short slot, first cluster and position). */
export function indexAdd(index: DirIndex, walk: DirWalk): void {
  entryEnter(index, nameHash(walk.name), shortHash(walk.slot), walk.entryCluster, walk.entryPosition);
}

export function entryEnter(index: DirIndex, hash: u32, short: u32, cluster: u32, position: u32): void {
  let record = index.free;
  if (record != 0) {
    index.free = index.next[record - 1];
  } else {
    index.next.push(0);
    index.nextShort.push(0);
    index.hash.push(0);
    index.shortHash.push(0);
    index.cluster.push(0);
    index.position.push(0);
    record = index.next.length;
  }
  const at = record - 1;
  index.hash[at] = hash;
  index.shortHash[at] = short;
  index.cluster[at] = cluster;
  index.position[at] = position;
  index.next[at] = index.byName[hash % BUCKETS];
  index.byName[hash % BUCKETS] = record;
  index.nextShort[at] = index.byShort[short % BUCKETS];
  index.byShort[short % BUCKETS] = record;
}

/** Takes the entry at `position` out; `slots` of the directory are free then. */
export function indexRemove(index: DirIndex, hash: u32, short: u32, position: u32, slots: u32): void {
  const name = chainTake(index.byName, index.next, index.position, hash % BUCKETS, position);
  chainTake(index.byShort, index.nextShort, index.position, short % BUCKETS, position);
  if (name == 0) return;
  index.next[name - 1] = index.free;
  index.free = name;
  index.freeTotal += slots;
  index.noHoleOf = NO_HOLE;
}

function chainTake(heads: StaticArray<u32>, links: Array<u32>, positions: Array<u32>, bucket: u32, position: u32): u32 {
  let before: u32 = 0;
  for (let record = heads[bucket]; record != 0; record = links[record - 1]) {
    if (positions[record - 1] == position) {
      if (before == 0) heads[bucket] = links[record - 1];
      else links[before - 1] = links[record - 1];
      return record;
    }
    before = record;
  }
  return 0;
}

/** The first record whose name has that hash, after `record` (0: from the start); 0: no more. */
export function nextByName(index: DirIndex, hash: u32, record: u32): u32 {
  let at = record == 0 ? index.byName[hash % BUCKETS] : index.next[record - 1];
  while (at != 0 && index.hash[at - 1] != hash) at = index.next[at - 1];
  return at;
}

/** The same by the hash of the short name. */
export function nextByShort(index: DirIndex, hash: u32, record: u32): u32 {
  let at = record == 0 ? index.byShort[hash % BUCKETS] : index.nextShort[record - 1];
  while (at != 0 && index.shortHash[at - 1] != hash) at = index.nextShort[at - 1];
  return at;
}
