/**
 * Futexes: waiting for a word of user memory.
 *
 * A waiter queues itself first and reads the word afterwards: a waker that changes the word and then looks for waiters
 * either finds it or has made its read see the change. Being found in between counts as having been woken.
 *
 *   key of private memory   address space, virtual address
 *   key of shared memory    frame, offset in the page (shared mappings keep their frames)
 *
 * Invariants  X1  task.futexBucket is the bucket whose list holds task.futexNode, 0 when none does.
 * Locking     Bucket.lock (Rank.FUTEX) guards its list and the futex fields of the tasks on it; two buckets are locked
 *             in address order. No user memory is touched under it.
 * Units       deadlines in ns of monoNowNs(); 0 for none.
 * Spec        futex(2).
 */
import { userCmpxchg32, userLoad32 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { ListNode, listAppend, listInit, listNodeAt, listRemove, listSame, ownerOf } from "../../lib/list";
import { Rank } from "../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";
import { framePut } from "../mm/frame";
import { mmLock, mmUnlock } from "../mm/address-space";
import { AddressSpace, VmFlag, mmOf } from "../mm/mm-struct";
import { mmPageGet } from "../mm/user-pages";
import { vmaAt } from "../mm/vma";
import { currentTask } from "../sched/cpu";
import { schedTimeout } from "../sched/sleep";
import { taskSignalPending, taskStateSet, taskWake } from "../sched/sched";
import { scratchPop, scratchPush } from "../sched/scratch";
import { Task, TaskState, WakeReason } from "../sched/task";

const BUCKET_COUNT: u32 = 256;
const BUCKET_BYTES: u32 = 32;
/** Matches every waiter of FUTEX_WAIT. */
export const FUTEX_BITSET_ALL: u32 = 0xffffffff;

@final @unmanaged
class Bucket {
  lock: u64;     // a SpinLock held by value
  lock1: u64;
  waiters: u64;  // ListNode by value: Task.futexNode
  pad: u64;
}
if (offsetof<Bucket>() != 32) ERROR("buckets are indexed by 32 bytes");

/** What a waiter waits for; two words that scratch memory holds. */
@final @unmanaged
export class FutexKey {
  word0: u64;
  word1: u64;
}

const BUCKETS: usize = memory.data(256 * 32, 64);

function bucketOf(address: usize): Bucket { return changetype<Bucket>(address); } // SAFETY: into BUCKETS
function bucketLock(bucket: Bucket): SpinLock { return changetype<SpinLock>(bucket); } // SAFETY: its first field
function bucketList(bucket: Bucket): ListNode {
  return listNodeAt(changetype<usize>(bucket) + offsetof<Bucket>("waiters"));
}
function futexNodeOf(task: Task): ListNode {
  return listNodeAt(changetype<usize>(task) + offsetof<Task>("futexNode"));
}

/** Makes the buckets; at boot. */
export function futexInit(): void {
  for (let i: u32 = 0; i < BUCKET_COUNT; i++) {
    const bucket = bucketOf(BUCKETS + i * BUCKET_BYTES);
    spinInit(bucketLock(bucket), Rank.FUTEX);
    listInit(bucketList(bucket));
  }
}

function bucketOfKey(key: FutexKey): Bucket {
  const mixed = (key.word0 ^ (key.word1 * 0x9e3779b97f4a7c15)) * 0xbf58476d1ce4e5b9;
  return bucketOf(BUCKETS + <u32>(mixed >> 56) * BUCKET_BYTES);
}

/** Fills `key` for the futex word at `va` of the running task. 0, -EINVAL (unaligned) or -EFAULT. */
export function futexKeyGet(key: FutexKey, va: u64, isPrivate: bool): i32 {
  if ((va & 3) != 0) return -Errno.INVAL;
  const mm = mmOf(currentTask().mm);
  key.word0 = va;
  key.word1 = <u64>changetype<usize>(mm);
  if (isPrivate || !isShared(mm, va)) return 0;
  const pfn = mmPageGet(mm, va, 1);
  if (pfn < 0) return -Errno.FAULT;
  key.word0 = (<u64>pfn << 12) | (va & 0xfff);
  key.word1 = 1; // no address space lies there
  framePut(pfn);
  return 0;
}

function isShared(mm: AddressSpace, va: u64): bool {
  mmLock(mm);
  const vma = vmaAt(mm, va);
  const shared = vma ? (vma.flags & VmFlag.SHARED) != 0 : false;
  mmUnlock(mm);
  return shared;
}

function keySet(task: Task, key: FutexKey): void {
  task.futexKey0 = key.word0;
  task.futexKey1 = key.word1;
}

function keyMatches(task: Task, key: FutexKey): bool {
  return task.futexKey0 == key.word0 && task.futexKey1 == key.word1;
}

/**
 * Waits while the word at `va` equals `expected`. 0 when woken, -EAGAIN when it differed, -ETIMEDOUT, -EINTR, -EFAULT,
 * -EINVAL. Sleeps; no lock held.
 */
export function futexWait(va: u64, isPrivate: bool, expected: u32, bitset: u32, deadlineNs: u64): i32 {
  if (bitset == 0) return -Errno.INVAL;
  const task = currentTask();
  const queued = waiterQueue(task, va, isPrivate, bitset);
  if (queued < 0) return queued;
  const read = wordRead(va);
  if (read < 0 || <u32>read != expected) {
    if (!waiterLeave(task)) return 0; // found by a waker meanwhile
    return read < 0 ? <i32>read : -Errno.AGAIN;
  }
  return waiterSleep(task, deadlineNs);
}

function waiterQueue(task: Task, va: u64, isPrivate: bool, bitset: u32): i32 {
  const key = changetype<FutexKey>(scratchPush(16)); // SAFETY: scratch of its size
  const failed = futexKeyGet(key, va, isPrivate);
  if (failed == 0) {
    const bucket = bucketOfKey(key);
    spinLock(bucketLock(bucket));
    keySet(task, key);
    task.futexBitset = bitset;
    task.futexBucket = <u32>changetype<usize>(bucket);
    listAppend(bucketList(bucket), futexNodeOf(task));
    spinUnlock(bucketLock(bucket));
  }
  scratchPop(16);
  return failed;
}

/** The user word as a non-negative number, or -EFAULT. */
function wordRead(va: u64): i64 {
  const word = scratchPush(8);
  const failed = userLoad32(word, va);
  const value = load<u32>(word);
  scratchPop(8);
  return failed != 0 ? <i64>failed : <i64>value;
}

function waiterSleep(task: Task, deadlineNs: u64): i32 {
  while (true) {
    taskStateSet(TaskState.SLEEPING);
    const isWoken = atomic.load<u32>(changetype<usize>(task), offsetof<Task>("futexBucket")) == 0;
    if (isWoken || taskSignalPending(task)) {
      taskStateSet(TaskState.RUNNABLE);
      return isWoken || !waiterLeave(task) ? 0 : -Errno.INTR;
    }
    const timedOut = schedTimeout(deadlineNs) != 0;
    if (timedOut) return waiterLeave(task) ? -Errno.TIMEDOUT : 0;
  }
}

/** Takes the task off its bucket; false when a waker has done so (X1). */
function waiterLeave(task: Task): bool {
  while (true) {
    const address = atomic.load<u32>(changetype<usize>(task), offsetof<Task>("futexBucket"));
    if (address == 0) return false;
    const bucket = bucketOf(address);
    spinLock(bucketLock(bucket));
    const isHere = task.futexBucket == address; // a requeue may have moved it
    if (isHere) waiterUnlink(task);
    spinUnlock(bucketLock(bucket));
    if (isHere) return true;
  }
}

function waiterUnlink(task: Task): void {
  listRemove(futexNodeOf(task));
  atomic.store<u32>(changetype<usize>(task), 0, offsetof<Task>("futexBucket"));
}

/** Wakes up to `count` waiters whose bitset meets `bitset`: how many, or -EINVAL/-EFAULT. */
export function futexWake(va: u64, isPrivate: bool, count: u32, bitset: u32): i32 {
  if (bitset == 0) return -Errno.INVAL;
  const key = changetype<FutexKey>(scratchPush(16)); // SAFETY: scratch of its size
  let result = futexKeyGet(key, va, isPrivate);
  if (result == 0) {
    const bucket = bucketOfKey(key);
    spinLock(bucketLock(bucket));
    result = <i32>wakeLocked(bucket, key, count, bitset);
    spinUnlock(bucketLock(bucket));
  }
  scratchPop(16);
  return result;
}

function wakeLocked(bucket: Bucket, key: FutexKey, count: u32, bitset: u32): u32 {
  let woken: u32 = 0;
  const head = bucketList(bucket);
  let node = head.next;
  while (!listSame(node, head) && woken < count) {
    const task = taskOfNode(node);
    node = node.next;
    if (!keyMatches(task, key) || (task.futexBitset & bitset) == 0) continue;
    waiterUnlink(task);
    taskWake(task, WakeReason.EVENT);
    woken++;
  }
  return woken;
}

function taskOfNode(node: ListNode): Task {
  return ownerOf<Task>(node, offsetof<Task>("futexNode"));
}

/**
 * Wakes up to `wakeCount` waiters of `va` and moves up to `moveCount` others to `va2`; with `check`, only while the word
 * at `va` equals `expected` (else -EAGAIN). Woken plus, with `check`, moved waiters.
 */
export function futexRequeue(
  va: u64, isPrivate: bool, wakeCount: u32, va2: u64, moveCount: u32, check: bool, expected: u32,
): i32 {
  const from = changetype<FutexKey>(scratchPush(32)); // SAFETY: scratch of two keys
  const to = changetype<FutexKey>(changetype<usize>(from) + 16);
  let result = futexKeyGet(from, va, isPrivate);
  if (result == 0) result = futexKeyGet(to, va2, isPrivate);
  if (result == 0 && check) {
    const read = wordRead(va);
    result = read < 0 ? <i32>read : <u32>read != expected ? -Errno.AGAIN : 0;
  }
  if (result == 0) result = <i32>requeue(from, to, wakeCount, moveCount, check);
  scratchPop(32);
  return result;
}

function requeue(from: FutexKey, to: FutexKey, wakeCount: u32, moveCount: u32, countMoved: bool): u32 {
  const source = bucketOfKey(from);
  const target = bucketOfKey(to);
  bucketsLock(source, target);
  const woken = wakeLocked(source, from, wakeCount, FUTEX_BITSET_ALL);
  const moved = moveLocked(source, from, target, to, moveCount);
  bucketsUnlock(source, target);
  return countMoved ? woken + moved : woken;
}

function moveLocked(source: Bucket, from: FutexKey, target: Bucket, to: FutexKey, count: u32): u32 {
  let moved: u32 = 0;
  const head = bucketList(source);
  let node = head.next;
  while (!listSame(node, head) && moved < count) {
    const task = taskOfNode(node);
    node = node.next;
    if (!keyMatches(task, from)) continue;
    listRemove(futexNodeOf(task));
    keySet(task, to);
    atomic.store<u32>(changetype<usize>(task), <u32>changetype<usize>(target), offsetof<Task>("futexBucket"));
    listAppend(bucketList(target), futexNodeOf(task));
    moved++;
  }
  return moved;
}

function bucketsLock(a: Bucket, b: Bucket): void {
  const isOrdered = changetype<usize>(a) <= changetype<usize>(b);
  spinLock(bucketLock(isOrdered ? a : b));
  if (a != b) spinLock(bucketLock(isOrdered ? b : a));
}

function bucketsUnlock(a: Bucket, b: Bucket): void {
  spinUnlock(bucketLock(a));
  if (a != b) spinUnlock(bucketLock(b));
}

/** Operations of FUTEX_WAKE_OP's encoded argument. */
const enum WakeOp { SET = 0, ADD = 1, OR = 2, ANDN = 3, XOR = 4 }
const enum WakeCompare { EQ = 0, NE = 1, LT = 2, LE = 3, GT = 4, GE = 5 }

/** FUTEX_WAKE_OP: changes the word at `va2`, wakes waiters of `va`, and of `va2` if its old value compares true. */
export function futexWakeOp(va: u64, isPrivate: bool, count: u32, va2: u64, count2: u32, encoded: u32): i32 {
  const old = wordModify(va2, encoded);
  if (old < 0) return <i32>old;
  const woken = futexWake(va, isPrivate, count, FUTEX_BITSET_ALL);
  if (woken < 0 || !wakeOpCompare(<i32>old, encoded)) return woken;
  const woken2 = futexWake(va2, isPrivate, count2, FUTEX_BITSET_ALL);
  return woken2 < 0 ? woken2 : woken + woken2;
}

/** Applies the operation atomically: the old word as a non-negative number, -EFAULT or -ENOSYS. */
function wordModify(va: u64, encoded: u32): i64 {
  const isShift = (encoded >> 31) != 0;
  const argument = <i32>(encoded << 8) >> 20; // 12 bits, signed
  const operand = isShift ? 1 << (argument & 31) : argument;
  let found = wordRead(va);
  while (found >= 0) {
    const old = <u32>found;
    const fresh = wakeOpApply((encoded >> 28) & 7, old, <u32>operand);
    if (fresh < 0) return fresh;
    const word = scratchPush(8);
    const failed = userCmpxchg32(word, va, old, <u32>fresh);
    found = <i64>load<u32>(word);
    scratchPop(8);
    if (failed != 0) return failed;
    if (<u32>found == old) return found;
  }
  return found;
}

function wakeOpApply(op: u32, old: u32, operand: u32): i64 {
  if (op == WakeOp.SET) return operand;
  if (op == WakeOp.ADD) return <i64>(old + operand);
  if (op == WakeOp.OR) return old | operand;
  if (op == WakeOp.ANDN) return old & ~operand;
  return op == WakeOp.XOR ? <i64>(old ^ operand) : -<i64>Errno.NOSYS;
}

function wakeOpCompare(old: i32, encoded: u32): bool {
  const argument = <i32>(encoded << 20) >> 20;
  switch ((encoded >> 24) & 15) {
    case WakeCompare.EQ: return old == argument;
    case WakeCompare.NE: return old != argument;
    case WakeCompare.LT: return old < argument;
    case WakeCompare.LE: return old <= argument;
    case WakeCompare.GT: return old > argument;
    case WakeCompare.GE: return old >= argument;
    default: return false;
  }
}
