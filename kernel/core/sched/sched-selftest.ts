/**
 * The scheduler's own test, run by `selftest=sched` on the command line: kernel threads on all CPUs, results as TAP.
 *
 * Unit tests cover the algorithms; what only a running machine shows is here: real switches, interrupts, other CPUs.
 *
 * Locking  STATE is shared by the test threads and changed with atomics or under the lock that a test is about.
 */
import { monoNowNs, powerOff } from "../../../arch/current";
import { Rank } from "../../lib/lock-rank";
import { LogLevel, logBegin, logDec, logEnd, logFlush, logKeyDec, logStr } from "../../lib/log";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";
import { Mutex, mutexInit, mutexLock, mutexUnlock } from "../sync/mutex";
import { WaitQueue, waitQueueInit, waitSleepUninterruptible, wakeUpAll, wakeUpOne } from "../sync/wait-queue";
import { NS_PER_MSEC } from "../time/clock";
import { thisCpu } from "./cpu";
import { cpuOnlineCount, cpusOnline } from "./placement";
import { schedSetAffinity, schedSetNice } from "./policy";
import { schedYield, schedYieldPoint, taskCreateKernel, taskRunNs, taskStart } from "./sched";
import { sleepNs } from "./sleep";
import { Task } from "./task";
import { taskCount, taskGet, taskPut } from "./task-table";

@final @unmanaged
class TestState {
  number: u32;
  failed: u32;
  turn: u32;     // ping-pong: whose turn
  running: u32;  // threads of the current test not yet done
  counter: u32;
  stop: u32;
  cpusSeen: u64;
}
const STATE = changetype<TestState>(memory.data(offsetof<TestState>(), 8));
const LOCK = changetype<SpinLock>(memory.data(offsetof<SpinLock>(), 16));
const QUEUE = changetype<WaitQueue>(memory.data(offsetof<WaitQueue>(), 16));
const DONE = changetype<WaitQueue>(memory.data(offsetof<WaitQueue>(), 16));
const MUTEX = changetype<Mutex>(memory.data(offsetof<Mutex>(), 16));
const RUNNING_PTR: usize = changetype<usize>(STATE) + offsetof<TestState>("running");
const STOP_PTR: usize = changetype<usize>(STATE) + offsetof<TestState>("stop");

const ROUNDS: u32 = 5000;
const MUTEX_ROUNDS: u32 = 2000;
const MUTEX_THREADS: u32 = 8;
const BUSY_NS: u64 = 600 * NS_PER_MSEC;

/** Starts the test thread; it powers the machine off at the end. */
export function schedSelftestStart(): void {
  spinInit(LOCK, Rank.PIPE);
  waitQueueInit(QUEUE);
  waitQueueInit(DONE);
  mutexInit(MUTEX);
  threadStartOn("selftest", selftestMain, 0, cpusOnline());
}

function threadStartOn(name: string, fn: (arg: u32) => void, arg: u32, affinity: u64): Task {
  const task = taskCreateKernel(name, fn, arg);
  assert(task != null);
  task!.affinity = affinity;
  taskGet(task!);
  taskStart(task!);
  return task!;
}

function result(ok: bool, name: string, key: string, value: u64): void {
  STATE.number++;
  if (!ok) STATE.failed++;
  logBegin(LogLevel.INFO, "selftest");
  logStr(ok ? "ok " : "not ok ");
  logDec(STATE.number);
  logStr(" - ");
  logStr(name);
  logKeyDec(key, value);
  logEnd();
}

function threadsBegin(count: u32): void {
  atomic.store<u32>(RUNNING_PTR, count);
  atomic.store<u32>(STOP_PTR, 0);
  STATE.counter = 0;
}

/** Last call of a test thread. */
function threadDone(): void {
  spinLock(LOCK);
  STATE.running--;
  wakeUpAll(DONE);
  spinUnlock(LOCK);
}

function threadsWait(): void {
  spinLock(LOCK);
  while (STATE.running != 0) waitSleepUninterruptible(DONE, LOCK);
  spinUnlock(LOCK);
}

function selftestMain(arg: u32): void {
  // Interrupts of the other CPUs and their idle loops are up: the boot CPU waited for them.
  testPingPong(1, "ping-pong on one CPU");
  testPingPong(cpusOnline(), "ping-pong on all CPUs");
  testSleep();
  testMutex();
  testShares();
  testSpread();
  testAffinity();
  testChurn();
  logBegin(LogLevel.INFO, "selftest");
  logStr("1..");
  logDec(STATE.number);
  logKeyDec("failed", STATE.failed);
  logEnd();
  logFlush();
  powerOff();
}

function pingPong(side: u32): void {
  for (let round: u32 = 0; round < ROUNDS; round++) {
    spinLock(LOCK);
    while (STATE.turn != side) waitSleepUninterruptible(QUEUE, LOCK);
    STATE.turn = side ^ 1;
    wakeUpOne(QUEUE);
    spinUnlock(LOCK);
  }
  threadDone();
}

