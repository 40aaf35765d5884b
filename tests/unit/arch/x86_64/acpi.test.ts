/** ACPI's tables, good and bad: the processors of the MADT, the NUMA nodes of the SRAT, the remapping units of the DMAR. */
import fc from "fast-check";
import { type Kernel, loadKernel, MIB } from "../../support/kernel.ts";
import { bytes, checked, dmar, lapic, madt, place, remapping, reserved, RSDP, scope, table, x2apic } from "../../support/acpi-tables.ts";
import { structLayout } from "../../support/struct-layout.ts";

const CPU_COUNT = 68; // offset in AcpiInfo

/** The kernel after it read `tables` through a root pointer of revision 2. */
async function read(...tables: Buffer[]): Promise<Kernel> {
  const kernel = await loadKernel({ ramBytes: 16 * MIB });
  place(kernel.machine, tables);
  expect(kernel.exports["acpiInit"]!(BigInt(RSDP))).toBe(1);
  return kernel;
}

const cpuAffinity = (domain: number, apic: number, flags = 1): Buffer =>
  bytes([0, 1], [16, 1], [domain & 0xff, 1], [apic, 1], [flags, 4], [0, 1], [(domain >>> 8) & 0xff, 1], [domain >>> 16, 2], [0, 4]);
const memoryAffinity = (domain: number, start: number | bigint, size: number | bigint, flags = 1): Buffer =>
  bytes([1, 1], [40, 1], [domain, 4], [0, 2], [start, 8], [size, 8], [0, 4], [flags, 4], [0, 8]);
const x2apicAffinity = (domain: number, apic: number): Buffer =>
  bytes([2, 1], [24, 1], [0, 2], [domain, 4], [apic, 4], [1, 4], [0, 4], [0, 4]);
const srat = (entries: Buffer[], revision = 3): Buffer => table("SRAT", Buffer.concat([bytes([1, 4], [0, 8]), ...entries]), revision);

const nodes = ({ exports: k }: Kernel): number => k["numaNodeCount"]!() as number;
const nodeOfApic = ({ exports: k }: Kernel, id: number): number => k["numaNodeOfApic"]!(id) as number;
const nodeOf = ({ exports: k }: Kernel, pa: number | bigint): number => k["numaNodeOf"]!(BigInt(pa)) as number;

test("the MADT's usable processors, each once", async () => {
  const kernel = await read(madt(lapic(0), lapic(3), lapic(5, 0), x2apic(3), x2apic(300)));
  const { exports: k } = kernel;
  const count = new DataView(kernel.memory.buffer).getUint32(kernel.constant("ACPI") + CPU_COUNT, true);
  expect(Array.from({ length: count }, (_, i) => k["acpiCpuApicId"]!(i))).toEqual([0, 3, 300]);
});

test("without an SRAT there is one node", async () => {
  const kernel = await read(madt(lapic(0)));
  expect([nodes(kernel), nodeOfApic(kernel, 0), nodeOf(kernel, 0x100000)]).toEqual([1, 0, 0]);
  expect(kernel.exports["numaRunEnd"]!(0n, 1n << 40n)).toBe(1n << 40n);
});

test("two nodes: processors and memory, whatever the firmware calls them", async () => {
  const kernel = await read(srat([
    cpuAffinity(0x1234, 0), x2apicAffinity(7, 300), cpuAffinity(7, 2), cpuAffinity(9, 4, 0),
    memoryAffinity(0x1234, 0, 0xa0000), memoryAffinity(0x1234, 0x100000, 0xff00000),
    memoryAffinity(7, 0x10000000, 0x10000000), memoryAffinity(9, 0x20000000, 0x1000, 0),
  ]));
  expect(nodes(kernel)).toBe(2);
  expect([0, 300, 2, 4].map((id) => nodeOfApic(kernel, id))).toEqual([0, 1, 1, 0]);
  expect([0, 0xfffffff, 0x10000000, 0x1fffffff, 0x20000000].map((pa) => nodeOf(kernel, pa))).toEqual([0, 0, 1, 1, 0]);
  const runEnd = kernel.exports["numaRunEnd"]!;
  expect(runEnd(0x200000n, 0x40000000n)).toBe(0x10000000n);
  expect(runEnd(0x10000000n, 0x18000000n)).toBe(0x18000000n);
  expect(runEnd(0xb0000n, 0x40000000n)).toBe(0x100000n); // a hole ends where the next range starts
});

test("a domain has 8 bits in old tables and 32 in new ones", async () => {
  const entries = [memoryAffinity(0x101, 0, 0x1000), memoryAffinity(1, 0x1000, 0x1000)];
  expect(nodes(await read(srat(entries, 1)))).toBe(1);
  expect(nodes(await read(srat(entries, 2)))).toBe(2);
});

test("a range that is empty or wraps is left out, a table with a bad sum is not read, too many domains are node 0", async () => {
  expect(nodes(await read(srat([memoryAffinity(5, 0x1000, 0), memoryAffinity(6, 0x1000, (1n << 64n) - 1n)])))).toBe(1);
  const bad = srat([memoryAffinity(0, 0, 0x1000), memoryAffinity(1, 0x1000, 0x1000)]);
  bad[60]! ^= 1;
  expect(nodes(await read(bad))).toBe(1);
  const many = await read(srat(Array.from({ length: 20 }, (_, i) => memoryAffinity(i, i * 0x1000, 0x1000))));
  expect([nodes(many), nodeOf(many, 0x7000), nodeOf(many, 0x8000)]).toEqual([8, 7, 0]);
});

