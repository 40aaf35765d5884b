/**
 * Timers: one queue per CPU, ordered by deadline, behind the CPU's one-shot hardware alarm.
 *
 * A timer runs once, in the timer interrupt of the CPU that started it (or of the one whose function just runs), with no lock held. The scheduler's tick is a
 * second deadline of the same alarm (tickNs), so a CPU with nothing to do takes no interrupts.
 *
 * Invariants  M1  a timer is in the tree of queue `cpu` exactly while state is QUEUED.
 *             M2  armedNs <= the least deadline of the queue (tick included), or that deadline has passed and the
 *                 interrupt is on its way.
 *             M3  a timer whose function runs stays with the queue of the CPU that runs it.
 * Locking     TimerQueue.lock (Rank.TIMER) guards the tree and its timers; a timer changes its queue with neither queue's lock held,
 *             at cpu MOVING, which keeps others waiting. So any CPUs may start and cancel one timer at the same time; what its function
 *             may do after that is the owner's to say. armedNs and tickNs belong to the CPU itself.
 * Units       deadlines in ns of monoNowNs().
 */
import { monoNowNs, timerArm } from "../../../arch/current";
import { Rank } from "../../lib/lock-rank";
import { RbNode, RbTree, rbInit, rbInsert, rbNodeAt, rbRemove, rbTreeAt } from "../../lib/rb-tree";
import { SpinLock, spinInit, spinLock, spinLockAt, spinRelax, spinUnlock } from "../../lib/spinlock";
import { MAX_CPUS, thisCpu } from "../sched/cpu";

/** A deadline that never comes. */
export const NEVER: u64 = u64.MAX_VALUE;

/** Timer.cpu of one that is between two queues. */
const MOVING: u32 = u32.MAX_VALUE;

const enum TimerState { IDLE = 0, QUEUED = 1 }

@final @unmanaged
export class Timer {
  node: u64;   // an RbNode held by value; its key is the deadline
  node1: u64;
  node2: u64;
  fn: (arg: u32) => void;
  arg: u32;
  cpu: u32;    // queue it is or was last on, or MOVING
  state: u32;  // TimerState
}
if (offsetof<Timer>() != 40) ERROR("Task embeds a Timer as five u64 fields");

@final @unmanaged
class TimerQueue {
  lock: u64;    // a SpinLock held by value
  lock1: u64;
  tree: u64;    // an RbTree held by value
  tree1: u64;
  armedNs: u64; // what the alarm is set to (M2)
  tickNs: u64;  // when the scheduler wants its tick, NEVER for none
  running: u32; // Timer whose function runs right now
  pad0: u32;
  pad1: u64;
}
if (offsetof<TimerQueue>() != 64) ERROR("one cache line per queue");

const QUEUES: usize = memory.data(64 * offsetof<TimerQueue>(), 64);

function queueAt(cpu: u32): TimerQueue {
  return changetype<TimerQueue>(QUEUES + <usize>cpu * offsetof<TimerQueue>()); // SAFETY: cpu < MAX_CPUS
}

function queueLock(queue: TimerQueue): SpinLock { return spinLockAt(changetype<usize>(queue)); }

function queueTree(queue: TimerQueue): RbTree {
  return rbTreeAt(changetype<usize>(queue) + offsetof<TimerQueue>("tree"));
}

function timerNode(timer: Timer): RbNode { return rbNodeAt(changetype<usize>(timer)); }

/** SAFETY: `address` is a Timer held by value (40 bytes). */
export function timerAt(address: usize): Timer { return changetype<Timer>(address); }

/** Makes the queues of all CPUs; before any interrupt. */
export function timerQueuesInit(): void {
  for (let cpu: u32 = 0; cpu < MAX_CPUS; cpu++) {
    const queue = queueAt(cpu);
    spinInit(queueLock(queue), Rank.TIMER);
    rbInit(queueTree(queue));
    queue.armedNs = NEVER;
    queue.tickNs = NEVER;
    queue.running = 0;
  }
}

/** A timer at rest that will call `fn(arg)`. */
export function timerInit(timer: Timer, fn: (arg: u32) => void, arg: u32): void {
  timer.fn = fn;
  timer.arg = arg;
  timer.cpu = thisCpu().id;
  timer.state = TimerState.IDLE;
}

/** Runs the timer's function once at `deadlineNs` (soon, when that has passed); a queued timer is moved. */
export function timerStart(timer: Timer, deadlineNs: u64): void {
  const last = timerLock(timer);
  timerDequeueLocked(last, timer);
  const queue = timerIsRunningLocked(last, timer) ? last : timerMoveHere(last, timer);
  timer.state = TimerState.QUEUED;
  timerNode(timer).key = deadlineNs;
  rbInsert(queueTree(queue), timerNode(timer));
  const isOurs = timer.cpu == thisCpu().id;
  spinUnlock(queueLock(queue));
  if (isOurs) timerAlarmBy(queue, deadlineNs); // another CPU looks at its queue again after the function (M3)
}

