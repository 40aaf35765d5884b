/**
 * The LOG service: lines of servers in the kernel's log (kernel/abi/protocol/log.ts).
 *
 * A port gets LINES_MOST lines a second into the log; what is beyond is counted, and the count logged with the first line of a later
 * second: a server cannot drown the others.
 */
import { monoNowNs, userCopyIn } from "../../../arch/current";
import { ServiceId } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { LogOp } from "../../abi/log.gen";
import { ServiceOps, ServicePort, serviceRegister } from "../../core/cap/service-port";
import { currentTask } from "../../core/sched/cpu";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { Task } from "../../core/sched/task";
import { LogLevel, logBegin, logBytes, logCString, logDec, logEnd, logStr } from "../../lib/log";
import { byteAt, bytePut } from "../../lib/bytes";
import { userRangeOk } from "../../core/mm/layout";

const LINE_MAX: u32 = 240;
const LINES_MOST: u32 = 50;
const SECOND_NS: u64 = 1_000_000_000;
const COMM_BYTES: u32 = 16;
const LOG_OPS = changetype<ServiceOps>(memory.data(offsetof<ServiceOps>()));

export function logServiceInit(): void {
  LOG_OPS.call = logServiceCall;
  LOG_OPS.gone = logServiceGone;
  serviceRegister(ServiceId.LOG, LOG_OPS);
}

function logServiceGone(port: ServicePort): void {}

/** LOG_OPS.call: bytes of the line that were taken, -EINVAL, -EFAULT. */
export function logServiceCall(port: ServicePort, op: u32, a0: u64, a1: u64, a2: u64, a3: u64): i64 {
  if (op != <u32>LogOp.LINE) return -Errno.INVAL;
  const length = <u32>min<u64>(a1, LINE_MAX);
  if (!userRangeOk(a0, length)) return -Errno.FAULT;
  const line = scratchPush(LINE_MAX);
  const failed = userCopyIn(line, a0, length);
  if (failed == 0 && lineAllowed(port)) {
    textClean(line, length);
    lineBegin();
    logBytes(line, length);
    logEnd();
  }
  scratchPop(LINE_MAX);
  return failed != 0 ? -Errno.FAULT : length;
}

function lineBegin(): void {
  logBegin(LogLevel.INFO, "server");
  logCString(changetype<usize>(currentTask()) + offsetof<Task>("comm0"), COMM_BYTES);
  logStr(": ");
}

/** ServicePort.data: the second of the port's latest line; data1: its lines in that second. */
function lineAllowed(port: ServicePort): bool {
  const second = <u32>(monoNowNs() / SECOND_NS);
  if (port.data != second) {
    if (port.data1 > LINES_MOST) leftOutLog(port.data1 - LINES_MOST);
    port.data = second;
    port.data1 = 0;
  }
  return ++port.data1 <= LINES_MOST;
}

function leftOutLog(lines: u32): void {
  lineBegin();
  logDec(lines);
  logStr(" lines left out");
  logEnd();
}

/** A server cannot forge lines or send escape sequences to a terminal. */
function textClean(line: usize, length: u32): void {
  for (let i: u32 = 0; i < length; i++) {
    const byte = byteAt(line, i);
    if (byte < 0x20 || byte == 0x7f) bytePut(line, i, 0x3f);
  }
}
