/** Address spaces against models: which page has which rights, and what each page contains. */
import fc from "fast-check";
import { MIB } from "../../../support/kernel.ts";
import { areasOf, ERRNO, loadMemory, MAP, type Memory, PAGE, PROT, userSpace, useSpace } from "./memory.ts";

const BASE = 0x10000000n;
const PAGES = 48;
const ANON = MAP.PRIVATE | MAP.ANONYMOUS;
const RW = PROT.READ | PROT.WRITE;

function map({ k }: Memory, mm: number, va: bigint, pages: number, prot: number, flags: number): bigint {
  return k["mmMap"]!(mm, va, BigInt(pages) * PAGE, prot, flags, 0, 0n) as bigint;
}

/** Rights by page, as the kernel's areas tell them. */
function rights(memory: Memory, mm: number): (number | undefined)[] {
  const table: (number | undefined)[] = Array(PAGES).fill(undefined);
  for (const { start, end, prot } of areasOf(memory, mm)) {
    for (let va = start; va < end; va += PAGE) table[Number((va - BASE) / PAGE)] = prot;
  }
  return table;
}

type Step =
  | { op: "map" | "unmap" | "protect" | "touch" | "drop"; at: number; count: number; prot: number; value: number }
  | { op: "fork"; value: number }
  | { op: "exit"; value: number };

const range = { at: fc.nat(PAGES - 1), count: fc.integer({ min: 1, max: 12 }), prot: fc.constantFrom(0, 1, 3, 3, 3, 5), value: fc.nat(250) };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant("map" as const), ...range }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("unmap" as const), ...range }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("protect" as const), ...range }) },
  { weight: 8, arbitrary: fc.record({ op: fc.constant("touch" as const), ...range }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("drop" as const), ...range }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("fork" as const), value: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("exit" as const), value: fc.nat() }) },
);

interface Space {
  mm: number;
  pages: ({ prot: number; byte: number } | undefined)[];
}

/** Tries a read and a write of every page of `at..at+count`, and compares outcome and contents with the model. */
function touch(memory: Memory, space: Space, at: number, end: number, value: number): void {
  const { machine } = memory;
  useSpace(memory, space.mm);
  for (let page = at; page < end; page++) {
    const va = BASE + BigInt(page) * PAGE + BigInt(value);
    const model = space.pages[page];
    if (!model || !model.prot) {
      expect(() => machine.userRead(va, 1)).toThrow();
    } else {
      expect(machine.userRead(BASE + BigInt(page) * PAGE + 7n, 1)[0]).toBe(model.byte);
    }
    if (!model || !(model.prot & PROT.WRITE)) {
      expect(() => machine.userWrite(va, new Uint8Array(1))).toThrow();
    } else {
      machine.userWrite(BASE + BigInt(page) * PAGE + 7n, new Uint8Array([value]));
      model.byte = value;
    }
  }
}

