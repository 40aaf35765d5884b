/**
 * wasm2c's C -> the C that the kernel is compiled from.
 *
 * Kept: function bodies, their forward declarations, the values of globals, the function table. Dropped: the
 * prelude (arch/x86_64/native.h stands in), the instance argument, instantiation and export glue.
 *
 *   wasm2c                                                     ours
 *   w2c_kernel_kernel0x2Fcore0x2Fmm0x2Fframe0x2FframeAlloc(instance, x)   ts_frameAlloc(x)
 *   w2c_x86__64_out8(instance->w2c_x86__64_instance, a, b)     x86_64_out8(a, b)
 *   instance->w2c_NAME                                         static g_NAME
 *   i32_load_default32(&instance->w2c_M0, a)                   i32_load_default32(a)
 *   CALL_INDIRECT(instance->w2c_0, T, w2c_kernel_t0, i, ...)   CALL_INDIRECT(T, 1u, i, ...)
 *
 * Invariants  R1  every line of the input is recognised or the build stops: nothing is dropped by accident.
 *             R2  no `instance` and no `w2c_` survives in the output.
 */
import { createHash } from "node:crypto";
import { BuildError, messages } from "../messages.ts";
import { C_WORDS, OPERATIONS } from "./operations.ts";

export interface Rewritten {
  /** The generated translation unit, to be compiled behind native.h and intrinsics.c. */
  code: string;
  /** C name -> TypeScript name, "kernel/core/mm/frame.ts:frameAlloc". */
  names: Map<string, string>;
  /** Names of the intrinsics that are called. */
  intrinsics: string[];
  /** Signature (C function pointer type) -> C names in the function table, for the stack-depth bound. */
  addressTaken: string[];
}

/** SHA-256 of wabt 1.0.39's prelude without its two module-dependent lines: with atomics in it, and without. */
const PRELUDE_SHA256: ReadonlySet<string> = new Set([
  "2d89c1f0f13719b3037b025f87b23d59b4c8045973748e2f1cda9bf03d6e0c2c",
  "646978438b7ab71511ecb86196168589859a5fa08c44beadc7f69394fd153b78",
]);
/** The last lines of the two. */
const PRELUDE_ENDS = [
  "#define atomic_fence() atomic_thread_fence(memory_order_seq_cst)\n",
  "                                  wasm_rt_tailcallee_t* next)\n#endif\n",
];

const VALUE_TYPES = "u32|u64|f32|f64|void";

/** What was read between the prelude and the bodies. */
interface Glue {
  typeIds: Map<string, number>;
  globals: { name: string; type: string; value: string }[];
  table: { size: number; entries: Map<number, { type: number; target: string }> };
  exports: { name: string; target: string }[];
}

/** The C of a module whose bodies use only `operations`, the words its prelude of ours defines. */
export function rewriteWasm2c(text: string, operations: ReadonlySet<string> = OPERATIONS): Rewritten {
  const split = splitTopLevel(stripSegue(withoutPrelude(text)));
  const functions = split.bodies.map(parseFunction);
  const naming = nameFunctions(functions.map((fn) => fn.mangled));
  const glue = parseGlue(split.glue);
  const intrinsics = new Set<string>();
  const bodies = functions.map((fn) => rewriteBody(fn, naming, glue, intrinsics, operations));
  const code = [
    ...functions.map((fn) => `${attributesOf(fn, naming)}${signatureOf(fn, naming)};`),
    "",
    ...glue.globals.map((global) => `static ${global.type} ${global.name} = ${global.value};`),
    "",
    ...tableLines(glue, naming, functions),
    "",
    ...bodies,
    ...exportLines(glue, naming, functions),
  ].join("\n");
  const leftover = /\b(?:instance\b|w2c_\w+)/.exec(code);
  if (leftover) throw new BuildError(messages.preludeShape(`"${lineAt(code, leftover.index)}" was not rewritten`)); // R2
  const names = new Map([...naming.cName].map(([mangled, cName]) => [cName, sourceName(demangle(mangled))]));
  for (const { name, target } of glue.exports) { // wrappers show the name of what they call
    names.set(`kernel_${name}`, sourceName(demangle(target)));
  }
  const addressTaken = [...glue.table.entries.values()].map((entry) => cNameOf(naming, entry.target));
  return { code: code + "\n", names, intrinsics: [...intrinsics].sort(), addressTaken };
}

