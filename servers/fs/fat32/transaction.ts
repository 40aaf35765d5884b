/**
 * The changes of one call: sectors as they shall be, handed to the device in one COMMIT or not at all.
 *
 * Invariants  T1  each sector (512 bytes, whatever the volume calls one) stands here once; a change of the FAT goes to every copy.
 *             T2  PIECES_MAX and BYTES_MAX of the kernel's COMMIT hold: whoever may need more asks isFilling and stops.
 *             T3  a sector that several stages change belongs to the first of them.
 */
import { BlockStage, BlockWrite } from "../../../kernel/abi/block-ring";
import { linearVa } from "../../runtime/intrinsics";
import { bytesCopy, bytesFill, get16, get32, get8, put16, put32, put8, room } from "../../runtime/memory";
import { Boot, CLEAN_BIT, CLEAN_BIT_16, Err, Info } from "./layout";
import { deviceCommit, deviceRead, Volume } from "./volume";

const SECTOR: u32 = 512;
const SECTORS_MAX: u32 = 512;
const PIECES_MAX: u32 = 256;
/** FAT sectors of a call: twice that many pieces and some others fit. */
const FAT_SECTORS: u32 = 100;
const OFFSETS = new StaticArray<u64>(SECTORS_MAX);
const STAGES = new StaticArray<u8>(SECTORS_MAX);
const DATA: usize = room(SECTORS_MAX * SECTOR);
const WRITES: usize = room(PIECES_MAX * offsetof<BlockWrite>());

/**
 * The order in which a power cut may find the changes of one call (BlockWrite.stage). What leads to something follows it: a cluster
 * that a directory grows by is zeroed before the FAT links it, the FAT before the entry that names a chain, a new directory's contents
 * before its entry. What goes follows what stays: a file's new name stands before the old one goes.
 */
export const enum Stage { GROWTH = 0, TABLE = 1, CONTENTS = 2, ENTRY = 3, AFTER = 4 }

let stage: Stage = Stage.ENTRY;
let tableStage: Stage = Stage.TABLE;
let entriesWait: bool = false;
let count: u32 = 0;
let fatSectors: u32 = 0;
let pieces: u32 = 0;
let isBroken: bool = false;
let freeBefore: u32 = 0;
let hintBefore: u32 = 0;
let wasAbandoned: bool = false;

/** Begins: nothing is changed. */
export function begin(v: Volume): void {
  count = 0;
  fatSectors = 0;
  isBroken = false;
  stage = Stage.ENTRY;
  tableStage = Stage.TABLE;
  entriesWait = false;
  freeBefore = v.free;
  hintBefore = v.hint;
}

/** The changes to come are of this stage. */
export function stageSet(next: Stage): void { stage = next; }
/** Those of the FAT. */
export function tableStageSet(next: Stage): void { tableStage = next; }

/** Entries of this transaction lead to what earlier ones made: it shall be on the medium before them. */
export function entriesFollow(): void { entriesWait = true; }

/** A directory grows by the sector that gets its new entry, so that the FAT leads to that: what the entry leads to comes first. */
export function contentsFirst(): void {
  for (let i: u32 = 0; i < count; i++) if (STAGES[i] == <u8>Stage.CONTENTS) STAGES[i] = <u8>Stage.GROWTH;
}

/** True once after a change that did not come about: what followed it in memory is wrong. */
export function hasFailed(): bool {
  const failed = wasAbandoned;
  wasAbandoned = false;
  return failed;
}

/** Ends without a change. */
export function abandon(v: Volume): void {
  wasAbandoned = true;
  count = 0;
  v.free = freeBefore;
  v.hint = hintBefore;
}

/** True when a call that can stop should. */
export function isFilling(): bool { return fatSectors >= FAT_SECTORS; }

function find(offset: u64): i32 {
  for (let i = <i32>count - 1; i >= 0; i--) if (OFFSETS[i] == offset) return i;
  return -1;
}

function add(offset: u64): usize {
  if (count == SECTORS_MAX) {
    isBroken = true; // commit refuses
    return DATA;
  }
  OFFSETS[count] = offset;
  STAGES[count] = <u8>stage;
  return DATA + count++ * SECTOR;
}

/** What a sector of the device (512 bytes at a multiple of 512) is to become, to be changed; as it is at first. 0: it cannot be read. */
export function sector(v: Volume, offset: u64): usize {
  const known = find(offset);
  if (known >= 0) {
    STAGES[known] = min<u8>(STAGES[known], <u8>stage); // T3
    return DATA + known * SECTOR;
  }
  const at = add(offset);
  if (deviceRead(v.mount, offset, at, SECTOR) >= 0) return at;
  isBroken = true;
  return 0;
}

