/**
 * Everything that is generated from the system call contract (kernel/abi/syscalls.ts).
 *
 *   kernel/services/syscall-dispatch.gen.ts   number -> handler, arguments cast to the handler's own types
 *   kernel/services/native-dispatch.gen.ts    the same for the native calls (kernel/abi/native.ts, handlers nativeXxx)
 *   kernel/services/syscall-names.gen.ts      number -> name and argument kinds, for the tracer
 *   docs/syscalls.md, docs/native-calls.md    the tables for people
 *   kernel/abi/NAME.gen.ts and its like       constants, stubs and types of each protocol (kernel/abi/protocol, protocol/files.ts)
 *   docs/locking.md                           its table of ranks (locking.ts)
 *
 * The handler of row `rt_sigaction` is the function `sysRtSigaction` that some file of the kernel exports. A row
 * without one is left out of the dispatcher, so the call answers ENOSYS, and the docs say so.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { NATIVE_BASE, NATIVE_CALLS } from "../kernel/abi/native.ts";
import { SYSCALLS, type SyscallRow } from "../kernel/abi/syscalls.ts";
import { filesUnder } from "./cache.ts";
import { LOCKING_DOCS, lockingDocs } from "./locking.ts";
import { BuildError, messages } from "./messages.ts";
import { ROOT } from "./paths.ts";
import { protocolFiles } from "./protocol/files.ts";

export interface Handler {
  name: string;
  /** Source file, relative to the root. */
  file: string;
  /** Parameter types, as written. */
  parameters: string[];
  result: string;
}

const DISPATCH = "kernel/services/syscall-dispatch.gen.ts";
const NAMES = "kernel/services/syscall-names.gen.ts";
const NATIVE_DISPATCH = "kernel/services/native-dispatch.gen.ts";
const DOCS = "docs/syscalls.md";
const NATIVE_DOCS = "docs/native-calls.md";
const HEAD = "Generated from kernel/abi/syscalls.ts by toolchain/generate.ts; do not edit.";
const REGISTERS = 6;
const GROUP_SHIFT = 6;
const WORD_BYTES = 4;

/** Path (relative to the root) -> content. */
export function generate(): Map<string, string> {
  const handlers = findHandlers();
  const rows = [...SYSCALLS].sort((a, b) => a.nr - b.nr);
  return new Map([
    [DISPATCH, dispatcher(rows, handlers, LINUX_TABLE)],
    [NATIVE_DISPATCH, dispatcher(NATIVE_CALLS, handlers, NATIVE_TABLE)],
    [NAMES, nameTable(rows)],
    [DOCS, documentation(rows, handlers)],
    [NATIVE_DOCS, nativeDocumentation(handlers)],
    [LOCKING_DOCS, lockingDocs()],
    ...protocolFiles(),
  ]);
}

/** Writes what changed. */
export function writeGenerated(): void {
  for (const [path, content] of generate()) {
    const full = join(ROOT, path);
    if (existsSync(full) && readFileSync(full, "utf8") === content) continue;
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content);
    console.log(`  generated        ${path}`);
  }
}

/** Gate: what is committed is what would be generated. */
export function generatedCheck(): void {
  const stale = [...generate()].filter(([path, content]) => {
    const full = join(ROOT, path);
    return !existsSync(full) || readFileSync(full, "utf8") !== content;
  });
  if (stale.length > 0) throw new BuildError(messages.goldenStale(stale.map(([path]) => path)));
}

/** "rt_sigaction" -> "sysRtSigaction". */
export function handlerName(row: string, prefix = "sys"): string {
  return `${prefix}${row.split("_").map((part) => part.charAt(0).toUpperCase() + part.slice(1)).join("")}`;
}

// ---- Handlers ----

