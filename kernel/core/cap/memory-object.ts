/**
 * Memory as capabilities: frames that servers map and devices reach, quotas that bound them, and device registers.
 *
 *   MEMORY  frames of RAM, zeroed when made      MMIO, PORTS  a range of a device      QUOTA  how much MEMORY may be made
 *
 * Invariants  M1  pages of a MEMORY object live as long as the object; mappings hold references to the single frames besides.
 *             M2  usedPages of a quota is the sum over its live objects, at most limitPages.
 * Locking     objects do not change once made; Quota.usedPages is atomic.
 * Units       pages of 4 KiB; pa: physical byte address.
 */
import { physZero } from "../../../arch/current";
import { CapKind } from "../../abi/capability";
import { wordAt, wordSet } from "../../lib/words";
import { pageAllocZeroed, pagesAlloc, pagesSplit } from "../mm/buddy";
import { framePut, pfnToPa } from "../mm/frame";
import { kfree, kmalloc, kzalloc } from "../mm/slab";
import { KObject, objectAt, objectFree, objectGet, objectIgnore, objectInit, objectKindSet, objectPut } from "./object";

/** One MEMORY, MMIO or PORTS object. */
@final @unmanaged
export class MemoryObject {
  object: u64;   // a KObject held by value
  object1: u64;
  pages: u32;
  table: u32;    // MEMORY: pfn of each page; 0: adjacent from `base`
  quota: u32;    // MEMORY: Quota it counts against, one reference, or 0
  owner: u32;    // MMIO, PORTS: object whose device it belongs to, one reference, or 0
  base: u64;     // first pa; PORTS: first port
  bytes: u64;
  mappings: u32; // MEMORY: where devices reach it (services/driver/iommu/domain.ts), 0: nowhere
  pad: u32;
}

/**
 *   slot    called when                          returns when
 *   unmap   an object with mappings is to end    no device reaches its pages any more; false: that is not sure, and they are lost
 */
@final @unmanaged
class MemoryHooks {
  unmap: (memory: MemoryObject) => bool;
}
const HOOKS = changetype<MemoryHooks>(memory.data(offsetof<MemoryHooks>()));

/** Who maps objects for devices says here how they are unmapped; once, before the first. */
export function memoryUnmapSet(unmap: (memory: MemoryObject) => bool): void { HOOKS.unmap = unmap; }


@final @unmanaged
export class Quota {
  object: u64;     // a KObject held by value
  object1: u64;
  limitPages: u32;
  usedPages: u32;  // M2
}

const PAGES_MAX: u32 = 65536; // 256 MiB an object: its table is one kmalloc
const ORDER_MAX: u32 = 11;

/** The object's head is its first field. */
export function memoryObjectAt(address: usize): MemoryObject { return changetype<MemoryObject>(address); } // SAFETY: the caller names one
export function memoryObjectHead(memory: MemoryObject): KObject { return objectAt(changetype<usize>(memory)); }
export function quotaAt(address: usize): Quota { return changetype<Quota>(address); } // SAFETY: the caller names one

export function memoryObjectsInit(): void {
  objectKindSet(CapKind.MEMORY, objectIgnore, objectIgnore, memoryDestroy);
  objectKindSet(CapKind.MMIO, objectIgnore, objectIgnore, rangeDestroy);
  objectKindSet(CapKind.PORTS, objectIgnore, objectIgnore, rangeDestroy);
  objectKindSet(CapKind.QUOTA, objectIgnore, objectIgnore, objectFree);
}

/** A quota of `pages` with one reference, or 0 when memory is full. */
export function quotaCreate(pages: u32): usize {
  const address = kzalloc(offsetof<Quota>());
  if (address == 0) return 0;
  objectInit(objectAt(address), CapKind.QUOTA);
  quotaAt(address).limitPages = pages;
  return address;
}

function quotaTake(quota: Quota, pages: u32): bool {
  const at = changetype<usize>(quota) + offsetof<Quota>("usedPages");
  if (atomic.add<u32>(at, pages) + pages <= quota.limitPages) return true;
  atomic.sub<u32>(at, pages);
  return false;
}