test("map, unmap, protect, touch, fork and exit agree with a model, and no frame is lost", async () => {
  const memory = await loadMemory(16 * MIB);
  const { k } = memory;
  k["mmPut"]!(userSpace(memory)); // caches have their first slabs
  const before = memory.free();

  fc.assert(fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
    const spaces: Space[] = [{ mm: userSpace(memory), pages: Array(PAGES).fill(undefined) }];
    for (const s of steps) {
      const space = spaces[s.value % spaces.length]!;
      if (s.op === "fork") {
        if (spaces.length > 4) continue;
        const mm = k["mmClone"]!(space.mm) as number;
        expect(mm).not.toBe(0);
        spaces.push({ mm, pages: space.pages.map((page) => page && { ...page }) });
        continue;
      }
      if (s.op === "exit") {
        if (spaces.length === 1) continue;
        spaces.splice(spaces.indexOf(space), 1);
        k["mmPut"]!(space.mm);
        continue;
      }
      const end = Math.min(PAGES, s.at + s.count);
      const va = BASE + BigInt(s.at) * PAGE;
      const size = BigInt(end - s.at) * PAGE;
      if (s.op === "touch") {
        touch(memory, space, s.at, end, s.value);
        continue;
      }
      if (s.op === "map") {
        expect(map(memory, space.mm, va, end - s.at, s.prot, ANON | MAP.FIXED)).toBe(va);
        for (let page = s.at; page < end; page++) space.pages[page] = { prot: s.prot, byte: 0 };
      } else if (s.op === "unmap") {
        expect(k["mmUnmap"]!(space.mm, va, size)).toBe(0);
        for (let page = s.at; page < end; page++) space.pages[page] = undefined;
      } else if (s.op === "drop") {
        k["mmAdvise"]!(space.mm, va, size, 4);
        for (let page = s.at; page < end; page++) if (space.pages[page]) space.pages[page]!.byte = 0;
      } else {
        const hole = space.pages.slice(s.at, end).indexOf(undefined);
        expect(k["mmProtect"]!(space.mm, va, size, s.prot)).toBe(hole < 0 ? 0 : ERRNO.NOMEM);
        for (let page = s.at; page < (hole < 0 ? end : s.at + hole); page++) space.pages[page]!.prot = s.prot;
      }
      expect(rights(memory, space.mm)).toEqual(space.pages.map((page) => page?.prot));
    }
    for (const space of spaces) touch(memory, space, 0, PAGES, 251);
    for (const space of spaces) k["mmPut"]!(space.mm);
  }), { numRuns: 80, seed: 3 });
  expect(memory.free()).toBe(before);
});

test("places are found top down, without overlap, and reused", async () => {
  const memory = await loadMemory();
  const { k } = memory;
  const mm = userSpace(memory);
  const seen: { start: bigint; end: bigint }[] = [];
  fc.assert(fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 9 }), fc.nat()), { maxLength: 60 }), (steps) => {
    for (const [isMap, pages, pick] of steps) {
      if (isMap || !seen.length) {
        const start = map(memory, mm, 0n, pages, pick % 4, ANON); // different rights: not everything merges
        const end = start + BigInt(pages) * PAGE;
        expect(start).toBeGreaterThan(0n);
        for (const other of seen) expect(end <= other.start || start >= other.end).toBe(true);
        seen.push({ start, end });
      } else {
        const [gone] = seen.splice(pick % seen.length, 1);
        expect(k["mmUnmap"]!(mm, gone!.start, gone!.end - gone!.start)).toBe(0);
      }
    }
    areasOf(memory, mm);
  }), { numRuns: 40, seed: 4 });
  k["mmPut"]!(mm);
});

test("shared anonymous memory is one memory for parent and child", async () => {
  const memory = await loadMemory();
  const { k, machine } = memory;
  const parent = userSpace(memory);
  const va = map(memory, parent, 0n, 4, RW, MAP.SHARED | MAP.ANONYMOUS);
  machine.userWrite(va, new Uint8Array([1]));
  const child = k["mmClone"]!(parent);
  useSpace(memory, child);
  expect(machine.userRead(va, 1)[0]).toBe(1);
  machine.userWrite(va + PAGE, new Uint8Array([2]));
  useSpace(memory, parent);
  expect(machine.userRead(va + PAGE, 1)[0]).toBe(2);
  k["mmPut"]!(child);
  k["mmPut"]!(parent);
});

test("mremap grows in place, moves with its contents, and shrinks", async () => {
  const memory = await loadMemory();
  const { k, machine } = memory;
  const mm = userSpace(memory);
  const va = map(memory, mm, BASE, 2, RW, ANON | MAP.FIXED);
  machine.userWrite(va + 4n, new Uint8Array([42]));
  expect(k["mmRemap"]!(mm, va, 2n * PAGE, 4n * PAGE, 0, 0n)).toBe(va);
  map(memory, mm, BASE + 4n * PAGE, 1, PROT.READ, ANON | MAP.FIXED);
  expect(k["mmRemap"]!(mm, va, 4n * PAGE, 8n * PAGE, 0, 0n)).toBe(BigInt(ERRNO.NOMEM));
  const moved = k["mmRemap"]!(mm, va, 4n * PAGE, 8n * PAGE, 1, 0n) as bigint;
  expect(moved).not.toBe(va);
  expect(machine.userRead(moved + 4n, 1)[0]).toBe(42);
  expect(() => machine.userRead(va, 1)).toThrow();
  const fixed = BASE + 64n * PAGE;
  expect(k["mmRemap"]!(mm, moved, 8n * PAGE, PAGE, 3, fixed)).toBe(fixed);
  expect(machine.userRead(fixed + 4n, 1)[0]).toBe(42);
  expect(areasOf(memory, mm).map(({ start, end }) => [start, end])).toEqual([
    [BASE + 4n * PAGE, BASE + 5n * PAGE], [fixed, fixed + PAGE],
  ]);
  k["mmPut"]!(mm);
});

