/** Dates of FAT: since 1980, in steps of two seconds; taken as UTC. */
/** Days of last access are kept. */
export const DAY_NS: u64 = 86_400_000_000_000;
/** Times of writing are. */
export const MTIME_STEP_NS: u64 = 2_000_000_000;
const SECOND_NS: u64 = 1_000_000_000;
/** Days from 1970-01-01 to 1980-01-01 and to 2108-01-01. */
const DAYS_1980: u64 = 3652;
const DAYS_2108: u64 = 50403;

/** Date (high half) and time (low half) of ns since the epoch, clamped to what can be said. */
export function dateOf(ns: u64): u32 {
  let days = ns / DAY_NS;
  let seconds = <u32>(ns % DAY_NS / SECOND_NS);
  if (days < DAYS_1980) {
    days = DAYS_1980;
    seconds = 0;
  } else if (days >= DAYS_2108) {
    days = DAYS_2108 - 1;
    seconds = 86398;
  }
  // Civil date from days, by eras of 400 years that begin in March.
  const z = days + 719468;
  const doe = <u32>(z % 146097);
  const yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const mp = (5 * doy + 2) / 153;
  const day = doy - (153 * mp + 2) / 5 + 1;
  const month = mp < 10 ? mp + 3 : mp - 9;
  const year = yoe + <u32>(z / 146097) * 400 + (month <= 2 ? 1 : 0);
  const date = (year - 1980) << 9 | month << 5 | day;
  return date << 16 | (seconds / 3600) << 11 | (seconds / 60 % 60) << 5 | seconds % 60 >> 1;
}

/** Hundredths of a second beyond the two-second step: 0 to 199. */
export function tenthsOf(ns: u64): u32 {
  return <u32>(ns % (2 * SECOND_NS) / 10_000_000);
}

/** ns since the epoch of a date and a time; nonsense reads as the nearest sense. */
export function nsOf(date: u32, time: u32, tenths: u32): u64 {
  const year = 1980 + (date >> 9);
  const month = min<u32>(12, max<u32>(1, date >> 5 & 15));
  const day = max<u32>(1, date & 31);
  const y = month <= 2 ? year - 1 : year;
  const yoe = y % 400;
  const doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  const days = <u64>(y / 400) * 146097 + doe - 719468;
  const seconds = min<u32>(23, time >> 11) * 3600 + min<u32>(59, time >> 5 & 63) * 60 + min<u32>(29, time & 31) * 2;
  return days * DAY_NS + <u64>seconds * SECOND_NS + <u64>min<u32>(199, tenths) * 10_000_000;
}
