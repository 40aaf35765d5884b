/**
 * A block request: one transfer between a disk and frames of RAM, in memory of the kernel's own.
 *
 *   WAITING ──issued──▶ ISSUED ──completed──▶ DONE        WAITING and ISSUED requests outlive their driver (disk.ts)
 *
 * Invariants  R1  a request is on its disk's list until it is DONE.
 *             R2  one that nobody waits for any more (its caller was killed) frees itself and its pages when it is DONE:
 *                 until then a device may write to them.
 * Locking     the disk's lock guards every field but the frames' contents.
 * Units       sector: 512 bytes.
 */
import { pageAlloc, pageFree } from "../../core/mm/buddy";
import { pfnToPa } from "../../core/mm/frame";
import { kfree, kzalloc } from "../../core/mm/slab";
import { WaitQueue, waitQueueAt, waitQueueInit } from "../../core/sync/wait-queue";
import { ListNode, listInit, listNodeAt } from "../../lib/list";
import { wordAt, wordSet } from "../../lib/words";

/** Pages of the largest request: 128 KiB. */
export const REQUEST_PAGES: u32 = 32;

export const enum RequestState { WAITING = 0, ISSUED = 1, DONE = 2 }

@final @unmanaged
export class Request {
  node: u64;       // a ListNode held by value: the disk's requests, oldest first
  wait: u64;       // a WaitQueue held by value
  wait1: u64;
  wait2: u64;
  wait3: u64;
  sector: u64;     // on the disk, partitions already added
  op: u32;         // BlockOp
  sectors: u32;
  state: u32;      // RequestState
  status: i32;     // when DONE: 0 or a negated errno
  tag: u32;        // of the ring entry while ISSUED
  isAbandoned: u32; // R2
  isReplay: u32;   // it was issued to a driver that died
  pageCount: u32;
  pfn0: u32;       // pfns of REQUEST_PAGES pages follow
}

const REQUEST_BYTES: u32 = <u32>offsetof<Request>() + (REQUEST_PAGES << 2);

export function requestAt(address: usize): Request { return changetype<Request>(address); } // SAFETY: the caller names one
export function requestNode(request: Request): ListNode { return listNodeAt(changetype<usize>(request)); }
export function requestWait(request: Request): WaitQueue {
  return waitQueueAt(changetype<usize>(request) + offsetof<Request>("wait"));
}

function pfnsOf(request: Request): usize { return changetype<usize>(request) + offsetof<Request>("pfn0"); }

/** Physical address of page `index` of the transfer. */
export function requestPagePa(request: Request, index: u32): u64 { return pfnToPa(wordAt(pfnsOf(request), index)); }

/** A request with `pages` pages of its own, or null when memory is full. */
export function requestCreate(op: u32, sector: u64, sectors: u32, pages: u32): Request | null {
  assert(pages <= REQUEST_PAGES);
  const address = kzalloc(REQUEST_BYTES);
  if (address == 0) return null;
  const request = requestAt(address);
  listInit(requestNode(request));
  waitQueueInit(requestWait(request));
  request.op = op;
  request.sector = sector;
  request.sectors = sectors;
  while (request.pageCount < pages) {
    const pfn = pageAlloc();
    if (pfn == 0) {
      requestFree(request);
      return null;
    }
    wordSet(pfnsOf(request), request.pageCount++, pfn);
  }
  return request;
}

/** Gives a request and its pages back; it is on no list. */
export function requestFree(request: Request): void {
  for (let i: u32 = 0; i < request.pageCount; i++) pageFree(wordAt(pfnsOf(request), i));
  kfree(changetype<usize>(request));
}
