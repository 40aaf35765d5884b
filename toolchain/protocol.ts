/**
 * Protocols given as data: kernel/abi/protocol/file-system.ts becomes constants that kernel and server compile, and the types of
 * Node's stub (tests/unit/support/protocol.ts, which encodes and decodes by the same layout).
 */
import { FS_METHODS, FS_STRUCTS } from "../kernel/abi/protocol/file-system.ts";

export const FILE_SYSTEM_LAYOUT = "kernel/abi/file-system.gen.ts";
export const FILE_SYSTEM_TYPES = "tests/unit/support/file-system.gen.ts";
const WINDOW_BYTES = 65536;
export const REPLY_OFFSET = 8192;
export const NAME_BYTES = 768;

export interface Field {
  name: string;
  type: string;
  /** Of the field; of an array's count. */
  offset: number;
  /** Arrays: the most elements, and where they begin. */
  most?: number;
  elements?: number;
}

export interface Layout {
  fields: Field[];
  /** From the start to the end of the last field. */
  bytes: number;
}

/** Offsets of "name: type, …" from `start`. */
export function layoutOf(text: string, start: number): Layout {
  const fields: Field[] = [];
  let at = start;
  for (const part of text.split(", ").filter((each) => each !== "")) {
    const [, name = "", type = "", count] = /^(\w+): (\w+)(?:\[(\d+)\])?$/.exec(part) ?? fail(part);
    at = align(at, count === undefined ? alignOf(type) : 4);
    const field: Field = { name, type, offset: at };
    if (count === undefined) {
      at += bytesOf(type);
    } else {
      field.most = Number(count);
      field.elements = align(at + 4, 8);
      at = field.elements + bytesOf(type) * field.most;
    }
    fields.push(field);
  }
  return { fields, bytes: align(at, 8) - start };
}

/** Layout of one structure. */
export function structOf(name: string): Layout {
  return layoutOf(FS_STRUCTS[name] ?? fail(name), 0);
}

function fail(part: string): never {
  throw new Error(`kernel/abi/protocol/file-system.ts: "${part}" is no field`);
}

function align(at: number, to: number): number {
  return Math.ceil(at / to) * to;
}

function alignOf(type: string): number {
  return type === "u32" || type === "name" ? 4 : 8;
}

function bytesOf(type: string): number {
  if (type === "u32") return 4;
  if (type === "u64") return 8;
  if (type === "name") return 4 + NAME_BYTES;
  return structOf(type).bytes;
}

// ---- Constants ----

type Constant = readonly [name: string, value: number];

function enumOf(name: string, constants: readonly Constant[]): string {
  return `export const enum ${name} { ${constants.map(([key, value]) => `${key} = ${value}`).join(", ")} }\n`;
}

/** deviceBlock -> DEVICE_BLOCK; an array has its count there, its elements at _AT, and at most _MOST of them. */
function constantsOf(fields: readonly Field[], prefix = ""): Constant[] {
  return fields.flatMap(({ name, offset, most, elements }): Constant[] => {
    const constant = prefix + name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
    if (most === undefined || elements === undefined) return [[constant, offset]];
    return [[constant, offset], [`${constant}_AT`, elements], [`${constant}_MOST`, most]];
  });
}

/** Text of FILE_SYSTEM_LAYOUT. */
export function fileSystemLayout(): string {
  const structs = Object.keys(FS_STRUCTS).map((name) => {
    const { fields, bytes } = structOf(name);
    return enumOf(`Fs${capital(name)}`, [...constantsOf(fields), ["BYTES", bytes]]);
  });
  const methods = FS_METHODS.map(({ name, request, reply }) => {
    const asked = layoutOf(request, 0);
    const answered = layoutOf(reply, REPLY_OFFSET);
    if (asked.bytes > REPLY_OFFSET || answered.bytes > WINDOW_BYTES - REPLY_OFFSET) fail(name);
    const ends: Constant[] = [["REQUEST_END", asked.bytes], ["REPLY_END", REPLY_OFFSET + answered.bytes]];
    return enumOf(`Fs${capital(name)}`, [...constantsOf(asked.fields), ...constantsOf(answered.fields, "R_"), ...ends]);
  });
  const ids = FS_METHODS.map(({ id, name }): Constant => [name.toUpperCase(), id]);
  const numbers = { FS_WINDOW_BYTES: WINDOW_BYTES, FS_REPLY_OFFSET: REPLY_OFFSET, FS_NAME_BYTES: NAME_BYTES };
  return [
    "/**\n * Where the fields of file-system calls lie in the window; R_ fields are the reply's. Strings and arrays: protocol/file-system.ts.\n *\n",
    " * Generated from kernel/abi/protocol/file-system.ts by toolchain/protocol.ts; do not edit.\n */\n",
    enumOf("FsMethod", ids), ...Object.entries(numbers).map(([name, value]) => `export const ${name}: u32 = ${value};\n`),
    "\n// ---- Structures ----\n\n", ...structs, "\n// ---- Methods ----\n\n", ...methods,
  ].join("");
}

// ---- Types for Node ----

/** Text of FILE_SYSTEM_TYPES. */
export function fileSystemTypes(): string {
  const structs = Object.keys(FS_STRUCTS).map((name) => `export interface ${capital(name)} ${interfaceOf(structOf(name).fields)}\n`);
  const methods = FS_METHODS.map(({ name, request, reply }) => {
    const types = [layoutOf(request, 0), layoutOf(reply, 0)].map(({ fields }) => interfaceOf(fields));
    return `  ${name}: { request: ${types[0]}; reply: ${types[1]} };\n`;
  });
  return [
    "/** Requests and replies of the file-system protocol. Generated from kernel/abi/protocol/file-system.ts by toolchain/protocol.ts; do not edit. */\n",
    ...structs, "\nexport interface FileSystemCalls {\n", ...methods, "}\n",
  ].join("");
}

const NODE_TYPES: Readonly<Record<string, string>> = { u32: "number", u64: "bigint", name: "Uint8Array" };

function interfaceOf(fields: readonly Field[]): string {
  if (fields.length === 0) return "Record<string, never>";
  const members = fields.map(({ name, type, most }) => `${name}: ${NODE_TYPES[type] ?? capital(type)}${most === undefined ? "" : "[]"}`);
  return `{ ${members.join("; ")} }`;
}

function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
