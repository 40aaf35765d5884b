/** kernel/abi/NAME.gen.ts: numbers of methods and offsets of fields, for kernel and servers. */
import type { Protocol } from "../../kernel/abi/protocol/form.ts";
import { capital, constantName, layoutOf, NAME_BYTES, protocolFail, REPLY_OFFSET, structOf, WINDOW_BYTES, type Field } from "./layout.ts";
import { headOf, methodEnum } from "./text.ts";

type Constant = readonly [name: string, value: number];

/** Text of the file. */
export function protocolConstants(protocol: Protocol): string {
  const ids = protocol.methods.map(({ id, name }): Constant => [constantName(name), id]);
  const isWindow = protocol.travel === "window";
  return [
    headOf(protocol, isWindow ? "Where the fields of calls lie in the window; R_ fields are the reply's." : "Numbers of the methods."),
    enumOf(methodEnum(protocol), ids),
    ...(isWindow ? windowConstants(protocol) : []),
  ].join("");
}

function windowConstants(protocol: Protocol): string[] {
  const upper = constantName(protocol.prefix.toLowerCase());
  const numbers = { WINDOW_BYTES, REPLY_OFFSET, NAME_BYTES };
  const structs = Object.keys(protocol.structs ?? {}).map((name) => {
    const { fields, bytes } = structOf(protocol, name);
    return enumOf(protocol.prefix + capital(name), [...constantsOf(fields), ["BYTES", bytes]]);
  });
  const methods = protocol.methods.map(({ name, request, reply }) => {
    const asked = layoutOf(protocol, request, 0);
    const answered = layoutOf(protocol, reply, REPLY_OFFSET);
    if (asked.bytes > REPLY_OFFSET || answered.bytes > WINDOW_BYTES - REPLY_OFFSET) protocolFail(protocol, `${name} does not fit`);
    const ends: Constant[] = [["REQUEST_END", asked.bytes], ["REPLY_END", REPLY_OFFSET + answered.bytes]];
    return enumOf(protocol.prefix + capital(name), [...constantsOf(asked.fields), ...constantsOf(answered.fields, "R_"), ...ends]);
  });
  return [
    ...Object.entries(numbers).map(([name, value]) => `export const ${upper}_${name}: u32 = ${value};\n`),
    "\n// ---- Structures ----\n\n", ...structs, "\n// ---- Methods ----\n\n", ...methods,
  ];
}

function enumOf(name: string, constants: readonly Constant[]): string {
  return `export const enum ${name} { ${constants.map(([key, value]) => `${key} = ${value}`).join(", ")} }\n`;
}

/** An array has its count at its name, its elements at _AT, and at most _MOST of them. */
function constantsOf(fields: readonly Field[], prefix = ""): Constant[] {
  return fields.flatMap(({ name, offset, most, elements }): Constant[] => {
    const constant = prefix + constantName(name);
    if (most === undefined || elements === undefined) return [[constant, offset]];
    return [[constant, offset], [`${constant}_AT`, elements], [`${constant}_MOST`, most]];
  });
}
