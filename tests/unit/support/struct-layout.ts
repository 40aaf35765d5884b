/** Byte offsets of an @unmanaged class, computed from its source: tests read and fill kernel structs by field name. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const SIZES: Readonly<Record<string, number>> = { u8: 1, i8: 1, bool: 1, u16: 2, i16: 2, u64: 8, i64: 8 };

/** `file` is relative to the repository; references and function types count 4 bytes, like usize. */
export function structLayout(file: string, name: string): Record<string, number> {
  const source = readFileSync(join(process.cwd(), file), "utf8");
  const start = source.indexOf(`class ${name} {`);
  if (start < 0) throw new Error(`${file} has no class ${name}`);
  const body = source.slice(start, source.indexOf("\n}", start));
  const offsets: Record<string, number> = {};
  let at = 0;
  for (const [, field, type] of body.matchAll(/^ {2}(\w+): ([^;]+);/gm)) {
    const size = SIZES[type!.trim()] ?? 4;
    at = (at + size - 1) & ~(size - 1);
    offsets[field!] = at;
    at += size;
  }
  offsets["sizeof"] = at;
  return offsets;
}