/** Takes the timer off its queue; false when it was not there: its function has run or is running. */
export function timerCancel(timer: Timer): bool {
  const queue = timerLock(timer);
  const wasQueued = timerDequeueLocked(queue, timer);
  spinUnlock(queueLock(queue));
  return wasQueued;
}

/**
 * Cancels, and waits until the function does not run on another CPU: the timer's memory may be reused afterwards, if nobody starts it
 * anew. Never called from the timer's own function, nor with a lock that the function takes.
 */
export function timerCancelSync(timer: Timer): bool {
  const queue = timerLock(timer);
  const wasQueued = timerDequeueLocked(queue, timer);
  const isRunning = timerIsRunningLocked(queue, timer);
  spinUnlock(queueLock(queue));
  if (isRunning) while (atomic.load<u32>(runningPtr(queue)) == <u32>changetype<usize>(timer)) spinRelax();
  return wasQueued;
}

/** Locks the queue that the timer is or was last on: it stays there until the lock is given up. */
function timerLock(timer: Timer): TimerQueue {
  const cpuPtr = changetype<usize>(timer) + offsetof<Timer>("cpu");
  while (true) {
    const cpu = atomic.load<u32>(cpuPtr);
    if (cpu == MOVING) {
      spinRelax();
      continue;
    }
    const queue = queueAt(cpu);
    spinLock(queueLock(queue));
    if (atomic.load<u32>(cpuPtr) == cpu) return queue;
    spinUnlock(queueLock(queue));
  }
}

/** Makes this CPU's queue, which is locked then, the timer's instead of `last`. */
function timerMoveHere(last: TimerQueue, timer: Timer): TimerQueue {
  const cpu = thisCpu().id;
  const here = queueAt(cpu);
  if (last == here) return here;
  const cpuPtr = changetype<usize>(timer) + offsetof<Timer>("cpu");
  atomic.store<u32>(cpuPtr, MOVING);
  spinUnlock(queueLock(last));
  spinLock(queueLock(here));
  atomic.store<u32>(cpuPtr, cpu);
  return here;
}

function timerDequeueLocked(queue: TimerQueue, timer: Timer): bool {
  if (timer.state != TimerState.QUEUED) return false;
  rbRemove(queueTree(queue), timerNode(timer));
  timer.state = TimerState.IDLE;
  return true;
}

function runningPtr(queue: TimerQueue): usize { return changetype<usize>(queue) + offsetof<TimerQueue>("running"); }

function timerIsRunningLocked(queue: TimerQueue, timer: Timer): bool {
  return atomic.load<u32>(runningPtr(queue)) == <u32>changetype<usize>(timer);
}

export function timerIsQueued(timer: Timer): bool { return timer.state == TimerState.QUEUED; }

export function timerDeadlineNs(timer: Timer): u64 { return timerNode(timer).key; }

/** Makes this CPU's alarm ring at `deadlineNs` or before (M2). */
function timerAlarmBy(queue: TimerQueue, deadlineNs: u64): void {
  if (deadlineNs >= queue.armedNs) return;
  queue.armedNs = deadlineNs;
  timerArm(deadlineNs);
}

/** Asks for this CPU's scheduler tick at `deadlineNs`; NEVER withdraws it. */
export function timerTickSet(deadlineNs: u64): void {
  const queue = queueAt(thisCpu().id);
  queue.tickNs = deadlineNs;
  timerAlarmBy(queue, deadlineNs);
}

/** When this CPU's tick is due, NEVER for none. */
export function timerTickNs(): u64 { return queueAt(thisCpu().id).tickNs; }

/** The alarm rang: runs what is due and sets it anew. True when the scheduler's tick was due. */
export function timerExpire(): bool {
  const queue = queueAt(thisCpu().id);
  queue.armedNs = NEVER;
  const now = monoNowNs();
  timerRunDue(queue, now);
  const isTick = queue.tickNs <= now;
  if (isTick) queue.tickNs = NEVER;
  timerAlarmBy(queue, min<u64>(timerFirstNs(queue), queue.tickNs));
  return isTick;
}

function timerFirstNs(queue: TimerQueue): u64 {
  spinLock(queueLock(queue));
  const first = queueTree(queue).leftmost;
  const firstNs = first != 0 ? rbNodeAt(first).key : NEVER;
  spinUnlock(queueLock(queue));
  return firstNs;
}

function timerRunDue(queue: TimerQueue, now: u64): void {
  spinLock(queueLock(queue));
  while (true) {
    const first = queueTree(queue).leftmost;
    if (first == 0 || rbNodeAt(first).key > now) break;
    const timer = timerAt(first);
    rbRemove(queueTree(queue), timerNode(timer));
    timer.state = TimerState.IDLE; // M1
    atomic.store<u32>(runningPtr(queue), first);
    spinUnlock(queueLock(queue));
    timer.fn(timer.arg);
    spinLock(queueLock(queue));
    atomic.store<u32>(runningPtr(queue), 0);
  }
  spinUnlock(queueLock(queue));
}
