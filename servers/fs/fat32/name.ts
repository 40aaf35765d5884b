/**
 * Names: UTF-8 of the kernel, UTF-16 of long names, 8.3 of short ones.
 *
 * Invariants  N1  a Name is well-formed UTF-16 of 1 to 255 units.
 * ASCII letters compare without case (as the kernel's cache does for FOLD_CASE), all others as they are.
 */
import { get8, put8 } from "../../runtime/memory";
import { codepageUnit } from "./codepage";
import { CaseFlag, FREED, KANJI, Slot } from "./layout";

export const NAME_UNITS: u32 = 255;
export const SHORT_BYTES: u32 = 11;

export class Name {
  units: StaticArray<u16> = new StaticArray<u16>(260);
  length: u32 = 0;
}

/** Decodes UTF-8. False: it is malformed, or too long (N1; its length is beyond NAME_UNITS then). */
export function nameDecode(name: Name, at: usize, bytes: u32): bool {
  name.length = 0;
  for (let i: u32 = 0; i < bytes;) {
    const first = get8(at + i);
    const extra: u32 = first < 0x80 ? 0 : first < 0xc2 ? 9 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : 9;
    if (i + extra >= bytes) return false;
    let code = extra == 0 ? first : first & (0x3f >> extra);
    for (let k: u32 = 1; k <= extra; k++) {
      const next = get8(at + i + k);
      if ((next & 0xc0) != 0x80) return false;
      code = code << 6 | next & 0x3f;
    }
    const isShortest = extra < 2 || code >= (extra == 2 ? 0x800 : 0x10000);
    if (!isShortest || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
    if (!unitsAdd(name, code)) return false;
    i += extra + 1;
  }
  return name.length != 0;
}

function unitsAdd(name: Name, code: u32): bool {
  if (name.length + (code > 0xffff ? 2 : 1) > NAME_UNITS) {
    name.length = NAME_UNITS + 1;
    return false;
  }
  if (code > 0xffff) {
    name.units[name.length++] = <u16>(0xd7c0 + (code >> 10));
    name.units[name.length++] = <u16>(0xdc00 | code & 0x3ff);
  } else {
    name.units[name.length++] = <u16>code;
  }
  return true;
}

/** Encodes as UTF-8 at `at` (room for 768 bytes); a half of a surrogate pair becomes U+FFFD. The bytes written. */
export function nameEncode(name: Name, at: usize): u32 {
  let bytes: u32 = 0;
  for (let i: u32 = 0; i < name.length; i++) {
    let code: u32 = name.units[i];
    if (code >= 0xd800 && code < 0xe000) {
      const low: u32 = i + 1 < name.length ? name.units[i + 1] : 0;
      const isPair = code < 0xdc00 && low >= 0xdc00 && low < 0xe000;
      if (isPair) i++;
      code = isPair ? ((code - 0xd7c0) << 10) + (low & 0x3ff) : 0xfffd;
    }
    bytes += codePut(at + bytes, code);
  }
  return bytes;
}

function codePut(at: usize, code: u32): u32 {
  if (code < 0x80) {
    put8(at, code);
    return 1;
  }
  const extra: u32 = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  put8(at, (0xff00 >> (extra + 1) & 0xff) | code >> (6 * extra));
  for (let k = extra; k > 0; k--) put8(at + extra - k + 1, 0x80 | code >> (6 * (k - 1)) & 0x3f);
  return extra + 1;
}

function fold(unit: u32): u32 { return unit >= 0x41 && unit <= 0x5a ? unit + 32 : unit; }

export function nameSame(a: Name, b: Name): bool {
  if (a.length != b.length) return false;
  for (let i: u32 = 0; i < a.length; i++) if (fold(a.units[i]) != fold(b.units[i])) return false;
  return true;
}

/** The same with case. */
export function nameExact(a: Name, b: Name): bool {
  if (a.length != b.length) return false;
  for (let i: u32 = 0; i < a.length; i++) if (a.units[i] != b.units[i]) return false;
  return true;
}

export function nameHash(name: Name): u32 {
  let hash: u32 = 0x811c9dc5;
  for (let i: u32 = 0; i < name.length; i++) hash = (hash ^ fold(name.units[i])) * 0x01000193;
  return hash;
}

/** May be made: none of `"*\/:<>?\|`, no control character, no space or dot at the end, not . or .. */
export function nameIsAllowed(name: Name): bool {
  for (let i: u32 = 0; i < name.length; i++) {
    const unit: u32 = name.units[i];
    if (unit < 0x20 || isAmong(unit, "\"*/:<>?\\|")) return false;
  }
  const last: u32 = name.units[name.length - 1];
  return last != 0x20 && last != 0x2e;
}

function isAmong(unit: u32, set: string): bool {
  for (let i = 0; i < set.length; i++) if (<u32>set.charCodeAt(i) == unit) return true;
  return false;
}

/** What a broken volume calls a file becomes a name that can be had: "_" for "/" and NUL, and for names that are empty, "." or "..". */
export function nameMend(name: Name): void {
  for (let i: u32 = 0; i < name.length; i++) if (name.units[i] == 0 || name.units[i] == 0x2f) name.units[i] = 0x5f;
  const isDots = name.length <= 2 && (name.length == 0 || (name.units[0] == 0x2e && name.units[name.length - 1] == 0x2e));
  if (isDots) {
    name.units[0] = 0x5f;
    name.length = 1;
  }
}

// ---- Short names ----

/** The name of a short entry; `cases`: its letters are small (CaseFlag). */
export function shortDecode(name: Name, slot: usize, cases: u32): void {
  name.length = 0;
  shortPart(name, slot, 0, 8, (cases & CaseFlag.BASE) != 0);
  const dotAt = name.length;
  name.units[name.length++] = 0x2e;
  shortPart(name, slot, 8, 11, (cases & CaseFlag.EXTENSION) != 0);
  if (name.length == dotAt + 1) name.length--;
}

function shortPart(name: Name, slot: usize, from: u32, to: u32, isSmall: bool): void {
  let end = to;
  while (end > from && get8(slot + end - 1) == 0x20) end--;
  for (let i = from; i < end; i++) {
    const byte = i == 0 && get8(slot) == KANJI ? FREED : get8(slot + i);
    name.units[name.length++] = codepageUnit(byte, isSmall);
  }
}

/** What spells a name in a short entry alone: its 11 bytes at `out` and the case flags; -1 when it needs a long one. */
export function shortEncode(name: Name, out: usize): i32 {
  const letters = shortBytes(name, out);
  const base = letters & Letters.BOTH;
  const extension = letters >> Letters.EXTENSION;
  if (letters < 0 || base == Letters.BOTH || extension == Letters.BOTH) return -1;
  return (base == Letters.SMALL ? CaseFlag.BASE : 0) | (extension == Letters.SMALL ? CaseFlag.EXTENSION : 0);
}

/** Whether a short entry can have this name, or an alias, in whatever case: its 11 bytes at `out`. */
export function aliasEncode(name: Name, out: usize): bool { return shortBytes(name, out) >= 0; }

/** Letters of a part of a name: which cases there are. */
const enum Letters {
  SMALL = 1,
  CAPITAL = 2,
  BOTH = 3,
  EXTENSION = 2, // those of the extension stand above those of the base by so many bits
}

/** The 11 bytes at `out`, in capitals, and the Letters they were; -1 for a name that is none of 8 and 3. */
function shortBytes(name: Name, out: usize): i32 {
  let dot = name.length;
  for (let i: u32 = 0; i < name.length; i++) if (name.units[i] == 0x2e) {
    if (dot != name.length) return -1;
    dot = i;
  }
  if (dot == 0 || dot > 8 || (dot < name.length && (name.length - dot - 1 > 3 || name.length - dot == 1))) return -1;
  for (let i: u32 = 0; i < SHORT_BYTES; i++) put8(out + i, 0x20);
  const base = partEncode(name, 0, dot, out);
  const extension = dot < name.length ? partEncode(name, dot + 1, name.length, out + 8) : 0;
  return base < 0 || extension < 0 ? -1 : base | extension << Letters.EXTENSION;
}

/** Capitals at `out`, and the Letters they were; -1 when it cannot be. */
function partEncode(name: Name, from: u32, to: u32, out: usize): i32 {
  let letters = 0;
  for (let i = from; i < to; i++) {
    const unit: u32 = name.units[i];
    if (!isShortUnit(unit)) return -1;
    if (unit >= 0x61 && unit <= 0x7a) letters |= Letters.SMALL;
    if (unit >= 0x41 && unit <= 0x5a) letters |= Letters.CAPITAL;
    put8(out + (i - from), unit >= 0x61 && unit <= 0x7a ? unit - 32 : unit);
  }
  return letters;
}

function isShortUnit(unit: u32): bool {
  return unit > 0x20 && unit < 0x7f && !isAmong(unit, "\"*+,./:;<=>?[\\]|");
}

/** The basis of an alias at `out`: capitals, what cannot be as "_", the part behind the last dot as extension. The length of its base. */
export function aliasBasis(name: Name, out: usize): u32 {
  for (let i: u32 = 0; i < SHORT_BYTES; i++) put8(out + i, 0x20);
  let dot = name.length;
  for (let i: u32 = 1; i < name.length; i++) if (name.units[i] == 0x2e) dot = i;
  const base = basisPart(name, 0, dot, out, 8);
  if (dot < name.length) basisPart(name, dot + 1, name.length, out + 8, 3);
  if (base != 0) return base;
  put8(out, 0x5f);
  return 1;
}

function basisPart(name: Name, from: u32, to: u32, out: usize, most: u32): u32 {
  let length: u32 = 0;
  for (let i = from; i < to && length < most; i++) {
    const unit: u32 = name.units[i];
    if (unit == 0x20 || unit == 0x2e) continue;
    const capital = unit >= 0x61 && unit <= 0x7a ? unit - 32 : unit;
    put8(out + length++, isShortUnit(capital) ? capital : 0x5f);
  }
  return length;
}

/** Makes the basis at `out` the alias of that number. */
export function aliasMake(out: usize, baseLength: u32, number: u32): void {
  let digits: u32 = 1;
  for (let n = number; n >= 10; n /= 10) digits++;
  const keep = min<u32>(baseLength, 8 - digits - 1);
  put8(out + keep, 0x7e);
  let n = number;
  for (let i = digits; i > 0; i--) {
    put8(out + keep + i, 0x30 + n % 10);
    n /= 10;
  }
  for (let i = keep + digits + 1; i < 8; i++) put8(out + i, 0x20);
}

/** Makes the basis at `out` an alias of two of its letters and four digits of a hash: "NA1F3C~1". */
export function aliasHashed(out: usize, baseLength: u32, hash: u32): void {
  const keep = min<u32>(baseLength, 2);
  for (let i: u32 = 0; i < 4; i++) {
    const digit = hash >> (12 - 4 * i) & 15;
    put8(out + keep + i, digit < 10 ? 0x30 + digit : 0x41 + digit - 10);
  }
  put8(out + keep + 4, 0x7e);
  put8(out + keep + 5, 0x31);
  for (let i = keep + 6; i < 8; i++) put8(out + i, 0x20);
}

/** Checksum of a short name, in each of its long entries. */
export function shortChecksum(slot: usize): u32 {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < SHORT_BYTES; i++) sum = ((sum & 1) << 7) + (sum >> 1) + get8(slot + i) & 0xff;
  return sum;
}
