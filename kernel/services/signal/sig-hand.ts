/**
 * Signal state: the table of actions (shared by CLONE_SIGHAND) and the queues of pending siginfo.
 *
 * Invariants  G1  bit n of a pending set is 1 exactly when a queue entry of that set carries it, or when it was sent
 *                 while no entry could be had (standard signals only).
 *             G2  a standard signal (below RTMIN) is queued at most once per set.
 * Locking     SigHand.lock (Rank.SIGNAL) guards the actions and the pending sets of every process and thread using it.
 */
import { slabAlloc, SlabCache, slabFree, slabInit } from "../../core/mm/slab";
import { NSIG, sigBit, SigInfo, Signal, SIG_DFL, SIG_IGN } from "../../abi/signal";
import { Rank } from "../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";

/** struct kernel_sigaction. */
@final @unmanaged
export class SigAction {
  handler: u64;
  flags: u64;
  restorer: u64;
  mask: u64;
}

@final @unmanaged
export class SigHand {
  refs: u32;      // atomic
  pad: u32;
  lock0: u64;     // SpinLock by value
  lock1: u64;
  pad1: u64;
  // NSIG SigActions follow
}

@final @unmanaged
export class SigEntry {
  next: u32;      // SigEntry
  pad: u32;
  info: u64;      // SigInfo by value, 48 bytes
  info1: u64;
  info2: u64;
  info3: u64;
  info4: u64;
  info5: u64;
}

const ACTIONS_OFFSET: u32 = 32;
const ACTION_BYTES: u32 = 32;
const SIGHAND_BYTES: u32 = ACTIONS_OFFSET + 64 * ACTION_BYTES;
const QUEUE_LIMIT: u32 = 1024; // entries in one queue

const sigHandCache = changetype<SlabCache>(memory.data(offsetof<SlabCache>(), 16));
const sigEntryCache = changetype<SlabCache>(memory.data(offsetof<SlabCache>(), 16));

/** Signals that a default action ignores: CHLD, CONT, URG, WINCH. */
const DEFAULT_IGNORE: u64 = (1 << 16) | (1 << 17) | (1 << 22) | (1 << 27);
/** Signals that a default action stops on: STOP, TSTP, TTIN, TTOU. */
export const SIG_STOP_SET: u64 = (1 << 18) | (1 << 19) | (1 << 20) | (1 << 21);
/** Signals of faults, delivered before others: ILL, TRAP, BUS, FPE, SEGV, SYS. */
const SYNCHRONOUS: u64 = (1 << 3) | (1 << 4) | (1 << 6) | (1 << 7) | (1 << 10) | (1 << 30);
/** KILL and STOP cannot be blocked. */
export const SIG_UNBLOCKABLE: u64 = (1 << 8) | (1 << 18);

export function sigHandInit(): void {
  slabInit(sigHandCache, "sighand", SIGHAND_BYTES);
  slabInit(sigEntryCache, "sigqueue", offsetof<SigEntry>());
}

/** SAFETY: `address` is a SigHand, as Process.sigHand. */
export function sigHandOf(address: u32): SigHand {
  return changetype<SigHand>(address);
}

export function sigHandLockOf(hand: SigHand): SpinLock {
  return changetype<SpinLock>(changetype<usize>(hand) + offsetof<SigHand>("lock0")); // SAFETY: held by value there
}

/** The action of signal `sig` (1..NSIG). */
export function sigActionOf(hand: SigHand, sig: u32): SigAction {
  const address = changetype<usize>(hand) + ACTIONS_OFFSET + (sig - 1) * ACTION_BYTES;
  return changetype<SigAction>(address); // SAFETY: 1 <= sig <= NSIG
}

/** A table of default actions with one reference, or 0. */
export function sigHandNew(): u32 {
  const ptr = slabAlloc(sigHandCache);
  if (ptr == 0) return 0;
  memory.fill(ptr, 0, SIGHAND_BYTES);
  const hand = sigHandOf(<u32>ptr);
  hand.refs = 1;
  spinInit(sigHandLockOf(hand), Rank.SIGNAL);
  return <u32>ptr;
}

/** A copy of the actions of `from` with one reference, or 0. */
export function sigHandClone(from: SigHand): u32 {
  const ptr = sigHandNew();
  if (ptr == 0) return 0;
  const lock = sigHandLockOf(from);
  spinLock(lock);
  memory.copy(ptr + ACTIONS_OFFSET, changetype<usize>(from) + ACTIONS_OFFSET, NSIG * ACTION_BYTES);
  spinUnlock(lock);
  return ptr;
}

export function sigHandGet(address: u32): u32 {
  atomic.add<u32>(address, 1);
  return address;
}

