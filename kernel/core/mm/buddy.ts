/**
 * The page allocator: a zone for each NUMA node below a cache of single pages for each CPU.
 *
 * The cache is touched by its own CPU only and interrupts are off in the kernel, so taking or giving a single page is
 * a list operation without a lock. It refills and drains in batches. Pages come from the CPU's own node while that has
 * any, then from the others in their order; a page of another node does not enter the cache when it is freed.
 *
 * Invariants  P1  a page in a CPU's cache has refs == 0 and is not FREE in the sense of the zone (F1).
 * Locking     zones: their own lock. Caches: none, see above.
 */
import { physZero } from "../../../arch/current";
import { MAX_NUMA_NODES } from "../../../arch/x86_64/acpi-srat";
import { MAX_CPUS, thisCpu } from "../sched/cpu";
import { FrameFlag, frameOf, pfnToPa } from "./frame-table";
import { PAGE_SHIFT, PAGE_SIZE, pageAlignUp } from "./layout";
import { Zone, zoneAddRange, zoneAlloc, zoneFree, zoneGiveBatch, zoneInit, zoneTakeBatch } from "./zone";

export { earlyPageAlloc } from "./early-memory";
export { pfnToPa } from "./frame-table";

/** Most NUMA nodes. */
export const MAX_NODES: u32 = MAX_NUMA_NODES;
/** Pages moved between a CPU's cache and its zone at a time. */
const BATCH: u32 = 32;
/** A cache holding this many drains one batch. */
const CACHE_HIGH: u32 = 96;
/** Pages that only the kernel itself may take: user faults fail before, so that exits and the killer can work. */
const KERNEL_RESERVE: u32 = 256;

@final @unmanaged
class PageCache {
  head: u32;  // pfn, chained through Frame.link
  count: u32;
}

const CACHES: usize = memory.data(64 * 8, 64); // MAX_CPUS PageCache
const ZONES: usize = memory.data(8 * 88, 64);  // MAX_NODES Zone
if (offsetof<Zone>() != 80) ERROR("ZONES has room for eight zones of at most 88 bytes");
const TAKEN: usize = memory.data(64 * 4, 4);   // zoneTakeBatch's count, one word a CPU

const FREE_HELD: usize = memory.data(8, 4);    // a u32, atomic

let nodeCount: u32 = 0;
let userReserve: u32 = 0;

function zoneAt(node: u32): Zone {
  return changetype<Zone>(ZONES + <usize>node * offsetof<Zone>()); // SAFETY: node < nodeCount
}

function cacheOf(cpu: u32): PageCache {
  return changetype<PageCache>(CACHES + (<usize>cpu << 3)); // SAFETY: cpu < MAX_CPUS
}

/** Forgets all memory; called once at boot before buddyAddRange. */
export function buddyInit(nodes: u32): void {
  nodeCount = min(max<u32>(nodes, 1), MAX_NODES);
  for (let node: u32 = 0; node < nodeCount; node++) zoneInit(zoneAt(node), node);
  memory.fill(CACHES, 0, 64 * 8);
  store<u32>(FREE_HELD, 0);
  userReserve = 0;
}

/** Hands RAM [pa, pa + size) to `node`; its frame records exist already. */
export function buddyAddRange(pa: u64, size: u64, node: u32): void {
  const first = <u32>(pageAlignUp(pa) >> PAGE_SHIFT);
  const end = <u32>((pa + size) >> PAGE_SHIFT);
  if (first >= end) return;
  zoneAddRange(zoneAt(node < nodeCount ? node : 0), first, end);
  userReserve = min(KERNEL_RESERVE, <u32>(totalPageCount() >> 6));
}

function zonesAlloc(order: u32, home: u32): u32 {
  const pfn = zoneAlloc(zoneAt(home), order);
  if (pfn) return pfn;
  for (let node: u32 = 0; node < nodeCount; node++) {
    if (node == home) continue;
    const other = zoneAlloc(zoneAt(node), order);
    if (other) return other;
  }
  return 0;
}

/** Fills this CPU's cache; false when no node has a page left. */
function cacheRefill(cpu: u32, home: u32): bool {
  const cache = cacheOf(cpu);
  const takenPtr = TAKEN + (<usize>cpu << 2);
  for (let i: u32 = 0; i < nodeCount; i++) {
    const node = i == 0 ? home : i <= home ? i - 1 : i;
    cache.head = zoneTakeBatch(zoneAt(node), BATCH, cache.head, takenPtr);
    cache.count += load<u32>(takenPtr);
    if (cache.count) return true;
  }
  return false;
}

function homeNode(node: u32): u32 {
  return node < nodeCount ? node : 0;
}

/** Takes one page with refs == 1, not cleared; its pfn, or 0 when memory is full. */
export function pageAlloc(): u32 {
  const cpu = thisCpu();
  const cache = cacheOf(cpu.id);
  if (!cache.head && !cacheRefill(cpu.id, homeNode(cpu.node))) return 0;
  const pfn = cache.head;
  const frame = frameOf(pfn);
  cache.head = frame.link;
  cache.count--;
  frame.refs = 1;
  frame.link = 0;
  frame.owner = 0;
  return pfn;
}

