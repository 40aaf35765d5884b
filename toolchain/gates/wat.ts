/** Gates over the compiled module: no allocation, no growth, no start code, no override, no unknown import. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BuildError, messages } from "../messages.ts";
import { ARCH } from "../paths.ts";
import { readWasm } from "../wasm.ts";

/** Functions of AssemblyScript's runtime that may be there: none of them allocates. */
const FORBIDDEN = /^(?:~lib\/rt\/|~lib\/string\/String[#.](?:__concat|concat)|~lib\/array\/|~lib\/map\/)/;
const FORBIDDEN_NAME = /(?:^|\/)__(?:new|alloc|realloc|renew|pin|collect|visit)/;

/** Checks the release module's text and binary. */
export function moduleCheck(wat: string, wasm: string): void {
  const text = readFileSync(wat, "utf8");
  const calls = callGraph(text);
  for (const symbol of calls.keys()) {
    if (FORBIDDEN.test(symbol) || FORBIDDEN_NAME.test(symbol)) {
      throw new BuildError(messages.allocation(symbol, callersOf(symbol, calls)));
    }
  }
  if (/\bmemory\.grow\b/.test(text)) throw new BuildError(messages.memoryGrow);
  if (/^\s*\(start /m.test(text)) throw new BuildError(messages.startCode(startCode(text)));
  importCheck(wasm);
}

/** Checks the unoptimised module's text. */
export function overrideCheck(debugWat: string): void {
  const lines = readFileSync(debugWat, "utf8").split("\n").filter((line) => /^ \(func \$.*@override/.test(line));
  if (lines.length > 0) throw new BuildError(messages.override(lines.map((line) => line.trim())));
}

const START_LINES = 12;

/** The beginning of the start function. */
function startCode(wat: string): string {
  const name = /^\s*\(start (\S+?)\)/m.exec(wat)?.[1] ?? "";
  const at = wat.indexOf(` (func ${name}`);
  return wat.slice(at).split("\n").slice(0, START_LINES).join("\n");
}

function importCheck(wasm: string): void {
  const declared = declaredIntrinsics(readFileSync(join(ARCH, "intrinsics.ts"), "utf8"));
  for (const { module, name } of readWasm(readFileSync(wasm)).imports) {
    if (module !== "x86_64" || !declared.has(name)) throw new BuildError(messages.undeclaredImport(`${module}.${name}`));
  }
}

/** Names given to @external("x86_64", ...). */
export function declaredIntrinsics(source: string): Set<string> {
  return new Set([...source.matchAll(/@external\("x86_64",\s*"(\w+)"\)/g)].map((match) => match[1] as string));
}

/** Function -> functions it calls, from the module's text. */
function callGraph(wat: string): Map<string, Set<string>> {
  const calls = new Map<string, Set<string>>();
  let current = new Set<string>();
  for (const line of wat.split("\n")) {
    const func = /^ \(func (\$(?:"[^"]*"|\S+))/.exec(line);
    const call = /\bcall (\$(?:"[^"]*"|\S+))/.exec(line);
    if (func) calls.set(bareName(func[1] as string), (current = new Set()));
    else if (call) current.add(bareName(call[1] as string));
  }
  return calls;
}

function bareName(name: string): string {
  return name.replace(/^\$"?|["()]+$/g, "");
}

/** One chain of callers that leads to `symbol`, nearest first. */
function callersOf(symbol: string, calls: Map<string, Set<string>>): string[] {
  const chain = [symbol];
  for (let at: string | undefined = symbol; at !== undefined; ) {
    const target: string = at;
    at = [...calls].find(([caller, callees]) => callees.has(target) && !chain.includes(caller))?.[0];
    if (at !== undefined) chain.push(`called by ${at}`);
    if (at !== undefined && chain.length > 12) break;
  }
  return chain;
}
