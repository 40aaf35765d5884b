/**
 * The form of a protocol as data. Each other file of this folder is one protocol and exports one of these; toolchain/protocol makes of it
 *
 *   kernel/abi/NAME.gen.ts                          numbers of the methods; where fields lie that stand in memory
 *   servers/runtime/protocol/NAME-client.gen.ts     a function for each method, for servers that call
 *   servers/runtime/protocol/NAME-server.gen.ts     a class with a handler for each method, for servers that are called
 *   tests/unit/support/NAME.gen.ts                  types and a stub for tests in V8, by which they play either side
 *
 * A schema is data: it imports nothing but this file's types.
 *
 * Fields are written "name: type, …". An answer's label is 0 or a negated errno; the reply's fields mean something when it is 0.
 */
export interface Protocol {
  /** The file's name. */
  readonly name: string;
  /** What the names of types and constants begin with. */
  readonly prefix: string;
  readonly travel: Travel;
  /** window: what the call's words say, by name. */
  readonly words?: string;
  /** Structures that fields name, by name. */
  readonly structs?: Readonly<Record<string, string>>;
  readonly methods: readonly ProtocolMethod[];
}

/**
 * How requests and replies travel, and the types of their fields.
 *
 *   registers   in the call's four words, one field each                 u32 u64
 *   message     by copy, beside up to four capabilities (ipc_call_extra)   u32 u64 name memory bell
 *   window      in memory that both sides have mapped: the request from offset 0, the reply from 8192, fields at their natural alignment.
 *               The call's words are `words`. One call at a time.       u32 u64 name structures T[n]
 *   service     service_call on a port of the kernel: up to four arguments, and one field or none as its result, which is 0 or more
 *               or a negated errno.                                         u32 u64 va cap
 *
 * name = u32 length + 768 bytes of UTF-8; T[n] = u32 count, then n of the structure T from the next multiple of 8; va = an address; cap = a handle.
 * memory = a MEMORY that the receiver may map and write; bell = a NOTIFICATION that it may signal. Both are granted with those rights and no others.
 */
export type Travel = "registers" | "message" | "window" | "service";

export interface ProtocolMethod {
  /** The call's label: 1 or more, each once. */
  readonly id: number;
  readonly name: string;
  readonly request: string;
  readonly reply: string;
  /** What it may answer by its contract; beside these ENOSYS, EINVAL when malformed, and what the transport itself gives. */
  readonly errors?: string;
  /** What it does: the one place where that is said. */
  readonly contract: string;
}
