/** The page allocator against a list of blocks. */
import fc from "fast-check";
import { MIB } from "../../../support/kernel.ts";
import { loadMemory, type Memory } from "./memory.ts";

const MAX_ORDER = 11;

/** Number of largest blocks that can be had at once; they are given back. */
function largestBlocks({ k }: Memory): number {
  const taken: number[] = [];
  for (let pfn = k["pagesAlloc"]!(MAX_ORDER); pfn; pfn = k["pagesAlloc"]!(MAX_ORDER)) taken.push(pfn);
  for (const pfn of taken) k["pagesFree"]!(pfn, MAX_ORDER);
  return taken.length;
}

test("blocks never overlap, are aligned to their size, and merge again when all are free", async () => {
  const memory = await loadMemory(64 * MIB);
  const { k } = memory;
  const before = memory.free();
  const largest = largestBlocks(memory);
  expect(largest).toBeGreaterThan(0);

  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(MAX_ORDER + 4), fc.nat()), { maxLength: 400 }), (steps) => {
    const used = new Map<number, number>(); // page -> first page of its block
    const blocks: { pfn: number; order: number }[] = [];
    for (const [what, pick] of steps) {
      if (what <= MAX_ORDER) {
        const order = what;
        const pfn = k["pagesAlloc"]!(order) as number;
        if (!pfn) continue;
        expect(pfn % 2 ** order).toBe(0);
        for (let page = pfn; page < pfn + 2 ** order; page++) {
          expect(used.has(page)).toBe(false);
          used.set(page, pfn);
        }
        blocks.push({ pfn, order });
      } else if (blocks.length) {
        const [block] = blocks.splice(pick % blocks.length, 1);
        for (let page = block!.pfn; page < block!.pfn + 2 ** block!.order; page++) used.delete(page);
        k["pagesFree"]!(block!.pfn, block!.order);
      }
    }
    for (const { pfn, order } of blocks) k["pagesFree"]!(pfn, order);
    expect(memory.free()).toBe(before);
    expect(largestBlocks(memory)).toBe(largest);
  }), { numRuns: 60, seed: 1 });
});

test("null when memory is full, and everything comes back", async () => {
  const memory = await loadMemory(4 * MIB);
  const { k } = memory;
  const before = memory.free();
  const taken: number[] = [];
  for (let pfn = k["pageAlloc"]!(); pfn; pfn = k["pageAlloc"]!()) taken.push(pfn);
  expect(new Set(taken).size).toBe(taken.length);
  expect(k["pagesAlloc"]!(3)).toBe(0);
  for (const pfn of taken) k["framePut"]!(pfn);
  expect(memory.free()).toBe(before);
});

test("freeing a page twice is caught", async () => {
  const { k } = await loadMemory();
  const pfn = k["pagesAlloc"]!(2);
  k["pagesFree"]!(pfn, 2);
  expect(() => k["pagesFree"]!(pfn, 2)).toThrow();
});