function quotaGive(address: u32, pages: u32): void {
  if (address == 0) return;
  atomic.sub<u32>(<usize>address + offsetof<Quota>("usedPages"), pages);
  objectPut(objectAt(address));
}

/** Zeroed memory of `pages` (one block when `isContiguous`), counted against `quota` when there is one; null: no more. */
export function memoryObjectCreate(pages: u32, isContiguous: bool, quota: usize): MemoryObject | null {
  if (pages == 0 || pages > PAGES_MAX) return null;
  if (quota != 0) {
    if (!quotaTake(quotaAt(quota), pages)) return null;
    objectGet(objectAt(quota));
  }
  const address = kzalloc(offsetof<MemoryObject>());
  if (address != 0) {
    const memory = memoryObjectAt(address);
    objectInit(objectAt(address), CapKind.MEMORY);
    memory.bytes = <u64>pages << 12;
    if (isContiguous ? blockFill(memory, pages) : tableFill(memory, pages)) {
      memory.quota = <u32>quota;
      return memory;
    }
    kfree(address);
  }
  quotaGive(<u32>quota, pages);
  return null;
}

function blockFill(memory: MemoryObject, pages: u32): bool {
  const order: u32 = pages == 1 ? 0 : 32 - clz<u32>(pages - 1);
  if (order > ORDER_MAX) return false;
  const pfn = pagesAlloc(order);
  if (pfn == 0) return false;
  pagesSplit(pfn, order); // mappings count references page by page
  for (let spare = pages; spare < 1 << order; spare++) framePut(pfn + spare);
  memory.base = pfnToPa(pfn);
  physZero(memory.base, pages << 12);
  memory.pages = pages;
  return true;
}

function tableFill(memory: MemoryObject, pages: u32): bool {
  memory.table = <u32>kmalloc(pages << 2);
  if (memory.table == 0) return false;
  for (let i: u32 = 0; i < pages; i++) {
    const pfn = pageAllocZeroed();
    if (pfn == 0) {
      pagesPut(memory);
      return false;
    }
    wordSet(memory.table, i, pfn);
    memory.pages = i + 1;
  }
  return true;
}

function pagesPut(memory: MemoryObject): void {
  for (let i: u32 = 0; i < memory.pages; i++) framePut(<u32>(memoryObjectPa(memory, i) >> 12));
  if (memory.table != 0) kfree(memory.table);
}

function memoryDestroy(object: KObject): void {
  const memory = memoryObjectAt(changetype<usize>(object));
  if (memory.mappings == 0 || HOOKS.unmap(memory)) pagesPut(memory);
  quotaGive(memory.quota, memory.pages);
  kfree(changetype<usize>(object));
}

/** Whether nobody has the object mapped, or is about to: no program, no device, and no call looks at it. Locking: capLock. */
export function memoryIsUnusedLocked(memory: MemoryObject): bool {
  const object = memoryObjectHead(memory);
  return atomic.load<u32>(changetype<usize>(object) + offsetof<KObject>("refs")) == object.slots && memory.mappings == 0;
}

/** Physical address of page `index` (< pages). */
export function memoryObjectPa(memory: MemoryObject, index: u32): u64 {
  return memory.table != 0 ? pfnToPa(wordAt(memory.table, index)) : memory.base + (<u64>index << 12);
}

/** A range of device registers (MMIO) or ports that belongs to `owner` (its reference is taken over); 0 when memory is full. */
export function rangeObjectCreate(kind: u32, base: u64, bytes: u64, owner: u32): usize {
  const address = kzalloc(offsetof<MemoryObject>());
  if (address == 0) return 0;
  const range = memoryObjectAt(address);
  objectInit(objectAt(address), kind);
  range.base = base;
  range.bytes = bytes;
  range.pages = <u32>((bytes + 4095) >> 12);
  range.owner = owner;
  return address;
}

function rangeDestroy(object: KObject): void {
  const range = memoryObjectAt(changetype<usize>(object));
  if (range.owner != 0) objectPut(objectAt(range.owner));
  kfree(changetype<usize>(object));
}
