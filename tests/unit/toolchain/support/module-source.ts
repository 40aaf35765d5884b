/**
 * WebAssembly text for the translation tests: every integer operation alone, and random programs.
 *
 * Random expressions come from fast-check, so a failing case shrinks and its seed replays.
 */
import fc from "fast-check";

export type Type = "i32" | "i64";

const BINARY = [
  "add", "sub", "mul", "div_s", "div_u", "rem_s", "rem_u", "and", "or", "xor", "shl", "shr_s", "shr_u", "rotl", "rotr",
];
const COMPARE = ["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"];
const UNARY: Record<Type, string[]> = {
  i32: ["clz", "ctz", "popcnt", "extend8_s", "extend16_s"],
  i64: ["clz", "ctz", "popcnt", "extend8_s", "extend16_s", "extend32_s"],
};
const LOADS: Record<Type, [string, number][]> = {
  i32: [["load", 4], ["load8_s", 1], ["load8_u", 1], ["load16_s", 2], ["load16_u", 2]],
  i64: [["load", 8], ["load8_s", 1], ["load8_u", 1], ["load16_s", 2], ["load16_u", 2], ["load32_s", 4], ["load32_u", 4]],
};
const STORES: Record<Type, string[]> = { i32: ["store", "store8", "store16"], i64: ["store", "store8", "store16", "store32"] };
const RMW = ["add", "sub", "and", "or", "xor", "xchg"];
const RMW_WIDTHS: Record<Type, [string, string][]> = {
  i32: [["rmw", ""], ["rmw8", "_u"], ["rmw16", "_u"]],
  i64: [["rmw", ""], ["rmw8", "_u"], ["rmw16", "_u"], ["rmw32", "_u"]],
};
const ATOMIC_LOADS: Record<Type, string[]> = { i32: ["load", "load8_u", "load16_u"], i64: ["load", "load8_u", "load16_u", "load32_u"] };

/** (local.get n) as type: parameters are i64. */
function argument(type: Type, index: number): string {
  return type === "i64" ? `(local.get ${index})` : `(i32.wrap_i64 (local.get ${index}))`;
}

function widen(type: Type, expression: string): string {
  return type === "i64" ? expression : `(i64.extend_i32_u ${expression})`;
}

/** Effective addresses stay inside the 64 KiB of memory. */
function address(expression: string): string {
  return `(i32.and ${expression} (i32.const 0x7ff8))`;
}

/** An address of any alignment, for the atomics' alignment trap. */
function rawAddress(expression: string): string {
  return `(i32.and ${expression} (i32.const 0x7fff))`;
}

/** One exported function for each operation: name -> body. */
export function singleOperations(): Map<string, string> {
  const bodies = new Map<string, string>();
  for (const type of ["i32", "i64"] as const) {
    const [a, b] = [argument(type, 0), argument(type, 1)];
    for (const op of BINARY) bodies.set(`${type}_${op}`, widen(type, `(${type}.${op} ${a} ${b})`));
    for (const op of COMPARE) bodies.set(`${type}_${op}`, widen("i32", `(${type}.${op} ${a} ${b})`));
    for (const op of [...UNARY[type]]) bodies.set(`${type}_${op}`, widen(type, `(${type}.${op} ${a})`));
    bodies.set(`${type}_eqz`, widen("i32", `(${type}.eqz ${a})`));
    addMemoryOperations(type, bodies);
  }
  bodies.set("wrap", "(i64.extend_i32_u (i32.wrap_i64 (local.get 0)))");
  bodies.set("extend_s", "(i64.extend_i32_s (i32.wrap_i64 (local.get 0)))");
  bodies.set("trap", "(if (result i64) (i64.eqz (local.get 0)) (then (unreachable)) (else (local.get 0)))");
  bodies.set("indirect", `(call_indirect (type $binary) (local.get 1) (local.get 2) ${argument("i32", 0)})`);
  bodies.set("imported", `(i64.extend_i32_u (call $in8 ${argument("i32", 0)}))`);
  bodies.set("fill", `(memory.fill ${address(argument("i32", 0))} ${argument("i32", 1)} ${address(argument("i32", 2))}) (i64.const 0)`);
  bodies.set("copy", `(memory.copy ${address(argument("i32", 0))} ${address(argument("i32", 1))} ${address(argument("i32", 2))}) (i64.const 0)`);
  bodies.set("table_switch", SWITCH);
  bodies.set("loop", LOOP);
  return bodies;
}

function addMemoryOperations(type: Type, bodies: Map<string, string>): void {
  const at = address(argument("i32", 0));
  const raw = rawAddress(argument("i32", 0));
  const [value, other] = [argument(type, 1), argument(type, 2)];
  for (const [op] of LOADS[type]) bodies.set(`${type}_${op}`, widen(type, `(${type}.${op} offset=3 ${raw})`));
  for (const op of STORES[type]) bodies.set(`${type}_${op}`, `(${type}.${op} offset=5 ${raw} ${value}) (i64.load ${at})`);
  for (const op of ATOMIC_LOADS[type]) bodies.set(`${type}_atomic_${op}`, widen(type, `(${type}.atomic.${op} ${raw})`));
  for (const op of STORES[type]) bodies.set(`${type}_atomic_${op}`, `(${type}.atomic.${op} ${raw} ${value}) (i64.load ${at})`);
  for (const [width, suffix] of RMW_WIDTHS[type]) {
    for (const op of RMW) {
      bodies.set(`${type}_${width}_${op}`, widen(type, `(${type}.atomic.${width}.${op}${suffix} ${raw} ${value})`));
    }
    const cmpxchg = `${type}.atomic.${width}.cmpxchg${suffix}`;
    bodies.set(`${type}_${width}_cmpxchg`, widen(type, `(${cmpxchg} ${raw} ${value} ${other})`));
    const found = `(${type}.${LOADS[type].find(([name]) => name === cellLoad(width))?.[0] ?? "load"} ${at})`;
    bodies.set(`${type}_${width}_cmpxchg_hit`, widen(type, `(${cmpxchg} ${at} ${found} ${other})`));
  }
}

