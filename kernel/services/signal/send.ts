/** Sending signals. */
import { Task } from "../../core/sched/task";
import { Process } from "../process/process";

/** Queues `sig` for `process`; `info` is a SigInfo or 0 (sent by the kernel). 0, or -EAGAIN when the queue is full. */
export function signalSendProcess(process: Process, sig: u32, info: usize): i32 { unreachable(); return 0; }
/** Queues `sig` for one thread. */
export function signalSendTask(task: Task, sig: u32, info: usize): i32 { unreachable(); return 0; }
/** A signal from the kernel to every member of process group `pgid`: the number of members. */
export function signalSendGroup(pgid: u32, sig: u32): u32 { unreachable(); return 0; }
/** A fault signal the task cannot block or ignore: it runs the handler or dies. */
export function signalForce(sig: u32, info: usize): void { unreachable(); }