export function sigHandPut(address: u32): void {
  if (atomic.sub<u32>(address, 1) == 1) slabFree(sigHandCache, address);
}

/** execve: caught signals go back to their default; ignored ones stay ignored. */
export function sigHandResetForExec(hand: SigHand): void {
  for (let sig: u32 = 1; sig <= NSIG; sig++) {
    const action = sigActionOf(hand, sig);
    if (action.handler != SIG_IGN) action.handler = SIG_DFL;
    action.flags = 0;
    action.restorer = 0;
    action.mask = 0;
  }
}

/** True when the default action of `sig` is to do nothing. */
export function sigDefaultIsIgnore(sig: u32): bool {
  return (sigBit(sig) & DEFAULT_IGNORE) != 0;
}

export function sigDefaultIsStop(sig: u32): bool {
  return (sigBit(sig) & SIG_STOP_SET) != 0;
}

/** True when the action table says that `sig` has no effect. */
export function sigIsIgnored(hand: SigHand, sig: u32): bool {
  const handler = sigActionOf(hand, sig).handler;
  return handler == SIG_IGN || (handler == SIG_DFL && sigDefaultIsIgnore(sig));
}

/** The signal of `set` to deliver next: faults first, then the lowest number; 0 when empty. */
export function sigNext(set: u64): u32 {
  if (set == 0) return 0;
  const urgent = set & SYNCHRONOUS;
  return <u32>ctz<u64>(urgent != 0 ? urgent : set) + 1;
}

/**
 * Adds `sig` to the set and queue at the two addresses. 0, or -EAGAIN when a real-time signal finds no room.
 * Locking: SigHand.lock.
 */
export function sigEnqueueLocked(setPtr: usize, queuePtr: usize, sig: u32, info: usize): i32 {
  const isRealtime = sig >= Signal.RTMIN;
  const set = load<u64>(setPtr);
  if (!isRealtime && (set & sigBit(sig)) != 0) return 0; // G2
  let count: u32 = 0;
  let tail = queuePtr; // SigEntry.next is its first field, so the head word serves as an entry
  while (load<u32>(tail) != 0) {
    tail = load<u32>(tail);
    count++;
  }
  const entry = info != 0 && count < QUEUE_LIMIT ? slabAlloc(sigEntryCache) : 0;
  if (entry == 0) {
    if (isRealtime && info != 0) return -11; // -EAGAIN
  } else {
    store<u32>(entry, 0);
    memory.copy(entry + offsetof<SigEntry>("info"), info, offsetof<SigInfo>());
    store<u32>(tail, <u32>entry);
  }
  store<u64>(setPtr, set | sigBit(sig));
  return 0;
}

/** Takes `sig` off a set and its queue; its siginfo goes to `infoPtr`. Locking: SigHand.lock. */
export function sigDequeueLocked(setPtr: usize, queuePtr: usize, sig: u32, infoPtr: usize): void {
  let before = queuePtr;
  let entry: usize = load<u32>(before);
  while (entry != 0 && load<i32>(entry, offsetof<SigEntry>("info")) != <i32>sig) {
    before = entry;
    entry = load<u32>(entry);
  }
  if (entry == 0) {
    memory.fill(infoPtr, 0, offsetof<SigInfo>());
    store<i32>(infoPtr, <i32>sig);
    store<i32>(infoPtr, 0x80, 8); // SI_KERNEL: nobody left a siginfo
  } else {
    memory.copy(infoPtr, entry + offsetof<SigEntry>("info"), offsetof<SigInfo>());
    store<u32>(before, load<u32>(entry));
    slabFree(sigEntryCache, entry);
  }
  if (!queueHolds(queuePtr, sig)) store<u64>(setPtr, load<u64>(setPtr) & ~sigBit(sig));
}

function queueHolds(queuePtr: usize, sig: u32): bool {
  for (let entry: usize = load<u32>(queuePtr); entry != 0; entry = load<u32>(entry)) {
    if (load<i32>(entry, offsetof<SigEntry>("info")) == <i32>sig) return true;
  }
  return false;
}

/** Forgets the pending signals of `mask`. Locking: SigHand.lock. */
export function sigDiscardLocked(setPtr: usize, queuePtr: usize, mask: u64): void {
  if ((load<u64>(setPtr) & mask) == 0) return;
  store<u64>(setPtr, load<u64>(setPtr) & ~mask);
  let before = queuePtr;
  let entry: usize = load<u32>(before);
  while (entry != 0) {
    const next: usize = load<u32>(entry);
    if (mask & sigBit(load<u32>(entry, offsetof<SigEntry>("info")))) {
      store<u32>(before, <u32>next);
      slabFree(sigEntryCache, entry);
    } else before = entry;
    entry = next;
  }
}
