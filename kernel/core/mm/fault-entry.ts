/** The page-fault exception: from the trap to the address space of the running task. */
import { TRAP_HOOKS } from "../../../arch/x86_64/trap";
import { TrapFrame, frameIsUser } from "../../../arch/x86_64/trap-frame";
import { currentTask } from "../sched/cpu";
import { TaskWork } from "../sched/task";
import { FaultResult, mmFault } from "./fault";
import { mmOf } from "./mm-struct";

/** A fault at user address `va`, in ring 3 or in a user copy; what TRAP_HOOKS.pageFault answers (a FaultResult). */
export function pageFaultHandle(frame: TrapFrame, va: u64, error: u32): i32 {
  const task = currentTask();
  if (!changetype<usize>(task) || !task.mm) return FaultResult.SEGV_MAPERR;
  task.minorFaults++;
  const result = mmFault(mmOf(task.mm), va, error, frame.rsp);
  if (result != FaultResult.KILLED || !frameIsUser(frame)) return result;
  // A signal is waiting: let it be handled on the way back, then the access faults again.
  return task.work & (TaskWork.SIGNAL | TaskWork.EXIT) ? FaultResult.RESOLVED : result;
}

/** Installs the handler; trapInit has run. */
export function faultEntryInit(): void {
  TRAP_HOOKS.pageFault = pageFaultHandle;
}
