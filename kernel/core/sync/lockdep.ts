/**
 * Lock-order checking: with `lockdep` on the command line every spinlock's rank is compared with those this CPU holds.
 *
 * A violation is a deadlock that has not happened yet, so it panics with a backtrace of the second lock's taker.
 *
 * Invariants  D1  Cpu.rankStack0 holds the ranks held, a byte each, the innermost lowest; rising from high to low byte.
 *             D2  equal ranks are taken together only where the rank table says how (rankMayRepeat).
 * Locking     a CPU writes its own record; a spinlock is released by the CPU that took it, even across a switch.
 */
import { Rank } from "../../lib/lock-rank";
import { LogLevel, logBegin, logEnd, logKeyDec, logKeyHex, logStr } from "../../lib/log";
import { panic } from "../../lib/panic";
import { SpinLock } from "../../lib/spinlock";
import { thisCpu } from "../sched/cpu";

/** Ranks of which a CPU may hold two locks: the second is tried (run queues), or taken in address order. */
function rankMayRepeat(rank: u32): bool {
  return rank == Rank.RUNQUEUE || rank == Rank.FUTEX;
}

/** True when a lock of `rank` may be taken while `held` is the innermost rank held. */
export function lockdepAllows(held: u32, rank: u32): bool {
  if (rank == Rank.NONE || held < rank) return true;
  return held == rank && rankMayRepeat(rank);
}

/** Rank stack with `rank` put on top; the ninth lock pushes the outermost out of sight. */
export function lockdepPush(stack: u64, rank: u32): u64 {
  return rank == Rank.NONE ? stack : (stack << 8) | rank;
}

/** Rank stack without its innermost `rank`: locks need not be released in order. */
export function lockdepPop(stack: u64, rank: u32): u64 {
  if (rank == Rank.NONE) return stack;
  for (let shift: u64 = 0; shift < 64; shift += 8) {
    if (((stack >> shift) & 0xff) != <u64>rank) continue;
    const below: u64 = shift == 56 ? 0 : (stack >> (shift + 8)) << shift;
    return below | (stack & ((<u64>1 << shift) - 1));
  }
  return stack; // taken before checking began, or out of sight
}

/** Spin hook: this CPU has just taken `lock`. */
export function lockdepAcquired(lock: SpinLock): void {
  const cpu = thisCpu();
  const held = <u32>(cpu.rankStack0 & 0xff);
  if (!lockdepAllows(held, lock.rank)) lockdepReport(held, lock);
  cpu.rankStack0 = lockdepPush(cpu.rankStack0, lock.rank);
  cpu.lockDepth++;
  lock.holder = cpu.id + 1;
}

/** Spin hook: this CPU is about to release `lock`. */
export function lockdepReleased(lock: SpinLock): void {
  const cpu = thisCpu();
  cpu.rankStack0 = lockdepPop(cpu.rankStack0, lock.rank);
  if (cpu.lockDepth != 0) cpu.lockDepth--;
  lock.holder = 0;
}

function lockdepReport(held: u32, lock: SpinLock): void {
  const cpu = thisCpu();
  const stack = cpu.rankStack0;
  cpu.rankStack0 = 0; // the report itself takes locks
  if (lock.rank != Rank.LOG && lock.rank != Rank.CONSOLE) {
    logBegin(LogLevel.ERR, "lockdep");
    logStr("rank order broken");
    logKeyDec("held", held);
    logKeyDec("taken", lock.rank);
    logKeyHex("stack", stack);
    logKeyHex("lock", changetype<usize>(lock));
    logEnd();
  }
  panic("lock order");
}
