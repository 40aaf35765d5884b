/**
 * Names in directories: finding, making and deleting them, with the help of the directory's index.
 *
 * Changes stand in the transaction; the index follows at once and is dropped when the transaction fails (methods.ts).
 */
import { bytesCopy, bytesSame, get8, put16, put32, put8, room } from "../../runtime/memory";
import { clusterAdd, DirWalk, holeFind, longUnitAt, slotAt, slotClusterSet, walkBeginAt, walkNext } from "./directory";
import { DirIndex, entryEnter, indexOf, indexRemove, nextByName, nextByShort, shortHash } from "./index";
import { Attribute, CaseFlag, Err, FREED, Long, LONG_CHARS, LONG_LAST, Slot } from "./layout";
import { aliasBasis, aliasEncode, aliasHashed, aliasMake, Name, nameHash, nameSame, SHORT_BYTES, shortChecksum, shortEncode } from "./name";
import { chainNext, chainSeek, isError, Place } from "./table";
import { clusterAt, directoryBytes, ShortNames, Volume } from "./volume";

const SLOT: u32 = Slot.BYTES;
/** Aliases "~1" to "~4" of a name are tried, then ones made of its hash. */
const ALIASES_PLAIN: u32 = 4;
const ALIASES_HASHED: u32 = 1000;
const SHORT: usize = room(16);
const BASIS: usize = room(16);
const PLACE = new Place();
const PROBE = new DirWalk();

/** Finds `name` in the directory that begins at `start`: 1 and `walk` stands at it, 0 when it is not there, EIO. */
export function nameFind(v: Volume, walk: DirWalk, start: u32, name: Name): i32 {
  const index = indexOf(v, start);
  if (index === null) return Err.IO;
  const hash = nameHash(name);
  for (let record = nextByName(index, hash, 0); record != 0; record = nextByName(index, hash, record)) {
    const found = recordRead(v, walk, index, record);
    if (found < 0) return found;
    if (found != 1 || !nameSame(walk.name, name)) continue;
    walk.shortHash = shortHash(walk.slot);
    return 1;
  }
  return 0;
}

/** Finds the entry whose short name is `name`, though it is listed by a long one: as nameFind. */
export function aliasFind(v: Volume, walk: DirWalk, start: u32, name: Name): i32 {
  const index = indexOf(v, start);
  if (index === null) return Err.IO;
  return aliasEncode(name, SHORT) ? shortFind(v, walk, index) : 0;
}

/** Makes `walk` stand at the entry of a record: 1, or EIO. */
function recordRead(v: Volume, walk: DirWalk, index: DirIndex, record: u32): i32 {
  const failed = walkBeginAt(v, walk, index.cluster[record - 1], index.position[record - 1]);
  if (failed < 0) return failed;
  return walkNext(v, walk) == 1 ? 1 : Err.IO;
}

/** Deletes the slots of the entry that `walk` found in the directory that begins at `start`. */
export function entryDelete(v: Volume, walk: DirWalk, start: u32): void {
  const index = indexOf(v, start);
  if (index !== null) indexRemove(index, nameHash(walk.name), walk.shortHash, walk.entryPosition, walk.run);
  for (let i: u32 = 0; i < walk.run; i++) {
    const slot = slotAt(v, walk.places[i]);
    if (slot != 0) put8(slot, FREED);
  }
}

/**
 * Writes an entry `name` whose short slot is a copy of `template` but for the name, into the directory that begins at `start`. The
 * name is allowed and not there. `walk` stands at it then. 0, NOSPC, EIO.
 */
export function entryMake(v: Volume, walk: DirWalk, start: u32, name: Name, template: usize): i32 {
  const index = indexOf(v, start);
  if (index === null) return Err.IO;
  const flags = shortEncode(name, SHORT);
  const isSpelt = flags >= 0 && (v.shortNames == ShortNames.FLAGS || <u32>flags == 0); // by the short entry alone
  let isTaken = !isSpelt ? 1 : shortFind(v, PROBE, index);
  if (isTaken < 0) return isTaken;
  const parts: u32 = isTaken == 0 ? 0 : (name.length + LONG_CHARS - 1) / LONG_CHARS;
  if (parts != 0) isTaken = aliasChoose(v, index, name);
  if (isTaken != 0) return isTaken < 0 ? isTaken : Err.NOSPC;
  const failed = placesFind(v, walk, start, parts + 1, index);
  if (failed < 0) return failed;
  partsWrite(v, walk, name, parts);
  const slot = slotAt(v, walk.places[parts]);
  if (slot == 0) return Err.IO;
  bytesCopy(slot, template, SLOT);
  bytesCopy(slot, SHORT, SHORT_BYTES);
  put8(slot + Slot.CASE, (parts == 0 ? flags : 0) | get8(template + Slot.CASE) & CaseFlag.MOVED);
  walk.slot = slot;
  entryEnter(index, nameHash(name), shortHash(SHORT), walk.entryCluster, walk.entryPosition);
  return 0;
}

