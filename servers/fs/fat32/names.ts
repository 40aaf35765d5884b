/** Methods that find, make and change names in directories. */
import { FsCreate, FsEntry, FsLookup, FsNode, FsReaddir, FsRename, FsRmdir, FsUnlink } from "../../../kernel/abi/file-system.gen";
import { bytesFill, get32, get64, put16, put32, put64, put8, room } from "../../runtime/memory";
import { putAllAttributes, putAttributes } from "./attributes";
import { dateOf, tenthsOf } from "./date";
import {
  clusterAdd, DirWalk, entryName, isEmpty, movesBits, movesOf, slotAt, slotCluster, slotClusterSet, slotIsDirectory, slotRead, startIsSound, walkBegin, walkNext,
} from "./directory";
import { aliasFind, dotsWrite, entryDelete, entryMake, entryReplace, entryRespell, nameFind } from "./entries";
import { slotIsSound } from "./files";
import { indexDrop } from "./index";
import { Attribute, Err, Slot } from "./layout";
import { Name, nameExact, nameSame } from "./name";
import { cursorsDrop, isError } from "./table";
import { abandon, begin, commit, entriesFollow, Stage, stageSet } from "./transaction";
import { clusterAt, Volume } from "./volume";
import { nodePlace, nodeStart, putNode, takeName, takeNewName, window } from "./window";

const WALK = new DirWalk();
const OTHER = new DirWalk();
const NAME = new Name();
const NEW_NAME = new Name();
/** A short entry to be written. */
const TEMPLATE: usize = room(32);

/** The directory's first cluster; an empty one is a broken one. */
function directoryStart(v: Volume, field: u32): u32 {
  const start = nodeStart(field);
  return startIsSound(v, start) ? start : 0;
}

/** FsMethod.LOOKUP. */
export function lookup(v: Volume): i32 {
  if (!takeName(FsLookup.NAME, NAME)) return Err.NOENT;
  const start = directoryStart(v, FsLookup.DIR);
  let found = nameFind(v, WALK, start, NAME);
  const isAlias = found == 0;
  if (isAlias) found = aliasFind(v, WALK, start, NAME);
  if (found <= 0) return found < 0 ? found : Err.NOENT;
  put32(window + FsLookup.R_NAME, isAlias ? entryName(WALK, window + FsLookup.R_NAME + 4) : 0);
  return entryReply(v, FsLookup.R_NODE, FsLookup.R_ATTRIBUTES, WALK.slot, WALK.places[WALK.run - 1]);
}

function entryReply(v: Volume, nodeField: u32, attributesField: u32, slot: usize, place: u64): i32 {
  if (!slotIsSound(v, slot)) return Err.IO;
  putNode(nodeField, slotCluster(v, slot), place);
  putAllAttributes(v, window + attributesField, slot, place);
  return 0;
}

/** FsMethod.READDIR. */
export function readdir(v: Volume): i32 {
  const failed = walkBegin(v, WALK, directoryStart(v, FsReaddir.DIR), <u32>min<u64>(get64(window + FsReaddir.POSITION), u32.MAX_VALUE & ~31));
  if (failed < 0) return failed;
  let count: u32 = 0;
  while (count < <u32>FsReaddir.R_ENTRIES_MOST) {
    const more = walkNext(v, WALK);
    if (more < 0) return more;
    if (more == 0) break;
    const at = window + FsReaddir.R_ENTRIES_AT + count * <u32>FsEntry.BYTES;
    const place = WALK.places[WALK.run - 1];
    put64(at + FsEntry.NODE + FsNode.N0, slotCluster(v, WALK.slot));
    put64(at + FsEntry.NODE + FsNode.N1, place);
    putAttributes(v, at + FsEntry.ATTRIBUTES, WALK.slot, place);
    put64(at + FsEntry.POSITION, WALK.position);
    put32(at + FsEntry.NAME, entryName(WALK, at + FsEntry.NAME + 4));
    count++;
  }
  put32(window + FsReaddir.R_ENTRIES, count);
  return 0;
}

