/**
 * A block request: one transfer between adjacent sectors of a disk and pieces of frames, in memory of the kernel's own.
 *
 *   WAITING ──issued──▶ ISSUED ──completed──▶ DONE        WAITING and ISSUED requests outlive their driver (disk.ts)
 *
 * Invariants  R1  a request is on its disk's list until it is DONE.
 *             R2  one that nobody waits for any more (its caller was killed) frees itself and its frames' references when it is
 *                 DONE: until then a device may write to them.
 *             R3  each piece holds one reference on its frame.
 * Locking     the disk's lock guards every field but the frames' contents.
 * Units       sector: 512 bytes.
 */
import { pageAlloc } from "../../core/mm/buddy";
import { framePut, pfnToPa } from "../../core/mm/frame";
import { kfree, kzalloc } from "../../core/mm/slab";
import { WaitQueue, waitQueueAt, waitQueueInit } from "../../core/sync/wait-queue";
import { ListNode, listInit, listNodeAt } from "../../lib/list";
import { wordAt, wordSet } from "../../lib/words";

/** Pieces of the largest request: 128 KiB when they are whole pages. */
export const REQUEST_PIECES: u32 = 32;

export const enum RequestState { WAITING = 0, ISSUED = 1, DONE = 2 }

@final @unmanaged
export class Request {
  node: u64;       // a ListNode held by value: the disk's requests, oldest first
  wait: u64;       // a WaitQueue held by value
  wait1: u64;
  wait2: u64;
  wait3: u64;
  sector: u64;     // on the disk, partitions already added
  issuedNs: u64;   // when a driver was told of it last
  op: u32;         // BlockOp
  sectors: u32;
  state: u32;      // RequestState
  status: i32;     // when DONE: 0 or a negated errno
  queue: u32;      // of the disk's, chosen by the CPU that submitted it
  tag: u32;        // of the ring entry while ISSUED
  isAbandoned: u32; // R2
  isReplay: u32;   // it was issued to a driver that died
  deaths: u32;     // of drivers that had it
  deathsAlone: u32; // of drivers that had nothing else
  pieces: u32;
  piece0: u32;     // REQUEST_PIECES pairs follow: pfn, offset << 16 | bytes
}

const REQUEST_BYTES: u32 = <u32>offsetof<Request>() + (REQUEST_PIECES << 3);

export function requestAt(address: usize): Request { return changetype<Request>(address); } // SAFETY: the caller names one
export function requestNode(request: Request): ListNode { return listNodeAt(changetype<usize>(request)); }
export function requestWait(request: Request): WaitQueue {
  return waitQueueAt(changetype<usize>(request) + offsetof<Request>("wait"));
}

function piecesOf(request: Request): usize { return changetype<usize>(request) + offsetof<Request>("piece0"); }

/** Physical address and length of piece `index` of the transfer. */
export function requestPiecePa(request: Request, index: u32): u64 {
  return pfnToPa(wordAt(piecesOf(request), index << 1)) + (wordAt(piecesOf(request), (index << 1) + 1) >> 16);
}
export function requestPieceBytes(request: Request, index: u32): u32 { return wordAt(piecesOf(request), (index << 1) + 1) & 0xffff; }

/** Puts page `pfn` in the place of piece `index`'s, references and all: the page that was there. The request is done. */
export function requestPieceSwap(request: Request, index: u32, pfn: u32): u32 {
  const old = wordAt(piecesOf(request), index << 1);
  wordSet(piecesOf(request), index << 1, pfn);
  return old;
}

/** A request without pieces, or null when memory is full. */
export function requestCreate(op: u32, sector: u64): Request | null {
  const address = kzalloc(REQUEST_BYTES);
  if (address == 0) return null;
  const request = requestAt(address);
  listInit(requestNode(request));
  waitQueueInit(requestWait(request));
  request.op = op;
  request.sector = sector;
  return request;
}

/** Adds `bytes` (whole sectors) of page `pfn` from `offset` on; a reference to the page passes to the request (R3). False: it is full. */
export function requestAdd(request: Request, pfn: u32, offset: u32, bytes: u32): bool {
  if (request.pieces == REQUEST_PIECES) return false;
  wordSet(piecesOf(request), request.pieces << 1, pfn);
  wordSet(piecesOf(request), (request.pieces << 1) + 1, offset << 16 | bytes);
  request.pieces++;
  request.sectors += bytes >> 9;
  return true;
}

/** A request of `bytes` (whole sectors, at most 128 KiB) with pages of its own, or null when memory is full. */
export function requestCreatePages(op: u32, sector: u64, bytes: u32): Request | null {
  const request = requestCreate(op, sector);
  if (!request) return null;
  for (let left = bytes; left != 0; left -= min<u32>(left, 4096)) {
    const pfn = pageAlloc();
    if (pfn == 0 || !requestAdd(request, pfn, 0, min<u32>(left, 4096))) {
      if (pfn != 0) framePut(pfn);
      requestFree(request);
      return null;
    }
  }
  return request;
}

/** Gives a request and its frames' references back; it is on no list. */
export function requestFree(request: Request): void {
  for (let i: u32 = 0; i < request.pieces; i++) framePut(wordAt(piecesOf(request), i << 1));
  kfree(changetype<usize>(request));
}
