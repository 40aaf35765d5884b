/** Fields of structures in linear memory, by address: little-endian, any alignment. */
export function get8(at: usize): u32 { return load<u8>(at); }
export function get16(at: usize): u32 { return load<u16>(at); }
export function get32(at: usize): u32 { return load<u32>(at); }
export function get64(at: usize): u64 { return load<u64>(at); }
export function put8(at: usize, value: u32): void { store<u8>(at, <u8>value); }
export function put16(at: usize, value: u32): void { store<u16>(at, <u16>value); }
export function put32(at: usize, value: u32): void { store<u32>(at, value); }
export function put64(at: usize, value: u64): void { store<u64>(at, value); }
export function bytesCopy(to: usize, from: usize, size: usize): void { memory.copy(to, from, size); }
export function bytesFill(to: usize, value: u8, size: usize): void { memory.fill(to, value, size); }
export function bytesSame(a: usize, b: usize, size: usize): bool { return memory.compare(a, b, size) == 0; }
/** Memory that is never given back. */
export function room(size: usize): usize { return heap.alloc(size); }

/** Puts a name as protocols have it, its length and its UTF-8: false when that is more than `most` bytes. */
export function namePut(at: usize, name: string, most: i32): bool {
  const bytes = String.UTF8.byteLength(name);
  if (bytes > most) return false;
  store<u32>(at, bytes);
  String.UTF8.encodeUnsafe(changetype<usize>(name), name.length, at + 4);
  return true;
}

/** The name there; of one longer than `most` bytes its beginning. */
export function nameGet(at: usize, most: u32): string { return String.UTF8.decodeUnsafe(at + 4, min<u32>(load<u32>(at), most)); }
