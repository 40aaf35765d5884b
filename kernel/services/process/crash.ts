/**
 * What a server died of: the first exception of a confined process, with the frames above it, kept for its supervisor and logged.
 *
 * The stack is hostile memory: frames are copied in one by one, each must lie above the one before, and a bad one ends the walk.
 *
 * Invariants  K1  Process.crash is set once, by the process itself; it is freed with the Process.
 */
import { Exception, TrapFrame, userCopyIn } from "../../../arch/current";
import { CRASH_FRAMES, CrashInfo, CrashReason } from "../../abi/capability";
import { mmOf } from "../../core/mm/address-space";
import { userRangeOk } from "../../core/mm/layout";
import { kzalloc } from "../../core/mm/slab";
import { currentTask } from "../../core/sched/cpu";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { Task } from "../../core/sched/task";
import { wordAt64, wordPut64 } from "../../lib/bytes";
import { LogLevel, logBegin, logCString, logEnd, logKeyHex, logStr } from "../../lib/log";
import { wasmTrapName } from "../../lib/panic";
import { Confinement, currentProcess } from "./process";

const FRAMES_AT: usize = offsetof<CrashInfo>("frame0");
export const CRASH_BYTES: u32 = <u32>FRAMES_AT + (CRASH_FRAMES << 3);
const COMM_BYTES: u32 = 16;
/** native.h: edx at a trap, its kind in eax. */
const TRAP_MAGIC: u64 = 0x7472;
/** A saved frame pointer and a return address. */
const FRAME_BYTES: u32 = 16;

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
  const codeStart = mmOf(process.mm).codeStart;
  frameNote(info, frame.rip - codeStart);
  framesWalk(info, frame.rbp, codeStart);
  process.crash = <u32>address; // K1
  crashLog(info);
}

function frameNote(info: CrashInfo, offset: u64): void {
  wordPut64(changetype<usize>(info) + FRAMES_AT + (<usize>info.frames << 3), offset);
  info.frames++;
}

function framesWalk(info: CrashInfo, from: u64, codeStart: u64): void {
  const ptr = scratchPush(FRAME_BYTES);
  let frameVa = from;
  while (info.frames < CRASH_FRAMES && userRangeOk(frameVa, FRAME_BYTES) && userCopyIn(ptr, frameVa, FRAME_BYTES) == 0) {
    const above = wordAt64(ptr);
    const returnVa = wordAt64(ptr + 8);
    if (returnVa < codeStart) break;
    frameNote(info, returnVa - codeStart);
    if (above <= frameVa) break;
    frameVa = above;
  }
  scratchPop(FRAME_BYTES);
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
