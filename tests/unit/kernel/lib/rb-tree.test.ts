/** Red-black trees against a sorted list, with every invariant checked after every step. */
import fc from "fast-check";
import { loadKernel } from "../../support/kernel.ts";

const TREE = 0xc00000;
const NODES = TREE + 64;
const NODE_BYTES = 24;
const COUNT = 48;

test("any order of insertions and removals keeps order and balance", async () => {
  const { exports: k, memory } = await loadKernel();
  const view = new DataView(memory.buffer);
  const u32 = (at: number): number => view.getUint32(at, true);
  const at = (i: number): number => NODES + i * NODE_BYTES;

  /** Black height of the subtree; throws when an invariant is broken. */
  const check = (node: number, parent: number, inOrder: number[]): number => {
    if (node === 0) return 1;
    const isRed = u32(node + 20) !== 0;
    if (u32(node + 16) !== parent) throw new Error("parent link");
    if (isRed && parent !== 0 && u32(parent + 20) !== 0) throw new Error("red below red (R1)");
    const left = check(u32(node + 8), node, inOrder);
    inOrder.push((node - NODES) / NODE_BYTES);
    const right = check(u32(node + 12), node, inOrder);
    if (left !== right) throw new Error("black heights differ (R1)");
    return left + (isRed ? 0 : 1);
  };

  fc.assert(
    fc.property(fc.array(fc.record({ node: fc.nat(COUNT - 1), key: fc.nat(20) }), { maxLength: 300 }), (steps) => {
      k.rbInit(TREE);
      let model: { node: number; key: number }[] = [];
      for (const { node, key } of steps) {
        if (model.some((entry) => entry.node === node)) {
          k.rbRemove(TREE, at(node));
          model = model.filter((entry) => entry.node !== node);
        } else {
          view.setBigUint64(at(node), BigInt(key), true);
          k.rbInsert(TREE, at(node));
          const behind = model.findIndex((entry) => entry.key > key); // equals keep their order of arrival
          model.splice(behind < 0 ? model.length : behind, 0, { node, key });
        }
        const inOrder: number[] = [];
        check(u32(TREE), 0, inOrder);
        expect(inOrder).toEqual(model.map((entry) => entry.node));
        expect(u32(TREE + 4)).toBe(model.length ? at(model[0]!.node) : 0); // R2
        expect(u32(TREE + 8)).toBe(model.length);
      }
    }),
    { numRuns: 60 },
  );
});
