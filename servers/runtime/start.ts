/**
 * A server's first TypeScript: arguments, handles, the log.
 *
 * The supervisor names each capability it gave on the command line, as "name=handle" with the handle in hexadecimal.
 */
import { timeTake } from "./clock";
import { logLine } from "./protocol/log-client.gen";

let buffer: usize = 0;
let argumentCount: u32 = 0;
let logPort: u32 = 0;
let heartbeat: u32 = 0;
let heartbeatBits: u64 = 0;

/** Called by server.c: room for `size` bytes of arguments, each with its NUL. */
export function serverBuffer(size: u32): usize {
  buffer = heap.alloc(size);
  return buffer;
}

/** Before the server's own main: takes the `count` arguments that lie in the buffer. */
export function runtimeStart(count: u32): void {
  argumentCount = count;
  logPort = handleNamed("log");
  heartbeat = handleNamed("heartbeat");
  heartbeatBits = numberNamed("heartbeatBits");
  timeTake(handleNamed("clock") != 0 ? handleNamed("clock") : handleNamed("time"));
}

/** Argument `index`; 0 is the program's name. */
export function argumentAt(index: u32): string {
  let at = buffer;
  for (let i: u32 = 0; i < index; i++) at += String.UTF8.byteLength(String.UTF8.decodeUnsafe(at, lengthAt(at))) + 1;
  return String.UTF8.decodeUnsafe(at, lengthAt(at));
}

function lengthAt(at: usize): usize {
  let length: usize = 0;
  while (load<u8>(at + length) != 0) length++;
  return length;
}

/** The text behind "name=", or "". */
export function textNamed(name: string): string {
  const prefix = name + "=";
  for (let i: u32 = 1; i < argumentCount; i++) {
    const argument = argumentAt(i);
    if (argument.startsWith(prefix)) return argument.substring(prefix.length);
  }
  return "";
}

/** The hexadecimal number behind "name=", or 0. */
export function numberNamed(name: string): u64 {
  const text = textNamed(name);
  let value: u64 = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    const digit = c >= 0x61 ? c - 0x61 + 10 : c - 0x30;
    if (digit < 0 || digit > 15) return 0;
    value = value << 4 | <u64>digit;
  }
  return value;
}

export function handleNamed(name: string): u32 { return <u32>numberNamed(name); }

/** One line in the kernel's log, with the server's name. */
export function log(text: string): void {
  if (logPort == 0) return;
  const bytes = String.UTF8.encode(text);
  logLine(logPort, changetype<usize>(bytes), bytes.byteLength);
}

/** For a server that got the log's port by itself. */
export function logTo(port: u32): void { logPort = port; }

/** A number in the log. */
export function hex(value: u64): string {
  let text = "";
  do {
    const digit = <i32>(value & 15);
    text = String.fromCharCode(digit < 10 ? 0x30 + digit : 0x61 + digit - 10) + text;
    value >>= 4;
  } while (value != 0);
  return "0x" + text;
}
/** The notification on which the supervisor waits for a sign of life, and this server's bits in it. */
export function heartbeatHandle(): u32 { return heartbeat; }
export function heartbeatMask(): u64 { return heartbeatBits; }