function findHandlers(): Map<string, Handler> {
  const handlers = new Map<string, Handler>();
  for (const path of filesUnder(join(ROOT, "kernel"), ".ts")) {
    const text = readFileSync(path, "utf8");
    if (path.endsWith(".gen.ts") || !/^export function (?:sys|native)[A-Z]/m.test(text)) continue;
    for (const handler of handlersOf(relative(ROOT, path), text)) {
      const other = handlers.get(handler.name);
      if (other) throw new BuildError(messages.duplicateHandler(handler.name, other.file, handler.file));
      handlers.set(handler.name, handler);
    }
  }
  return handlers;
}

/** Exported functions sysXxx and nativeXxx of one source. */
export function handlersOf(file: string, text: string): Handler[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, false);
  return source.statements.filter(ts.isFunctionDeclaration).flatMap((fn) => {
    const name = fn.name?.text ?? "";
    const exported = fn.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword) ?? false;
    if (!exported || !/^(?:sys|native)[A-Z]/.test(name)) return [];
    const parameters = fn.parameters.map((parameter) => parameter.type?.getText(source) ?? "");
    return [{ name, file, parameters, result: fn.type?.getText(source) ?? "void" }];
  });
}

// ---- Dispatcher ----

const CASTS: Readonly<Record<string, (register: string) => string>> = {
  u64: (register) => register,
  i64: (register) => `<i64>${register}`,
  u32: (register) => `<u32>${register}`,
  i32: (register) => `<i32>${register}`,
};
/** Where the system call ABI passes arguments. */
const ARGUMENT_REGISTERS = ["rdi", "rsi", "rdx", "r10", "r8", "r9"] as const;
const RESULTS = new Set(["i64", "i32", "void"]);

/** One table of calls. */
interface CallTable {
  title: string;
  file: string;
  source: string;
  /** Number of the first entry. */
  base: number;
  /** Of handlers' names, and of the generated functions. */
  prefix: "sys" | "native";
  dispatch: string;
  init: string;
  /** What a number beyond the table is answered with. */
  beyond: string;
  imports: readonly string[];
}
const LINUX_TABLE: CallTable = {
  title: "System call number -> handler.", file: DISPATCH, source: "kernel/abi/syscalls.ts", base: 0, prefix: "sys",
  dispatch: "syscallDispatch", init: "syscallTableInit",
  beyond: `nr >= ${NATIVE_BASE} ? nativeDispatch(nr, frame) : -ENOSYS`,
  imports: ['import { nativeDispatch } from "./native-dispatch.gen";'],
};
const NATIVE_TABLE: CallTable = {
  title: "Native call number -> handler.", file: NATIVE_DISPATCH, source: "kernel/abi/native.ts", base: NATIVE_BASE, prefix: "native",
  dispatch: "nativeDispatch", init: "nativeTableInit", beyond: "-ENOSYS", imports: [],
};

