/** Chains of files: extents, more blocks, fewer blocks. */
import { FsExtents } from "../../../kernel/abi/file-system.gen";
import { get32, put16, put32, put8, get8 } from "../../runtime/memory";
import { dateOf } from "./date";
import { slotAt, slotCluster, slotClusterSet } from "./directory";
import { Attribute, ENTRY_MASK, Err, Slot } from "./layout";
import { chainNext, chainSeek, clusterFind, clusterGive, clusterTake, cursorsDrop, entryGet, entrySet, isError, Place } from "./table";
import { abandon, begin, commit, isFilling, Stage, tableStageSet } from "./transaction";
import { isCluster, Volume } from "./volume";

const RUNS_MOST = <i32>FsExtents.R_EXTENTS_MOST;

/** Runs of adjacent clusters, as the protocol's extents. */
export class Runs {
  count: u32 = 0;
  fileBlock: StaticArray<u32> = new StaticArray<u32>(RUNS_MOST);
  deviceBlock: StaticArray<u32> = new StaticArray<u32>(RUNS_MOST);
  blocks: StaticArray<u32> = new StaticArray<u32>(RUNS_MOST);
}

/** Clusters of a piece of a chain that is freed. */
const TAIL: u32 = 8192;
const PLACE = new Place();
const TAIL_CLUSTERS = new StaticArray<u32>(TAIL);
/** Of the chain that is being freed: the first cluster of each piece of TAIL clusters, and the one before it (0: none). */
const PIECES_MOST: u32 = (1 << 28) / 8192;
const PIECES = new StaticArray<u32>(PIECES_MOST);
const PIECE_ENDS = new StaticArray<u32>(PIECES_MOST);

/** Adds a cluster; false: there is no room for another run. */
function runAdd(runs: Runs, fileBlock: u32, cluster: u32): bool {
  const last = runs.count - 1;
  if (runs.count != 0 && runs.deviceBlock[last] + runs.blocks[last] == cluster - 2) {
    runs.blocks[last]++;
    return true;
  }
  if (runs.count == <u32>RUNS_MOST) return false;
  runs.fileBlock[runs.count] = fileBlock;
  runs.deviceBlock[runs.count] = cluster - 2;
  runs.blocks[runs.count++] = 1;
  return true;
}

/** Clusters [from, from + count) of the chain at `start`, as many as there are and as fit. 0 or EIO. */
export function runsOf(v: Volume, start: u32, from: u32, count: u32, runs: Runs): i32 {
  runs.count = 0;
  if (start == 0) return 0;
  const failed = chainSeek(v, start, from, PLACE);
  if (failed < 0 || PLACE.index != from) return failed;
  let cluster = PLACE.cluster;
  for (let i: u32 = 0; i < count; i++) {
    if (!runAdd(runs, from + i, cluster)) break;
    const next = i + 1 < count ? chainNext(v, cluster) : 0;
    if (isError(next) || i > v.clusters) return Err.IO;
    if (next == 0) break;
    cluster = next;
  }
  return 0;
}

/** What allocate did. */
export class Allocation {
  first: u32 = 0;  // cluster
  blocks: u32 = 0; // of the chain
}

/** FsMethod.ALLOCATE on the file whose short entry is at `place` (0: none). */
export function allocate(v: Volume, start: u32, place: u64, have: u32, blocks: u32, size: u64, timeNs: u64, runs: Runs, out: Allocation): i32 {
  runs.count = 0;
  out.first = start;
  out.blocks = 0;
  let last: u32 = 0;
  if (start != 0) {
    const failed = chainSeek(v, start, v.clusters, PLACE); // to the end
    if (failed < 0) return failed;
    last = PLACE.cluster;
    out.blocks = PLACE.index + 1;
  }
  if (out.blocks < have) return Err.IO;
  begin(v);
  if (out.blocks > have) {
    const failed = runsOf(v, start, have, out.blocks - have, runs); // from a call before, or another system's
    if (failed < 0) return failed;
  }
  let isFull = false;
  while (out.blocks < blocks && !isFilling() && !isFull) {
    const cluster = clusterFind(v, last);
    if (isError(cluster)) return failWith(v, Err.IO);
    if (cluster == 0 || !runAdd(runs, out.blocks, cluster)) isFull = true;
    else {
      clusterTake(v, cluster, last);
      if (out.first == 0) out.first = cluster;
      last = cluster;
      out.blocks++;
    }
  }
  if (out.blocks < blocks && out.blocks == have) return failWith(v, Err.NOSPC);
  if (place != 0 && !entryUpdate(v, place, out.first, min<u64>(size, <u64>out.blocks * v.clusterBytes), timeNs)) return failWith(v, Err.IO);
  return commit(v);
}

function failWith(v: Volume, error: i32): i32 {
  abandon(v);
  return error;
}

