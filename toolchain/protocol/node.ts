/** tests/unit/support/NAME.gen.ts: types of requests and replies for tests in V8, and the stub by which they play either side. */
import type { Protocol } from "../../kernel/abi/protocol/form.ts";
import { CAP_RIGHTS, capital, partsOf } from "./layout.ts";
import { camelName, headOf, schemaConstant } from "./text.ts";

const TYPES: Readonly<Record<string, string>> = { u32: "number", u64: "bigint", va: "bigint", name: "Uint8Array" };
const STUBS = { registers: "RegisterStub", message: "MessageStub", service: "ServiceStub", window: undefined } as const;

/** Text of the file. */
export function protocolTypes(protocol: Protocol): string {
  const stub = STUBS[protocol.travel];
  const calls = `${camelName(protocol.name).replace(/^./, (letter) => letter.toUpperCase())}Calls`;
  const structs = Object.entries(protocol.structs ?? {}).map(([name, fields]) => `export interface ${capital(name)} ${typeOf(protocol, fields)}\n`);
  const methods = protocol.methods.map(({ name, request, reply }) =>
    `  ${name}: { request: ${typeOf(protocol, request)}; reply: ${typeOf(protocol, reply)} };\n`);
  return [
    headOf(protocol, `Requests and replies of the ${protocol.name} protocol.`),
    stub ? `import { ${schemaConstant(protocol)} } from "../../../kernel/abi/protocol/${protocol.name}.ts";\nimport { ${stub} } from "./protocol-stubs.ts";\n\n` : "",
    ...structs, stub ? "" : "\n", `export interface ${calls} {\n`, ...methods, "}\n",
    stub ? `\nexport const ${camelName(protocol.name)}: ${stub}<${calls}> = new ${stub}(${schemaConstant(protocol)});\n` : "",
  ].join("");
}

/** A capability is a handle where it goes by a word, and the object behind it where the kernel carries it. */
function typeOf(protocol: Protocol, text: string): string {
  const parts = partsOf(protocol, text);
  if (parts.length === 0) return "Record<string, never>";
  const nodeType = (type: string): string => (type === "cap" ? "number" : type in CAP_RIGHTS ? "object" : TYPES[type] ?? capital(type));
  return `{ ${parts.map(({ name, type, most }) => `${name}: ${nodeType(type)}${most === undefined ? "" : "[]"}`).join("; ")} }`;
}
