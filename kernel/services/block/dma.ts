/**
 * Bus addresses of requests: what the device of a disk's driver may reach of the kernel's memory, and when.
 *
 * A request's pieces are mapped when it is issued, in the window of its tag, readable or writable as its operation needs, and taken away
 * before it is done or issued to anybody else: by then the unit has forgotten them. Without an IOMMU an address is the physical one.
 *
 * Invariants  A1  DEVICES[disk] is the PCI object of the driver that is attached, one reference, or 0.
 * Locking     the disk's lock, but for dmaAttach: nothing is issued before it.
 */
import { BLOCK_ENTRIES, BLOCK_QUEUES, BlockOp } from "../../abi/block-ring";
import { Errno } from "../../abi/errno";
import { objectAt, objectPut } from "../../core/cap/object";
import { wordAt, wordSet } from "../../lib/words";
import { Domain } from "../driver/iommu/domain";
import { Access } from "../driver/iommu/regs";
import { SLOT_PAGES, windowClear, windowMap, windowOpen, windowUnmap } from "../driver/iommu/window";
import { PciFunction } from "../driver/pci/functions";
import { pciObjectDomain, pciObjectFunction, pciObjectQuiet } from "../driver/pci/pci-object";
import { Request, REQUEST_PIECES, requestPiecePa } from "./request";

const DEVICES: usize = memory.data(8 * 4, 4);

function domainOf(pci: usize): Domain | null {
  if (pci == 0) return null;
  return pciObjectDomain(pci);
}

function slotOf(request: Request): u32 { return request.queue * BLOCK_ENTRIES + request.tag; }

/** The function that drives `disk` now, or null. */
export function dmaFunction(disk: u32): PciFunction | null {
  const pci = wordAt(DEVICES, disk);
  if (pci == 0) return null;
  return pciObjectFunction(pci);
}

/** The driver of `disk`, with so many queues, has the device of PCI object `pci` (0: of none), whose reference is taken over. */
export function dmaAttach(disk: u32, pci: usize, queues: u32): i32 {
  if (REQUEST_PIECES > SLOT_PAGES) ERROR("a request's pieces fit into one slot of a window");
  const domain = domainOf(pci);
  if (domain && !windowOpen(domain, queues * BLOCK_ENTRIES)) {
    objectPut(objectAt(pci));
    return -Errno.NOMEM;
  }
  wordSet(DEVICES, disk, <u32>pci);
  return 0;
}

/** The driver is gone: when this returns its device masters the bus no longer and reaches no request. */
export function dmaDetach(disk: u32): void {
  const pci = wordAt(DEVICES, disk);
  if (pci == 0) return;
  pciObjectQuiet(pci);
  const domain = domainOf(pci);
  if (domain) windowClear(domain, BLOCK_QUEUES * BLOCK_ENTRIES);
  wordSet(DEVICES, disk, 0);
  objectPut(objectAt(pci));
}

/** The address by which the device reaches piece `index` (within one page) of a request that has its queue and tag. */
export function dmaMap(disk: u32, request: Request, index: u32): u64 {
  const pa = requestPiecePa(request, index);
  const domain = domainOf(wordAt(DEVICES, disk));
  if (!domain) return pa;
  return windowMap(domain, slotOf(request), index, pa, request.op == <u32>BlockOp.READ ? Access.WRITE : Access.READ);
}

/** The device reaches no piece of the request any more. */
export function dmaUnmap(disk: u32, request: Request): void {
  const domain = domainOf(wordAt(DEVICES, disk));
  if (domain) windowUnmap(domain, slotOf(request), request.pieces);
}
