/**
 * Node's stub of the file-system protocol: requests and replies in a window, by the layout that kernel and servers are compiled with.
 *
 *   const stub = new FileSystemStub(bytes, (method, mount, flags) => server.exports.answer(method, mount, flags));
 *   const { status, reply } = stub.call("lookup", 0, { dir: root, name: utf8("a") });
 */
import { FILE_SYSTEM } from "../../../kernel/abi/protocol/file-system.ts";
import { layoutOf, NAME_BYTES, REPLY_OFFSET, structOf, type Field, type Layout } from "../../../toolchain/protocol/layout.ts";
import type { FileSystemCalls } from "./file-system.gen.ts";

export type MethodName = keyof FileSystemCalls;
export type Request<M extends MethodName> = FileSystemCalls[M]["request"];
export type Reply<M extends MethodName> = FileSystemCalls[M]["reply"];

export interface Answer<M extends MethodName> {
  /** 0 or a negated errno. */
  status: number;
  /** The reply's fields; meaningful when status is 0. */
  reply: Reply<M>;
}

interface Codec {
  id: number;
  request: Layout;
  reply: Layout;
}
const CODECS = new Map<string, Codec>(FILE_SYSTEM.methods.map(({ id, name, request, reply }) => [
  name, { id, request: layoutOf(FILE_SYSTEM, request, 0), reply: layoutOf(FILE_SYSTEM, reply, REPLY_OFFSET) },
]));
const STRUCTS = new Map<string, Layout>();

export function utf8(text: string): Uint8Array { return new TextEncoder().encode(text); }
export function text(bytes: Uint8Array): string { return new TextDecoder().decode(bytes); }
export function methodId(name: MethodName): number { return codecOf(name).id; }

export class FileSystemStub {
  /** Calls made, by method. */
  readonly counts: Map<string, number> = new Map<string, number>();

  /** `window`: a view of it, made anew for each call. `answer`: the server's side. */
  constructor(private readonly window: () => DataView, private readonly answer: (method: number, mount: bigint, flags: bigint) => number) {}

  call<M extends MethodName>(method: M, mount: number, request: Request<M>, flags = 0n): Answer<M> {
    const codec = codecOf(method);
    this.counts.set(method, (this.counts.get(method) ?? 0) + 1);
    encode(this.window(), 0, codec.request.fields, request as Values);
    const status = this.answer(codec.id, BigInt(mount), flags);
    const reply = status === 0 ? decode(this.window(), 0, codec.reply.fields) : {};
    return { status, reply: reply as Reply<M> };
  }
}

type Values = Record<string, unknown>;

function codecOf(name: string): Codec {
  const codec = CODECS.get(name);
  if (!codec) throw new Error(`the protocol has no method ${name}`);
  return codec;
}

function layoutOfStruct(name: string): Layout {
  let layout = STRUCTS.get(name);
  if (!layout) STRUCTS.set(name, layout = structOf(FILE_SYSTEM, name));
  return layout;
}

/** Fields whose offsets count from `base`. */
export function encode(view: DataView, base: number, fields: readonly Field[], values: Values): void {
  for (const field of fields) {
    const value = values[field.name];
    const at = base + field.offset;
    if (field.most === undefined) encodeOne(view, at, field.type, value);
    else {
      const elements = value as unknown[];
      view.setUint32(at, elements.length, true);
      elements.slice(0, field.most).forEach((each, i) => encodeOne(view, base + field.elements! + i * layoutOfStruct(field.type).bytes, field.type, each));
    }
  }
}

function encodeOne(view: DataView, at: number, type: string, value: unknown): void {
  if (type === "u32") view.setUint32(at, value as number, true);
  else if (type === "u64") view.setBigUint64(at, value as bigint, true);
  else if (type === "name") {
    const bytes = value as Uint8Array;
    view.setUint32(at, bytes.length, true);
    new Uint8Array(view.buffer, view.byteOffset + at + 4, NAME_BYTES).set(bytes.subarray(0, NAME_BYTES));
  } else encode(view, at, layoutOfStruct(type).fields, value as Values);
}

export function decode(view: DataView, base: number, fields: readonly Field[]): Values {
  const values: Values = {};
  for (const field of fields) {
    const at = base + field.offset;
    if (field.most === undefined) values[field.name] = decodeOne(view, at, field.type);
    else {
      const count = view.getUint32(at, true);
      if (count > field.most) throw new Error(`${count} elements in ${field.name}, which holds ${field.most}`);
      const bytes = layoutOfStruct(field.type).bytes;
      values[field.name] = Array.from({ length: count }, (_, i) => decodeOne(view, base + field.elements! + i * bytes, field.type));
    }
  }
  return values;
}

function decodeOne(view: DataView, at: number, type: string): unknown {
  if (type === "u32") return view.getUint32(at, true);
  if (type === "u64") return view.getBigUint64(at, true);
  if (type !== "name") return decode(view, at, layoutOfStruct(type).fields);
  const length = view.getUint32(at, true);
  if (length > NAME_BYTES) throw new Error(`a name of ${length} bytes`);
  return new Uint8Array(view.buffer, view.byteOffset + at + 4, length).slice();
}

/** Lays a reply out as a server would: for tests of the kernel's side. */
export function replyEncode<M extends MethodName>(view: DataView, method: M, reply: Reply<M>): void {
  encode(view, 0, codecOf(method).reply.fields, reply as Values);
}

/** What the kernel asked. */
export function requestDecode<M extends MethodName>(view: DataView, method: M): Request<M> {
  return decode(view, 0, codecOf(method).request.fields) as Request<M>;
}
