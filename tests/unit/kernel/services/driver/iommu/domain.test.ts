/** DMA through a remapping unit that remembers everything: a device reaches what was granted, only that, and only as long as it is. */
import fc from "fast-check";
import { loadMemory, type Memory } from "../../../core/mm/memory.ts";
import { structLayout } from "../../../../support/struct-layout.ts";
import { CAP_CACHES_ABSENT, DEFAULT_CAP, Vtd, type VtdOptions } from "../../../../support/vtd.ts";

const REGISTERS = 0xfed90000n;
const PAGE = 4096n;
const WINDOW = 0x100000000n;
const SLOT_BYTES = 32n * PAGE;
const READ = 1;
const WRITE = 2;
const ENOMEM = -12, EIO = -5, EBUSY = -16;

interface Machine extends Memory {
  vtd: Vtd;
  unit: number;
}

async function start(options: VtdOptions = {}): Promise<Machine> {
  const memory = await loadMemory();
  const { k, machine } = memory;
  const vtd = new Vtd(machine, REGISTERS, options);
  k["objectKindsInit"]!();
  k["memoryObjectsInit"]!();
  k["deviceMapInit"]!();
  k["domainsInit"]!();
  const unit = k["dmaUnitAt"]!(0) as number;
  if (k["dmaUnitStart"]!(unit, REGISTERS)) k["dmaUnitTranslate"]!(unit);
  return { ...memory, vtd, unit };
}

const isError = (value: number): boolean => value < 0 && value > -4096;
const memoryOf = (m: Machine, pages: number): number => m.k["memoryObjectCreate"]!(pages, 0, 0) as number;
const drop = (m: Machine, object: number): void => m.k["objectPut"]!(object) as void;
const mapMemory = (m: Machine, domain: number, object: number, access = READ | WRITE): bigint => BigInt.asUintN(64, m.k["domainMapMemory"]!(domain, object, access) as bigint);
const pageOf = (m: Machine, object: number, page: number): bigint => m.k["memoryObjectPa"]!(object, page) as bigint;

test("a function that nobody opened reaches nothing; an opened one what was mapped", async () => {
  const m = await start();
  expect(m.vtd.reach(0x10, 0x200000n, false)).toBeNull();
  const domain = m.k["domainOpen"]!(m.unit, 0x10) as number;
  expect(isError(domain)).toBe(false);
  expect(m.vtd.reach(0x10, 0x200000n, false)).toBeNull();
  const object = memoryOf(m, 3);
  const iova = mapMemory(m, domain, object);
  for (let page = 0; page < 3; page++) {
    const at = iova + BigInt(page) * PAGE + 8n;
    expect([m.vtd.reach(0x10, at, true), m.vtd.reach(0x10, at, false)]).toEqual([pageOf(m, object, page) + 8n, pageOf(m, object, page) + 8n]);
  }
  expect(m.vtd.reach(0x10, iova + 3n * PAGE, false)).toBeNull(); // the next page is nobody's
  expect(m.vtd.reach(0x11, iova, false)).toBeNull(); // nor is it another function's
  expect(mapMemory(m, domain, object)).toBe(iova); // mapped once
});

test("an object's end takes it from every device, a domain's end everything from one", async () => {
  const m = await start();
  const [a, b] = [m.k["domainOpen"]!(m.unit, 0x10) as number, m.k["domainOpen"]!(m.unit, 0x208) as number];
  const [one, two] = [memoryOf(m, 2), memoryOf(m, 2)];
  const places = [a, b].map((domain) => [one, two].map((object) => mapMemory(m, domain, object)));
  const reached = (): (bigint | null)[] => [0x10, 0x208].flatMap((id, i) => places[i]!.map((iova) => m.vtd.reach(id, iova, true)));
  expect(reached()).toEqual([pageOf(m, one, 0), pageOf(m, two, 0), pageOf(m, one, 0), pageOf(m, two, 0)]);
  const twoPa = pageOf(m, two, 0);
  drop(m, one);
  expect(reached()).toEqual([null, twoPa, null, twoPa]);
  m.k["domainClose"]!(a);
  expect(reached()).toEqual([null, null, null, twoPa]);
  expect(mapMemory(m, a, two)).toBe(0n); // closed for good
  m.k["domainFree"]!(a);
  drop(m, two);
  expect(reached()).toEqual([null, null, null, null]);
});

test("a window's slot is readable or writable, as it was mapped, until it is taken away", async () => {
  const m = await start();
  const domain = m.k["domainOpen"]!(m.unit, 0x10) as number;
  expect(m.k["windowOpen"]!(domain, 128)).toBe(1);
  const at = m.k["windowMap"]!(domain, 5, 3, 0x345678n, WRITE) as bigint;
  expect(at).toBe(WINDOW + 5n * SLOT_BYTES + 3n * PAGE + 0x678n);
  expect([m.vtd.reach(0x10, at, true), m.vtd.reach(0x10, at, false)]).toEqual([0x345678n, null]);
  m.k["windowMap"]!(domain, 6, 0, 0x400000n, READ);
  m.k["windowUnmap"]!(domain, 5, 4);
  expect(m.vtd.reach(0x10, at, true)).toBeNull();
  expect(m.vtd.reach(0x10, WINDOW + 6n * SLOT_BYTES, false)).toBe(0x400000n);
  m.k["windowClear"]!(domain, 1024);
  expect(m.vtd.reach(0x10, WINDOW + 6n * SLOT_BYTES, false)).toBeNull();
});

