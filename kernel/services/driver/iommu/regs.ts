/**
 * Registers and structures of a DMA remapping unit.
 *
 * Spec  Intel Virtualization Technology for Directed I/O: 9 "Translation Structure Formats", 6.5.2 "Queued Invalidation Interface",
 *       11.4 "Register Descriptions".
 */
import { physLoad32, physLoad64, physStore32, physStore64 } from "../../../../arch/current";

/** Offsets; 11.4. */
export const enum Reg {
  VER = 0x00, CAP = 0x08, ECAP = 0x10, GCMD = 0x18, GSTS = 0x1c, RTADDR = 0x20, FSTS = 0x34, FECTL = 0x38, FEDATA = 0x3c, FEADDR = 0x40,
  FEUADDR = 0x44, PMEN = 0x64, IQH = 0x80, IQT = 0x88, IQA = 0x90, IRTA = 0xb8,
}

/** Bits of GCMD; GSTS shows each at the same place. */
export const enum Command { TE = 0x80000000, SRTP = 0x40000000, QIE = 0x04000000, IRE = 0x02000000, SIRTP = 0x01000000 }
/** What GSTS shows of commands that are done at once and must not be given again: 11.4.4.1. */
export const COMMANDS_LASTING: u32 = 0x96ffffff;

/** Bits of FSTS; 11.4.9.1. */
export const enum FaultStatus { OVERFLOW = 1, PENDING = 2, INDEX_SHIFT = 8, QUEUE_ERRORS = 0x70 }
export const FAULT_MASKED: u32 = 0x80000000; // FECTL.IM
export const FAULT_PRESENT: u32 = 0x80000000; // bit 127 of a record, cleared by writing it
export const FAULT_IS_READ: u32 = 0x40000000; // bit 126
export const FAULT_RECORD_BYTES: u32 = 16;
export const PMEN_ON: u32 = 0x80000000;
export const PMEN_STATUS: u32 = 1;

/** IRTA: what the address is combined with; 11.4.17. */
export const REMAP_WIDE_IDS: u64 = 1 << 11;
/** Reasons of faults of interrupts; the record has the entry's number above bit 48. 7.1.2. */
export const REASON_INTERRUPTS: u32 = 0x20;
export const REASON_INTERRUPTS_END: u32 = 0x30;
export const FAULT_INDEX_SHIFT: u64 = 48;

/** Capabilities; 11.4.2. */
export function capDomains(cap: u64): u32 { return 1 << (4 + 2 * (<u32>cap & 7)); }
export function capCachesAbsent(cap: u64): bool { return (cap >> 7 & 1) != 0; }
export function capHas3Levels(cap: u64): bool { return (cap >> 9 & 1) != 0; }
export function capHas4Levels(cap: u64): bool { return (cap >> 10 & 1) != 0; }
export function capAddressBits(cap: u64): u32 { return (<u32>(cap >> 16) & 0x3f) + 1; }
export function capFaultOffset(cap: u64): u64 { return (cap >> 24 & 0x3ff) << 4; }
export function capFaultRecords(cap: u64): u32 { return (<u32>(cap >> 40) & 0xff) + 1; }
export function capHasPageInvalidation(cap: u64): bool { return (cap >> 39 & 1) != 0; }
export function capMaskBits(cap: u64): u32 { return <u32>(cap >> 48) & 0x3f; }
export function capHasProtectedRanges(cap: u64): bool { return (cap >> 5 & 3) != 0; }
/** Extended capabilities; 11.4.3. */
export function ecapIsCoherent(ecap: u64): bool { return (ecap & 1) != 0; }
export function ecapHasQueue(ecap: u64): bool { return (ecap >> 1 & 1) != 0; }
export function ecapRemapsInterrupts(ecap: u64): bool { return (ecap >> 3 & 1) != 0; }
export function ecapHasWideIds(ecap: u64): bool { return (ecap >> 4 & 1) != 0; }

/** Second-level entries; 9.8. */
export const enum Access { READ = 1, WRITE = 2 }
export const TABLE_ADDRESS: u64 = 0x000ffffffffff000;
/** Root and context entries: 9.1, 9.3. The second word of a context entry: address width below, domain above. */
export const ENTRY_PRESENT: u64 = 1;
export const CONTEXT_DOMAIN_SHIFT: u64 = 8;

/** Descriptors of the invalidation queue: 6.5.2.1 and following; type in the low bits. */
export const INVALIDATE_CONTEXT: u64 = 1;
export const INVALIDATE_IOTLB: u64 = 2;
export const INVALIDATE_INTERRUPTS: u64 = 4; // all entries, when no other bit is set
export const INVALIDATE_WAIT: u64 = 5;
export const WAIT_WRITES_STATUS: u64 = 1 << 5;
export const DRAIN: u64 = 0xc0; // writes and reads already accepted are done first
/** What an invalidation is about, at bit 4. */
export const enum Granularity { GLOBAL = 0x10, DOMAIN = 0x20, PAGES = 0x30 }

export function regLoad32(base: u64, reg: Reg): u32 { return physLoad32(base + reg); }
export function regLoad64(base: u64, reg: Reg): u64 { return physLoad64(base + reg); }
export function regStore32(base: u64, reg: Reg, value: u32): void { physStore32(base + reg, value); }
export function regStore64(base: u64, reg: Reg, value: u64): void { physStore64(base + reg, value); }
