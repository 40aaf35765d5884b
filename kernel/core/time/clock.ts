/**
 * Clocks: monotonic time comes from the TSC (arch), real time is monotonic time plus an offset.
 *
 * The offset is one aligned 64-bit word, so readers need no lock.
 *
 * Invariants  K1  monoNowNs never goes back and never jumps; only the offset does.
 * Locking     none; clockSetReal is serialised by its caller being rare and the word being atomic.
 * Units       ns. Real time counts from 1970-01-01 UTC.
 */
import { monoNowNs } from "../../../arch/current";

export const NS_PER_SEC: u64 = 1_000_000_000;
export const NS_PER_MSEC: u64 = 1_000_000;
export const NS_PER_USEC: u64 = 1_000;

@final @unmanaged
class ClockState {
  realOffsetNs: u64; // real time at monotonic 0
  onSet: () => void; // told when real time jumped
  hasOnSet: u32;
}
const CLOCK = changetype<ClockState>(memory.data(offsetof<ClockState>(), 8));

/** Real time of day. */
export function realNowNs(): u64 {
  return monoNowNs() + atomic.load<u64>(changetype<usize>(CLOCK));
}

/** Real time at which the machine booted (monotonic 0); moves when the clock is set. */
export function clockRealOffsetNs(): u64 {
  return atomic.load<u64>(changetype<usize>(CLOCK));
}

/** Sets the time of day (the boot reads it from the RTC). */
export function clockSetReal(realNs: u64): void {
  const now = monoNowNs();
  atomic.store<u64>(changetype<usize>(CLOCK), realNs > now ? realNs - now : 0);
  if (CLOCK.hasOnSet) CLOCK.onSet();
}

/** `onSet` runs after each jump of real time: absolute CLOCK_REALTIME timers are placed anew. */
export function clockOnSet(onSet: () => void): void {
  CLOCK.onSet = onSet;
  CLOCK.hasOnSet = 1;
}

/** Monotonic time that corresponds to `realNs`; 0 when that lies before boot. */
export function clockRealToMono(realNs: u64): u64 {
  const offset = clockRealOffsetNs();
  return realNs > offset ? realNs - offset : 0;
}
