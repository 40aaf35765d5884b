/**
 * A kernel with memory management, one task and the VFS up, for the VFS's unit tests.
 *
 * The "user" buffers of system calls are kernel linear memory (kernelBuf), so no address space is needed.
 */
import { type Kernel, loadKernel, putString } from "../../../support/kernel.ts";
import { structLayout } from "../../../support/struct-layout.ts";

const MIB = 1024 * 1024;
const FRAME_TABLE = 0x01000000;
const HEAP_BASE = 0x01400000;
const LINEAR_BYTES = 192 * MIB;
const RAM_START = MIB;
/** Fake task, process, credentials and a few buffers, between static data and the frame table. */
const ARENA = 0x00c00000;
const TASK = ARENA;
const STACK = ARENA + 0x1000;
const PROCESS = ARENA + 0x4000;
const CRED = ARENA + 0x5000;
const RLIMITS = ARENA + 0x5800;
export const BUFFER = ARENA + 0x10000;
export const BUFFER_BYTES = 0x100000;
const LINEAR_BASE = 0xffffffff80000000n;

const TASK_AT = structLayout("kernel/core/sched/task.ts", "Task");
const PROCESS_AT = structLayout("kernel/services/process/process.ts", "Process");
const CRED_AT = structLayout("kernel/services/process/process.ts", "Cred");
const RLIMIT_NOFILE = 7;
const UNLIMITED = 0xffffffffffffffffn;

export interface Vfs extends Kernel {
  call(name: string, ...args: (number | bigint)[]): number;
  /** Puts a string into the n-th 8 KiB string slot; its linear address. */
  text(value: string, slot?: number): number;
  /** Free pages of RAM, all caches emptied. */
  freePages(): bigint;
  view(): DataView;
  setCred(cred: { uid: number; gid?: number; caps?: bigint }): void;
}

export async function bootVfs(ramMib = 64): Promise<Vfs> {
  const kernel = await loadKernel({ ramBytes: ramMib * MIB, linearBytes: LINEAR_BYTES });
  const { exports, machine } = kernel;
  machine.thisCpu = kernel.constant("CPUS");
  machine.currentTask = TASK;
  const view = new DataView(kernel.memory.buffer);
  const end = BigInt(ramMib * MIB);
  exports.earlyReset();
  exports.earlyRangeAdd(BigInt(RAM_START), end - BigInt(RAM_START));
  exports.kernelMapInit(exports.earlyPageAlloc(), 1);
  exports.frameLimitSet(Number(end >> 12n));
  exports.buddyInit(1);
  for (let i = 0; i < exports.earlyRangeCount(); i++) {
    const start = exports.earlyRangeStart(i) as bigint;
    exports.buddyAddRange(start, (exports.earlyRangeEnd(i) as bigint) - start, 0);
  }
  exports.kernelMapReady();
  exports.heapInit(HEAP_BASE, LINEAR_BYTES);
  exports.kmallocInit();
  exports.mmHooksInit();
  view.setBigUint64(TASK + TASK_AT.stackTop!, LINEAR_BASE + BigInt(STACK), true);
  exports.vfsInit();
  if (FRAME_TABLE + Number(end >> 12n) * 16 > HEAP_BASE) throw new Error("the frame table runs into the heap");

  const vfs: Vfs = {
    ...kernel,
    call: (name, ...args) => Number(exports[name]!(...args)),
    text: (value, slot = 0) => {
      const ptr = BUFFER + slot * 8192;
      putString(kernel, ptr, value);
      view.setBigUint64(ptr + new TextEncoder().encode(value).length, 0n, true);
      return ptr;
    },
    freePages: () => {
      exports.dcacheShrink(0x7fffffff);
      exports.slabTrim();
      return (exports.freePageCount() as bigint) + BigInt(exports.heapFreePages());
    },
    view: () => new DataView(kernel.memory.buffer),
    setCred: ({ uid, gid = uid, caps = uid ? 0n : 0x1ffffffffffn }) => {
      const v = new DataView(kernel.memory.buffer);
      for (const field of ["uid", "euid", "suid", "fsuid"]) v.setUint32(CRED + CRED_AT[field]!, uid, true);
      for (const field of ["gid", "egid", "sgid", "fsgid"]) v.setUint32(CRED + CRED_AT[field]!, gid, true);
      v.setBigUint64(CRED + CRED_AT.capEffective!, caps, true);
    },
  };
  vfs.setCred({ uid: 0 });
  return vfs;
}

/** Gives the task a process with credentials, limits, a descriptor table and a context. */
export function startProcess(vfs: Vfs): void {
  const view = vfs.view();
  const table = vfs.call("fdTableNew");
  const fs = vfs.call("fsContextNew");
  for (let i = 0; i < 16; i++) {
    view.setBigUint64(RLIMITS + i * 16, i === RLIMIT_NOFILE ? 4096n : UNLIMITED, true);
    view.setBigUint64(RLIMITS + i * 16 + 8, UNLIMITED, true);
  }
  view.setUint32(PROCESS + PROCESS_AT.files!, table, true);
  view.setUint32(PROCESS + PROCESS_AT.fs!, fs, true);
  view.setUint32(PROCESS + PROCESS_AT.creds!, CRED, true);
  view.setUint32(PROCESS + PROCESS_AT.rlimits!, RLIMITS, true);
  view.setUint32(TASK + TASK_AT.process!, PROCESS, true);
}

/** Ends what startProcess began, for leak checks. */
export function endProcess(vfs: Vfs): void {
  const view = vfs.view();
  vfs.call("fdTablePut", view.getUint32(PROCESS + PROCESS_AT.files!, true));
  vfs.call("fsContextPut", view.getUint32(PROCESS + PROCESS_AT.fs!, true));
  view.setUint32(TASK + TASK_AT.process!, 0, true);
}
