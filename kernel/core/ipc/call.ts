/**
 * The caller's end of an endpoint: a call goes to a waiting receiver or to the queue, then its thread sleeps until the reply.
 *
 * A plain call of a program whose receiver waits on the same CPU gives it that CPU at once (handoff.ts).
 *
 * Locking  endpoint.ts.
 */
import { monoNowNs, TRAP_FRAME_BYTES, trapFrameOf } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { currentTask } from "../sched/cpu";
import { scheduleTo } from "../sched/handoff";
import { taskSignalPending, taskStateSet, taskWake } from "../sched/sched";
import { scratchPop, scratchPush } from "../sched/scratch";
import { schedTimeout } from "../sched/sleep";
import { Task, taskOf, TaskState, TaskWork, WakeReason } from "../sched/task";
import {
  callIsOver, callLeaveServerLocked, callQueueLocked, CallState, callUnqueueLocked, Endpoint, endpointLock, IpcCall, ipcCallAt, lendLocked,
  receiverFirstLocked, receiverIsThereLocked, ReceiveState, receiverRemoveLocked, wordsMove,
} from "./endpoint";
import { parcelFits } from "./parcel";

/** What ends a wait for a reply, besides the reply. */
export const enum Patience { SIGNALS = 0, KILL_ONLY = 1, ENDLESS = 2 }

/** How often a killable wait looks whether its process is to end. */
const KILL_LOOK_NS: u64 = 50_000_000;

/** Makes `task` the server of the call. The call is on no list. */
export function callGiveLocked(ep: Endpoint, call: IpcCall, task: Task): void {
  const before = ep.server;
  ep.server = <u32>changetype<usize>(task);
  call.state = CallState.TAKEN; // E1
  call.server = <u32>changetype<usize>(task);
  task.ipcCall = <u32>changetype<usize>(call);
  task.ipcLabel = call.label;
  task.ipcParcel = call.parcel;
  call.parcel = 0;
  trapFrameOf(task.ipcRegisters).rdi = call.badge;
  wordsMove(task.ipcRegisters, call.registers);
  lendLocked(ep, task);
  if (before != 0 && before != ep.server) lendLocked(ep, taskOf(before)); // what waits now waits for `task`
}

/** Gives the call to a waiting receiver, if there is one. The receiver, or null; `call` is REFUSED when it takes no such message. */
function callHandLocked(ep: Endpoint, call: IpcCall): Task | null {
  if (!receiverIsThereLocked(ep)) return null;
  const task = receiverFirstLocked(ep);
  if (!parcelFits(call.parcel, task.ipcRoomBytes, task.ipcRoomCaps)) {
    call.label = -Errno.MSGSIZE;
    call.state = CallState.REFUSED;
    return null;
  }
  receiverRemoveLocked(task);
  callGiveLocked(ep, call, task);
  task.ipcState = ReceiveState.HANDED;
  return task;
}

/** Takes a call back that its caller will not wait for any more (E2). */
function callAbortLocked(ep: Endpoint, call: IpcCall): void {
  if (call.state == CallState.QUEUED) callUnqueueLocked(ep, call);
  if (call.state == CallState.TAKEN) callLeaveServerLocked(ep, taskOf(call.server));
}

/**
 * A program's call (label, badge, registers, parcel, room are set) until its reply is there. The reply's label; -EPIPE when nobody is
 * there to answer, -EMSGSIZE when the receiver has no room for the parcel, -EINTR, -ETIMEDOUT. The caller holds a reference to `ep`.
 */
export function endpointCallUser(ep: Endpoint, call: IpcCall, deadlineNs: u64): i32 {
  const task = currentTask();
  call.caller = <u32>changetype<usize>(task);
  call.state = CallState.QUEUED;
  spinLock(endpointLock(ep));
  const isDirect = deadlineNs == 0 && receiverIsThereLocked(ep) && !taskSignalPending(task);
  const receiver = isDirect ? callHandLocked(ep, call) : null;
  if (receiver) {
    task.wakeReason = WakeReason.EVENT;
    taskStateSet(TaskState.SLEEPING);
    scheduleTo(receiver, endpointLock(ep));
    task.resumeCpu = 0;
    if (callIsOver(call) && task.wakeReason == <u32>WakeReason.HANDOFF) return call.label; // E6
    return callFinish(ep, call, deadlineNs, Patience.SIGNALS);
  }
  const result = callLocked(ep, call, deadlineNs, Patience.SIGNALS);
  spinUnlock(endpointLock(ep));
  return result;
}

