/**
 * Timers that send signals: timer_create's, and setitimer(ITIMER_REAL), which is one of them with number REAL_TIMER_ID.
 *
 * A periodic timer is armed again when it fires; expiries that the processor was too late for, or that the process's share of interrupts
 * did not suffice for, are counted as overruns.
 *
 * Invariants  Y1  a timer with isDead set is not armed again: freeing it means setting that, then timerCancelSync.
 * Locking     POSIX_LOCK (Rank.TIMER_POSIX) guards every PosixTimer and the chains Process.posixTimers. Signals are sent
 *             after it is released.
 * Units       ns of monoNowNs(); 0: disarmed.
 * Spec        POSIX.1-2017, timer_create(), timer_settime(), setitimer().
 */
import { monoNowNs } from "../../../arch/current";
import { SI_KERNEL, SI_TIMER, SigInfo, Signal } from "../../abi/signal";
import { SlabCache, slabAlloc, slabFree, slabInit } from "../../core/mm/slab-cache";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { taskPut } from "../../core/sched/task-table";
import { taskByTid } from "../../core/sched/tid";
import { Timer, timerAt, timerCancelSync, timerInit, timerStart } from "../../core/time/timer";
import { clockRealToMono } from "../../core/time/clock";
import { Rank } from "../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";
import { signalSendProcess, signalSendTask } from "../signal/send";
import { EXIT_HOOKS } from "./exit";
import { Process, processOf } from "./process";
import { processGet, processPut } from "./process-table";

/** Number of ITIMER_REAL's timer; timer_create's start at 0. */
export const REAL_TIMER_ID: i32 = -1;
/** All periodic timers of a process together expire once in so many ns on the average; the expiries between count as overruns. */
const SHARE_NS: u64 = 100_000;
/** Most timers of one process. */
const TIMERS_MAX: i32 = 4096;

/** How an expiry is told (sigevent's sigev_notify). */
export const enum Notify { SIGNAL = 0, NONE = 1, THREAD = 2, THREAD_ID = 4 }

@final @unmanaged
export class PosixTimer {
  timer: u64;      // a Timer held by value
  timer1: u64;
  timer2: u64;
  timer3: u64;
  timer4: u64;
  deadlineNs: u64; // next expiry, 0: disarmed
  intervalNs: u64; // 0: once
  value: u64;      // sigev_value
  process: u32;    // Process that owns it
  next: u32;       // PosixTimer of the same process
  id: i32;
  clock: i32;
  notify: u32;     // Notify
  sig: u32;
  tid: u32;        // Notify.THREAD_ID
  overrun: u32;    // expiries since the last signal
  isDead: u32;     // Y1
  pad: u32;
}

const POSIX_LOCK = changetype<SpinLock>(memory.data(offsetof<SpinLock>(), 16));
const TIMER_CACHE = changetype<SlabCache>(memory.data(offsetof<SlabCache>(), 8));

/** After exitInit. */
export function posixTimersInit(): void {
  spinInit(POSIX_LOCK, Rank.TIMER_POSIX);
  slabInit(TIMER_CACHE, "posix-timer", offsetof<PosixTimer>());
  EXIT_HOOKS.posixTimers = posixTimersFree;
}

/** SAFETY: `address` is a PosixTimer, as Process.posixTimers and its chain hold. */
export function posixTimerOf(address: u32): PosixTimer { return changetype<PosixTimer>(address); }

function coreTimer(timer: PosixTimer): Timer { return timerAt(changetype<usize>(timer)); }

/** A disarmed timer of `process` with the lowest free number (or `id` itself when negative); null when there is none. */
export function posixTimerNew(process: Process, id: i32): PosixTimer | null {
  const address = slabAlloc(TIMER_CACHE);
  if (!address) return null;
  memory.fill(address, 0, offsetof<PosixTimer>());
  const timer = posixTimerOf(<u32>address);
  timer.process = <u32>changetype<usize>(process);
  timer.sig = Signal.ALRM;
  timerInit(coreTimer(timer), posixTimerFire, <u32>address);
  spinLock(POSIX_LOCK);
  timer.id = id;
  if (id >= 0) while (timer.id < TIMERS_MAX && findLocked(process, timer.id)) timer.id++;
  const isFull = timer.id >= TIMERS_MAX;
  if (!isFull) {
    timer.next = process.posixTimers;
    process.posixTimers = <u32>address;
  }
  spinUnlock(POSIX_LOCK);
  if (!isFull) return timer;
  slabFree(TIMER_CACHE, address);
  return null;
}

function findLocked(process: Process, id: i32): PosixTimer | null {
  for (let at = process.posixTimers; at != 0; at = posixTimerOf(at).next) {
    if (posixTimerOf(at).id == id) return posixTimerOf(at);
  }
  return null;
}

/** The process's timer of that number, or null. Only the process itself makes and frees its timers. */
export function posixTimerFind(process: Process, id: i32): PosixTimer | null {
  spinLock(POSIX_LOCK);
  const timer = findLocked(process, id);
  spinUnlock(POSIX_LOCK);
  return timer;
}

