/**
 * Call and reply between two programs on one CPU, the short way: one function from the system call's entry of one program to the
 * system call's end of the other.
 *
 * Either function does all of it or nothing: whatever is out of the ordinary (an unknown handle, a bad label, nobody there, another CPU,
 * something to lend, a signal, the tracer) is left to call.ts and receive.ts, which may find the same tasks asleep in the same states.
 *
 * Invariants  S1  a plain call lives at the beginning of its caller's scratch memory, which no system call uses when it begins.
 * Locking     Endpoint.lock, then the run queue (resume.ts).
 */
import { TRAP_FRAME_BYTES, TrapFrame, trapFrameOf } from "../../../arch/current";
import { listEmpty } from "../../lib/list";
import { spinTryQuiet, spinUnlockQuiet } from "../../lib/spinlock";
import { currentTask, thisCpu } from "../sched/cpu";
import { resumeBeginInline, resumeToInline } from "../sched/resume";
import { runQueueAt } from "../sched/run-queue";
import { Task, taskOf } from "../sched/task";
import { callFinish, Patience } from "./call";
import {
  callQueue, CallState, Endpoint, endpointAt, endpointLock, IpcCall, ipcCallAt, labelIsReply, labelIsRequest, receiverPutLocked,
  receiverFirstLocked, receiverIsThereLocked, receiverTakeLocked, wordsMove,
} from "./endpoint";
import { bitsAreSet, endpointReceiveOn, receiveAnswer, Received } from "./receive";
import { callTargetIsKnown, waitTargetIsKnown } from "./target";

/** Numbers of the two calls (kernel/abi/native.ts). */
const IPC_CALL: u64 = 0x1011;
const IPC_REPLY_WAIT: u64 = 0x1012;

/** A call of the running thread that entry.S takes for ipc_call or ipc_reply_wait. Returns only if nothing was done. */
export function ipcFast(frame: TrapFrame): void {
  if (frame.vector == IPC_CALL) callFast(frame);
  else if (frame.vector == IPC_REPLY_WAIT) replyWaitFast(frame);
}

function callFast(frame: TrapFrame): void {
  const task = currentTask();
  if (!labelIsRequest(<i32>frame.rsi) || !callTargetIsKnown(task, <u32>frame.rdi)) return;
  const ep = endpointAt(task.ipcCallTarget);
  if (!spinTryQuiet(endpointLock(ep))) return;
  callLocked(ep, frame, task);
  spinUnlockQuiet(endpointLock(ep));
}

function replyWaitFast(frame: TrapFrame): void {
  const task = currentTask();
  if (!labelIsReply(<i32>frame.rsi)) return;
  const target = task.ipcWaitTarget;
  if (target == 0 || task.ipcEndpoint != target) return;
  const ep = endpointAt(target);
  if (!spinTryQuiet(endpointLock(ep))) return;
  replyLocked(ep, frame, task);
  spinUnlockQuiet(endpointLock(ep));
}

function callLocked(ep: Endpoint, frame: TrapFrame, task: Task): void {
  if (!receiverIsThereLocked(ep)) return;
  const receiver = receiverFirstLocked(ep);
  const cpu = thisCpu();
  const id = cpu.id;
  const rq = runQueueAt(id);
  if (!resumeBeginInline(id, rq, task, receiver)) return;
  callBeginLocked(ep, frame, task, receiver);
  messageMoveInline(frame, receiver);
  spinUnlockQuiet(endpointLock(ep));
  resumeToInline(cpu, id, rq, task, receiver);
}

function replyLocked(ep: Endpoint, frame: TrapFrame, task: Task): void {
  if (task.ipcCall == 0 || !waitTargetIsKnown(task, <u32>frame.rdi)) return; // G2
  if (task.lent != 0 || !listEmpty(callQueue(ep)) || bitsAreSet(ep) || ep.isDead) return;
  const caller = taskOf(ipcCallAt(task.ipcCall).caller);
  const cpu = thisCpu();
  const id = cpu.id;
  const rq = runQueueAt(id);
  if (!resumeBeginInline(id, rq, task, caller)) return;
  waitBeginLocked(ep, frame, task, caller);
  messageMoveInline(frame, caller);
  spinUnlockQuiet(endpointLock(ep));
  resumeToInline(cpu, id, rq, task, caller);
}

/**
 * The rest of a call that ipcFast began and no resumeTo ended. False when the call must begin anew, with the same registers: what it
 * was to answer is answered, but its handle must be looked up again.
 */
export function ipcResumed(frame: TrapFrame): bool {
  const task = currentTask();
  task.resumeCpu = 0;
  if (frame.vector == IPC_CALL) {
    frame.rax = callFinish(endpointAt(task.ipcCallTarget), callAt(frame), 0, Patience.SIGNALS);
    task.scratchUsed = 0;
    return true;
  }
  const result = endpointReceiveOn(endpointAt(task.ipcEndpoint), 0);
  if (result == <i32>Received.AGAIN) return false;
  frame.rax = receiveAnswer(task, result);
  return true;
}

/** Label and words, from the registers of the running program to those of the one that is resumed. */
function messageMoveInline(frame: TrapFrame, next: Task): void {
  trapFrameOf(next.frame).rax = <i64><i32>frame.rsi;
  wordsMove(next.frame, changetype<usize>(frame));
}

function callAt(frame: TrapFrame): IpcCall { return ipcCallAt(changetype<usize>(frame) + TRAP_FRAME_BYTES); } // S1

/** From now on `receiver` owes the running thread a reply. */
function callBeginLocked(ep: Endpoint, frame: TrapFrame, task: Task, receiver: Task): void {
  const call = callAt(frame);
  task.scratchUsed = <u32>offsetof<IpcCall>();
  call.state = CallState.TAKEN;
  call.caller = <u32>changetype<usize>(task);
  call.server = <u32>changetype<usize>(receiver);
  call.registers = <u32>changetype<usize>(frame);
  call.parcel = 0;
  call.roomBytes = 0;
  call.roomCaps = 0;
  receiverTakeLocked(receiver);
  ep.server = <u32>changetype<usize>(receiver);
  receiver.ipcCall = <u32>changetype<usize>(call);
  trapFrameOf(receiver.frame).rdi = task.ipcCallBadge;
}

/** The call of `caller` is over, and the running thread is a receiver that takes words only. */
function waitBeginLocked(ep: Endpoint, frame: TrapFrame, task: Task, caller: Task): void {
  caller.scratchUsed = 0; // S1
  task.ipcCall = 0;
  task.ipcRegisters = <u32>changetype<usize>(frame);
  task.ipcRoomBytes = 0;
  task.ipcRoomCaps = 0;
  receiverPutLocked(ep, task);
}
