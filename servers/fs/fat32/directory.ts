/**
 * Directories: walking their entries, finding a name, making and deleting entries.
 *
 * An entry is a run of slots of 32 bytes: parts of the long name from the last to the first, then the short entry, which carries
 * everything else. The run may cross clusters.
 */
import { bytesCopy, get16, get8, put16, put32, put8, room } from "../../runtime/memory";
import { Attribute, Err, FREED, Long, LONG_CHARS, LONG_LAST, Slot } from "./layout";
import {
  aliasBasis, aliasMake, aliasNumber, Name, nameEncode, nameSame, shortChecksum, shortDecode, shortEncode, SHORT_BYTES,
} from "./name";
import { chainNext, clusterFind, clusterTake, isError, chainSeek, Place } from "./table";
import { freshSectors, sector } from "./transaction";
import { clusterAt, deviceRead, isCluster, Volume } from "./volume";

const SLOT: u32 = Slot.BYTES;
/** Slots of the longest entry: 20 with parts of a name, and the short one. */
const RUN_MAX: u32 = 21;
/** 2 MiB, as Windows allows. */
const DIRECTORY_BYTES: u32 = 65536 * SLOT;
const CLUSTER: usize = room(65536);
const ALIASES_MOST: u32 = 65536;
const TAKEN = new StaticArray<u8>(8192);
const SHORT: usize = room(16);
const BASIS: usize = room(16);

/** Where a walk through a directory stands, and the entry it found last. */
export class DirWalk {
  cluster: u32 = 0;       // whose bytes stand in CLUSTER
  clusterIndex: u32 = 0;
  position: u32 = 0;      // byte of the directory behind the last slot looked at
  isAtEnd: bool = false;
  freeAt: u32 = 0;        // byte where the free slots before `position` begin
  freeRun: u32 = 0;
  freeTotal: u32 = 0;     // freed slots seen
  // The entry:
  name: Name = new Name();
  run: u32 = 0;           // slots of it
  places: StaticArray<u64> = new StaticArray<u64>(RUN_MAX); // each on the device; the last is the short entry's
  slot: usize = 0;        // the short entry, in CLUSTER
}

let first: u32 = 0;
let longLeft: u32 = 0;
let longSum: u32 = 0;

