/** The generator: RFC 8439's block, and output that never repeats. */
import { loadKernel } from "../../support/kernel.ts";

const STATE = 0x00c00000;
const OUT = 0x00c01000;

test("chachaBlock gives the block of RFC 8439, 2.3.2", async () => {
  const { exports, memory } = await loadKernel();
  const words = new DataView(memory.buffer);
  [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574].forEach((word, i) => words.setUint32(STATE + i * 4, word, true));
  for (let i = 0; i < 32; i++) words.setUint8(STATE + 16 + i, i);
  [1, 0x09000000, 0x4a000000, 0].forEach((word, i) => words.setUint32(STATE + 48 + i * 4, word, true));
  exports.chachaBlock(OUT, STATE);
  const block = Buffer.from(memory.buffer, OUT, 64).toString("hex");
  expect(block).toBe(
    "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e" +
      "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e",
  );
});

test("requests of any length are filled to the last byte and never repeat", async () => {
  const { exports, memory } = await loadKernel();
  exports.randomInit();
  const seen = new Set<string>();
  for (const size of [1, 8, 31, 32, 33, 64, 96, 97, 4096]) {
    for (let round = 0; round < 4; round++) {
      new Uint8Array(memory.buffer, OUT, size + 1).fill(0xee);
      exports.randomFill(OUT, size);
      const bytes = Buffer.from(memory.buffer, OUT, size).toString("hex");
      if (size >= 8) expect(seen.has(bytes)).toBe(false);
      seen.add(bytes);
      expect(new Uint8Array(memory.buffer)[OUT + size]).toBe(0xee);
    }
  }
  const ones = [...Buffer.from(memory.buffer, OUT, 4096)].reduce((sum, byte) => sum + byte.toString(2).replaceAll("0", "").length, 0);
  expect(Math.abs(ones - 4096 * 4)).toBeLessThan(600); // half of the bits, six standard deviations
});
