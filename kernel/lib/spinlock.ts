/**
 * Spinlocks: test-and-set, whoever comes first.
 *
 * Tickets were tried and are worse where it counts: under a hypervisor (or an emulator) with fewer processors than the
 * guest has, the one CPU whose turn it is may not be running, and all others wait for it.
 *
 * Interrupts are off in the kernel (docs/decisions/0001), so a holder is never interrupted and acquire needs no
 * CLI. A waiter polls the spin hook, which answers TLB shootdowns: the holder may be waiting for this very CPU.
 *
 * Invariants  S1  isHeld is 0 when free, 1 when held.
 *             S2  debug builds: a CPU acquires in rising Rank order only (lockdep.ts checks it).
 */
import { cpuPause } from "../../arch/current";

@final @unmanaged
export class SpinLock {
  isHeld: u32;
  reserved: u32;
  rank: u32;    // Rank, 0 for an unranked leaf
  holder: u32;  // 1 + CPU id of the holder, 0 when free (debug builds and panic)
}

/** Called while spinning; set once at boot. */
@final @unmanaged
export class SpinHooks {
  poll: () => void;
  acquired: (lock: SpinLock) => void;
  released: (lock: SpinLock) => void;
}
export const SPIN_HOOKS = changetype<SpinHooks>(memory.data(offsetof<SpinHooks>()));
let spinHooksReady: bool = false;
let spinDebug: bool = false;

export function spinHooksSet(
  poll: () => void, acquired: (lock: SpinLock) => void, released: (lock: SpinLock) => void, debug: bool,
): void {
  SPIN_HOOKS.poll = poll;
  SPIN_HOOKS.acquired = acquired;
  SPIN_HOOKS.released = released;
  spinDebug = debug;
  spinHooksReady = true;
}

export function spinInit(lock: SpinLock, rank: u32): void {
  lock.isHeld = 0;
  lock.reserved = 0;
  lock.rank = rank;
  lock.holder = 0;
}

/** One turn of any loop that waits for another CPU: answers TLB shootdowns meanwhile. */
export function spinRelax(): void {
  cpuPause();
  if (spinHooksReady) SPIN_HOOKS.poll();
}

/** SAFETY: `address` is a SpinLock held by value (16 bytes). */
export function spinLockAt(address: usize): SpinLock {
  return changetype<SpinLock>(address);
}

/** Takes the lock; the caller holds only locks of lower rank. */
export function spinLock(lock: SpinLock): void {
  const isHeld = atomic.cmpxchg<u32>(changetype<usize>(lock), 0, 1);
  if (isHeld | <u32>spinDebug) spinSlow(lock, isHeld);
}

/** What spinSlow is called for. */
const enum SpinEvent {
  TAKEN = 0,
  HELD = 1,     // by somebody else: wait, then take it
  RELEASED = 2, // about to be
}

/** The rare half of the functions here: waiting, and telling the debug hooks. */
function spinSlow(lock: SpinLock, event: u32): void {
  if (event == SpinEvent.RELEASED) {
    SPIN_HOOKS.released(lock);
    return;
  }
  let isHeld = event == SpinEvent.HELD;
  while (isHeld) {
    do spinRelax(); while (atomic.load<u32>(changetype<usize>(lock)) != 0); // look without taking the cache line
    isHeld = atomic.cmpxchg<u32>(changetype<usize>(lock), 0, 1) != 0;
  }
  if (spinDebug) SPIN_HOOKS.acquired(lock);
}

/** Takes the lock when it is free; false when somebody holds it. */
export function spinTryLock(lock: SpinLock): bool {
  if (atomic.cmpxchg<u32>(changetype<usize>(lock), 0, 1) != 0) return false;
  if (spinDebug) spinSlow(lock, SpinEvent.TAKEN);
  return true;
}

/** Frees the lock for whoever comes first. */
export function spinUnlock(lock: SpinLock): void {
  if (spinDebug) spinSlow(lock, SpinEvent.RELEASED);
  atomic.store<u32>(changetype<usize>(lock), 0);
}

/** True when every taking must be told to the debug hooks: the quiet functions are not to be used. */
export function spinIsWatched(): bool { return spinDebug; }

/** spinTryLock for the shortest paths. */
export function spinTryQuiet(lock: SpinLock): bool {
  return atomic.cmpxchg<u32>(changetype<usize>(lock), 0, 1) == 0;
}

/** spinUnlock of what spinTryQuiet took. */
export function spinUnlockQuiet(lock: SpinLock): void {
  atomic.store<u32>(changetype<usize>(lock), 0);
}

/** True when somebody holds the lock (asserts in ...Locked functions). */
export function spinIsHeld(lock: SpinLock): bool {
  return atomic.load<u32>(changetype<usize>(lock)) != 0;
}
