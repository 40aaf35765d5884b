/**
 * Several processors with TLBs of their own: whatever is mapped, unmapped, protected, forked and switched, no processor keeps a
 * translation of the address space it runs in that its page tables no longer give, and no frame of another is reached through one.
 */
import fc from "fast-check";
import { MIB } from "../../../support/kernel.ts";
import { type Access, type PageFault, translateUser } from "../../../support/page-walk.ts";
import { structLayout } from "../../../support/struct-layout.ts";
import { loadMemory, MAP, type Memory, PAGE, PROT } from "./memory.ts";

const CPU = structLayout("kernel/core/sched/cpu.ts", "Cpu");
const TASK = structLayout("kernel/core/sched/task.ts", "Task");
const FEATURES = structLayout("arch/x86_64/cpu-features.ts", "CpuFeatures");
const TASKS = 0xf10000;
const TASK_BYTES = 4096;
const CPUS = 3;
const SPACES = 9; // more than a CPU has PCIDs
const BASE = 0x10000000n;
const PAGES = 40;
const RW = PROT.READ | PROT.WRITE;
const KEEP = 1n << 63n;
const PCID = 0xfffn;

interface Entry {
  pa: bigint;
  isWritable: boolean;
}

/** One processor: CR3 and what it remembers, by PCID and page. */
class Processor {
  cr3 = 0n;
  readonly tlb: Map<bigint, Map<bigint, Entry>> = new Map();
  kept = 0;

  constructor(private readonly hasPcid: boolean) {}

  get known(): Map<bigint, Entry> {
    const pcid = this.cr3 & PCID;
    const found = this.tlb.get(pcid) ?? new Map<bigint, Entry>();
    this.tlb.set(pcid, found);
    return found;
  }

  load(value: bigint): void {
    const wanted = BigInt.asUintN(64, value);
    if (!this.hasPcid) expect(wanted & (PCID | KEEP)).toBe(0n);
    this.cr3 = wanted & ~KEEP;
    if (wanted & KEEP) this.kept++;
    else this.known.clear();
  }
}

/** A kernel whose CPUs are Processors; `on` lets the kernel run on one of them. */
interface Processors {
  memory: Memory;
  cpus: Processor[];
  on<T>(cpu: number, mm: number, use: () => T): T;
  /** The next but `stores` store to RAM lets a thread of `mm` start on `cpu`, which reads [va, va + bytes). */
  intrude(stores: number, cpu: number, mm: number, va: bigint, bytes: bigint): void;
}

async function processors(hasPcid: boolean): Promise<Processors> {
  const memory = await loadMemory(24 * MIB);
  const { k, machine, view } = memory;
  const cpus = Array.from({ length: CPUS }, () => new Processor(hasPcid));
  let running = 0;
  const enter = (cpu: number): void => {
    running = cpu;
    machine.thisCpu = k["cpuAt"]!(cpu) as number;
    machine.currentTask = TASKS + cpu * TASK_BYTES;
  };
  const answer = (): void => { // what the others do when their interrupt comes
    const asker = running;
    for (const cpu of cpus) for (const { pa } of cpu.cr3 === 0n ? [] : cpu.known.values()) expect(references(memory, pa)).toBeGreaterThan(0);
    for (let cpu = 0; cpu < CPUS; cpu++) {
      enter(cpu);
      if (cpu !== asker) k["tlbPoll"]!();
    }
    enter(asker);
  };
  machine.override({
    write_cr3: (value: bigint) => cpus[running]!.load(value),
    invlpg: (va: bigint) => void cpus[running]!.known.delete(BigInt.asUintN(64, va) / PAGE),
    write_cr4: () => cpus[running]!.tlb.clear(),
    pause: answer,
  });
  for (let cpu = 0; cpu < CPUS; cpu++) view.setUint32((k["cpuAt"]!(cpu) as number) + CPU["id"]!, cpu, true);
  view.setUint32(memory.kernel.constant("CPU_FEATURES") + FEATURES["hasPcid"]!, hasPcid ? 1 : 0, true);
  k["pcidInit"]!();
  const on = <T>(cpu: number, mm: number, use: () => T): T => {
    enter(cpu);
    view.setUint32(machine.currentTask + TASK["mm"]!, mm, true);
    k["mmSwitch"]!(mm);
    return use();
  };
  let intruder: (() => void) | undefined;
  let storesLeft = 0;
  const intrude = (stores: number, cpu: number, mm: number, va: bigint, bytes: bigint): void => {
    storesLeft = stores;
    intruder = () => {
      const [before, task] = [running, machine.currentTask];
      on(cpu, mm, () => {
        for (let at = va; at < va + bytes; at += PAGE) remember(memory, cpus[cpu]!, at, "read");
      });
      enter(before);
      machine.currentTask = task;
    };
  };
  machine.override({
    phys_store64: (pa: bigint, value: bigint) => {
      if (intruder && storesLeft-- === 0) {
        const enters = intruder;
        intruder = undefined;
        enters();
      }
      machine.store(BigInt.asUintN(64, pa), 64, value);
    },
  });
  return { memory, cpus, on, intrude };
}

