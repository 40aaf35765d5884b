/** kmalloc against a model that remembers what each block must contain. */
import fc from "fast-check";
import { loadMemory } from "./memory.ts";

test("blocks keep their contents, never overlap, and all pages come back", async () => {
  const memory = await loadMemory();
  const { k, machine } = memory;
  k["kfree"]!(k["kmalloc"]!(1 << 20)); // the heap's first chunk is there to stay
  const before = memory.free();

  const size = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 301, max: 5000 }), fc.integer({ min: 5001, max: 200_000 }));
  fc.assert(fc.property(fc.array(fc.tuple(fc.boolean(), size, fc.nat()), { maxLength: 300 }), (steps) => {
    const live: { ptr: number; size: number; mark: number }[] = [];
    const release = (index: number): void => {
      const [block] = live.splice(index, 1);
      expect(machine.linear(block!.ptr, block!.size).every((byte) => byte === block!.mark)).toBe(true);
      k["kfree"]!(block!.ptr);
    };
    for (const [isAlloc, bytes, pick] of steps) {
      if (isAlloc || !live.length) {
        const ptr = k["kmalloc"]!(bytes) as number;
        if (!ptr) continue;
        if (bytes % 64 === 0) expect(ptr % 64).toBe(0);
        machine.linear(ptr, bytes).fill(pick & 255);
        live.push({ ptr, size: bytes, mark: pick & 255 });
      } else {
        release(pick % live.length);
      }
    }
    while (live.length) release(live.length - 1);
  }), { numRuns: 60, seed: 2 });
  expect(memory.free()).toBe(before);
});

test("too large a size is refused, a full memory answers 0", async () => {
  const memory = await loadMemory(8 << 20);
  const { k } = memory;
  expect(k["kmalloc"]!((1 << 20) + 1)).toBe(0);
  const first = k["kmalloc"]!(1024) as number;
  let count = 0;
  let chain = first;
  for (let ptr = k["kmalloc"]!(65536) as number; ptr; ptr = k["kmalloc"]!(65536) as number) {
    memory.view.setUint32(ptr, chain, true);
    chain = ptr;
    count++;
  }
  expect(count).toBeGreaterThan(50);
  while (chain !== first) {
    const next = memory.view.getUint32(chain, true);
    k["kfree"]!(chain);
    chain = next;
  }
  k["kfree"]!(first);
  expect(k["kmalloc"]!(65536)).not.toBe(0);
});

test("the heap gives empty chunks back when memory is trimmed", async () => {
  const memory = await loadMemory();
  const { k } = memory;
  const blocks: number[] = [];
  const grow = (): void => {
    for (let i = 0; i < 12; i++) blocks.push(k["kmalloc"]!(1 << 20) as number);
    expect(new Set(blocks).size).toBe(blocks.length);
  };
  const shrink = (): number => {
    blocks.splice(0).forEach((ptr) => k["kfree"]!(ptr));
    return memory.free();
  };
  grow();
  const before = shrink();
  const pages = k["heapTotalPages"]!();
  expect(pages).toBeLessThanOrEqual(1024);
  // Single pages all over: the next chunks cannot be large pages.
  const holes: number[] = [];
  for (let pfn = k["pageAlloc"]!() as number; pfn; pfn = k["pageAlloc"]!() as number) holes.push(pfn);
  holes.filter((pfn) => pfn % 64).forEach((pfn) => k["framePut"]!(pfn));
  grow();
  expect(shrink()).toBe(before - holes.filter((pfn) => pfn % 64 === 0).length);
  holes.filter((pfn) => pfn % 64 === 0).forEach((pfn) => k["framePut"]!(pfn));
  expect(memory.free()).toBe(before);
  expect(k["heapTotalPages"]!()).toBe(pages);
});

test("kernel stacks come with a guard and go back", async () => {
  const memory = await loadMemory();
  const { k } = memory;
  const warm = Array.from({ length: 100 }, () => k["kstackAlloc"]!() as number);
  warm.forEach((stack) => k["kstackFree"]!(stack));
  const before = memory.free();
  const stacks = Array.from({ length: 200 }, () => k["kstackAlloc"]!() as number);
  expect(new Set(stacks).size).toBe(200);
  const sorted = [...stacks].sort((a, b) => a - b);
  for (let i = 1; i < sorted.length; i++) expect(sorted[i]! - sorted[i - 1]!).toBeGreaterThanOrEqual(16384 + 4096);
  stacks.forEach((stack) => k["kstackFree"]!(stack));
  expect(Math.abs(memory.free() - before)).toBeLessThanOrEqual(4); // page tables of the window stay
});
