/**
 * Scratch memory of the running task: a small LIFO for structs that a C kernel would put on its stack.
 *
 * It lies between the TrapFrame and the top of the kernel stack's pages, so it costs no allocation.
 *
 * Invariants  C1  pushes and pops nest within one call of one function.
 * Locking     none: only the running task touches its own.
 */
import { linearBase } from "../../../arch/current";
import { currentTask } from "./cpu";

/** Bytes of scratch above each TrapFrame. */
export const SCRATCH_BYTES: u32 = 1024;

/** Reserves `size` bytes, 8-byte aligned, not cleared; give them back with scratchPop of the same size. */
export function scratchPush(size: u32): usize {
  const task = currentTask();
  const rounded = (size + 7) & ~7;
  assert(task.scratchUsed + rounded <= SCRATCH_BYTES); // C1
  const ptr = <usize>(task.stackTop - linearBase()) + task.scratchUsed;
  task.scratchUsed += rounded;
  return ptr;
}

/** Gives back the latest scratchPush(size). */
export function scratchPop(size: u32): void {
  const task = currentTask();
  task.scratchUsed -= (size + 7) & ~7;
}
