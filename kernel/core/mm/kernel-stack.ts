/**
 * Kernel stacks: 16 KiB each in the linear window, with an unmapped guard page below.
 *
 *   slot   | guard, 4 KiB | stack, 16 KiB |
 *
 * A stack given back stays mapped: first in its CPU's cache, then on a global list. When that list is long, a batch
 * is unmapped behind one flush of all CPUs, so that memory comes back after a burst of processes.
 *
 * Invariants  Z1  a bit of SLOT_MAP is set exactly while its slot is mapped.
 *             Z2  cached stacks are chained through their first word and count as free memory (freeHeldAdd).
 * Locking     STACK_LOCK (Rank.HEAP - 1): the map and the global list. CPU caches: their CPU.
 */
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";
import { Rank } from "../../lib/lock-rank";
import { thisCpu } from "../sched/cpu";
import { freeHeldAdd, pageAlloc, pageFree } from "./buddy";
import { frameOf, paToPfn, pfnToPa } from "./frame-table";
import { kernelMapPage, kernelUnmapPage } from "./kernel-map";
import { PAGE_SIZE } from "./layout";
import { tlbFlushKernel } from "./tlb";

export const KSTACK_BYTES: u32 = 16384;
const STACK_PAGES: u32 = 4;
const SLOT_BYTES: usize = 5 * 4096;
const MAX_SLOTS: u32 = 13056; // what fits into 255 MiB
const CPU_CACHE: u32 = 4;
const LIST_HIGH: u32 = 64;
const TRIM_BATCH: u32 = 32;

const STACK_LOCK = changetype<SpinLock>(memory.data(offsetof<SpinLock>()));
const SLOT_MAP: usize = memory.data(1632, 4); // Z1, one bit a slot
const CPU_STACKS: usize = memory.data(64 * 8, 64); // StackList for each CPU

@final @unmanaged
class StackList {
  head: usize;
  count: u32;
}
const GLOBAL = changetype<StackList>(memory.data(offsetof<StackList>()));

@final @unmanaged
class StackRegion {
  base: usize;
  slots: u32;
  hint: u32; // no unmapped slot lies below
}
const REGION = changetype<StackRegion>(memory.data(offsetof<StackRegion>()));

/** Kernel stacks live in linear [base, limit). */
export function kstackInit(base: usize, limit: usize): void {
  spinInit(STACK_LOCK, Rank.HEAP - 1);
  memory.fill(SLOT_MAP, 0, MAX_SLOTS >> 3);
  memory.fill(CPU_STACKS, 0, 64 * 8);
  GLOBAL.head = 0;
  GLOBAL.count = 0;
  REGION.base = base;
  REGION.slots = min<u32>(MAX_SLOTS, <u32>((limit - base) / SLOT_BYTES));
  REGION.hint = 0;
}

function cpuStacks(): StackList {
  return changetype<StackList>(CPU_STACKS + (<usize>thisCpu().id << 3)); // SAFETY: cpu id < MAX_CPUS
}

function stackPush(list: StackList, stack: usize): void {
  store<usize>(stack, list.head);
  list.head = stack;
  list.count++;
  freeHeldAdd(STACK_PAGES);
}

function stackPop(list: StackList): usize {
  const stack = list.head;
  if (!stack) return 0;
  list.head = load<usize>(stack);
  list.count--;
  freeHeldAdd(-<i32>STACK_PAGES);
  return stack;
}

/** Linear base of a 16 KiB stack, its contents undefined; 0 when memory is full. */
export function kstackAlloc(): usize {
  const cached = stackPop(cpuStacks());
  if (cached) return cached;
  spinLock(STACK_LOCK);
  let stack = stackPop(GLOBAL);
  if (!stack) stack = stackMapLocked();
  spinUnlock(STACK_LOCK);
  return stack;
}

/** Gives back a stack nobody runs on. No spinlock is held. */
export function kstackFree(base: usize): void {
  const own = cpuStacks();
  if (own.count < CPU_CACHE) {
    stackPush(own, base);
    return;
  }
  spinLock(STACK_LOCK);
  stackPush(GLOBAL, base);
  if (GLOBAL.count > LIST_HIGH) stackTrimLocked(TRIM_BATCH);
  spinUnlock(STACK_LOCK);
}

/** Unmaps all stacks nobody uses but those in other CPUs' caches (low memory). */
export function kstackTrim(): void {
  spinLock(STACK_LOCK);
  stackTrimLocked(GLOBAL.count);
  spinUnlock(STACK_LOCK);
}

function slotOf(stack: usize): u32 {
  return <u32>((stack - PAGE_SIZE - REGION.base) / SLOT_BYTES);
}

function slotFindLocked(): u32 {
  for (let word = REGION.hint >> 5; word << 5 < REGION.slots; word++) {
    const bits = load<u32>(SLOT_MAP + (<usize>word << 2));
    if (bits == 0xffffffff) continue;
    REGION.hint = (word << 5) + ctz(~bits);
    return REGION.hint;
  }
  return REGION.slots;
}

function slotMark(slot: u32, isMapped: bool): void {
  const at = SLOT_MAP + (<usize>(slot >> 5) << 2);
  const bit: u32 = 1 << (slot & 31);
  store<u32>(at, isMapped ? load<u32>(at) | bit : load<u32>(at) & ~bit);
}

function stackMapLocked(): usize {
  const slot = slotFindLocked();
  if (slot >= REGION.slots) return 0;
  const stack = REGION.base + slot * SLOT_BYTES + PAGE_SIZE;
  for (let page: u32 = 0; page < STACK_PAGES; page++) {
    const pfn = pageAlloc();
    if (pfn && kernelMapPage(stack + page * PAGE_SIZE, pfnToPa(pfn))) continue;
    if (pfn) pageFree(pfn);
    stackUnmap(stack, page); // nobody has touched them: no TLB to flush
    return 0;
  }
  slotMark(slot, true);
  return stack;
}

function stackUnmap(stack: usize, pages: u32): void {
  for (let page: u32 = 0; page < pages; page++) pageFree(paToPfn(kernelUnmapPage(stack + page * PAGE_SIZE)));
}

/** Unmaps first and frees the frames after the flush: until then another CPU may still reach them. */
function stackTrimLocked(count: u32): void {
  let chain: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const stack = stackPop(GLOBAL);
    const slot = slotOf(stack);
    slotMark(slot, false);
    REGION.hint = min(REGION.hint, slot);
    for (let page: u32 = 0; page < STACK_PAGES; page++) {
      const pfn = paToPfn(kernelUnmapPage(stack + page * PAGE_SIZE));
      frameOf(pfn).link = chain;
      chain = pfn;
    }
  }
  if (!chain) return;
  tlbFlushKernel();
  while (chain) {
    const next = frameOf(chain).link;
    pageFree(chain);
    chain = next;
  }
}
