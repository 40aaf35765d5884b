/**
 * The order in which sectors of the buffer cache reach the medium, so that a power cut leaves what a COMMIT's stages promise.
 *
 * Each dirty sector has a level; buffersWrite writes level after level and flushes the device between them. A sector that must follow
 * others gets a level above theirs. One that others already follow ("ahead") cannot be raised any more: when a COMMIT would need that,
 * everything dirty is written first. A COMMIT that leads to what an earlier one made (a directory gets another name) waits for all sectors
 * that were said to lead (BlockStage).
 *
 * Invariants  W1  a sector at level n waits for nothing at level n or above.
 */
import { BlockStage, BlockWrite } from "../../abi/block-ring";

/** Levels of the eight sectors of a page, and which of them are ahead of others; in every Buffer, zero for clean sectors. */
@final @unmanaged
export class SectorOrder {
  levels: u64; // a byte each
  ahead: u32;  // mask
  pad: u32;
}

export const LEVEL_MOST: u32 = 255;

export function sectorLevel(order: SectorOrder, sector: u32): u32 { return <u32>(order.levels >> (sector << 3)) & LEVEL_MOST; }

/** Sectors of `mask` are clean: they have no place in the order. */
export function orderForget(order: SectorOrder, mask: u32): void {
  for (let rest = mask & 0xff; rest != 0; rest &= rest - 1) order.levels &= ~(<u64>LEVEL_MOST << (ctz(rest) << 3));
  order.ahead &= ~mask;
}

/** Those sectors of `mask` that are at `level`. */
export function maskAtLevel(order: SectorOrder, mask: u32, level: u32): u32 {
  let found: u32 = 0;
  for (let rest = mask & 0xff; rest != 0; rest &= rest - 1) if (sectorLevel(order, ctz(rest)) == level) found |= rest & -rest;
  return found;
}

/** Goes through the writes of one COMMIT, which come in order of their stages. */
@final @unmanaged
export class StageWalk {
  stage: u32;   // of the write before
  least: u32;   // level that this stage needs
  most: u32;    // highest level of this stage so far
  last: u32;    // stage of the last write: nothing of this COMMIT follows that
  leads: u32;   // level above all sectors that lead; 0: there are none
  isLeading: u32; // those of the write at hand do
}

/** `leads`: as the walk before left it, 0 when nothing is dirty. */
export function stageBegin(walk: StageWalk, first: BlockWrite, last: BlockWrite, leads: u32): void {
  walk.stage = first.stage & BlockStage.NUMBER;
  walk.least = 0;
  walk.most = 0;
  walk.last = last.stage & BlockStage.NUMBER;
  walk.leads = leads;
}

/** The next write is of `stage`. */
export function stageEnter(walk: StageWalk, stage: u32): void {
  if ((stage & BlockStage.NUMBER) != walk.stage) walk.least = walk.most + 1;
  walk.stage = stage & BlockStage.NUMBER;
  walk.isLeading = stage & BlockStage.LEADS ? 1 : 0;
  if (stage & BlockStage.WAITS) walk.least = max<u32>(walk.least, walk.leads);
}

/**
 * A sector is written in the walk's stage: finds its level, and sets it when `isFinal`. `isDirty`: it has one already. False: it cannot
 * have one that keeps W1.
 */
export function sectorPlace(walk: StageWalk, order: SectorOrder, sector: u32, isDirty: bool, isFinal: bool): bool {
  const old = isDirty ? sectorLevel(order, sector) : 0;
  const level = max<u32>(old, walk.least);
  if (level > LEVEL_MOST || (isDirty && level != old && (order.ahead >> sector & 1) != 0)) return false;
  walk.most = max<u32>(walk.most, level);
  if (!isFinal) return true;
  orderForget(order, isDirty ? 0 : 1 << sector);
  order.levels = order.levels & ~(<u64>LEVEL_MOST << (sector << 3)) | <u64>level << (sector << 3);
  if (walk.isLeading) walk.leads = max<u32>(walk.leads, level + 1);
  if (walk.isLeading || walk.stage != walk.last) order.ahead |= 1 << sector;
  return true;
}
