/** Fields of a protocol's requests and replies, and where they lie in memory: the same for kernel, servers and Node. */
import type { Protocol } from "../../kernel/abi/protocol/form.ts";

/** Of a window. */
export const WINDOW_BYTES = 65536;
/** Where a reply begins in it. */
export const REPLY_OFFSET = 8192;
/** Most bytes of a name. */
export const NAME_BYTES = 768;
/** Most fields of what travels in registers, most arguments of a service's operation, most capabilities of a message. */
export const WORDS = 4;

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

/** One part of "name: type, …"; `most` of an array's elements. */
export interface Part {
  name: string;
  type: string;
  most: number | undefined;
}

/** "name: type, …" in its parts. */
export function partsOf(protocol: Protocol, text: string): Part[] {
  return text.split(", ").filter((each) => each !== "").map((part) => {
    const [, name = "", type = "", most] = /^(\w+): (\w+)(?:\[(\d+)\])?$/.exec(part) ?? protocolFail(protocol, `"${part}" is no field`);
    return { name, type, most: most === undefined ? undefined : Number(most) };
  });
}

/** The rights with which a message carries a capability, by its type. */
export const CAP_RIGHTS: Readonly<Record<string, string>> = { memory: "CapRight.READ | CapRight.WRITE", bell: "CapRight.SIGNAL" };

/** Whether the kernel carries it: it has no place among the bytes. */
export function isCarried(part: Part): boolean { return part.type in CAP_RIGHTS; }

/** Offsets of "name: type, …" from `start`. Capabilities lie nowhere. */
export function layoutOf(protocol: Protocol, text: string, start: number): Layout {
  const fields: Field[] = [];
  let at = start;
  for (const { name, type, most } of partsOf(protocol, text).filter((part) => !isCarried(part))) {
    at = align(at, most === undefined ? alignOf(type) : 4);
    const field: Field = { name, type, offset: at };
    if (most === undefined) {
      at += bytesOf(protocol, type);
    } else {
      field.most = most;
      field.elements = align(at + 4, 8);
      at = field.elements + bytesOf(protocol, type) * most;
    }
    fields.push(field);
  }
  return { fields, bytes: align(at, 8) - start };
}

/** Layout of one structure. */
export function structOf(protocol: Protocol, name: string): Layout {
  return layoutOf(protocol, protocol.structs?.[name] ?? protocolFail(protocol, `it has no type ${name}`), 0);
}

/** Throws what is wrong with a schema. */
export function protocolFail(protocol: Protocol, problem: string): never {
  throw new Error(`kernel/abi/protocol/${protocol.name}.ts: ${problem}`);
}

function align(at: number, to: number): number {
  return Math.ceil(at / to) * to;
}

function alignOf(type: string): number {
  return type === "u32" || type === "name" ? 4 : 8;
}

function bytesOf(protocol: Protocol, type: string): number {
  if (type === "u32") return 4;
  if (type === "u64") return 8;
  return type === "name" ? 4 + NAME_BYTES : structOf(protocol, type).bytes;
}

/** deviceBlock -> DEVICE_BLOCK. */
export function constantName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

export function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
