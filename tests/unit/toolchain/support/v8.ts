/** The same calls in V8, answered in the words of the native program. */
import { type Call, memoryHash, TRAPS } from "./host-program.ts";

const MESSAGES: readonly [RegExp, string][] = [
  [/unreachable/, "unreachable"],
  [/(?:divide|remainder) by zero/, "div by zero"],
  [/divide result unrepresentable/, "overflow"],
  [/table index is out of bounds|null function|signature mismatch/, "call_indirect"],
  [/unaligned/, "unaligned"],
];

export async function runV8(wasm: Uint8Array, calls: readonly Call[]): Promise<string[]> {
  const imports = { x86_64: { in8: (port: number) => (Math.imul(port, 3) + 1) | 0 } };
  const { instance } = await WebAssembly.instantiate(wasm as Uint8Array<ArrayBuffer>, imports);
  const exports = instance.exports as Record<string, CallableFunction>;
  const answers = calls.map(({ name, args }) => answer(() => exports[name]?.(...args) as bigint));
  const memory = instance.exports["memory"] as WebAssembly.Memory;
  return [...answers, memoryHash(new Uint8Array(memory.buffer))];
}

function answer(call: () => bigint): string {
  try {
    return BigInt.asUintN(64, call()).toString(16);
  } catch (error) {
    const name = MESSAGES.find(([pattern]) => pattern.test(String(error)))?.[1];
    if (name === undefined) throw error;
    return `trap ${TRAPS.indexOf(name)}`;
  }
}