/** First cluster, size and time of writing in the transaction. False: the entry cannot be read. */
export function entryUpdate(v: Volume, place: u64, first: u32, size: u64, timeNs: u64): bool {
  const slot = slotAt(v, place);
  if (slot == 0) return false;
  const date = dateOf(timeNs);
  slotClusterSet(v, slot, first);
  put32(slot + Slot.SIZE, <u32>size);
  put16(slot + Slot.WRITE_DATE, date >> 16);
  put16(slot + Slot.WRITE_TIME, date & 0xffff);
  put16(slot + Slot.ACCESS_DATE, date >> 16);
  put8(slot + Slot.ATTRIBUTES, get8(slot + Slot.ATTRIBUTES) | Attribute.ARCHIVE);
  return true;
}

/**
 * Begins a transaction that ends the chain at `start` behind its first `keep` clusters (1 or more). The first cluster of what is cut off,
 * which is to be released later: `tailBlock` says where it is, as the chain no longer does when the call is repeated. 0: nothing; EIO.
 */
export function chainCut(v: Volume, start: u32, keep: u32, tailBlock: u64): i64 {
  begin(v);
  tableStageSet(Stage.AFTER);
  if (start == 0) return 0;
  cursorsDrop(v);
  const failed = chainSeek(v, start, keep - 1, PLACE);
  if (failed < 0) return failed;
  if (PLACE.index != keep - 1) return 0;
  const next = chainNext(v, PLACE.cluster);
  if (isError(next)) return Err.IO;
  if (next != 0) entrySet(v, PLACE.cluster, ENTRY_MASK);
  if (next != 0) return next;
  const told = tailBlock < v.clusters ? <u32>tailBlock + 2 : 0;
  const entry = told != 0 ? entryGet(v, told) : 0;
  return isError(entry) ? Err.IO : entry != 0 ? told : 0;
}

/**
 * Frees the chain at `first`, from its end, in as many commits as it takes; all before stays a chain. It is walked once, and then piece by
 * piece from where each begins: a walk to the end for every commit would keep the caller of a large file for minutes. 0 or EIO.
 */
export function chainFree(v: Volume, first: u32): i32 {
  cursorsDrop(v);
  if (first == 0 || entryGet(v, first) == 0) return 0; // freed by this call before
  const total = piecesFind(v, first);
  if (total < 0) return <i32>total;
  let failed: i32 = 0;
  for (let pieces = (<u32>total + TAIL - 1) / TAIL; pieces != 0 && failed == 0; pieces--) {
    failed = pieceFree(v, pieces - 1, min<u32>(TAIL, <u32>total - (pieces - 1) * TAIL));
  }
  return failed;
}

/** Finds where the pieces of the chain at `first` begin: how many clusters it has, or EIO. */
function piecesFind(v: Volume, first: u32): i64 {
  let cluster = first;
  let before: u32 = 0;
  let total: u32 = 0;
  while (cluster != 0) {
    if (isError(cluster) || !isCluster(v, cluster) || total >= v.clusters) return Err.IO; // a ring
    if (total % TAIL == 0) {
      PIECES[total / TAIL] = cluster;
      PIECE_ENDS[total / TAIL] = before;
    }
    before = cluster;
    cluster = chainNext(v, cluster);
    total++;
  }
  return total;
}

/** Frees the `count` clusters of a piece, the last ones of their chain. 0 or EIO. */
function pieceFree(v: Volume, piece: u32, count: u32): i32 {
  let cluster = PIECES[piece];
  for (let i: u32 = 0; i < count; i++) {
    TAIL_CLUSTERS[i] = cluster;
    cluster = chainNext(v, cluster);
    if (isError(cluster) || (cluster == 0 && i + 1 < count)) return Err.IO;
  }
  let left = count;
  while (left != 0) {
    begin(v);
    while (left != 0 && !isFilling()) clusterGive(v, TAIL_CLUSTERS[--left]);
    const last = left != 0 ? TAIL_CLUSTERS[left - 1] : PIECE_ENDS[piece];
    if (last != 0) entrySet(v, last, ENTRY_MASK);
    cursorsDrop(v);
    const failed = commit(v);
    if (failed < 0) return failed;
  }
  return 0;
}

/** Clusters that a size needs. */
export function clustersOf(v: Volume, size: u64): u32 { return <u32>((size + v.clusterBytes - 1) / v.clusterBytes); }

/** A short entry's file has a sound beginning. */
export function slotIsSound(v: Volume, slot: usize): bool {
  const cluster = slotCluster(v, slot);
  return cluster == 0 ? get32(slot + Slot.SIZE) == 0 || (get8(slot + Slot.ATTRIBUTES) & Attribute.DIRECTORY) != 0 : isCluster(v, cluster);
}
