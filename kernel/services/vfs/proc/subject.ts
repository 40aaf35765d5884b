/**
 * Getting hold of what a /proc file is about: a process, a thread, its memory, its files, each with a reference.
 *
 * Locking  Process.mm, files, fs and exeFile are cleared under processLock when a process ends, so a reference taken
 *          under it is good.
 */
import { AddressSpace, mmGet, mmOf } from "../../../core/mm/address-space";
import { taskByTid, taskRefTry } from "../../../core/sched/tid";
import { taskPut } from "../../../core/sched/task-table";
import { Task, taskOf } from "../../../core/sched/task";

import { listSame, ownerOf } from "../../../lib/list";
import { spinLock, spinUnlock } from "../../../lib/spinlock";
import { Process } from "../../process/process";
import { processLock, threadHeadOf } from "../../process/process-table";
import { FdTable, fdTableGet, fdTableOf } from "../fd-table";
import { fileGet } from "../file";
import { FsContext, fsContextGet, fsContextOf } from "../fs-context";
import { File, fileOf } from "../types";

/** The memory of a process with a reference (mmPut), or null: a kernel thread or a zombie. */
export function procMm(process: Process): AddressSpace | null {
  spinLock(processLock);
  const mm = process.mm != 0 ? mmGet(mmOf(process.mm)) : null;
  spinUnlock(processLock);
  return mm;
}

/** Its descriptor table with a reference (fdTablePut), or null. */
export function procFiles(process: Process): FdTable | null {
  spinLock(processLock);
  const files = process.files != 0 ? fdTableGet(fdTableOf(process.files)) : null;
  spinUnlock(processLock);
  return files;
}

/** Its directories with a reference (fsContextPut), or null. */
export function procFs(process: Process): FsContext | null {
  spinLock(processLock);
  const fs = process.fs != 0 ? fsContextGet(fsContextOf(process.fs)) : null;
  spinUnlock(processLock);
  return fs;
}

/** Its executable with a reference (filePut), or null. */
export function procExe(process: Process): File | null {
  spinLock(processLock);
  const file = process.exeFile != 0 ? fileGet(fileOf(process.exeFile)) : null;
  spinUnlock(processLock);
  return file;
}

/** Thread `tid` of the process (0: its leader, or any thread left) with a reference (taskPut), or null. */
export function procTask(process: Process, tid: u32): Task | null {
  if (tid != 0) return threadOfProcess(process, tid);
  let found: Task | null = null;
  spinLock(processLock);
  const head = threadHeadOf(process);
  if (process.leader != 0) found = taskOf(process.leader);
  else if (!listSame(head.next, head)) found = ownerOf<Task>(head.next, offsetof<Task>("groupNode"));
  if (found && !taskRefTry(found)) found = null;
  spinUnlock(processLock);
  return found;
}

function threadOfProcess(process: Process, tid: u32): Task | null {
  const task = taskByTid(tid);
  if (!task) return null;
  if (task.process == <u32>changetype<usize>(process)) return task;
  taskPut(task);
  return null;
}

/** The least thread number >= `from` of a process, or 0. */
export function procNextTid(process: Process, from: u32): u32 {
  let best: u32 = 0;
  spinLock(processLock);
  const head = threadHeadOf(process);
  for (let node = head.next; !listSame(node, head); node = node.next) {
    const tid = ownerOf<Task>(node, offsetof<Task>("groupNode")).tid;
    if (tid >= from && (best == 0 || tid < best)) best = tid;
  }
  spinUnlock(processLock);
  return best;
}
