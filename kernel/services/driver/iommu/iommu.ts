/**
 * The IOMMU as the rest of the kernel sees it: every function is behind it from boot on and reaches nothing, until somebody opens it and
 * gets it a domain. Where there is none, domains are 0 and bus addresses are physical ones.
 *
 * Exceptions are regions the firmware reserved (RMRR): their devices go on reaching those, and those only.
 *
 * Locking  the units do not change after iommuInit.
 * Spec     Intel VT-d, 8.3 (which unit serves which device), 8.4 (RMRR).
 */
import {
  DmarRegion, dmarRegionAt, dmarRegionCount, DmarScope, dmarScopeAt, dmarScopeHop, DmarScopeType, dmarUnitAt, dmarUnitCount,
} from "../../../../arch/x86_64/acpi-dmar";
import { bootRangeBytes, bootRangeKind, bootRangePa, BOOT_INFO, RangeKind } from "../../../../arch/x86_64/boot-info";
import { logInfo, LogLevel, logBegin, logEnd, logKeyHex, logStr } from "../../../lib/log";
import { configRead } from "../pci/config";
import { Config, pciAt, pciCount, PciFunction } from "../pci/functions";
import { pciRequester } from "../pci/bridges";
import { domainAt, domainClose, domainFree, domainOpen, domainReserve, domainsInit } from "./domain";
import { faultsInit, faultsReport } from "./fault";
import { remapStart } from "./interrupt-table";
import { DmaUnit, dmaUnitAt, DMA_UNITS_MAX, dmaUnitStart, dmaUnitTranslate } from "./unit";

/** After pciInit and with interrupts set up; no device masters the bus for a driver yet. */
export function iommuInit(): void {
  domainsInit();
  faultsInit();
  let isOn = false;
  for (let i: u32 = 0; i < dmarUnitCount(); i++) if (dmaUnitStart(dmaUnitAt(i), dmarUnitAt(i).registersPa)) isOn = true;
  if (!isOn) {
    logInfo("iommu", "none: the device of a driver reaches all memory");
    return;
  }
  for (let i: u32 = 0; i < pciCount(); i++) firmwareDomain(pciAt(i));
  for (let i: u32 = 0; i < DMA_UNITS_MAX; i++) {
    if (!dmaUnitAt(i).isOn) continue;
    faultsReport(dmaUnitAt(i));
    dmaUnitTranslate(dmaUnitAt(i));
  }
  remapStart();
}

/** A domain for the device of a new holder; 0: nothing translates for it. As pointer: EBUSY, EIO, ENOMEM, ENOSPC. */
export function iommuOpen(fn: PciFunction): usize {
  const unit = iommuUnitOf(fn);
  if (!unit) return 0;
  if (fn.domain != 0) firmwareDomainEnd(fn);
  const domain = domainOpen(unit, pciRequester(fn));
  if (<isize>domain < 0 && <isize>domain > -4096) return domain;
  domainAt(domain).address = fn.address;
  return domain;
}

/** Its new holder resets the device: what the firmware did with it is over. */
function firmwareDomainEnd(fn: PciFunction): void {
  const domain = domainAt(fn.domain);
  fn.domain = 0;
  domainClose(domain);
  domainFree(domain);
}

// ---- Which unit serves a function ----

/** The unit that translates for a function, or null. */
export function iommuUnitOf(fn: PciFunction): DmaUnit | null {
  let all: DmaUnit | null = null;
  for (let i: u32 = 0; i < dmarUnitCount(); i++) {
    const unit = dmarUnitAt(i);
    if (unit.includesAll) all = dmaUnitAt(i);
    if (scopesName(unit.scopeFirst, unit.scopeCount, fn)) return dmaUnitAt(i).isOn ? dmaUnitAt(i) : null;
  }
  return all && all.isOn ? all : null;
}

function scopesName(first: u32, count: u32, fn: PciFunction): bool {
  for (let i = first; i < first + count; i++) if (scopeNames(dmarScopeAt(i), fn)) return true;
  return false;
}

/** True when the scope is `fn`, or a bridge above it. */
function scopeNames(scope: DmarScope, fn: PciFunction): bool {
  let bus: u32 = scope.startBus;
  let address: u32 = 0;
  for (let hop: u32 = 0; hop < <u32>scope.hops; hop++) {
    if (hop > 0) bus = configRead(address, Config.SECONDARY_BUS, 1);
    address = bus << 8 | dmarScopeHop(scope, hop);
  }
  if (address == fn.address) return true;
  if (scope.type != <u8>DmarScopeType.BRIDGE) return false;
  const first = configRead(address, Config.SECONDARY_BUS, 1);
  return first != 0 && fn.address >> 8 >= first && fn.address >> 8 <= configRead(address, Config.SUBORDINATE_BUS, 1);
}

// ---- What the firmware reserved ----

/** A function with reserved regions gets a domain that reaches those. */
function firmwareDomain(fn: PciFunction): void {
  for (let i: u32 = 0; i < dmarRegionCount(); i++) {
    const region = dmarRegionAt(i);
    if (!scopesName(region.scopeFirst, region.scopeCount, fn)) continue;
    if (regionIsRam(region)) regionLog("is in the middle of RAM: not kept", fn, region);
    else if (regionReserve(fn, region)) regionLog("kept", fn, region);
    else regionLog("could not be kept", fn, region);
  }
}

function regionReserve(fn: PciFunction, region: DmarRegion): bool {
  if (fn.domain == 0) {
    const domain = iommuOpen(fn);
    if (domain == 0 || <isize>domain < 0 && <isize>domain > -4096) return false;
    fn.domain = <u32>domain;
  }
  return domainReserve(domainAt(fn.domain), region.start, region.end);
}

/** Memory that the kernel may hand out is nobody's by the firmware's word. */
function regionIsRam(region: DmarRegion): bool {
  for (let i: u32 = 0; i < BOOT_INFO.rangeCount; i++) {
    if (bootRangeKind(i) != <u32>RangeKind.USABLE) continue;
    if (bootRangePa(i) < region.end && bootRangePa(i) + bootRangeBytes(i) > region.start) return true;
  }
  return false;
}

function regionLog(what: string, fn: PciFunction, region: DmarRegion): void {
  logBegin(LogLevel.INFO, "iommu");
  logStr("region of the firmware's ");
  logStr(what);
  logKeyHex("function", fn.address);
  logKeyHex("start", region.start);
  logKeyHex("end", region.end);
  logEnd();
}
