/**
 * The DEBUG service: faults injected on purpose into servers, each logged with its seed. Operations: kernel/abi/debug.ts.
 *
 * Its port is opened with ROOT, as everything that can hurt; only confined processes can be hurt with it.
 */
import { DebugOp } from "../../abi/debug.gen";
import { ServiceId } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { ServiceOps, ServicePort, serviceRegister } from "../../core/cap/service-port";
import { LogLevel, logBegin, logEnd, logKeyDec, logKeyHex, logStr } from "../../lib/log";
import { serverLogBegin } from "../native/distrust";
import { Confinement, Process } from "../process/process";
import { processByPid, processPut } from "../process/process-table";
import { dmaFault, irqFault, irqFaultsInit, replyFault, ringFault } from "./channel-faults";
import { bitsFlip, processHang, processSignal } from "./process-faults";

const DEBUG_OPS = changetype<ServiceOps>(memory.data(offsetof<ServiceOps>()));

export function debugServiceInit(): void {
  irqFaultsInit();
  DEBUG_OPS.call = debugCall;
  DEBUG_OPS.gone = debugGone;
  serviceRegister(ServiceId.DEBUG, DEBUG_OPS);
}

function debugGone(port: ServicePort): void {}

function debugCall(port: ServicePort, op: u32, pid: u64, a1: u64, a2: u64, a3: u64): i64 {
  const process = pid < u32.MAX_VALUE ? processByPid(<u32>pid) : null;
  if (!process) return -Errno.SRCH;
  const isServer = process.confinement == <u32>Confinement.ACTIVE;
  if (isServer) faultLog(process, op, a1, a2, a3);
  const result = isServer ? faultInject(process, op, a1, a2, a3) : -Errno.PERM;
  if (isServer && result < 0) refusedLog(result);
  processPut(process);
  return result;
}

function refusedLog(result: i32): void {
  logBegin(LogLevel.INFO, "debug");
  logStr("fault refused");
  logKeyDec("errno", <u64>-result);
  logEnd();
}

function faultInject(process: Process, op: u32, a1: u64, a2: u64, a3: u64): i32 {
  switch (op) {
    case DebugOp.KILL: return processSignal(process, a1);
    case DebugOp.HANG: return processHang(process, <u32>a1);
    case DebugOp.FLIP: return bitsFlip(process, <u32>a1, a2, a3);
    case DebugOp.IRQ: return irqFault(process, <u32>a1, a2);
    case DebugOp.RING: return ringFault(process, <u32>a1, a2);
    case DebugOp.REPLY: return replyFault(process, <u32>a1, a2);
    case DebugOp.DMA: return dmaFault(process, a2);
    default: return -Errno.INVAL;
  }
}

/** Before it happens: the log shows the fault first, then what comes of it. */
function faultLog(process: Process, op: u32, a1: u64, a2: u64, a3: u64): void {
  serverLogBegin(LogLevel.INFO, "debug", "fault for ", process);
  logStr(faultName(op));
  logKeyDec("kind", a1);
  logKeyHex("seed", a2);
  logKeyDec("count", a3);
  logEnd();
}

function faultName(op: u32): string {
  switch (op) {
    case DebugOp.KILL: return "kill";
    case DebugOp.HANG: return "hang";
    case DebugOp.FLIP: return "flip";
    case DebugOp.IRQ: return "irq";
    case DebugOp.RING: return "ring";
    case DebugOp.REPLY: return "reply";
    case DebugOp.DMA: return "dma";
    default: return "unknown";
  }
}
