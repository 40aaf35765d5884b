/** Interrupts through a remapping unit that remembers everything: a message becomes what its sender was given, or nothing. */
import fc from "fast-check";
import { bytes, dmar, lapic, madt, place, remapping, RSDP, scope } from "../../../../support/acpi-tables.ts";
import type { MmioRange } from "../../../../support/machine.ts";
import { DEFAULT_ECAP, type Interrupt, Refused, Vtd, type VtdOptions } from "../../../../support/vtd.ts";
import { loadMemory, type Memory } from "../../../core/mm/memory.ts";

const REGISTERS = 0xfed90000n;
const IOAPIC = 0xfec00000n;
const IOAPIC_ID = 2;
/** Bus 0xf0, device 31, function 7. */
const IOAPIC_REQUESTER = 0xf0ff;
const UART_LINE = 4;
const UART_VECTOR = 0x34;
const CPU = 3;
const LINES = 24;
const LOG_BYTES = 1024;
const plain = (apicId: number): number => 0xfee00000 | apicId << 12;

/** Registers behind an index, as an 82093AA has them. */
class Ioapic implements MmioRange {
  readonly base: bigint = IOAPIC;
  readonly size: bigint = 32n;
  readonly words = new Array<number>(0x10 + 2 * LINES).fill(0);
  private index = 0;

  load(): bigint {
    return BigInt(this.index === 1 ? (LINES - 1) << 16 : this.words[this.index]!);
  }

  store(offset: number, _width: number, value: bigint): void {
    if (offset === 0) this.index = Number(value);
    else this.words[this.index] = Number(value);
  }

  /** The message line `line` sends, as 5.1.5.1 has it; null while it is masked. */
  message(line: number): { address: number; data: number } | null {
    const [low, high] = [this.words[0x10 + 2 * line]!, this.words[0x11 + 2 * line]!];
    if (low & 0x10000) return null;
    const isRemapped = (high & 0x10000) !== 0;
    return { address: isRemapped ? 0xfee00010 | high >>> 17 << 5 : plain(high >>> 24), data: low & 0xff };
  }
}

interface Machine extends Memory {
  vtd: Vtd;
  ioapic: Ioapic;
}

const IOAPIC_SCOPE = scope(3, 0xf0, [31, 7]);
IOAPIC_SCOPE[4] = IOAPIC_ID;
const MADT = madt(lapic(0), bytes([1, 1], [12, 1], [IOAPIC_ID, 1], [0, 1], [IOAPIC, 4], [0, 4]));

async function start(options: VtdOptions = {}, scopes: Buffer[] = [IOAPIC_SCOPE]): Promise<Machine> {
  const memory = await loadMemory();
  const { k, machine } = memory;
  const ioapic = new Ioapic();
  machine.mmio.push(ioapic);
  const vtd = new Vtd(machine, REGISTERS, options);
  place(machine, [MADT, dmar(remapping(1, REGISTERS, scopes))]);
  expect(k["acpiInit"]!(BigInt(RSDP))).toBe(1);
  k["deviceMapInit"]!();
  k["domainsInit"]!();
  k["ioapicInit"]!();
  expect(k["ioapicRoute"]!(UART_LINE, UART_VECTOR, CPU, 0, 0)).toBe(1); // before there is a table
  const unit = k["dmaUnitAt"]!(0);
  expect(k["dmaUnitStart"]!(unit, REGISTERS)).toBe(1);
  k["remapStart"]!();
  return { ...memory, vtd, ioapic };
}

const give = (m: Machine, requester: number, vector: number): number => (m.k["remapMessage"]!(requester, vector, CPU) as number) >>> 0;
const edge = (vector: number): Interrupt => ({ vector, target: CPU, isLevel: false });
const isPlain = (m: Machine): boolean => give(m, 0x10, 0x70) === plain(CPU) >>> 0;

test("a message becomes the vector its sender was given; from anybody else, or of another kind, it is refused", async () => {
  const m = await start();
  const address = give(m, 0x10, 0x71);
  expect(m.vtd.interrupt(0x10, address, 0x71)).toEqual(edge(0x71));
  expect(m.vtd.interrupt(0x10, address, 0xfe)).toEqual(edge(0x71)); // whatever it carries
  expect(m.vtd.interrupt(0x11, address, 0x71)).toBe(Refused.REQUESTER);
  expect(m.vtd.interrupt(0x10, plain(CPU), 0x71)).toBe(Refused.PLAIN);
  for (let handle = 0; handle < 0x400; handle++) {
    if (handle === 0x71) continue;
    const answer = m.vtd.interrupt(0x10, 0xfee00010 | handle << 5, 0);
    expect([handle, answer]).toEqual([handle, handle === UART_VECTOR ? Refused.REQUESTER : Refused.ENTRY_ABSENT]);
  }
});