/** Time left until the next expiry, at least 1 while armed; 0 when disarmed. */
export function posixTimerLeftNs(timer: PosixTimer): u64 {
  const deadlineNs = timer.deadlineNs;
  if (deadlineNs == 0) return 0;
  const now = monoNowNs();
  return deadlineNs > now ? deadlineNs - now : 1;
}

/** Arms (deadlineNs != 0) or disarms the timer. */
export function posixTimerArm(timer: PosixTimer, deadlineNs: u64, intervalNs: u64): void {
  spinLock(POSIX_LOCK);
  timer.deadlineNs = 0; // a firing timer finds itself disarmed
  spinUnlock(POSIX_LOCK);
  timerCancelSync(coreTimer(timer));
  spinLock(POSIX_LOCK);
  timer.intervalNs = intervalNs;
  timer.overrun = 0;
  timer.deadlineNs = deadlineNs;
  if (deadlineNs != 0) timerStart(coreTimer(timer), deadlineNs);
  spinUnlock(POSIX_LOCK);
}

/** The deadline has come: in the timer interrupt. */
function posixTimerFire(address: u32): void {
  const timer = posixTimerOf(address);
  spinLock(POSIX_LOCK);
  const isDue = timer.deadlineNs != 0 && !timer.isDead && timer.deadlineNs <= monoNowNs();
  if (isDue) rearmLocked(timer);
  const process = processOf(timer.process);
  if (isDue) processGet(process);
  spinUnlock(POSIX_LOCK);
  if (!isDue) return;
  posixTimerNotify(timer, process);
  processPut(process);
}

/** Places a periodic timer's next expiry after now, counting what was missed. */
function rearmLocked(timer: PosixTimer): void {
  if (timer.intervalNs == 0) {
    timer.deadlineNs = 0;
    return;
  }
  const now = monoNowNs();
  const process = processOf(timer.process);
  process.posixPaidNs = max<u64>(process.posixPaidNs, timer.deadlineNs) + SHARE_NS;
  let next = timer.deadlineNs + timer.intervalNs;
  const earliest = max<u64>(now, process.posixPaidNs);
  if (next < earliest) {
    const missed = (earliest - next) / timer.intervalNs + 1;
    timer.overrun += <u32>min<u64>(missed, 0x7fffffff);
    next += missed * timer.intervalNs;
  }
  timer.deadlineNs = next;
  timerStart(coreTimer(timer), next);
}

function posixTimerNotify(timer: PosixTimer, process: Process): void {
  if (timer.notify == Notify.NONE) return;
  const ptr = scratchPush(offsetof<SigInfo>());
  memory.fill(ptr, 0, offsetof<SigInfo>());
  const info = changetype<SigInfo>(ptr); // SAFETY: scratch of that size
  info.signo = timer.sig;
  info.code = timer.id == REAL_TIMER_ID ? SI_KERNEL : SI_TIMER;
  if (timer.id != REAL_TIMER_ID) {
    info.field0 = <u64>(<u32>timer.id) | (<u64>timer.overrun << 32);
    info.field1 = timer.value;
  }
  if (timer.notify == Notify.THREAD_ID) threadNotify(timer, ptr);
  else signalSendProcess(process, timer.sig, ptr); // a full queue only loses the siginfo
  scratchPop(offsetof<SigInfo>());
}

function threadNotify(timer: PosixTimer, info: usize): void {
  const task = taskByTid(timer.tid);
  if (!task) return;
  if (task.process == timer.process) signalSendTask(task, timer.sig, info);
  taskPut(task);
}

/** Frees one timer of the calling process. */
export function posixTimerFree(process: Process, timer: PosixTimer): void {
  spinLock(POSIX_LOCK);
  timer.isDead = 1; // Y1
  unlinkLocked(process, timer);
  spinUnlock(POSIX_LOCK);
  timerCancelSync(coreTimer(timer));
  slabFree(TIMER_CACHE, changetype<usize>(timer));
}

function unlinkLocked(process: Process, timer: PosixTimer): void {
  const address = <u32>changetype<usize>(timer);
  if (process.posixTimers == address) {
    process.posixTimers = timer.next;
    return;
  }
  for (let at = process.posixTimers; at != 0; at = posixTimerOf(at).next) {
    if (posixTimerOf(at).next != address) continue;
    posixTimerOf(at).next = timer.next;
    return;
  }
}

/** The process ends: frees all its timers. */
export function posixTimersFree(process: Process): void {
  while (process.posixTimers != 0) posixTimerFree(process, posixTimerOf(process.posixTimers));
}

/** exec(2): timer_create's timers go, ITIMER_REAL stays. */
export function posixTimersExec(process: Process): void {
  let at = process.posixTimers;
  while (at != 0) {
    const timer = posixTimerOf(at);
    at = timer.next;
    if (timer.id != REAL_TIMER_ID) posixTimerFree(process, timer);
  }
}

/** Monotonic deadline of an absolute or relative time on a clock; never 0. */
export function posixDeadlineNs(isReal: bool, isAbsolute: bool, ns: u64): u64 {
  if (!isAbsolute) return monoNowNs() + ns;
  return max<u64>(isReal ? clockRealToMono(ns) : ns, 1);
}
