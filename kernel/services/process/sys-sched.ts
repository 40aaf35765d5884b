/**
 * Scheduling as user space controls it: nice values, policies, affinity.
 *
 * Spec  sched(7), sched_setaffinity(2), setpriority(2); rights as Linux 6.1 checks them.
 */
import { userCopyIn, userCopyOut, userStore32, userZero } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { currentTask, thisCpu } from "../../core/sched/cpu";
import { cpusOnline } from "../../core/sched/placement";
import { schedSetAffinity, schedSetNice, schedSetPolicy } from "../../core/sched/policy";
import { RT_PRIORITY_MAX, RT_PRIORITY_MIN, RT_SLICE_NS, SchedPolicy } from "../../core/sched/rt";
import { schedYield } from "../../core/sched/sched";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { Task } from "../../core/sched/task";
import { taskGet, taskPut } from "../../core/sched/task-table";
import { taskByTid } from "../../core/sched/tid";
import { NICE_MAX, NICE_MIN } from "../../core/sched/weights";
import { ListNode, listSame, ownerOf } from "../../lib/list";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { Cap, capable } from "./cred";
import { Process, credOf, currentCred, currentProcess, processOf } from "./process";
import { processLock, processNextLocked, threadHeadOf } from "./process-table";
import { Rlimit, rlimitSoft } from "./rlimit";
import { timespecWriteNs } from "./user-time";

/** Bytes of the first version of struct sched_attr. */
const SCHED_ATTR_BYTES: u32 = 48;
/** Set in a policy: children start as SCHED_NORMAL. */
const RESET_ON_FORK: u32 = 0x40000000;
const FAIR_SLICE_NS: i64 = 1_500_000;

/** A thread by number (0: the caller) with one reference, or null. Kernel threads cannot be named. */
function schedTarget(pid: i32): Task | null {
  if (pid < 0) return null;
  if (pid == 0) {
    taskGet(currentTask());
    return currentTask();
  }
  const task = taskByTid(<u32>pid);
  if (!task) return null;
  if (task.process != 0) return task;
  taskPut(task);
  return null;
}

/** May the caller change how `task` is scheduled? Its owner may, and CAP_SYS_NICE. */
function mayControl(task: Task): bool {
  const cred = currentCred();
  const target = credOf(processOf(task.process).creds);
  return cred.euid == target.euid || cred.euid == target.uid || capable(Cap.SYS_NICE);
}

export function sysSchedYield(): i64 {
  schedYield();
  return 0;
}

export function sysGetcpu(cpuVa: u64, nodeVa: u64, cacheVa: u64): i64 {
  const cpu = thisCpu().id;
  const node = thisCpu().node;
  if (cpuVa != 0 && userStore32(cpuVa, cpu) != 0) return -Errno.FAULT;
  return nodeVa != 0 && userStore32(nodeVa, node) != 0 ? -Errno.FAULT : 0;
}

// ---- affinity ----

export function sysSchedSetaffinity(pid: i32, length: u64, maskVa: u64): i64 {
  const ptr = scratchPush(8);
  store<u64>(ptr, 0);
  const failed = userCopyIn(ptr, maskVa, <u32>min<u64>(length, 8)) != 0;
  const mask = load<u64>(ptr);
  scratchPop(8);
  if (failed) return -Errno.FAULT;
  const task = schedTarget(pid);
  if (!task) return -Errno.SRCH;
  let result: i64 = 0;
  if (!mayControl(task)) result = -Errno.PERM;
  else if ((mask & cpusOnline()) == 0 || !schedSetAffinity(task, mask)) result = -Errno.INVAL;
  taskPut(task);
  return result;
}

export function sysSchedGetaffinity(pid: i32, length: u64, maskVa: u64): i64 {
  if (length < 8 || (length & 7) != 0) return -Errno.INVAL;
  const task = schedTarget(pid);
  if (!task) return -Errno.SRCH;
  const mask = task.affinity & cpusOnline();
  taskPut(task);
  const ptr = scratchPush(8);
  store<u64>(ptr, mask);
  const failed = userCopyOut(maskVa, ptr, 8) != 0;
  scratchPop(8);
  return failed ? -Errno.FAULT : 8; // bytes written, as Linux: libc clears the rest
}

// ---- nice values ----

const enum Prio { PROCESS = 0, PGRP = 1, USER = 2 }

/** One getpriority or setpriority call. */
@final @unmanaged
class PriorityRequest {
  which: i32;
  who: u32;
  nice: i32;     // to set
  isSet: u32;    // 0: only look
  best: i32;     // lowest nice value seen
  found: u32;
  result: i32;
  pad: u32;
}

function threadAt(node: ListNode): Task {
  return ownerOf<Task>(node, offsetof<Task>("groupNode"));
}

