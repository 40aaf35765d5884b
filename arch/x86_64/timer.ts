/**
 * Time from the hardware: the TSC as clock, the local APIC as one-shot alarm.
 *
 * ns = ticks * mult >> 28, computed on both halves of the tick count so that nothing overflows for centuries; mult is
 * below 2^32 for every TSC of at least 63 MHz.
 *
 * Locking  calibrated once on the boot CPU; read-only afterwards.
 * Units    ns since boot; Hz.
 * Spec     IA-PC HPET 1.0a, sec. 2.3; Intel 8254 datasheet; SDM vol. 3B, 18.17 "Time-Stamp Counter".
 */
import { ACPI } from "./acpi";
import { apicTimerCurrent, apicTimerDeadlineMode, apicTimerOneShot, apicTimerStart } from "./apic";
import { cpuPause, in8, out8, physLoad32, physLoad64, physStore64, rdtsc, wrmsr } from "./intrinsics";

const IA32_TSC_DEADLINE: u32 = 0x6e0;
const NS_PER_S: u64 = 1_000_000_000;
const MULT_SHIFT: u64 = 28;
const CALIBRATION_NS: u64 = 5_000_000;

const SAMPLE_TRIES: u32 = 8;

const HPET_PERIOD: u64 = 0x04;  // femtoseconds a tick, upper half of the capability register
const HPET_CONFIG: u64 = 0x10;
const HPET_COUNTER: u64 = 0xf0;
const HPET_ENABLE: u64 = 1;
const HPET_MAX_PERIOD_FS: u64 = 100_000_000; // the specification's upper bound

const PIT_HZ: u64 = 1_193_182;
const PIT_CHANNEL2: u32 = 0x42;
const PIT_COMMAND: u32 = 0x43;
const PIT_GATE: u32 = 0x61;
const PIT_SPIN_LIMIT: u32 = 100_000_000; // no PIT: give up instead of hanging

@final @unmanaged
export class Timekeeper {
  tscBase: u64;      // TSC at boot
  mult: u64;         // ns per tick << 28
  tscHz: u64;
  apicMult: u64;     // APIC timer ticks per ns << 28
  apicHz: u64;
  isDeadlineMode: u32;
  source: u32;       // 0 none, 1 HPET, 2 PIT
}

export const TIMEKEEPER = changetype<Timekeeper>(memory.data(offsetof<Timekeeper>(), 16));

/** Nanoseconds since boot; monotonic on every CPU as long as the TSCs are synchronous. */
export function monoNowNs(): u64 {
  return tscToNs(rdtsc());
}

/** Converts a TSC reading to nanoseconds since boot. */
export function tscToNs(tsc: u64): u64 {
  return ticksToNs(tsc - TIMEKEEPER.tscBase);
}

/** Nanoseconds that `ticks` of the TSC take. */
export function ticksToNs(ticks: u64): u64 {
  const mult = TIMEKEEPER.mult;
  return (((ticks >> 32) * mult) << (32 - MULT_SHIFT)) + (((ticks & 0xffffffff) * mult) >> MULT_SHIFT);
}

/** Calibrates TSC and APIC timer against HPET or PIT. The APIC of this CPU is on. False when nothing answered. */
export function timerCalibrate(): bool {
  apicTimerOneShot();
  const usedNs = ACPI.hpetPa != 0 ? calibrateByHpet(ACPI.hpetPa) : 0;
  if (usedNs != 0) TIMEKEEPER.source = 1;
  else if (calibrateByPit()) TIMEKEEPER.source = 2;
  else return false;
  TIMEKEEPER.mult = (NS_PER_S << MULT_SHIFT) / TIMEKEEPER.tscHz;
  TIMEKEEPER.apicMult = (TIMEKEEPER.apicHz << MULT_SHIFT) / NS_PER_S;
  return true;
}

function ratesSet(tscTicks: u64, apicTicks: u64, elapsedNs: u64): void {
  TIMEKEEPER.tscHz = tscTicks * NS_PER_S / elapsedNs;
  TIMEKEEPER.apicHz = apicTicks * NS_PER_S / elapsedNs;
  if (TIMEKEEPER.tscHz == 0) TIMEKEEPER.tscHz = NS_PER_S;
  if (TIMEKEEPER.apicHz == 0) TIMEKEEPER.apicHz = NS_PER_S;
}

/** The three clocks read at about the same time. */
@final @unmanaged
class ClockSample {
  hpet: u64;
  tsc: u64;
  apic: u64; // counts down
}
const FIRST = changetype<ClockSample>(memory.data(offsetof<ClockSample>(), 8));
const LAST = changetype<ClockSample>(memory.data(offsetof<ClockSample>(), 8));

