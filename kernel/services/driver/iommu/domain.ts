/**
 * Domains: what the device of one holder reaches. Nothing at first; then the MEMORY objects whose bus addresses were asked for, and for
 * disks the pieces of the requests under way (window.ts).
 *
 *   iova   0x0100_0000 … 0x8000_0000   MEMORY objects, first fit, around what the firmware reserved
 *          0x1_0000_0000 …             windows of fixed places
 *
 * Invariants  D1  DOMAINS[id] is the live domain of that id; ids are never 0; a requester has at most one.
 *             D2  a mapping of a MEMORY object is on its domain's list, in order of iova, and in the object's chain, until the first of
 *                 the two ends; then the unit has forgotten it before any frame is given back.
 *             D3  a closed domain has no table and no unit knows it; whoever still holds it maps nothing more.
 *             D4  the device writes only to objects that somebody with the right to write asked the addresses of.
 * Locking     iommuLock (Rank.IOMMU) guards every domain, mapping and table.
 * Units       iova: the device's address; pages of 4 KiB.
 */
import { MemoryObject, memoryObjectPa, memoryUnmapSet } from "../../../core/cap/memory-object";
import { kfree, kzalloc } from "../../../core/mm/slab";
import { Errno } from "../../../abi/errno";
import { ListNode, listInit, listInsertAfter, listNodeAt, listRemove, listSame } from "../../../lib/list";
import { Rank } from "../../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../../lib/spinlock";
import { wordAt, wordSet } from "../../../lib/words";
import { Process } from "../../process/process";
import { Access, capCachesAbsent } from "./regs";
import { tableFree, tableMake, tableMap, tableUnmap } from "./table";
import { DmaUnit, dmaUnitAdmit, dmaUnitDomains, dmaUnitExpel, dmaUnitForgetAll } from "./unit";

@final @unmanaged
export class Domain {
  mappings: u64;  // a ListNode held by value (D2)
  rootPa: u64;    // 0: closed (D3)
  unit: u32;      // DmaUnit
  id: u32;
  requester: u32; // bus << 8 | device << 3 | function, as the unit sees its DMA
  pid: u32;       // process that last let it master the bus, 0: none
  faults: u32;
  address: u32;   // of the function it is for, in configuration space
  bornNs: u64;    // of that process: another may have its number by now
}

@final @unmanaged
class Mapping {
  node: u64;    // a ListNode held by value: the domain's
  iova: u64;
  pages: u32;
  memory: u32;  // MemoryObject; 0: reserved by the firmware
  domain: u32;
  next: u32;    // Mapping of the same object in another domain
  access: u32;  // Access bits
  pad: u32;
}

const IOVA_FIRST: u64 = 0x1000000;
const IOVA_END: u64 = 0x80000000;
const DOMAINS_MAX: u32 = 64;
const DOMAINS: usize = memory.data(64 * 4, 4);
const IOMMU_LOCK = changetype<SpinLock>(memory.data(offsetof<SpinLock>()));

export function domainAt(address: usize): Domain { return changetype<Domain>(address); } // SAFETY: the caller names one
export function domainUnit(domain: Domain): DmaUnit { return changetype<DmaUnit>(domain.unit); } // SAFETY: domainOpen stored it
function mappingAt(address: usize): Mapping { return changetype<Mapping>(address); } // SAFETY: the caller names one
function listOf(domain: Domain): ListNode { return listNodeAt(changetype<usize>(domain)); }
function ptrOf(domain: Domain): u32 { return <u32>changetype<usize>(domain); }

export function domainsInit(): void {
  spinInit(IOMMU_LOCK, Rank.IOMMU);
  memoryUnmapSet(memoryUnmap);
}

export function iommuLock(): void { spinLock(IOMMU_LOCK); }
export function iommuUnlock(): void { spinUnlock(IOMMU_LOCK); }

/** An empty domain for `requester`; as pointer: EBUSY (it has one), EIO (the unit is broken), ENOMEM, ENOSPC. */
export function domainOpen(unit: DmaUnit, requester: u32): usize {
  const address = kzalloc(offsetof<Domain>());
  if (address == 0) return <usize>-Errno.NOMEM;
  const domain = domainAt(address);
  domain.unit = <u32>changetype<usize>(unit);
  domain.requester = requester;
  listInit(listOf(domain));
  spinLock(IOMMU_LOCK);
  const failed = openLocked(domain, unit);
  spinUnlock(IOMMU_LOCK);
  if (failed == 0) return address;
  kfree(address);
  return <usize>failed;
}

