/**
 * Signs of life. Pure.
 *
 * Each tick every server is asked once; unanswered questions are counted, not time: a machine that stood still for an hour wakes with one
 * question open, not with every server late.
 */

/** Bringing a device up may take this many times as long as answering. */
const STARTING_FACTOR: u32 = 4;

/** Open questions after one more tick, or 0xffffffff for a server that hangs; a `limit` of 0 never ends. */
export function silenceAfter(open: u32, limit: u32, isStarting: bool): u32 {
  const most = isStarting ? limit * STARTING_FACTOR : limit;
  return limit != 0 && open >= most ? HUNG : min<u32>(open + 1, HUNG - 1);
}

export const HUNG: u32 = u32.MAX_VALUE;