test("what the firmware reserved is reached where it is, and nothing is placed over it", async () => {
  const m = await start();
  const domain = m.k["domainOpen"]!(m.unit, 0x10) as number;
  expect(m.k["domainReserve"]!(domain, 0x1002000n, 0x1004000n)).toBe(1);
  expect(m.vtd.reach(0x10, 0x1003010n, true)).toBe(0x1003010n);
  expect(mapMemory(m, domain, memoryOf(m, 1))).toBe(0x1000000n); // fits before
  expect(mapMemory(m, domain, memoryOf(m, 1))).toBe(0x1005000n); // and only after
});

test("one domain a requester; ids and memory come back", async () => {
  const m = await start();
  const first = m.k["domainOpen"]!(m.unit, 0x10) as number;
  expect(m.k["domainOpen"]!(m.unit, 0x10)).toBe(EBUSY);
  m.k["domainClose"]!(first);
  m.k["domainFree"]!(first);
  const before = m.free();
  for (let i = 0; i < 60; i++) {
    const domain = m.k["domainOpen"]!(m.unit, 0x10) as number;
    expect(isError(domain)).toBe(false);
    m.k["windowOpen"]!(domain, 128);
    const object = memoryOf(m, 4);
    mapMemory(m, domain, object);
    if (i & 1) drop(m, object);
    m.k["domainClose"]!(domain);
    m.k["domainFree"]!(domain);
    if (!(i & 1)) drop(m, object);
  }
  expect(m.free()).toBe(before);
});

test("a unit that does not finish an invalidation is found, and opens nothing", async () => {
  const m = await start({ answers: false });
  const layout = structLayout("kernel/services/driver/iommu/unit.ts", "DmaUnit");
  expect(m.view.getUint32(m.unit + layout["isBroken"]!, true)).toBe(1);
  expect(m.k["domainOpen"]!(m.unit, 0x10)).toBe(EIO);
}, 60_000);

test("a unit that falls silent costs memory, and none that a device may still reach is used again", async () => {
  const m = await start();
  const domain = m.k["domainOpen"]!(m.unit, 0x10) as number;
  const object = memoryOf(m, 4);
  const iova = mapMemory(m, domain, object);
  const pa = pageOf(m, object, 0);
  expect(m.vtd.reach(0x10, iova, true)).toBe(pa); // remembered
  m.vtd.isSilent = true;
  drop(m, object);
  m.k["domainClose"]!(domain);
  expect(m.vtd.reach(0x10, iova, true)).toBe(pa);
  const taken = new Set<number>();
  for (let pfn = m.k["pageAlloc"]!() as number; pfn !== 0; pfn = m.k["pageAlloc"]!() as number) taken.add(pfn);
  expect(taken.has(Number(pa >> 12n))).toBe(false);
  expect(m.k["domainOpen"]!(m.unit, 0x18)).toBe(EIO);
}, 60_000);

test("a device writes only to what somebody with the right to asked the addresses of", async () => {
  const m = await start();
  const domain = m.k["domainOpen"]!(m.unit, 0x10) as number;
  const object = memoryOf(m, 2);
  const ways = (iova: bigint): boolean[] => [false, true].map((isWrite) => m.vtd.reach(0x10, iova + PAGE, isWrite) !== null);
  const iova = mapMemory(m, domain, object, READ);
  expect(ways(iova)).toEqual([true, false]);
  expect(mapMemory(m, domain, object, READ | WRITE)).toBe(iova);
  expect(ways(iova)).toEqual([true, true]);
  expect(mapMemory(m, domain, object, READ)).toBe(iova);
  expect(ways(iova)).toEqual([true, true]); // what was given stays
  m.k["domainClose"]!(domain);
  expect(ways(iova)).toEqual([false, false]);
});

test("memory runs out while an object is mapped: nothing of it stays reachable", async () => {
  const m = await start();
  const domain = m.k["domainOpen"]!(m.unit, 0x10) as number;
  const object = memoryOf(m, 8);
  const taken: number[] = [];
  for (let pfn = m.k["pageAlloc"]!() as number; pfn !== 0; pfn = m.k["pageAlloc"]!() as number) taken.push(pfn);
  const iova = mapMemory(m, domain, object);
  expect(iova).toBe(0n);
  expect(m.k["domainOpen"]!(m.unit, 0x18)).toBe(ENOMEM);
  for (const pfn of taken) m.k["pageFree"]!(pfn);
  for (let page = 0n; page < 8n; page++) expect(m.vtd.reach(0x10, 0x1000000n + page * PAGE, false)).toBeNull();
  expect(mapMemory(m, domain, object)).toBe(0x1000000n);
});

