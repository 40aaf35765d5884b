/**
 * The file allocation table: chains of clusters.
 *
 * Every walk is bounded by the number of clusters, and every link is checked, so that a broken table ends in EIO.
 */
import { get32, get8, put32, put8 } from "../../runtime/memory";
import { BAD, CHAIN_END, ENTRY_MASK, Err, FIXED_ROOT } from "./layout";
import { fatSector, pending } from "./transaction";
import { Cursor, CURSORS, isCluster, isDirectoryPiece, smallCountSet, Volume, windowLoad } from "./volume";

/** The entry of a cluster, as it is to become; a negative errno as u32 above ENTRY_MASK when it cannot be read. */
export function entryGet(v: Volume, cluster: u32): u32 {
  if (v.bits != 32) return smallGet(v, cluster);
  const at = <u64>cluster << 2;
  const changed = pending(v.fatStart + (at & ~511));
  if (changed != 0) return get32(changed + <usize>(at & 511)) & ENTRY_MASK;
  return windowLoad(v, at) < 0 ? <u32>Err.IO : get32(v.window + <usize>(at & 4095)) & ENTRY_MASK;
}

/** Byte `at` of the FAT, or EIO. */
function fatByte(v: Volume, at: u32): i32 {
  const changed = pending(v.fatStart + (at & ~511));
  if (changed != 0) return <i32>get8(changed + (at & 511));
  return windowLoad(v, at) < 0 ? <i32>Err.IO : <i32>get8(v.window + (at & 4095));
}

/** Entries of 12 bits lie across bytes, and across sectors. */
function smallAt(v: Volume, cluster: u32): u32 { return v.bits == 16 ? cluster << 1 : cluster + (cluster >> 1); }

function smallGet(v: Volume, cluster: u32): u32 {
  const at = smallAt(v, cluster);
  const low = fatByte(v, at);
  const high = fatByte(v, at + 1);
  if (low < 0 || high < 0) return <u32>Err.IO;
  const pair = <u32>low | <u32>high << 8;
  const mask: u32 = v.bits == 16 ? 0xffff : 0xfff;
  const value = v.bits == 12 && cluster & 1 ? pair >> 4 : pair & mask;
  return value >= (BAD & mask) ? value | ENTRY_MASK & ~mask : value;
}

function smallSet(v: Volume, cluster: u32, value: u32): void {
  const at = smallAt(v, cluster);
  const low = fatSector(v, at & ~511);
  const high = fatSector(v, (at + 1) & ~511);
  if (low == 0 || high == 0) return; // commit will fail
  const lowAt = low + (at & 511);
  const highAt = high + ((at + 1) & 511);
  const old = get8(lowAt) | get8(highAt) << 8;
  const pair = v.bits == 16 ? value & 0xffff : cluster & 1 ? old & 0xf | (value & 0xfff) << 4 : old & 0xf000 | value & 0xfff;
  put8(lowAt, pair & 0xff);
  put8(highAt, pair >> 8);
}

/** Counts the free clusters of FAT12 and FAT16. */
function smallCount(v: Volume): i32 {
  let free: u32 = 0;
  for (let cluster: u32 = 2; cluster < v.clusters + 2; cluster++) {
    const entry = smallGet(v, cluster);
    if (isError(entry)) return Err.IO;
    if (entry == 0) free++;
  }
  v.free = free;
  return 0;
}
smallCountSet(smallCount);

/** Changes an entry in the transaction; the upper four bits are not ours. */
export function entrySet(v: Volume, cluster: u32, value: u32): void {
  if (v.bits != 32) return smallSet(v, cluster, value);
  const at = <u64>cluster << 2;
  const sector = fatSector(v, at & ~511);
  if (sector == 0) return; // commit will fail
  const entry = sector + <usize>(at & 511);
  put32(entry, get32(entry) & ~ENTRY_MASK | value);
}

/** The cluster after `cluster`: 0 at the end of the chain, or EIO as u32. */
export function chainNext(v: Volume, cluster: u32): u32 {
  if (v.bits != 32 && cluster >= FIXED_ROOT) return isDirectoryPiece(v, cluster + 1) ? cluster + 1 : 0;
  const entry = entryGet(v, cluster);
  if (entry >= CHAIN_END && entry <= ENTRY_MASK) return 0;
  return isCluster(v, entry) ? entry : <u32>Err.IO;
}

export function isError(cluster: u32): bool { return cluster > ENTRY_MASK; }

function cursorOf(v: Volume, first: u32): Cursor { return v.cursors[first % CURSORS]; }

/** Chains were cut: nothing remembered of them holds. */
export function cursorsDrop(v: Volume): void {
  for (let i: u32 = 0; i < CURSORS; i++) v.cursors[i].first = 0;
}

/** Where chainSeek stopped. */
export class Place {
  cluster: u32 = 0; // the last one reached
  index: u32 = 0;   // its place in the chain
}

/** Goes to cluster `index` of the chain that begins at `first`, or to its last one: 0, or EIO. */
export function chainSeek(v: Volume, first: u32, index: u32, out: Place): i32 {
  if (!isDirectoryPiece(v, first)) return Err.IO;
  const cursor = cursorOf(v, first);
  const isKnown = cursor.first == first && cursor.index <= index;
  out.cluster = isKnown ? cursor.cluster : first;
  out.index = isKnown ? cursor.index : 0;
  while (out.index < index) {
    const next = chainNext(v, out.cluster);
    if (isError(next)) return Err.IO;
    if (next == 0) break;
    out.cluster = next;
    if (++out.index >= v.clusters) return Err.IO; // a ring
  }
  cursor.first = first;
  cursor.index = out.index;
  cursor.cluster = out.cluster;
  return 0;
}

/** A free cluster, `after` + 1 when that is one, else the next from the hint on; 0: none, or EIO as u32. It is not taken yet. */
export function clusterFind(v: Volume, after: u32): u32 {
  if (v.free == 0) return 0;
  if (after != 0 && isCluster(v, after + 1)) {
    const entry = entryGet(v, after + 1);
    if (entry == 0 || isError(entry)) return entry == 0 ? after + 1 : entry;
  }
  let cluster = v.hint;
  for (let i: u32 = 0; i < v.clusters; i++) {
    if (!isCluster(v, cluster)) cluster = 2;
    const entry = entryGet(v, cluster);
    if (entry == 0 || isError(entry)) return entry == 0 ? cluster : entry;
    cluster++;
  }
  return 0;
}

/** Takes a free cluster as the end of a chain, behind `after` unless that is 0. */
export function clusterTake(v: Volume, cluster: u32, after: u32): void {
  entrySet(v, cluster, ENTRY_MASK);
  if (after != 0) entrySet(v, after, cluster);
  v.free--;
  v.hint = cluster + 1;
}

export function clusterGive(v: Volume, cluster: u32): void {
  entrySet(v, cluster, 0);
  v.free++;
}

