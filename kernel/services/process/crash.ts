/**
 * What a server died of: the first exception of a confined process, with the frames above it, or where it stood when the kernel ended it
 * (native/distrust.ts). Kept for its supervisor; exceptions are logged.
 *
 * Invariants  K1  Process.crash is set once, by compare and exchange; it is freed with the Process.
 */
import { Exception, TrapFrame, trapFrameOf } from "../../../arch/current";
import { CRASH_FRAMES, CrashInfo, CrashReason } from "../../abi/capability";
import { mmOf } from "../../core/mm/address-space";
import { kfree, kzalloc } from "../../core/mm/slab";
import { currentTask } from "../../core/sched/cpu";
import { Task, TaskFlag, taskOf } from "../../core/sched/task";
import { wordAt64, wordPut64 } from "../../lib/bytes";
import { LogLevel, logBegin, logCString, logEnd, logKeyHex, logStr } from "../../lib/log";
import { wasmTrapName } from "../../lib/panic";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { Confinement, currentProcess, Process } from "./process";
import { processLock } from "./process-table";
import { userFramesTell } from "./user-frames";

const FRAMES_AT: usize = offsetof<CrashInfo>("frame0");
export const CRASH_BYTES: u32 = <u32>FRAMES_AT + (CRASH_FRAMES << 3);
const COMM_BYTES: u32 = 16;
/** native.h: edx at a trap, its kind in eax. */
const TRAP_MAGIC: u64 = 0x7472;

/** Notes the exception of the running process if it is confined: such a one has no handlers, and dies of it. */
export function crashNote(frame: TrapFrame, vector: u32, va: u64): void {
  const process = currentProcess();
  if (process.confinement != <u32>Confinement.ACTIVE || process.crash != 0) return;
  const address = kzalloc(CRASH_BYTES);
  if (address == 0) return;
  const info = changetype<CrashInfo>(address); // SAFETY: fresh memory of that size
  info.vector = vector;
  info.va = va;
  if (vector == Exception.UD && (frame.rdx & u32.MAX_VALUE) == TRAP_MAGIC) info.reason = <u32>frame.rax;
  info.frames = userFramesTell(mmOf(process.mm), frame.rip, frame.rbp, address + FRAMES_AT);
  if (crashKeep(process, address)) crashLog(info);
}

/** Hands the note over to the process; false when it has one (K1). */
function crashKeep(process: Process, address: usize): bool {
  const isFirst = atomic.cmpxchg<u32>(changetype<usize>(process) + offsetof<Process>("crash"), 0, <u32>address) == 0;
  if (!isFirst) kfree(address);
  return isFirst;
}

/** Notes where the leader of a confined process stands that is about to be ended: its latest entry into the kernel, waiting for nobody. */
export function distrustNote(process: Process): void {
  if (process.confinement != <u32>Confinement.ACTIVE || process.crash != 0) return;
  const address = kzalloc(CRASH_BYTES);
  if (address == 0) return;
  const info = changetype<CrashInfo>(address); // SAFETY: fresh memory of that size
  info.reason = CrashReason.DISTRUSTED;
  spinLock(processLock);
  if (process.leader != 0 && process.mm != 0 && !(taskOf(process.leader).flags & TaskFlag.EXITING)) {
    info.frames = 1;
    wordPut64(address + FRAMES_AT, trapFrameOf(taskOf(process.leader).frame).rip - mmOf(process.mm).codeStart);
  }
  spinUnlock(processLock);
  crashKeep(process, address);
}

function crashLog(info: CrashInfo): void {
  logBegin(LogLevel.WARN, "server");
  logCString(changetype<usize>(currentTask()) + offsetof<Task>("comm0"), COMM_BYTES);
  logStr(": crashed: ");
  logStr(info.reason != <u32>CrashReason.EXCEPTION ? wasmTrapName(info.reason) : exceptionName(info.vector));
  logKeyHex("at", wordAt64(changetype<usize>(info) + FRAMES_AT));
  if (info.vector == Exception.PF) logKeyHex("va", info.va);
  logEnd();
}

function exceptionName(vector: u32): string {
  if (vector == Exception.PF) return "access outside its memory";
  if (vector == Exception.DE) return "division by zero";
  if (vector == Exception.UD) return "invalid instruction";
  return "exception";
}
