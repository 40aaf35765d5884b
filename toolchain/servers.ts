/** Servers: every servers/<kind>/<name>/ with a manifest.json becomes build/servers/<name>, a static-PIE program. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { cachedStep, filesUnder } from "./cache.ts";
import { manifestLine, readManifest, type Manifest } from "./manifest.ts";
import { BuildError, messages } from "./messages.ts";
import { ARCH, BUILD, ROOT } from "./paths.ts";
import { run, runNode } from "./run.ts";
import { linearImage } from "./steps/linear.ts";
import { SERVER_OPERATIONS } from "./steps/operations.ts";
import { rewriteWasm2c } from "./steps/rewrite.ts";
import { readProgramSymbols, symbolText } from "./steps/symbols.ts";
import { wasm2cText } from "./steps/wasm2c.ts";
import { readWasm } from "./wasm.ts";

export interface Server {
  manifest: Manifest;
  /** Relative to the root. */
  folder: string;
}

const SERVERS = join(ROOT, "servers");
const OUT = join(BUILD, "servers");
const PAGE = 65536;
const RUNTIME_TEST_BYTES = 4 << 20;
/** Linear memory in unit tests: up to 3 GiB, below which lies everything that servers map. */
const TEST_PAGES = 49152;
const WARNING_NOT_EXPORTABLE = "235"; // classes have no wasm form
const GCC_FLAGS = [
  "-std=gnu11", "-O2", "-ffreestanding", "-nostdlib", "-nostartfiles", "-static-pie", "-fPIE", "-mgeneral-regs-only", "-fno-strict-aliasing",
  "-fwrapv", "-fno-delete-null-pointer-checks", "-fstack-protector-strong", "-mstack-protector-guard=global", "-fcf-protection=none",
  "-fno-omit-frame-pointer",
  "-fno-asynchronous-unwind-tables", "-fno-ident", "-g0", "-pipe", "-Wall", "-Wno-unused", "-Wno-array-bounds", "-Wno-stringop-overflow",
  "-Wl,-z,relro,-z,now", "-Wl,-z,noexecstack", "-Wl,-z,separate-code", "-Wl,--build-id=none", "-Wl,--no-dynamic-linker",
];

/** All servers below a folder: the system's own, or some of a test. */
export function servers(from: string = SERVERS): Server[] {
  return filesUnder(from, "manifest.json").map((path) => {
    const folder = relative(ROOT, join(path, ".."));
    const manifest = readManifest(path);
    if (!folder.endsWith(`/${manifest.name}`)) throw new BuildError(messages.manifest(path, "its name is not its folder's"));
    if (!existsSync(join(ROOT, folder, "main.ts"))) throw new BuildError(messages.manifest(path, "there is no main.ts beside it"));
    return { manifest, folder };
  });
}

/** Builds every server; the paths of the programs. */
export function buildServers(from: string = SERVERS): Map<string, string> {
  mkdirSync(OUT, { recursive: true });
  return new Map(servers(from).map((server) => [server.manifest.name, buildServer(server)]));
}

/** The lines servers/services/supervisor/manifest.ts reads. */
export function manifestLines(from: string = SERVERS): string {
  return servers(from).map(({ manifest }) => manifestLine(manifest)).join("");
}

/** Names of the functions of a program, for the backtrace when it crashes. */
export function symbolsOf(program: string): string { return `${program}.symbols`; }

function buildServer(server: Server): string {
  const { name, memoryMiB } = server.manifest;
  const folder = join(OUT, name);
  const wasm = join(folder, "kernel.wasm");
  serverWasm(server, wasm, join(folder, "kernel.wat"));
  const program = join(OUT, name, name);
  cachedStep({
    name: `server-${name}`,
    inputs: [wasm, join(ARCH, "native.h"), join(ARCH, "user/server.c")],
    parameters: [...GCC_FLAGS, String(memoryMiB)],
    outputs: [program, symbolsOf(program)],
    action: () => translate(folder, wasm, program, memoryMiB),
  });
  return program;
}

