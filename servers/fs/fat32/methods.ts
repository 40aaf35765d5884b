/** The methods of the file-system protocol (kernel/abi/protocol/file-system.ts) on FAT32: requests and replies stand in the window. */
import {
  FsAllocate, FsAttributes, FsCreate, FsEntry, FsExtent, FsExtents, FsLookup, FsMethod, FsMount, FsNode, FsReaddir, FsRelease, FsRename, FsRmdir,
  FsSetattr, FsStatfs, FsSync, FsTruncate, FsUnlink, FS_NAME_BYTES,
} from "../../../kernel/abi/file-system.gen";
import { FsMountFlag, FsValid, FS_MOUNTS, FS_REPEATED } from "../../../kernel/abi/file-system";
import { bytesFill, get16, get32, get64, get8, put16, put32, put64, put8, room } from "../../runtime/memory";
import { dateOf, DAY_NS, MTIME_STEP_NS, nsOf, tenthsOf } from "./date";
import {
  clusterAdd, DirWalk, entryName, isEmpty, movesBits, movesOf, slotAt, slotCluster, slotClusterSet, slotIsDirectory, slotRead,
  startIsSound, subdirectories, walkBegin, walkNext,
} from "./directory";
import { aliasFind, dotsWrite, entryDelete, entryMake, entryReplace, entryRespell, nameFind } from "./entries";
import { allocate, Allocation, chainCut, chainFree, clustersOf, entryUpdate, Runs, runsOf, slotIsSound } from "./files";
import { indexDrop, indexesDrop } from "./index";
import { Attribute, Err, Slot } from "./layout";
import { Name, NAME_UNITS, nameDecode, nameExact, nameIsAllowed, nameSame } from "./name";
import { optionsTake } from "./options";
import { recover } from "./recovery";
import { cursorsDrop, isError } from "./table";
import { abandon, begin, commit, commitClean, hasFailed, Stage, stageSet } from "./transaction";
import { clusterAt, trustInfo, Volume, volumeOpen } from "./volume";

const MAGIC: u32 = 0x4d44;
const NAME_MAX: u32 = 765;
const MAX_BYTES: u64 = 0xffffffff;
const IFDIR: u32 = 0x4000;
const IFREG: u32 = 0x8000;
const OWNER_WRITE: u32 = 0o222;

let window: usize = 0;
const VOLUMES = new StaticArray<Volume | null>(FS_MOUNTS);
const WALK = new DirWalk();
const OTHER = new DirWalk();
const NAME = new Name();
const NEW_NAME = new Name();
const RUNS = new Runs();
const ALLOCATION = new Allocation();
/** A short entry as it is on the device, and one to be written. */
const SLOT_BUFFER: usize = room(32);
const TEMPLATE: usize = room(32);

export function windowSet(at: usize): void { window = at; }

/** Answers one call: 0 or a negated errno. */
export function answer(method: i32, mount: u64, flags: u64): i32 {
  const result = dispatch(method, mount, flags);
  if (hasFailed()) indexesDrop();
  return result;
}

function dispatch(method: i32, mount: u64, flags: u64): i32 {
  if (mount >= FS_MOUNTS) return Err.INVAL;
  if (method == FsMethod.MOUNT || method == FsMethod.ATTACH) return mountMethod(<u32>mount, method == FsMethod.ATTACH || (flags & FS_REPEATED) != 0);
  const v = VOLUMES[<u32>mount];
  if (v === null) return Err.NODEV;
  const isRepeated = (flags & FS_REPEATED) != 0;
  switch (method) {
    case FsMethod.UNMOUNT: return unmount(<u32>mount);
    case FsMethod.LOOKUP: return lookup(v);
    case FsMethod.READDIR: return readdir(v);
    case FsMethod.CREATE: return make(v, false, isRepeated);
    case FsMethod.MKDIR: return make(v, true, isRepeated);
    case FsMethod.UNLINK: return remove(v, false, isRepeated);
    case FsMethod.RMDIR: return remove(v, true, isRepeated);
    case FsMethod.RENAME: return rename(v, isRepeated);
    case FsMethod.SETATTR: return setattr(v);
    case FsMethod.EXTENTS: return extents(v);
    case FsMethod.ALLOCATE: return allocateMethod(v);
    case FsMethod.TRUNCATE: return truncate(v);
    case FsMethod.RELEASE: return release(v);
    case FsMethod.STATFS: return statfs(v);
    case FsMethod.SYNC: return get32(window + FsSync.CLEAN) == 1 && v.isMarked && !v.isReadOnly ? commitClean(v) : 0;
    default: return Err.NOSYS;
  }
}

// ---- Fields ----

function putNode(field: u32, n0: u64, n1: u64): void {
  put64(window + field + FsNode.N0, n0);
  put64(window + field + FsNode.N1, n1);
}