/** Keeps the quickest of several readings: an emulator or firmware may stop this CPU between any two of them. */
function clockSample(pa: u64, sample: ClockSample): void {
  let quickest = u64.MAX_VALUE;
  for (let i: u32 = 0; i < SAMPLE_TRIES; i++) {
    const before = rdtsc();
    const hpet = physLoad64(pa + HPET_COUNTER);
    const apic = apicTimerCurrent();
    const took = rdtsc() - before;
    if (took >= quickest) continue;
    quickest = took;
    sample.hpet = hpet;
    sample.tsc = before + (took >> 1);
    sample.apic = apic;
  }
}

/** Returns the ns measured, 0 when the HPET does not count. */
function calibrateByHpet(pa: u64): u64 {
  const periodFs = <u64>physLoad32(pa + HPET_PERIOD);
  if (periodFs == 0 || periodFs > HPET_MAX_PERIOD_FS) return 0;
  physStore64(pa + HPET_CONFIG, physLoad64(pa + HPET_CONFIG) | HPET_ENABLE);
  apicTimerStart(0xffffffff);
  clockSample(pa, FIRST);
  let elapsedNs: u64 = 0;
  let lastNs: u64 = 0;
  let stuck: u32 = 0;
  while (elapsedNs < CALIBRATION_NS) {
    elapsedNs = (physLoad64(pa + HPET_COUNTER) - FIRST.hpet) * periodFs / 1_000_000;
    stuck = elapsedNs == lastNs ? stuck + 1 : 0;
    if (stuck > 1_000_000) return 0;
    lastNs = elapsedNs;
    cpuPause();
  }
  clockSample(pa, LAST);
  apicTimerStart(0);
  elapsedNs = (LAST.hpet - FIRST.hpet) * periodFs / 1_000_000;
  ratesSet(LAST.tsc - FIRST.tsc, FIRST.apic - LAST.apic, elapsedNs);
  return elapsedNs;
}

/** Channel 2 counts down once from 5 ms with the speaker off; its output bit says when. */
function calibrateByPit(): bool {
  const count = <u32>(PIT_HZ * CALIBRATION_NS / NS_PER_S);
  out8(PIT_GATE, (in8(PIT_GATE) & 0xfc) | 1);
  out8(PIT_COMMAND, 0xb0); // channel 2, low then high byte, mode 0
  out8(PIT_CHANNEL2, count & 0xff);
  out8(PIT_CHANNEL2, count >> 8);
  apicTimerStart(0xffffffff);
  const startTsc = rdtsc();
  let spins: u32 = 0;
  while ((in8(PIT_GATE) & 0x20) == 0) {
    if (++spins > PIT_SPIN_LIMIT) return false;
  }
  const tscTicks = rdtsc() - startTsc;
  const apicTicks = <u64>(0xffffffff - apicTimerCurrent());
  apicTimerStart(0);
  ratesSet(tscTicks, apicTicks, CALIBRATION_NS);
  return true;
}

/** Puts this CPU's alarm into its mode; timerCalibrate() has run on the boot CPU. */
export function timerInitCpu(hasTscDeadline: bool): void {
  TIMEKEEPER.isDeadlineMode = hasTscDeadline ? 1 : 0;
  if (hasTscDeadline) apicTimerDeadlineMode();
  else apicTimerOneShot();
}

/** Interrupts this CPU at Vector.TIMER once monoNowNs() reaches `deadlineNs` (at once when it has passed). */
export function timerArm(deadlineNs: u64): void {
  if (TIMEKEEPER.isDeadlineMode) {
    wrmsr(IA32_TSC_DEADLINE, nsToTsc(deadlineNs));
    return;
  }
  const now = monoNowNs();
  const deltaNs = deadlineNs > now ? deadlineNs - now : 0;
  // Four seconds at most per shot: the handler re-arms, and the product stays within 64 bits.
  const count = (min<u64>(deltaNs, 4 * NS_PER_S) * TIMEKEEPER.apicMult) >> MULT_SHIFT;
  apicTimerStart(<u32>max<u64>(1, min<u64>(count, 0xffffffff)));
}

/** Stops this CPU's alarm. */
export function timerDisarm(): void {
  if (TIMEKEEPER.isDeadlineMode) wrmsr(IA32_TSC_DEADLINE, 0);
  else apicTimerStart(0);
}

function nsToTsc(ns: u64): u64 {
  const seconds = ns / NS_PER_S;
  return TIMEKEEPER.tscBase + seconds * TIMEKEEPER.tscHz + (ns % NS_PER_S) * TIMEKEEPER.tscHz / NS_PER_S + 1;
}

/** Busy-waits (start-up of processors, device resets). */
export function delayNs(ns: u64): void {
  const end = monoNowNs() + ns;
  while (monoNowNs() < end) cpuPause();
}