function testPingPong(affinity: u64, name: string): void {
  threadsBegin(2);
  STATE.turn = 0;
  const start = monoNowNs();
  const a = threadStartOn("ping", pingPong, 0, affinity);
  const b = threadStartOn("pong", pingPong, 1, affinity);
  threadsWait();
  result(STATE.turn == 0, name, "nsPerRound", (monoNowNs() - start) / ROUNDS);
  taskPut(a);
  taskPut(b);
}

function testSleep(): void {
  const start = monoNowNs();
  for (let i = 0; i < 5; i++) sleepNs(4 * NS_PER_MSEC);
  const tookNs = monoNowNs() - start;
  result(tookNs >= 20 * NS_PER_MSEC && tookNs < 200 * NS_PER_MSEC, "five sleeps of 4 ms", "us", tookNs / 1000);
}

function mutexUser(arg: u32): void {
  for (let round: u32 = 0; round < MUTEX_ROUNDS; round++) {
    mutexLock(MUTEX);
    const seen = STATE.counter;
    if (round % 16 == 0) schedYield();
    STATE.counter = seen + 1;
    mutexUnlock(MUTEX);
  }
  threadDone();
}

function testMutex(): void {
  threadsBegin(MUTEX_THREADS);
  const start = monoNowNs();
  for (let i: u32 = 0; i < MUTEX_THREADS; i++) taskPut(threadStartOn("mutex", mutexUser, i, cpusOnline()));
  threadsWait();
  const tookUs = (monoNowNs() - start) / 1000;
  result(STATE.counter == MUTEX_THREADS * MUTEX_ROUNDS, "a mutex lets one in", "us", tookUs);
}

function busyUser(arg: u32): void {
  while (!atomic.load<u32>(STOP_PTR)) {
    for (let i = 0; i < 100; i++) STATE.cpusSeen;
    atomic.or<u64>(changetype<usize>(STATE) + offsetof<TestState>("cpusSeen"), <u64>1 << thisCpu().id);
    schedYieldPoint();
  }
  threadDone();
}

function testShares(): void {
  threadsBegin(2);
  const a = threadStartOn("nice0", busyUser, 0, 1);
  const b = threadStartOn("nice5", busyUser, 0, 1);
  schedSetNice(b, 5);
  sleepNs(BUSY_NS);
  const runA = taskRunNs(a);
  const runB = taskRunNs(b);
  atomic.store<u32>(STOP_PTR, 1);
  threadsWait();
  const percent = runA * 100 / max<u64>(runB, 1); // the weights say 306
  result(percent > 230 && percent < 400, "nice 0 gets three times the share of nice 5", "percent", percent);
  taskPut(a);
  taskPut(b);
}

function testSpread(): void {
  const cpus = cpuOnlineCount();
  threadsBegin(2 * cpus);
  atomic.store<u64>(changetype<usize>(STATE) + offsetof<TestState>("cpusSeen"), 0);
  for (let i: u32 = 0; i < 2 * cpus; i++) {
    // All start on CPU 0, so that only balancing can bring them elsewhere.
    const task = threadStartOn("busy", busyUser, 0, 1);
    schedSetAffinity(task, cpusOnline());
    taskPut(task);
  }
  sleepNs(BUSY_NS);
  atomic.store<u32>(STOP_PTR, 1);
  threadsWait();
  result(STATE.cpusSeen == cpusOnline(), "busy threads spread over all CPUs", "mask", STATE.cpusSeen);
}

function testAffinity(): void {
  threadsBegin(1);
  const task = threadStartOn("roam", busyUser, 0, cpusOnline());
  let wrong: u64 = 0;
  for (let i: u32 = 0; i < 20; i++) {
    const cpu = i % cpuOnlineCount();
    schedSetAffinity(task, <u64>1 << cpu);
    sleepNs(6 * NS_PER_MSEC);
    if (task.cpu != cpu) wrong++;
  }
  atomic.store<u32>(STOP_PTR, 1);
  threadsWait();
  result(wrong == 0, "a task follows its affinity", "wrong", wrong);
  taskPut(task);
}

function shortUser(arg: u32): void {
  atomic.add<u32>(changetype<usize>(STATE) + offsetof<TestState>("counter"), 1);
  threadDone();
}

function testChurn(): void {
  const before = taskCount();
  for (let batch = 0; batch < 200; batch++) {
    threadsBegin(10);
    for (let i: u32 = 0; i < 10; i++) taskPut(threadStartOn("short", shortUser, i, cpusOnline()));
    threadsWait();
  }
  sleepNs(5 * NS_PER_MSEC); // the last ones leave their stacks
  result(taskCount() == before, "2,000 threads come and go", "left", taskCount() - before);
}
