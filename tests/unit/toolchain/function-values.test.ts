/** Function values are followed from where they are stored to where they are called. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { BUILD, ROOT } from "../../../toolchain/paths.ts";
import { FunctionValues } from "../../../toolchain/steps/function-values.ts";

const SOURCE = `
type i32 = number;
class Ops { read: (a: i32) => i32; write: (a: i32) => i32; }
declare const ops: Ops;
declare function castOf(a: i32): (a: i32) => i32;
function readFast(a: i32): i32 { return a; }
function readSlow(a: i32): i32 { return a + 1; }
function writeAny(a: i32): i32 { return a + 2; }
function install(read: (a: i32) => i32): void { ops.read = read; }
function init(fast: boolean): void {
  install(readFast);
  if (!fast) install(readSlow);
  ops.write = writeAny;
}
function callsRead(): i32 { return ops.read(1); }
function callsThroughVariable(): i32 { const f = ops.write; return f(2); }
function callsUnknown(): i32 { const f = castOf(3); return f(2); }
`;

function targetsIn(source: string): Map<string, string[] | undefined> {
  const folder = join(BUILD, "translation");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "function-values.ts");
  writeFileSync(path, source);
  const prefix = `${relative(ROOT, path)}:`;
  return new Map([...new FunctionValues([path]).targets()].map(([caller, reached]) =>
    [caller.replace(prefix, ""), reached && [...reached].map((name) => name.replace(prefix, "")).sort()]));
}

test("fields, parameters and variables carry functions; a cast carries anything", () => {
  const targets = targetsIn(SOURCE);
  expect(targets.get("callsRead")).toEqual(["readFast", "readSlow"]);
  expect(targets.get("callsThroughVariable")).toEqual(["writeAny"]);
  expect(targets.has("callsUnknown")).toBe(true);
  expect(targets.get("callsUnknown")).toBeUndefined();
});
