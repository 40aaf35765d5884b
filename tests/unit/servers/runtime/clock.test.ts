/** A server's clocks: with the capability it was given, and none without. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const CALL = { NOTIFICATION_TIMER: 0x1023, TIME_NOW: 0x1024, CLOCK_NOW: 0x1025, CLOCK_SET: 0x1026 } as const;
const TIME = 7n;
const [EBADF, EACCES] = [-9n, -13n];

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Exports = Record<string, (...args: any[]) => any>;

/** The runtime on a kernel that has one TIME capability, to read only; each call made is kept. */
function runtime(calls: bigint[][] = []): Exports {
  const module = new WebAssembly.Module(readFileSync(join(process.cwd(), "build/servers/runtime-test.wasm")));
  const kernel = (nr: number, args: bigint[]): bigint => {
    calls.push([BigInt(nr), ...args]);
    const time = nr === CALL.NOTIFICATION_TIMER ? args[4] : args[0];
    if (time !== TIME) return EBADF;
    return nr === CALL.CLOCK_SET ? EACCES : nr === CALL.TIME_NOW ? 1000n : nr === CALL.CLOCK_NOW ? 2000n : 0n;
  };
  const known: Record<string, (...args: never[]) => unknown> = { server_call: (nr: number, ...args: bigint[]) => kernel(nr, args) };
  const names = WebAssembly.Module.imports(module).map(({ name }) => name);
  const imports = Object.fromEntries(names.map((name) => [name, known[name] ?? ((): number => 0)])) as WebAssembly.ModuleImports;
  const { exports } = new WebAssembly.Instance(module, { x86_64: imports, env: imports });
  (exports as unknown as Exports)["_initialize"]!();
  return exports as unknown as Exports;
}

test("reads both clocks and sets timers with what it was given; who may not set the date hears so", () => {
  const calls: bigint[][] = [];
  const exports = runtime(calls);
  exports["timeTake"]!(7);
  expect([exports["timeNow"]!(), exports["clockNow"]!()]).toEqual([1000n, 2000n]);
  exports["timerSet"]!(3, 4n, 5n, 6n);
  expect(calls.at(-1)).toEqual([BigInt(CALL.NOTIFICATION_TIMER), 3n, 4n, 5n, 6n, TIME, 0n]);
  expect(exports["clockSet"]!(1n)).toBe(0);
});

test("a server without a clock ends where it asks for the time", () => {
  expect(() => runtime()["timeNow"]!()).toThrow(WebAssembly.RuntimeError);
  expect(() => runtime()["clockNow"]!()).toThrow(WebAssembly.RuntimeError);
  expect(() => runtime()["timerSet"]!(3, 4n, 5n, 6n)).toThrow(WebAssembly.RuntimeError);
});
