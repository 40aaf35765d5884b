/**
 * The CMOS clock, read once at boot for the time of day.
 *
 * Spec  Motorola MC146818A datasheet; ACPI FADT century byte is not trusted: years below 70 are 20xx.
 */
import { in8, out8 } from "./intrinsics";

const CMOS_INDEX: u32 = 0x70;
const CMOS_DATA: u32 = 0x71;
const SECONDS: u32 = 0, MINUTES: u32 = 2, HOURS: u32 = 4, DAY: u32 = 7, MONTH: u32 = 8, YEAR: u32 = 9;
const STATUS_A: u32 = 0x0a;
const STATUS_B: u32 = 0x0b;
const UPDATE_IN_PROGRESS: u32 = 0x80;
const MODE_BINARY: u32 = 4;
const MODE_24H: u32 = 2;
const HOURS_PM: u32 = 0x80;
const SPIN_LIMIT: u32 = 100_000; // an update takes 2 ms; no RTC at all must not hang the boot

function cmosRead(reg: u32): u32 {
  out8(CMOS_INDEX, reg);
  return in8(CMOS_DATA);
}

function fromBcd(value: u32): u32 {
  return (value >> 4) * 10 + (value & 15);
}

/** Days from 1970-01-01 to the given civil date (Gregorian). */
export function daysFromCivil(year: u32, month: u32, day: u32): u64 {
  const y = <u64>(month <= 2 ? year - 1 : year);
  const shifted = <u64>(month > 2 ? month - 3 : month + 9); // March is 0: the leap day comes last
  const dayOfYear = (153 * shifted + 2) / 5 + day - 1;
  return 365 * y + y / 4 - y / 100 + y / 400 + dayOfYear - 719468;
}

/** Seconds since the epoch as the RTC (taken as UTC) tells them. */
export function rtcReadSeconds(): u64 {
  for (let spins: u32 = 0; spins < SPIN_LIMIT; spins++) {
    if ((cmosRead(STATUS_A) & UPDATE_IN_PROGRESS) == 0) break;
  }
  const mode = cmosRead(STATUS_B);
  const isBcd = (mode & MODE_BINARY) == 0;
  const second = field(SECONDS, isBcd);
  const minute = field(MINUTES, isBcd);
  const rawHour = cmosRead(HOURS);
  const isPm = (mode & MODE_24H) == 0 && (rawHour & HOURS_PM) != 0;
  let hour = isBcd ? fromBcd(rawHour & 0x7f) : rawHour & 0x7f;
  if ((mode & MODE_24H) == 0) hour = hour % 12 + (isPm ? 12 : 0);
  const year = field(YEAR, isBcd);
  const days = daysFromCivil(year < 70 ? 2000 + year : 1900 + year, field(MONTH, isBcd), field(DAY, isBcd));
  return days * 86400 + hour * 3600 + minute * 60 + second;
}

function field(reg: u32, isBcd: bool): u32 {
  const value = cmosRead(reg);
  return isBcd ? fromBcd(value) : value;
}