test("brk grows and shrinks; the stack grows down to its guard", async () => {
  const memory = await loadMemory();
  const { k, machine } = memory;
  const mm = userSpace(memory);
  const before = memory.free();
  k["mmBrkInit"]!(mm, BASE);
  const start = k["mmBrk"]!(mm, 0n) as bigint;
  expect(k["mmBrk"]!(mm, start + 10000n)).toBe(start + 10000n);
  machine.userWrite(start + 9999n, new Uint8Array([5]));
  expect(() => machine.userWrite(start + 3n * PAGE, new Uint8Array(1))).toThrow();
  expect(k["mmBrk"]!(mm, start)).toBe(start);
  expect(() => machine.userRead(start, 1)).toThrow();
  const top = k["mmSetupStack"]!(mm, 8n << 20n, 0) as bigint;
  machine.userWrite(top - (1n << 20n), new Uint8Array([6]));
  expect(machine.userRead(top - (1n << 20n), 1)[0]).toBe(6);
  k["mmPut"]!(mm);
  const after = userSpace(memory);
  expect(memory.free()).toBe(before);
  k["mmPut"]!(after);
});

test("bad requests get Linux's errno", async () => {
  const memory = await loadMemory();
  const { k } = memory;
  const mm = userSpace(memory);
  const call = (va: bigint, len: bigint, prot: number, flags: number): number => Number(k["mmMap"]!(mm, va, len, prot, flags, 0, 0n));
  expect(call(0n, 0n, RW, ANON)).toBe(ERRNO.INVAL);
  expect(call(0n, PAGE, RW, MAP.ANONYMOUS)).toBe(ERRNO.INVAL);
  expect(call(BASE + 1n, PAGE, RW, ANON | MAP.FIXED)).toBe(ERRNO.INVAL);
  expect(call(0n, 1n << 47n, RW, ANON)).toBe(ERRNO.NOMEM);
  expect(call(0n, (1n << 64n) - 1n, RW, ANON)).toBe(ERRNO.NOMEM);
  expect(call(0n, PAGE, RW, ANON | MAP.FIXED)).toBe(-1);
  expect(call(BASE, PAGE, RW, ANON | MAP.NOREPLACE)).toBe(Number(BASE));
  expect(call(BASE, PAGE, RW, ANON | MAP.NOREPLACE)).toBe(ERRNO.EXIST);
  expect(k["mmUnmap"]!(mm, BASE + 1n, PAGE)).toBe(ERRNO.INVAL);
  expect(k["mmAdvise"]!(mm, BASE, PAGE, 77)).toBe(ERRNO.INVAL);
  expect(k["mmAdvise"]!(mm, BASE + PAGE, PAGE, 4)).toBe(ERRNO.NOMEM);
  k["mmPut"]!(mm);
});

test("a memory hog is refused before the kernel's reserve, and gives all back", async () => {
  const memory = await loadMemory(16 * MIB);
  const { k } = memory;
  k["mmPut"]!(userSpace(memory));
  const before = memory.free();
  const mm = userSpace(memory);
  const va = map(memory, mm, 0n, 3700, RW, ANON);
  let touched = 0;
  while (k["mmFault"]!(mm, va + BigInt(touched) * PAGE, 6, 0n) === 0) touched++;
  expect(touched).toBeGreaterThan(3000);
  expect(k["pageAlloc"]!()).not.toBe(0);
  k["mmPut"]!(mm);
  expect(memory.free()).toBe(before - 1);
});