function nodeStart(field: u32): u32 { return <u32>get64(window + field + FsNode.N0); }
function nodePlace(field: u32): u64 { return get64(window + field + FsNode.N1); }

/** A name of the request; false: it is malformed. */
function takeName(field: u32, name: Name): bool {
  const length = get32(window + field);
  return length <= FS_NAME_BYTES && nameDecode(name, window + field + 4, length);
}

/** A name that is to be made: 0, or why it cannot be. */
function takeNewName(field: u32, name: Name): i32 {
  if (!takeName(field, name)) return name.length > NAME_UNITS ? Err.NAMETOOLONG : Err.INVAL;
  return nameIsAllowed(name) ? 0 : Err.INVAL;
}

/** Attributes of the short entry at `slot`, which is at `place`, at address `at`. */
function putAttributes(v: Volume, at: usize, slot: usize, place: u64): void {
  const isDirectory = slotIsDirectory(slot);
  const isReadOnly = (get8(slot + Slot.ATTRIBUTES) & Attribute.READ_ONLY) != 0;
  const permissions = isDirectory ? 0o777 & ~v.directoryMask : 0o777 & ~v.fileMask & (isReadOnly ? ~OWNER_WRITE : ~0);
  const blocks = isDirectory ? 1 : clustersOf(v, get32(slot + Slot.SIZE));
  put32(at + FsAttributes.MODE, (isDirectory ? IFDIR : IFREG) | permissions);
  put32(at + FsAttributes.NLINK, isDirectory ? 2 : 1);
  put32(at + FsAttributes.UID, v.uid);
  put32(at + FsAttributes.GID, v.gid);
  put64(at + FsAttributes.INO, place >> 5);
  put64(at + FsAttributes.SIZE, isDirectory ? v.clusterBytes : get32(slot + Slot.SIZE));
  put64(at + FsAttributes.BLOCKS, slotCluster(v, slot) == 0 ? 0 : blocks);
  const written = nsOf(get16(slot + Slot.WRITE_DATE), get16(slot + Slot.WRITE_TIME), 0);
  put64(at + FsAttributes.ATIME_NS, get16(slot + Slot.ACCESS_DATE) != 0 ? nsOf(get16(slot + Slot.ACCESS_DATE), 0, 0) : written);
  put64(at + FsAttributes.MTIME_NS, written);
  put64(at + FsAttributes.CTIME_NS, written);
  put64(at + FsAttributes.BTIME_NS, nsOf(get16(slot + Slot.BIRTH_DATE), get16(slot + Slot.BIRTH_TIME), get8(slot + Slot.BIRTH_TENTHS)));
}

/** The same with the links of a directory, which must be read for them. */
function putAllAttributes(v: Volume, at: usize, slot: usize, place: u64): void {
  putAttributes(v, at, slot, place);
  if (slotIsDirectory(slot)) put32(at + FsAttributes.NLINK, 2 + subdirectories(v, OTHER, slotCluster(v, slot)));
}

function putRootAttributes(v: Volume, at: usize): void {
  bytesFill(at, 0, FsAttributes.BYTES);
  put32(at + FsAttributes.MODE, IFDIR | 0o777 & ~v.directoryMask);
  put32(at + FsAttributes.NLINK, 2 + subdirectories(v, OTHER, v.rootCluster));
  put32(at + FsAttributes.UID, v.uid);
  put32(at + FsAttributes.GID, v.gid);
  put64(at + FsAttributes.INO, 1);
  put64(at + FsAttributes.SIZE, v.clusterBytes);
  put64(at + FsAttributes.BLOCKS, 1);
}

// ---- Mounts ----

function mountMethod(mount: u32, isAgain: bool): i32 {
  const v = new Volume(mount);
  const failedOption = optionsTake(v, window + FsMount.OPTIONS + 4, get32(window + FsMount.OPTIONS));
  if (failedOption < 0) return failedOption;
  if (get32(window + FsMount.READ_ONLY) != 0) v.isReadOnly = true;
  trustInfo(isAgain && !v.isReadOnly);
  const failed = volumeOpen(v);
  if (failed < 0) return failed;
  VOLUMES[mount] = v;
  indexesDrop();
  const mended = isAgain || v.isReadOnly || !v.isMarked ? 0 : recover(v);
  if (mended < 0) return mended;
  putNode(FsMount.R_ROOT, v.rootCluster, 0);
  putRootAttributes(v, window + FsMount.R_ATTRIBUTES);
  put32(window + FsMount.R_BLOCK_BYTES, v.clusterBytes);
  put32(window + FsMount.R_NAME_MAX, NAME_MAX);
  put64(window + FsMount.R_DEVICE_START, v.dataStart);
  put64(window + FsMount.R_MAX_BYTES, MAX_BYTES);
  put32(window + FsMount.R_FLAGS, FsMountFlag.NO_HOLES | FsMountFlag.FOLD_CASE | (v.isReadOnly ? FsMountFlag.READ_ONLY : 0) | (v.isQuiet ? FsMountFlag.QUIET : 0));
  put32(window + FsMount.R_MAGIC, MAGIC);
  put64(window + FsMount.R_BLOCKS_FREE, v.free);
  put64(window + FsMount.R_MTIME_STEP_NS, MTIME_STEP_NS);
  put64(window + FsMount.R_ATIME_STEP_NS, DAY_NS);
  if (isAgain || v.isReadOnly) return 0;
  return commitMounted(v);
}

