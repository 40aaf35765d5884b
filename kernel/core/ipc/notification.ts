/**
 * Notifications: 64 bits that accumulate until somebody takes them. Interrupts, doorbells, deaths and timers arrive so.
 *
 * Invariants  N1  bits are set before a waiter is woken, and taken all at once.
 *             N2  `endpoint` is the one whose receiver also wakes for these bits; it clears the field before it goes.
 *             N3  timerNextNs is when the timer rings next, 0: not at all. A periodic one that has rung waits (timerWaits) until its bits
 *                 were taken, so that who asks for a short period pays for it: each ringing costs it a call.
 * Locking     NotificationLock (Rank.NOTIFICATION) guards every field; an Endpoint's lock and wait queues are taken below it.
 *             notificationSignal may be called in interrupts and with any lock of lower rank.
 */
import { monoNowNs } from "../../../arch/current";
import { CapKind } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { Rank } from "../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinLockAt, spinUnlock } from "../../lib/spinlock";
import { KObject, objectAt, objectIgnore, objectInit, objectKindSet, objectUnheardSet } from "../cap/object";
import { capEpoch } from "../cap/space";
import { kfree, kzalloc } from "../mm/slab";
import { Timer, timerAt, timerCancel, timerCancelSync, timerInit, timerStart } from "../time/timer";
import { WaitQueue, waitQueueAt, waitQueueInit, waitSleep, wakeUpAll, wakeUpOne } from "../sync/wait-queue";

@final @unmanaged
export class Notification {
  object: u64;     // a KObject held by value
  object1: u64;
  lock: u64;       // a SpinLock held by value
  lock1: u64;
  wait: u64;       // a WaitQueue held by value
  wait1: u64;
  wait2: u64;
  wait3: u64;
  bits: u64;       // N1
  endpoint: u32;   // N2: whose receiver to wake as well, 0: none
  pad: u32;
  timer: u64;      // a Timer held by value (40 bytes)
  timer1: u64;
  timer2: u64;
  timer3: u64;
  timer4: u64;
  timerBits: u64;
  timerNextNs: u64;   // N3
  timerPeriodNs: u64; // 0: once
  timerWaits: u32;    // N3
  pad2: u32;
}

/** What a signal does to the receiver of the bound endpoint; endpoint.ts installs itself. */
@final @unmanaged
class BoundHook {
  wake: (endpoint: u32) => void;
}
const BOUND = changetype<BoundHook>(memory.data(offsetof<BoundHook>()));

export function notificationAt(address: usize): Notification { return changetype<Notification>(address); } // SAFETY: the caller names one
export function notificationObject(n: Notification): KObject { return objectAt(changetype<usize>(n)); }
function lockOf(n: Notification): SpinLock { return spinLockAt(changetype<usize>(n) + offsetof<Notification>("lock")); }
function waitOf(n: Notification): WaitQueue { return waitQueueAt(changetype<usize>(n) + offsetof<Notification>("wait")); }
function timerOf(n: Notification): Timer { return timerAt(changetype<usize>(n) + offsetof<Notification>("timer")); }

export function notificationsInit(wakeBound: (endpoint: u32) => void): void {
  BOUND.wake = wakeBound;
  objectKindSet(CapKind.NOTIFICATION, objectIgnore, objectIgnore, notificationDestroy);
  objectUnheardSet(CapKind.NOTIFICATION, notificationUnheard);
}

/** A notification with one reference, the caller's; null when memory is full. */
export function notificationCreate(): Notification | null {
  const address = kzalloc(offsetof<Notification>());
  if (address == 0) return null;
  const n = notificationAt(address);
  objectInit(notificationObject(n), CapKind.NOTIFICATION);
  spinInit(lockOf(n), Rank.NOTIFICATION);
  waitQueueInit(waitOf(n));
  timerInit(timerOf(n), notificationTimerRang, <u32>address);
  return n;
}

function notificationDestroy(object: KObject): void {
  const n = notificationAt(changetype<usize>(object));
  notificationTimer(n, 0, 0, 0);
  timerCancelSync(timerOf(n)); // it may be waiting for the lock in its interrupt still
  kfree(changetype<usize>(object));
}

/** Sets bits and wakes one waiter and the bound endpoint's receiver. Any context. */
export function notificationSignal(n: Notification, bits: u64): void {
  spinLock(lockOf(n));
  signalLocked(n, bits);
  spinUnlock(lockOf(n));
}

