/** Address spaces as their users see them: life, cloning, switching, statistics. */
import { Task } from "../sched/task";
import { currentTask } from "../sched/cpu";
import { AddressSpace, Vma, mmPtr, vmaOf } from "./mm-struct";
import { mmSwitch } from "./tlb";

export { AddressSpace, MmFlag, Vma, VmFlag, mmOf, vmaOf } from "./mm-struct";
export { mmSwitch } from "./tlb";
export { mmCreate, mmGet, mmPut } from "./mm-life";
export { mmClone } from "./clone";
export { mmLock, mmUnlock } from "./mm-lock";

/** `task` runs in `mm` from now on; it is the running task, or one that does not run yet. The caller keeps the references. */
export function mmActivateForTask(task: Task, mm: AddressSpace): void {
  task.mm = mmPtr(mm);
  if (changetype<usize>(task) == changetype<usize>(currentTask())) mmSwitch(mm);
}

/** Area number `i` by address, or null. The caller holds mmLock. */
export function mmEachVma(mm: AddressSpace, i: u32): Vma | null {
  let at = mm.first;
  for (let n: u32 = 0; n < i && at; n++) at = vmaOf(at).next;
  return at ? vmaOf(at) : null;
}

/** Resident pages. */
export function mmRssPages(mm: AddressSpace): u64 {
  return mm.rssAnon + mm.rssFile;
}

/** Most pages that were ever resident. */
export function mmPeakPages(mm: AddressSpace): u64 {
  return max<u64>(mm.peakRss, mmRssPages(mm));
}

/** Mapped pages. */
export function mmTotalPages(mm: AddressSpace): u64 {
  return mm.totalPages;
}