/** The same for sectors whose old contents do not matter: zeros. */
export function freshSectors(offset: u64, bytes: u32): void {
  for (let done: u32 = 0; done < bytes; done += SECTOR) {
    const known = find(offset + done);
    bytesFill(known >= 0 ? DATA + known * SECTOR : add(offset + done), 0, SECTOR);
  }
}

/** The pending sector at `offset`, or 0. */
export function pending(offset: u64): usize {
  const known = find(offset);
  return known >= 0 ? DATA + known * SECTOR : 0;
}

/** A sector of the FAT (offset from its start). */
export function fatSector(v: Volume, offset: u64): usize {
  if (find(v.fatStart + offset) < 0) fatSectors++;
  const before = stage;
  stage = tableStage;
  const at = sector(v, v.fatStart + offset);
  stage = before;
  return at;
}

/** Writes it all: free count, dirty mark and every copy of the FAT with it. 0 or a negated errno with nothing changed. */
export function commit(v: Volume): i32 {
  if (count == 0) return 0;
  infoPut(v);
  mark(v, true);
  const failed = v.isReadOnly ? Err.ROFS : commitRaw(v);
  if (failed == 0) v.isMarked = true;
  else abandon(v);
  count = 0;
  return failed;
}

/** Marks the volume clean, if it is not. */
export function commitClean(v: Volume): i32 {
  begin(v);
  infoPut(v);
  mark(v, false);
  const failed = commitRaw(v);
  if (failed == 0) v.isMarked = false;
  count = 0;
  return failed;
}

function commitRaw(v: Volume): i32 {
  pieces = 0;
  for (let which: u32 = Stage.GROWTH; which <= <u32>Stage.AFTER; which++) piecesPut(v, which);
  const failed = isBroken ? Err.IO : deviceCommit(v.mount, WRITES, pieces);
  v.windowAt = ~0;
  return failed;
}

/** Pieces of one stage. */
function piecesPut(v: Volume, which: u32): void {
  for (let i: u32 = 0; i < count;) {
    if (STAGES[i] != which) {
      i++;
      continue;
    }
    let run: u32 = 1;
    while (i + run < count && STAGES[i + run] == which && OFFSETS[i + run] == OFFSETS[i] + run * SECTOR && isFat(v, OFFSETS[i + run]) == isFat(v, OFFSETS[i])) run++;
    piecePut(OFFSETS[i], i, run, which);
    if (isFat(v, OFFSETS[i]) && v.fats == 2) piecePut(OFFSETS[i] + v.fatBytes, i, run, which);
    i += run;
  }
}

function isFat(v: Volume, offset: u64): bool { return offset >= v.fatStart && offset < v.fatStart + v.fatBytes; }

function piecePut(offset: u64, index: u32, run: u32, which: u32): void {
  if (pieces == PIECES_MAX) {
    isBroken = true;
    return;
  }
  const write = changetype<BlockWrite>(WRITES + pieces++ * offsetof<BlockWrite>()); // SAFETY: room for PIECES_MAX
  write.offset = offset;
  write.va = linearVa(DATA + index * SECTOR);
  write.bytes = run * SECTOR;
  write.stage = which | stageFlags(which);
}

/** Others lead to what the FAT and new directories hold. */
function stageFlags(which: u32): u32 {
  if (which == <u32>Stage.TABLE || which == <u32>Stage.CONTENTS) return BlockStage.LEADS;
  return which == <u32>Stage.ENTRY && entriesWait ? BlockStage.WAITS : 0;
}

function infoPut(v: Volume): void {
  if (v.infoAt == 0) return;
  stageSet(Stage.GROWTH); // it waits for nothing
  const at = sector(v, v.infoAt);
  if (at == 0) return;
  put32(at + Info.FREE, v.free);
  put32(at + Info.NEXT, v.hint);
}

/** The mark of Windows in FAT[1] and that of Linux in the boot sector. */
function mark(v: Volume, isDirty: bool): void {
  if (v.isMarked == isDirty) return;
  stageSet(isDirty ? Stage.GROWTH : Stage.AFTER);
  const boot = sector(v, 0);
  if (boot == 0) return;
  const state = boot + (v.bits == 32 ? Boot.STATE_32 : Boot.STATE_16);
  put8(state, isDirty ? get8(state) | 1 : get8(state) & ~1);
  const fat = v.bits == 12 ? 0 : fatSector(v, 0);
  if (fat == 0) return; // FAT12 has no mark there; or commit will fail
  if (v.bits == 32) put32(fat + 4, isDirty ? get32(fat + 4) & ~CLEAN_BIT : get32(fat + 4) | CLEAN_BIT);
  else put16(fat + 2, isDirty ? get16(fat + 2) & ~CLEAN_BIT_16 : get16(fat + 2) | CLEAN_BIT_16);
}
