/** ACPI tables made to order, and their place in simulated RAM. Spec: ACPI 6.5, ch. 5; Intel VT-d, ch. 8. */
import type { Machine } from "./machine.ts";

/** Where the root pointer lies. */
export const RSDP = 0x10000;
const XSDT = 0x11000;
const TABLES = 0x12000;
const TABLE_SPACING = 0x1000;

/** Little-endian words of the widths given. */
export function bytes(...words: readonly [value: number | bigint, width: 1 | 2 | 4 | 8][]): Buffer {
  return Buffer.concat(words.map(([value, width]) => {
    const word = Buffer.alloc(8);
    word.writeBigUInt64LE(BigInt(value));
    return word.subarray(0, width);
  }));
}

export function checked(table: Buffer, sumAt: number): Buffer {
  table[sumAt] = 0;
  table[sumAt] = -table.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return table;
}

/** A table with its header (5.2.6): signature, length, revision, checksum, and the rest zero. */
export function table(signature: string, body: Buffer, revision = 3): Buffer {
  const header = Buffer.alloc(36);
  header.write(signature, "latin1");
  header.writeUInt32LE(36 + body.length, 4);
  header[8] = revision;
  return checked(Buffer.concat([header, body]), 9);
}

export function place(machine: Machine, tables: Buffer[]): void {
  const put = (at: number, content: Buffer): void => machine.bytes(BigInt(at), content.length).set(content);
  const rsdp = Buffer.concat([Buffer.from("RSD PTR \0\0\0\0\0\0\0\x02", "latin1"), bytes([0, 4], [36, 4], [XSDT, 8], [0, 4])]);
  const first = checked(rsdp.subarray(0, 20), 8);
  put(RSDP, Buffer.concat([first, rsdp.subarray(20)]));
  put(XSDT, table("XSDT", bytes(...tables.map((_, i) => [TABLES + i * TABLE_SPACING, 8] as [number, 8]))));
  tables.forEach((content, i) => put(TABLES + i * TABLE_SPACING, content));
}

export const lapic = (id: number, flags = 1): Buffer => bytes([0, 1], [8, 1], [id, 1], [id, 1], [flags, 4]);
export const x2apic = (id: number): Buffer => bytes([9, 1], [16, 1], [0, 2], [id, 4], [1, 4], [id, 4]);
export const madt = (...entries: Buffer[]): Buffer => table("APIC", Buffer.concat([bytes([0xfee00000, 4], [1, 4]), ...entries]));

/** A device scope (VT-d 8.3.1): type, start bus, path of [device, function]. */
export const scope = (type: number, bus: number, ...path: [device: number, fn: number][]): Buffer =>
  bytes([type, 1], [6 + 2 * path.length, 1], [0, 2], [0, 1], [bus, 1], ...path.flatMap(([device, fn]): [number, 1][] => [[device, 1], [fn, 1]]));
export const remapping = (flags: number, base: number | bigint, scopes: Buffer[] = [], segment = 0): Buffer => {
  const rest = Buffer.concat(scopes);
  return Buffer.concat([bytes([0, 2], [16 + rest.length, 2], [flags, 1], [0, 1], [segment, 2], [base, 8]), rest]);
};
export const reserved = (start: number | bigint, last: number | bigint, scopes: Buffer[] = []): Buffer => {
  const rest = Buffer.concat(scopes);
  return Buffer.concat([bytes([1, 2], [24 + rest.length, 2], [0, 4], [start, 8], [last, 8]), rest]);
};
export const dmar = (...structures: Buffer[]): Buffer => table("DMAR", Buffer.concat([bytes([38, 1], [1, 1], [0, 8], [0, 2]), ...structures]));
