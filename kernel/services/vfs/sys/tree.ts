/** The directories of /sys that are always there; each service hangs what it found below one of them. */
import { wordAt, wordSet } from "../../../lib/words";
import { sysDirAdd, SysNode, sysNodeAt, sysRoot } from "./node";

/** Fixed directories. */
export const enum SysPlace {
  BLOCK = 0, BUS, BUS_PCI, PCI_DEVICES, CLASS, CLASS_BLOCK, CLASS_IOMMU, DEV, DEV_BLOCK, DEVICES, PCI_ROOT, SYSTEM, VIRTUAL, VIRTUAL_IOMMU, COUNT,
}

const PLACES: usize = memory.data(14 * 4, 4);

export function sysPlace(place: SysPlace): SysNode { return sysNodeAt(wordAt(PLACES, place)); }

/** In Linux's order of names, as `ls` shows them anyway. */
export function sysTreeInit(): void {
  if (SysPlace.COUNT != 14) ERROR("PLACES has a word a place");
  placeMake(SysPlace.BLOCK, sysRoot(), "block");
  placeMake(SysPlace.BUS, sysRoot(), "bus");
  placeMake(SysPlace.CLASS, sysRoot(), "class");
  placeMake(SysPlace.DEV, sysRoot(), "dev");
  placeMake(SysPlace.DEVICES, sysRoot(), "devices");
  plainMake(sysRoot(), "firmware");
  plainMake(sysRoot(), "fs");
  plainMake(sysRoot(), "kernel");
  plainMake(sysRoot(), "module");
  plainMake(sysRoot(), "power");
  placeMake(SysPlace.BUS_PCI, sysPlace(SysPlace.BUS), "pci");
  placeMake(SysPlace.PCI_DEVICES, sysPlace(SysPlace.BUS_PCI), "devices");
  placeMake(SysPlace.CLASS_BLOCK, sysPlace(SysPlace.CLASS), "block");
  placeMake(SysPlace.CLASS_IOMMU, sysPlace(SysPlace.CLASS), "iommu");
  placeMake(SysPlace.DEV_BLOCK, sysPlace(SysPlace.DEV), "block");
  plainMake(sysPlace(SysPlace.DEV), "char");
  placeMake(SysPlace.PCI_ROOT, sysPlace(SysPlace.DEVICES), "pci0000:00");
  placeMake(SysPlace.SYSTEM, sysPlace(SysPlace.DEVICES), "system");
  placeMake(SysPlace.VIRTUAL, sysPlace(SysPlace.DEVICES), "virtual");
  placeMake(SysPlace.VIRTUAL_IOMMU, sysPlace(SysPlace.VIRTUAL), "iommu");
}

function placeMake(place: SysPlace, parent: SysNode, name: string): void {
  wordSet(PLACES, place, <u32>changetype<usize>(plainMake(parent, name)));
}

/** At boot there is memory for a directory. */
function plainMake(parent: SysNode, name: string): SysNode {
  const node = sysDirAdd(parent, name);
  assert(node != null);
  return changetype<SysNode>(node); // SAFETY: not null
}