function cellLoad(width: string): string {
  return width === "rmw" ? "load" : `load${width.slice(3)}_u`;
}

const SWITCH = `
  (block $default (block $two (block $one (block $zero
    (br_table $zero $one $two $default (i32.wrap_i64 (local.get 0))))
    (return (i64.const 10)))
    (return (i64.add (local.get 1) (i64.const 11))))
    (return (i64.const 12)))
  (i64.const 13)`;

const LOOP = `
  (local $sum i64) (local $i i64)
  (local.set $i (i64.and (local.get 0) (i64.const 255)))
  (block $out (loop $again
    (br_if $out (i64.eqz (local.get $i)))
    (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 31)) (i64.xor (local.get $i) (local.get 1))))
    (local.set $i (i64.sub (local.get $i) (i64.const 1)))
    (br $again)))
  (local.get $sum)`;

// ---- Random programs ----

interface Expressions {
  i32: string;
  i64: string;
}

/** Expressions over the parameters, two locals, memory and the other random functions' table. */
function expressions(): fc.LetrecValue<Expressions> {
  return fc.letrec<Expressions>((tie: fc.LetrecTypedTie<Expressions>) => {
    const of = (type: Type): fc.Arbitrary<string> => {
      const self = tie(type);
      const word = tie("i32");
      const other: Type = type === "i32" ? "i64" : "i32";
      return fc.oneof(
        { depthSize: "small", withCrossShrink: true },
        constant(type),
        fc.nat(4).map((index) => (index < 3 ? argument(type, index) : `(local.get $${type}_${index - 3})`)),
        fc.tuple(fc.constantFrom(...BINARY), self, self).map(([op, a, b]) => `(${type}.${op} ${a} ${b})`),
        fc.tuple(fc.constantFrom(...UNARY[type]), self).map(([op, a]) => `(${type}.${op} ${a})`),
        fc.tuple(fc.constantFrom(...COMPARE), tie(other), tie(other)).map(([op, a, b]) =>
          type === "i32" ? `(${other}.${op} ${a} ${b})` : `(i64.extend_i32_u (${other}.${op} ${a} ${b}))`),
        tie(other).map((a) => (type === "i32" ? `(i32.wrap_i64 ${a})` : `(i64.extend_i32_s ${a})`)),
        fc.tuple(self, self, word).map(([a, b, condition]) => `(select ${a} ${b} ${condition})`),
        fc.tuple(word, self, self).map(([condition, a, b]) =>
          `(if (result ${type}) ${condition} (then ${a}) (else ${b}))`),
        fc.tuple(fc.constantFrom(...LOADS[type].map(([op]) => op)), word).map(([op, at]) => `(${type}.${op} offset=9 ${address(at)})`),
        fc.tuple(fc.nat(1), self).map(([index, a]) => `(local.tee $${type}_${index} ${a})`),
        fc.tuple(fc.constantFrom(...STORES[type]), word, self, self).map(([op, at, a, b]) =>
          `(block (result ${type}) (${type}.${op} ${address(at)} ${a}) ${b})`),
        fc.tuple(word, tie("i64"), tie("i64")).map(([index, a, b]) => {
          const call = `(call_indirect (type $binary) ${a} ${b} (i32.and ${index} (i32.const 3)))`;
          return type === "i64" ? call : `(i32.wrap_i64 ${call})`;
        }),
      );
    };
    return { i32: of("i32"), i64: of("i64") };
  });
}

function constant(type: Type): fc.Arbitrary<string> {
  const value = type === "i32" ? fc.integer() : fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  return value.map((number) => `(${type}.const ${number})`);
}

/** Bodies of `count` random functions. */
export function randomBodies(count: number, seed: number): Map<string, string> {
  const locals = "(local $i32_0 i32) (local $i32_1 i32) (local $i64_0 i64) (local $i64_1 i64)";
  const bodies = fc.sample(expressions().i64, { numRuns: count, seed });
  return new Map(bodies.map((body, index) => [`random${index}`, `${locals} ${body}`]));
}

/** A module with the given exports, a table with a hole and a function of another type, and some data. */
export function moduleText(bodies: Map<string, string>): string {
  const functions = [...bodies].map(([name, body]) =>
    `(func (export "${name}") (param i64 i64 i64) (result i64) ${body})`);
  return `(module
    (import "x86_64" "in8" (func $in8 (param i32) (result i32)))
    (type $binary (func (param i64 i64) (result i64)))
    (memory (export "memory") 1 1)
    (global $calls (mut i32) (i32.const 7))
    (table 4 4 funcref)
    (elem (i32.const 1) $first $second $wrong)
    (data (i32.const 0x1000) "\\80\\ff\\7f\\00\\01limitless")
    (func $first (param i64 i64) (result i64)
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (i64.sub (local.get 0) (i64.extend_i32_u (global.get $calls))))
    (func $second (param i64 i64) (result i64) (i64.rotl (local.get 0) (local.get 1)))
    (func $wrong (param i32) (result i32) (local.get 0))
    ${functions.join("\n    ")})`;
}
