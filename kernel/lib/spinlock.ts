/**
 * Ticket spinlocks.
 *
 * Interrupts are off in the kernel (docs/decisions/0001), so a holder is never interrupted and acquire needs no
 * CLI. A waiter polls the spin hook, which answers TLB shootdowns: the holder may be waiting for this very CPU.
 *
 * Invariants  S1  serving == next when free.
 *             S2  debug builds: a CPU acquires in rising Rank order only (lockdep.ts checks it).
 */
import { cpuPause } from "../../arch/current";

@final @unmanaged
export class SpinLock {
  next: u32;    // the ticket the next comer draws
  serving: u32; // the ticket that holds the lock
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
  lock.next = 0;
  lock.serving = 0;
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
  const ticket = atomic.add<u32>(changetype<usize>(lock), 1);
  while (atomic.load<u32>(changetype<usize>(lock), offsetof<SpinLock>("serving")) != ticket) {
    spinRelax();
  }
  if (spinDebug) SPIN_HOOKS.acquired(lock);
}

/** Takes the lock when it is free; false when somebody holds it. */
export function spinTryLock(lock: SpinLock): bool {
  const serving = atomic.load<u32>(changetype<usize>(lock), offsetof<SpinLock>("serving"));
  if (atomic.cmpxchg<u32>(changetype<usize>(lock), serving, serving + 1) != serving) return false;
  if (spinDebug) SPIN_HOOKS.acquired(lock);
  return true;
}

/** Gives the lock to the next ticket. */
export function spinUnlock(lock: SpinLock): void {
  if (spinDebug) SPIN_HOOKS.released(lock);
  atomic.store<u32>(changetype<usize>(lock), lock.serving + 1, offsetof<SpinLock>("serving"));
}

/** True when somebody holds the lock (asserts in ...Locked functions). */
export function spinIsHeld(lock: SpinLock): bool {
  return atomic.load<u32>(changetype<usize>(lock)) !=
    atomic.load<u32>(changetype<usize>(lock), offsetof<SpinLock>("serving"));
}
