/**
 * Reads the few sections of a WebAssembly binary that the build needs.
 *
 * Spec  WebAssembly core specification 2.0, 5.5 Modules.
 */
import { BuildError, messages } from "./messages.ts";

export interface WasmImport {
  module: string;
  name: string;
}

export interface WasmData {
  offset: number;
  bytes: Buffer;
}

export interface WasmModule {
  imports: WasmImport[];
  exports: string[];
  data: WasmData[];
  hasStart: boolean;
}

const SECTION_IMPORT = 2;
const SECTION_EXPORT = 7;
const SECTION_START = 8;
const SECTION_DATA = 11;
const HEADER_BYTES = 8;
const OP_I32_CONST = 0x41;
const OP_END = 0x0b;

/** A cursor over the bytes; LEB128 integers are at most 32 bits here. */
class Reader {
  private at: number;
  private readonly bytes: Buffer;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  get position(): number {
    return this.at;
  }

  byte(): number {
    return this.bytes[this.at++] as number;
  }

  unsigned(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) return value;
    }
  }

  /** A signed i32, returned as the unsigned address it stands for. */
  address(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if ((byte & 0x80) !== 0) continue;
      if (shift < 25 && (byte & 0x40) !== 0) value |= -1 << (shift + 7);
      return value >>> 0;
    }
  }

  take(size: number): Buffer {
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }

  name(): string {
    return this.take(this.unsigned()).toString("utf8");
  }
}

export function readWasm(bytes: Buffer): WasmModule {
  const module: WasmModule = { imports: [], exports: [], data: [], hasStart: false };
  for (let at = HEADER_BYTES; at < bytes.length; ) {
    const reader = new Reader(bytes, at);
    const id = reader.byte();
    const size = reader.unsigned();
    at = reader.position + size;
    if (id === SECTION_IMPORT) readImports(reader, module);
    else if (id === SECTION_EXPORT) readExports(reader, module);
    else if (id === SECTION_DATA) readData(reader, module);
    else if (id === SECTION_START) module.hasStart = true;
  }
  return module;
}

function readImports(reader: Reader, module: WasmModule): void {
  for (let left = reader.unsigned(); left > 0; left--) {
    module.imports.push({ module: reader.name(), name: reader.name() });
    const kind = reader.byte();
    if (kind === 0) {
      reader.unsigned();
    } else if (kind === 2) {
      const hasMaximum = (reader.byte() & 1) !== 0;
      reader.unsigned();
      if (hasMaximum) reader.unsigned();
    } else {
      throw new BuildError(messages.preludeShape(`import of kind ${kind}`));
    }
  }
}

function readExports(reader: Reader, module: WasmModule): void {
  for (let left = reader.unsigned(); left > 0; left--) {
    module.exports.push(reader.name());
    reader.byte();
    reader.unsigned();
  }
}

function readData(reader: Reader, module: WasmModule): void {
  for (let left = reader.unsigned(); left > 0; left--) {
    const mode = reader.unsigned();
    if (mode !== 0 || reader.byte() !== OP_I32_CONST) throw new BuildError(messages.preludeShape("passive data"));
    const offset = reader.address();
    if (reader.byte() !== OP_END) throw new BuildError(messages.preludeShape("computed data offset"));
    module.data.push({ offset, bytes: reader.take(reader.unsigned()) });
  }
}