test("an entry ends with its owner, and the next owner of the vector is another requester's", async () => {
  const m = await start();
  const address = give(m, 0x10, 0x71);
  expect(m.vtd.interrupt(0x10, address, 0)).toEqual(edge(0x71));
  m.k["remapEnd"]!(0x71);
  expect(m.vtd.interrupt(0x10, address, 0)).toBe(Refused.ENTRY_ABSENT);
  expect(give(m, 0x208, 0x71)).toBe(address);
  expect([m.vtd.interrupt(0x10, address, 0), m.vtd.interrupt(0x208, address, 0)]).toEqual([Refused.REQUESTER, edge(0x71)]);
});

test("lines go through the table, those routed before it was there and those after", async () => {
  const m = await start();
  const arrives = (line: number): Interrupt | Refused => {
    const { address, data } = m.ioapic.message(line)!;
    return m.vtd.interrupt(IOAPIC_REQUESTER, address, data);
  };
  expect(arrives(UART_LINE)).toEqual(edge(UART_VECTOR));
  expect(m.k["ioapicRoute"]!(11, 0x75, CPU, 1, 1)).toBe(1);
  expect(arrives(11)).toEqual({ vector: 0x75, target: CPU, isLevel: true });
  m.k["ioapicMask"]!(11, 1);
  expect(m.ioapic.message(11)).toBeNull();
  m.k["ioapicMask"]!(11, 0);
  expect(arrives(11)).toEqual({ vector: 0x75, target: CPU, isLevel: true });
  expect(m.ioapic.message(5)).toBeNull(); // nobody's
});

test.each<[string, VtdOptions, Buffer[]]>([
  ["a unit that cannot remap", { ecap: DEFAULT_ECAP & ~8n }, [IOAPIC_SCOPE]],
  ["a unit that does not obey", { remaps: false }, [IOAPIC_SCOPE]],
  ["an I/O APIC that no unit names", {}, []],
])("%s leaves interrupts as they are", async (_, options, scopes) => {
  const m = await start(options, scopes);
  expect(isPlain(m)).toBe(true);
  const { address, data } = m.ioapic.message(UART_LINE)!;
  expect(m.vtd.interrupt(IOAPIC_REQUESTER, address, data)).toEqual(edge(UART_VECTOR));
}, 60_000);

test("a refused message is told with its sender and the entry it named", async () => {
  const m = await start();
  m.vtd.record.setBigUint64(0, 0x9fn << 48n, true);
  m.vtd.record.setUint32(8, 0x0148, true); // 01:09.0
  m.vtd.record.setUint32(12, 0x80000000 | Refused.REQUESTER, true);
  const from = m.k["logWritten"]!();
  m.k["faultsTake"]!(m.k["dmaUnitAt"]!(0));
  const at = m.view.byteLength - LOG_BYTES;
  const length = m.k["logRead"]!(from, at, LOG_BYTES) as number;
  expect(Buffer.from(m.view.buffer, at, length).toString()).toMatch(/iommu: 01:09\.0 may not interrupt as 0x9f: stopped reason=38/);
  expect(m.vtd.record.getUint32(12, true)).toBe(0);
});

test("random owners and their ends, against a model: each sender reaches its own vectors, and no others", async () => {
  const m = await start();
  const requesters = [0x10, 0x11, 0x308];
  const step = fc.record({ vector: fc.integer({ min: 0x70, max: 0x77 }), requester: fc.constantFrom(...requesters), isEnd: fc.boolean() });
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const owners = new Map<number, number>();
    for (const { vector, requester, isEnd } of steps) {
      if (isEnd) m.k["remapEnd"]!(vector);
      else give(m, requester, vector);
      if (isEnd) owners.delete(vector);
      else owners.set(vector, requester);
      for (let at = 0x70; at <= 0x77; at++) for (const sender of requesters) {
        const answer = m.vtd.interrupt(sender, 0xfee00010 | at << 5, 0);
        const owner = owners.get(at);
        expect([at, sender, answer]).toEqual([at, sender, owner === sender ? edge(at) : owner === undefined ? Refused.ENTRY_ABSENT : Refused.REQUESTER]);
      }
    }
    for (let at = 0x70; at <= 0x77; at++) m.k["remapEnd"]!(at);
  }), { numRuns: 100, seed: 7 });
}, 60_000);
