/**
 * Copies of user paths: one 8 KiB buffer per task, kept for its life, and a second one on demand for calls with two.
 *
 * Units  a path takes at most PATH_MAX bytes with its NUL; the rest of the buffer is room for reading a word too far.
 */
import { userCopyString } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { kfree, kmalloc } from "../../core/mm/slab";
import { currentTask } from "../../core/sched/cpu";
import { PATH_MAX } from "./name";

/** Bytes of a path buffer. */
export const PATH_BUFFER_BYTES: u32 = 8192;

/** The running task's buffer, or 0 when memory is full. */
export function pathBuffer(): usize {
  const task = currentTask();
  if (!task.pathBuffer) task.pathBuffer = kmalloc(PATH_BUFFER_BYTES);
  return task.pathBuffer;
}

/** Frees the buffer of a task that ends. */
export function pathBufferFree(buffer: u32): void {
  if (buffer) kfree(buffer);
}

/** Copies a user path into the task's buffer; its linear address or an errno as pointer. */
export function pathFetch(pathVa: u64): usize {
  const buffer = pathBuffer();
  if (!buffer) return <usize>-(<i32>Errno.NOMEM);
  const length = userCopyString(buffer, pathVa, PATH_MAX);
  return length < 0 ? <usize>length : buffer;
}

/** Copies a second user path into a buffer of its own (pathSecondFree it); an errno as pointer. */
export function pathFetchSecond(pathVa: u64): usize {
  const buffer = kmalloc(PATH_BUFFER_BYTES);
  if (!buffer) return <usize>-(<i32>Errno.NOMEM);
  const length = userCopyString(buffer, pathVa, PATH_MAX);
  if (length >= 0) return buffer;
  kfree(buffer);
  return <usize>length;
}

export function pathSecondFree(buffer: usize): void {
  kfree(buffer);
}