/** Marks the volume as mounted; and from now on FSInfo is right with every commit: a successor need not count. */
function commitMounted(v: Volume): i32 {
  begin(v);
  return slotAt(v, v.infoAt) == 0 ? Err.IO : commit(v); // of FAT12 and FAT16 that is the boot sector
}

function unmount(mount: u32): i32 {
  indexesDrop();
  VOLUMES[mount] = null;
  return 0;
}

function statfs(v: Volume): i32 {
  put64(window + FsStatfs.R_BLOCKS, v.clusters);
  put64(window + FsStatfs.R_BLOCKS_FREE, v.free);
  put64(window + FsStatfs.R_FILES, 0);
  put64(window + FsStatfs.R_FILES_FREE, 0);
  return 0;
}

// ---- Names ----

/** The directory's first cluster; an empty one is a broken one. */
function directoryStart(v: Volume, field: u32): u32 {
  const start = nodeStart(field);
  return startIsSound(v, start) ? start : 0;
}

function lookup(v: Volume): i32 {
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

function readdir(v: Volume): i32 {
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
function make(v: Volume, isDirectory: bool, isRepeated: bool): i32 {
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
function remove(v: Volume, isDirectory: bool, isRepeated: bool): i32 {
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

function rename(v: Volume, isRepeated: bool): i32 {
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

// ---- Attributes and data ----

function setattr(v: Volume): i32 {
  const place = nodePlace(FsSetattr.NODE);
  const start = nodeStart(FsSetattr.NODE);
  putNode(FsSetattr.R_NODE, start, place);
  if (place == 0) {
    putRootAttributes(v, window + FsSetattr.R_ATTRIBUTES);
    return 0;
  }
  const valid = get32(window + FsSetattr.VALID);
  if (valid != 0) {
    if (v.isReadOnly) return Err.ROFS;
    begin(v);
    const slot = slotAt(v, place);
    if (slot == 0) return Err.IO;
    attributesSet(v, slot, valid);
    const failed = commit(v);
    if (failed < 0) return failed;
  }
  const failed = slotRead(v, place, SLOT_BUFFER);
  if (failed < 0) return failed;
  putAllAttributes(v, window + FsSetattr.R_ATTRIBUTES, SLOT_BUFFER, place);
  return 0;
}

/** As on Linux: of what the mask leaves, all bits to read and execute, and all or none to write. Anything else changes nothing, and is no error. */
function canKeep(v: Volume, mode: u32): bool {
  const all = 0o777 & ~v.fileMask;
  const writes = mode & all & OWNER_WRITE;
  return (all & OWNER_WRITE) != 0 && (mode & all & 0o555) == (all & 0o555) && (writes == 0 || writes == (all & OWNER_WRITE));
}

function attributesSet(v: Volume, slot: usize, valid: u32): void {
  if (valid & FsValid.MODE && !slotIsDirectory(slot) && canKeep(v, get32(window + FsSetattr.MODE))) {
    const others = get8(slot + Slot.ATTRIBUTES) & ~Attribute.READ_ONLY;
    put8(slot + Slot.ATTRIBUTES, others | (get32(window + FsSetattr.MODE) & OWNER_WRITE ? 0 : Attribute.READ_ONLY));
  }
  if (valid & FsValid.ATIME) put16(slot + Slot.ACCESS_DATE, dateOf(get64(window + FsSetattr.ATIME_NS)) >> 16);
  if (valid & FsValid.MTIME) {
    const date = dateOf(get64(window + FsSetattr.MTIME_NS));
    put16(slot + Slot.WRITE_DATE, date >> 16);
    put16(slot + Slot.WRITE_TIME, date & 0xffff);
  }
}

function extents(v: Volume): i32 {
  const from = get64(window + FsExtents.FILE_BLOCK);
  if (from > v.clusters) return putRuns(FsExtents.R_EXTENTS, FsExtents.R_EXTENTS_AT, 0);
  const count = <u32>min<u64>(get64(window + FsExtents.BLOCKS), v.clusters);
  const failed = runsOf(v, nodeStart(FsExtents.NODE), <u32>from, count, RUNS);
  return failed < 0 ? failed : putRuns(FsExtents.R_EXTENTS, FsExtents.R_EXTENTS_AT, RUNS.count);
}

function putRuns(field: u32, field0: u32, count: u32): i32 {
  put32(window + field, count);
  for (let i: u32 = 0; i < count; i++) {
    const at = window + field0 + i * <u32>FsExtent.BYTES;
    put64(at + FsExtent.FILE_BLOCK, RUNS.fileBlock[i]);
    put64(at + FsExtent.DEVICE_BLOCK, RUNS.deviceBlock[i]);
    put64(at + FsExtent.BLOCKS, RUNS.blocks[i]);
  }
  return 0;
}

function allocateMethod(v: Volume): i32 {
  if (v.isReadOnly) return Err.ROFS;
  const start = nodeStart(FsAllocate.NODE);
  const place = nodePlace(FsAllocate.NODE);
  const blocks = <u32>min<u64>(get64(window + FsAllocate.BLOCKS), u32.MAX_VALUE);
  const have = <u32>min<u64>(get64(window + FsAllocate.HAVE), u32.MAX_VALUE);
  const size = min<u64>(get64(window + FsAllocate.SIZE), MAX_BYTES);
  // A call that is repeated may find the file no longer empty.
  const real = place != 0 && start == 0 ? startNow(v, place) : <i64>start;
  if (real < 0) return <i32>real;
  const failed = allocate(v, <u32>real, place, have, blocks, size, get64(window + FsAllocate.TIME_NS), RUNS, ALLOCATION);
  if (failed < 0) return failed;
  putNode(FsAllocate.R_NODE, ALLOCATION.first, place);
  put64(window + FsAllocate.R_BLOCKS, ALLOCATION.blocks);
  put64(window + FsAllocate.R_BLOCKS_FREE, v.free);
  return putRuns(FsAllocate.R_EXTENTS, FsAllocate.R_EXTENTS_AT, RUNS.count);
}

/** First cluster of the entry at `place`, as it is on the device; EIO. */
function startNow(v: Volume, place: u64): i64 {
  const failed = slotRead(v, place, SLOT_BUFFER);
  if (failed < 0) return failed;
  const start = slotCluster(v, SLOT_BUFFER);
  return startIsSound(v, start) ? start : Err.IO;
}

function truncate(v: Volume): i32 {
  if (v.isReadOnly) return Err.ROFS;
  const place = nodePlace(FsTruncate.NODE);
  const keep = <u32>min<u64>(get64(window + FsTruncate.BLOCKS), u32.MAX_VALUE);
  const start = nodeStart(FsTruncate.NODE);
  const tail = keep == 0 ? <i64>start : chainCut(v, start, keep, get64(window + FsTruncate.TAIL_BLOCK));
  const failed = tail < 0 ? <i32>tail : sizeCommit(v, place, keep == 0 ? 0 : start, keep);
  if (failed < 0) return failed;
  putNode(FsTruncate.R_NODE, keep == 0 ? 0 : start, place);
  putNode(FsTruncate.R_TAIL, <u64>tail, 0);
  put64(window + FsTruncate.R_BLOCKS_FREE, v.free);
  const at = window + FsTruncate.R_ATTRIBUTES;
  if (place == 0) { // a file without a name: its blocks alone are known
    bytesFill(at, 0, FsAttributes.BYTES);
    put32(at + FsAttributes.MODE, IFREG);
  } else {
    const failedRead = slotRead(v, place, SLOT_BUFFER);
    if (failedRead < 0) return failedRead;
    putAttributes(v, at, SLOT_BUFFER, place);
  }
  put64(at + FsAttributes.BLOCKS, keep);
  return 0;
}

/** The rest of a truncation, whose chain was cut in the transaction: the entry, which the medium gets before the chain. */
function sizeCommit(v: Volume, place: u64, first: u32, keep: u32): i32 {
  const size = min<u64>(get64(window + FsTruncate.SIZE), <u64>keep * v.clusterBytes);
  if (keep == 0) begin(v);
  const isDone = place == 0 || entryUpdate(v, place, first, size, get64(window + FsTruncate.TIME_NS));
  if (!isDone) {
    abandon(v);
    return Err.IO;
  }
  return commit(v);
}

function release(v: Volume): i32 {
  if (v.isReadOnly) return Err.ROFS;
  const failed = chainFree(v, nodeStart(FsRelease.NODE));
  if (failed < 0) return failed;
  put64(window + FsRelease.R_BLOCKS_FREE, v.free);
  return 0;
}

if (FsUnlink.NAME != <i32>FsRmdir.NAME) ERROR("unlink and rmdir share their code");
