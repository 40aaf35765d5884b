/** A server that dies in the way it is called: crash-null, crash-far, … */
import { argumentAt, log, runtimeStart, serverBuffer } from "../../../../servers/runtime/start";

export { serverBuffer };

const FAR: usize = 0x7ffffff8;
const HOARD: ArrayBuffer[] = [];
let depth: u32 = 0;

export function serverMain(count: u32): u32 {
  runtimeStart(count);
  const way = argumentAt(0);
  log("dies now");
  if (way == "crash-null") readAt(count - count);
  if (way == "crash-far") writeAt(FAR);
  if (way == "crash-farthest") readFarthest(0 - count);
  if (way == "crash-assert") assert(count == 0);
  if (way == "crash-divide") log((count / depth).toString());
  if (way == "crash-memory") hoard();
  if (way == "crash-stack") log(dive(count).toString());
  return 1;
}

function readAt(at: usize): void { log(load<u32>(at).toString()); }
function writeAt(at: usize): void { store<u32>(at, 1); }

/** The last bytes reach past 4 GiB. */
function readFarthest(at: usize): void { log(load<u64>(at).toString()); }

function hoard(): void {
  while (true) HOARD.push(new ArrayBuffer(65536));
}

function dive(level: u32): u32 {
  depth = level;
  return dive(level + 1) + depth;
}