interface Op {
  kind: "open" | "close" | "map" | "drop" | "window" | "unwindow" | "probe";
  device: number;
  which: number;
  page: number;
}

const operation: fc.Arbitrary<Op> = fc.record({
  kind: fc.constantFrom("open", "close", "map", "map", "drop", "window", "window", "unwindow", "probe"),
  device: fc.nat(2),
  which: fc.nat(3),
  page: fc.nat(5),
});

test.each([DEFAULT_CAP, DEFAULT_CAP | CAP_CACHES_ABSENT, DEFAULT_CAP & ~(1n << 39n)])(
  "random grants and their ends, against a model; CAP=%i", async (cap) => {
    const m = await start({ cap });
    fc.assert(fc.property(fc.array(operation, { minLength: 20, maxLength: 120 }), (ops) => new Model(m).run(ops)), { numRuns: 60, seed: 7 });
  }, 60_000);

/** What three devices should reach, beside what they do. */
class Model {
  private readonly ids = [0x10, 0x11, 0x308];
  private readonly domains: (number | null)[] = [null, null, null];
  private readonly objects: number[];
  /** Per device: page of iova to [pa, access]. */
  private readonly reachable = [new Map<bigint, [bigint, number]>(), new Map<bigint, [bigint, number]>(), new Map<bigint, [bigint, number]>()];
  /** Every page ever mapped: what must not be reached any more is asked for again. */
  private readonly seen = new Set<bigint>();

  constructor(private readonly m: Machine) {
    this.objects = Array.from({ length: 4 }, (_, i) => memoryOf(m, i + 1));
  }

  run(ops: readonly Op[]): void {
    for (const op of ops) {
      this.step(op);
      this.check();
    }
    this.domains.forEach((_, device) => this.close(device));
    for (const object of this.objects) drop(this.m, object);
  }

  private step({ kind, device, which, page }: Op): void {
    const { k, unit } = this.m;
    const domain = this.domains[device] ?? null;
    if (kind === "open" && domain === null) {
      this.domains[device] = k["domainOpen"]!(unit, this.ids[device]) as number;
      expect(k["windowOpen"]!(this.domains[device], 8)).toBe(1);
    }
    if (kind === "close") this.close(device);
    if (kind === "drop") this.renew(which);
    if (domain === null) return;
    if (kind === "map") this.map(device, domain, which);
    if (kind === "window") this.window(device, domain, which, page);
    if (kind === "unwindow") {
      k["windowUnmap"]!(domain, which, 6);
      for (let at = 0n; at < 6n; at++) this.reachable[device]!.delete(WINDOW + BigInt(which) * SLOT_BYTES + at * PAGE);
    }
  }

  private map(device: number, domain: number, which: number): void {
    const iova = mapMemory(this.m, domain, this.objects[which]!);
    for (let page = 0; page <= which; page++) this.add(device, iova + BigInt(page) * PAGE, pageOf(this.m, this.objects[which]!, page), READ | WRITE);
  }

  private window(device: number, domain: number, slot: number, page: number): void {
    const iova = WINDOW + BigInt(slot) * SLOT_BYTES + BigInt(page) * PAGE;
    if (this.reachable[device]!.has(iova)) return; // a request's pieces are mapped once
    const access = page & 1 ? READ : WRITE;
    this.m.k["windowMap"]!(domain, slot, page, 0x100000n * BigInt(slot + 1), access);
    this.add(device, iova, 0x100000n * BigInt(slot + 1), access);
  }

  private add(device: number, iova: bigint, pa: bigint, access: number): void {
    this.reachable[device]!.set(iova, [pa, access]);
    this.seen.add(iova);
  }

  /** Object `which` ends, and another takes its place. */
  private renew(which: number): void {
    const pages = new Set(Array.from({ length: which + 1 }, (_, page) => pageOf(this.m, this.objects[which]!, page)));
    drop(this.m, this.objects[which]!);
    for (const map of this.reachable) for (const [iova, [pa]] of map) if (iova < WINDOW && pages.has(pa)) map.delete(iova);
    this.objects[which] = memoryOf(this.m, which + 1);
  }

  private close(device: number): void {
    const domain = this.domains[device] ?? null;
    if (domain === null) return;
    this.m.k["domainClose"]!(domain);
    this.m.k["domainFree"]!(domain);
    this.domains[device] = null;
    this.reachable[device]!.clear();
  }

  private check(): void {
    for (const [device, id] of this.ids.entries()) {
      for (const iova of this.seen) {
        const [pa, access] = this.reachable[device]!.get(iova) ?? [0n, 0];
        expect([id, iova, this.m.vtd.reach(id, iova, true)]).toEqual([id, iova, access & WRITE ? pa : null]);
        expect([id, iova, this.m.vtd.reach(id, iova, false)]).toEqual([id, iova, access & READ ? pa : null]);
      }
    }
  }
}
