/**
 * Load averages: exponentially damped counts of runnable tasks, sampled every five seconds.
 *
 * Units  fixed point with 11 fraction bits, as in Linux's /proc/loadavg and sysinfo.
 * Locking  written by the timer alone.
 */
import { monoNowNs } from "../../../arch/current";
import { NS_PER_SEC } from "../time/clock";
import { Timer, timerInit, timerStart } from "../time/timer";
import { cpusOnline } from "./placement";
import { runQueueAt } from "./run-queue";

const PERIOD_NS: u64 = 5 * NS_PER_SEC + NS_PER_SEC / 100; // not quite 5 s: avoids beating with periodic work
const FIXED_1: u32 = 1 << 11;
const EXP_1: u32 = 1884;  // 2048 / e^(5/60)
const EXP_5: u32 = 2014;
const EXP_15: u32 = 2037;

const AVERAGES: usize = memory.data(3 * 4, 8);
const TIMER = changetype<Timer>(memory.data(offsetof<Timer>(), 8));

/** Average number `i` (0: 1 minute, 1: 5, 2: 15), fixed point. */
export function loadAverage(i: u32): u32 {
  return load<u32>(AVERAGES + (<usize>i << 2));
}

/** Runnable tasks on all CPUs. */
export function loadRunnable(): u32 {
  let count: u32 = 0;
  for (let left = cpusOnline(); left != 0; left &= left - 1) count += runQueueAt(<u32>ctz(left)).count;
  return count;
}

/** One step of an average; Linux rounds up while the load rises, so that it reaches the true value. */
export function loadStep(average: u32, exponent: u32, active: u32): u32 {
  let next = average * exponent + active * (FIXED_1 - exponent);
  if (active >= average) next += FIXED_1 - 1;
  return next >> 11;
}

function loadSample(arg: u32): void {
  const active = loadRunnable() * FIXED_1;
  store<u32>(AVERAGES, loadStep(loadAverage(0), EXP_1, active));
  store<u32>(AVERAGES, loadStep(loadAverage(1), EXP_5, active), 4);
  store<u32>(AVERAGES, loadStep(loadAverage(2), EXP_15, active), 8);
  timerStart(TIMER, monoNowNs() + PERIOD_NS);
}

/** Starts sampling, on the calling CPU. */
export function loadAverageInit(): void {
  timerInit(TIMER, loadSample, 0);
  timerStart(TIMER, monoNowNs() + PERIOD_NS);
}
