/**
 * A suspension does not outlive its capability (H2 of thread-object.ts): the capability is revoked after each step that the call takes
 * under a lock.
 */
import { hookOf } from "../../../support/kernel.ts";
import { structLayout } from "../../../support/struct-layout.ts";
import { bootVfs, BUFFER, PROCESS, type Vfs } from "../vfs/vfs-machine.ts";

const TASK = structLayout("kernel/core/sched/task.ts", "Task");
const PROCESS_AT = structLayout("kernel/services/process/process.ts", "Process");
const THREAD = structLayout("kernel/services/native/thread-object.ts", "ThreadObject");
const KIND_THREAD = 12;
const RIGHTS_ALL = 0x1ff;
const SUSPEND = 256;
const ESTALE = -116;
const START_NS = 77n;
/** Steps of a suspension under locks, and some more: the last rounds revoke nothing meanwhile. */
const STEPS = 24;

interface Control {
  readonly kernel: Vfs;
  readonly root: number;
  readonly handle: number;
  readonly task: number;
  isSuspended(): boolean;
}

/** A thread of the running process, and a derived capability on it. */
async function control(): Promise<Control> {
  const kernel = await bootVfs();
  const { exports: k } = kernel;
  k.capInit();
  k.tidInit();
  k.threadObjectsInit();
  const task = k.kzalloc(TASK.sizeof!) as number;
  const tid = k.tidAlloc() as number;
  const view = kernel.view();
  view.setUint32((k.currentTask() as number) + TASK.process!, PROCESS, true);
  view.setUint32(task + TASK.tid!, tid, true);
  view.setUint32(task + TASK.process!, PROCESS, true);
  view.setBigUint64(task + TASK.startNs!, START_NS, true);
  view.setUint32(task + TASK.refs!, 1, true);
  k.tidAttach(task);
  const space = k.capSpaceCreate() as number;
  view.setUint32(PROCESS + PROCESS_AT.caps!, space, true);
  const object = k.kzalloc(THREAD.sizeof!) as number;
  k.objectInit(object, KIND_THREAD);
  view.setUint32(object + THREAD.process!, PROCESS, true);
  view.setUint32(object + THREAD.tid!, tid, true);
  view.setBigUint64(object + THREAD.startNs!, START_NS, true);
  const parent = k.kzalloc(64) as number; // any object above: its holder revokes
  k.objectInit(parent, 9);
  const root = k.capInsert(space, parent, RIGHTS_ALL, 0n) as number;
  const handle = k.capInsertUnder(space, root, object, RIGHTS_ALL) as number;
  k.objectPut(object);
  view.setUint32(PROCESS + PROCESS_AT.refs!, 1000, true);
  view.setUint32(PROCESS + PROCESS_AT.dumpable!, 1, true);
  return { kernel, root, handle, task, isSuspended: () => (kernel.view().getUint32(task, true) & SUSPEND) !== 0 };
}

test("a thread is suspended, and goes on when it is resumed or its capability goes", async () => {
  const { kernel: { exports: k }, root, handle, isSuspended } = await control();
  expect([k.nativeThreadSuspend(handle), isSuspended()]).toEqual([0n, true]);
  expect([k.nativeThreadResume(handle), isSuspended()]).toEqual([0n, false]);
  expect([k.nativeThreadSuspend(handle), isSuspended()]).toEqual([0n, true]);
  expect([k.nativeCapRevoke(root), isSuspended()]).toEqual([1n, false]);
  expect([k.nativeThreadSuspend(handle), isSuspended()]).toEqual([BigInt(ESTALE), false]);
});

test("revoked after any step of a suspension, the capability leaves nobody suspended", async () => {
  const outcomes = new Set<string>();
  for (let step = 0; step < STEPS; step++) {
    const { kernel, root, handle, isSuspended } = await control();
    const { exports: k } = kernel;
    let left = step;
    const idle = hookOf(kernel, BUFFER, 0, () => {});
    const acquired = hookOf(kernel, BUFFER + 4, 1, () => {});
    const released = hookOf(kernel, BUFFER + 8, 1, (lock = 0) => {
      if (left-- !== 0) return;
      kernel.view().setUint32(lock, 0, true); // the hook comes before the lock is free
      k.nativeCapRevoke(root);
      kernel.view().setUint32(lock, 1, true);
    });
    k.spinHooksSet(idle, acquired, released, 1);
    const result = Number(k.nativeThreadSuspend(handle));
    if (left >= 0) k.nativeCapRevoke(root); // the call was over before
    expect([step, isSuspended()]).toEqual([step, false]);
    outcomes.add(`${result} ${left >= 0 ? "after" : "during"}`);
  }
  expect([...outcomes].sort()).toEqual([`${ESTALE} during`, "0 after", "0 during"].sort());
});
