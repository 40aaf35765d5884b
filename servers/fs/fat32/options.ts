/** Mount options: "uid=1000,umask=022,ro". */
import { get8 } from "../../runtime/memory";
import { Err } from "./layout";
import { Volume } from "./volume";

/** Takes the options (UTF-8 at `at`) into the volume. 0, or EINVAL for what is unknown or malformed. */
export function optionsTake(v: Volume, at: usize, bytes: u32): i32 {
  let from: u32 = 0;
  while (from < bytes) {
    let end = from;
    while (end < bytes && get8(at + end) != 0x2c) end++;
    if (end > from && !optionTake(v, String.UTF8.decodeUnsafe(at + from, end - from))) return Err.INVAL;
    from = end + 1;
  }
  return 0;
}

function optionTake(v: Volume, option: string): bool {
  const equals = option.indexOf("=");
  const name = equals < 0 ? option : option.substring(0, equals);
  const value = equals < 0 ? "" : option.substring(equals + 1);
  if (name == "ro" || name == "rw") {
    if (name == "ro") v.isReadOnly = true;
    return equals < 0;
  }
  if (name == "uid" || name == "gid") {
    const id = number(value, 10);
    if (id < 0) return false;
    if (name == "uid") v.uid = <u32>id;
    else v.gid = <u32>id;
    return true;
  }
  if (name == "umask" || name == "fmask" || name == "dmask") {
    const mask = number(value, 8);
    if (mask < 0 || mask > 0o777) return false;
    if (name != "dmask") v.fileMask = <u32>mask;
    if (name != "fmask") v.directoryMask = <u32>mask;
    return true;
  }
  // Names are UTF-8 and keep their case, whatever these ask; flush and errors=remount-ro are for writers of other kinds.
  return name == "utf8" || name == "iocharset" || name == "codepage" || name == "shortname" || name == "quiet" || name == "flush" || name == "errors";
}

/** A number of that base without sign, or -1. */
function number(text: string, base: i64): i64 {
  let value: i64 = 0;
  if (text.length == 0 || text.length > 11) return -1;
  for (let i = 0; i < text.length; i++) {
    const digit = <i64>text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit >= base) return -1;
    value = value * base + digit;
  }
  return value > <i64>u32.MAX_VALUE ? -1 : value;
}