function openLocked(domain: Domain, unit: DmaUnit): i32 {
  if (unit.isBroken) return -Errno.IO;
  if (domainOfLocked(domain.requester)) return -Errno.BUSY;
  let id: u32 = 1;
  const end = min<u32>(DOMAINS_MAX, dmaUnitDomains(unit));
  while (id < end && wordAt(DOMAINS, id) != 0) id++;
  if (id >= end) return -Errno.NOSPC;
  domain.rootPa = tableMake();
  if (domain.rootPa == 0) return -Errno.NOMEM;
  domain.id = id;
  if (!dmaUnitAdmit(unit, domain.requester, id, domain.rootPa)) {
    if (dmaUnitExpel(unit, domain.requester, id)) tableFree(domain.rootPa, unit.levels);
    return unit.isBroken ? -Errno.IO : -Errno.NOMEM;
  }
  wordSet(DOMAINS, id, ptrOf(domain));
  return 0;
}

/** The live domain of `requester`, or null. */
export function domainOfLocked(requester: u32): Domain | null {
  for (let id: u32 = 1; id < DOMAINS_MAX; id++) {
    const address = wordAt(DOMAINS, id);
    if (address != 0 && domainAt(address).requester == requester) return domainAt(address);
  }
  return null;
}

/** Live domains of a unit. */
export function domainCount(unit: DmaUnit): u32 {
  let count: u32 = 0;
  spinLock(IOMMU_LOCK);
  for (let id: u32 = 1; id < DOMAINS_MAX; id++) {
    const address = wordAt(DOMAINS, id);
    if (address != 0 && domainAt(address).unit == <u32>changetype<usize>(unit)) count++;
  }
  spinUnlock(IOMMU_LOCK);
  return count;
}

/** Ends the domain (D3): the device, whose mastering is off, reaches nothing, and the unit has forgotten everything. */
export function domainClose(domain: Domain): void {
  spinLock(IOMMU_LOCK);
  if (domain.rootPa != 0) {
    const isForgotten = dmaUnitExpel(domainUnit(domain), domain.requester, domain.id);
    while (!listSame(listOf(domain).next, listOf(domain))) mappingDropLocked(mappingAt(changetype<usize>(listOf(domain).next)));
    if (isForgotten) tableFree(domain.rootPa, domainUnit(domain).levels); // else the unit may go on reading them: they are lost
    domain.rootPa = 0;
    wordSet(DOMAINS, domain.id, 0);
  }
  spinUnlock(IOMMU_LOCK);
}

/** `process` lets the device master the bus: what it does wrong from now on is that one's fault. */
export function domainBlame(domain: Domain, process: Process): void {
  spinLock(IOMMU_LOCK);
  domain.pid = process.pid;
  domain.bornNs = process.startNs;
  spinUnlock(IOMMU_LOCK);
}

/** Gives the record of a closed domain back. */
export function domainFree(domain: Domain): void { kfree(changetype<usize>(domain)); }

// ---- MEMORY objects ----

/**
 * Where the device finds page 0 of `memory`, the others following; mapped by `access` (Access bits) when it is not yet, or less.
 * 0: memory is full, or it is closed.
 */
export function domainMapMemory(domain: Domain, memory: MemoryObject, access: u32): u64 {
  const fresh = kzalloc(offsetof<Mapping>());
  spinLock(IOMMU_LOCK);
  const known = mappingOfLocked(domain, memory);
  let iova: u64 = known ? known.iova : 0;
  if (known && (access & ~known.access) != 0) widenLocked(domain, memory, known, access);
  if (!known && fresh != 0 && domain.rootPa != 0) {
    const mapping = mappingAt(fresh);
    mapping.memory = <u32>changetype<usize>(memory);
    mapping.pages = memory.pages;
    mapping.access = access;
    if (mapLocked(domain, memory, mapping)) iova = mapping.iova;
  }
  const isKept = fresh != 0 && mappingAt(fresh).iova != 0;
  spinUnlock(IOMMU_LOCK);
  if (!isKept && fresh != 0) kfree(fresh);
  return iova;
}

/** Cannot fail: the tables are there. */
function widenLocked(domain: Domain, memory: MemoryObject, mapping: Mapping, access: u32): void {
  mapping.access |= access;
  for (let page: u32 = 0; page < mapping.pages; page++) {
    tableMap(domain.rootPa, domainUnit(domain).levels, mapping.iova + (<u64>page << 12), memoryObjectPa(memory, page), mapping.access);
  }
  dmaUnitForgetAll(domainUnit(domain));
}

function mappingOfLocked(domain: Domain, memory: MemoryObject): Mapping | null {
  for (let at = memory.mappings; at != 0; at = mappingAt(at).next) {
    if (mappingAt(at).domain == ptrOf(domain)) return mappingAt(at);
  }
  return null;
}

