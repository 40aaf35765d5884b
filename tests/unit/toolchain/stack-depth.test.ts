/** Stack depth from a call graph written by hand. */
import { type CallGraph, Depths, readCallGraph } from "../../../toolchain/steps/stack-depth.ts";

function graphOf(frames: Record<string, number>, calls: Record<string, string[]>): CallGraph {
  return {
    frames: new Map(Object.entries(frames)),
    calls: new Map(Object.entries(calls).map(([name, targets]) => [name, new Set(targets)])),
  };
}

test("the deepest path counts", () => {
  const graph = graphOf({ a: 16, b: 100, c: 40, d: 80 }, { a: ["b", "c"], c: ["d"] });
  expect(new Depths(graph, () => undefined).of("a")).toEqual({ depth: 136, path: ["a", "c", "d"] });
});

test("a fault inside a user access costs one trap, not two", () => {
  const graph = graphOf(
    { kernel_syscallEntry: 100, kernel_trapEntry: 1000 },
    { kernel_syscallEntry: ["user_copy_native"], kernel_trapEntry: ["user_copy_native"] },
  );
  expect(new Depths(graph, () => undefined).of("kernel_syscallEntry").depth).toBe(100 + 56 + 192 + 1000 + 56);
});

test("recursion is reported unless its rounds are known", () => {
  const graph = graphOf({ a: 16, b: 10, c: 20 }, { a: ["b"], b: ["c"], c: ["b"] });
  const unknown = new Depths(graph, () => undefined);
  unknown.of("a");
  expect(unknown.unbounded).toEqual([["b", "c"]]);
  expect(new Depths(graph, (members) => (members.includes("b") ? 4 : undefined)).of("a").depth).toBe(16 + 4 * 30);
});

test("an indirect call reaches the functions of its type, or those that are known", () => {
  const code = [
    "  [1] = {5, (void (*)(void))ts_poll},", "  [2] = {5, (void (*)(void))ts_other},", "  [3] = {6, (void (*)(void))ts_far},",
    "static u32 ts_spin(u32 var_p0) {", "  var_i0 = CALL_INDIRECT(u32 (*)(u32), 5u, var_i0, var_i1);", "}",
  ].join("\n");
  const ci = [
    `node: { title: "k.c:ts_spin" label: "ts_spin\\nk.c:4:1\\n24 bytes (static)" }`,
    `edge: { sourcename: "k.c:ts_spin" targetname: "__indirect_call" label: "k.c:5:12" }`,
  ].join("\n");
  expect([...(readCallGraph(ci, code, new Map()).calls.get("ts_spin") ?? [])]).toEqual(["ts_poll", "ts_other"]);
  const known = new Map([["ts_spin", new Set(["ts_poll"])]]);
  expect([...(readCallGraph(ci, code, known).calls.get("ts_spin") ?? [])]).toEqual(["ts_poll"]);
});
