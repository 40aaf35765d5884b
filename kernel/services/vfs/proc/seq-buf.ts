/**
 * Bounded text building for procfs and the log device: bytes past the end are counted, not stored.
 *
 * Invariants  Q1  length <= size; isFull is set once a byte did not fit.
 */
import { byteAt, bytePut } from "../../../lib/bytes";

const NEWLINE: u32 = 0x0a;

@final @unmanaged
export class SeqBuf {
  ptr: usize;    // linear buffer
  size: u32;
  length: u32;   // bytes in it
  isFull: u32;
}

export function seqInit(seq: SeqBuf, ptr: usize, size: u32): void {
  seq.ptr = ptr;
  seq.size = size;
  seq.length = 0;
  seq.isFull = 0;
}

export function seqByte(seq: SeqBuf, byte: u32): void {
  if (seq.length == seq.size) {
    seq.isFull = 1;
    return;
  }
  bytePut(seq.ptr, seq.length, byte);
  seq.length = seq.length + 1;
}

/** A literal; its UTF-16 units are taken as Latin-1. */
export function seqStr(seq: SeqBuf, text: string): void {
  for (let i = 0; i < text.length; i++) seqByte(seq, text.charCodeAt(i));
}

export function seqBytes(seq: SeqBuf, ptr: usize, length: u32): void {
  for (let i: u32 = 0; i < length; i++) seqByte(seq, byteAt(ptr, i));
}

/** A NUL-terminated string of at most `max` bytes. */
export function seqCString(seq: SeqBuf, ptr: usize, max: u32): void {
  for (let i: u32 = 0; i < max && byteAt(ptr, i) != 0; i++) seqByte(seq, byteAt(ptr, i));
}

export function seqDec(seq: SeqBuf, value: u64): void {
  seqDecPad(seq, value, 1, 0x20);
}

/** Decimal, padded on the left with byte `pad` to `width`. */
export function seqDecPad(seq: SeqBuf, value: u64, width: u32, pad: u32): void {
  let divisor: u64 = 1;
  let digits: u32 = 1;
  while (value / divisor >= 10) {
    divisor *= 10;
    digits++;
  }
  for (; width > digits; width--) seqByte(seq, pad);
  for (; divisor > 0; divisor /= 10) seqByte(seq, 0x30 + <u32>(value / divisor % 10));
}

export function seqInt(seq: SeqBuf, value: i64): void {
  if (value < 0) {
    seqByte(seq, 0x2d);
    seqDec(seq, <u64>-value);
  } else {
    seqDec(seq, <u64>value);
  }
}

/** Lower-case hexadecimal, at least `width` digits. */
export function seqHex(seq: SeqBuf, value: u64, width: u32): void {
  let digits: u32 = 1;
  while (digits < 16 && (value >> (<u64>digits * 4)) != 0) digits++;
  if (digits < width) digits = width;
  for (; digits > 0; digits--) {
    const digit = <u32>(value >> (<u64>(digits - 1) * 4)) & 15;
    seqByte(seq, digit < 10 ? 0x30 + digit : 0x57 + digit);
  }
}

/** Octal, at least `width` digits. */
export function seqOct(seq: SeqBuf, value: u32, width: u32): void {
  let digits: u32 = 1;
  while (digits < 11 && value >> (digits * 3) != 0) digits++;
  if (digits < width) digits = width;
  for (; digits > 0; digits--) seqByte(seq, 0x30 + (value >> ((digits - 1) * 3) & 7));
}

// ---- What most files of /sys and many of /proc are; 0, as their tables want ----

/** A word alone: the name of a directory. */
export function seqWord(seq: SeqBuf, word: string): i32 {
  seqStr(seq, word);
  return 0;
}

export function seqLine(seq: SeqBuf, text: string): i32 {
  seqStr(seq, text);
  seqByte(seq, NEWLINE);
  return 0;
}

export function seqDecLine(seq: SeqBuf, value: u64): i32 {
  seqDec(seq, value);
  seqByte(seq, NEWLINE);
  return 0;
}

/** Lower-case hexadecimal. */
export function seqHexLine(seq: SeqBuf, value: u64): i32 {
  seqHex(seq, value, 1);
  seqByte(seq, NEWLINE);
  return 0;
}

/** ` value` for each number of a space-separated line. */
export function seqSpaceDec(seq: SeqBuf, value: u64): void {
  seqByte(seq, 0x20);
  seqDec(seq, value);
}
