/**
 * DMA remapping units (VT-d) and the memory that some devices use for the firmware's sake, from ACPI's DMAR table.
 *
 * Firmware tables are input like any other: what does not fit its structure, its table or the arrays below is left out.
 *
 * Invariants  D1  counts never exceed the array sizes; the scopes of a unit or region lie within the array.
 *             D2  a region is never empty and never wraps.
 * Locking     written once on the boot CPU before others start; read-only afterwards.
 * Units       pa: physical address. A scope's path: 1 to SCOPE_HOPS bytes, device << 3 | function, from its start bus down.
 * Spec        Intel Virtualization Technology for Directed I/O, ch. 8 "BIOS Considerations": 8.1 DMAR, 8.3 DRHD, 8.3.1 device scope,
 *             8.4 RMRR.
 */
import { physLoad16, physLoad32, physLoad64, physLoad8 } from "./intrinsics";

const MAX_DMAR_UNITS: u32 = 8;
const MAX_DMAR_REGIONS: u32 = 16;
const MAX_DMAR_SCOPES: u32 = 64;
const SCOPE_HOPS: u32 = 4;

const MAX_DMAR_IOAPICS: u32 = 8;

const DMAR_FLAGS: u32 = 37;
const FLAG_INTERRUPTS: u32 = 1; // the platform lets interrupts be remapped
const DMAR_STRUCTURES: u32 = 48; // header 36, address width 1, flags 1, reserved 10
const DMAR_UNIT: u32 = 0;
const DMAR_REGION: u32 = 1;
const UNIT_SCOPES: u32 = 16;
const REGION_SCOPES: u32 = 24;
const UNIT_INCLUDES_ALL: u32 = 1;
const SCOPE_PATH: u32 = 6;
const SCOPE_IOAPIC: u32 = 3;
const PAGE: u64 = 4096;

/** What a scope names that is a device of a bus; I/O APICs are kept apart, timers not at all. */
export const enum DmarScopeType { ENDPOINT = 1, BRIDGE = 2 }

/** One remapping unit. */
@final @unmanaged
export class DmarUnit {
  registersPa: u64;
  includesAll: u32;  // it serves whatever no other unit names
  scopeFirst: u32;
  scopeCount: u32;
  pad: u32;
}

/** Memory that its devices reach without anybody's asking. */
@final @unmanaged
export class DmarRegion {
  start: u64;
  end: u64;
  scopeFirst: u32;
  scopeCount: u32;
}

@final @unmanaged
export class DmarScope {
  type: u8;      // DmarScopeType
  startBus: u8;
  hops: u8;
  pad: u8;
  path: u32;     // hop i in byte i
}

const DMAR_UNITS: usize = memory.data(8 * 24, 8);
const DMAR_REGIONS: usize = memory.data(16 * 24, 8);
const DMAR_SCOPES: usize = memory.data(64 * 8, 8);
if (offsetof<DmarUnit>() != 24) ERROR("DMAR_UNITS is an array of DmarUnit");
if (offsetof<DmarRegion>() != 24) ERROR("DMAR_REGIONS is an array of DmarRegion");
if (offsetof<DmarScope>() != 8) ERROR("DMAR_SCOPES is an array of DmarScope");

/** Pairs of words: an I/O APIC's id, and the requester that its messages come from. */
const DMAR_IOAPICS: usize = memory.data(8 * 8, 4);

let dmarIoapics: u32 = 0;
let dmarFlags: u32 = 0;
let dmarUnits: u32 = 0;
let dmarRegions: u32 = 0;
let dmarScopes: u32 = 0;

export function dmarUnitCount(): u32 { return dmarUnits; }
export function dmarRegionCount(): u32 { return dmarRegions; }

/** True when the firmware says that interrupts may be remapped on this platform. */
export function dmarRemapsInterrupts(): bool { return (dmarFlags & FLAG_INTERRUPTS) != 0; }

/** The requester that messages of the I/O APIC with this id come from; -1 when no unit names it. */
export function dmarIoapicRequester(id: u32): i32 {
  for (let i: u32 = 0; i < dmarIoapics; i++) {
    const at = DMAR_IOAPICS + (<usize>i << 3);
    if (load<u32>(at) == id) return load<i32>(at, 4);
  }
  return -1;
}

/** Unit `index` (< dmarUnitCount). */
export function dmarUnitAt(index: u32): DmarUnit {
  return changetype<DmarUnit>(DMAR_UNITS + <usize>index * offsetof<DmarUnit>()); // SAFETY: D1
}

/** Region `index` (< dmarRegionCount). */
export function dmarRegionAt(index: u32): DmarRegion {
  return changetype<DmarRegion>(DMAR_REGIONS + <usize>index * offsetof<DmarRegion>()); // SAFETY: D1
}

