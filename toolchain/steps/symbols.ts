/**
 * The symbol table inside the kernel: code address -> TypeScript name, for backtraces.
 *
 * Section .symtab_blob, at image_address(SYMTAB_VA), little endian:
 *
 *   0    u32 magic       0x314d5953, "SYM1"
 *   4    u32 count       number of entries
 *   8    count x { u32 textOffset; u32 nameOffset }
 *        names           ASCII, each ended by a zero byte; equal names are stored once
 *
 * Invariants  T1  entries ascend strictly by textOffset, which counts from TEXT_VA.
 *             T2  nameOffset counts from the first byte of the names, 8 + 8 * count.
 *             T3  the symbol of `address` is the last entry with textOffset <= address - TEXT_VA; addresses from
 *                 TEXT_END_VA on have none.
 *
 * Names look like "kernel/core/mm/frame.ts:frameAlloc"; assembly symbols and C helpers keep their own.
 */
import { run } from "../run.ts";

export interface TextSymbol {
  /** Bytes from text_va. */
  offset: number;
  name: string;
}

const MAGIC = 0x314d5953;
const HEADER_BYTES = 8;
const ENTRY_BYTES = 8;
const BYTES_PER_LINE = 32;

/** Symbols in .text of the kernel's ELF, one per address, ascending (T1). */
export function readSymbols(elf: string, names: Readonly<Record<string, string>>): TextSymbol[] {
  const lines = symbolLines(elf);
  const address = new Map(lines.map(([value, , name]) => [name, BigInt(`0x${value || "0"}`)]));
  return textSymbols(lines, names, address.get("text_va") ?? 0n, address.get("text_end_va") ?? 0n);
}

/** Symbols of a server's program, one per address, ascending; offsets count from the start of its executable segment. */
export function readProgramSymbols(elf: string, names: Readonly<Record<string, string>>): TextSymbol[] {
  const segment = /LOAD +\S+ (0x[0-9a-f]+) \S+ \S+ (0x[0-9a-f]+) R E/.exec(run("readelf", ["-lW", elf]));
  const start = BigInt(segment?.[1] ?? 0);
  return textSymbols(symbolLines(elf), names, start, start + BigInt(segment?.[2] ?? 0));
}

/** The file beside a server's program: one line a function, "OFFSET NAME", the offset in hexadecimal; the supervisor reads it. */
export function symbolText(symbols: readonly TextSymbol[]): string {
  return symbols.map(({ offset, name }) => `${offset.toString(16)} ${name}\n`).join("");
}

type SymbolLine = readonly [value: string, type: string, name: string];

function symbolLines(elf: string): SymbolLine[] {
  return run("nm", ["--numeric-sort", elf]).trim().split("\n").map((line) => line.split(" ") as unknown as SymbolLine);
}

function textSymbols(lines: readonly SymbolLine[], names: Readonly<Record<string, string>>, start: bigint, end: bigint): TextSymbol[] {
  const byOffset = new Map<number, string>();
  for (const [value, type, name] of lines) {
    const at = BigInt(`0x${value || "0"}`);
    if (!"tT".includes(type) || at < start || at >= end || name === "text_va") continue;
    const offset = Number(at - start);
    const known = names[withoutSuffix(name)];
    if (known !== undefined || !byOffset.has(offset)) byOffset.set(offset, known ?? name);
  }
  return [...byOffset].map(([offset, name]) => ({ offset, name })).sort((a, b) => a.offset - b.offset);
}

/** gcc's clones (.constprop.0, .part.1, .isra.2, .cold) are the function they were cut from. */
function withoutSuffix(name: string): string {
  return name.replace(/\.(?:constprop|part|isra|cold|lto_priv)(?:\.\d+)?/g, "");
}

/** The table's bytes. */
export function symbolTable(symbols: readonly TextSymbol[]): Buffer {
  const namesStart = HEADER_BYTES + symbols.length * ENTRY_BYTES;
  const nameOffset = new Map<string, number>();
  const names: Buffer[] = [];
  let size = 0;
  for (const { name } of symbols) {
    if (nameOffset.has(name)) continue;
    const bytes = Buffer.from(`${name}\0`, "latin1");
    nameOffset.set(name, size);
    names.push(bytes);
    size += bytes.length;
  }
  const head = Buffer.alloc(namesStart);
  head.writeUInt32LE(MAGIC, 0);
  head.writeUInt32LE(symbols.length, 4);
  symbols.forEach(({ offset, name }, index) => {
    head.writeUInt32LE(offset, HEADER_BYTES + index * ENTRY_BYTES);
    head.writeUInt32LE(nameOffset.get(name) as number, HEADER_BYTES + index * ENTRY_BYTES + 4);
  });
  return Buffer.concat([head, ...names]);
}

/** An assembly file with the table. */
export function symbolAssembly(symbols: readonly TextSymbol[]): string {
  const bytes = symbolTable(symbols);
  const lines = [`  .section .symtab_blob, "a", @progbits`, "  .balign 16"];
  for (let at = 0; at < bytes.length; at += BYTES_PER_LINE) {
    lines.push(`  .byte ${[...bytes.subarray(at, at + BYTES_PER_LINE)].join(",")}`);
  }
  return [...lines, `  .section .note.GNU-stack, "", @progbits`, ""].join("\n");
}