const DMAR_SOURCE = "arch/x86_64/acpi-dmar.ts";
/** The fields of struct `name` at linear `ptr`. */
function fields(kernel: Kernel, name: string, ptr: number): Record<string, bigint> {
  const layout = Object.entries(structLayout(DMAR_SOURCE, name));
  const view = new DataView(kernel.memory.buffer);
  const wide = new Set(["registersPa", "start", "end"]);
  const narrow = new Set(["type", "startBus", "hops"]);
  return Object.fromEntries(layout.filter(([field]) => field !== "sizeof" && field !== "pad").map(([field, at]) => [field,
    wide.has(field) ? view.getBigUint64(ptr + at, true) : BigInt(narrow.has(field) ? view.getUint8(ptr + at) : view.getUint32(ptr + at, true))]));
}
const units = (kernel: Kernel): Record<string, bigint>[] =>
  Array.from({ length: kernel.exports["dmarUnitCount"]!() }, (_, i) => fields(kernel, "DmarUnit", kernel.exports["dmarUnitAt"]!(i)));
const regions = (kernel: Kernel): Record<string, bigint>[] =>
  Array.from({ length: kernel.exports["dmarRegionCount"]!() }, (_, i) => fields(kernel, "DmarRegion", kernel.exports["dmarRegionAt"]!(i)));
const scopeAt = (kernel: Kernel, i: number): Record<string, bigint> => fields(kernel, "DmarScope", kernel.exports["dmarScopeAt"]!(i));

test("without a DMAR there is no remapping unit", async () => {
  expect(units(await read(madt(lapic(0))))).toEqual([]);
});

test("remapping units and reserved regions, with the devices they are for", async () => {
  const kernel = await read(dmar(
    remapping(0, 0xfed91000, [scope(1, 0, [2, 0])]),
    remapping(1, 0xfed90000, [scope(3, 0xf0, [31, 7]), scope(4, 0, [15, 0])]), // an I/O APIC and a timer
    reserved(0x7d000000, 0x7d1fffff, [scope(2, 0, [0x1c, 4], [1, 0]), scope(1, 0, [0x14, 0])]),
  ));
  expect(units(kernel)).toEqual([
    { registersPa: 0xfed91000n, includesAll: 0n, scopeFirst: 0n, scopeCount: 1n },
    { registersPa: 0xfed90000n, includesAll: 1n, scopeFirst: 1n, scopeCount: 0n },
  ]);
  expect(regions(kernel)).toEqual([{ start: 0x7d000000n, end: 0x7d200000n, scopeFirst: 1n, scopeCount: 2n }]);
  expect(scopeAt(kernel, 1)).toEqual({ type: 2n, startBus: 0n, hops: 2n, path: 0x08e4n });
});

test("a unit of another segment, without registers or unaligned, and a region that is empty or wraps, are left out", async () => {
  const kernel = await read(dmar(
    remapping(1, 0xfed90000, [], 1), remapping(1, 0), remapping(1, 0xfed90010),
    reserved(0x2000, 0xfff), reserved(0x1000, (1n << 64n) - 1n),
  ));
  expect([units(kernel), regions(kernel)]).toEqual([[], []]);
});

test("too many of everything, and structures that overrun their table, stay within bounds", async () => {
  const crowd = Array.from({ length: 40 }, (_, i) => remapping(0, 0x10000000 + i * 0x1000, Array.from({ length: 20 }, () => scope(1, 0, [i & 31, 0]))));
  const kernel = await read(dmar(...crowd));
  const last = units(kernel).at(-1)!;
  expect(units(kernel)).toHaveLength(8);
  expect(last["scopeFirst"]! + last["scopeCount"]!).toBe(64n);
  const long = remapping(1, 0xfed90000);
  long.writeUInt16LE(4096, 2);
  expect(units(await read(dmar(long)))).toEqual([]);
  const deep = remapping(1, 0xfed90000, [scope(1, 0, [1, 0], [2, 0], [3, 0], [4, 0], [5, 0]), scope(1, 0, [6, 0])]);
  expect(units(await read(dmar(deep)))[0]!["scopeCount"]).toBe(1n); // a path too long to keep is no path
});

test("mutated tables never break the reader", async () => {
  const good = [
    madt(lapic(0), x2apic(1)), srat([cpuAffinity(0, 0), memoryAffinity(0, 0, 0x1000), memoryAffinity(1, 0x1000, 0x1000)]),
    dmar(remapping(0, 0xfed91000, [scope(1, 0, [2, 0])]), remapping(1, 0xfed90000), reserved(0x1000, 0x1fff, [scope(2, 0, [1, 0], [2, 0])])),
  ];
  const kernel = await loadKernel({ ramBytes: 16 * MIB });
  const mutation = fc.array(fc.tuple(fc.nat(2), fc.oneof(fc.constant(4), fc.integer({ min: 8, max: 120 })), fc.nat(255)), { maxLength: 8 });
  fc.assert(
    fc.property(mutation, (changes) => {
      const tables = good.map((content) => Buffer.from(content));
      for (const [which, at, value] of changes) tables[which]![Math.min(at, tables[which]!.length - 1)] = value;
      for (const content of tables) if (content.readUInt32LE(4) <= content.length) checked(content, 9);
      place(kernel.machine, tables);
      kernel.exports["acpiInit"]!(BigInt(RSDP));
      expect(nodes(kernel)).toBeLessThanOrEqual(8);
      for (const { scopeFirst, scopeCount } of [...units(kernel), ...regions(kernel)]) expect(scopeFirst! + scopeCount!).toBeLessThanOrEqual(64n);
    }),
    { numRuns: 600, seed: 5 },
  );
});
