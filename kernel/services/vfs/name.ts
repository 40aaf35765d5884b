/**
 * Names: hashing and comparing path components a word at a time.
 *
 * Linear memory is read up to 7 bytes past a name's end; every name lies in a buffer with that much room.
 */
import { wordAt64 } from "../../lib/bytes";

const ONES: u64 = 0x0101010101010101;
const HIGHS: u64 = 0x8080808080808080;
const SLASHES: u64 = 0x2f2f2f2f2f2f2f2f;
const MIX: u64 = 0x9e3779b97f4a7c15;

/** Longest name of a directory entry. */
export const NAME_MAX: u32 = 255;
/** Longest path with its NUL. */
export const PATH_MAX: u32 = 4096;

function hashFold(h: u64): u32 {
  return <u32>(h ^ (h >> 32));
}

function hashStep(h: u64, word: u64): u64 {
  h = (h ^ word) * MIX;
  return h ^ (h >> 29);
}

/** High bit set in each byte of `word` that is zero (exact up to the first one). */
function zeroBytes(word: u64): u64 {
  return (word - ONES) & ~word & HIGHS;
}

/**
 * Measures the component at `ptr`, which ends at a slash or NUL: its length in the low half, its hash in the high
 * half.
 */
export function componentScan(ptr: usize): u64 {
  let h: u64 = 0;
  let length: u32 = 0;
  while (true) {
    const word = load<u64>(ptr + length);
    const ends = zeroBytes(word) | zeroBytes(word ^ SLASHES);
    if (ends) {
      const bits = <u64>(ctz(ends) & ~7);
      h = hashStep(h, word & ((<u64>1 << bits) - 1));
      length += <u32>bits >> 3;
      return <u64>length | (<u64>hashFold(h) << 32);
    }
    h = hashStep(h, word);
    length += 8;
  }
}

/** The hash componentScan gives a name of known length. */
export function nameHash(ptr: usize, length: u32): u32 {
  let h: u64 = 0;
  let at: u32 = 0;
  for (; at + 8 <= length; at += 8) h = hashStep(h, load<u64>(ptr + at));
  return hashFold(hashStep(h, load<u64>(ptr + at) & ((<u64>1 << (<u64>(length - at) << 3)) - 1)));
}

/** True when two names of the same length are equal. */
export function nameEqual(a: usize, b: usize, length: u32): bool {
  let at: u32 = 0;
  for (; at + 8 <= length; at += 8) if (load<u64>(a + at) != load<u64>(b + at)) return false;
  const rest = <u64>(length - at) << 3;
  return ((load<u64>(a + at) ^ load<u64>(b + at)) & ((<u64>1 << rest) - 1)) == 0;
}

/** Small letters for capital ones, in each byte of a word. */
function lettersFold(word: u64): u64 {
  const low = word & ~HIGHS;
  const isFromA = low + 0x3f3f3f3f3f3f3f3f; // bit 7 where the byte is at least "A"
  const isPastZ = low + 0x2525252525252525; // bit 7 where it is above "Z"
  return word | ((isFromA & ~isPastZ & ~word & HIGHS) >> 2);
}

/** The hash of a name whose ASCII letters count without case. */
export function nameHashFolded(ptr: usize, length: u32): u32 {
  let h: u64 = 0;
  let at: u32 = 0;
  for (; at + 8 <= length; at += 8) h = hashStep(h, lettersFold(wordAt64(ptr + at)));
  return hashFold(hashStep(h, lettersFold(wordAt64(ptr + at) & ((<u64>1 << (<u64>(length - at) << 3)) - 1))));
}

/** True when two names of the same length are equal but for the case of ASCII letters. */
export function nameEqualFolded(a: usize, b: usize, length: u32): bool {
  let at: u32 = 0;
  for (; at + 8 <= length; at += 8) if (lettersFold(wordAt64(a + at)) != lettersFold(wordAt64(b + at))) return false;
  const rest = <u64>(length - at) << 3;
  return ((lettersFold(wordAt64(a + at)) ^ lettersFold(wordAt64(b + at))) & ((<u64>1 << rest) - 1)) == 0;
}

/** Bytes before the NUL. */
export function bytesLength(ptr: usize): u32 {
  let n: u32 = 0;
  while (load<u8>(ptr + n)) n++;
  return n;
}

/** Copies the ASCII of a literal to `ptr` with a NUL; its length. */
export function bytesFromString(ptr: usize, text: string): u32 {
  const length = <u32>text.length;
  const source = changetype<usize>(text);
  for (let i: u32 = 0; i < length; i++) store<u8>(ptr + i, load<u16>(source + (i << 1)));
  store<u8>(ptr + length, 0);
  return length;
}

/** True when the NUL-terminated bytes at `ptr` spell `text`. */
export function bytesAre(ptr: usize, text: string): bool {
  const length = <u32>text.length;
  const source = changetype<usize>(text);
  for (let i: u32 = 0; i < length; i++) if (load<u8>(ptr + i) != <u8>load<u16>(source + (i << 1))) return false;
  return load<u8>(ptr + length) == 0;
}
