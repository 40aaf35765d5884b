/**
 * When a server that ended is started again. Pure: no clock and no kernel in here.
 *
 * A server that lived USEFUL_NS is started at once. One that fails sooner waits 10 ms, 20 ms, … up to 2 s, and after GIVE_UP such
 * failures in a row it is given up: somebody must look.
 */
export const USEFUL_NS: u64 = 100_000_000;
export const GIVE_UP: u32 = 10;
const FIRST_DELAY_NS: u64 = 10_000_000;
const LAST_DELAY_NS: u64 = 2_000_000_000;

/** Failures in a row, after one more life of `livedNs`. */
export function failuresAfter(failures: u32, livedNs: u64): u32 {
  return livedNs >= USEFUL_NS ? 0 : failures + 1;
}

export function isGivenUp(failures: u32): bool {
  return failures >= GIVE_UP;
}

/** How long to wait before the next start. */
export function delayNs(failures: u32): u64 {
  if (failures == 0) return 0;
  return min<u64>(FIRST_DELAY_NS << <u64>min<u32>(failures - 1, 20), LAST_DELAY_NS);
}
