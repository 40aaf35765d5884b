/** CRC-32 of ISO 3309 (polynomial 0x04c11db7, reflected), as GPT, gzip and Ethernet have it: bit by bit, for a few kilobytes now and then. */
const POLYNOMIAL: u32 = 0xedb88320;

/** Of `bytes` bytes at linear `ptr`. */
export function crc32(ptr: usize, bytes: u32): u32 {
  let crc: u32 = ~0;
  for (let i: u32 = 0; i < bytes; i++) {
    crc ^= load<u8>(ptr + i);
    for (let bit: u32 = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
  }
  return ~crc;
}
