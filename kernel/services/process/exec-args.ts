/**
 * The arguments of an execve, copied out of the old program before it goes away.
 *
 * One growing buffer holds the strings back to back, each with its NUL: argv, then envp. Scripts put their
 * interpreter's words in front, in a small buffer of their own (prefix).
 *
 * Invariants  A1  argvBytes + envBytes == used <= capacity <= ARGS_MAX.
 * Units       bytes.
 */
import { userCopyIn, userCopyString, userLoad64 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { kfree, kmalloc } from "../../core/mm/slab";
import { scratchPop, scratchPush } from "../../core/sched/scratch";

/** Most bytes of all strings together (the kernel's largest single allocation). */
export const ARGS_MAX: u32 = 1 << 20;
/** Longest single string, as Linux's MAX_ARG_STRLEN. */
const STRING_MAX: u32 = 131072;
const FIRST_CAPACITY: u32 = 8192;
/** Bytes of the prefix buffer: four interpreters with argument, and the script's path. */
export const PREFIX_BYTES: u32 = 8192;

@final @unmanaged
export class ExecArgs {
  buffer: usize;
  capacity: u32;
  used: u32;
  argc: u32;
  envc: u32;
  argvBytes: u32;
  skip: u32;        // bytes of argv[0], replaced by the prefix of a script
  prefix: usize;    // interpreter words, or 0
  prefixBytes: u32;
  prefixCount: u32;
}

export function execArgsFree(args: ExecArgs): void {
  if (args.buffer != 0) kfree(args.buffer);
  if (args.prefix != 0) kfree(args.prefix);
  args.buffer = 0;
  args.prefix = 0;
}

function reserve(args: ExecArgs, wanted: u32): i32 {
  if (wanted <= args.capacity) return 0;
  if (wanted > ARGS_MAX) return -Errno.TOOBIG;
  let capacity = max<u32>(args.capacity << 1, FIRST_CAPACITY);
  while (capacity < wanted) capacity <<= 1;
  const bigger = kmalloc(capacity);
  if (bigger == 0) return -Errno.NOMEM;
  if (args.buffer != 0) {
    memory.copy(bigger, args.buffer, args.used);
    kfree(args.buffer);
  }
  args.buffer = bigger;
  args.capacity = capacity;
  return 0;
}

/** Copies both vectors from the running program: 0, or -EFAULT, -E2BIG, -ENOMEM. */
export function execArgsCopy(args: ExecArgs, argvVa: u64, envpVa: u64): i32 {
  const argc = vectorCopy(args, argvVa);
  if (argc < 0) return argc;
  args.argc = argc;
  args.argvBytes = args.used;
  const envc = vectorCopy(args, envpVa);
  if (envc < 0) return envc;
  args.envc = envc;
  if (argc != 0) return 0;
  return emptyArgvFill(args);
}

/** A program may count on argv[0]: an empty vector becomes one empty string, as on Linux since 5.18. */
function emptyArgvFill(args: ExecArgs): i32 {
  const result = reserve(args, args.used + 1);
  if (result != 0) return result;
  memory.copy(args.buffer + 1, args.buffer, args.used);
  store<u8>(args.buffer, 0);
  args.used++;
  args.argvBytes = 1;
  args.argc = 1;
  return 0;
}

/** Number of strings of the NULL-terminated vector at `va` (0: an empty one), or -errno. */
function vectorCopy(args: ExecArgs, va: u64): i32 {
  if (va == 0) return 0;
  const word = scratchPush(8);
  let count: i32 = 0;
  let result: i32 = 0;
  while (result == 0) {
    if (userLoad64(word, va + (<u64>count << 3)) != 0) result = -Errno.FAULT;
    else if (load<u64>(word) == 0) break;
    else {
      result = stringCopy(args, load<u64>(word));
      count++;
    }
  }
  scratchPop(8);
  return result != 0 ? result : count;
}

function stringCopy(args: ExecArgs, va: u64): i32 {
  let length: u32 = 0;
  while (true) {
    const reserved = reserve(args, args.used + length + 256);
    if (reserved != 0) return reserved;
    const room = min<u32>(args.capacity - args.used - length, STRING_MAX - length);
    if (room == 0) return -Errno.TOOBIG;
    const got = userCopyString(args.buffer + args.used + length, va + length, room);
    if (got >= 0) {
      args.used += length + <u32>got + 1;
      return 0;
    }
    if (got != -Errno.NAMETOOLONG) return -Errno.FAULT;
    // No NUL in `room` bytes: take them all and go on behind them.
    if (userCopyIn(args.buffer + args.used + length, va + length, room) != 0) return -Errno.FAULT;
    length += room;
  }
}

/**
 * A script: `interpreter`, perhaps `argument`, and the script's own path replace argv[0] (or the prefix's first word
 * when a script runs a script). All are linear, with lengths without NUL. 0 or -errno.
 */
export function execArgsPrepend(
  args: ExecArgs, interpreter: usize, interpreterLength: u32, argument: usize, argumentLength: u32,
  script: usize, scriptLength: u32,
): i32 {
  if (args.prefix == 0) {
    args.prefix = kmalloc(PREFIX_BYTES + 8); // the path walk reads words
    if (args.prefix == 0) return -Errno.NOMEM;
  }
  const dropped = args.prefixCount == 0 ? 0 : stringBytes(args.prefix);
  if (args.prefixCount == 0) args.skip = stringBytes(args.buffer);
  const kept = args.prefixBytes - dropped;
  const added = interpreterLength + 1 + (argument != 0 ? argumentLength + 1 : 0) + scriptLength + 1;
  if (added + kept > PREFIX_BYTES) return -Errno.TOOBIG;
  memory.copy(args.prefix + added, args.prefix + dropped, kept);
  let at = wordPut(args.prefix, interpreter, interpreterLength);
  if (argument != 0) at = wordPut(at, argument, argumentLength);
  wordPut(at, script, scriptLength);
  args.prefixBytes = added + kept;
  args.prefixCount += (argument != 0 ? 3 : 2) + (args.prefixCount == 0 ? 0 : -1);
  return 0;
}

function wordPut(at: usize, from: usize, length: u32): usize {
  memory.copy(at, from, length);
  store<u8>(at + length, 0);
  return at + length + 1;
}

/** Bytes of the string at `ptr`, NUL included. */
export function stringBytes(ptr: usize): u32 {
  let length: u32 = 0;
  while (load<u8>(ptr + length) != 0) length++;
  return length + 1;
}

/** argc of the new program. */
export function execArgsCount(args: ExecArgs): u32 {
  return args.prefixCount == 0 ? args.argc : args.prefixCount + args.argc - 1;
}

/** Bytes of all strings that go onto the new stack. */
export function execArgsBytes(args: ExecArgs): u32 {
  return args.prefixBytes + args.used - args.skip;
}