/** Files are born writable whatever their mode, as on Linux. */
function templateMake(v: Volume, isDirectory: bool, timeNs: u64, cluster: u32): void {
  const date = dateOf(timeNs);
  bytesFill(TEMPLATE, 0, 32);
  put8(TEMPLATE + Slot.ATTRIBUTES, isDirectory ? Attribute.DIRECTORY : Attribute.ARCHIVE);
  put8(TEMPLATE + Slot.BIRTH_TENTHS, tenthsOf(timeNs));
  put16(TEMPLATE + Slot.BIRTH_TIME, date & 0xffff);
  put16(TEMPLATE + Slot.BIRTH_DATE, date >> 16);
  put16(TEMPLATE + Slot.ACCESS_DATE, date >> 16);
  put16(TEMPLATE + Slot.WRITE_TIME, date & 0xffff);
  put16(TEMPLATE + Slot.WRITE_DATE, date >> 16);
  slotClusterSet(v, TEMPLATE, cluster);
}

/** create and mkdir, which are laid out alike. */
export function make(v: Volume, isDirectory: bool, isRepeated: bool): i32 {
  if (v.isReadOnly) return Err.ROFS;
  const unfit = takeNewName(FsCreate.NAME, NAME);
  if (unfit < 0) return unfit;
  const start = directoryStart(v, FsCreate.DIR);
  const found = nameFind(v, WALK, start, NAME);
  if (found < 0) return found;
  if (found == 1 && !isRepeated) return Err.EXIST;
  if (found == 0) {
    const failed = entryAdd(v, start, isDirectory);
    if (failed < 0) {
      abandon(v);
      return failed;
    }
    const again = nameFind(v, WALK, start, NAME);
    if (again != 1) return Err.IO;
  }
  putNode(FsCreate.R_DIR, start, nodePlace(FsCreate.DIR));
  put64(window + FsCreate.R_BLOCKS_FREE, v.free);
  return entryReply(v, FsCreate.R_NODE, FsCreate.R_ATTRIBUTES, WALK.slot, WALK.places[WALK.run - 1]);
}

function entryAdd(v: Volume, start: u32, isDirectory: bool): i32 {
  begin(v);
  let cluster: u32 = 0;
  if (isDirectory) {
    cluster = clusterAdd(v, 0);
    if (cluster == 0 || isError(cluster)) return cluster == 0 ? Err.NOSPC : Err.IO;
  }
  templateMake(v, isDirectory, get64(window + FsCreate.TIME_NS), cluster);
  if (isDirectory) dotsWrite(v, cluster, start == v.rootCluster ? 0 : start, TEMPLATE);
  const failed = entryMake(v, WALK, start, NAME, TEMPLATE);
  return failed < 0 ? failed : commit(v);
}

/** unlink and rmdir, which are laid out alike. */
export function remove(v: Volume, isDirectory: bool, isRepeated: bool): i32 {
  if (v.isReadOnly) return Err.ROFS;
  const node = nodeStart(FsUnlink.NODE);
  if (!takeName(FsUnlink.NAME, NAME)) return Err.NOENT;
  const found = nameFind(v, WALK, directoryStart(v, FsUnlink.DIR), NAME);
  if (found < 0) return found;
  if (found == 0 && !isRepeated) return Err.NOENT;
  if (found == 1) {
    if (slotIsDirectory(WALK.slot) != isDirectory) return isDirectory ? Err.NOTDIR : Err.INVAL;
    if (isDirectory) {
      const empty = isEmpty(v, OTHER, node);
      if (empty <= 0) return empty < 0 ? empty : Err.NOTEMPTY;
    }
    begin(v);
    entryDelete(v, WALK, directoryStart(v, FsUnlink.DIR));
    const failed = commit(v);
    if (failed < 0) return failed;
    if (isDirectory) indexDrop(v, node);
  }
  putNode(FsUnlink.R_NODE, node, 0);
  return 0;
}

