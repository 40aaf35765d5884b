/**
 * Every system call's first and last TypeScript, and all work on the way back to user mode.
 *
 * The fast path is: number and registers from the frame, one generated table, the result into rax, one test of
 * Task.work. docs/measurements carries its instruction count.
 *
 * Invariants  S1  the kernel is left with no work bit of RETURN_WORK set (unless it came after the last test).
 * Locking     none held on entry and exit.
 */
import { trapFrameOf, TrapFrame } from "../../arch/current";
import { Errno } from "../abi/errno";
import { ipcFast, ipcResumed } from "../core/ipc/fast";
import { currentTask } from "../core/sched/cpu";
import { schedule, switchDone } from "../core/sched/sched";
import { Task, TaskWork, taskWorkClear, taskWorkSet } from "../core/sched/task";
import { confinedMay } from "./native/confine";
import { threadExit } from "./process/exit";
import { signalDeliver } from "./signal/deliver";
import { syscallDispatch } from "./syscall-dispatch.gen";
import { traceEnter, traceLeave } from "./syscall-trace";

const RETURN_WORK: u32 = TaskWork.RESCHED | TaskWork.SIGNAL | TaskWork.EXIT | TaskWork.STOP | TaskWork.SUSPEND;
/** -512 (ERESTARTSYS) .. -516 (ERESTART_RESTARTBLOCK). */
const RESTART_LOWEST: i64 = 516;

/** Why syscallHandle wants syscallFinish, beside the bits of Task.work. */
const enum Finish {
  RESTART = 0x40000000, // the result asks for a restart, even without a signal
  TRACED = 0x80000000,  // the call has not been made: the tracer or the confinement goes first
}

/** Called by entry.S: 0 allows SYSRET at once, anything else goes to syscallFinish. */
export function syscallHandle(framePtr: usize): u32 {
  const frame = trapFrameOf(framePtr);
  const work = atomic.load<u32>(changetype<usize>(currentTask()));
  if (work & (TaskWork.TRACE | TaskWork.CONFINED) && (work & TaskWork.TRACE || !confinedMay(frame))) return Finish.TRACED;
  const result = syscallDispatch(frame.vector, frame);
  frame.rax = result;
  if (isRestart(result)) return Finish.RESTART;
  return atomic.load<u32>(changetype<usize>(currentTask()));
}

/** Called by entry.S before syscallHandle for ipc_call and ipc_reply_wait; returns when nothing was done. */
export function syscallIpc(framePtr: usize): void {
  ipcFast(trapFrameOf(framePtr));
}

/** Called by entry.S with syscallHandle's answer: 1 leaves by IRET, 0 allows SYSRET. */
export function syscallFinish(framePtr: usize, why: u32): u32 {
  const frame = trapFrameOf(framePtr);
  const task = currentTask();
  if (why == Finish.TRACED) callTraced(task, frame);
  else if (why == Finish.RESTART) taskWorkSet(task, TaskWork.SIGNAL);
  userReturnWork(frame);
  if ((atomic.load<u32>(changetype<usize>(task)) & TaskWork.FRAME) == 0) return 0;
  taskWorkClear(task, TaskWork.FRAME);
  return 1;
}

/** Called by entry.S for a task that left its system call by resumeTo and was woken by somebody else; everything is done on return. */
export function syscallResumeEnd(framePtr: usize): void {
  switchDone();
  const frame = trapFrameOf(framePtr);
  if (!ipcResumed(frame)) frame.rax = syscallDispatch(frame.vector, frame);
  syscallFinish(framePtr, 0);
}

/** The call between two lines of the tracer, or one that a confined process may not make. */
function callTraced(task: Task, frame: TrapFrame): void {
  if (atomic.load<u32>(changetype<usize>(task)) & TaskWork.TRACE) traceEnter(task, frame);
  const nr = frame.vector;
  const isConfined = (atomic.load<u32>(changetype<usize>(task)) & TaskWork.CONFINED) != 0;
  const result = isConfined && !confinedMay(frame) ? -Errno.PERM : syscallDispatch(nr, frame);
  frame.rax = result;
  if (isRestart(result)) taskWorkSet(task, TaskWork.SIGNAL);
  if (atomic.load<u32>(changetype<usize>(task)) & TaskWork.TRACE) traceLeave(task, nr, result);
}

function isRestart(result: i64): bool {
  return <u64>(result + RESTART_LOWEST) <= 4;
}

/** Something of RETURN_WORK waits for the running task: the cheap test of the trap path. */
export function userReturnWanted(): u32 {
  return atomic.load<u32>(changetype<usize>(currentTask())) & RETURN_WORK;
}

/** Gives way, ends, stops, delivers signals, until nothing is left (S1). */
export function userReturnWork(frame: TrapFrame): void {
  while (true) {
    const task = currentTask();
    const work = atomic.load<u32>(changetype<usize>(task)) & RETURN_WORK;
    if (work == 0) return;
    if (work & TaskWork.EXIT) threadExit(0);
    if (work & TaskWork.RESCHED) schedule();
    if (work & (TaskWork.SIGNAL | TaskWork.STOP | TaskWork.SUSPEND)) signalDeliver(frame);
  }
}
