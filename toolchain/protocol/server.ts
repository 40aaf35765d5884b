/**
 * servers/runtime/protocol/NAME-server.gen.ts: an abstract class with a handler for each method, and `serve`, which takes a call apart, refuses
 * what is malformed (EINVAL) or unknown (ENOSYS), and calls the handler. A server extends the class; asc calls its handlers directly.
 */
import type { Protocol, ProtocolMethod } from "../../kernel/abi/protocol/form.ts";
import { CAP_RIGHTS, capital, constantName, isCarried, layoutOf, NAME_BYTES, partsOf, type Layout, type Part } from "./layout.ts";
import { contractOf, headOf, importsOf, methodConstant, methodEnum } from "./text.ts";

const TYPES: Readonly<Record<string, string>> = { u32: "u32", u64: "u64", memory: "u32", bell: "u32", name: "string" };

/** Text of the file; undefined for a protocol that the kernel serves. */
export function protocolServer(protocol: Protocol): string | undefined {
  const bodies = { registers: registerServer, message: messageServer, window: windowServer, service: undefined };
  const code = bodies[protocol.travel]?.(protocol);
  if (code === undefined) return undefined;
  const enums = protocol.methods.map(({ name }) => protocol.prefix + capital(name));
  return headOf(protocol, "Handlers of calls: 0 or a negated errno.") + importsOf(code, [
    [`../../../kernel/abi/${protocol.name}.gen`, [methodEnum(protocol), `${constantName(protocol.prefix.toLowerCase())}_NAME_BYTES`, ...enums]],
    ["../../../kernel/abi/capability", ["CapRight", "IpcMessage"]],
    ["../../../kernel/abi/errno", ["Errno"]],
    ["../loop", ["Words", "wordsClear"]],
    ["../memory", ["bytesFill", "get32", "get64", "nameGet", "namePut", "put32", "put64"]],
    ["../message", ["messageAnswer", "messageCap", "messageIs", "messageMintCap", "messageNew", "messageRefuse"]],
  ]) + code;
}

function parameterList(parts: readonly Part[], last: readonly string[]): string {
  return [...parts.map(({ name, type }) => `${name}: ${TYPES[type]}`), ...last].join(", ");
}

function classOf(protocol: Protocol, before: string, members: readonly string[], serve: readonly string[], after: readonly string[] = []): string {
  return `${before}\nexport abstract class ${protocol.prefix}Server {\n${members.join("")}\n${serve.join("")}${after.join("")}}\n`;
}

// ---- Registers ----

function replyName(protocol: Protocol, method: ProtocolMethod): string { return `${protocol.prefix}${capital(method.name)}Reply`; }

function registerServer(protocol: Protocol): string {
  const replies = protocol.methods.filter(({ reply }) => reply !== "").map((method) => {
    const fields = partsOf(protocol, method.reply).map(({ name, type }) => `${name}: ${type};${type === "u32" ? ` ${name}High: u32;` : ""}`);
    return `\n/** The words of an answer, all 0 when the handler begins. */\n@final @unmanaged\nexport class ${replyName(protocol, method)} { badge: u64; ${fields.join(" ")} }\n`;
  });
  const handlers = protocol.methods.map((method) => {
    const reply = method.reply === "" ? [] : [`reply: ${replyName(protocol, method)}`];
    return `${contractOf(method, "  ")}  abstract ${method.name}(${parameterList(partsOf(protocol, method.request), reply)}): i32;\n`;
  });
  return classOf(protocol, replies.join(""), handlers, [
    "  /** Answers one call (serveCalls). */\n  serve(label: i32, words: Words): i32 {\n    switch (label) {\n",
    ...protocol.methods.map((method) => registerCase(protocol, method)),
    "      default: return -Errno.NOSYS;\n    }\n  }\n",
  ]);
}

function registerCase(protocol: Protocol, method: ProtocolMethod): string {
  const asked = partsOf(protocol, method.request);
  const args = asked.map(({ type }, i) => `${type === "u32" ? "<u32>" : ""}words.w${i}`);
  const reply = method.reply === "" ? [] : [`changetype<${replyName(protocol, method)}>(wordsClear(words))`];
  const call = `this.${method.name}(${[...args, ...reply].join(", ")})`;
  const wide = asked.flatMap(({ type }, i) => (type === "u32" ? [`words.w${i} > u32.MAX_VALUE`] : []));
  return `      case ${methodConstant(protocol, method)}: return ${wide.length > 0 ? `${wide.join(" || ")} ? -Errno.INVAL : ` : ""}${call};\n`;
}

// ---- Windows ----

