/** The option string of a tmpfs mount: size=, nr_blocks=, mode=, uid=, gid=, nr_inodes=. */
import { Errno } from "../../abi/errno";
import { totalPageCount } from "../../core/mm/buddy";

@final @unmanaged
export class TmpOptions {
  maxPages: u32; // 0: not given
  mode: u32;     // of the root directory
  uid: u32;
  gid: u32;
}

/** Reads the NUL-terminated `options`; unknown words are -EINVAL. */
export function tmpOptionsParse(options: usize, out: TmpOptions): i32 {
  out.maxPages = 0;
  out.mode = 0o1777;
  out.uid = 0;
  out.gid = 0;
  let at = options;
  while (load<u8>(at)) {
    let end = at;
    while (load<u8>(end) && load<u8>(end) != 0x2c) end++;
    if (end != at && !optionApply(at, end, out)) return -(<i32>Errno.INVAL);
    at = load<u8>(end) ? end + 1 : end;
  }
  return 0;
}

function optionApply(at: usize, end: usize, out: TmpOptions): bool {
  if (startsWith(at, end, "size=")) return sizeApply(at + 5, end, out);
  if (startsWith(at, end, "nr_blocks=")) {
    out.maxPages = <u32>min<u64>(number(at + 10, end, 10), 0xffffffff);
    return true;
  }
  if (startsWith(at, end, "mode=")) {
    out.mode = <u32>number(at + 5, end, 8) & 0o7777;
    return true;
  }
  if (startsWith(at, end, "uid=")) {
    out.uid = <u32>number(at + 4, end, 10);
    return true;
  }
  if (startsWith(at, end, "gid=")) {
    out.gid = <u32>number(at + 4, end, 10);
    return true;
  }
  // What bounds or tunes something we do not have is accepted and has no effect.
  return startsWith(at, end, "nr_inodes=") || startsWith(at, end, "huge=") || startsWith(at, end, "inode64") ||
    startsWith(at, end, "inode32") || startsWith(at, end, "mpol=");
}

/** "4096", "16k", "64m", "1g" or "50%". */
function sizeApply(at: usize, end: usize, out: TmpOptions): bool {
  let value = number(at, end, 10);
  const unit = load<u8>(end - 1) | 0x20;
  if (load<u8>(end - 1) == 0x25) value = totalPageCount() * min<u64>(value, 100) / 100 << 12;
  else if (unit == 0x6b) value <<= 10;
  else if (unit == 0x6d) value <<= 20;
  else if (unit == 0x67) value <<= 30;
  else if (load<u8>(end - 1) - 0x30 > 9) return false;
  out.maxPages = <u32>min<u64>((value + 4095) >> 12, 0xffffffff);
  return true;
}

function startsWith(at: usize, end: usize, word: string): bool {
  const source = changetype<usize>(word);
  const length = <u32>word.length;
  if (end - at < length) return false;
  for (let i: u32 = 0; i < length; i++) if (load<u8>(at + i) != <u8>load<u16>(source + (i << 1))) return false;
  return true;
}

function number(at: usize, end: usize, base: u32): u64 {
  let value: u64 = 0;
  while (at < end) {
    const digit = <u32>load<u8>(at++) - 0x30;
    if (digit >= base) break;
    value = value * base + digit;
  }
  return value;
}