/** setpriority's rights: less nice needs CAP_SYS_NICE or RLIMIT_NICE. */
function niceError(process: Process, task: Task, nice: i32): i32 {
  const cred = currentCred();
  const target = credOf(process.creds);
  const isOwner = cred.euid == target.euid || cred.euid == target.uid;
  if (!isOwner && !capable(Cap.SYS_NICE)) return -Errno.PERM;
  const lowest = 20 - <i32>min<u64>(rlimitSoft(process, Rlimit.NICE), 40);
  if (nice < task.nice && nice < lowest && !capable(Cap.SYS_NICE)) return -Errno.ACCES;
  return 0;
}

function priorityApply(request: PriorityRequest, process: Process, task: Task): void {
  request.found = 1;
  if (!request.isSet) {
    request.best = min<i32>(request.best, task.nice);
    return;
  }
  const error = niceError(process, task, request.nice);
  if (error != 0) request.result = error;
  else schedSetNice(task, request.nice);
}

/** Applies the request to every thread of a process. Locking: processLock. */
function priorityApplyAll(request: PriorityRequest, process: Process): void {
  const head = threadHeadOf(process);
  for (let node = head.next; !listSame(node, head); node = node.next) priorityApply(request, process, threadAt(node));
}

/** True when a process belongs to the group or user asked for. */
function priorityMatches(request: PriorityRequest, process: Process): bool {
  if (process.creds == 0) return false;
  return request.which == Prio.PGRP ? process.pgid == request.who : credOf(process.creds).uid == request.who;
}

function priorityWalk(request: PriorityRequest): void {
  if (request.which == Prio.PROCESS) {
    const task = schedTarget(<i32>request.who);
    if (!task) return;
    priorityApply(request, processOf(task.process), task);
    taskPut(task);
    return;
  }
  spinLock(processLock);
  let process = processNextLocked(1);
  while (process) {
    if (priorityMatches(request, process)) priorityApplyAll(request, process);
    process = processNextLocked(process.pid + 1);
  }
  spinUnlock(processLock);
}

/** Fills in who 0 means. False for a bad `which`. */
function priorityDecode(request: PriorityRequest, which: i32, who: i32): bool {
  request.which = which;
  request.who = <u32>who;
  request.best = NICE_MAX;
  if (which < Prio.PROCESS || which > Prio.USER) return false;
  if (who != 0) return true;
  if (which == Prio.PGRP) request.who = currentProcess().pgid;
  if (which == Prio.USER) request.who = currentCred().uid;
  return true;
}

function priorityCall(which: i32, who: i32, nice: i32, isSet: bool): i64 {
  const ptr = scratchPush(offsetof<PriorityRequest>());
  memory.fill(ptr, 0, offsetof<PriorityRequest>());
  const request = changetype<PriorityRequest>(ptr); // SAFETY: scratch of that size
  request.nice = nice;
  request.isSet = isSet ? 1 : 0;
  let result: i64 = -Errno.INVAL;
  if (priorityDecode(request, which, who)) {
    priorityWalk(request);
    if (!request.found) result = -Errno.SRCH;
    else result = isSet ? request.result : 20 - request.best; // the raw call answers 1..40: no error looks like it
  }
  scratchPop(offsetof<PriorityRequest>());
  return result;
}

export function sysGetpriority(which: i32, who: i32): i64 {
  return priorityCall(which, who, 0, false);
}

export function sysSetpriority(which: i32, who: i32, nice: i32): i64 {
  return priorityCall(which, who, max<i32>(NICE_MIN, min<i32>(nice, NICE_MAX)), true);
}

// ---- policies ----

/** Real-time: SCHED_FIFO and SCHED_RR. */
export function policyIsRt(policy: u32): bool {
  return policy == SchedPolicy.FIFO || policy == SchedPolicy.RR;
}

function policyIsKnown(policy: u32): bool {
  return policyIsRt(policy) || policy == SchedPolicy.NORMAL || policy == SchedPolicy.BATCH || policy == SchedPolicy.IDLE;
}

/** Whether the two mean something together. */
export function policyIsSound(policy: u32, priority: u32): bool {
  if (!policyIsKnown(policy)) return false;
  return policyIsRt(policy) ? priority >= RT_PRIORITY_MIN && priority <= RT_PRIORITY_MAX : priority == 0;
}

/** Checks values and rights of a policy change: 0 or -errno. */
function policyError(task: Task, policy: u32, priority: u32): i64 {
  if (!policyIsSound(policy, priority)) return -Errno.INVAL;
  if (!mayControl(task)) return -Errno.PERM;
  const limit = rlimitSoft(processOf(task.process), Rlimit.RTPRIO);
  if (policyIsRt(policy) && <u64>priority > limit && !capable(Cap.SYS_NICE)) return -Errno.PERM;
  return 0;
}

function policyChange(pid: i32, policy: i32, priority: i32, keepPolicy: bool): i64 {
  const task = schedTarget(pid);
  if (!task) return -Errno.SRCH;
  const chosen = keepPolicy ? task.policy : <u32>policy & ~RESET_ON_FORK;
  const result = policyError(task, chosen, <u32>priority);
  if (result == 0) schedSetPolicy(task, chosen, <u32>priority);
  taskPut(task);
  return result;
}

