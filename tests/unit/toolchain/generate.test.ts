/** What is generated from the system call contract. */
import { argumentsOf, handlerName, handlersOf, traceKind } from "../../../toolchain/generate.ts";

test("a row's handler is found by name", () => {
  expect(handlerName("read")).toBe("sysRead");
  expect(handlerName("rt_sigaction")).toBe("sysRtSigaction");
  expect(handlerName("pread64")).toBe("sysPread64");
});

test("handlers are exported functions called sysXxx, with their own types", () => {
  const text = `
    export function sysRead(fd: i32, buf: u64, count: u64): i64 { return 0; }
    function sysHidden(): i64 { return 0; }
    export function systemStart(): void {}
    @inline export function sysSync(): void {}`;
  expect(handlersOf("kernel/x.ts", text)).toEqual([
    { name: "sysRead", file: "kernel/x.ts", parameters: ["i32", "u64", "u64"], result: "i64" },
    { name: "sysSync", file: "kernel/x.ts", parameters: [], result: "void" },
  ]);
});

test("argument lists are read as the contract writes them", () => {
  const row = { nr: 0, name: "read", args: "fd: fd, buf: out<u8[count]>, count: usize" };
  expect(argumentsOf(row)).toEqual([
    { name: "fd", kind: "fd" }, { name: "buf", kind: "out<u8[count]>" }, { name: "count", kind: "usize" },
  ]);
  expect(argumentsOf({ nr: 24, name: "sched_yield", args: "" })).toEqual([]);
  expect(argumentsOf(row).map(({ kind }) => traceKind(kind)).join("")).toBe("dxl");
});
