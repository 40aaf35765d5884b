/**
 * Blocks of a served file: getting more of the server, and giving back what a shorter file does not need.
 *
 * Locking  ioMutex of the file is held by the callers of everything that calls the server.
 */
import { Errno } from "../../../abi/errno";
import { FsAllocate, FsAttributes, FsExtent, FsMethod, FsTruncate } from "../../../abi/file-system.gen";
import { buffersForget } from "../../block/buffer-cache";
import { Inode } from "../types";
import { callBegin, callEnd, callMake, Connection, reply32, reply64, replyAt, requestPut64, requestPutNode } from "./connection";
import { deviceBlockOf, extentsCut, extentsTake } from "./extents";
import { diskOfFs, fsOf, mountOfFs, nodeTake, reserveSet, ServedInode, tailDoom } from "./inode";

/** Blocks asked for in one ALLOCATE. */
const ALLOCATE_MOST: u64 = 4096;
/** FsTruncate.TAIL_BLOCK when nothing is cut off; no negated errno. */
const NO_TAIL: i64 = i64.MIN_VALUE;

/** Blocks that `size` bytes need. */
export function blocksOf(si: ServedInode, size: u64): u32 { return <u32>((size + fsOf(si).blockBytes - 1) / fsOf(si).blockBytes); }

/** One ALLOCATE: more blocks, up to `need`, or just size and time. 0 or a negated errno. */
export function blocksAllocate(si: ServedInode, need: u64, size: u64, timeNs: u64): i32 {
  const fs = fsOf(si);
  const wanted = min<u64>(need, si.blocks + ALLOCATE_MOST);
  // New extents must follow the map without a gap.
  const c = callBegin(mountOfFs(fs));
  requestPutNode(c, FsAllocate.NODE, si.n0, si.n1);
  requestPut64(c, FsAllocate.HAVE, si.blocks);
  requestPut64(c, FsAllocate.BLOCKS, wanted);
  requestPut64(c, FsAllocate.SIZE, size);
  requestPut64(c, FsAllocate.TIME_NS, timeNs);
  let result = callMake(c, mountOfFs(fs), FsMethod.ALLOCATE, FsAllocate.REQUEST_END, FsAllocate.REPLY_END);
  if (result == 0) result = allocationTake(si, c, wanted);
  callEnd(c);
  if (result == 0) si.diskSize = min<u64>(size, <u64>si.blocks * fs.blockBytes);
  return result;
}

function allocationTake(si: ServedInode, c: Connection, wanted: u64): i32 {
  const fs = fsOf(si);
  const blocks = reply64(c, FsAllocate.R_BLOCKS);
  const most = (fs.deviceBytes - fs.deviceStart) / fs.blockBytes;
  if (blocks < si.blocks || blocks > min<u64>(most, u32.MAX_VALUE) || (wanted > si.blocks && blocks == si.blocks)) return -Errno.IO;
  nodeTake(si, replyAt(c, FsAllocate.R_NODE));
  fs.blocksFree = reply64(c, FsAllocate.R_BLOCKS_FREE);
  const grown = <u32>blocks - si.blocks;
  if (grown == 0) return 0;
  // Unknown extents before the new ones are read later: the map then grows to them by itself.
  let failed: i32 = 0;
  if (si.mapped == si.blocks) failed = extentsTake(si, c, FsAllocate.R_EXTENTS, FsAllocate.R_EXTENTS_AT, <u32>blocks);
  forgetNew(si, c);
  si.blocks = <u32>blocks;
  reserveSet(si, si.reserved > grown ? si.reserved - grown : 0);
  if (si.mapped > si.blocks) failed = -Errno.IO;
  return failed;
}

/** New blocks may have been metadata before. */
function forgetNew(si: ServedInode, c: Connection): void {
  const fs = fsOf(si);
  const count = min<u32>(FsAllocate.R_EXTENTS_MOST, reply32(c, FsAllocate.R_EXTENTS));
  const most = (fs.deviceBytes - fs.deviceStart) / fs.blockBytes;
  for (let i: u32 = 0; i < count; i++) {
    const at = FsAllocate.R_EXTENTS_AT + i * FsExtent.BYTES;
    const block = reply64(c, at + FsExtent.DEVICE_BLOCK);
    const blocks = reply64(c, at + FsExtent.BLOCKS);
    if (block < most && blocks <= most - block) buffersForget(diskOfFs(fs), fs.deviceStart + block * fs.blockBytes, blocks * fs.blockBytes);
  }
}

/** TRUNCATE: the server keeps the blocks that `size` needs. */
export function blocksCut(si: ServedInode, inode: Inode, size: u64): i32 {
  const fs = fsOf(si);
  const keep = min<u32>(si.blocks, blocksOf(si, size));
  const need = max<u32>(si.promised, blocksOf(si, inode.size));
  reserveSet(si, need > keep ? need - keep : 0); // what was written and has no blocks yet still needs them
  if (keep == si.blocks && si.diskSize <= size) return 0;
  const tail = keep != 0 && keep < si.blocks ? deviceBlockOf(si, keep) : NO_TAIL;
  if (tail < 0 && tail != NO_TAIL) return <i32>tail;
  const c = callBegin(mountOfFs(fs));
  requestPutNode(c, FsTruncate.NODE, si.n0, si.n1);
  requestPut64(c, FsTruncate.BLOCKS, keep);
  requestPut64(c, FsTruncate.SIZE, min<u64>(size, si.diskSize));
  requestPut64(c, FsTruncate.TIME_NS, inode.mtimeNs);
  requestPut64(c, FsTruncate.TAIL_BLOCK, tail);
  const result = callMake(c, mountOfFs(fs), FsMethod.TRUNCATE, FsTruncate.REQUEST_END, FsTruncate.REPLY_END);
  if (result == 0) {
    nodeTake(si, replyAt(c, FsTruncate.R_NODE));
    fs.blocksFree = reply64(c, FsTruncate.R_BLOCKS_FREE);
    si.diskSize = min<u64>(size, si.diskSize);
    if (reply64(c, FsTruncate.R_TAIL) != 0) tailDoom(fs, replyAt(c, FsTruncate.R_TAIL), si.blocks - keep);
    si.blocks = <u32>min<u64>(keep, reply64(c, FsTruncate.R_ATTRIBUTES + FsAttributes.BLOCKS));
    si.validEnd = min<u64>(si.validEnd, <u64>si.blocks * fs.blockBytes); // S3, whatever the server has done to the file
    extentsCut(si, si.blocks);
  }
  callEnd(c);
  return result == 0 && si.blocks < keep ? -(<i32>Errno.IO) : result;
}