function mapLocked(domain: Domain, memory: MemoryObject, mapping: Mapping): bool {
  const levels = domainUnit(domain).levels;
  const iova = placeLocked(domain, mapping);
  if (iova == 0) return false;
  for (let page: u32 = 0; page < mapping.pages; page++) {
    if (tableMap(domain.rootPa, levels, iova + (<u64>page << 12), memoryObjectPa(memory, page), mapping.access)) continue;
    tableUnmap(domain.rootPa, levels, iova, <u64>page << 12); // no device was told of them
    dmaUnitForgetAll(domainUnit(domain));
    listRemove(listNodeAt(changetype<usize>(mapping)));
    mapping.iova = 0;
    return false;
  }
  mapping.next = memory.mappings;
  memory.mappings = <u32>changetype<usize>(mapping);
  if (capCachesAbsent(domainUnit(domain).cap)) dmaUnitForgetAll(domainUnit(domain));
  return true;
}


/** Gives the mapping the first gap that holds it and a page for whoever runs over its end; its iova, 0 when there is none. */
function placeLocked(domain: Domain, mapping: Mapping): u64 {
  const head = listOf(domain);
  const bytes = <u64>(mapping.pages + 1) << 12;
  let at = IOVA_FIRST;
  let after = head;
  for (let node = head.next; !listSame(node, head); node = node.next) {
    const other = mappingAt(changetype<usize>(node));
    if (at + bytes <= other.iova) break;
    at = max<u64>(at, other.iova + (<u64>(other.pages + 1) << 12));
    after = node;
  }
  if (at + bytes > IOVA_END) return 0;
  mapping.iova = at;
  mapping.domain = ptrOf(domain);
  listInsertAfter(after, listNodeAt(changetype<usize>(mapping)));
  return at;
}

/** Takes a mapping off both lists and frees it; the unit has forgotten it. */
function mappingDropLocked(mapping: Mapping): void {
  listRemove(listNodeAt(changetype<usize>(mapping)));
  if (mapping.memory != 0) chainRemoveLocked(changetype<MemoryObject>(mapping.memory), mapping); // SAFETY: D2
  kfree(changetype<usize>(mapping));
}

function chainRemoveLocked(memory: MemoryObject, mapping: Mapping): void {
  const address = <u32>changetype<usize>(mapping);
  if (memory.mappings == address) {
    memory.mappings = mapping.next;
    return;
  }
  let at = mappingAt(memory.mappings);
  while (at.next != address) at = mappingAt(at.next);
  at.next = mapping.next;
}

/** The object's last reference is gone: no device reaches its frames any more when this returns. False: a unit does not confirm it. */
function memoryUnmap(memory: MemoryObject): bool {
  let isForgotten = true;
  spinLock(IOMMU_LOCK);
  while (memory.mappings != 0) {
    const mapping = mappingAt(memory.mappings);
    const domain = domainAt(mapping.domain);
    tableUnmap(domain.rootPa, domainUnit(domain).levels, mapping.iova, <u64>mapping.pages << 12);
    if (!dmaUnitForgetAll(domainUnit(domain))) isForgotten = false;
    mappingDropLocked(mapping);
  }
  spinUnlock(IOMMU_LOCK);
  return isForgotten;
}

// ---- What the firmware reserved ----

/** The device goes on reaching [start, end), at the same addresses; false when that cannot be. */
export function domainReserve(domain: Domain, start: u64, end: u64): bool {
  const address = kzalloc(offsetof<Mapping>());
  if (address == 0) return false;
  const mapping = mappingAt(address);
  mapping.iova = start;
  mapping.pages = <u32>((end - start) >> 12);
  mapping.domain = ptrOf(domain);
  spinLock(IOMMU_LOCK);
  const isMapped = reserveLocked(domain, mapping);
  spinUnlock(IOMMU_LOCK);
  return isMapped;
}

function reserveLocked(domain: Domain, mapping: Mapping): bool {
  const head = listOf(domain);
  let after = head;
  while (!listSame(after.next, head) && mappingAt(changetype<usize>(after.next)).iova < mapping.iova) after = after.next;
  listInsertAfter(after, listNodeAt(changetype<usize>(mapping)));
  let isMapped = true;
  for (let page: u32 = 0; page < mapping.pages && isMapped; page++) {
    const at = mapping.iova + (<u64>page << 12);
    isMapped = tableMap(domain.rootPa, domainUnit(domain).levels, at, at, Access.READ | Access.WRITE);
  }
  if (capCachesAbsent(domainUnit(domain).cap)) dmaUnitForgetAll(domainUnit(domain));
  return isMapped;
}
