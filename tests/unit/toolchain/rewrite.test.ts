/** The rewriter: what it keeps, what it refuses. */
import { execFileSync } from "node:child_process";
import { BuildError } from "../../../toolchain/messages.ts";
import { demangle, rewriteWasm2c, sourceName } from "../../../toolchain/steps/rewrite.ts";
import { assemble, wasm2c } from "./support/assemble.ts";

const MODULE = `(module
  (import "x86_64" "out8" (func $out8 (param i32 i32)))
  (type $unary (func (param i32) (result i32)))
  (memory 1)
  (global $kernel/core/mm/frame/count (mut i32) (i32.const 7))
  (table 3 3 funcref)
  (elem (i32.const 1) $kernel/core/mm/frame/double $kernel/lib/list/SpinLock#next_)
  (func $kernel/core/mm/frame/double (param i32) (result i32) (i32.add (local.get 0) (global.get 0)))
  (func $kernel/lib/list/SpinLock#next_ (param i32) (result i32) (call_indirect (type $unary) (local.get 0) (i32.const 1)))
  (func $kernel/main/kernelMain (param i32 i64) (call $out8 (local.get 0) (call $kernel/core/mm/frame/double (i32.load (local.get 0)))))
  (export "kernelMain" (func $kernel/main/kernelMain)))`;

function rewritten(): ReturnType<typeof rewriteWasm2c> {
  return rewriteWasm2c(wasm2c(assemble("rewrite", MODULE)));
}

test("functions lose the instance and gain readable names", () => {
  const { code, names } = rewritten();
  expect(code).toContain("static u32 ts_double(u32 var_p0) {");
  expect(code).toContain("x86_64_out8(var_i0, var_i1);");
  expect(code).toContain("i32_load_default32((u64)(var_i1))");
  expect(code).not.toMatch(/w2c_|instance/);
  expect(names.get("ts_double")).toBe("kernel/core/mm/frame.ts:double");
  expect(names.get("ts_SpinLock_next_")).toBe("kernel/lib/list.ts:SpinLock#next_");
  expect(names.get("kernel_kernelMain")).toBe("kernel/main.ts:kernelMain");
});

test("globals, the function table and exports are plain C", () => {
  const { code, intrinsics, addressTaken } = rewritten();
  expect(code).toContain("static u32 g_kernel_core_mm_frame_count = 7u;");
  expect(code).toMatch(/\[1\] = \{\d, \(void \(\*\)\(void\)\)ts_double\},/);
  expect(code).toContain("void kernel_kernelMain(u32 var_p0, u64 var_p1) { ts_kernelMain(var_p0, var_p1); }");
  expect(code).toMatch(/CALL_INDIRECT\(u32 \(\*\)\(u32\), \du, var_i1, var_i0\)/);
  expect(intrinsics).toEqual(["out8"]);
  expect(addressTaken).toEqual(["ts_double", "ts_SpinLock_next_"]);
});

test("an operation that native.h does not define stops the build", () => {
  const text = wasm2c(assemble("rewrite", MODULE)).replaceAll("i32_load_default32(&instance", "i32_frob(&instance");
  expect(() => rewriteWasm2c(text)).toThrow(/operation i32_frob \(in kernel\/main\.ts:kernelMain\)/);
});

test("another prelude stops the build", () => {
  const text = wasm2c(assemble("rewrite", MODULE)).replace("#define UNLIKELY", "#define UNLIKELY2")
    .replace("static inline void load_data", "static void load_data");
  expect(() => rewriteWasm2c(text)).toThrow(BuildError);
});

test("an unknown item between the functions stops the build", () => {
  const text = wasm2c(assemble("rewrite", MODULE)).replace("static void init_globals(", "static int surprise;\nstatic void init_globals(");
  expect(() => rewriteWasm2c(text)).toThrow(/unknown item "static int surprise;"/);
});

test("floating point is refused by function name", () => {
  const module = `(module (func $kernel/lib/math/half (export "half") (param f64) (result f64) (f64.mul (local.get 0) (f64.const 0.5))))`;
  expect(() => rewriteWasm2c(wasm2c(assemble("floating", module)))).toThrow(/kernel\/lib\/math\.ts:half uses floating point/);
});

test("mangled names come back", () => {
  expect(demangle("kernel0x2Flib0x2Flist0x2Ffoo__bar")).toBe("kernel/lib/list/foo_bar");
  expect(sourceName("kernel/lib/list/ownerOf<kernel/core/mm/frame/Frame>")).toBe("kernel/lib/list.ts:ownerOf<Frame>");
});

test("every operation in the list is defined by native.h", async () => {
  const { OPERATIONS } = await import("../../../toolchain/steps/operations.ts");
  const expanded = execFileSync("gcc", ["-E", "-dD", "-w", "arch/x86_64/native.h"], { encoding: "utf8" });
  const definitions = expanded.matchAll(/(?:^#define |static inline __attribute__\(\(.*?\)\) \w+ )(\w+)/gm);
  const defined = new Set(Array.from(definitions, ([, name]) => name!));
  expect([...OPERATIONS].filter((name) => !defined.has(name))).toEqual([]);
});
