/**
 * Exceptions of user programs become signals.
 *
 * Spec  SDM vol. 3A, ch. 6; vol. 1, 8.5 and 11.5 (floating-point exceptions); Linux arch/x86/kernel/traps.c for si_code.
 */
import { Exception, Rflag, TrapFrame } from "../../../arch/current";
import {
  BUS_ADRALN, BUS_ADRERR, FPE_FLTDIV, FPE_FLTINV, FPE_FLTOVF, FPE_FLTRES, FPE_FLTUND, FPE_INTDIV, ILL_ILLOPN,
  SI_KERNEL, SigInfo, Signal, TRAP_TRACE,
} from "../../abi/signal";
import { FaultResult } from "../../core/mm/fault";
import { currentTask } from "../../core/sched/cpu";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { fpuFlush } from "../../core/sched/switch";
import { Task } from "../../core/sched/task";
import { crashNote } from "../process/crash";
import { signalForce } from "./send";

const FSW_OFFSET: u32 = 2;    // of the FXSAVE image
const FCW_OFFSET: u32 = 0;
const MXCSR_OFFSET: u32 = 24;

/** An exception of ring 3: queues its signal for the running task. `code` is mmFault's answer for page faults. */
export function userException(frame: TrapFrame, vector: u32, code: i32, va: u64): void {
  const task = currentTask();
  task.faultVector = vector;
  task.faultError = frame.error;
  if (code != FaultResult.KILLED) crashNote(frame, vector, va);
  if (vector == Exception.PF) {
    task.faultVa = va;
    pageFaultRaise(code, va);
    return;
  }
  switch (vector) {
    case Exception.DE: raise(Signal.FPE, FPE_INTDIV, frame.rip); break;
    case Exception.DB:
      frame.rflags &= ~<u64>Rflag.TF;
      raise(Signal.TRAP, TRAP_TRACE, frame.rip);
      break;
    case Exception.BP: raise(Signal.TRAP, SI_KERNEL, 0); break;
    case Exception.UD: raise(Signal.ILL, ILL_ILLOPN, frame.rip); break;
    case Exception.NP:
    case Exception.SS: raise(Signal.BUS, SI_KERNEL, 0); break;
    case Exception.MF: raise(Signal.FPE, x87Code(task), frame.rip); break;
    case Exception.XM: raise(Signal.FPE, simdCode(task), frame.rip); break;
    case Exception.AC: raise(Signal.BUS, BUS_ADRALN, 0); break;
    default: raise(Signal.SEGV, SI_KERNEL, 0); // #GP, #OF, #BR, #TS
  }
}

function pageFaultRaise(code: i32, va: u64): void {
  if (code == FaultResult.KILLED) return; // SIGKILL is pending already
  if (code == FaultResult.BUS_ADRERR) raise(Signal.BUS, BUS_ADRERR, va);
  else raise(Signal.SEGV, code, va);
}

function raise(sig: u32, code: i32, address: u64): void {
  const ptr = scratchPush(offsetof<SigInfo>());
  memory.fill(ptr, 0, offsetof<SigInfo>());
  const info = changetype<SigInfo>(ptr); // SAFETY: scratch of that size
  info.signo = sig;
  info.code = code;
  info.field0 = address;
  signalForce(sig, ptr);
  scratchPop(offsetof<SigInfo>());
}

/** The unmasked exception of an x87 status word. */
function x87Code(task: Task): i32 {
  fpuFlush(task);
  const status = <u32>load<u16>(task.fpuArea, FSW_OFFSET);
  const mask = <u32>load<u16>(task.fpuArea, FCW_OFFSET);
  return floatCode(status & ~mask);
}

function simdCode(task: Task): i32 {
  fpuFlush(task);
  const mxcsr = load<u32>(task.fpuArea, MXCSR_OFFSET);
  return floatCode(mxcsr & ~(mxcsr >> 7));
}

/** Bits IE DE ZE OE UE PE, in this order of importance. */
function floatCode(bits: u32): i32 {
  if (bits & 1) return FPE_FLTINV;
  if (bits & 4) return FPE_FLTDIV;
  if (bits & 8) return FPE_FLTOVF;
  if (bits & 0x12) return FPE_FLTUND;
  return bits & 0x20 ? FPE_FLTRES : FPE_FLTINV;
}
