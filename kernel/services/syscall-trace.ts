/**
 * The tracer: one log line a system call of a traced process, decoded from the contract.
 *
 *   strace=1 or strace=<name> on the kernel command line, or "1" written to /proc/PID/strace.
 *
 * Locking  the log's; user strings are read before the line is begun.
 */
import { TrapFrame, userCopyString } from "../../arch/current";
import { cmdlineFind, cmdlineValueLength } from "../../arch/x86_64/boot-info";
import { scratchPop, scratchPush } from "../core/sched/scratch";
import { Task, TaskWork, taskWorkClear, taskWorkSet } from "../core/sched/task";
import { ListNode, listSame, ownerOf } from "../lib/list";
import { LogLevel, logBegin, logCString, logDec, logEnd, logHex, logInt, logStr } from "../lib/log";
import { spinLock, spinUnlock } from "../lib/spinlock";
import { Process } from "./process/process";
import { processLock, threadHeadOf } from "./process/process-table";
import { syscallArgKinds, syscallName } from "./syscall-names.gen";

const STRING_SHOWN: u32 = 48;

/** execve: the command line may ask for this program by name. */
export function programSelects(process: Process, task: Task): void {
  const value = cmdlineFind("strace");
  if (value == 0) return;
  const length = cmdlineValueLength(value);
  const isAll = length == 0 || (length == 1 && load<u8>(value) == 0x31);
  const comm = changetype<usize>(task) + offsetof<Task>("comm0");
  let isNamed = length < 16 && load<u8>(comm + length) == 0;
  for (let i: u32 = 0; i < length && isNamed; i++) isNamed = load<u8>(comm + i) == load<u8>(value + i);
  if (isAll || isNamed) traceSet(process, true);
}

/** Switches tracing of all threads of a process on or off. */
export function traceSet(process: Process, isOn: bool): void {
  spinLock(processLock);
  process.traceEnabled = isOn ? 1 : 0;
  const head: ListNode = threadHeadOf(process);
  for (let node = head.next; !listSame(node, head); node = node.next) {
    const task = ownerOf<Task>(node, offsetof<Task>("groupNode"));
    if (isOn) taskWorkSet(task, TaskWork.TRACE);
    else taskWorkClear(task, TaskWork.TRACE);
  }
  spinUnlock(processLock);
}

function argumentOf(frame: TrapFrame, index: u32): u64 {
  switch (index) {
    case 0: return frame.rdi;
    case 1: return frame.rsi;
    case 2: return frame.rdx;
    case 3: return frame.r10;
    case 4: return frame.r8;
    default: return frame.r9;
  }
}

/** Logs `name(arguments` before the call: an execve or exit may not come back. */
export function traceEnter(task: Task, frame: TrapFrame): void {
  const nr = <u32>frame.vector;
  const text = scratchPush(STRING_SHOWN * 2);
  const strings = stringsFetch(frame, syscallArgKinds(nr), text);
  logBegin(LogLevel.INFO, "strace");
  logCString(changetype<usize>(task) + offsetof<Task>("comm0"), 16);
  logStr(" ");
  const name = syscallName(nr);
  if (name.length == 0) {
    logStr("syscall_");
    logDec(frame.vector);
  } else logStr(name);
  argumentsLog(frame, syscallArgKinds(nr), text, strings);
  logEnd();
  scratchPop(STRING_SHOWN * 2);
}

/** Reads the first two string arguments; a bit for each that could be read. */
function stringsFetch(frame: TrapFrame, kinds: string, text: usize): u32 {
  let got: u32 = 0;
  let slot: u32 = 0;
  for (let i: u32 = 0; i < <u32>kinds.length && slot < 2; i++) {
    if (kinds.charCodeAt(i) != 0x73) continue;
    const at = text + slot * STRING_SHOWN;
    memory.fill(at, 0, STRING_SHOWN);
    const result = userCopyString(at, argumentOf(frame, i), STRING_SHOWN - 1);
    if (result >= 0 || result == -36) got |= 1 << slot;
    slot++;
  }
  return got;
}

function argumentsLog(frame: TrapFrame, kinds: string, text: usize, strings: u32): void {
  logStr("(");
  let slot: u32 = 0;
  for (let i: u32 = 0; i < <u32>kinds.length; i++) {
    if (i != 0) logStr(", ");
    const value = argumentOf(frame, i);
    const kind = kinds.charCodeAt(i);
    if (kind == 0x64) logInt(<i64><i32>value);
    else if (kind == 0x75) logDec(<u64><u32>value);
    else if (kind == 0x6c) logInt(<i64>value);
    else if (kind == 0x73 && slot < 2 && (strings >> slot++) & 1) {
      logStr("\"");
      logCString(text + (slot - 1) * STRING_SHOWN, STRING_SHOWN);
      logStr("\"");
    } else logHex(value);
  }
  logStr(")");
}

/** Logs the result. */
export function traceLeave(task: Task, nr: u64, result: i64): void {
  logBegin(LogLevel.INFO, "strace");
  logCString(changetype<usize>(task) + offsetof<Task>("comm0"), 16);
  logStr(" ");
  logStr(syscallName(<u32>nr));
  logStr(" = ");
  if (result < 0 && result > -4096) logInt(result);
  else logHex(<u64>result);
  logEnd();
}