/** Begins at byte `position` of the directory whose first cluster is `start`. 0 or EIO; isAtEnd when there is nothing. */
export function walkBegin(v: Volume, walk: DirWalk, start: u32, position: u32): i32 {
  first = start;
  walk.position = position;
  walk.isAtEnd = false;
  walk.freeRun = 0;
  walk.freeTotal = 0;
  walk.run = 0;
  longLeft = 0;
  if (position >= DIRECTORY_BYTES) {
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

/** Goes to the next cluster when the last one is used up. 0, or EIO; isAtEnd at the end of the chain. */
function clusterNeed(v: Volume, walk: DirWalk): i32 {
  if (walk.position / v.clusterBytes == walk.clusterIndex) return 0;
  const next = walk.position < DIRECTORY_BYTES ? chainNext(v, walk.cluster) : 0;
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
    } else if (shortTake(walk, at, place)) {
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

function longTake(walk: DirWalk, at: usize, place: u64): void {
  const ordinal = get8(at);
  const number = ordinal & 0x3f;
  if (ordinal & LONG_LAST) {
    walk.run = 0;
    longLeft = number <= 20 ? number : 0;
    longSum = get8(at + Long.CHECKSUM);
    walk.name.length = longLeft * LONG_CHARS;
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
function longUnitAt(index: u32): u32 {
  return index < 5 ? 1 + index * 2 : index < 11 ? 14 + (index - 5) * 2 : 28 + (index - 11) * 2;
}

/** True for an entry to show. */
function shortTake(walk: DirWalk, at: usize, place: u64): bool {
  const hasLong = longLeft == LONG_DONE && shortChecksum(at) == longSum && walk.name.length != 0;
  longLeft = 0;
  if (!hasLong) walk.run = 0;
  const isShown = (get8(at + Slot.ATTRIBUTES) & Attribute.LABEL) == 0 && get8(at) != 0x2e;
  if (!isShown) {
    walk.run = 0;
    return false;
  }
  if (!hasLong) shortDecode(walk.name, at);
  walk.places[walk.run++] = place;
  walk.slot = at;
  return true;
}

/** Finds `name` in the directory that begins at `start`: 1, 0 when it is not there, EIO. */
export function nameFind(v: Volume, walk: DirWalk, start: u32, name: Name): i32 {
  const failed = walkBegin(v, walk, start, 0);
  if (failed < 0) return failed;
  for (let more = walkNext(v, walk); more != 0; more = walkNext(v, walk)) {
    if (more < 0 || nameSame(walk.name, name)) return more;
  }
  return 0;
}

/** True for a directory without entries, false, or EIO as -5. */
export function isEmpty(v: Volume, walk: DirWalk, start: u32): i32 {
  const failed = walkBegin(v, walk, start, 0);
  if (failed < 0) return failed;
  const more = walkNext(v, walk);
  return more < 0 ? more : more == 0 ? 1 : 0;
}

/** First cluster that a short entry names; 0 for none. */
export function slotCluster(slot: usize): u32 { return get16(slot + Slot.CLUSTER_HIGH) << 16 | get16(slot + Slot.CLUSTER_LOW); }

export function slotClusterSet(slot: usize, cluster: u32): void {
  put16(slot + Slot.CLUSTER_HIGH, cluster >> 16);
  put16(slot + Slot.CLUSTER_LOW, cluster & 0xffff);
}

export function slotIsDirectory(slot: usize): bool { return (get8(slot + Slot.ATTRIBUTES) & Attribute.DIRECTORY) != 0; }

/** The slot at `place` of the device, to be changed in the transaction; 0 when it cannot be read. */
export function slotAt(v: Volume, place: u64): usize {
  const at = sector(v, place & ~511);
  return at == 0 ? 0 : at + <usize>(place & 511);
}

/** Deletes the slots of the entry that `walk` found. */
export function entryDelete(v: Volume, walk: DirWalk): void {
  for (let i: u32 = 0; i < walk.run; i++) {
    const slot = slotAt(v, walk.places[i]);
    if (slot != 0) put8(slot, FREED);
  }
}

// ---- Making entries ----

/** What entryMake is to write, and where it went. */
export class NewEntry {
  place: u64 = 0;         // of the short entry
  grew: bool = false;     // the directory got a cluster
}

/**
 * Writes an entry `name` whose short slot is a copy of `template` but for the name, into the directory that begins at `start`, in the
 * transaction. `skip` is an entry about to be deleted, whose short name does not count (null: none). 0, NOSPC, EIO. The name is allowed
 * and not there.
 */
export function entryMake(v: Volume, walk: DirWalk, start: u32, name: Name, template: usize, skipPlace: u64, out: NewEntry): i32 {
  const flags = shortEncode(name, SHORT);
  const baseLength = aliasBasis(name, BASIS);
  let parts: u32 = flags >= 0 ? 0 : (name.length + LONG_CHARS - 1) / LONG_CHARS;
  const most = parts != 0 ? parts + 1 : (name.length + LONG_CHARS - 1) / LONG_CHARS + 1;
  const taken = aliasesScan(v, walk, start, baseLength, skipPlace);
  if (taken < 0) return taken;
  if (taken == 1 && parts == 0) parts = most - 1; // its plain short name is another file's alias
  if (parts != 0) {
    const number = aliasFree();
    if (number == 0) return Err.NOSPC;
    bytesCopy(SHORT, BASIS, SHORT_BYTES);
    aliasMake(SHORT, baseLength, number);
  }
  const failed = placesFind(v, walk, start, parts + 1, out);
  if (failed < 0) return failed;
  partsWrite(v, walk, name, parts);
  const slot = slotAt(v, walk.places[parts]);
  if (slot == 0) return Err.IO;
  bytesCopy(slot, template, SLOT);
  bytesCopy(slot, SHORT, SHORT_BYTES);
  put8(slot + Slot.CASE, parts == 0 ? flags : 0);
  out.place = walk.places[parts];
  return 0;
}

/** Looks at every entry: 1 when SHORT is some other's short name, 0 else; which aliases of BASIS are taken. */
function aliasesScan(v: Volume, walk: DirWalk, start: u32, baseLength: u32, skipPlace: u64): i32 {
  for (let i = 0; i < 8192; i++) TAKEN[i] = 0;
  let isTaken = 0;
  const failed = walkBegin(v, walk, start, 0);
  if (failed < 0) return failed;
  while (true) {
    const more = walkNext(v, walk);
    if (more < 0) return more;
    if (more == 0) break;
    const place = walk.places[walk.run - 1];
    if (place == skipPlace) continue;
    if (isTaken == 0 && shortIsSame(walk.slot)) isTaken = 1;
    const number = aliasNumber(walk.slot, BASIS, baseLength);
    if (number < ALIASES_MOST) TAKEN[number >> 3] |= <u8>(<u32>1 << (number & 7));
  }
  return isTaken;
}

function shortIsSame(slot: usize): bool {
  for (let i: u32 = 0; i < SHORT_BYTES; i++) if (get8(slot + i) != get8(SHORT + i)) return false;
  return true;
}

function aliasFree(): u32 {
  for (let number: u32 = 1; number < ALIASES_MOST; number++) if (!(TAKEN[number >> 3] & <u8>(<u32>1 << (number & 7)))) return number;
  return 0;
}

/** Finds `wanted` free slots in a row, at the end if need be, and puts their places into the walk. 0, NOSPC, EIO. */
function placesFind(v: Volume, walk: DirWalk, start: u32, wanted: u32, out: NewEntry): i32 {
  const endAt = walk.position; // where the walk ended: nothing but free slots from here on
  let from = endAt;
  if (walk.freeRun != 0 && walk.freeAt + walk.freeRun * SLOT == endAt) from = walk.freeAt;
  const hole: i64 = walk.freeTotal >= wanted ? holeFind(v, walk, start, wanted, endAt) : endAt;
  if (hole < 0) return <i32>hole;
  if (hole != <i64>endAt) from = <u32>hole;
  if (from + wanted * SLOT > DIRECTORY_BYTES) return Err.NOSPC;
  return placesTake(v, walk, start, from, wanted, endAt, out);
}

/** The first run of `wanted` freed slots before `endAt`; `endAt` when there is none; EIO. */
function holeFind(v: Volume, walk: DirWalk, start: u32, wanted: u32, endAt: u32): i64 {
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

/** Puts the places of slots [from, from + wanted) into the walk, with a new cluster when they reach beyond the last. */
function placesTake(v: Volume, walk: DirWalk, start: u32, from: u32, wanted: u32, endAt: u32, out: NewEntry): i32 {
  let failed = chainSeek(v, start, from / v.clusterBytes, PLACE);
  if (failed < 0) return failed;
  let cluster = PLACE.cluster;
  let index = PLACE.index;
  const end = from + wanted * SLOT;
  for (let at = from; at < end; at += SLOT) {
    while (index < at / v.clusterBytes) {
      let next = chainNext(v, cluster);
      if (isError(next)) return Err.IO;
      if (next == 0) {
        next = clusterAdd(v, cluster);
        if (isError(next) || next == 0) return next == 0 ? Err.NOSPC : Err.IO;
        out.grew = true;
      }
      cluster = next;
      index++;
    }
    walk.places[(at - from) / SLOT] = clusterAt(v, cluster) + at % v.clusterBytes;
  }
  // The mark of the end moves behind what was its place, should the cluster go on.
  if (end > endAt && end % v.clusterBytes != 0 && !out.grew) {
    const slot = slotAt(v, clusterAt(v, cluster) + end % v.clusterBytes);
    if (slot == 0) return Err.IO;
    put8(slot, 0);
  }
  walk.run = wanted;
  return 0;
}

/** A zeroed cluster behind `after` (0: a chain of its own) in the transaction: its number, 0 when the volume is full, EIO as u32. */
export function clusterAdd(v: Volume, after: u32): u32 {
  const cluster = clusterFind(v, after);
  if (cluster == 0 || isError(cluster)) return cluster;
  clusterTake(v, cluster, after);
  freshSectors(clusterAt(v, cluster), v.clusterBytes);
  return cluster;
}

/** The parts of the long name go into the first `parts` places, the last part first. */
function partsWrite(v: Volume, walk: DirWalk, name: Name, parts: u32): void {
  const sum = shortChecksum(SHORT);
  for (let i: u32 = 0; i < parts; i++) {
    const number = parts - i;
    const slot = slotAt(v, walk.places[i]);
    if (slot == 0) return; // commit will fail
    put8(slot + Long.ORDINAL, i == 0 ? number | LONG_LAST : number);
    put8(slot + Long.ATTRIBUTES, Attribute.LONG);
    put8(slot + Long.TYPE, 0);
    put8(slot + Long.CHECKSUM, sum);
    put16(slot + Long.CLUSTER, 0);
    for (let k: u32 = 0; k < LONG_CHARS; k++) {
      const index = (number - 1) * LONG_CHARS + k;
      put16(slot + longUnitAt(k), index < name.length ? name.units[index] : index == name.length ? 0 : 0xffff);
    }
  }
}

/** "." and ".." of a new directory (whose cluster was zeroed in the transaction): short entries like `template`. */
export function dotsWrite(v: Volume, cluster: u32, parent: u32, template: usize): void {
  for (let i: u32 = 0; i < 2; i++) {
    const slot = slotAt(v, clusterAt(v, cluster) + i * SLOT);
    if (slot == 0) return;
    bytesCopy(slot, template, SLOT);
    for (let k: u32 = 0; k < SHORT_BYTES; k++) put8(slot + k, k <= i ? 0x2e : 0x20);
    put8(slot + Slot.CASE, 0);
    slotClusterSet(slot, i == 0 ? cluster : parent);
    put32(slot + Slot.SIZE, 0);
  }
}

/** The UTF-8 of the entry the walk found. */
export function entryName(walk: DirWalk, at: usize): u32 { return nameEncode(walk.name, at); }

/** Reads the short entry at `place` to `to` (32 bytes), as it is on the device. */
export function slotRead(v: Volume, place: u64, to: usize): i32 { return deviceRead(v.mount, place, to, SLOT); }

/** False for a first cluster that cannot be one. */
export function startIsSound(v: Volume, cluster: u32): bool { return cluster == 0 || isCluster(v, cluster); }