/** Gives back a page of pageAlloc whose last reference is gone. */
export function pageFree(pfn: u32): void {
  const cpu = thisCpu();
  const cache = cacheOf(cpu.id);
  const frame = frameOf(pfn);
  assert(frame.flags == <u8>FrameFlag.RAM); // F1: freed twice, or no RAM of ours
  frame.refs = 0;
  if (frame.node != <u8>cpu.node) {
    zoneFree(zoneAt(frame.node), pfn, 0);
    return;
  }
  frame.link = cache.head;
  cache.head = pfn;
  cache.count++;
  if (cache.count >= CACHE_HIGH) cacheDrain(cpu.id, BATCH);
}

/** Gives `count` pages of a CPU's cache back, each to the zone it came from. */
function cacheDrain(cpu: u32, count: u32): void {
  const cache = cacheOf(cpu);
  cache.count -= count;
  if (nodeCount == 1) {
    cache.head = zoneGiveBatch(zoneAt(0), count, cache.head);
    return;
  }
  for (let i: u32 = 0; i < count; i++) {
    const pfn = cache.head;
    const frame = frameOf(pfn);
    cache.head = frame.link;
    zoneFree(zoneAt(frame.node), pfn, 0);
  }
}

/** Empties this CPU's cache into the zones (before a large block is refused, and in tests). */
export function pageCacheDrain(): void {
  const cpu = thisCpu().id;
  cacheDrain(cpu, cacheOf(cpu).count);
}

/**
 * Takes a block of 2^order pages, aligned to its size, refs == 1 on the first, not cleared; its first pfn, or 0 when
 * no such block is free.
 */
export function pagesAlloc(order: u32): u32 {
  if (order == 0) return pageAlloc();
  const home = homeNode(thisCpu().node);
  let pfn = zonesAlloc(order, home);
  if (!pfn) {
    pageCacheDrain();
    pfn = zonesAlloc(order, home);
    if (!pfn) return 0;
  }
  const frame = frameOf(pfn);
  frame.order = <u8>order;
  frame.refs = 1;
  frame.link = 0;
  frame.owner = 0;
  return pfn;
}

/** Gives back a block of pagesAlloc. */
export function pagesFree(pfn: u32, order: u32): void {
  if (order == 0) {
    pageFree(pfn);
    return;
  }
  const frame = frameOf(pfn);
  frame.refs = 0;
  zoneFree(zoneAt(frame.node), pfn, order);
}

/** Makes the pages of a block from pagesAlloc single ones: each has one reference and goes back by itself. */
export function pagesSplit(pfn: u32, order: u32): void {
  for (let page = pfn; page < pfn + (1 << order); page++) {
    const frame = frameOf(page);
    frame.order = 0;
    frame.refs = 1;
    frame.link = 0;
    frame.owner = 0;
  }
}

/** pageAlloc, cleared. */
export function pageAllocZeroed(): u32 {
  const pfn = pageAlloc();
  if (pfn) physZero(pfnToPa(pfn), PAGE_SIZE);
  return pfn;
}

/** pageAlloc for what programs fill at will (file contents): 0 when only the kernel's reserve is left. */
export function pageAllocUser(): u32 {
  return userPagesLeft() ? pageAlloc() : 0;
}

/** The same, cleared. */
export function pageAllocUserZeroed(): u32 {
  return userPagesLeft() ? pageAllocZeroed() : 0;
}

/** True while user space may take pages: the kernel's reserve is untouched. */
export function userPagesLeft(): bool {
  const cache = cacheOf(thisCpu().id);
  if (cache.count > 1) return true;
  return zonesFree() > userReserve;
}

/** True while there is room for another process: forks fail before the faults of those that exist. */
export function processPagesLeft(): bool {
  return zonesFree() > userReserve << 1;
}

function zonesFree(): u32 {
  let pages: u32 = 0;
  for (let node: u32 = 0; node < nodeCount; node++) pages += zoneAt(node).freePages;
  return pages;
}

/** Counts pages that a layer above holds but could use again at once: free heap pages, cached kernel stacks. */
export function freeHeldAdd(pages: i32): void {
  atomic.add<u32>(FREE_HELD, pages);
}

/** Free pages: zones, caches and what freeHeldAdd counted. Exact only while other CPUs are quiet. */
export function freePageCount(): u64 {
  let pages: u64 = <u64>zonesFree() + atomic.load<u32>(FREE_HELD);
  for (let cpu: u32 = 0; cpu < MAX_CPUS; cpu++) pages += cacheOf(cpu).count;
  return pages;
}

/** NUMA nodes, those without memory included. */
export function nodesTotal(): u32 {
  return nodeCount;
}

/** Pages of RAM ever handed to node `node`. */
export function nodePages(node: u32): u32 {
  return zoneAt(node).totalPages;
}

/** Pages free in the zone of node `node`: those in CPUs' caches are not counted. */
export function nodeFreePages(node: u32): u32 {
  return zoneAt(node).freePages;
}

/** Pages of RAM ever handed to the allocator. */
export function totalPageCount(): u64 {
  let pages: u64 = 0;
  for (let node: u32 = 0; node < nodeCount; node++) pages += zoneAt(node).totalPages;
  return pages;
}
