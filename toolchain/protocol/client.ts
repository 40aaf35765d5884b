/** servers/runtime/protocol/NAME-client.gen.ts: a function for each method, which asks, checks the answer, and gives its fields by name. */
import type { Protocol, ProtocolMethod } from "../../kernel/abi/protocol/form.ts";
import { CAP_RIGHTS, isCarried, layoutOf, NAME_BYTES, partsOf, WORDS, type Part } from "./layout.ts";
import { contractOf, functionName, headOf, importsOf, methodConstant, methodEnum } from "./text.ts";

const TYPES: Readonly<Record<string, string>> = { u32: "u32", u64: "u64", cap: "u32", memory: "u32", bell: "u32", va: "usize", name: "string" };

/** Text of the file; undefined for a protocol that no server calls by. */
export function protocolClient(protocol: Protocol): string | undefined {
  const bodies = { registers: registerCalls, message: messageCalls, service: serviceCalls, window: undefined };
  const code = bodies[protocol.travel]?.(protocol);
  if (code === undefined) return undefined;
  const whom = protocol.travel === "service" ? "Operations of the port: 0 or more, or a negated errno." :
    "Calls: 0, or a negated errno of the server's or the call's own; EIO for an answer that is none. Then the reply's fields, up to the next call.";
  return headOf(protocol, whom) + importsOf(code, [
    [`../../../kernel/abi/${protocol.name}.gen`, [methodEnum(protocol)]],
    ["../../../kernel/abi/capability", ["CapRight"]],
    ["../../../kernel/abi/errno", ["Errno"]],
    ["../client", ["callServer", "callWords", "narrowed", "statusOf"]],
    ["../intrinsics", ["linearVa"]],
    ["../memory", ["get32", "get64", "namePut", "nameGet", "put32", "put64"]],
    ["../message", ["messageAsk", "messageCap", "messageClear", "messageMintCap", "messageNew", "messageSendBytes"]],
    ["../native-calls", ["serviceCall"]],
  ]) + code;
}

/** "a: u64, b: u64", behind what names the other side. */
function parametersOf(first: string, parts: readonly Part[]): string {
  return [first, ...parts.map(({ name, type }) => `${name}: ${TYPES[type]}`)].join(", ");
}

/** The four words of a call, 0 where there is no field. */
function wordsOf(parts: readonly Part[]): string {
  return Array.from({ length: WORDS }, (_, i) => {
    const part = parts[i];
    return !part ? "0" : part.type === "va" ? `linearVa(${part.name})` : part.name;
  }).join(", ");
}

// ---- Registers ----

function registerCalls(protocol: Protocol): string {
  return protocol.methods.map((method) => {
    const asked = partsOf(protocol, method.request);
    const answered = partsOf(protocol, method.reply);
    const call = `statusOf(callServer(endpoint, ${methodConstant(protocol, method)}, ${wordsOf(asked)}))`;
    const checked = answered.reduce((code, { type }, i) => (type === "u32" ? `narrowed(${code}, callWords().w${i})` : code), call);
    const fields = answered.map(({ name, type }, i) =>
      `export function ${functionName(protocol, method.name, name)}(): ${type} { return ${type === "u32" ? "<u32>" : ""}callWords().w${i}; }\n`);
    return `\n${contractOf(method)}export function ${functionName(protocol, method.name)}(${parametersOf("endpoint: u32", asked)}): i32 {\n  return ${checked};\n}\n${fields.join("")}`;
  }).join("");
}

// ---- Services of the kernel ----

function serviceCalls(protocol: Protocol): string {
  return protocol.methods.map((method) => {
    const asked = partsOf(protocol, method.request);
    const [answered] = partsOf(protocol, method.reply);
    const what = answered ? ` Result: ${answered.type === "cap" ? `the handle of its ${answered.name}` : answered.name}.` : "";
    const call = `${answered ? "" : "<i32>"}serviceCall(port, ${methodConstant(protocol, method)}, ${wordsOf(asked)})`;
    return `\n${contractOf({ ...method, contract: method.contract + what })}export function ${functionName(protocol, method.name)}` +
      `(${parametersOf("port: u32", asked)}): ${answered ? "i64" : "i32"} {\n  return ${call};\n}\n`;
  }).join("");
}

// ---- Messages ----

function messageCalls(protocol: Protocol): string {
  const most = (text: (method: ProtocolMethod) => string): number =>
    Math.max(8, ...protocol.methods.map((method) => layoutOf(protocol, text(method), 0).bytes));
  const replyMost = most(({ reply }) => reply);
  return [
    `\nconst REQUEST = memory.data(${most(({ request }) => request)}, 8);\nconst REPLY = memory.data(${replyMost}, 8);\n`,
    `const MESSAGE = messageNew(REPLY, ${replyMost});\n`,
    ...protocol.methods.map((method) => messageCall(protocol, method)),
  ].join("");
}

function messageCall(protocol: Protocol, method: ProtocolMethod): string {
  const asked = layoutOf(protocol, method.request, 0);
  const answered = layoutOf(protocol, method.reply, 0);
  const capsOf = (text: string): Part[] => partsOf(protocol, text).filter(isCarried);
  const puts = asked.fields.map(({ name, type, offset }) => (type === "name" ?
    `  if (!namePut(REQUEST + ${offset}, ${name}, ${NAME_BYTES})) return -Errno.NAMETOOLONG;\n` : `  put${type.slice(1)}(REQUEST + ${offset}, ${name});\n`));
  const fields = answered.fields.map(({ name, type, offset }) => (type === "name" ?
    `export function ${functionName(protocol, method.name, name)}(): string { return nameGet(REPLY + ${offset}, ${NAME_BYTES}); }\n` :
    `export function ${functionName(protocol, method.name, name)}(): ${type} { return get${type.slice(1)}(REPLY + ${offset}); }\n`));
  const caps = capsOf(method.reply).map(({ name }, i) =>
    `/** A handle, the caller's to let go. */\nexport function ${functionName(protocol, method.name, name)}(): u32 { return messageCap(MESSAGE, ${i}); }\n`);
  return [
    `\n${contractOf(method)}export function ${functionName(protocol, method.name)}(${parametersOf("endpoint: u32", partsOf(protocol, method.request))}): i32 {\n`,
    "  messageClear(MESSAGE);\n", ...puts, `  messageSendBytes(MESSAGE, REQUEST, ${asked.bytes});\n`,
    ...capsOf(method.request).map(({ name, type }) => `  messageMintCap(MESSAGE, ${name}, ${CAP_RIGHTS[type]}, 0);\n`),
    `  return messageAsk(MESSAGE, endpoint, ${methodConstant(protocol, method)}, ${answered.bytes}, ${capsOf(method.reply).length});\n}\n`,
    ...fields, ...caps,
  ].join("");
}