/** Makes the entry that `walk` stands at a copy of `template` but for its name: the file it was is replaced in one sector. 0 or EIO. */
export function entryReplace(v: Volume, walk: DirWalk, template: usize): i32 {
  const slot = slotAt(v, walk.places[walk.run - 1]);
  if (slot == 0) return Err.IO;
  const cases = get8(slot + Slot.CASE) & (CaseFlag.BASE | CaseFlag.EXTENSION);
  bytesCopy(slot + SHORT_BYTES, template + SHORT_BYTES, SLOT - SHORT_BYTES);
  put8(slot + Slot.CASE, cases | get8(template + Slot.CASE) & CaseFlag.MOVED);
  return 0;
}

/** Gives the entry that `walk` has just found another spelling of its name, in its place where that can be. 0, NOSPC, EIO. */
export function entryRespell(v: Volume, walk: DirWalk, start: u32, name: Name, template: usize): i32 {
  bytesCopy(SHORT, walk.slot, SHORT_BYTES);
  if (walk.run > 1) {
    partsWrite(v, walk, name, walk.run - 1);
    return 0;
  }
  const flags = shortEncode(name, BASIS);
  if (flags >= 0 && v.shortNames == ShortNames.FLAGS && bytesSame(BASIS, SHORT, SHORT_BYTES)) {
    const slot = slotAt(v, walk.places[0]);
    if (slot == 0) return Err.IO;
    put8(slot + Slot.CASE, flags | get8(slot + Slot.CASE) & CaseFlag.MOVED);
    return 0;
  }
  entryDelete(v, walk, start);
  return entryMake(v, walk, start, name, template);
}

/** 1 when SHORT is an entry's short name, at which `walk` stands then; 0, or EIO. */
function shortFind(v: Volume, walk: DirWalk, index: DirIndex): i32 {
  const hash = shortHash(SHORT);
  for (let record = nextByShort(index, hash, 0); record != 0; record = nextByShort(index, hash, record)) {
    const found = recordRead(v, walk, index, record);
    if (found < 0) return found;
    if (bytesSame(walk.slot, SHORT, SHORT_BYTES)) return 1;
  }
  return 0;
}

/** Makes SHORT an alias that nobody has: 0, 1 when there is none, EIO. */
function aliasChoose(v: Volume, index: DirIndex, name: Name): i32 {
  const length = aliasBasis(name, BASIS);
  for (let number: u32 = 1; number <= ALIASES_PLAIN + ALIASES_HASHED; number++) {
    bytesCopy(SHORT, BASIS, SHORT_BYTES);
    if (number <= ALIASES_PLAIN) aliasMake(SHORT, length, number);
    else aliasHashed(SHORT, length, nameHash(name) + number);
    const taken = shortFind(v, PROBE, index);
    if (taken <= 0) return taken;
  }
  return 1;
}

/** Finds `wanted` free slots in a row, at the end if need be, and puts their places into the walk. 0, NOSPC, EIO. */
function placesFind(v: Volume, walk: DirWalk, start: u32, wanted: u32, index: DirIndex): i32 {
  let from = index.endAt;
  if (index.freeTotal >= wanted && wanted < index.noHoleOf) {
    const hole = holeFind(v, PROBE, start, wanted, index.endAt);
    if (hole < 0) return <i32>hole;
    if (hole == <i64>index.endAt) index.noHoleOf = wanted;
    else {
      from = <u32>hole;
      index.freeTotal -= wanted;
    }
  }
  const end = from + wanted * SLOT;
  if (end > directoryBytes(v, start)) return Err.NOSPC;
  const failed = placesTake(v, walk, start, from, wanted, index.endAt);
  if (failed == 0 && end > index.endAt) index.endAt = end;
  return failed;
}

/** Puts the places of slots [from, from + wanted) into the walk, with a new cluster when they reach beyond the last. */
function placesTake(v: Volume, walk: DirWalk, start: u32, from: u32, wanted: u32, endAt: u32): i32 {
  const failed = chainSeek(v, start, from / v.clusterBytes, PLACE);
  if (failed < 0) return failed;
  let cluster = PLACE.cluster;
  let number = PLACE.index;
  let hasGrown = false;
  const end = from + wanted * SLOT;
  for (let at = from; at < end; at += SLOT) {
    while (number < at / v.clusterBytes) {
      let next = chainNext(v, cluster);
      if (next == 0) {
        next = clusterAdd(v, cluster);
        if (next == 0) return Err.NOSPC;
        hasGrown = true;
      }
      if (isError(next)) return Err.IO;
      cluster = next;
      number++;
    }
    if (at == from) walk.entryCluster = cluster;
    walk.places[(at - from) / SLOT] = clusterAt(v, cluster) + at % v.clusterBytes;
  }
  walk.entryPosition = from;
  walk.run = wanted;
  // The mark of the end moves behind what was its place, should the cluster go on.
  if (end <= endAt || end % v.clusterBytes == 0 || hasGrown || end == directoryBytes(v, start)) return 0;
  const slot = slotAt(v, clusterAt(v, cluster) + end % v.clusterBytes);
  if (slot == 0) return Err.IO;
  put8(slot, 0);
  return 0;
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
      const at = (number - 1) * LONG_CHARS + k;
      put16(slot + longUnitAt(k), at < name.length ? name.units[at] : at == name.length ? 0 : 0xffff);
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
    slotClusterSet(v, slot, i == 0 ? cluster : parent);
    put32(slot + Slot.SIZE, 0);
  }
}
