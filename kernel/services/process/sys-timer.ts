/**
 * timer_create and its family; setitimer, getitimer, alarm.
 *
 * ITIMER_VIRTUAL, ITIMER_PROF and RLIMIT_CPU are counted down by the scheduler's tick, so their grain is TICK_NS.
 *
 * Locking  the tick runs in the process's context of one of its threads; the countdowns are atomic words.
 * Spec     POSIX.1-2017, timer_create(), getitimer(), alarm(), getrlimit().
 */
import { userCopyIn, userCopyOut, userStore32 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { NSIG, Signal } from "../../abi/signal";
import { TICK_NS } from "../../core/sched/sched";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { Task } from "../../core/sched/task";
import { tickHookSet } from "../../core/sched/tick";
import { Mutex, mutexInit, mutexLock, mutexUnlock } from "../../core/sync/mutex";
import { NS_PER_SEC } from "../../core/time/clock";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { signalSendProcess } from "../signal/send";
import {
  Notify, PosixTimer, REAL_TIMER_ID, posixDeadlineNs, posixTimerArm, posixTimerFind, posixTimerFree, posixTimerLeftNs,
  posixTimerNew, posixTimersInit,
} from "./posix-timer";
import { Process, currentProcess, processOf } from "./process";
import { processLock } from "./process-table";
import { RLIM_INFINITY, Rlimit, rlimitHard, rlimitSoft } from "./rlimit";
import { processSystemNs, processUserNs } from "./rusage";
import { clockIsReal, clockIsWaitable } from "./sys-time";
import { timespecReadNs, timespecWriteNs, timevalReadNs, timevalWriteNs } from "./user-time";

const TIMER_ABSTIME: u32 = 1;
const SIGEVENT_BYTES: u32 = 64;

/** Serialises the calls of all processes on timers: a timer found stays until the call is over. Before mm locks. */
const TIMER_MUTEX = changetype<Mutex>(memory.data(offsetof<Mutex>(), 16));

const enum Itimer { REAL = 0, VIRTUAL = 1, PROF = 2 }

/** At boot, after exitInit. */
export function timersInit(): void {
  mutexInit(TIMER_MUTEX);
  posixTimersInit();
  tickHookSet(processTick);
}

// ---- timer_create ----

/** Fills in what a struct sigevent asks for: 0 or -errno. */
function eventRead(timer: PosixTimer, va: u64): i64 {
  const ptr = scratchPush(SIGEVENT_BYTES);
  const failed = userCopyIn(ptr, va, SIGEVENT_BYTES) != 0;
  timer.value = load<u64>(ptr);
  timer.sig = load<u32>(ptr, 8);
  timer.notify = load<u32>(ptr, 12);
  timer.tid = load<u32>(ptr, 16);
  scratchPop(SIGEVENT_BYTES);
  if (failed) return -Errno.FAULT;
  const isKnown = timer.notify == Notify.SIGNAL || timer.notify == Notify.NONE || timer.notify == Notify.THREAD_ID;
  if (!isKnown) return -Errno.INVAL;
  return timer.notify != Notify.NONE && (timer.sig == 0 || timer.sig > NSIG) ? -Errno.INVAL : 0;
}

export function sysTimerCreate(clock: i32, eventVa: u64, idVa: u64): i64 {
  if (!clockIsWaitable(clock)) return -Errno.INVAL;
  mutexLock(TIMER_MUTEX);
  const result = timerCreate(clock, eventVa, idVa);
  mutexUnlock(TIMER_MUTEX);
  return result;
}

function timerCreate(clock: i32, eventVa: u64, idVa: u64): i64 {
  const process = currentProcess();
  const timer = posixTimerNew(process, 0);
  if (!timer) return -Errno.AGAIN;
  timer.clock = clock;
  timer.value = <u64>timer.id;
  let result: i64 = eventVa != 0 ? eventRead(timer, eventVa) : 0;
  if (result == 0 && userStore32(idVa, <u32>timer.id) != 0) result = -Errno.FAULT;
  if (result != 0) posixTimerFree(process, timer);
  return result;
}

/** What the calls on one timer do, with TIMER_MUTEX held; `ptr` has interval and value as two i64, in and out. */
function timerSet(id: i32, isAbsolute: bool, ptr: usize): i64 {
  const timer = posixTimerFind(currentProcess(), id);
  if (!timer) return -Errno.INVAL;
  const intervalNs = load<u64>(ptr);
  const valueNs = load<u64>(ptr, 8);
  store<u64>(ptr, timer.intervalNs);
  store<u64>(ptr, posixTimerLeftNs(timer), 8);
  posixTimerArm(timer, valueNs == 0 ? 0 : posixDeadlineNs(clockIsReal(timer.clock), isAbsolute, valueNs), intervalNs);
  return 0;
}

function timerGet(id: i32, ptr: usize): i64 {
  const timer = posixTimerFind(currentProcess(), id);
  if (!timer) return -Errno.INVAL;
  store<u64>(ptr, timer.intervalNs);
  store<u64>(ptr, posixTimerLeftNs(timer), 8);
  return 0;
}

/** Writes interval and value at `ptr` as two timespecs. */
function itimerspecWrite(va: u64, ptr: usize): i64 {
  const result = timespecWriteNs(va, load<i64>(ptr));
  return result < 0 ? result : timespecWriteNs(va + 16, load<i64>(ptr, 8));
}

/** Reads two timespecs to `ptr` as interval and value. */
function itimerspecRead(ptr: usize, va: u64): i64 {
  const intervalNs = timespecReadNs(va);
  if (intervalNs < 0) return intervalNs;
  const valueNs = timespecReadNs(va + 16);
  if (valueNs < 0) return valueNs;
  store<i64>(ptr, intervalNs);
  store<i64>(ptr, valueNs, 8);
  return 0;
}

export function sysTimerSettime(id: i32, flags: u32, valueVa: u64, oldVa: u64): i64 {
  if (id < 0) return -Errno.INVAL;
  const ptr = scratchPush(16);
  let result = itimerspecRead(ptr, valueVa);
  if (result == 0) {
    mutexLock(TIMER_MUTEX);
    result = timerSet(id, (flags & TIMER_ABSTIME) != 0, ptr);
    mutexUnlock(TIMER_MUTEX);
  }
  if (result == 0 && oldVa != 0) result = itimerspecWrite(oldVa, ptr);
  scratchPop(16);
  return result;
}

export function sysTimerGettime(id: i32, valueVa: u64): i64 {
  if (id < 0) return -Errno.INVAL;
  const ptr = scratchPush(16);
  mutexLock(TIMER_MUTEX);
  let result = timerGet(id, ptr);
  mutexUnlock(TIMER_MUTEX);
  if (result == 0) result = itimerspecWrite(valueVa, ptr);
  scratchPop(16);
  return result;
}

export function sysTimerGetoverrun(id: i32): i64 {
  if (id < 0) return -Errno.INVAL;
  mutexLock(TIMER_MUTEX);
  const timer = posixTimerFind(currentProcess(), id);
  const result: i64 = timer ? <i64>(timer.overrun & 0x7fffffff) : -Errno.INVAL;
  mutexUnlock(TIMER_MUTEX);
  return result;
}

export function sysTimerDelete(id: i32): i64 {
  if (id < 0) return -Errno.INVAL;
  mutexLock(TIMER_MUTEX);
  const timer = posixTimerFind(currentProcess(), id);
  if (timer) posixTimerFree(currentProcess(), timer);
  mutexUnlock(TIMER_MUTEX);
  return timer ? 0 : -Errno.INVAL;
}

// ---- interval timers ----

/** Countdown of VIRTUAL or PROF: a pair of u64 in the process, time left and interval. */
function countdownPtr(process: Process, which: i32): usize {
  const base = changetype<usize>(process);
  return which == Itimer.VIRTUAL ? base + offsetof<Process>("itimerVirtNs") : base + offsetof<Process>("itimerProfNs");
}

/** Time left of an interval timer, 0 when it is not armed; its interval. */
function itimerLeftNs(process: Process, which: i32): u64 {
  if (which != Itimer.REAL) return load<u64>(countdownPtr(process, which));
  const timer = posixTimerFind(process, REAL_TIMER_ID);
  return timer ? posixTimerLeftNs(timer) : 0;
}

function itimerIntervalNs(process: Process, which: i32): u64 {
  if (which != Itimer.REAL) return load<u64>(countdownPtr(process, which), 8);
  const timer = posixTimerFind(process, REAL_TIMER_ID);
  return timer ? timer.intervalNs : 0;
}

/** Arms or disarms and tells the old values through `oldPtr` (interval, time left). */
function itimerExchange(process: Process, which: i32, valueNs: u64, intervalNs: u64, oldPtr: usize): i64 {
  mutexLock(TIMER_MUTEX);
  store<u64>(oldPtr, itimerIntervalNs(process, which));
  store<u64>(oldPtr, itimerLeftNs(process, which), 8);
  const result = itimerSet(process, which, valueNs, intervalNs);
  mutexUnlock(TIMER_MUTEX);
  return result;
}

/** Arms, or disarms with valueNs 0. -ENOMEM when there is no memory for the first ITIMER_REAL. */
function itimerSet(process: Process, which: i32, valueNs: u64, intervalNs: u64): i64 {
  if (which != Itimer.REAL) {
    store<u64>(countdownPtr(process, which), valueNs);
    store<u64>(countdownPtr(process, which), intervalNs, 8);
    return 0;
  }
  let timer = posixTimerFind(process, REAL_TIMER_ID);
  if (!timer && valueNs == 0) return 0;
  if (!timer) timer = posixTimerNew(process, REAL_TIMER_ID);
  if (!timer) return -Errno.NOMEM;
  posixTimerArm(timer, valueNs == 0 ? 0 : posixDeadlineNs(false, false, valueNs), intervalNs);
  return 0;
}

function itimervalWrite(va: u64, intervalNs: u64, leftNs: u64): i64 {
  const result = timevalWriteNs(va, <i64>intervalNs);
  // A timer that is about to fire must not look disarmed.
  return result < 0 ? result : timevalWriteNs(va + 16, leftNs == 0 ? 0 : <i64>max<u64>(leftNs, 1000));
}

export function sysGetitimer(which: i32, valueVa: u64): i64 {
  if (which < Itimer.REAL || which > Itimer.PROF) return -Errno.INVAL;
  const process = currentProcess();
  mutexLock(TIMER_MUTEX);
  const intervalNs = itimerIntervalNs(process, which);
  const leftNs = itimerLeftNs(process, which);
  mutexUnlock(TIMER_MUTEX);
  return itimervalWrite(valueVa, intervalNs, leftNs);
}

export function sysSetitimer(which: i32, valueVa: u64, oldVa: u64): i64 {
  if (which < Itimer.REAL || which > Itimer.PROF) return -Errno.INVAL;
  const process = currentProcess();
  let intervalNs: i64 = 0;
  let valueNs: i64 = 0;
  if (valueVa != 0) {
    intervalNs = timevalReadNs(valueVa);
    if (intervalNs < 0) return intervalNs;
    valueNs = timevalReadNs(valueVa + 16);
    if (valueNs < 0) return valueNs;
  }
  const old = scratchPush(16);
  let result = itimerExchange(process, which, <u64>valueNs, <u64>intervalNs, old);
  if (result == 0 && oldVa != 0) result = itimervalWrite(oldVa, load<u64>(old), load<u64>(old, 8));
  scratchPop(16);
  return result;
}

export function sysAlarm(seconds: u32): i64 {
  const old = scratchPush(16);
  const result = itimerExchange(currentProcess(), Itimer.REAL, <u64>seconds * NS_PER_SEC, 0, old);
  const leftNs = load<u64>(old, 8);
  scratchPop(16);
  if (result < 0) return result;
  return leftNs == 0 ? 0 : <i64>max<u64>((leftNs + NS_PER_SEC / 2) / NS_PER_SEC, 1);
}

// ---- the tick ----

/** Takes one tick off a countdown; true when it has run out. */
function countdownTick(ptr: usize): bool {
  const leftNs = atomic.load<u64>(ptr);
  if (leftNs == 0) return false;
  const isOver = leftNs <= TICK_NS;
  atomic.store<u64>(ptr, isOver ? load<u64>(ptr, 8) : leftNs - TICK_NS);
  return isOver;
}

/** A tick hit a thread: CPU-time timers and limits of its process. In the timer interrupt. */
function processTick(task: Task, wasUser: bool): void {
  const process = processOf(task.process);
  if (wasUser && countdownTick(countdownPtr(process, Itimer.VIRTUAL))) signalSendProcess(process, Signal.VTALRM, 0);
  if (countdownTick(countdownPtr(process, Itimer.PROF))) signalSendProcess(process, Signal.PROF, 0);
  if (rlimitSoft(process, Rlimit.CPU) != RLIM_INFINITY) cpuLimitCheck(process);
}

/** RLIMIT_CPU: SIGXCPU at the soft limit and each second after it, SIGKILL at the hard one. */
function cpuLimitCheck(process: Process): void {
  spinLock(processLock);
  const usedNs = processUserNs(process) + processSystemNs(process);
  spinUnlock(processLock);
  const seconds = usedNs / NS_PER_SEC;
  if (seconds >= rlimitHard(process, Rlimit.CPU)) {
    signalSendProcess(process, Signal.KILL, 0);
    return;
  }
  const soft = rlimitSoft(process, Rlimit.CPU);
  if (seconds < soft || usedNs - process.cpuWarnedNs < NS_PER_SEC) return;
  process.cpuWarnedNs = usedNs;
  signalSendProcess(process, Signal.XCPU, 0);
}
