/**
 * /dev/random and /dev/urandom: both are the kernel's generator, which is seeded before the first program runs.
 *
 * Spec  random(4).
 */
import { Errno } from "../../../abi/errno";
import { randomFill } from "../../../core/random";
import { currentTask } from "../../../core/sched/cpu";
import { taskSignalPending } from "../../../core/sched/sched";
import { scratchPop, scratchPush } from "../../../core/sched/scratch";
import { bufCopyIn, bufCopyOut } from "../io-buf";
import { File, FileOps } from "../types";
import { deviceRegisterChar } from "./device";
import { deviceOpsEndless } from "./memory-devices";

const MEM_MAJOR: u32 = 1;
const CHUNK: u32 = 256;
const RANDOM_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));

export function randomDeviceInit(): void {
  deviceOpsEndless(RANDOM_OPS);
  RANDOM_OPS.read = randomRead;
  RANDOM_OPS.write = randomWrite;
  deviceRegisterChar(MEM_MAJOR, 8, "random", 0o666, RANDOM_OPS);
  deviceRegisterChar(MEM_MAJOR, 9, "urandom", 0o666, RANDOM_OPS);
}

function randomRead(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  const chunk = scratchPush(CHUNK);
  let done: u32 = 0;
  let isBad = false;
  while (done < count && !isBad) {
    const n = min<u32>(count - done, CHUNK);
    randomFill(chunk, n);
    isBad = bufCopyOut(bufVa + done, chunk, n) != 0;
    if (!isBad) done += n;
    if (done != 0 && taskSignalPending(currentTask())) break;
  }
  scratchPop(CHUNK);
  return done != 0 || !isBad ? <i64>done : -(<i64>Errno.FAULT);
}

/** Whatever is written is read (so that a bad address is told) and counts for nothing. */
function randomWrite(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  const chunk = scratchPush(CHUNK);
  const r = bufCopyIn(chunk, bufVa, min<u32>(count, CHUNK));
  scratchPop(CHUNK);
  return r != 0 ? <i64>r : <i64>count;
}
