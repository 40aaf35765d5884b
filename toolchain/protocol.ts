/** Layout of protocols given as data: kernel/abi/protocol/file-system.ts becomes constants that both sides compile. */
import { FS_METHODS, FS_STRUCTS } from "../kernel/abi/protocol/file-system.ts";

export const FILE_SYSTEM_LAYOUT = "kernel/abi/file-system.gen.ts";
const WINDOW_BYTES = 65536;
const REPLY_OFFSET = 8192;
const NAME_BYTES = 768;

interface Field {
  /** In capitals, as a constant's name. */
  name: string;
  offset: number;
}

interface Layout {
  fields: Field[];
  bytes: number;
}

/** Offsets of "name: type, …" from `start`. An array's field is its count; NAME_AT is where its elements begin. */
export function layoutOf(text: string, start: number): Layout {
  const fields: Field[] = [];
  let at = start;
  for (const part of text.split(", ").filter((each) => each !== "")) {
    const [, name, type, count] = /^(\w+): (\w+)(?:\[(\d+)\])?$/.exec(part) ?? fail(part);
    const constant = (name as string).replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
    if (count === undefined) {
      at = align(at, alignOf(type as string));
      fields.push({ name: constant, offset: at });
      at += bytesOf(type as string);
    } else {
      at = align(at, 4);
      fields.push({ name: constant, offset: at });
      at = align(at + 4, 8);
      fields.push({ name: `${constant}_AT`, offset: at });
      at += bytesOf(type as string) * Number(count);
    }
  }
  return { fields, bytes: align(at, 8) - start };
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
  return layoutOf(FS_STRUCTS[type] ?? fail(type), 0).bytes;
}

function enumOf(name: string, fields: readonly Field[]): string {
  return `export const enum ${name} { ${fields.map((field) => `${field.name} = ${field.offset}`).join(", ")} }\n`;
}

/** Text of FILE_SYSTEM_LAYOUT. */
export function fileSystemLayout(): string {
  const structs = Object.entries(FS_STRUCTS).map(([name, text]) => {
    const { fields, bytes } = layoutOf(text, 0);
    return enumOf(`Fs${capital(name)}`, [...fields, { name: "BYTES", offset: bytes }]);
  });
  const methods = FS_METHODS.map(({ name, request, reply }) => {
    const asked = layoutOf(request, 0);
    const answered = layoutOf(reply, REPLY_OFFSET);
    if (asked.bytes > REPLY_OFFSET || answered.bytes > WINDOW_BYTES - REPLY_OFFSET) fail(name);
    const fields = [...asked.fields, ...answered.fields.map((field) => ({ ...field, name: `R_${field.name}` }))];
    return fields.length === 0 ? "" : enumOf(`Fs${capital(name)}`, fields);
  });
  const ids = FS_METHODS.map(({ id, name }) => ({ name: name.toUpperCase(), offset: id }));
  return [
    "/**\n * Where the fields of file-system calls lie in the window; R_ fields are the reply's. Strings and arrays: protocol/file-system.ts.\n *\n",
    " * Generated from kernel/abi/protocol/file-system.ts by toolchain/protocol.ts; do not edit.\n */\n",
    enumOf("FsMethod", ids), `export const FS_REPLY_OFFSET: u32 = ${REPLY_OFFSET};\n`, `export const FS_NAME_BYTES: u32 = ${NAME_BYTES};\n\n`,
    "// ---- Structures ----\n\n", ...structs, "\n// ---- Methods ----\n\n", ...methods,
  ].join("");
}

function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