function dispatcher(rows: readonly SyscallRow[], handlers: Map<string, Handler>, table: CallTable): string {
  const nameOf = (row: SyscallRow): string => handlerName(row.name, table.prefix);
  const answered = rows.filter((row) => handlers.has(nameOf(row)));
  const imports = new Map<string, Set<string>>();
  for (const row of answered) {
    const handler = handlers.get(nameOf(row)) as Handler;
    const names = imports.get(handler.file) ?? new Set();
    imports.set(handler.file, names.add(handler.name));
  }
  const importLines = [...imports].sort(([a], [b]) => (a < b ? -1 : 1)).map(([file, names]) => {
    const path = relative(dirname(table.file), file).replace(/\.ts$/, "");
    const list = [...names].sort().map((name) => `\n  ${name},`).join("");
    return `import {${list}\n} from "${path.startsWith(".") ? path : `./${path}`}";`;
  });
  const callCount = Math.max(...answered.map((row) => row.nr - table.base), -1) + 1;
  const set = table.prefix === "sys" ? "callSet" : "nativeSet";
  const none = table.prefix === "sys" ? "callNone" : "nativeNone";
  const at = table.base === 0 ? "nr" : `(nr - ${table.base})`;
  return [
    `/** ${table.title} Generated from ${table.source} by toolchain/generate.ts; do not edit. */`,
    `import { TrapFrame } from "../../arch/current";`,
    ...table.imports,
    ...importLines,
    "",
    "const ENOSYS: i64 = 38;",
    "",
    `/** One more than the highest number answered. */`,
    `const CALLS: u32 = ${table.base + callCount};`,
    "/** Table indices of the functions below, by number. */",
    `const TABLE: usize = memory.data(${callCount * WORD_BYTES}, ${WORD_BYTES});`,
    "",
    "/** Calls the handler of `nr` with its arguments from `frame`; its result, or -ENOSYS when nothing answers the number. */",
    `export function ${table.dispatch}(nr: u64, frame: TrapFrame): i64 {`,
    `  if (nr >= CALLS) return ${table.beyond};`,
    `  return call_indirect<i64>(load<u32>(TABLE + (<usize>${at} << 2)), frame);`,
    "}",
    "",
    "/** SAFETY: a function reference is the address of a word with its table index. */",
    `function ${set}(index: u32, call: (frame: TrapFrame) => i64): void {`,
    "  store<u32>(TABLE + (<usize>index << 2), load<u32>(changetype<usize>(call)));",
    "}",
    "",
    `function ${none}(frame: TrapFrame): i64 { return -ENOSYS; }`,
    ...answered.map((row) => callLine(row, handlers.get(nameOf(row)) as Handler)),
    "",
    "/** Fills the table; before the first program runs. */",
    `export function ${table.init}(): void {`,
    `  for (let index: u32 = 0; index < CALLS - ${table.base}; index++) ${set}(index, ${none});`,
    ...answered.map((row) => `  ${set}(${row.nr - table.base}, call${row.nr});`),
    "}",
    "",
  ].join("\n");
}

/** Calls whose numbers share the upper bits: a switch of hundreds of cases nests deeper than wasm2c can follow. */
function groupsOf<T>(items: readonly T[], number: (item: T) => number): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const item of items) {
    const group = number(item) >> GROUP_SHIFT;
    groups.set(group, [...(groups.get(group) ?? []), item]);
  }
  return groups;
}

/** The function in the table: a call with no more of a prologue than its handler needs. */
function callLine(row: SyscallRow, handler: Handler): string {
  const declared = argumentsOf(row).length;
  const where = `${handler.file}:${handler.name}`;
  if (handler.parameters.length > Math.min(declared, REGISTERS)) {
    const why = `takes ${handler.parameters.length} arguments, the contract has ${declared}`;
    throw new BuildError(messages.handlerSignature(where, why));
  }
  if (!RESULTS.has(handler.result)) {
    throw new BuildError(messages.handlerSignature(where, `returns ${handler.result}; use i64, i32 or void`));
  }
  const args = handler.parameters.map((type, index) => {
    const cast = CASTS[type];
    if (!cast) throw new BuildError(messages.handlerSignature(where, `parameter type ${type}; use u64, i64, u32 or i32`));
    return cast(`frame.${ARGUMENT_REGISTERS[index] as string}`);
  });
  const call = `${handler.name}(${args.join(", ")})`;
  const body = handler.result === "void" ? `${call}; return 0;` : `return ${call};`;
  return `function call${row.nr}(frame: TrapFrame): i64 { ${body} }`;
}

// ---- Arguments ----

export interface Argument {
  name: string;
  kind: string;
}

/** "fd: fd, buf: out<u8[count]>" -> its arguments. */
export function argumentsOf(row: SyscallRow): Argument[] {
  if (row.args.trim() === "") return [];
  return row.args.split(",").map((part) => {
    const colon = part.indexOf(":");
    if (colon < 0) throw new BuildError(messages.handlerSignature(row.name, `argument "${part.trim()}" has no kind`));
    return { name: part.slice(0, colon).trim(), kind: part.slice(colon + 1).trim() };
  });
}