/** Scope `index`, as a unit or region numbers them. */
export function dmarScopeAt(index: u32): DmarScope {
  return changetype<DmarScope>(DMAR_SCOPES + <usize>index * offsetof<DmarScope>()); // SAFETY: D1
}

/** Hop `index` (< hops) of a scope's path: device << 3 | function. */
export function dmarScopeHop(scope: DmarScope, index: u32): u32 { return scope.path >> (index << 3) & 0xff; }

/** Forgets the table: no unit. */
export function dmarReset(): void {
  dmarUnits = 0;
  dmarRegions = 0;
  dmarScopes = 0;
  dmarIoapics = 0;
  dmarFlags = 0;
}

/** Reads the table at `pa`, whose length and checksum are good. */
export function dmarRead(pa: u64): void {
  dmarReset();
  dmarFlags = physLoad8(pa + DMAR_FLAGS);
  const length = physLoad32(pa + 4);
  let at: u32 = DMAR_STRUCTURES;
  while (at + 4 <= length) {
    const size = physLoad16(pa + at + 2);
    if (size < 4 || at + size > length) return;
    const type = physLoad16(pa + at);
    if (type == DMAR_UNIT && size >= UNIT_SCOPES) unitRead(pa + at, size);
    else if (type == DMAR_REGION && size >= REGION_SCOPES) regionRead(pa + at, size);
    at += size;
  }
}

/** Other segments than 0 are not looked at: neither does the PCI code. */
function unitRead(pa: u64, size: u32): void {
  const registersPa = physLoad64(pa + 8);
  if (physLoad16(pa + 6) != 0 || dmarUnits == MAX_DMAR_UNITS) return;
  if (registersPa == 0 || (registersPa & (PAGE - 1)) != 0) return;
  const unit = dmarUnitAt(dmarUnits++);
  unit.registersPa = registersPa;
  unit.includesAll = physLoad8(pa + 4) & UNIT_INCLUDES_ALL;
  unit.scopeFirst = dmarScopes;
  scopesRead(pa, UNIT_SCOPES, size);
  unit.scopeCount = dmarScopes - unit.scopeFirst;
}

function regionRead(pa: u64, size: u32): void {
  const start = physLoad64(pa + 8) & ~(PAGE - 1);
  const last = physLoad64(pa + 16);
  if (physLoad16(pa + 6) != 0 || dmarRegions == MAX_DMAR_REGIONS) return;
  if (last < start || last > ~PAGE) return; // D2
  const region = dmarRegionAt(dmarRegions++);
  region.start = start;
  region.end = (last + PAGE) & ~(PAGE - 1);
  region.scopeFirst = dmarScopes;
  scopesRead(pa, REGION_SCOPES, size);
  region.scopeCount = dmarScopes - region.scopeFirst;
}

function scopesRead(pa: u64, from: u32, end: u32): void {
  let at = from;
  while (at + SCOPE_PATH + 2 <= end) {
    const type = physLoad8(pa + at);
    const size = physLoad8(pa + at + 1);
    if (size < SCOPE_PATH + 2 || at + size > end) return;
    const hops = (size - SCOPE_PATH) >> 1;
    const isDevice = type == DmarScopeType.ENDPOINT || type == DmarScopeType.BRIDGE;
    if (type == SCOPE_IOAPIC && hops == 1 && dmarIoapics < MAX_DMAR_IOAPICS) ioapicAdd(pa + at);
    if (isDevice && hops <= SCOPE_HOPS && dmarScopes < MAX_DMAR_SCOPES) scopeAdd(pa + at, type, hops);
    at += size;
  }
}

/** One below a bridge (more hops) is left out: then no interrupt is remapped. */
function ioapicAdd(pa: u64): void {
  const at = DMAR_IOAPICS + (<usize>dmarIoapics << 3);
  dmarIoapics++;
  store<u32>(at, physLoad8(pa + 4));
  store<u32>(at, physLoad8(pa + 5) << 8 | hopRead(pa + SCOPE_PATH), 4);
}

function scopeAdd(pa: u64, type: u32, hops: u32): void {
  const scope = dmarScopeAt(dmarScopes++);
  scope.type = <u8>type;
  scope.startBus = <u8>physLoad8(pa + 5);
  scope.hops = <u8>hops;
  scope.path = 0;
  for (let i: u32 = 0; i < hops; i++) scope.path |= hopRead(pa + SCOPE_PATH + (i << 1)) << (i << 3);
}

/** device << 3 | function. */
function hopRead(pa: u64): u32 { return physLoad8(pa) << 3 & 0xf8 | physLoad8(pa + 1) & 7; }
