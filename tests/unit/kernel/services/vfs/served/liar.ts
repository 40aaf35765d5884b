/** What a server may answer that a lawful one would not: fields, counts, names, errnos and whole replies that make no sense, from a seed. */
import { FILE_SYSTEM } from "../../../../../../kernel/abi/protocol/file-system.ts";
import { layoutOf, NAME_BYTES, REPLY_OFFSET, structOf, type Field } from "../../../../../../toolchain/protocol/layout.ts";
import { type Random } from "../../../../support/random.ts";
import type { Call } from "./served-machine.ts";
import type { Method } from "./tree-server.ts";

const REPLIES = new Map(FILE_SYSTEM.methods.map(({ name, reply }) => [name, layoutOf(FILE_SYSTEM, reply, REPLY_OFFSET)]));
const NAMES = ["", ".", "..", "/", "a/b", "../../x", "a\0b", "\0", "x".repeat(NAME_BYTES), "\xff\xfe"];
const ERRNOS = [-1, -2, -4, -5, -11, -12, -14, -17, -20, -22, -28, -32, -36, -39, -40, -110, -133, -4095, -4096, -0x80000000, 1, 0x7fffffff];
const NEAR: readonly bigint[] = [-1n, 1n, 2n, -2n, 0x100n];
const WORDS: readonly bigint[] = [
  0n, 1n, 2n, 3n, 255n, 256n, 257n, 4095n, 4096n, 0xffffn, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x100000000n, 0x100000001n,
  1n << 43n, 1n << 44n, 1n << 52n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 2n, (1n << 64n) - 1n,
];

interface Place {
  readonly offset: number;
  readonly type: "u32" | "u64" | "name";
}

export class Liar {
  /** Lies told, by kind. */
  readonly told: Map<string, number> = new Map<string, number>();
  private earlier: Uint8Array | undefined;

  constructor(private readonly random: Random) {}

  /** Spoils the answer in one way. */
  spoil(call: Call): void {
    const kinds: Record<string, (call: Call) => void> = {
      errno: () => { call.status = this.random.pick(ERRNOS); },
      death: () => { call.status = "die"; },
      success: () => { call.status = 0; },
      field: () => { this.fieldSpoil(call); },
      fields: () => { for (let i = 0; i < 4; i++) this.fieldSpoil(call); },
      count: () => { this.countSpoil(call); },
      element: () => { this.elementRepeat(call); },
      bits: () => { this.bitsFlip(call); },
      another: () => { this.replyOfAnother(call); },
    };
    const kind = this.random.pick(Object.keys(kinds));
    this.told.set(kind, (this.told.get(kind) ?? 0) + 1);
    kinds[kind]!(call);
    this.earlier = bytesOf(call).slice(REPLY_OFFSET);
  }

  private fieldSpoil({ method, window }: Call): void {
    const places = placesOf(method, window);
    if (places.length === 0) return;
    const { offset, type } = this.random.pick(places);
    if (type === "name") this.nameSpoil(window, offset);
    else if (type === "u32") window.setUint32(offset, Number(this.value(BigInt(window.getUint32(offset, true))) & 0xffffffffn), true);
    else window.setBigUint64(offset, this.value(window.getBigUint64(offset, true)), true);
  }

  private value(was: bigint): bigint {
    const value = this.random.chance(40) ? was + this.random.pick(NEAR) : this.random.chance(70) ? this.random.pick(WORDS) : was * BigInt(this.random.below(9));
    return BigInt.asUintN(64, value);
  }

  private nameSpoil(window: DataView, offset: number): void {
    const name = Buffer.from(this.random.pick(NAMES), "latin1");
    window.setUint32(offset, this.random.chance(20) ? Number(this.random.pick(WORDS) & 0xffffffffn) : name.length, true);
    new Uint8Array(window.buffer, window.byteOffset + offset + 4, name.length).set(name);
  }

  private countSpoil({ method, window }: Call): void {
    for (const { most, offset } of REPLIES.get(method)!.fields) {
      if (most !== undefined) window.setUint32(offset, this.random.pick([0, 1, most - 1, most, most + 1, 0x7fffffff, 0x80000000, 0xffffffff]), true);
    }
  }

  /** One element stands twice: extents overlap, entries stand still. */
  private elementRepeat({ method, window }: Call): void {
    for (const { most, type, offset, elements } of REPLIES.get(method)!.fields) {
      if (most === undefined || elements === undefined) continue;
      const { bytes } = structOf(FILE_SYSTEM, type);
      const count = Math.min(most - 1, window.getUint32(offset, true));
      const [from, to] = [this.random.below(count + 1), this.random.below(count + 1)];
      const whole = new Uint8Array(window.buffer, window.byteOffset);
      whole.copyWithin(elements + to * bytes, elements + from * bytes, elements + (from + 1) * bytes);
      window.setUint32(offset, Math.max(count, to + 1), true);
    }
  }

  private bitsFlip(call: Call): void {
    const { bytes } = REPLIES.get(call.method)!;
    if (bytes === 0) return;
    const window = bytesOf(call);
    for (let i = 0; i < 1 + this.random.below(8); i++) window[REPLY_OFFSET + this.random.below(Math.min(bytes, 400))]! ^= 1 << this.random.below(8);
  }

  private replyOfAnother(call: Call): void {
    if (this.earlier) bytesOf(call).set(this.earlier, REPLY_OFFSET);
  }
}

function bytesOf({ window }: Call): Uint8Array { return new Uint8Array(window.buffer, window.byteOffset, window.byteLength); }

/** Every word and name of a reply, of arrays those of the elements that are there. */
function placesOf(method: Method, window: DataView): Place[] {
  return REPLIES.get(method)!.fields.flatMap((field) => fieldPlaces(field, 0, window));
}

function fieldPlaces({ type, offset, most, elements }: Field, base: number, window: DataView): Place[] {
  if (most !== undefined && elements !== undefined) {
    const { fields, bytes } = structOf(FILE_SYSTEM, type);
    const count = Math.min(most, window.getUint32(base + offset, true));
    const inside = Array.from({ length: count }, (_, i) => fields.flatMap((each) => fieldPlaces(each, elements + i * bytes, window)));
    return [{ offset: base + offset, type: "u32" }, ...inside.flat()];
  }
  if (type === "u32" || type === "u64" || type === "name") return [{ offset: base + offset, type }];
  return structOf(FILE_SYSTEM, type).fields.flatMap((each) => fieldPlaces(each, base + offset, window));
}