/** Hash of a prelude, without the lines that depend on the module; exported for the test that pins it. */
export function preludeHash(prelude: string): string {
  const neutral = prelude
    .replace(/^#include "[^"]+\.h"\n/m, "")
    .replace(/^#define IS_SINGLE_UNSHARED_MEMORY [01]\n/m, "");
  return createHash("sha256").update(neutral).digest("hex");
}

function withoutPrelude(text: string): string {
  const ends = PRELUDE_ENDS.filter((end) => text.includes(end)).map((end) => text.lastIndexOf(end) + end.length);
  if (ends.length === 0) throw new BuildError(messages.preludeShape("the end of its prelude is not found"));
  const end = Math.max(...ends);
  const hash = preludeHash(text.slice(0, end));
  if (!PRELUDE_SHA256.has(hash)) throw new BuildError(messages.preludeShape(`its prelude has hash ${hash}`));
  return text.slice(end);
}

/** Segment-register bookkeeping sits in bodies and wrappers alike, always compiled out for us. */
function stripSegue(text: string): string {
  const lines: string[] = [];
  let depth = 0;
  for (const line of text.split("\n")) {
    if (line.startsWith("#if WASM_RT_USE_SEGUE_FOR_THIS_MODULE")) depth++;
    else if (depth > 0 && line.startsWith("#if")) depth++;
    else if (depth > 0 && line === "#endif") depth--;
    else if (depth === 0) lines.push(line);
  }
  return lines.join("\n");
}

function lineAt(text: string, index: number): string {
  return text.slice(text.lastIndexOf("\n", index) + 1, text.indexOf("\n", index)).trim();
}

// ---- Top level ----

interface Split {
  glue: string[];
  bodies: string[];
}

const BODY_HEAD = new RegExp(`^(?:static )?(?:${VALUE_TYPES}) w2c_kernel_\\w+\\(w2c_kernel\\* instance`);

/** Cuts the text into items that start in column 0; an item ends with a line that closes it. */
function splitTopLevel(text: string): Split {
  const split: Split = { glue: [], bodies: [] };
  const lines = text.replace(/, \n +/g, ", ").split("\n"); // wasm2c breaks lists after eight members
  let exported = false;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] as string;
    if (line === "") continue;
    if (/^\/\* export: '.*' \*\/$/.test(line)) {
      exported = true;
      split.glue.push(line);
      continue;
    }
    let end = at;
    if (line.endsWith("{")) {
      while (end < lines.length && lines[end] !== "}" && lines[end] !== "};") end++;
    } else if (!line.endsWith(";")) {
      throw new BuildError(messages.preludeShape(`unknown line "${line}"`)); // R1
    }
    const item = lines.slice(at, end + 1).join("\n");
    if (!exported && BODY_HEAD.test(line) && line.endsWith("{")) split.bodies.push(item);
    else split.glue.push(item);
    exported = false;
    at = end;
  }
  return split;
}

// ---- Glue ----