/** How the tracer prints an argument: d signed 32, u unsigned 32, l signed 64, x hexadecimal 64, s string, o octal. */
export function traceKind(kind: string): string {
  if (/^(?:fd|dirfd|pid|tid|sig|uid|gid|int)$/.test(kind)) return "d";
  if (/^(?:long|off)$/.test(kind)) return "l";
  if (/^(?:path|str)$/.test(kind)) return "s";
  if (kind === "mode") return "o";
  if (kind === "uint" || kind.startsWith("enum<")) return "u";
  if (kind.startsWith("flags<")) return "x";
  return kind === "usize" ? "l" : "x";
}

function nameTable(rows: readonly SyscallRow[]): string {
  const kindsOf = (row: SyscallRow): string =>
    argumentsOf(row).map((argument) => traceKind(argument.kind)).join("");
  return [
    `/** Names and argument kinds of the system calls, for the tracer. ${HEAD} */`,
    "",
    "/** The call's name, or \"\" when the contract has no row for it. */",
    ...stringSwitch("syscallName", rows, (row) => row.name, ""),
    "",
    "/** One letter an argument: d i32, u u32, l i64, x hexadecimal u64, s user string, o octal u32. */",
    ...stringSwitch("syscallArgKinds", rows, kindsOf, "xxxxxx"),
    "",
  ].join("\n");
}

/** A function from number to string, in groups. */
function stringSwitch(
  name: string, rows: readonly SyscallRow[], value: (row: SyscallRow) => string, fallback: string,
): string[] {
  const groups = groupsOf(rows, (row) => row.nr);
  return [
    `export function ${name}(nr: u32): string {`,
    `  switch (nr >> ${GROUP_SHIFT}) {`,
    ...[...groups.keys()].map((group) => `    case ${group}: return ${name}${group}(nr);`),
    `    default: return "${fallback}";`,
    "  }",
    "}",
    ...[...groups].flatMap(([group, members]) => [
      "",
      `function ${name}${group}(nr: u32): string {`,
      "  switch (nr) {",
      ...members.map((row) => `    case ${row.nr}: return "${value(row)}";`),
      `    default: return "${fallback}";`,
      "  }",
      "}",
    ]),
  ];
}

// ---- Documentation ----

function nativeDocumentation(handlers: Map<string, Handler>): string {
  const lines = NATIVE_CALLS.map((row) => {
    const handler = handlers.get(handlerName(row.name, "native"));
    const where = handler ? `[${handler.file}](../${handler.file})` : "ENOSYS";
    return `| 0x${row.nr.toString(16)} | ${row.name} | \`${row.args}\` | ${row.blocks ? "yes" : ""} | ${where} |`;
  });
  return [
    "# Native calls",
    "",
    "<!-- Generated from kernel/abi/native.ts by toolchain/generate.ts; do not edit. -->",
    "",
    "What servers ask of the kernel beside Linux's calls; what each does stands in kernel/abi/native.ts.",
    "",
    "| nr | name | arguments | may block | handler |",
    "|---:|------|-----------|-----------|---------|",
    ...lines,
    "",
  ].join("\n");
}

function documentation(rows: readonly SyscallRow[], handlers: Map<string, Handler>): string {
  const answered = rows.filter((row) => handlers.has(handlerName(row.name))).length;
  const lines = rows.map((row) => {
    const handler = handlers.get(handlerName(row.name));
    const args = row.args.replace(/\|/g, "\\|");
    const where = handler ? `[${handler.file}](../${handler.file})` : "ENOSYS";
    return `| ${row.nr} | ${row.name} | \`${args}\` | ${row.blocks ? "yes" : ""} | ${row.errors ?? ""} | ${where} |`;
  });
  return [
    "# System calls",
    "",
    `<!-- ${HEAD} -->`,
    "",
    `Linux x86-64 numbers and signatures; ${answered} of the ${rows.length} rows of the contract have a handler.`,
    "Anything else answers ENOSYS. EFAULT goes with every pointer, EBADF with every fd, EINTR with every call that may block.",
    "",
    "| nr | name | arguments | may block | errors | handler |",
    "|---:|------|-----------|-----------|--------|---------|",
    ...lines,
    "",
  ].join("\n");
}
