/**
 * Directories: walking their entries, finding a name, making and deleting entries.
 *
 * An entry is a run of slots of 32 bytes: parts of the long name from the last to the first, then the short entry, which carries
 * everything else. The run may cross clusters.
 */
import { get16, get8, put16, room } from "../../runtime/memory";
import { Attribute, CaseFlag, Err, FREED, Long, LONG_CHARS, LONG_LAST, Slot } from "./layout";
import { Name, nameEncode, nameMend, shortChecksum, shortDecode } from "./name";
import { chainNext, clusterFind, clusterTake, isError, chainSeek, Place } from "./table";
import { contentsFirst, freshSectors, sector, Stage, stageSet, tableStageSet } from "./transaction";
import { clusterAt, deviceRead, directoryBytes, isCluster, ShortNames, Volume } from "./volume";

const SLOT: u32 = Slot.BYTES;
/** Slots of the longest entry: 20 with parts of a name, and the short one. */
const RUN_MAX: u32 = 21;
const CLUSTER: usize = room(65536);

/** Where a walk through a directory stands, and the entry it found last. */
export class DirWalk {
  cluster: u32 = 0;       // whose bytes stand in CLUSTER
  clusterIndex: u32 = 0;
  limit: u32 = 0;         // the directory ends there at the latest
  position: u32 = 0;      // byte of the directory behind the last slot looked at
  isAtEnd: bool = false;
  freeAt: u32 = 0;        // byte where the free slots before `position` begin
  freeRun: u32 = 0;
  freeTotal: u32 = 0;     // freed slots seen
  // The entry:
  name: Name = new Name();
  entryCluster: u32 = 0;  // of its first slot
  entryPosition: u32 = 0; // of that, in bytes of the directory
  run: u32 = 0;           // slots of it
  places: StaticArray<u64> = new StaticArray<u64>(RUN_MAX); // each on the device; the last is the short entry's
  slot: usize = 0;        // the short entry, in CLUSTER: until the next one is read
  shortHash: u32 = 0;     // of its short name, when nameFind found it
}

let longLeft: u32 = 0;
let longSum: u32 = 0;

/** Begins at byte `position` of the directory whose first cluster is `start`. 0 or EIO; isAtEnd when there is nothing. */
export function walkBegin(v: Volume, walk: DirWalk, start: u32, position: u32): i32 {
  walkReset(walk, position, directoryBytes(v, start));
  if (position >= walk.limit) {
    walk.isAtEnd = true;
    return 0;
  }
  const failed = chainSeek(v, start, position / v.clusterBytes, PLACE);
  if (failed < 0) return failed;
  walk.cluster = PLACE.cluster;
  walk.clusterIndex = PLACE.index;
  if (PLACE.index != position / v.clusterBytes) {
    walk.isAtEnd = true;
    return 0;
  }
  return deviceRead(v.mount, clusterAt(v, walk.cluster), CLUSTER, v.clusterBytes);
}
const PLACE = new Place();

function walkReset(walk: DirWalk, position: u32, limit: u32): void {
  walk.position = position;
  walk.limit = limit;
  walk.isAtEnd = false;
  walk.freeRun = 0;
  walk.freeTotal = 0;
  walk.run = 0;
  longLeft = 0;
}

/** Begins at an entry of which an index tells the cluster. */
export function walkBeginAt(v: Volume, walk: DirWalk, cluster: u32, position: u32): i32 {
  walkReset(walk, position, u32.MAX_VALUE);
  walk.cluster = cluster;
  walk.clusterIndex = position / v.clusterBytes;
  return deviceRead(v.mount, clusterAt(v, cluster), CLUSTER, v.clusterBytes);
}

/** Goes to the next cluster when the last one is used up. 0, or EIO; isAtEnd at the end of the chain. */
function clusterNeed(v: Volume, walk: DirWalk): i32 {
  if (walk.position < walk.limit && walk.position / v.clusterBytes == walk.clusterIndex) return 0;
  const next = walk.position < walk.limit ? chainNext(v, walk.cluster) : 0;
  if (isError(next)) return Err.IO;
  if (next == 0) {
    walk.isAtEnd = true;
    return 0;
  }
  walk.cluster = next;
  walk.clusterIndex++;
  return deviceRead(v.mount, clusterAt(v, next), CLUSTER, v.clusterBytes);
}