/** References to the frame at `pa`: 0 when it is free. */
function references({ k }: Memory, pa: bigint): number {
  return k["frameRefs"]!(Number(pa / PAGE)) as number;
}

/** The page-table walk of an access: true when the processor remembers the page now. */
function remember(memory: Memory, cpu: Processor, va: bigint, kind: Access): boolean {
  if (cpu.known.has(va / PAGE)) return true;
  const walked = translateUser(memory.machine, cpu.cr3, va, kind);
  if (!walked.ok) return false;
  cpu.known.set(va / PAGE, { pa: walked.pa & ~(PAGE - 1n), isWritable: translateUser(memory.machine, cpu.cr3, va, "write").ok });
  return true;
}

/** A program's access on a processor: what it remembers counts, before the page tables do. */
function access(memory: Memory, cpu: Processor, mm: number, va: bigint, kind: Access): void {
  const page = va / PAGE;
  const hit = cpu.known.get(page);
  if (hit && (kind === "read" || hit.isWritable)) return;
  cpu.known.delete(page); // a fault drops the entry; SDM vol. 3A, 4.10.4.1
  for (let tries = 0; tries < 3; tries++) {
    if (remember(memory, cpu, va, kind)) return;
    const { errorCode } = translateUser(memory.machine, cpu.cr3, va, kind) as PageFault;
    if (memory.k["mmFault"]!(mm, va, errorCode, 0n) !== 0) return;
  }
  throw new Error(`faults at 0x${va.toString(16)} without end`);
}

/** Every processor remembers of the space it runs in only what its page tables say, or less. */
function expectTrue(memory: Memory, cpus: readonly Processor[]): void {
  for (const cpu of cpus) {
    if (cpu.cr3 === 0n) continue;
    for (const [page, entry] of cpu.known) {
      const va = page * PAGE;
      const now = translateUser(memory.machine, cpu.cr3, va, entry.isWritable ? "write" : "read");
      expect(now.ok ? now.pa : "not mapped so").toBe(entry.pa);
    }
  }
}

const steps = fc.array(
  fc.record({
    op: fc.constantFrom("touch", "touch", "touch", "write", "map", "unmap", "protect", "fork", "drop", "threads", "race"),
    cpu: fc.nat(CPUS - 1),
    space: fc.nat(SPACES - 1),
    at: fc.nat(PAGES - 1),
    count: fc.integer({ min: 1, max: PAGES }),
  }),
  { minLength: 30, maxLength: 160 },
);

test.each([true, false])("no processor goes on using what its page tables no longer say (PCIDs: %s)", async (hasPcid) => {
  const { memory, cpus, on, intrude } = await processors(hasPcid);
  const { k } = memory;
  fc.assert(fc.property(steps, (list) => {
    const spaces = Array.from({ length: SPACES }, () => {
      const mm = k["mmCreate"]!() as number;
      k["mmMap"]!(mm, BASE, BigInt(PAGES) * PAGE, RW, MAP.PRIVATE | MAP.ANONYMOUS | MAP.FIXED, 0, 0n);
      return mm;
    });
    for (const { op, cpu, space, at, count } of list) {
      const mm = spaces[space]!;
      const va = BASE + BigInt(at) * PAGE;
      const length = BigInt(Math.min(count, PAGES - at)) * PAGE;
      on(cpu, mm, () => {
        if (op === "touch") for (let i = 0n; i < length; i += PAGE) access(memory, cpus[cpu]!, mm, va + i, i % (3n * PAGE) === 0n ? "write" : "read");
        else if (op === "write") access(memory, cpus[cpu]!, mm, va, "write");
        else if (op === "map") k["mmMap"]!(mm, va, length, RW, MAP.PRIVATE | MAP.ANONYMOUS | MAP.FIXED, 0, 0n);
        else if (op === "unmap") k["mmUnmap"]!(mm, va, length);
        else if (op === "protect") k["mmProtect"]!(mm, va, length, count % 2 ? PROT.READ : RW);
        else if (op === "race") {
          intrude(count >> 2, (cpu + 1) % CPUS, mm, BASE, BigInt(PAGES) * PAGE);
          k["mmUnmap"]!(mm, va, length);
          intrude(-1, 0, 0, 0n, 0n);
        } else if (op === "drop") k["mmAdvise"]!(mm, va, length, 4); // MADV_DONTNEED
      });
      if (op === "threads") for (let other = 0; other < CPUS; other++) on(other, mm, () => access(memory, cpus[other]!, mm, va, "write"));
      if (op === "fork" && spaces[at % SPACES] !== mm) {
        k["mmPut"]!(spaces[at % SPACES]!);
        spaces[at % SPACES] = on(cpu, mm, () => k["mmClone"]!(mm) as number);
      }
      expectTrue(memory, cpus);
    }
    for (const mm of spaces) k["mmPut"]!(mm);
  }), { numRuns: 60 });
  const kept = cpus.reduce((sum, { kept: count }) => sum + count, 0);
  if (hasPcid) expect(kept).toBeGreaterThan(100); // it is worth something
  else expect(kept).toBe(0);
});
