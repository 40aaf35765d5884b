/**
 * Windows: fixed places in a domain for pages that come and go with every request of a disk.
 *
 * A slot is SLOT_PAGES pages of addresses; its tables are made beforehand, so that mapping needs no memory and cannot fail, and forgetting
 * a slot is one invalidation.
 *
 * Locking  iommuLock (domain.ts).
 * Units    iova: the device's address.
 */
import { Domain, domainUnit, iommuLock, iommuUnlock } from "./domain";
import { capCachesAbsent } from "./regs";
import { tableMap, tableReserve, tableUnmap } from "./table";
import { dmaUnitForget, dmaUnitForgetAll } from "./unit";

const WINDOW: u64 = 0x100000000;
const SLOT_ORDER: u32 = 5;
/** The most pages of one slot. */
export const SLOT_PAGES: u32 = 1 << SLOT_ORDER;
const SLOT_SHIFT: u64 = SLOT_ORDER + 12;

function slotIova(slot: u32): u64 { return WINDOW + (<u64>slot << SLOT_SHIFT); }

/** Makes slots 0 to `slots` - 1 usable; false when memory is full or the domain is closed. */
export function windowOpen(domain: Domain, slots: u32): bool {
  iommuLock();
  const isOpen = domain.rootPa != 0 && tableReserve(domain.rootPa, domainUnit(domain).levels, WINDOW, <u64>slots << SLOT_SHIFT);
  iommuUnlock();
  return isOpen;
}

/** Lets the device reach the page of `pa` as page `page` of the slot, by `access` (Access bits): the device's address of `pa`. */
export function windowMap(domain: Domain, slot: u32, page: u32, pa: u64, access: u32): u64 {
  const iova = slotIova(slot) + (<u64>page << 12);
  iommuLock();
  if (domain.rootPa != 0) {
    tableMap(domain.rootPa, domainUnit(domain).levels, iova, pa & ~4095, access); // cannot fail: windowOpen made the tables
    if (capCachesAbsent(domainUnit(domain).cap)) dmaUnitForget(domainUnit(domain), domain.id, iova, 0);
  }
  iommuUnlock();
  return iova | (pa & 4095);
}

/** The device reaches nothing of slots 0 to `slots` - 1 any more when this returns. */
export function windowClear(domain: Domain, slots: u32): void {
  iommuLock();
  if (domain.rootPa != 0) {
    tableUnmap(domain.rootPa, domainUnit(domain).levels, WINDOW, <u64>slots << SLOT_SHIFT);
    dmaUnitForgetAll(domainUnit(domain));
  }
  iommuUnlock();
}

/** The device reaches no page of the slot any more when this returns. */
export function windowUnmap(domain: Domain, slot: u32, pages: u32): void {
  iommuLock();
  if (domain.rootPa != 0 && pages != 0) {
    tableUnmap(domain.rootPa, domainUnit(domain).levels, slotIova(slot), <u64>pages << 12);
    dmaUnitForget(domainUnit(domain), domain.id, slotIova(slot), SLOT_ORDER);
  }
  iommuUnlock();
}
