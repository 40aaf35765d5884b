/**
 * Errors that happen behind a caller's back (write-back), told once to each who asks, as Linux' errseq_t.
 *
 *   |31        13|12  |11     0|      One word where errors happen; everyone who is to hear of them keeps the word he saw last.
 *   | counter    |seen| errno  |
 *
 * An error nobody was told of is still told to who comes later; one that was told is news only to those who were there before it.
 * Locking  none: words are changed by compare and exchange.
 */
const ERRNO: u32 = 0xfff;
const SEEN: u32 = 0x1000;
const COUNT: u32 = 0x2000;

/** An error (negated errno) happened. */
export function errseqSet(at: usize, error: i32): void {
  while (true) {
    const old = atomic.load<u32>(at);
    const next = (old & ~(ERRNO | SEEN)) + (old & SEEN ? COUNT : 0) | <u32>-error & ERRNO;
    if (next == old || atomic.cmpxchg<u32>(at, old, next) == old) return;
  }
}

/** What somebody who begins to listen has seen: all that was told before. */
export function errseqSample(at: usize): u32 {
  const now = atomic.load<u32>(at);
  return now & SEEN ? now : 0;
}

/** The error since the listener whose word is at `sinceAt` looked last, 0 for none; he has seen it then. */
export function errseqCheck(at: usize, sinceAt: usize): i32 {
  const now = atomic.load<u32>(at);
  if (now == load<u32>(sinceAt)) return 0;
  if (!(now & SEEN)) atomic.cmpxchg<u32>(at, now, now | SEEN); // fails when a newer error came: that is told next time
  store<u32>(sinceAt, now | SEEN);
  return -(<i32>(now & ERRNO));
}
