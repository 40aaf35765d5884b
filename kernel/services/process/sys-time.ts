/**
 * Clocks and sleeping: clock_*, gettimeofday, time, nanosleep.
 *
 * Spec  POSIX.1-2017, clock_getres(), nanosleep(); Linux uapi/linux/time.h for the clock numbers.
 */
import { monoNowNs, userCopyIn, userCopyOut, userStore64 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { taskSystemNs, taskUserNs } from "../../core/sched/cpu-time";
import { currentTask } from "../../core/sched/cpu";
import { taskRunNs } from "../../core/sched/sched";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { sleepUntil } from "../../core/sched/sleep";
import { Task } from "../../core/sched/task";
import { taskPut } from "../../core/sched/task-table";
import { taskByTid } from "../../core/sched/tid";
import { NS_PER_SEC, clockRealToMono, clockSetReal, realNowNs } from "../../core/time/clock";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { Cap, capable } from "./cred";
import { currentProcess } from "./process";
import { processByPid, processLock, processPut } from "./process-table";
import { processSystemNs, processUserNs } from "./rusage";
import { FOREVER_NS, timespecReadNs, timespecWriteNs, timevalReadNs, timevalWriteNs } from "./user-time";

export const enum ClockId {
  REALTIME = 0, MONOTONIC = 1, PROCESS_CPUTIME = 2, THREAD_CPUTIME = 3, MONOTONIC_RAW = 4, REALTIME_COARSE = 5,
  MONOTONIC_COARSE = 6, BOOTTIME = 7, REALTIME_ALARM = 8, BOOTTIME_ALARM = 9, TAI = 11,
}
const TIMER_ABSTIME: u32 = 1;
/** Kernel-internal result: an interrupted relative sleep goes on through restart_syscall. */
const RESTART_BLOCK: i64 = 516;
const TIMEX_BYTES: u32 = 208;
const TIME_OK: i64 = 0;

/** What restart_syscall goes on with (Task.restartKind). */
const enum RestartKind { NONE = 0, SLEEP = 1 }

/** Which of a CPU clock's parts a negative clock number asks for: the low bits of the number. */
const enum CpuClockPart { PROFILE = 0, VIRTUAL = 1, SCHEDULED = 2 }

/** True for clocks whose absolute times are real times. */
export function clockIsReal(clock: i32): bool {
  return clock == ClockId.REALTIME || clock == ClockId.REALTIME_ALARM || clock == ClockId.TAI;
}

/** True for clocks that sleeps and timers may use. */
export function clockIsWaitable(clock: i32): bool {
  return clockIsReal(clock) || clock == ClockId.MONOTONIC || clock == ClockId.BOOTTIME || clock == ClockId.BOOTTIME_ALARM;
}

function cpuPartNs(userNs: u64, systemNs: u64, part: u32): u64 {
  return part == CpuClockPart.VIRTUAL ? userNs : userNs + systemNs;
}

/** CPU clock of a thread (clock number bit 2) or process; pid 0 is the caller. */
function cpuClockNs(clock: i32): i64 {
  const pid = ~(clock >> 3);
  const part = <u32>clock & 3;
  if (part == 3) return -Errno.INVAL;
  if (clock & 4) return threadClockNs(pid, part);
  const process = pid == 0 ? currentProcess() : processByPid(<u32>pid);
  if (!process) return -Errno.INVAL;
  spinLock(processLock);
  const ns = cpuPartNs(processUserNs(process), processSystemNs(process), part);
  spinUnlock(processLock);
  if (pid != 0) processPut(process);
  return <i64>ns;
}

function threadClockNs(tid: i32, part: u32): i64 {
  const task: Task | null = tid == 0 ? currentTask() : taskByTid(<u32>tid);
  if (!task) return -Errno.INVAL;
  const ns = cpuPartNs(taskUserNs(task), taskSystemNs(task), part);
  const isOwn = task.process == currentTask().process;
  if (tid != 0) taskPut(task);
  return isOwn ? <i64>ns : -Errno.INVAL;
}

/** The time on any clock, or -EINVAL. */
function clockNowNs(clock: i32): i64 {
  if (clock < 0) return cpuClockNs(clock);
  switch (clock) {
    case ClockId.REALTIME: case ClockId.REALTIME_COARSE: case ClockId.REALTIME_ALARM: case ClockId.TAI:
      return <i64>realNowNs();
    case ClockId.MONOTONIC: case ClockId.MONOTONIC_RAW: case ClockId.MONOTONIC_COARSE:
    case ClockId.BOOTTIME: case ClockId.BOOTTIME_ALARM:
      return <i64>monoNowNs();
    case ClockId.PROCESS_CPUTIME: return cpuClockNs((~0 << 3) | CpuClockPart.SCHEDULED);
    case ClockId.THREAD_CPUTIME: return <i64>taskRunNs(currentTask());
    default: return -Errno.INVAL;
  }
}

export function sysClockGettime(clock: i32, va: u64): i64 {
  const ns = clockNowNs(clock);
  return ns < 0 ? ns : timespecWriteNs(va, ns);
}

export function sysClockGetres(clock: i32, va: u64): i64 {
  const ns = clockNowNs(clock);
  if (ns < 0) return ns;
  return va == 0 ? 0 : timespecWriteNs(va, 1);
}

export function sysClockSettime(clock: i32, va: u64): i64 {
  if (clock != ClockId.REALTIME) return -Errno.INVAL;
  const ns = timespecReadNs(va);
  if (ns < 0) return ns;
  if (!capable(Cap.SYS_TIME)) return -Errno.PERM;
  clockSetReal(<u64>ns);
  return 0;
}

export function sysGettimeofday(va: u64, zoneVa: u64): i64 {
  if (va != 0) {
    const result = timevalWriteNs(va, <i64>realNowNs());
    if (result < 0) return result;
  }
  return zoneVa != 0 && userStore64(zoneVa, 0) != 0 ? -Errno.FAULT : 0; // the zone is always UTC
}

export function sysSettimeofday(va: u64, zoneVa: u64): i64 {
  if (va == 0) return capable(Cap.SYS_TIME) ? 0 : -Errno.PERM;
  const ns = timevalReadNs(va);
  if (ns < 0) return ns;
  if (!capable(Cap.SYS_TIME)) return -Errno.PERM;
  clockSetReal(<u64>ns);
  return 0;
}

export function sysTime(va: u64): i64 {
  const seconds = realNowNs() / NS_PER_SEC;
  return va != 0 && userStore64(va, seconds) != 0 ? -Errno.FAULT : <i64>seconds;
}

/** Reports an undisciplined clock; changing its rate is refused. */
function adjtimex(va: u64): i64 {
  const ptr = scratchPush(TIMEX_BYTES);
  let result = TIME_OK;
  if (userCopyIn(ptr, va, 4) != 0) result = -Errno.FAULT;
  else if (load<u32>(ptr) != 0) result = capable(Cap.SYS_TIME) ? -Errno.INVAL : -Errno.PERM;
  if (result == TIME_OK) {
    const now = realNowNs();
    memory.fill(ptr, 0, TIMEX_BYTES);
    store<u32>(ptr, 0x40, 40);           // status: STA_UNSYNC
    store<u64>(ptr, 1, 56);              // precision, us
    store<u64>(ptr, 32_768_000, 64);     // tolerance, ppm << 16
    store<u64>(ptr, now / NS_PER_SEC, 72);
    store<u64>(ptr, now % NS_PER_SEC / 1000, 80);
    store<u64>(ptr, 10_000, 88);         // tick, us
    if (userCopyOut(va, ptr, TIMEX_BYTES) != 0) result = -Errno.FAULT;
  }
  scratchPop(TIMEX_BYTES);
  return result;
}

export function sysAdjtimex(va: u64): i64 { return adjtimex(va); }

export function sysClockAdjtime(clock: i32, va: u64): i64 {
  return clock == ClockId.REALTIME ? adjtimex(va) : -Errno.INVAL;
}

/** Sleeps until `deadlineNs`; a relative sleep that a signal ended can go on later, and says what was left. */
function sleepRelative(deadlineNs: u64, remainVa: u64): i64 {
  if (sleepUntil(deadlineNs) == 0) return 0;
  const now = monoNowNs();
  if (now >= deadlineNs) return 0;
  if (remainVa != 0) {
    const result = timespecWriteNs(remainVa, <i64>(deadlineNs - now));
    if (result < 0) return result;
  }
  const task = currentTask();
  task.restartKind = RestartKind.SLEEP;
  task.restartArg0 = deadlineNs;
  task.restartArg1 = remainVa;
  return -RESTART_BLOCK;
}

/** Monotonic deadline `ns` from now; never 0, never wraps. */
function deadlineIn(ns: i64): u64 {
  return monoNowNs() + <u64>min<i64>(ns, FOREVER_NS);
}

export function sysNanosleep(requestVa: u64, remainVa: u64): i64 {
  const ns = timespecReadNs(requestVa);
  return ns < 0 ? ns : sleepRelative(deadlineIn(ns), remainVa);
}

export function sysClockNanosleep(clock: i32, flags: u32, requestVa: u64, remainVa: u64): i64 {
  if (clock == ClockId.THREAD_CPUTIME) return -Errno.INVAL;
  if (!clockIsWaitable(clock)) return clockNowNs(clock) < 0 ? -Errno.INVAL : -Errno.OPNOTSUPP;
  const ns = timespecReadNs(requestVa);
  if (ns < 0) return ns;
  if (!(flags & TIMER_ABSTIME)) return sleepRelative(deadlineIn(ns), remainVa);
  while (true) { // the real clock may be set while we sleep: look again at each wake-up
    const deadlineNs = clockIsReal(clock) ? clockRealToMono(<u64>ns) : <u64>ns;
    if (deadlineNs <= monoNowNs()) return 0;
    if (sleepUntil(deadlineNs) != 0) return -Errno.RESTARTNOHAND;
  }
}

/** Goes on with an interrupted call under which no handler ran. */
export function sysRestartSyscall(): i64 {
  const task = currentTask();
  if (task.restartKind != RestartKind.SLEEP) return -Errno.INTR;
  task.restartKind = RestartKind.NONE;
  return sleepRelative(task.restartArg0, task.restartArg1);
}