/** Items that say nothing we need: their content is checked or replaced elsewhere. */
const IGNORED = [
  new RegExp(`^static (?:${VALUE_TYPES}) w2c_kernel_\\w+\\(w2c_kernel\\*[^{]*\\);$`), // forward declarations
  new RegExp(`^static (?:${VALUE_TYPES}) wrap_w2c_`),
  /^static const u8 data_segment_data_/, // read from the wasm itself, see wasm.ts
  /^static void init_memories\(/,
  /^static void init_data_instances\(w2c_kernel \*instance\) \{\n\}$/,
  /^static void init_elem_instances\(w2c_kernel \*instance\) \{\n\}$/,
  /^static void init_instance_import\(/,
  /^void wasm2c_kernel_(?:instantiate|free)\(/,
  /^wasm_rt_func_type_t wasm2c_kernel_get_func_type\(/,
];

function parseGlue(items: readonly string[]): Glue {
  const glue: Glue = { typeIds: new Map(), globals: [], table: { size: 0, entries: new Map() }, exports: [] };
  const typeHashes: string[] = [];
  const elements = new Map<string, { type: number; target: string }[]>();
  for (let at = 0; at < items.length; at++) {
    const item = items[at] as string;
    let match: RegExpExecArray | null;
    if ((match = /^FUNC_TYPE_T\((\w+)\) = "(.*)";$/.exec(item))) {
      const hash = match[2] as string;
      if (!typeHashes.includes(hash)) typeHashes.push(hash);
      glue.typeIds.set(match[1] as string, typeHashes.indexOf(hash) + 1);
    } else if (item.startsWith("static void init_globals(")) {
      glue.globals = parseGlobals(item);
    } else if ((match = /^static const wasm_elem_segment_expr_t (\w+)\[\]/.exec(item))) {
      elements.set(match[1] as string, parseElements(item, glue.typeIds));
    } else if (item.startsWith("static void init_tables(")) {
      parseTable(item, elements, glue);
    } else if ((match = /^\/\* export: '(.*)' \*\/$/.exec(item))) {
      at++;
      const item = items[at] as string;
      const isObject = /^\w+\* w2c_kernel_/.test(item); // memory or a global: nothing to call
      if (!isObject) glue.exports.push({ name: match[1] as string, target: exportTarget(item) });
    } else if (!IGNORED.some((pattern) => pattern.test(item))) {
      throw new BuildError(messages.preludeShape(`unknown item "${item.split("\n")[0]}"`)); // R1
    }
  }
  return glue;
}

function innerLines(item: string): string[] {
  return item.split("\n").slice(1, -1);
}

function parseGlobals(item: string): Glue["globals"] {
  return innerLines(item).map((line) => {
    const match = /^ {2}instance->w2c_(\w+) = (\d+u(?:ll)?);$/.exec(line);
    if (!match) throw new BuildError(messages.preludeShape(`unknown global "${line.trim()}"`));
    const value = match[2] as string;
    return { name: globalName(match[1] as string), type: value.endsWith("ull") ? "u64" : "u32", value };
  });
}

function globalName(mangled: string): string {
  return `g_${cWord(demangle(mangled))}`;
}

function parseElements(item: string, typeIds: Map<string, number>): { type: number; target: string }[] {
  return innerLines(item).map((line) => {
    const match = /^ {2}\{RefFunc, (\w+), \(wasm_rt_function_ptr_t\)wrap_w2c_kernel_(\w+), \{NULL\}, 0\},$/.exec(line);
    if (!match) {
      const imported = /wrap_w2c_x86__64_(\w+)/.exec(line);
      if (imported) throw new BuildError(messages.importInTable(imported[1] as string));
      throw new BuildError(messages.preludeShape(`unknown table element "${line.trim()}"`));
    }
    const type = typeIds.get(match[1] as string);
    if (type === undefined) throw new BuildError(messages.preludeShape(`unknown type ${match[1]}`));
    return { type, target: match[2] as string };
  });
}

function parseTable(item: string, elements: Map<string, { type: number; target: string }[]>, glue: Glue): void {
  for (const line of innerLines(item)) {
    const size = /^ {2}wasm_rt_allocate_funcref_table\(&instance->w2c_T?0, (\d+), \d+\);$/.exec(line);
    const fill = /^ {2}funcref_table_init\(&instance->w2c_T?0, (\w+), (\d+), (\d+)u, 0, (\d+), instance\);$/.exec(line);
    if (size) {
      glue.table.size = Number(size[1]);
    } else if (fill) {
      const segment = elements.get(fill[1] as string) ?? [];
      segment.forEach((entry, index) => glue.table.entries.set(Number(fill[3]) + index, entry));
    } else {
      throw new BuildError(messages.preludeShape(`unknown table code "${line.trim()}"`));
    }
  }
}

function exportTarget(item: string): string {
  const match = /^ {2}(?:[uf](?:32|64) ret = )?w2c_kernel_(\w+)\(instance\b/m.exec(item);
  if (!match) throw new BuildError(messages.preludeShape(`unknown export "${item.split("\n")[0]}"`));
  return match[1] as string;
}

// ---- Names ----

interface Naming {
  cName: Map<string, string>;
}

/** Undoes wasm2c's mangling: `_` is doubled, other characters are 0xHH. */
export function demangle(mangled: string): string {
  return mangled.replace(/0x([0-9A-F]{2})|__/g, (all, hex: string | undefined) =>
    hex === undefined ? "_" : String.fromCharCode(parseInt(hex, 16)));
}

/** "kernel/core/mm/frame/frameAlloc" -> ["kernel/core/mm/frame", "frameAlloc"]; generics keep their arguments. */
function splitName(name: string): [string, string] {
  const open = name.indexOf("<");
  const slash = name.lastIndexOf("/", open < 0 ? name.length : open);
  return slash < 0 ? ["", name] : [name.slice(0, slash), name.slice(slash + 1)];
}

/** The name shown to people: "kernel/core/mm/frame.ts:frameAlloc". */
export function sourceName(name: string): string {
  const [file, symbol] = splitName(name);
  const short = symbol.replace(/[\w.~-]+\//g, ""); // type arguments without their folders
  return file === "" ? short : `${file}.ts:${short}`;
}

function cWord(name: string): string {
  return name.replace(/\W+/g, "_");
}

/** ts_frameAlloc where that is unique, else ts_kernel_core_mm_frame_frameAlloc, so that gdb's `b` is easy. */
function nameFunctions(mangled: readonly string[]): Naming {
  const shortNames = new Map<string, number>();
  const shortOf = (name: string): string => cWord(splitName(demangle(name))[1]);
  for (const name of mangled) shortNames.set(shortOf(name), (shortNames.get(shortOf(name)) ?? 0) + 1);
  const taken = new Set<string>();
  const cName = new Map<string, string>();
  for (const name of mangled) {
    const base = `ts_${shortNames.get(shortOf(name)) === 1 ? shortOf(name) : cWord(demangle(name))}`;
    let unique = base;
    for (let n = 2; taken.has(unique); n++) unique = `${base}_${n}`;
    taken.add(unique);
    cName.set(name, unique);
  }
  return { cName };
}

function cNameOf(naming: Naming, mangled: string): string {
  const name = naming.cName.get(mangled);
  if (name === undefined) throw new BuildError(messages.preludeShape(`call of unknown function ${mangled}`));
  return name;
}

// ---- Functions ----

interface ParsedFunction {
  result: string;
  mangled: string;
  /** "u32 var_p0, u64 var_p1" or "". */
  parameters: string;
  lines: string[];
}

function parseFunction(item: string): ParsedFunction {
  const [head, ...lines] = item.split("\n");
  const match = /^(?:static )?(\w+) w2c_kernel_(\w+)\(w2c_kernel\* instance(?:, (.*))?\) \{$/.exec(head as string);
  if (!match) throw new BuildError(messages.preludeShape(`unknown function "${head}"`));
  return { result: match[1] as string, mangled: match[2] as string, parameters: match[3] ?? "", lines };
}

function signatureOf(fn: ParsedFunction, naming: Naming): string {
  return `static ${fn.result} ${cNameOf(naming, fn.mangled)}(${fn.parameters === "" ? "void" : fn.parameters})`;
}

/** A function called …Slow is the rare half of a common one: kept out of line, and out of the way of the common path. */
function attributesOf(fn: ParsedFunction, naming: Naming): string {
  const name = cNameOf(naming, fn.mangled);
  if (name.endsWith("Inline")) return "inline __attribute__((always_inline)) ";
  return name.endsWith("Slow") ? "__attribute__((noinline, cold)) " : "";
}

const CALL = /\bw2c_kernel_(\w+)\(instance(?:, )?/g;
const IMPORT_CALL = /\bw2c_x86__64_(\w+)\(instance->w2c_x86__64_instance(?:, )?/g;
const INDIRECT =
  /\bCALL_INDIRECT\(instance->w2c_T?0, (\w+) \(\*\)\(void\*(?:, )?([^)]*)\), (\w+), (\w+), instance->w2c_T?0\.data\[\w+\]\.module_instance(?:, )?/g;
const MEMORY = /&instance->w2c_(?:M0|memory), (?:&instance->w2c_(?:M0|memory), )?/g;
/** Servers only: a gate keeps the kernel's module from asking. */
const MEMORY_GROW = /\bwasm_rt_grow_memory(?:_default32)?\(&instance->w2c_(?:M0|memory), /g;
const MEMORY_SIZE = /\binstance->w2c_(?:M0|memory)\.pages\b/g;
const GLOBAL = /\binstance->w2c_(\w+)/g;
const WORD_BEFORE_PARENTHESIS = /\b([A-Za-z_]\w*)\(/g;

function rewriteBody(
  fn: ParsedFunction,
  naming: Naming,
  glue: Glue,
  intrinsics: Set<string>,
  operations: ReadonlySet<string>,
): string {
  const name = sourceName(demangle(fn.mangled));
  const body = fn.lines.filter((line) => line !== "  FUNC_PROLOGUE;" && line !== "  FUNC_EPILOGUE;").join("\n");
  if (/\bf(?:32|64)\b/.test(body)) throw new BuildError(messages.floatingPoint(name));
  const rewritten = body
    .replace(INDIRECT, (_all, result: string, parameters: string, type: string, index: string) => {
      const id = glue.typeIds.get(type);
      if (id === undefined) throw new BuildError(messages.preludeShape(`unknown type ${type}`));
      return `CALL_INDIRECT(${result} (*)(${parameters === "" ? "void" : parameters}), ${id}u, ${index}, `;
    })
    .replace(/, \)/g, ")")
    .replace(IMPORT_CALL, (_all, mangled: string) => {
      intrinsics.add(demangle(mangled));
      return `x86_64_${demangle(mangled)}(`;
    })
    .replace(CALL, (_all, mangled: string) => `${cNameOf(naming, mangled)}(`)
    .replace(MEMORY_GROW, "memory_grow(")
    .replace(MEMORY_SIZE, "memory_pages()")
    .replace(MEMORY, "")
    .replace(GLOBAL, (_all, mangled: string) => globalName(mangled));
  for (const [, word] of rewritten.matchAll(WORD_BEFORE_PARENTHESIS) as Iterable<[string, string]>) {
    const known = operations.has(word) || C_WORDS.has(word) || word.startsWith("ts_") || word.startsWith("x86_64_");
    if (!known) throw new BuildError(messages.unknownOperation(word, name));
  }
  return `${signatureOf(fn, naming)} {\n${rewritten}\n`;
}

// ---- Table and exports ----

function tableLines(glue: Glue, naming: Naming, functions: readonly ParsedFunction[]): string[] {
  const defined = new Set(functions.map((fn) => fn.mangled));
  const entries = [...glue.table.entries].sort(([a], [b]) => a - b).map(([index, { type, target }]) => {
    if (!defined.has(target)) throw new BuildError(messages.preludeShape(`table entry ${target} has no body`));
    return `  [${index}] = {${type}, (void (*)(void))${cNameOf(naming, target)}},`;
  });
  const size = Math.max(glue.table.size, 1);
  return [`#define TABLE_SIZE ${size}u`, `static const table_entry table[TABLE_SIZE] = {`, ...entries, "};"];
}

function exportLines(glue: Glue, naming: Naming, functions: readonly ParsedFunction[]): string[] {
  return glue.exports.filter(({ name }) => name !== "linearStaticEnd").map(({ name, target }) => {
    const fn = functions.find((candidate) => candidate.mangled === target);
    if (!fn) throw new BuildError(messages.preludeShape(`export ${name} has no body`));
    const args = fn.parameters.split(", ").map((parameter) => parameter.split(" ")[1] ?? "").join(", ");
    const keyword = fn.result === "void" ? "" : "return ";
    return `${fn.result} kernel_${name}(${fn.parameters === "" ? "void" : fn.parameters});\n` +
      `${fn.result} kernel_${name}(${fn.parameters === "" ? "void" : fn.parameters}) ` +
      `{ ${keyword}${cNameOf(naming, target)}(${args}); }\n`;
  });
}
