/** The protocols: every file of kernel/abi/protocol but form.ts, which says what they may say. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import type { Protocol, Travel } from "../../kernel/abi/protocol/form.ts";
import { ROOT } from "../paths.ts";
import { CAP_RIGHTS, isCarried, partsOf, protocolFail, WORDS } from "./layout.ts";

const FOLDER = "kernel/abi/protocol";
const FORM = "form.ts";

/** All of them, each found sound, by name. */
export function protocols(): Protocol[] {
  const files = readdirSync(join(ROOT, FOLDER)).filter((file) => file.endsWith(".ts") && file !== FORM).sort();
  return files.map((file) => {
    const protocol = protocolOf(readFileSync(join(ROOT, FOLDER, file), "utf8"));
    if (`${protocol.name}.ts` !== file) protocolFail(protocol, `the file is called ${file}`);
    protocolCheck(protocol);
    return protocol;
  });
}

/** What a schema exports. It is data, imports types only, and is evaluated alone: nobody lists the schemas. */
export function protocolOf(text: string): Protocol {
  const { outputText } = ts.transpileModule(text, { compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 } });
  const found: Record<string, Protocol> = {};
  new Function("exports", outputText)(found);
  return Object.values(found)[0] as Protocol;
}

const TYPES: Readonly<Record<Travel, readonly string[]>> = {
  registers: ["u32", "u64"], message: ["u32", "u64", "name", ...Object.keys(CAP_RIGHTS)], window: ["u32", "u64", "name"], service: ["u32", "u64", "va", "cap"],
};

/** Throws what is wrong with a protocol. */
export function protocolCheck(protocol: Protocol): void {
  const { methods, travel } = protocol;
  const unique = (values: readonly unknown[], what: string): void => {
    if (new Set(values).size !== values.length) protocolFail(protocol, `two methods have one ${what}`);
  };
  unique(methods.map(({ id }) => id), "id");
  unique(methods.map(({ name }) => name), "name");
  if (methods.some(({ id }) => !Number.isInteger(id) || id < 1 || id >= 0x10000)) protocolFail(protocol, "ids are from 1 to 65535");
  if ((travel === "window") !== (protocol.words !== undefined)) protocolFail(protocol, "words belong to a window");
  for (const { name, request, reply } of methods) {
    for (const text of [request, reply]) typesCheck(protocol, name, text);
    if (travel === "service" && partsOf(protocol, reply).length > 1) protocolFail(protocol, `${name}: a service answers one field at most`);
  }
}

function typesCheck(protocol: Protocol, method: string, text: string): void {
  const parts = partsOf(protocol, text);
  const structs = protocol.travel === "window" ? Object.keys(protocol.structs ?? {}) : [];
  const known = [...TYPES[protocol.travel], ...structs];
  const odd = parts.find(({ type, most }) => !known.includes(type) || (most !== undefined && !structs.includes(type)));
  if (odd) protocolFail(protocol, `${method}: ${odd.name} has a type that does not travel in ${protocol.travel}`);
  const counted = protocol.travel === "message" ? parts.filter(isCarried) : protocol.travel === "window" ? [] : parts;
  if (counted.length > WORDS) protocolFail(protocol, `${method}: more than ${WORDS} fields`);
}
