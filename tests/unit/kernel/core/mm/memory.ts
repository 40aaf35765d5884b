/** A kernel with memory management brought up as memory-init.ts does, on simulated RAM; shared by the tests of mm. */
import { bootMemory } from "../../../support/boot-memory.ts";
import { type Kernel, type KernelExports, loadKernel, MIB } from "../../../support/kernel.ts";
import type { Machine } from "../../../support/machine.ts";

export const PAGE = 4096n;
export const PROT = { NONE: 0, READ: 1, WRITE: 2, EXEC: 4 } as const;
export const MAP = { SHARED: 1, PRIVATE: 2, FIXED: 0x10, ANONYMOUS: 0x20, NOREPLACE: 0x100000, GROWSDOWN: 0x100 } as const;
export const ERRNO = { NOMEM: -12, ACCES: -13, FAULT: -14, EXIST: -17, INVAL: -22 } as const;

const TASK = 0xf00000; // above static data, below the frame table
const FRAME_TABLE_END = 0x1200000;
const STACKS = 0x3000000;
const WINDOW_END = 0x4000000;

export interface Memory {
  kernel: Kernel;
  k: KernelExports;
  machine: Machine;
  view: DataView;
  free(): number;
}

/** Brings up the allocators and virtual memory with `ramBytes` of RAM (at most 512 MiB). */
export async function loadMemory(ramBytes: number = 32 * MIB): Promise<Memory> {
  const kernel = await loadKernel({ ramBytes, linearBytes: WINDOW_END });
  const { exports: k, machine } = kernel;
  bootMemory(kernel, { ramBytes, task: TASK, heapStart: FRAME_TABLE_END, heapEnd: STACKS });
  k["kstackInit"]!(STACKS, WINDOW_END);
  k["mmInit"]!();
  const free = (): number => {
    k["memoryTrim"]!();
    return Number(k["freePageCount"]!());
  };
  return { kernel, k, machine, view: new DataView(kernel.memory.buffer), free };
}

/** An address space of its own, loaded on the simulated CPU, its faults resolved by the kernel. */
export function userSpace(memory: Memory): number {
  const { k, machine } = memory;
  const mm = k["mmCreate"]!() as number;
  useSpace(memory, mm);
  machine.userFault = (va, errorCode) => k["mmFault"]!(current.get(machine) as number, va, errorCode, 0n) === 0;
  return mm;
}

const current = new WeakMap<Machine, number>();

/** Makes `mm` the address space of the simulated user program. */
export function useSpace(memory: Memory, mm: number): void {
  memory.k["mmSwitch"]!(mm);
  current.set(memory.machine, mm);
}

export interface Area {
  start: bigint;
  end: bigint;
  prot: number;
}

/** The areas of `mm` in order, with every invariant of vma.ts checked on the way. */
export function areasOf(memory: Memory, mm: number): Area[] {
  const view = memory.view;
  const u32 = (at: number): number => view.getUint32(at, true);
  const u64 = (at: number): bigint => view.getBigUint64(at, true);
  const list: Area[] = [];
  let previous = 0;
  for (let vma = u32(mm + 60); vma; vma = u32(vma + 56)) {
    const area = { start: u64(vma), end: u64(vma + 8), prot: u32(vma + 60) & 7 };
    expect(area.start).toBeLessThan(area.end); // V1
    if (previous) expect(u64(previous + 8)).toBeLessThanOrEqual(area.start);
    expect(u32(vma + 52)).toBe(previous); // A3
    previous = vma;
    list.push(area);
  }
  let visited = 0;
  const walk = (node: number, parent: number): { height: number; gap: bigint } => {
    if (!node) return { height: 0, gap: 0n };
    visited++;
    expect(u32(node + 44)).toBe(parent);
    const left = walk(u32(node + 36), node);
    const right = walk(u32(node + 40), node);
    expect(Math.abs(left.height - right.height)).toBeLessThanOrEqual(1); // A1
    const height = 1 + Math.max(left.height, right.height);
    expect(u32(node + 48)).toBe(height);
    const below = u32(node + 52);
    let gap = u64(node) - (below ? u64(below + 8) : 0n);
    for (const child of [left.gap, right.gap]) if (child > gap) gap = child;
    expect(u64(node + 24)).toBe(gap); // A2
    return { height, gap };
  };
  walk(u32(mm + 56), 0);
  expect(visited).toBe(list.length);
  expect(u32(mm + 4)).toBe(list.length);
  return list;
}