/** FsMethod.RENAME. */
export function rename(v: Volume, isRepeated: bool): i32 {
  if (v.isReadOnly) return Err.ROFS;
  if (!takeName(FsRename.OLD_NAME, NAME)) return Err.NOENT;
  const unfit = takeNewName(FsRename.NEW_NAME, NEW_NAME);
  if (unfit < 0) return unfit;
  const oldStart = directoryStart(v, FsRename.OLD_DIR);
  const newStart = directoryStart(v, FsRename.NEW_DIR);
  const isOneName = oldStart == newStart && nameSame(NAME, NEW_NAME);
  const found = nameFind(v, WALK, oldStart, NAME);
  if (found < 0) return found;
  const isDone = isRepeated && (found == 0 || (isOneName && nameExact(WALK.name, NEW_NAME)));
  if (found == 0 && !isDone) return Err.NOENT;
  if (!isDone) {
    const failed = renameMove(v, oldStart, newStart, isOneName);
    if (failed < 0) {
      abandon(v);
      return failed;
    }
  }
  const there = nameFind(v, WALK, newStart, NEW_NAME);
  if (there != 1) return there < 0 ? there : Err.NOENT;
  putNode(FsRename.R_NODE, slotCluster(v, WALK.slot), WALK.places[WALK.run - 1]);
  putNode(FsRename.R_VICTIM, nodeStart(FsRename.VICTIM), 0);
  put64(window + FsRename.R_BLOCKS_FREE, v.free);
  return 0;
}

/** WALK stands at the old entry. */
function renameMove(v: Volume, oldStart: u32, newStart: u32, isOneName: bool): i32 {
  const failedRead = slotRead(v, WALK.places[WALK.run - 1], TEMPLATE);
  if (failedRead < 0) return failedRead;
  put8(TEMPLATE + Slot.CASE, movesBits(movesOf(TEMPLATE) + 1));
  begin(v);
  entriesFollow();
  let failed = isOneName ? entryRespell(v, WALK, oldStart, NEW_NAME, TEMPLATE) : renameTarget(v, newStart);
  if (failed < 0) return failed;
  if (slotIsDirectory(TEMPLATE) && oldStart != newStart) failed = parentSet(v, slotCluster(v, TEMPLATE), newStart);
  if (failed < 0) return failed;
  stageSet(Stage.AFTER);
  if (!isOneName) entryDelete(v, WALK, oldStart);
  cursorsDrop(v);
  return commit(v);
}

/** Puts TEMPLATE under NEW_NAME, in the victim's entry or in one of its own. 0 or a negated errno. */
function renameTarget(v: Volume, newStart: u32): i32 {
  let found = nameFind(v, OTHER, newStart, NEW_NAME);
  if (found < 0) return found;
  if (found == 0) return entryMake(v, OTHER, newStart, NEW_NAME, TEMPLATE);
  if (get32(window + FsRename.HAS_VICTIM) == 0) return Err.EXIST;
  if (slotIsDirectory(OTHER.slot)) {
    const victim = slotCluster(v, OTHER.slot);
    const empty = isEmpty(v, OTHER, victim);
    if (empty <= 0) return empty < 0 ? empty : Err.NOTEMPTY;
    indexDrop(v, victim);
    found = nameFind(v, OTHER, newStart, NEW_NAME);
    if (found != 1) return Err.IO;
  }
  return entryReplace(v, OTHER, TEMPLATE);
}

/** ".." of the directory that begins at `start`. */
function parentSet(v: Volume, start: u32, parent: u32): i32 {
  if (!startIsSound(v, start) || start == 0) return Err.IO;
  const up = slotAt(v, clusterAt(v, start) + Slot.BYTES);
  if (up == 0) return Err.IO;
  slotClusterSet(v, up, parent == v.rootCluster ? 0 : parent);
  return 0;
}

if (FsUnlink.NAME != <i32>FsRmdir.NAME) ERROR("unlink and rmdir share their code");
