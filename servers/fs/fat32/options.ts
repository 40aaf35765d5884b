/** Mount options: "uid=1000,umask=022,ro". */
import { get8 } from "../../runtime/memory";
import { log } from "../../runtime/start";
import { Err } from "./layout";
import { ShortNames, Volume } from "./volume";

/** Takes the options (UTF-8 at `at`) into the volume. 0, or EINVAL for what is unknown, malformed, or asks for what there is not. */
export function optionsTake(v: Volume, at: usize, bytes: u32): i32 {
  let from: u32 = 0;
  while (from < bytes) {
    let end = from;
    while (end < bytes && get8(at + end) != 0x2c) end++;
    const option = end > from ? String.UTF8.decodeUnsafe(at + from, end - from) : "";
    if (end > from && !optionTake(v, option)) {
      log("mount option not supported: " + option);
      return Err.INVAL;
    }
    from = end + 1;
  }
  return 0;
}

function optionTake(v: Volume, option: string): bool {
  const equals = option.indexOf("=");
  const name = equals < 0 ? option : option.substring(0, equals);
  return equals < 0 ? flagTake(v, name) : valueTake(v, name, option.substring(equals + 1));
}

function flagTake(v: Volume, name: string): bool {
  if (name == "ro") v.isReadOnly = true;
  else if (name == "quiet") v.isQuiet = true;
  // Names are UTF-8; everything is written back soon, and in order.
  else return name == "rw" || name == "utf8" || name == "flush";
  return true;
}

function valueTake(v: Volume, name: string, value: string): bool {
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
  if (name == "shortname") {
    v.shortNames = value == "lower" ? ShortNames.SMALL : value == "win95" ? ShortNames.CAPITAL : ShortNames.FLAGS;
    return value == "lower" || value == "win95" || value == "winnt" || value == "mixed";
  }
  // What mount(8) and fstab say by default.
  if (name == "utf8") return value == "1" || value == "yes" || value == "true";
  if (name == "iocharset") return value == "utf8";
  if (name == "codepage") return value == "437";
  v.goesOn = value == "continue";
  return name == "errors" && (value == "remount-ro" || v.goesOn);
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
