/** The ELF loader against malformed files: always an errno or an image that obeys E1 of elf.ts, never a trap. */
import { type Kernel, loadKernel } from "../../../support/kernel.ts";
import { structLayout } from "../../../support/struct-layout.ts";

const IMAGE_AT = structLayout("kernel/services/process/elf.ts", "ElfImage");
const HEADER = 64;
const SEGMENT = 56;
const FILE_BYTES = 0x4000;
const FILE = 0x00c00000;
const IMAGE = 0x00c20000;
const MUTATIONS = 10_000;
const SEED = Number(process.env["SEED"] ?? 20260722);
const PAGE = 4096n;
const USER_TOP = 0x00007ffffffff000n;
const ENOEXEC = -8;

/** mulberry32. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** A static program: headers, text, data with bss, a stack note and an interpreter. */
function validElf(type = 2): Uint8Array {
  const bytes = new Uint8Array(FILE_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  const base = type === 2 ? 0x400000n : 0n;
  view.setUint16(16, type, true);
  view.setUint16(18, 62, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, base + 0x1010n, true);
  view.setBigUint64(32, BigInt(HEADER), true);
  view.setUint16(52, HEADER, true);
  view.setUint16(54, SEGMENT, true);
  const segments: [number, number, bigint, bigint, bigint, bigint, bigint][] = [
    [3, 4, 0x200n, base + 0x200n, 16n, 16n, 1n],
    [1, 4, 0n, base, 0x300n, 0x300n, PAGE],
    [1, 5, 0x1000n, base + 0x1000n, 0x800n, 0x800n, PAGE],
    [1, 6, 0x2100n, base + 0x3100n, 0x400n, 0x2400n, PAGE],
    [0x6474e551, 6, 0n, 0n, 0n, 0n, 16n],
  ];
  view.setUint16(56, segments.length, true);
  segments.forEach(([kind, flags, offset, vaddr, filesz, memsz, align], i) => {
    const at = HEADER + i * SEGMENT;
    view.setUint32(at, kind, true);
    view.setUint32(at + 4, flags, true);
    [offset, vaddr, vaddr, filesz, memsz, align].forEach((value, n) => view.setBigUint64(at + 8 + n * 8, value, true));
  });
  return bytes;
}

function check(kernel: Kernel, file: Uint8Array): number {
  new Uint8Array(kernel.memory.buffer, FILE, file.length).set(file);
  const header = kernel.exports.elfHeaderCheck(FILE, file.length, BigInt(file.length), IMAGE) as number;
  if (header !== 0) return header;
  const phoff = new DataView(kernel.memory.buffer).getUint32(IMAGE + IMAGE_AT["phoff"]!, true);
  return kernel.exports.elfSegmentsCheck(FILE + phoff, BigInt(file.length), IMAGE) as number;
}

/** What the loader relies on: E1. */
function expectSound(kernel: Kernel, file: Uint8Array): void {
  const view = new DataView(kernel.memory.buffer);
  const field = (name: string): bigint => view.getBigUint64(IMAGE + IMAGE_AT[name]!, true);
  const word = (name: string): number => view.getUint32(IMAGE + IMAGE_AT[name]!, true);
  const loadMin = field("loadMin");
  const loadMax = field("loadMax");
  expect(loadMin % PAGE).toBe(0n);
  expect(loadMax).toBeGreaterThan(loadMin);
  expect(loadMax).toBeLessThanOrEqual(USER_TOP + PAGE);
  for (let i = 0; i < word("phnum"); i++) {
    const at = FILE + word("phoff") + i * SEGMENT;
    if (view.getUint32(at, true) !== 1) continue;
    const [offset, vaddr, , filesz, memsz] = [0, 1, 2, 3, 4].map((n) => view.getBigUint64(at + 8 + n * 8, true)) as bigint[];
    if (memsz === 0n) continue;
    expect(offset! + filesz!).toBeLessThanOrEqual(BigInt(file.length));
    expect(filesz!).toBeLessThanOrEqual(memsz!);
    expect(vaddr! % PAGE).toBe(offset! % PAGE);
    expect(vaddr! + memsz!).toBeLessThanOrEqual(loadMax);
    expect(vaddr!).toBeGreaterThanOrEqual(loadMin);
  }
  expect(word("interpSize")).toBeLessThanOrEqual(4096);
}

test.each([[2], [3]])("a valid file of type %d is accepted", async (type) => {
  const kernel = await loadKernel();
  const file = validElf(type);
  expect(check(kernel, file)).toBe(0);
  expectSound(kernel, file);
  const view = new DataView(kernel.memory.buffer);
  const base = type === 2 ? 0x400000n : 0n;
  expect(view.getBigUint64(IMAGE + IMAGE_AT["phdrVa"]!, true)).toBe(base + 64n);
  expect(view.getBigUint64(IMAGE + IMAGE_AT["loadMax"]!, true)).toBe(base + 0x6000n);
  expect(view.getUint32(IMAGE + IMAGE_AT["interpSize"]!, true)).toBe(16);
  expect(view.getUint32(IMAGE + IMAGE_AT["isStackExecutable"]!, true)).toBe(0);
});

test(`${MUTATIONS} mutations of a valid file give ENOEXEC or a sound image (seed ${SEED})`, async () => {
  const kernel = await loadKernel();
  const next = random(SEED);
  const interesting = [0n, 1n, 0xfffn, 0x1000n, 0x7fffffffn, 0xffffffffn, 0x7fffffffffffffffn, 0xffffffffffffffffn, USER_TOP];
  let accepted = 0;
  for (let round = 0; round < MUTATIONS; round++) {
    let file = validElf(next() % 2 ? 2 : 3);
    const view = new DataView(file.buffer);
    const edge = HEADER + 5 * SEGMENT;
    for (let edits = 1 + (next() % 4); edits > 0; edits--) {
      const at = next() % edge;
      if (next() % 2) file[at] = next();
      else view.setBigUint64(Math.min(at & ~7, edge - 8), interesting[next() % interesting.length]!, true);
    }
    if (next() % 4 === 0) file = file.slice(0, next() % FILE_BYTES);
    const result = check(kernel, file);
    if (result === 0) {
      accepted++;
      expectSound(kernel, file);
    } else expect(result).toBe(ENOEXEC);
  }
  expect(accepted).toBeGreaterThan(MUTATIONS / 100); // otherwise the mutations test only the first check
  expect(accepted).toBeLessThan(MUTATIONS);
});
