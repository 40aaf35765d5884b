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

describe("two nodes", () => {
  const NODE_MIB = 16;
  const FIRST_OF_1 = (NODE_MIB * MIB) / 4096;

  /** A kernel whose RAM was handed to two nodes, half each. */
  async function twoNodes(): Promise<Memory> {
    const memory = await loadMemory(2 * NODE_MIB * MIB);
    const { k } = memory;
    const half = BigInt(NODE_MIB * MIB);
    k["buddyInit"]!(2);
    k["buddyAddRange"]!(0x400000n, half - 0x400000n, 0);
    k["buddyAddRange"]!(half, half - 0x800000n, 1); // the top holds what loadMemory gave away
    return memory;
  }

  const nodeSet = ({ k, kernel }: Memory, node: number): void => {
    const at = k["cpuAt"]!(0) as number;
    new DataView(kernel.memory.buffer).setUint32(at + 72, node, true);
  };

  test("pages come from the CPU's own node, then from the other", async () => {
    const memory = await twoNodes();
    const { k } = memory;
    const pagesOf1 = k["nodePages"]!(1) as number;
    nodeSet(memory, 1);
    const taken: number[] = [];
    for (let pfn = k["pageAlloc"]!(); pfn; pfn = k["pageAlloc"]!()) taken.push(pfn);
    expect(taken.slice(0, pagesOf1).every((pfn) => pfn >= FIRST_OF_1)).toBe(true);
    expect(taken.slice(pagesOf1).every((pfn) => pfn < FIRST_OF_1)).toBe(true);
    expect(taken.length).toBe(Number(k["totalPageCount"]!()));
    for (const pfn of taken) k["framePut"]!(pfn);
    k["pageCacheDrain"]!();
    expect([k["nodeFreePages"]!(0), k["nodeFreePages"]!(1)]).toEqual([k["nodePages"]!(0), pagesOf1]);
  });

  test("a page of another node goes home when it is freed, not into this CPU's cache", async () => {
    const memory = await twoNodes();
    const { k } = memory;
    nodeSet(memory, 0);
    const pfn = k["pageAlloc"]!() as number;
    k["pageCacheDrain"]!();
    nodeSet(memory, 1);
    const before = k["nodeFreePages"]!(0) as number;
    k["framePut"]!(pfn);
    expect(k["nodeFreePages"]!(0)).toBe(before + 1);
  });

  test("a large block falls back too, and buddies of two nodes never merge", async () => {
    const memory = await twoNodes();
    const { k } = memory;
    nodeSet(memory, 1);
    const blocks: number[] = [];
    for (let pfn = k["pagesAlloc"]!(10); pfn; pfn = k["pagesAlloc"]!(10)) blocks.push(pfn);
    expect(blocks[0]).toBeGreaterThanOrEqual(FIRST_OF_1);
    expect(blocks.some((pfn) => pfn < FIRST_OF_1)).toBe(true);
    for (const pfn of blocks) k["pagesFree"]!(pfn, 10);
    expect([k["nodeFreePages"]!(0), k["nodeFreePages"]!(1)]).toEqual([k["nodePages"]!(0), k["nodePages"]!(1)]);
  });
});
