/**
 * Memory management brought up on simulated RAM in the order of memory-init.ts: what every machine with allocators begins with.
 *
 * Address spaces, kernel stacks and page caches come after it, as far as a machine has them.
 */
import { type Kernel, MIB } from "./kernel.ts";

const FRAME_TABLE = 0x1000000;
const FRAME_BYTES = 16;
const PAGE = 4096;
/** RAM below is a PC's low memory, which is left alone. */
const RAM_START = MIB;

/** Where things lie in linear memory: static data, then the task, then the frame table from 16 MiB on, then the heap. */
export interface MemoryPlan {
  readonly ramBytes: number;
  /** The record of the task that CPU 0 runs: zero. */
  readonly task: number;
  readonly heapStart: number;
  readonly heapEnd: number;
}

/** A kernel's page allocator, heap and slabs, with all of RAM but the first MiB free. CPU 0 runs the plan's task. */
export function bootMemory({ exports: k, machine }: Kernel, { ramBytes, task, heapStart, heapEnd }: MemoryPlan): void {
  if (FRAME_TABLE + ramBytes / PAGE * FRAME_BYTES > heapStart) throw new Error("the frame table runs into the heap");
  machine.thisCpu = k["cpuAt"]!(0) as number;
  machine.currentTask = task;
  k["earlyReset"]!();
  k["earlyRangeAdd"]!(BigInt(RAM_START), BigInt(ramBytes - RAM_START));
  k["kernelMapInit"]!(k["earlyPageAlloc"]!(), 1);
  k["frameLimitSet"]!(ramBytes / PAGE);
  k["buddyInit"]!(1);
  for (let i = 0; i < k["earlyRangeCount"]!(); i++) {
    const start = k["earlyRangeStart"]!(i) as bigint;
    k["buddyAddRange"]!(start, (k["earlyRangeEnd"]!(i) as bigint) - start, 0);
  }
  k["kernelMapReady"]!();
  k["heapInit"]!(heapStart, heapEnd);
  k["kmallocInit"]!();
}
