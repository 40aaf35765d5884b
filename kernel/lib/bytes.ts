/**
 * Byte-level access to linear memory: the few places outside drivers that need it call these.
 *
 * Units  ptr: linear address.
 */

export function byteAt(ptr: usize, index: u32): u32 {
  return load<u8>(ptr + index);
}

export function bytePut(ptr: usize, index: u32, value: u32): void {
  store<u8>(ptr + index, value);
}

export function wordAt16(ptr: usize): u32 {
  return load<u16>(ptr);
}

export function wordAt32(ptr: usize): u32 {
  return load<u32>(ptr);
}

export function wordAt64(ptr: usize): u64 {
  return load<u64>(ptr);
}

export function wordPut16(ptr: usize, value: u32): void {
  store<u16>(ptr, value);
}

export function wordPut32(ptr: usize, value: u32): void {
  store<u32>(ptr, value);
}

export function wordPut64(ptr: usize, value: u64): void {
  store<u64>(ptr, value);
}

export function bytesCopy(to: usize, from: usize, size: u32): void {
  memory.copy(to, from, size);
}

export function bytesFill(to: usize, value: u32, size: u32): void {
  memory.fill(to, <u8>value, size);
}

export function bytesEqual(a: usize, b: usize, size: u32): bool {
  for (let i: u32 = 0; i < size; i++) {
    if (load<u8>(a + i) != load<u8>(b + i)) return false;
  }
  return true;
}

/** Length of a NUL-terminated string of at most `max` bytes. */
export function bytesLength(ptr: usize, max: u32): u32 {
  let length: u32 = 0;
  while (length < max && load<u8>(ptr + length) != 0) length++;
  return length;
}

/** True when the bytes spell the ASCII literal `text` exactly. */
export function bytesSpell(ptr: usize, length: u32, text: string): bool {
  if (<u32>text.length != length) return false;
  for (let i: u32 = 0; i < length; i++) {
    if (<u32>load<u8>(ptr + i) != <u32>text.charCodeAt(<i32>i)) return false;
  }
  return true;
}
