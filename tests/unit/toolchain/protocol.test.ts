/** What is made of a protocol's schema, and which schemas are refused. */
import type { Protocol, ProtocolMethod } from "../../../kernel/abi/protocol/form.ts";
import { protocolClient } from "../../../toolchain/protocol/client.ts";
import { layoutOf } from "../../../toolchain/protocol/layout.ts";
import { protocolCheck, protocolOf, protocols } from "../../../toolchain/protocol/schemas.ts";
import { protocolServer } from "../../../toolchain/protocol/server.ts";
import { RegisterStub } from "../support/protocol-stubs.ts";

const METHOD: ProtocolMethod = { id: 1, name: "tell", request: "small: u32, large: u64", reply: "small: u32", contract: "A test." };
const PROBE: Protocol = { name: "probe", prefix: "Probe", travel: "registers", methods: [METHOD] };
const method = (change: Partial<ProtocolMethod>): Partial<Protocol> => ({ methods: [{ ...METHOD, ...change }] });

test("a schema is data that is read without being listed; those of the tree are sound", () => {
  const text = `import type { Protocol } from "./form.ts";\nexport const PROBE: Protocol = ${JSON.stringify(PROBE)};`;
  expect(protocolOf(text)).toEqual(PROBE);
  expect(protocols().map(({ name }) => name)).toEqual(expect.arrayContaining(["channel", "file-system", "log", "template"]));
});

test.each<[string, Partial<Protocol>]>([
  ["one id", { methods: [METHOD, { ...METHOD, name: "other" }] }],
  ["one name", { methods: [METHOD, { ...METHOD, id: 2 }] }],
  ["ids are from 1", method({ id: 0 })],
  ["ids are from 1", method({ id: 0x40000000 })],
  ["is no field", method({ request: "small u32" })],
  ["more than 4 fields", method({ request: "a: u32, b: u32, c: u32, d: u32, e: u32" })],
  ["does not travel in registers", method({ request: "text: name" })],
  ["does not travel in registers", method({ reply: "many: u32[4]" })],
  ["does not travel in message", { travel: "message", ...method({ request: "handle: cap" }) }],
  ["more than 4 fields", { travel: "message", ...method({ request: "a: bell, b: bell, c: bell, d: bell, e: bell" }) }],
  ["one field at most", { travel: "service", ...method({ reply: "a: u32, b: u32" }) }],
  ["words belong to a window", { travel: "window" }],
  ["words belong to a window", { words: "mount: u32" }],
])("refuses a schema: %s", (problem, change) => {
  expect(() => protocolCheck({ ...PROBE, ...change })).toThrow(problem);
});

test("fields lie at their natural alignment, capabilities nowhere", () => {
  const { fields, bytes } = layoutOf({ ...PROBE, travel: "message" }, "a: u32, b: u64, bell: bell, c: u32, text: name", 0);
  expect(fields.map(({ name, offset }) => `${name} ${offset}`)).toEqual(["a 0", "b 8", "c 16", "text 20"]);
  expect(bytes).toBe(792);
});

test("both sides check what has fewer bits than a register", () => {
  expect(protocolClient(PROBE)).toContain("return narrowed(statusOf(callServer(endpoint, ProbeMethod.TELL, small, large, 0, 0)), callWords().w0);");
  expect(protocolServer(PROBE)).toContain("case ProbeMethod.TELL: return words.w0 > u32.MAX_VALUE ? -Errno.INVAL : this.tell(<u32>words.w0, words.w1, ");
});

test("a stub in Node plays either side by name", () => {
  const stub = new RegisterStub<{ tell: { request: { small: number; large: bigint }; reply: { small: number } } }>(PROBE);
  expect(stub.call("tell", { small: 3, large: 4n })).toEqual({ label: 1, badge: 0n, words: [3n, 4n, 0n, 0n] });
  const server = stub.serve({ tell: ({ small, large }) => (large > 9n ? -5 : { small: small + Number(large) }) });
  expect(stub.answer("tell", server(1, [3n, 4n]))).toEqual({ status: 0, reply: { small: 7 } });
  expect([server(1, [3n, 10n]).label, server(2, []).label]).toEqual([-5, -38]);
});
