/** The gates: what they let through and what they stop. */
import { countRaw } from "../../../toolchain/gates/fence.ts";
import { importCycles, mayImport } from "../../../toolchain/gates/imports.ts";
import { allLines, codeLines } from "../../../toolchain/gates/line-budget.ts";
import { declaredIntrinsics } from "../../../toolchain/gates/wat.ts";

test("imports go down, never up", () => {
  expect(mayImport("kernel/core/mm/frame.ts", "kernel/lib/list.ts")).toBe(true);
  expect(mayImport("kernel/core/mm/frame.ts", "kernel/core/sched/task.ts")).toBe(true);
  expect(mayImport("kernel/main.ts", "kernel/services/vfs/vfs.ts")).toBe(true);
  expect(mayImport("kernel/core/mm/frame.ts", "kernel/services/vfs/vfs.ts")).toBe(false);
  expect(mayImport("arch/x86_64/trap.ts", "kernel/lib/log.ts")).toBe(false);
  expect(mayImport("kernel/services/vfs/vfs.ts", "kernel/main.ts")).toBe(false);
});

test("a server sees the contract and the runtime only", () => {
  expect(mayImport("servers/drivers/ahci.ts", "kernel/abi/errno.ts")).toBe(true);
  expect(mayImport("servers/supervisor/main.ts", "servers/supervisor/policy.ts")).toBe(true);
  expect(mayImport("servers/supervisor/main.ts", "kernel/core/mm/frame.ts")).toBe(false);
  expect(mayImport("servers/supervisor/main.ts", "servers/display/main.ts")).toBe(false);
});

test("a circle of imports is named once, as a path", () => {
  const graph = new Map([["a", ["b"]], ["b", ["c", "d"]], ["c", ["a"]], ["d", []], ["e", ["e"]]]);
  expect(importCycles(graph)).toEqual([["a", "b", "c", "a"], ["e", "e"]]);
  expect(importCycles(new Map([["a", ["b", "c"]], ["b", ["c"]], ["c", []]]))).toEqual([]);
});

test("raw access is counted, static storage and reasons are not", () => {
  expect(countRaw("load<u32>(p); store<u8>(p, 1); memory.copy(a, b, c);").raw).toBe(3);
  expect(countRaw("atomic.load<u32>(p); reload<u32>(p); memory.data(8); // load<u32>(p)").raw).toBe(0);
  expect(countRaw("const X = changetype<T>(memory.data(8)); changetype<usize>(x);").changetype).toBe(0);
  expect(countRaw("changetype<T>(p);\n// SAFETY: allocated here\nchangetype<T>(p);").changetype).toBe(1);
});

test("blank lines and comments are no code", () => {
  expect(codeLines("/* a\n b */\n\nint x; // y\n  # gas comment\n#define Z 1\n")).toBe(2);
});

test("the stricter count has every line, as wc -l", () => {
  expect(allLines("/* a\n b */\n\nint x; // y\n  # gas comment\n#define Z 1\n")).toBe(6);
  expect(allLines("int x;\nint y;")).toBe(2);
});

test("declared intrinsics are read from their file", () => {
  const source = `@external("x86_64", "in8") export declare function in8(port: u32): u32;`;
  expect([...declaredIntrinsics(source)]).toEqual(["in8"]);
});
