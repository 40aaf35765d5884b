/**
 * The signal mask that lasts for one call: ppoll, pselect6, epoll_pwait.
 *
 * Spec  the rationale of pselect(2): mask and sleep change together.
 */
import { userCopyIn } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { userRangeOk } from "../../core/mm/layout";
import { currentTask } from "../../core/sched/cpu";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { TaskFlag } from "../../core/sched/task";
import { signalRecalc } from "./send";

/** SIGKILL and SIGSTOP cannot be blocked. */
const UNBLOCKABLE: u64 = (1 << 8) | (1 << 18);

/** Sets the mask at `maskVa` (0: keep the present one). 0, -EINVAL for a wrong `size`, -EFAULT. */
export function temporaryMaskSet(maskVa: u64, size: u64): i32 {
  if (maskVa == 0) return 0;
  if (size != 8) return -Errno.INVAL;
  if (!userRangeOk(maskVa, 8)) return -Errno.FAULT;
  const word = scratchPush(8);
  const failed = userCopyIn(word, maskVa, 8);
  const mask = load<u64>(word) & ~UNBLOCKABLE;
  scratchPop(8);
  if (failed != 0) return failed;
  const task = currentTask();
  task.sigSavedMask = task.sigMask;
  task.sigMask = mask;
  task.flags |= TaskFlag.RESTORE_SIGMASK;
  signalRecalc(task);
  return 0;
}

/** Ends the call with `result`: the old mask comes back, unless a signal ended it and delivery does so. Returns `result`. */
export function temporaryMaskEnd(result: i64): i64 {
  const task = currentTask();
  if ((task.flags & TaskFlag.RESTORE_SIGMASK) == 0 || result == -Errno.RESTARTNOHAND) return result;
  task.flags &= ~TaskFlag.RESTORE_SIGMASK;
  task.sigMask = task.sigSavedMask;
  signalRecalc(task);
  return result;
}
