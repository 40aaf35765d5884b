/**
 * Node's stubs of protocols (kernel/abi/protocol): requests and replies by name instead of labels and words.
 *
 *   yield template.call("add", { a: 40n, b: 2n })               a scenario's call (server.ts); then, of the answer that came:
 *   template.answer("add", answer) -> { status: 0, reply: { sum: 42n } }
 *   callees: { template: template.serve({ add: ({ a, b }) => ({ sum: a + b }), count: () => -5 }) }
 *
 * A handler answers with the reply's fields, or with a negated errno; what has no handler is answered with ENOSYS.
 */
import type { Protocol, ProtocolMethod } from "../../../kernel/abi/protocol/form.ts";
import { isCarried, layoutOf, partsOf, WORDS, type Part } from "../../../toolchain/protocol/layout.ts";
import { decode, encode } from "./protocol.ts";
import type { Answer, Callee, Port, Wake } from "./server.ts";

/** What the generated types describe. */
export type Calls<T> = { [M in keyof T]: { request: object; reply: object } };
export type Handlers<T extends Calls<T>> = { readonly [M in keyof T]?: (request: T[M]["request"]) => T[M]["reply"] | number };
type Values = Record<string, bigint | number>;
type Fields = Record<string, unknown>;
const ENOSYS = -38;

function methodNamed(protocol: Protocol, name: PropertyKey): ProtocolMethod {
  const method = protocol.methods.find((each) => each.name === name);
  if (!method) throw new Error(`${protocol.name} has no method ${String(name)}`);
  return method;
}

/** Words of the fields, as many as travel. */
function wordsOf(parts: readonly Part[], values: Values): bigint[] {
  return Array.from({ length: WORDS }, (_, i) => BigInt(parts[i] ? values[parts[i].name]! : 0));
}

function valuesOf(parts: readonly Part[], words: readonly bigint[]): Values {
  return Object.fromEntries(parts.map(({ name, type }, i) => [name, type === "u64" || type === "va" ? words[i]! : Number(words[i])]));
}

/** Answers a call by its number: fields, or a negated errno. */
function handled<T extends Calls<T>>(protocol: Protocol, handlers: Handlers<T>, id: number, words: readonly bigint[]): { method?: ProtocolMethod; result: Values | number } {
  const method = protocol.methods.find((each) => each.id === id);
  const handler = method && handlers[method.name as keyof T];
  if (!handler) return { result: ENOSYS };
  return { method, result: handler(valuesOf(partsOf(protocol, method.request), words)) as Values | number };
}

/** A protocol that travels in registers. */
export class RegisterStub<T extends Calls<T>> {
  constructor(readonly protocol: Protocol) {}

  /** The call, for a scenario to yield. */
  call<M extends keyof T>(method: M, request: T[M]["request"], badge = 0n): Wake {
    const { id, request: fields } = methodNamed(this.protocol, method);
    return { label: id, badge, words: wordsOf(partsOf(this.protocol, fields), request as Values) };
  }

  /** What came of it; the reply means something when status is 0. */
  answer<M extends keyof T>(method: M, answer: Answer | undefined): { status: number; reply: T[M]["reply"] } {
    if (!answer) throw new Error(`${String(method)} is not answered`);
    const parts = partsOf(this.protocol, methodNamed(this.protocol, method).reply);
    return { status: answer.label, reply: valuesOf(parts, answer.words) as T[M]["reply"] };
  }

  /** The test as the server. */
  serve(handlers: Handlers<T>): Callee {
    return (label, words) => {
      const { method, result } = handled(this.protocol, handlers, label, words);
      if (!method || typeof result === "number") return { label: typeof result === "number" ? result : 0, words: [] };
      return { label: 0, words: wordsOf(partsOf(this.protocol, method.reply), result) };
    };
  }
}

/** Operations of a port of the kernel, which the test plays. */
export class ServiceStub<T extends Calls<T>> {
  constructor(readonly protocol: Protocol) {}

  serve(handlers: Handlers<T>): Port {
    return {
      serviceCall: (op, args) => {
        const { method, result } = handled(this.protocol, handlers, op, args);
        if (!method || typeof result === "number") return BigInt(result as number);
        const [field] = partsOf(this.protocol, method.reply);
        return field ? BigInt(result[field.name]!) : 0n;
      },
    };
  }
}

/** What the kernel carries of a message. */
export interface Message {
  readonly label: number;
  readonly bytes: Uint8Array;
  readonly caps: readonly object[];
}

/** A protocol that travels in messages. */
export class MessageStub<T extends Calls<T>> {
  constructor(readonly protocol: Protocol) {}

  /** The call. */
  call<M extends keyof T>(method: M, request: T[M]["request"]): Message {
    const { id, request: fields } = methodNamed(this.protocol, method);
    return this.pack(id, fields, request as Fields);
  }

  /** What came of it; the reply means something when status is 0. */
  answer<M extends keyof T>(method: M, message: Message): { status: number; reply: T[M]["reply"] } {
    const reply = message.label === 0 ? this.unpack(methodNamed(this.protocol, method).reply, message) : {};
    return { status: message.label, reply: reply as T[M]["reply"] };
  }

  /** The test as the server. */
  serve(handlers: Handlers<T>): (message: Message) => Message {
    return (message) => {
      const method = this.protocol.methods.find(({ id }) => id === message.label);
      const handler = method && handlers[method.name as keyof T];
      const result = handler ? (handler(this.unpack(method.request, message)) as Fields | number) : ENOSYS;
      return !method || typeof result === "number" ? { label: Number(result), bytes: new Uint8Array(0), caps: [] } : this.pack(0, method.reply, result);
    };
  }

  private pack(label: number, text: string, values: Fields): Message {
    const { fields, bytes } = layoutOf(this.protocol, text, 0);
    const packed = new Uint8Array(bytes);
    encode(new DataView(packed.buffer), 0, fields, values);
    return { label, bytes: packed, caps: partsOf(this.protocol, text).filter(isCarried).map(({ name }) => values[name] as object) };
  }

  private unpack(text: string, { bytes, caps }: Message): Fields {
    const { fields, bytes: size } = layoutOf(this.protocol, text, 0);
    const carried = partsOf(this.protocol, text).filter(isCarried);
    if (bytes.length !== size || caps.length !== carried.length) throw new Error(`${bytes.length} bytes and ${caps.length} capabilities, not ${size} and ${carried.length}`);
    const values = decode(new DataView(bytes.buffer, bytes.byteOffset, size), 0, fields);
    return { ...values, ...Object.fromEntries(carried.map(({ name }, i) => [name, caps[i]])) };
  }
}