function signalLocked(n: Notification, bits: u64): void {
  n.bits |= bits; // N1
  wakeUpOne(waitOf(n));
  if (n.endpoint != 0) BOUND.wake(n.endpoint);
}

/** Takes all bits without waiting: 0 when none is set. */
export function notificationTake(n: Notification): u64 {
  spinLock(lockOf(n));
  const bits = takeLocked(n);
  spinUnlock(lockOf(n));
  return bits;
}

function takeLocked(n: Notification): u64 {
  const bits = n.bits;
  n.bits = 0;
  if (n.timerWaits) timerGoOnLocked(n);
  return bits;
}

/** Some bit is set: a hint that needs no lock. */
export function notificationIsSet(n: Notification): bool {
  return atomic.load<u64>(changetype<usize>(n) + offsetof<Notification>("bits")) != 0;
}

/** Who else is woken (N2), 0 for nobody. False when another endpoint is bound already. */
export function notificationBind(n: Notification, endpoint: u32): bool {
  spinLock(lockOf(n));
  const isFree = n.endpoint == 0 || endpoint == 0;
  if (isFree) n.endpoint = endpoint;
  spinUnlock(lockOf(n));
  return isFree;
}

/**
 * Waits until a bit is set and takes all of them. `deadlineNs`: 0 none, 1 do not wait. The bits, or 0 with the reason in
 * the sign: -EINTR, -ETIMEDOUT; -ESTALE when `epoch`, that of the caller's look-up, is over: it looks its handle up again, as in target.ts (G2).
 * Bit 63 is not for use: results are positive.
 */
export function notificationWait(n: Notification, deadlineNs: u64, epoch: u64): i64 {
  spinLock(lockOf(n));
  let result: i64 = 0;
  while (n.bits == 0 && result == 0 && epoch == capEpoch()) {
    result = deadlineNs == 1 ? -Errno.TIMEDOUT : waitSleep(waitOf(n), lockOf(n), deadlineNs);
  }
  if (epoch != capEpoch()) result = waiterDoubtLocked(n);
  else if (n.bits != 0) result = <i64>(takeLocked(n) & 0x7fffffffffffffff);
  spinUnlock(lockOf(n));
  return result;
}

/** The running thread may have no right to the bits that it was woken for: another waiter is. */
function waiterDoubtLocked(n: Notification): i64 {
  if (n.bits != 0) wakeUpOne(waitOf(n));
  return -Errno.STALE;
}

/** Some thread may have lost the right to wait. */
function notificationUnheard(object: KObject): void {
  const n = notificationAt(changetype<usize>(object));
  spinLock(lockOf(n));
  wakeUpAll(waitOf(n));
  spinUnlock(lockOf(n));
}

// ---- Its timer ----

/**
 * Signals `bits` at `deadlineNs`, then each `periodNs` (0: once). Deadline 0 stops the timer: it signals nothing more. Periods that go by
 * before the bits were taken are one signal (N3).
 */
export function notificationTimer(n: Notification, bits: u64, deadlineNs: u64, periodNs: u64): void {
  spinLock(lockOf(n));
  n.timerBits = bits;
  n.timerNextNs = deadlineNs;
  n.timerPeriodNs = min<u64>(periodNs, i64.MAX_VALUE);
  n.timerWaits = 0;
  if (deadlineNs == 0) timerCancel(timerOf(n));
  else timerStart(timerOf(n), deadlineNs);
  spinUnlock(lockOf(n));
}

/** The deadline has come, in the timer interrupt: unless it was moved while this CPU waited for the lock. */
export function notificationTimerRang(address: u32): void {
  const n = notificationAt(address);
  spinLock(lockOf(n));
  if (n.timerNextNs != 0 && !n.timerWaits && n.timerNextNs <= monoNowNs()) timerRingLocked(n);
  spinUnlock(lockOf(n));
}

function timerRingLocked(n: Notification): void {
  if (n.timerPeriodNs == 0) n.timerNextNs = 0;
  else n.timerWaits = 1;
  signalLocked(n, n.timerBits);
}

/** The next whole period that is still to come. */
function timerGoOnLocked(n: Notification): void {
  const now = monoNowNs();
  const late = now > n.timerNextNs ? now - n.timerNextNs : 0;
  n.timerWaits = 0;
  n.timerNextNs += (late / n.timerPeriodNs + 1) * n.timerPeriodNs;
  timerStart(timerOf(n), n.timerNextNs);
}