/** The next entry but labels, "." and "..": 1, 0 at the end, EIO. Free slots are counted on the way. */
export function walkNext(v: Volume, walk: DirWalk): i32 {
  walk.run = 0;
  longLeft = 0;
  while (!walk.isAtEnd) {
    const failed = clusterNeed(v, walk);
    if (failed < 0) return failed;
    if (walk.isAtEnd) break;
    const at = CLUSTER + walk.position % v.clusterBytes;
    const head = get8(at);
    if (head == 0) {
      walk.isAtEnd = true; // position stays: free slots from here on
      break;
    }
    const place = clusterAt(v, walk.cluster) + walk.position % v.clusterBytes;
    freeCount(walk, head == FREED);
    walk.position += SLOT;
    if (head == FREED) {
      walk.run = 0;
      longLeft = 0;
    } else if ((get8(at + Slot.ATTRIBUTES) & Attribute.LONG_MASK) == <u32>Attribute.LONG) {
      longTake(walk, at, place);
    } else if (shortTake(v, walk, at, place)) {
      return 1;
    }
  }
  return 0;
}

function freeCount(walk: DirWalk, isFree: bool): void {
  if (isFree) walk.freeTotal++;
  if (!isFree) walk.freeRun = 0;
  else if (walk.freeRun++ == 0) walk.freeAt = walk.position;
}

/** The slot looked at is the first of an entry. */
function startNote(walk: DirWalk): void {
  walk.entryCluster = walk.cluster;
  walk.entryPosition = walk.position - SLOT;
}

function longTake(walk: DirWalk, at: usize, place: u64): void {
  const ordinal = get8(at);
  const number = ordinal & 0x3f;
  if (ordinal & LONG_LAST) {
    walk.run = 0;
    longLeft = number <= 20 ? number : 0;
    longSum = get8(at + Long.CHECKSUM);
    walk.name.length = longLeft * LONG_CHARS;
    startNote(walk);
  } else if (number != longLeft || longSum != get8(at + Long.CHECKSUM)) {
    longLeft = 0;
  }
  if (longLeft == 0) {
    walk.run = 0;
    return;
  }
  walk.places[walk.run++] = place;
  longLeft--;
  for (let i: u32 = 0; i < LONG_CHARS; i++) {
    const unit = get16(at + longUnitAt(i));
    const index = longLeft * LONG_CHARS + i;
    if (unit == 0 && index < walk.name.length) walk.name.length = index;
    walk.name.units[index] = <u16>unit;
  }
  if (longLeft == 0) longLeft = LONG_DONE;
}
/** The whole long name was read: a short entry must follow. */
const LONG_DONE: u32 = 0x100;

/** Where unit `index` of a part of a name lies in its slot. */
export function longUnitAt(index: u32): u32 {
  return index < 5 ? 1 + index * 2 : index < 11 ? 14 + (index - 5) * 2 : 28 + (index - 11) * 2;
}

/** How the letters of a short name without a long one show. */
function casesOf(v: Volume, slot: usize): u32 {
  if (v.shortNames == ShortNames.FLAGS) return get8(slot + Slot.CASE);
  return v.shortNames == ShortNames.SMALL ? <u32>CaseFlag.BASE | <u32>CaseFlag.EXTENSION : 0;
}

/** True for an entry to show. */
function shortTake(v: Volume, walk: DirWalk, at: usize, place: u64): bool {
  const hasLong = longLeft == LONG_DONE && shortChecksum(at) == longSum && walk.name.length != 0;
  longLeft = 0;
  if (!hasLong) {
    walk.run = 0;
    startNote(walk);
  }
  const isShown = (get8(at + Slot.ATTRIBUTES) & Attribute.LABEL) == 0 && get8(at) != 0x2e;
  if (!isShown) {
    walk.run = 0;
    return false;
  }
  if (!hasLong) shortDecode(walk.name, at, casesOf(v, at));
  nameMend(walk.name);
  walk.places[walk.run++] = place;
  walk.slot = at;
  return true;
}