function windowServer(protocol: Protocol): string {
  const words = partsOf(protocol, protocol.words ?? "");
  const upper = constantName(protocol.prefix.toLowerCase());
  const handlers = protocol.methods.map((method) => `${contractOf(method, "  ")}  abstract ${method.name}(${parameterList(words, [])}): i32;\n`);
  const args = words.map(({ name, type }) => `${type === "u32" ? "<u32>" : ""}${name}`).join(", ");
  const wide = words.filter(({ type }) => type === "u32").map(({ name }) => `    if (${name} > u32.MAX_VALUE) return -Errno.INVAL;\n`);
  const cases = protocol.methods.map((method) => {
    const names = layoutOf(protocol, method.request, 0).fields.filter(({ type }) => type === "name");
    const long = names.map(({ name }) => `get32(this.window + ${protocol.prefix}${capital(method.name)}.${constantName(name)}) > ${upper}_NAME_BYTES`);
    return `      case ${methodConstant(protocol, method)}: return ${long.length > 0 ? `${long.join(" || ")} ? -Errno.INVAL : ` : ""}this.${method.name}(${args});\n`;
  });
  return classOf(protocol, "", ["  /** Where the window is mapped: requests stand in it, replies go there. */\n  window: usize = 0;\n\n", ...handlers], [
    `  /** Answers one call (serveCalls) with its label and words. */\n  serve(label: i32, ${words.map(({ name }) => `${name}: u64`).join(", ")}): i32 {\n`, ...wide, "    switch (label) {\n",
    ...cases, "      default: return -Errno.NOSYS;\n    }\n  }\n",
  ]);
}

// ---- Messages ----

function capsOf(protocol: Protocol, text: string): Part[] { return partsOf(protocol, text).filter(isCarried); }

function messageServer(protocol: Protocol): string {
  const layouts = protocol.methods.map(({ request, reply }) => [layoutOf(protocol, request, 0).bytes, layoutOf(protocol, reply, 0).bytes] as const);
  const requestMost = Math.max(8, ...layouts.map(([request]) => request));
  const replyMost = Math.max(8, ...layouts.map(([, reply]) => reply));
  const before = `\nconst REQUEST = memory.data(${requestMost}, 8);\nconst REPLY = memory.data(${replyMost}, 8);\n` +
    protocol.methods.filter(({ reply }) => reply !== "").map((method) => replyClass(protocol, method)).join("");
  const handlers = protocol.methods.map((method) => {
    const reply = method.reply === "" ? [] : [`reply: ${replyName(protocol, method)}`];
    return `${contractOf(method, "  ")}  abstract ${method.name}(${parameterList(partsOf(protocol, method.request), reply)}): i32;\n`;
  });
  return classOf(protocol, before, [`  readonly message: IpcMessage = messageNew(REQUEST, ${requestMost});\n\n`, ...handlers], [
    "  /** Answers one call (serveMessages). Capabilities that came are the handler's when it answers 0, else let go. */\n",
    "  serve(label: i32): i32 {\n    switch (label) {\n",
    ...protocol.methods.map((method) => `      case ${methodConstant(protocol, method)}: return this.${method.name}Take();\n`),
    "      default: return messageRefuse(this.message, -Errno.NOSYS);\n    }\n  }\n",
  ], protocol.methods.map((method) => messageTake(protocol, method)));
}

/** An object over the reply's bytes, with the handles that go along behind them. */
function replyClass(protocol: Protocol, method: ProtocolMethod): string {
  const names = layoutOf(protocol, method.reply, 0).fields.filter(({ type }) => type === "name").map(({ name }) => `${name}: string = "";`);
  const others = partsOf(protocol, method.reply).filter(({ type }) => type !== "name").map(({ name, type }) => `${name}: ${TYPES[type]} = 0;`);
  return `\nexport class ${replyName(protocol, method)} { ${[...others, ...names].join(" ")} }\n`;
}

function messageTake(protocol: Protocol, method: ProtocolMethod): string {
  const asked = layoutOf(protocol, method.request, 0);
  const answered = layoutOf(protocol, method.reply, 0);
  const caps = capsOf(protocol, method.request);
  const args = partsOf(protocol, method.request).map(({ name, type }) => {
    if (type in CAP_RIGHTS) return `messageCap(this.message, ${caps.findIndex((cap) => cap.name === name)})`;
    const offset = asked.fields.find((field) => field.name === name)!.offset;
    return type === "name" ? `nameGet(REQUEST + ${offset}, ${NAME_BYTES})` : `get${type.slice(1)}(REQUEST + ${offset})`;
  });
  const hasReply = method.reply !== "";
  const long = asked.fields.filter(({ type }) => type === "name").map(({ offset }) => ` || get32(REQUEST + ${offset}) > ${NAME_BYTES}`);
  return [
    `\n  private ${method.name}Take(): i32 {\n`,
    `    if (!messageIs(this.message, ${asked.bytes}, ${caps.length})${long.join("")}) return messageRefuse(this.message, -Errno.INVAL);\n`,
    hasReply ? `    const reply = new ${replyName(protocol, method)}();\n` : "",
    `    const status = this.${method.name}(${[...args, ...(hasReply ? ["reply"] : [])].join(", ")});\n`,
    "    if (status != 0) return messageRefuse(this.message, status);\n",
    ...replyPuts(answered),
    `    messageAnswer(this.message, REPLY, ${answered.bytes});\n`,
    ...capsOf(protocol, method.reply).map(({ name, type }) => `    messageMintCap(this.message, reply.${name}, ${CAP_RIGHTS[type]}, 0);\n`),
    "    return 0;\n  }\n",
  ].join("");
}

function replyPuts({ fields }: Layout): string[] {
  return fields.map(({ name, type, offset }) => (type === "name" ?
    `    if (!namePut(REPLY + ${offset}, reply.${name}, ${NAME_BYTES})) return messageRefuse(this.message, -Errno.IO);\n` :
    `    put${type.slice(1)}(REPLY + ${offset}, reply.${name});\n`));
}
