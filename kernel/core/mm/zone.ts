/**
 * A zone: the buddy allocator of one NUMA node, blocks of 4 KiB (order 0) to 8 MiB (order MAX_ORDER).
 *
 * Free blocks of an order form a list of pfns through Frame.link/owner. A freed block merges with its buddy (the block
 * whose number differs in bit `order`) as often as that is free: allocation and release take O(MAX_ORDER) steps.
 *
 * Invariants  B1  a free block of order n starts at a multiple of 2^n pages.
 *             B2  no two free buddies of one order exist, except at MAX_ORDER.
 *             B3  bit n of nonEmpty is set exactly when heads[n] != 0.
 * Locking     Zone.lock (Rank.BUDDY) guards the lists and the FREE frames on them.
 */
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";
import { Rank } from "../../lib/lock-rank";
import { Frame, FrameFlag, frameOf } from "./frame-table";
import { MAX_ORDER } from "./layout";

@final @unmanaged
export class Zone {
  lock0: u64;      // a SpinLock held by value
  lock1: u64;
  freePages: u32;  // on the lists below
  totalPages: u32; // ever added
  nonEmpty: u32;   // B3
  node: u32;
  heads0: u64;     // twelve u32: first free pfn of each order, 0 when none
  heads1: u64;
  heads2: u64;
  heads3: u64;
  heads4: u64;
  heads5: u64;
}

function headAddress(zone: Zone, order: u32): usize {
  return changetype<usize>(zone) + offsetof<Zone>("heads0") + (<usize>order << 2);
}

function lockOf(zone: Zone): SpinLock {
  return changetype<SpinLock>(zone); // SAFETY: lock0 and lock1 are a SpinLock at offset 0
}

export function zoneInit(zone: Zone, node: u32): void {
  memory.fill(changetype<usize>(zone), 0, offsetof<Zone>());
  spinInit(lockOf(zone), Rank.BUDDY);
  zone.node = node;
}

function blockPush(zone: Zone, pfn: u32, order: u32): void {
  const head = headAddress(zone, order);
  const first = load<u32>(head);
  const frame = frameOf(pfn);
  frame.flags |= <u8>FrameFlag.FREE;
  frame.order = <u8>order;
  frame.link = first;
  frame.owner = 0;
  if (first) frameOf(first).owner = pfn;
  store<u32>(head, pfn);
  zone.nonEmpty |= 1 << order;
}

function blockRemove(zone: Zone, pfn: u32, order: u32): void {
  const frame = frameOf(pfn);
  const next = frame.link;
  const prev = frame.owner;
  frame.flags &= <u8>~FrameFlag.FREE;
  if (next) frameOf(next).owner = prev;
  if (prev) {
    frameOf(prev).link = next;
    return;
  }
  store<u32>(headAddress(zone, order), next);
  if (!next) zone.nonEmpty &= ~(1 << order);
}

function zoneAllocLocked(zone: Zone, order: u32): u32 {
  const candidates = zone.nonEmpty >> order;
  if (!candidates) return 0;
  let at = order + ctz(candidates);
  const pfn = load<u32>(headAddress(zone, at));
  blockRemove(zone, pfn, at);
  while (at > order) {
    at--;
    blockPush(zone, pfn + (1 << at), at);
  }
  zone.freePages -= 1 << order;
  return pfn;
}

function zoneFreeLocked(zone: Zone, pfn: u32, order: u32): void {
  zone.freePages += 1 << order;
  let at = pfn;
  let size = order;
  while (size < MAX_ORDER) {
    const buddy = at ^ (1 << size);
    const frame = frameOf(buddy);
    if (!(frame.flags & FrameFlag.FREE) || frame.order != <u8>size || frame.node != <u8>zone.node) break;
    blockRemove(zone, buddy, size);
    at &= buddy;
    size++;
  }
  blockPush(zone, at, size);
}

/** Takes a block of 2^order pages; its first pfn, or 0 when there is none. */
export function zoneAlloc(zone: Zone, order: u32): u32 {
  spinLock(lockOf(zone));
  const pfn = zoneAllocLocked(zone, order);
  spinUnlock(lockOf(zone));
  return pfn;
}

/** Gives back a block of zoneAlloc, or any part of one that satisfies B1. */
export function zoneFree(zone: Zone, pfn: u32, order: u32): void {
  spinLock(lockOf(zone));
  assert(!(frameOf(pfn).flags & FrameFlag.FREE)); // F1: freed twice
  zoneFreeLocked(zone, pfn, order);
  spinUnlock(lockOf(zone));
}

/** Takes up to `count` single pages under one lock, chained through Frame.link onto `head`; the new head. */
export function zoneTakeBatch(zone: Zone, count: u32, head: u32, takenPtr: usize): u32 {
  let first = head;
  let taken: u32 = 0;
  spinLock(lockOf(zone));
  while (taken < count) {
    const pfn = zoneAllocLocked(zone, 0);
    if (!pfn) break;
    frameOf(pfn).link = first;
    first = pfn;
    taken++;
  }
  spinUnlock(lockOf(zone));
  store<u32>(takenPtr, taken);
  return first;
}

/** Gives back `count` single pages chained through Frame.link from `head`; what remains of the chain. */
export function zoneGiveBatch(zone: Zone, count: u32, head: u32): u32 {
  let at = head;
  spinLock(lockOf(zone));
  for (let i: u32 = 0; i < count; i++) {
    const next = frameOf(at).link;
    zoneFreeLocked(zone, at, 0);
    at = next;
  }
  spinUnlock(lockOf(zone));
  return at;
}

/** Adds RAM pages [pfn, pfnEnd) in the largest blocks that fit. */
export function zoneAddRange(zone: Zone, pfn: u32, pfnEnd: u32): void {
  let at = pfn;
  while (at < pfnEnd) {
    let order = min<u32>(MAX_ORDER, at ? ctz(at) : MAX_ORDER);
    while (at + (1 << order) > pfnEnd) order--;
    for (let i: u32 = 0; i < <u32>1 << order; i++) {
      const frame = frameOf(at + i);
      frame.refs = 0;
      frame.flags = <u8>FrameFlag.RAM;
      frame.node = <u8>zone.node;
    }
    zone.totalPages += 1 << order;
    zoneFree(zone, at, order);
    at += 1 << order;
  }
}
