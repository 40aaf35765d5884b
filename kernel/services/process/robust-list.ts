/**
 * Robust futexes: locks whose owner ends without releasing them are marked and one waiter is woken.
 *
 * User memory holds a singly linked ring of lock words per thread; the kernel walks it once, when the thread ends, and
 * trusts nothing in it.
 *
 *   struct robust_list_head   | next | futex offset (i64) | pending |
 *
 * Spec  Linux Documentation/locking/robust-futex-ABI.rst.
 */
import { userCmpxchg32, userLoad32, userLoad64, userStore64 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { currentTask } from "../../core/sched/cpu";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { Task } from "../../core/sched/task";
import { taskPut } from "../../core/sched/task-table";
import { taskByTid } from "../../core/sched/tid";
import { FUTEX_BITSET_ALL, futexWake } from "../../core/sync/futex";
import { Cap, capable } from "./cred";
import { credOf, currentCred, processOf } from "./process";
import { EXIT_HOOKS } from "./exit";

const HEAD_BYTES: u64 = 24;
/** Longest list that is walked. */
const LIST_LIMIT: u32 = 2048;
const OWNER_MASK: u32 = 0x3fffffff;
const OWNER_DIED: u32 = 0x40000000;
const HAS_WAITERS: u32 = 0x80000000;
/** Lowest bit of a list pointer: the lock inherits priority. */
const ENTRY_PI: u64 = 1;

/** At boot, after exitInit and futexInit. */
export function robustListsInit(): void {
  EXIT_HOOKS.robustList = robustListExit;
  EXIT_HOOKS.clearTid = clearTidWake;
}

/** CLONE_CHILD_CLEARTID: the word is 0 now; pthread_join waits for it. */
function clearTidWake(va: u64): void {
  futexWake(va, false, 1, FUTEX_BITSET_ALL);
}

export function sysSetRobustList(headVa: u64, length: u64): i64 {
  if (length != HEAD_BYTES) return -Errno.INVAL;
  currentTask().robustListVa = headVa;
  currentTask().robustListSize = length;
  return 0;
}

export function sysGetRobustList(pid: i32, headVa: u64, lengthVa: u64): i64 {
  const self = currentTask();
  const task: Task | null = pid == 0 ? self : taskByTid(<u32>pid);
  if (!task) return -Errno.SRCH;
  let result: i64 = 0;
  if (task.process == 0) result = -Errno.SRCH;
  else if (!mayInspect(task)) result = -Errno.PERM;
  const head = task.robustListVa;
  if (pid != 0) taskPut(task);
  if (result != 0) return result;
  return userStore64(lengthVa, HEAD_BYTES) != 0 || userStore64(headVa, head) != 0 ? -Errno.FAULT : 0;
}

function mayInspect(task: Task): bool {
  if (task.process == currentTask().process) return true;
  const target = credOf(processOf(task.process).creds);
  const cred = currentCred();
  return (cred.euid == target.uid && cred.euid == target.euid) || capable(Cap.SYS_PTRACE);
}

/** The running thread ends: walks its list. Every read may fail: then the walk is over. */
function robustListExit(task: Task): void {
  const ptr = scratchPush(24);
  const head = task.robustListVa;
  task.robustListVa = 0;
  if (userLoad64(ptr, head) == 0 && userLoad64(ptr + 8, head + 8) == 0 && userLoad64(ptr + 16, head + 16) == 0) {
    listWalk(task.tid, head, load<u64>(ptr), load<u64>(ptr, 8), load<u64>(ptr, 16), ptr);
  }
  scratchPop(24);
}

function listWalk(tid: u32, head: u64, first: u64, offset: u64, pending: u64, ptr: usize): void {
  let entry = first;
  for (let i: u32 = 0; i < LIST_LIMIT && (entry & ~ENTRY_PI) != head; i++) {
    // The next link is read before the lock is given up: its new owner may relink it.
    if (userLoad64(ptr, entry & ~ENTRY_PI) != 0) return;
    const next = load<u64>(ptr);
    if (entry != pending && !lockRelease((entry & ~ENTRY_PI) + offset, tid, false, ptr)) return;
    entry = next;
  }
  if (pending != 0) lockRelease((pending & ~ENTRY_PI) + offset, tid, true, ptr);
}

/** Marks one lock word as left behind and wakes a waiter; false when it cannot be reached. */
function lockRelease(va: u64, tid: u32, isPending: bool, ptr: usize): bool {
  if (va & 3) return false;
  if (userLoad32(ptr, va) != 0) return false;
  let word = load<u32>(ptr);
  // Died between clearing the word and waking: the wake is owed.
  if (isPending && word == 0) futexWake(va, false, 1, FUTEX_BITSET_ALL);
  while ((word & OWNER_MASK) == tid) {
    if (userCmpxchg32(ptr, va, word, (word & HAS_WAITERS) | OWNER_DIED) != 0) return false;
    const found = load<u32>(ptr);
    if (found == word) {
      if (word & HAS_WAITERS) futexWake(va, false, 1, FUTEX_BITSET_ALL);
      break;
    }
    word = found;
  }
  return true;
}