/** The rest of a call under way, from any point at which its thread woke up. */
export function callFinish(ep: Endpoint, call: IpcCall, deadlineNs: u64, patience: Patience): i32 {
  spinLock(endpointLock(ep));
  const result = callWaitLocked(ep, call, deadlineNs, patience);
  spinUnlock(endpointLock(ep));
  return result;
}

function callLocked(ep: Endpoint, call: IpcCall, deadlineNs: u64, patience: Patience): i32 {
  if (callIsOver(call)) return call.label;
  if (ep.isDead) {
    call.state = CallState.REFUSED;
    return -Errno.PIPE;
  }
  const ended = waitEnds(deadlineNs, patience);
  if (ended != 0) {
    call.state = CallState.REFUSED;
    return ended;
  }
  const receiver = callHandLocked(ep, call);
  if (receiver) taskWake(receiver, WakeReason.EVENT);
  else if (call.state == CallState.QUEUED) callQueueLocked(ep, call);
  return callWaitLocked(ep, call, deadlineNs, patience);
}

function callWaitLocked(ep: Endpoint, call: IpcCall, deadlineNs: u64, patience: Patience): i32 {
  while (!callIsOver(call)) {
    const ended = waitEnds(deadlineNs, patience);
    if (ended != 0) {
      callAbortLocked(ep, call);
      return ended;
    }
    taskStateSet(patience == Patience.SIGNALS ? TaskState.SLEEPING : TaskState.UNINTERRUPTIBLE);
    spinUnlock(endpointLock(ep));
    schedTimeout(patience == Patience.KILL_ONLY ? killLook(deadlineNs) : deadlineNs);
    currentTask().resumeCpu = 0;
    spinLock(endpointLock(ep));
  }
  return call.label;
}

function killLook(deadlineNs: u64): u64 {
  const look = monoNowNs() + KILL_LOOK_NS;
  return deadlineNs != 0 && deadlineNs < look ? deadlineNs : look;
}

/** Why the running thread waits no longer, or 0. */
export function waitEnds(deadlineNs: u64, patience: Patience): i32 {
  const task = currentTask();
  if (patience == Patience.SIGNALS && taskSignalPending(task)) return -Errno.INTR;
  if (patience == Patience.KILL_ONLY && atomic.load<u32>(changetype<usize>(task)) & TaskWork.EXIT) return -Errno.INTR;
  return deadlineNs != 0 && monoNowNs() >= deadlineNs ? -Errno.TIMEDOUT : 0;
}

/** Words of a call that a kernel service makes; the reply's words replace the request's. */
@final @unmanaged
export class KernelMessage {
  label: u32;
  pad: u32;
  w0: u64;
  w1: u64;
  w2: u64;
  w3: u64;
}

/** A kernel service's call that must be known to have happened or not: ended by its answer or the server's death (-EPIPE) alone. */
export function endpointCallSure(ep: Endpoint, message: KernelMessage): i32 {
  return kernelCall(ep, message, 0, Patience.ENDLESS);
}

/** A kernel service's call: ended by its answer, the server's death (-EPIPE), `deadlineNs` or the caller's SIGKILL (-EINTR). */
export function endpointCallKernel(ep: Endpoint, message: KernelMessage, deadlineNs: u64): i32 {
  return kernelCall(ep, message, deadlineNs, Patience.KILL_ONLY);
}

function kernelCall(ep: Endpoint, message: KernelMessage, deadlineNs: u64, patience: Patience): i32 {
  const call = ipcCallAt(scratchPush(offsetof<IpcCall>()));
  const registers = trapFrameOf(scratchPush(TRAP_FRAME_BYTES));
  call.caller = <u32>changetype<usize>(currentTask());
  call.state = CallState.QUEUED;
  call.badge = 0;
  call.parcel = 0;
  call.roomBytes = 0;
  call.roomCaps = 0;
  call.label = <i32>message.label;
  call.registers = <u32>changetype<usize>(registers);
  registers.rdx = message.w0;
  registers.r10 = message.w1;
  registers.r8 = message.w2;
  registers.r9 = message.w3;
  spinLock(endpointLock(ep));
  const result = callLocked(ep, call, deadlineNs, patience);
  spinUnlock(endpointLock(ep));
  message.w0 = registers.rdx;
  message.w1 = registers.r10;
  message.w2 = registers.r8;
  message.w3 = registers.r9;
  scratchPop(TRAP_FRAME_BYTES);
  scratchPop(offsetof<IpcCall>());
  return result;
}