/** The server's module; managed AssemblyScript, collected by the runtime's loop. */
function serverWasm(server: Server, wasm: string, wat: string): void {
  const pages = memoryPages(server);
  compile(`asc-${server.manifest.name}`, server.folder, [
    join(server.folder, "main.ts"), "--initialMemory", pages, "--maximumMemory", pages, "--noExportMemory", "--disableWarning", "201",
    "--outFile", wasm, "--textFile", wat,
  ], [wasm, wat]);
}

/**
 * The server for unit tests (tests/unit/support/server.ts), build/servers/NAME/test.wasm: the same code with every file an entry, so that
 * each exported function can be called, and with memory that the test can make room in where the server maps things.
 */
export function buildServerTestWasm(server: Server): void {
  const { name } = server.manifest;
  const wasm = join(OUT, name, "test.wasm");
  const entries = filesUnder(join(ROOT, server.folder), ".ts").map((path) => relative(ROOT, path));
  compile(`asc-test-${name}`, server.folder, [
    ...entries, "--initialMemory", memoryPages(server), "--maximumMemory", String(TEST_PAGES),
    "--exportRuntime", "--disableWarning", "201", "--disableWarning", WARNING_NOT_EXPORTABLE, "--outFile", wasm,
  ], [wasm]);
}

/** build/servers/runtime-test.wasm: what the runtime's own unit tests call. */
export function buildRuntimeTestWasm(): void {
  mkdirSync(OUT, { recursive: true });
  const wasm = join(OUT, "runtime-test.wasm");
  const pages = String(RUNTIME_TEST_BYTES / PAGE);
  compile("asc-test-runtime", "servers/runtime", [
    "servers/runtime/ring.ts", "servers/runtime/message.ts", "servers/runtime/clock.ts", "--initialMemory", pages, "--maximumMemory", pages,
    "--disableWarning", "201", "--disableWarning", WARNING_NOT_EXPORTABLE, "--outFile", wasm,
  ], [wasm]);
}

function memoryPages(server: Server): string { return String((server.manifest.memoryMiB << 20) / PAGE); }

function compile(step: string, folder: string, own: readonly string[], outputs: readonly string[]): void {
  const args = [
    join(ROOT, "node_modules/assemblyscript/bin/asc.js"), ...own, "--optimizeLevel", "2", "--runtime", "minimal", "--enable", "threads",
    "--memoryBase", String(PAGE), "--exportStart", "_initialize", "--use", "abort=", "--debug",
  ];
  cachedStep({
    name: step,
    inputs: [folder, "servers/runtime", "kernel/abi"].flatMap((path) => filesUnder(join(ROOT, path), ".ts")), // all it may import
    parameters: args.slice(1).map((arg) => arg.replace(ROOT, "")),
    outputs,
    action: () => void runNode(args),
  });
}

function translate(folder: string, wasm: string, program: string, memoryMiB: number): void {
  const { code, names } = rewriteWasm2c(wasm2cText(wasm), SERVER_OPERATIONS);
  const unit = join(folder, "server.c");
  writeFileSync(unit, `#include "user/server.c"\n\n${code}`);
  const image = linearImage(readWasm(readFileSync(wasm)));
  const assembly = join(folder, "image.S");
  writeFileSync(assembly, imageAssembly(image));
  run("gcc", [...GCC_FLAGS, `-I${ARCH}`, `-ffile-prefix-map=${ROOT}/=`, `-DSERVER_MEMORY=${memoryMiB << 20}u`, unit, assembly, "-o", program]);
  writeFileSync(symbolsOf(program), symbolText(readProgramSymbols(program, Object.fromEntries(names))));
  run("strip", ["--strip-all", program]);
}

function imageAssembly(image: Buffer): string {
  const lines = ["  .section .rodata", "  .balign 16", "  .globl server_image", "server_image:"];
  for (let at = 0; at < image.length; at += 32) lines.push(`  .byte ${[...image.subarray(at, at + 32)].join(",")}`);
  lines.push("  .balign 4", "  .globl server_image_size", "server_image_size:", `  .long ${image.length}`);
  return [...lines, '  .section .note.GNU-stack, "", @progbits', ""].join("\n");
}
