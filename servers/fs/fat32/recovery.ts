/**
 * Mending a volume that was not unmounted, where a power cut between the stages of a call (transaction.ts) leaves more than lost clusters:
 *
 *   copies of the FAT that differ          the first is right
 *   a chain that leads to a free cluster   ends before it: what was to follow never came into use
 *   a file under its old and new name      the old one goes (CaseFlag.MOVED)
 *   ".." of a directory that was moved     names the directory it is found in
 *   two files of one name                  one gets another (name-recovery.ts)
 *
 * Everything else is left as it is found: it is not our making, and fsck's to judge.
 */
import { bytesSame, get8, put8, room } from "../../runtime/memory";
import { log } from "../../runtime/start";
import { DirWalk, movesOf, slotAt, slotCluster, slotClusterSet, slotIsDirectory, slotRead, walkBegin, walkBeginAt, walkNext } from "./directory";
import { ENTRY_MASK, Err, FREED, Slot } from "./layout";
import { ENTRIES_MOST, namesMend } from "./name-recovery";
import { entryGet, entrySet, isError } from "./table";
import { begin, commit, fatSector, isFilling } from "./transaction";
import { clusterAt, deviceRead, isCluster, Volume } from "./volume";

const CHUNK: u32 = 32768;
const FIRST: usize = room(CHUNK);
const SECOND: usize = room(CHUNK);
const SLOT: u32 = Slot.BYTES;
const SLOT_A: usize = room(SLOT);
const SLOT_B: usize = room(SLOT);
const WALK = new DirWalk();
const TWIN = new DirWalk();

/** 0 or a negated errno. */
export function recover(v: Volume): i32 {
  log("not unmounted before: looking it through");
  let failed = v.fats == 2 ? copiesMend(v) : 0;
  if (failed == 0) failed = linksMend(v);
  return failed == 0 ? new Recovery(v).treeMend() : failed;
}

function copiesMend(v: Volume): i32 {
  const end = ((<u64>v.clusters + 2) * v.bits + 7) >> 3;
  begin(v);
  for (let at: u64 = 0; at < end; at += CHUNK) {
    const bytes = <u32>min<u64>(CHUNK, v.fatBytes - at);
    if (deviceRead(v.mount, v.fatStart + at, FIRST, bytes) < 0 || deviceRead(v.mount, v.fatStart + v.fatBytes + at, SECOND, bytes) < 0) return Err.IO;
    for (let sector: u32 = 0; sector < bytes; sector += 512) {
      if (bytesSame(FIRST + sector, SECOND + sector, 512)) continue;
      if (fatSector(v, at + sector) == 0) return Err.IO; // it is written to both
      const failed = commitIfFilling(v);
      if (failed < 0) return failed;
    }
  }
  return commit(v);
}

function linksMend(v: Volume): i32 {
  begin(v);
  for (let cluster: u32 = 2; cluster < v.clusters + 2; cluster++) {
    const next = entryGet(v, cluster);
    if (isError(next)) return Err.IO;
    if (!isCluster(v, next) || entryGet(v, next) != 0) continue;
    entrySet(v, cluster, ENTRY_MASK);
    const failed = commitIfFilling(v);
    if (failed < 0) return failed;
  }
  return commit(v);
}

function commitIfFilling(v: Volume): i32 {
  if (!isFilling()) return 0;
  const failed = commit(v);
  begin(v);
  return failed;
}

/** A walk through all directories. */
class Recovery {
  directories: Array<u32> = []; // first clusters, to be looked at
  seen: Map<u32, u32> = new Map<u32, u32>(); // first cluster -> index of what begins there
  clusters: Array<u32> = [];    // where its entry is: cluster, and byte in the directory
  positions: Array<u32> = [];
  parents: Array<u32> = [];     // first cluster of that directory

  constructor(readonly v: Volume) {}

  treeMend(): i32 {
    this.directories.push(this.v.rootCluster);
    for (let i = 0; i < this.directories.length; i++) {
      const failed = this.directoryMend(this.directories[i]);
      if (failed < 0 && failed != Err.IO) return failed; // one that cannot be read is left
    }
    for (let i = 1; i < this.directories.length; i++) {
      const failed = this.parentMend(this.directories[i], this.parents[this.seen.get(this.directories[i])]);
      if (failed < 0 && failed != Err.IO) return failed;
    }
    for (let i = 0; i < this.directories.length; i++) {
      const failed = namesMend(this.v, this.directories[i]);
      if (failed < 0 && failed != Err.IO) return failed;
    }
    return 0;
  }

  private parentMend(start: u32, parent: u32): i32 {
    const v = this.v;
    const place = clusterAt(v, start) + SLOT;
    if (slotRead(v, place, SLOT_A) < 0) return Err.IO;
    const isUp = get8(SLOT_A) == 0x2e && get8(SLOT_A + 1) == 0x2e;
    const right = parent == v.rootCluster ? 0 : parent;
    if (!isUp || slotCluster(v, SLOT_A) == right) return 0;
    begin(v);
    const slot = slotAt(v, place);
    if (slot == 0) return Err.IO;
    slotClusterSet(v, slot, right);
    return commit(v);
  }

  private directoryMend(start: u32): i32 {
    const v = this.v;
    let failed = walkBegin(v, WALK, start, 0);
    while (failed == 0 && this.clusters.length < ENTRIES_MOST) {
      const more = walkNext(v, WALK);
      if (more <= 0) return more;
      const first = slotCluster(v, WALK.slot);
      if (!isCluster(v, first)) continue;
      if (this.seen.has(first)) {
        const position = WALK.position;
        failed = this.twinMend(this.seen.get(first), start);
        if (failed == 0) failed = walkBegin(v, WALK, start, position);
        continue;
      }
      this.seen.set(first, this.clusters.length);
      this.clusters.push(WALK.entryCluster);
      this.positions.push(WALK.entryPosition);
      this.parents.push(start);
      if (slotIsDirectory(WALK.slot)) this.directories.push(first);
    }
    return failed;
  }

  /** WALK stands at an entry, in the directory at `start`, whose chain is that of entry `other`. */
  private twinMend(other: u32, start: u32): i32 {
    const v = this.v;
    if (slotRead(v, WALK.places[WALK.run - 1], SLOT_A) < 0) return Err.IO;
    if (walkBeginAt(v, TWIN, this.clusters[other], this.positions[other]) < 0 || walkNext(v, TWIN) != 1) return Err.IO;
    if (slotRead(v, TWIN.places[TWIN.run - 1], SLOT_B) < 0) return Err.IO;
    if (slotIsDirectory(SLOT_A) != slotIsDirectory(SLOT_B)) return 0;
    const further = movesOf(SLOT_A) - movesOf(SLOT_B) & 7;
    if (further == 0 || further == 4) return 0; // nobody knows
    if (further < 4) {
      this.clusters[other] = WALK.entryCluster;
      this.positions[other] = WALK.entryPosition;
      this.parents[other] = start;
      return entryDrop(v, TWIN);
    }
    return entryDrop(v, WALK);
  }
}

function entryDrop(v: Volume, walk: DirWalk): i32 {
  begin(v);
  for (let i: u32 = 0; i < walk.run; i++) {
    const slot = slotAt(v, walk.places[i]);
    if (slot == 0) return Err.IO;
    put8(slot, FREED);
  }
  return commit(v);
}
