/**
 * When a server that ended is started again. Pure: no clock and no kernel in here.
 *
 * A server that lived USEFUL_NS is started at once. One that fails sooner waits 10 ms, 20 ms, … up to 2 s, and after as many such
 * failures in a row as its manifest allows it is given up: somebody must look.
 */

/** What a manifest says: start again after every end, after ends other than exit(0), or not at all. */
export const enum Restart { ALWAYS, ON_FAILURE, NEVER }

/** What becomes of a server that ended. */
export const enum Verdict { START, WAIT, FINISHED, GIVEN_UP }

export const USEFUL_NS: u64 = 100_000_000;
const FIRST_DELAY_NS: u64 = 10_000_000;
const LAST_DELAY_NS: u64 = 2_000_000_000;
/** execve failed for good: the program is missing or is none (instance.ts). */
export const EXIT_NO_PROGRAM: u32 = 127;
/** 10 ms << 8 is past the last delay. */
const SHIFT_MAX: u32 = 8;

/** Failures in a row, after one more life of `livedNs`. */
export function failuresAfter(failures: u32, livedNs: u64): u32 {
  return livedNs >= USEFUL_NS ? 0 : failures + 1;
}

/** `status` as wait4 gives it; `failures` counts this end already. */
export function verdict(restart: Restart, limit: u32, failures: u32, status: u32): Verdict {
  if (restart == Restart.NEVER || (restart == Restart.ON_FAILURE && status == 0)) return Verdict.FINISHED;
  if (status == EXIT_NO_PROGRAM << 8) return Verdict.GIVEN_UP; // a file does not repair itself
  if (failures >= limit && failures > 0) return Verdict.GIVEN_UP;
  return failures == 0 ? Verdict.START : Verdict.WAIT;
}

/** How long to wait before the next start. */
export function delayNs(failures: u32): u64 {
  if (failures == 0) return 0;
  return min<u64>(FIRST_DELAY_NS << <u64>min<u32>(failures - 1, SHIFT_MAX), LAST_DELAY_NS);
}

/** The end that wait status `status` tells of, for people. */
export function endText(status: u32): string {
  const sig = status & 0x7f;
  if (sig != 0) return "killed by signal " + sig.toString();
  if (status == EXIT_NO_PROGRAM << 8) return "its program is missing or damaged";
  return "exited with " + (status >> 8 & 0xff).toString();
}
