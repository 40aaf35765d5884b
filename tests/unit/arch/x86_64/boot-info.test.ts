/** What the boot loader says, in both of its languages, good and bad. */
import fc from "fast-check";
import { type Kernel, loadKernel, MIB } from "../../support/kernel.ts";

const MULTIBOOT2 = 0x36d76289;
const PVH = 0x336ec578;
const INFO = 0x10000;
const RAM = 16 * MIB;
const USABLE = 1;
const RESERVED = 2;
const BAD = 5;

interface Tag {
  type: number;
  body: Uint8Array;
}

function bytes(...words: readonly [value: number | bigint, width: 1 | 4 | 8][]): Uint8Array {
  const result = new DataView(new ArrayBuffer(words.reduce((sum, [, width]) => sum + width, 0)));
  let at = 0;
  for (const [value, width] of words) {
    if (width === 8) result.setBigUint64(at, BigInt(value), true);
    else if (width === 4) result.setUint32(at, Number(value), true);
    else result.setUint8(at, Number(value));
    at += width;
  }
  return new Uint8Array(result.buffer);
}

const text = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`);
const commandLine = (value: string): Tag => ({ type: 1, body: text(value) });
const moduleTag = (start: number, end: number): Tag => ({ type: 3, body: bytes([start, 4], [end, 4], [0, 1]) });
const memoryMap = (...ranges: readonly [start: number, size: number, kind: number][]): Tag => ({
  type: 6,
  body: Buffer.concat([bytes([24, 4], [0, 4]), ...ranges.map(([start, size, kind]) => bytes([start, 8], [size, 8], [kind, 4], [0, 4]))]),
});

/** Multiboot2, 3.6: total size, 0, tags padded to eight bytes. */
function multiboot(tags: readonly Tag[]): Buffer {
  const parts = [...tags, { type: 0, body: new Uint8Array() }].map(({ type, body }) => {
    const tag = Buffer.concat([bytes([type, 4], [body.length + 8, 4]), body]);
    return Buffer.concat([tag, Buffer.alloc(-tag.length & 7)]);
  });
  const all = Buffer.concat(parts);
  return Buffer.concat([bytes([all.length + 8, 4], [0, 4]), all]);
}

async function parse(magic: number, info: Uint8Array, ...more: readonly [at: number, content: Uint8Array][]): Promise<Kernel> {
  const kernel = await loadKernel({ ramBytes: RAM });
  for (const [at, content] of [[INFO, info] as const, ...more]) kernel.machine.bytes(BigInt(at), content.length).set(content);
  expect(kernel.exports["bootInfoParse"]!(magic, BigInt(INFO))).toBe(1);
  return kernel;
}

const WHOLE = memoryMap([0x100000, RAM - 0x100000, USABLE]);

function problem(kernel: Kernel): string | null {
  const at = (kernel.exports["bootProblem"]!() as number) >>> 0;
  if (at === 0) return null;
  const length = new DataView(kernel.memory.buffer).getUint32(at - 4, true);
  return Buffer.from(kernel.memory.buffer, at, length).toString("utf16le");
}

test("a Multiboot2 boot with everything in place has no problem", async () => {
  const kernel = await parse(MULTIBOOT2, multiboot([commandLine("console=ttyS0 quiet"), moduleTag(0x200000, 0x201000), WHOLE]));
  expect(problem(kernel)).toBeNull();
  expect(kernel.exports["bootRangePa"]!(0)).toBe(0x100000n);
});

test("a PVH boot with everything in place has no problem", async () => {
  const info = bytes([PVH, 4], [1, 4], [0, 4], [1, 4], [0x11000, 8], [0x12000, 8], [0, 8], [0x13000, 8], [1, 4], [0, 4]);
  const kernel = await parse(
    PVH, info,
    [0x11000, bytes([0x200000, 8], [0x1000, 8], [0, 8], [0, 8])],
    [0x12000, text("panic=-1")],
    [0x13000, bytes([0x100000, 8], [RAM - 0x100000, 8], [USABLE, 4], [0, 4])],
  );
  expect(problem(kernel)).toBeNull();
});

test("an unknown boot loader is refused", async () => {
  const kernel = await loadKernel({ ramBytes: RAM });
  expect(kernel.exports["bootInfoParse"]!(0x2badb002, BigInt(INFO))).toBe(0);
});

test.each([
  ["no memory map", [moduleTag(0x200000, 0x201000)], /memory map/],
  ["no initramfs", [WHOLE], /initramfs/],
  ["an initramfs that ends beyond RAM", [WHOLE, moduleTag(0x200000, RAM + 1)], /truncated/],
  ["an initramfs that ends before it starts", [WHOLE, moduleTag(0x201000, 0x200000)], /truncated/],
  ["an initramfs whose end lies in a hole", [memoryMap([0x100000, 0x200000, USABLE], [0x300800, 0x1000, RESERVED]), moduleTag(0x200000, 0x300400)], /truncated/],
  ["an initramfs that ends beyond what is reserved behind it", [memoryMap([0x100000, 0x200000, USABLE], [0x300000, 0x1000, RESERVED]), moduleTag(0x200000, 0x301001)], /truncated/],
  ["an initramfs whose end lies in bad memory", [memoryMap([0x100000, 0x200000, USABLE], [0x300000, 0x1000, BAD]), moduleTag(0x200000, 0x300400)], /truncated/],
  ["an initramfs in reserved memory", [memoryMap([0x100000, 0x100000, USABLE], [0x200000, 0x100000, RESERVED]), moduleTag(0x200000, 0x201000)], /truncated/],
] as const)("says what is wrong: %s", async (_, tags, words) => {
  expect(problem(await parse(MULTIBOOT2, multiboot(tags)))).toMatch(words);
});

test("an initramfs may end in what SeaBIOS has reserved at the end of RAM", async () => {
  const map = memoryMap([0x300000, 0x2a000, RESERVED], [0x100000, 0x200000, USABLE]);
  const kernel = await parse(MULTIBOOT2, multiboot([map, moduleTag(0x200000, 0x301ecc)]));
  expect(problem(kernel)).toBeNull();
  expect(kernel.exports["bootBytesNotUsable"]!(0x200000n, 0x101eccn)).toBe(0x1eccn);
});

test("mutated loader information never breaks the parser", async () => {
  const good = multiboot([commandLine("a=1"), moduleTag(0x200000, 0x201000), WHOLE]);
  const kernel = await loadKernel({ ramBytes: RAM });
  const mutation = fc.array(fc.tuple(fc.integer({ min: 8, max: good.length - 1 }), fc.nat(255)), { maxLength: 8 });
  fc.assert(
    fc.property(mutation, (changes) => {
      const bad = Buffer.from(good);
      for (const [at, value] of changes) bad[at] = value;
      kernel.machine.bytes(BigInt(INFO), bad.length).set(bad);
      kernel.exports["bootInfoParse"]!(MULTIBOOT2, BigInt(INFO));
      problem(kernel);
    }),
    { numRuns: 500 },
  );
});

test("the last word of a name on the command line counts, and a longer name is another one", async () => {
  const kernel = await parse(MULTIBOOT2, multiboot([commandLine("panic=5 panicky=7 x panic=-12 quiet"), WHOLE]));
  const at = kernel.constant("CMDLINE");
  expect(Buffer.from(kernel.memory.buffer, at, 35).toString()).toBe("panic=5 panicky=7 x panic=-12 quiet");
  expect(cmdlineInt(kernel, "panic")).toBe(-12);
  expect(cmdlineInt(kernel, "pani")).toBe(99);
  expect(cmdlineInt(kernel, "quiet")).toBe(99);
});

/** cmdlineInt with 99 as fallback; a string parameter is UTF-16 with its byte length in the word before. */
function cmdlineInt(kernel: Kernel, name: string): number {
  const at = kernel.memory.buffer.byteLength - 256;
  const encoded = Buffer.from(name, "utf16le");
  new DataView(kernel.memory.buffer).setUint32(at - 4, encoded.length, true);
  new Uint8Array(kernel.memory.buffer, at, encoded.length).set(encoded);
  return kernel.exports["cmdlineInt"]!(at, 99) as number;
}
