/** Methods that say where a file's blocks are, allot them and free them. */
import { FsAllocate, FsAttributes, FsExtent, FsExtents, FsRelease, FsTruncate } from "../../../kernel/abi/file-system.gen";
import { bytesFill, get64, put32, put64, room } from "../../runtime/memory";
import { IFREG, putAttributes } from "./attributes";
import { slotCluster, slotRead, startIsSound } from "./directory";
import { allocate, Allocation, chainCut, chainFree, entryUpdate, Runs, runsOf } from "./files";
import { Err } from "./layout";
import { abandon, begin, commit } from "./transaction";
import { Volume } from "./volume";
import { nodePlace, nodeStart, putNode, window } from "./window";

/** Of a file. */
export const MAX_BYTES: u64 = 0xffffffff;
const RUNS = new Runs();
const ALLOCATION = new Allocation();
/** A short entry as it is on the device. */
const SLOT_BUFFER: usize = room(32);

/** FsMethod.EXTENTS. */
export function extents(v: Volume): i32 {
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

/** FsMethod.ALLOCATE. */
export function allocateBlocks(v: Volume): i32 {
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

/** FsMethod.TRUNCATE. */
export function truncate(v: Volume): i32 {
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

/** FsMethod.RELEASE. */
export function release(v: Volume): i32 {
  if (v.isReadOnly) return Err.ROFS;
  const failed = chainFree(v, nodeStart(FsRelease.NODE));
  if (failed < 0) return failed;
  put64(window + FsRelease.R_BLOCKS_FREE, v.free);
  return 0;
}
