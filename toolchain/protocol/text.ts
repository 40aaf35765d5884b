/** What the generated files have in common. */
import type { Protocol, ProtocolMethod } from "../../kernel/abi/protocol/form.ts";
import { capital, constantName } from "./layout.ts";

/** "file-system-port" -> "fileSystemPort". */
export function camelName(name: string): string {
  return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** The schema's own constant: FILE_SYSTEM_PORT. */
export function schemaConstant(protocol: Protocol): string {
  return protocol.name.replaceAll("-", "_").toUpperCase();
}

/** "BlockDriver", "ring" -> "blockDriverRing": the client's function. */
export function functionName(protocol: Protocol, ...words: readonly string[]): string {
  return protocol.prefix.charAt(0).toLowerCase() + protocol.prefix.slice(1) + words.map(capital).join("");
}

/** Name of the enum of methods. */
export function methodEnum(protocol: Protocol): string { return `${protocol.prefix}${protocol.travel === "service" ? "Op" : "Method"}`; }

/** TemplateMethod.ADD. */
export function methodConstant(protocol: Protocol, method: ProtocolMethod): string {
  return `${methodEnum(protocol)}.${constantName(method.name)}`;
}

/** The head of a generated file. */
export function headOf(protocol: Protocol, what: string): string {
  return `/**\n * ${what}\n *\n * Generated from kernel/abi/protocol/${protocol.name}.ts by toolchain/protocol; do not edit.\n */\n`;
}

/** The contract as a comment at this indentation. */
export function contractOf(method: ProtocolMethod, indentation = ""): string {
  const errors = method.errors === undefined ? "" : ` Errors: ${method.errors}.`;
  const text = method.contract + errors;
  if (text.length + indentation.length <= LINE_MOST) return `${indentation}/** ${text} */\n`;
  const lines = [...text.matchAll(new RegExp(`\\S.{0,${LINE_MOST}}(?=\\s|$)`, "g"))].map(([line]) => `${indentation} * ${line}\n`);
  return `${indentation}/**\n${lines.join("")}${indentation} */\n`;
}
/** Of a comment's text. */
const LINE_MOST = 120;

/** Imports of `names` from `path`: none when no name is needed in `code`. */
export function importsOf(code: string, from: readonly (readonly [path: string, names: readonly string[]])[]): string {
  return from.map(([path, names]) => {
    const used = names.filter((name) => new RegExp(`\\b${name}\\b`).test(code)).sort();
    return used.length === 0 ? "" : `import { ${used.join(", ")} } from "${path}";\n`;
  }).join("");
}
