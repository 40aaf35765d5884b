/** The LOG service: lines of servers in the kernel's log. Operation 1: a0 = address, a1 = bytes (at most 240). */
import { userCopyIn } from "../../../arch/current";
import { ServiceId } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { ServiceOps, ServicePort, serviceRegister } from "../../core/cap/service-port";
import { currentTask } from "../../core/sched/cpu";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { Task } from "../../core/sched/task";
import { LogLevel, logBegin, logBytes, logCString, logEnd, logStr } from "../../lib/log";
import { byteAt, bytePut } from "../../lib/bytes";
import { userRangeOk } from "../../core/mm/layout";

const LINE_MAX: u32 = 240;
const COMM_BYTES: u32 = 16;
const LOG_OPS = changetype<ServiceOps>(memory.data(offsetof<ServiceOps>()));

export function logServiceInit(): void {
  LOG_OPS.call = logServiceCall;
  LOG_OPS.gone = logServiceGone;
  serviceRegister(ServiceId.LOG, LOG_OPS);
}

function logServiceGone(port: ServicePort): void {}

function logServiceCall(port: ServicePort, op: u32, a0: u64, a1: u64, a2: u64, a3: u64): i64 {
  if (op != 1) return -Errno.INVAL;
  const length = <u32>min<u64>(a1, LINE_MAX);
  if (!userRangeOk(a0, length)) return -Errno.FAULT;
  const line = scratchPush(LINE_MAX);
  const failed = userCopyIn(line, a0, length);
  if (failed == 0) {
    textClean(line, length);
    logBegin(LogLevel.INFO, "server");
    logCString(changetype<usize>(currentTask()) + offsetof<Task>("comm0"), COMM_BYTES);
    logStr(": ");
    logBytes(line, length);
    logEnd();
  }
  scratchPop(LINE_MAX);
  return failed != 0 ? -Errno.FAULT : length;
}

/** A server cannot forge lines or send escape sequences to a terminal. */
function textClean(line: usize, length: u32): void {
  for (let i: u32 = 0; i < length; i++) {
    const byte = byteAt(line, i);
    if (byte < 0x20 || byte == 0x7f) bytePut(line, i, 0x3f);
  }
}
