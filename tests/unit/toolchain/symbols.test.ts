/** The symbol blob, read back as the kernel reads it. */
import fc from "fast-check";
import { symbolTable, type TextSymbol } from "../../../toolchain/steps/symbols.ts";

/** The kernel's binary search, as the format's invariants state it. */
function lookUp(blob: Buffer, offset: number): string | undefined {
  expect(blob.readUInt32LE(0)).toBe(0x314d5953);
  const count = blob.readUInt32LE(4);
  let found = -1;
  for (let low = 0, high = count - 1; low <= high; ) {
    const middle = (low + high) >> 1;
    if (blob.readUInt32LE(8 + middle * 8) <= offset) {
      found = middle;
      low = middle + 1;
    } else {
      high = middle - 1;
    }
  }
  if (found < 0) return undefined;
  const at = 8 + count * 8 + blob.readUInt32LE(8 + found * 8 + 4);
  return blob.toString("latin1", at, blob.indexOf(0, at));
}

test("every address finds the symbol that starts at or before it", () => {
  const offsets = fc.uniqueArray(fc.nat(100_000), { minLength: 1, maxLength: 50 });
  fc.assert(fc.property(offsets, fc.nat(120_000), (starts, probe) => {
    const symbols: TextSymbol[] = starts.sort((a, b) => a - b)
      .map((offset, index) => ({ offset, name: `kernel/lib/f${index % 7}.ts:name${index % 7}` }));
    const expected = symbols.filter(({ offset }) => offset <= probe).at(-1)?.name;
    expect(lookUp(symbolTable(symbols), probe)).toBe(expected);
  }));
});

test("equal names are stored once", () => {
  const one = symbolTable([{ offset: 0, name: "same" }]).length;
  expect(symbolTable([{ offset: 0, name: "same" }, { offset: 9, name: "same" }]).length).toBe(one + 8);
});
