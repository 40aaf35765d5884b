/**
 * Servers that misbehave. One program: the name it is started by says how.
 *
 *   wild-read   reads beyond its memory                  glutton  wants 1 GiB, of every kind of memory there is
 *   null-read   reads at address 0                       guesser  tries handles, native calls and Linux's calls it has no right to
 *   looper      never gives a sign of life               flooder  writes 20,000 lines into the log
 *   liar        serves a file system, answers nonsense   mute     serves a file system, answers heartbeats and no call
 *   stuck       serves a file system, hangs in a call and shows every sign of life (stuck.ts)
 */
import { timeNow } from "../../../../servers/runtime/clock";
import { serverCall } from "../../../../servers/runtime/intrinsics";
import { serveBits, serveCalls, Words } from "../../../../servers/runtime/loop";
import { memoryCreate } from "../../../../servers/runtime/native-calls";
import { fileSystemRegister } from "../../../../servers/runtime/protocol/file-system-port-client.gen";
import { argumentAt, handleNamed, log, runtimeStart, serverBuffer } from "../../../../servers/runtime/start";
import { guess } from "./guess";
import { serveStuck } from "./stuck";

export { serverBuffer };

const BEYOND: usize = 0x70000000;
const NULL_FIELD: usize = 16;
const LINES: i32 = 20_000;
const NONSENSE: i32 = 12345;
const SECOND_NS: u64 = 1_000_000_000;
const MIB: u64 = 1 << 20;
const CHUNK: u64 = 64 * MIB;
const CHUNKS: i32 = 16;
const PAGE: u64 = 4096;
const SYS_MMAP: u32 = 9;
const PROT_RW: u64 = 3;
const PRIVATE_ANONYMOUS: u64 = 0x22;

export function serverMain(count: u32): u32 {
  runtimeStart(count);
  misbehave(argumentAt(0));
  serveBits(handleNamed("notification"), onBits);
  return 0;
}

function misbehave(name: string): void {
  if (name == "wild-read") log("found " + load<u8>(BEYOND).toString());
  if (name == "null-read") log("found " + load<u8>(NULL_FIELD).toString());
  if (name == "looper") loopForEver();
  if (name == "glutton") eat();
  if (name == "guesser") log(guess());
  if (name == "flooder") flood();
  if (name == "liar" || name == "mute") serveNonsense(name);
  if (name == "stuck") serveStuck(name + "fs");
}

function onBits(bits: u64): void {}

function loopForEver(): void {
  let spins: u32 = 0;
  while (true) atomic.store<u32>(COUNTER, ++spins);
}
const COUNTER: usize = memory.data(8, 8);

/** The last line comes in another second: with it the log tells how many were left out. */
function flood(): void {
  for (let i = 0; i < LINES; i++) log("line"); // the same text: nothing is collected meanwhile
  const later = timeNow() + SECOND_NS;
  while (timeNow() < later) {}
  log("had its say");
}

/** Memory objects beyond the quota, private memory beyond the limit; last its own heap, which ends it. */
function eat(): void {
  let objects = 0;
  let mapped = 0;
  for (let i = 0; i < CHUNKS; i++) {
    if (memoryCreate(handleNamed("quota"), CHUNK, 0) >= 0) objects++;
    const at = serverCall(SYS_MMAP, 0, CHUNK, PROT_RW, PRIVATE_ANONYMOUS, ~0, 0);
    if (at > 0) mapped++;
  }
  log("got " + objects.toString() + " objects and " + mapped.toString() + " mappings of 64 MiB");
  const kept: ArrayBuffer[] = [];
  while (true) kept.push(new ArrayBuffer(<i32>PAGE));
}

/** Offers a type of file system by the server's name. */
function serveNonsense(name: string): void {
  const type = String.UTF8.encode(name + "fs", true);
  const endpoint = handleNamed("endpoint");
  fileSystemRegister(handleNamed("filesystem"), changetype<usize>(type), endpoint);
  if (name == "liar") serveCalls(endpoint, handleNamed("notification"), onCall, onBits);
}

function onCall(label: i32, words: Words): i32 {
  words.w0 = ~words.w0;
  return NONSENSE;
}
