/**
 * NUMA: which node each processor and each range of RAM belongs to, from ACPI's System Resource Affinity Table.
 *
 * Firmware numbers proximity domains as it likes; here they are nodes 0, 1, … in the order the table first names them
 * with memory or a processor. A machine without the table is one node.
 *
 * Invariants  N1  every node number handed out is below nodeCount, which is at least 1 and at most MAX_NUMA_NODES.
 *             N2  a range is never empty and never wraps.
 * Locking     written once on the boot CPU before others start; read-only afterwards.
 * Units       pa: physical address.
 * Spec        ACPI 6.5, 5.2.16 "System Resource Affinity Table (SRAT)".
 */
import { physLoad16, physLoad32, physLoad64, physLoad8 } from "./intrinsics";

/** Most nodes; processors and memory of further domains count as node 0's. */
export const MAX_NUMA_NODES: u32 = 8;
const MAX_SRAT_CPUS: u32 = 64;
const MAX_SRAT_RANGES: u32 = 64;

const SRAT_ENTRIES: u32 = 48;     // header 36, reserved 12
const SRAT_LAPIC: u32 = 0;        // 5.2.16.1
const SRAT_MEMORY: u32 = 1;       // 5.2.16.2
const SRAT_X2APIC: u32 = 2;       // 5.2.16.3
const SRAT_ENABLED: u32 = 1;
const SRAT_WIDE_DOMAINS: u32 = 2; // from this table revision a domain has 32 bits

@final @unmanaged
class SratCpu {
  apicId: u32;
  node: u32;
}

@final @unmanaged
class SratRange {
  start: u64;
  end: u64;
  node: u32;
  pad: u32;
}

const SRAT_CPUS: usize = memory.data(64 * 8, 8);
const SRAT_RANGES: usize = memory.data(64 * 24, 8);
const SRAT_DOMAINS: usize = memory.data(8 * 4, 4); // the firmware's number of each node
if (offsetof<SratCpu>() != 8) ERROR("SRAT_CPUS is an array of SratCpu");
if (offsetof<SratRange>() != 24) ERROR("SRAT_RANGES is an array of SratRange");

let sratCpuCount: u32 = 0;
let sratRangeCount: u32 = 0;
let sratNodeCount: u32 = 0;

function sratCpuAt(i: u32): SratCpu {
  return changetype<SratCpu>(SRAT_CPUS + <usize>i * offsetof<SratCpu>()); // SAFETY: i < MAX_SRAT_CPUS
}

function sratRangeAt(i: u32): SratRange {
  return changetype<SratRange>(SRAT_RANGES + <usize>i * offsetof<SratRange>()); // SAFETY: i < MAX_SRAT_RANGES
}

/** Nodes of this machine, at least one (N1). */
export function numaNodeCount(): u32 {
  return max<u32>(sratNodeCount, 1);
}

/** The node of the processor with this local APIC id; 0 when the table does not name it. */
export function numaNodeOfApic(apicId: u32): u32 {
  for (let i: u32 = 0; i < sratCpuCount; i++) {
    if (sratCpuAt(i).apicId == apicId) return sratCpuAt(i).node;
  }
  return 0;
}

/** The node of physical address `pa`; 0 when the table does not name it. */
export function numaNodeOf(pa: u64): u32 {
  for (let i: u32 = 0; i < sratRangeCount; i++) {
    const range = sratRangeAt(i);
    if (pa >= range.start && pa < range.end) return range.node;
  }
  return 0;
}

/** Where the run of one node that holds `pa` ends, at most `end`. */
export function numaRunEnd(pa: u64, end: u64): u64 {
  let stop = end;
  for (let i: u32 = 0; i < sratRangeCount; i++) {
    const range = sratRangeAt(i);
    if (range.start > pa) stop = min(stop, range.start);
    else if (range.end > pa) stop = min(stop, range.end);
  }
  return stop;
}

/** Forgets the table: one node. */
export function sratReset(): void {
  sratCpuCount = 0;
  sratRangeCount = 0;
  sratNodeCount = 0;
}

/** Reads the table at `pa`, whose length and checksum are good. */
export function sratRead(pa: u64): void {
  sratReset();
  const length = physLoad32(pa + 4);
  const domainMask: u32 = physLoad8(pa + 8) < SRAT_WIDE_DOMAINS ? 0xff : 0xffffffff;
  let at: u32 = SRAT_ENTRIES;
  while (at + 2 <= length) {
    const entryBytes = physLoad8(pa + at + 1);
    if (entryBytes < 2 || at + entryBytes > length) return;
    sratEntryRead(pa + at, physLoad8(pa + at), entryBytes, domainMask);
    at += entryBytes;
  }
}

function sratEntryRead(pa: u64, type: u32, size: u32, domainMask: u32): void {
  if (type == SRAT_LAPIC && size >= 16) {
    if (!(physLoad32(pa + 4) & SRAT_ENABLED)) return;
    const domain = physLoad8(pa + 2) | <u32>physLoad8(pa + 9) << 8 | <u32>physLoad16(pa + 10) << 16;
    sratCpuAdd(physLoad8(pa + 3), domain & domainMask);
  } else if (type == SRAT_MEMORY && size >= 40) {
    if (!(physLoad32(pa + 28) & SRAT_ENABLED)) return;
    sratRangeAdd(physLoad64(pa + 8), physLoad64(pa + 16), physLoad32(pa + 2) & domainMask);
  } else if (type == SRAT_X2APIC && size >= 24) {
    if (physLoad32(pa + 12) & SRAT_ENABLED) sratCpuAdd(physLoad32(pa + 8), physLoad32(pa + 4) & domainMask);
  }
}

function sratCpuAdd(apicId: u32, domain: u32): void {
  if (sratCpuCount == MAX_SRAT_CPUS) return;
  const cpu = sratCpuAt(sratCpuCount++);
  cpu.apicId = apicId;
  cpu.node = nodeOfDomain(domain);
}

function sratRangeAdd(start: u64, size: u64, domain: u32): void {
  if (size == 0 || start + size <= start || sratRangeCount == MAX_SRAT_RANGES) return; // N2
  const range = sratRangeAt(sratRangeCount++);
  range.start = start;
  range.end = start + size;
  range.node = nodeOfDomain(domain);
}

/** The node of a proximity domain, a new one when it is first named (N1). */
function nodeOfDomain(domain: u32): u32 {
  for (let node: u32 = 0; node < sratNodeCount; node++) {
    if (load<u32>(SRAT_DOMAINS + (<usize>node << 2)) == domain) return node;
  }
  if (sratNodeCount == MAX_NUMA_NODES) return 0;
  store<u32>(SRAT_DOMAINS + (<usize>sratNodeCount << 2), domain);
  return sratNodeCount++;
}