/** Reads struct sched_param: its priority, or a value that policyError refuses; -EFAULT through `failed`. */
function paramRead(va: u64): i64 {
  const ptr = scratchPush(8);
  const failed = userCopyIn(ptr, va, 4) != 0;
  const priority = load<i32>(ptr);
  scratchPop(8);
  return failed ? -Errno.FAULT : <i64>(<u32>priority);
}

export function sysSchedSetscheduler(pid: i32, policy: i32, paramVa: u64): i64 {
  if (policy < 0 || pid < 0) return -Errno.INVAL;
  const priority = paramRead(paramVa);
  return priority < 0 ? priority : policyChange(pid, policy, <i32>priority, false);
}

export function sysSchedSetparam(pid: i32, paramVa: u64): i64 {
  if (pid < 0) return -Errno.INVAL;
  const priority = paramRead(paramVa);
  return priority < 0 ? priority : policyChange(pid, 0, <i32>priority, true);
}

export function sysSchedGetscheduler(pid: i32): i64 {
  if (pid < 0) return -Errno.INVAL;
  const task = schedTarget(pid);
  if (!task) return -Errno.SRCH;
  const policy = task.policy;
  taskPut(task);
  return policy;
}

export function sysSchedGetparam(pid: i32, paramVa: u64): i64 {
  if (pid < 0) return -Errno.INVAL;
  const task = schedTarget(pid);
  if (!task) return -Errno.SRCH;
  const priority = policyIsRt(task.policy) ? task.rtPriority : 0;
  taskPut(task);
  return userStore32(paramVa, priority) != 0 ? -Errno.FAULT : 0;
}

export function sysSchedGetPriorityMax(policy: i32): i64 {
  if (!policyIsKnown(<u32>policy)) return -Errno.INVAL;
  return policyIsRt(<u32>policy) ? RT_PRIORITY_MAX : 0;
}

export function sysSchedGetPriorityMin(policy: i32): i64 {
  if (!policyIsKnown(<u32>policy)) return -Errno.INVAL;
  return policyIsRt(<u32>policy) ? RT_PRIORITY_MIN : 0;
}

export function sysSchedRrGetInterval(pid: i32, va: u64): i64 {
  if (pid < 0) return -Errno.INVAL;
  const task = schedTarget(pid);
  if (!task) return -Errno.SRCH;
  const policy = task.policy;
  taskPut(task);
  const ns = policy == SchedPolicy.RR ? <i64>RT_SLICE_NS : policy == SchedPolicy.FIFO ? 0 : FAIR_SLICE_NS;
  return timespecWriteNs(va, ns);
}

/**
 * sched_setattr: struct sched_attr is size, policy (u32), flags (u64), nice (i32), priority (u32), then the deadline
 * class's three u64, which must be zero.
 */
export function sysSchedSetattr(pid: i32, attrVa: u64, flags: u32): i64 {
  if (pid < 0 || flags != 0 || attrVa == 0) return -Errno.INVAL;
  const ptr = scratchPush(SCHED_ATTR_BYTES);
  const failed = userCopyIn(ptr, attrVa, SCHED_ATTR_BYTES) != 0;
  const policy = load<i32>(ptr, 4);
  const nice = load<i32>(ptr, 16);
  const priority = load<i32>(ptr, 20);
  const size = load<u32>(ptr);
  scratchPop(SCHED_ATTR_BYTES);
  if (failed) return -Errno.FAULT;
  if (size != 0 && size < SCHED_ATTR_BYTES) return -Errno.TOOBIG;
  if (nice < NICE_MIN || nice > NICE_MAX || policy < 0) return -Errno.INVAL;
  const result = policyChange(pid, policy, priority, false);
  if (result < 0 || policyIsRt(<u32>policy)) return result;
  return sysSetpriority(Prio.PROCESS, pid, nice);
}

export function sysSchedGetattr(pid: i32, attrVa: u64, size: u32, flags: u32): i64 {
  if (pid < 0 || flags != 0 || size < SCHED_ATTR_BYTES || size > 4096) return -Errno.INVAL;
  const task = schedTarget(pid);
  if (!task) return -Errno.SRCH;
  const ptr = scratchPush(SCHED_ATTR_BYTES);
  memory.fill(ptr, 0, SCHED_ATTR_BYTES);
  store<u32>(ptr, SCHED_ATTR_BYTES);
  store<u32>(ptr, task.policy, 4);
  store<i32>(ptr, task.nice, 16);
  store<u32>(ptr, policyIsRt(task.policy) ? task.rtPriority : 0, 20);
  taskPut(task);
  const failed = userCopyOut(attrVa, ptr, SCHED_ATTR_BYTES) != 0 ||
    userZero(attrVa + SCHED_ATTR_BYTES, size - SCHED_ATTR_BYTES) != 0;
  scratchPop(SCHED_ATTR_BYTES);
  return failed ? -Errno.FAULT : 0;
}
