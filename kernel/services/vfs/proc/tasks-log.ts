/** Lists every task in the kernel log (sysrq t). */
import { taskRunNs } from "../../../core/sched/sched";
import { taskPut } from "../../../core/sched/task-table";
import { Task } from "../../../core/sched/task";
import { taskNextFrom } from "../../../core/sched/tid";
import { LogLevel, logBegin, logBytes, logEnd, logKeyDec, logStr } from "../../../lib/log";
import { bytesLength } from "../../../lib/bytes";

const COMM_BYTES: u32 = 16;

/** Address of a task's name, NUL padded. */
export function taskComm(task: Task): usize {
  return changetype<usize>(task) + offsetof<Task>("comm0");
}

export function tasksLog(): void {
  let task = taskNextFrom(1);
  while (task) {
    taskLine(task);
    const next = task.tid + 1;
    taskPut(task);
    task = taskNextFrom(next);
  }
}

function taskLine(task: Task): void {
  logBegin(LogLevel.INFO, "tasks");
  logBytes(taskComm(task), bytesLength(taskComm(task), COMM_BYTES));
  logKeyDec("tid", task.tid);
  logKeyDec("state", task.state);
  logKeyDec("cpu", task.cpu);
  logKeyDec("runMs", taskRunNs(task) / 1_000_000);
  logStr(task.process == 0 ? " kernel" : "");
  logEnd();
}