/** True for a directory without entries, false, or EIO as -5. */
export function isEmpty(v: Volume, walk: DirWalk, start: u32): i32 {
  const failed = walkBegin(v, walk, start, 0);
  if (failed < 0) return failed;
  const more = walkNext(v, walk);
  return more < 0 ? more : more == 0 ? 1 : 0;
}

/** Directories in the directory that begins at `start`, as far as it can be read. */
export function subdirectories(v: Volume, walk: DirWalk, start: u32): u32 {
  let count: u32 = 0;
  let more = walkBegin(v, walk, start, 0) < 0 ? 0 : walkNext(v, walk);
  while (more > 0) {
    if (slotIsDirectory(walk.slot)) count++;
    more = walkNext(v, walk);
  }
  return count;
}

/** First cluster that a short entry names; 0 for none. Before FAT32 the upper half meant something else. */
export function slotCluster(v: Volume, slot: usize): u32 {
  return (v.bits == 32 ? get16(slot + Slot.CLUSTER_HIGH) << 16 : 0) | get16(slot + Slot.CLUSTER_LOW);
}

export function slotClusterSet(v: Volume, slot: usize, cluster: u32): void {
  if (v.bits == 32) put16(slot + Slot.CLUSTER_HIGH, cluster >> 16);
  put16(slot + Slot.CLUSTER_LOW, cluster & 0xffff);
}

export function slotIsDirectory(slot: usize): bool { return (get8(slot + Slot.ATTRIBUTES) & Attribute.DIRECTORY) != 0; }

/** How often the entry in a slot was moved (CaseFlag.MOVED), and the bits that say so. */
export function movesOf(slot: usize): u32 { return get8(slot + Slot.CASE) >> 6 | get8(slot + Slot.CASE) & 4; }
export function movesBits(moves: u32): u32 { return (moves & 3) << 6 | moves & 4; }

/** The slot at `place` of the device, to be changed in the transaction; 0 when it cannot be read. */
export function slotAt(v: Volume, place: u64): usize {
  const at = sector(v, place & ~511);
  return at == 0 ? 0 : at + <usize>(place & 511);
}

/** The first run of `wanted` freed slots before `endAt`; `endAt` when there is none; EIO. */
export function holeFind(v: Volume, walk: DirWalk, start: u32, wanted: u32, endAt: u32): i64 {
  const failed = walkBegin(v, walk, start, 0);
  if (failed < 0) return failed;
  let run: u32 = 0;
  while (walk.position < endAt) {
    const bad = clusterNeed(v, walk);
    if (bad < 0) return bad;
    if (walk.isAtEnd) break;
    const isFree = get8(CLUSTER + walk.position % v.clusterBytes) == FREED;
    run = isFree ? run + 1 : 0;
    walk.position += SLOT;
    if (run == wanted) return walk.position - run * SLOT;
  }
  return endAt;
}

/** A zeroed cluster behind `after` (0: a chain of its own) in the transaction: its number, 0 when the volume is full, EIO as u32. */
export function clusterAdd(v: Volume, after: u32): u32 {
  const cluster = clusterFind(v, after);
  if (cluster == 0 || isError(cluster)) return cluster;
  if (after != 0) {
    contentsFirst();
    tableStageSet(Stage.ENTRY);
  }
  clusterTake(v, cluster, after);
  tableStageSet(Stage.TABLE);
  stageSet(after != 0 ? Stage.GROWTH : Stage.CONTENTS);
  freshSectors(clusterAt(v, cluster), v.clusterBytes);
  stageSet(Stage.ENTRY);
  return cluster;
}

/** The UTF-8 of the entry the walk found. */
export function entryName(walk: DirWalk, at: usize): u32 { return nameEncode(walk.name, at); }

/** Reads the short entry at `place` to `to` (32 bytes), as it is on the device. */
export function slotRead(v: Volume, place: u64, to: usize): i32 { return deviceRead(v.mount, place, to, SLOT); }

/** False for a first cluster that cannot be one. */
export function startIsSound(v: Volume, cluster: u32): bool { return cluster == 0 || cluster == v.rootCluster || isCluster(v, cluster); }
