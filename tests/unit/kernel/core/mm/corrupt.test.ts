/** Memory spoilt on purpose: the chosen program meets it, nobody else does. */
import { MIB } from "../../../support/kernel.ts";
import { loadMemory, MAP, type Memory, PAGE, PROT, userSpace, useSpace } from "./memory.ts";

const BASE = 0x10000000n;
const REGION = { STACK: 3, HEAP: 4, SHARED: 5 } as const;
const ANON = MAP.PRIVATE | MAP.ANONYMOUS;

function mapped(memory: Memory, prot: number, flags: number): number {
  const mm = userSpace(memory);
  memory.k["mmMap"]!(mm, BASE, 4n * PAGE, prot, flags | MAP.FIXED, 0, 0n);
  return mm;
}

test("a bit flipped in one process is not flipped in its relative, and no frame is lost", async () => {
  const memory = await loadMemory(16 * MIB);
  const { k, machine } = memory;
  k["mmPut"]!(userSpace(memory));
  const before = memory.free();
  const parent = mapped(memory, PROT.READ | PROT.WRITE, ANON);
  machine.userWrite(BASE + 5n, new Uint8Array([0x41]));
  const child = k["mmClone"]!(parent) as number;
  expect(k["mmByteSpoil"]!(child, BASE + 5n, 0xff, 2)).toBe(0);
  useSpace(memory, child);
  expect(machine.userRead(BASE + 5n, 1)[0]).toBe(0x43);
  useSpace(memory, parent);
  expect(machine.userRead(BASE + 5n, 1)[0]).toBe(0x41);
  k["mmPut"]!(child);
  k["mmPut"]!(parent);
  expect(memory.free()).toBe(before);
});

test("an area that may not be written still may not be written afterwards", async () => {
  const memory = await loadMemory(16 * MIB);
  const { k, machine } = memory;
  const mm = mapped(memory, PROT.READ, ANON);
  expect(k["mmByteSpoil"]!(mm, BASE + 1n, 0, 0x90)).toBe(0);
  expect(machine.userRead(BASE + 1n, 1)[0]).toBe(0x90);
  expect(() => machine.userWrite(BASE + 1n, new Uint8Array([1]))).toThrow();
});

test("memory that is shared on purpose is spoilt for all who share it", async () => {
  const memory = await loadMemory(16 * MIB);
  const { k, machine } = memory;
  const mm = mapped(memory, PROT.READ | PROT.WRITE, MAP.SHARED | MAP.ANONYMOUS);
  machine.userWrite(BASE, new Uint8Array([1]));
  const child = k["mmClone"]!(mm) as number;
  expect(k["mmByteSpoil"]!(child, BASE, 0xff, 0x80)).toBe(0);
  expect(machine.userRead(BASE, 1)[0]).toBe(0x81);
});

test("bytes are chosen among the pages that are there; nothing is where nothing is mapped", async () => {
  const memory = await loadMemory(16 * MIB);
  const { k, machine } = memory;
  const mm = mapped(memory, PROT.READ | PROT.WRITE, ANON);
  expect(k["mmRegionPick"]!(mm, REGION.HEAP, 0n, 7n)).toBe(0n);
  machine.userWrite(BASE + 2n * PAGE, new Uint8Array([1]));
  for (let i = 1n; i < 50n; i++) {
    const va = k["mmRegionPick"]!(mm, REGION.HEAP, 0n, i * 0x9e3779b97f4a7c15n) as bigint;
    expect(va / PAGE).toBe(BASE / PAGE + 2n);
  }
  expect(k["mmRegionPick"]!(mm, REGION.SHARED, 0n, 7n)).toBe(0n);
  expect(k["mmByteSpoil"]!(mm, BASE - PAGE, 0xff, 1)).toBe(-14);
});
