/**
 * Remapping units in /sys/class/iommu. Object: the unit's index. Spec: Linux, Documentation/ABI/testing/sysfs-class-iommu-intel-iommu.
 *
 * `faults`, how many times a unit stopped a device, is ours.
 */
import { domainCount } from "../../driver/iommu/domain";
import { iommuUnitOf } from "../../driver/iommu/iommu";
import { Reg, regLoad32 } from "../../driver/iommu/regs";
import { DmaUnit, dmaUnitAt, dmaUnitDomains, DMA_UNITS_MAX } from "../../driver/iommu/unit";
import { pciAt, pciCount } from "../../driver/pci/functions";
import { sysAttributeAdd, sysDirMake, SysKind, sysLinkAdd, SysNode } from "./node";
import { SeqBuf, seqByte, seqDec, seqDecLine, seqHexLine, seqStr, seqWord } from "../proc/seq-buf";
import { sysPciNode } from "./show-pci";
import { sysPlace, SysPlace } from "./tree";

export function sysIommuInit(): void {
  sysAttributeAdd(SysKind.IOMMU, "address", (seq, object) => seqHexLine(seq, dmaUnitAt(object).registersPa));
  sysAttributeAdd(SysKind.IOMMU, "cap", (seq, object) => seqHexLine(seq, dmaUnitAt(object).cap));
  sysAttributeAdd(SysKind.IOMMU, "ecap", (seq, object) => seqHexLine(seq, dmaUnitAt(object).ecap));
  sysAttributeAdd(SysKind.IOMMU, "version", versionShow);
  sysAttributeAdd(SysKind.IOMMU, "domains_supported", (seq, object) => seqDecLine(seq, dmaUnitDomains(dmaUnitAt(object))));
  sysAttributeAdd(SysKind.IOMMU, "domains_used", (seq, object) => seqDecLine(seq, domainCount(dmaUnitAt(object))));
  sysAttributeAdd(SysKind.IOMMU, "faults", (seq, object) => seqDecLine(seq, dmaUnitAt(object).faults));
  for (let i: u32 = 0; i < DMA_UNITS_MAX; i++) if (dmaUnitAt(i).isOn) unitAdd(i);
}

function unitAdd(index: u32): void {
  const node = sysDirMake(sysPlace(SysPlace.VIRTUAL_IOMMU), SysKind.PLAIN, index, namePut);
  if (!node) return;
  sysDirMake(node, SysKind.IOMMU, index, (seq, object) => seqWord(seq, "intel-iommu"));
  sysLinkAdd(sysPlace(SysPlace.CLASS_IOMMU), "", node);
  sysLinkAdd(node, "subsystem", sysPlace(SysPlace.CLASS_IOMMU));
  for (let i: u32 = 0; i < pciCount(); i++) functionLink(i, dmaUnitAt(index), node);
}

/** Each function says behind which unit it is. */
function functionLink(index: u32, unit: DmaUnit, node: SysNode): void {
  const its = iommuUnitOf(pciAt(index));
  const fn = sysPciNode(index);
  if (its && fn && changetype<usize>(its) == changetype<usize>(unit)) sysLinkAdd(fn, "iommu", node);
}

function namePut(seq: SeqBuf, object: u32): i32 {
  seqStr(seq, "dmar");
  seqDec(seq, object);
  return 0;
}

function versionShow(seq: SeqBuf, object: u32): i32 {
  const version = regLoad32(dmaUnitAt(object).registersPa, Reg.VER);
  seqDec(seq, version >> 4 & 15);
  seqByte(seq, 0x3a);
  return seqDecLine(seq, version & 15);
}
