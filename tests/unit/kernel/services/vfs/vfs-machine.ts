/**
 * A kernel with memory management, one task and the VFS up, for the VFS's unit tests.
 *
 * The "user" buffers of system calls are kernel linear memory (kernelBuf), so no address space is needed.
 */
import { bootMemory } from "../../../support/boot-memory.ts";
import { type Kernel, loadKernel, MIB, putString } from "../../../support/kernel.ts";
import type { Intrinsics } from "../../../support/machine.ts";
import { structLayout } from "../../../support/struct-layout.ts";

const HEAP_BASE = 0x01400000;
const LINEAR_BYTES = 192 * MIB;
/** Fake task, process, credentials and a few buffers, between static data and the frame table. */
const ARENA = 0x00c00000;
const TASK = ARENA;
const STACK = ARENA + 0x1000;
export const PROCESS: number = ARENA + 0x4000;
const CRED = ARENA + 0x5000;
const RLIMITS = ARENA + 0x5800;
export const BUFFER: number = ARENA + 0x10000;
export const BUFFER_BYTES = 0x100000;
const LINEAR_BASE = 0xffffffff80000000n;

const TASK_AT = structLayout("kernel/core/sched/task.ts", "Task");
const PROCESS_AT = structLayout("kernel/services/process/process.ts", "Process");
const CRED_AT = structLayout("kernel/services/process/process.ts", "Cred");
const SLAB_AT = structLayout("kernel/core/mm/slab-cache.ts", "SlabCache");
const RLIMIT_NOFILE = 7;
const UNLIMITED = 0xffffffffffffffffn;

export interface Vfs extends Kernel {
  call(name: string, ...args: (number | bigint)[]): number;
  /** Puts a string into the n-th 8 KiB string slot; its linear address. */
  text(value: string, slot?: number): number;
  /** Free pages of RAM and of the kernel heap. */
  freePages(): bigint;
  /** What is in use with all caches emptied: objects, kernel heap pages outside slabs, RAM pages outside the heap. */
  inUse(): { objects: number; large: number; pages: number };
  view(): DataView;
  /** A system call on user memory that lies in BUFFER; the result as a number. */
  sys(name: string, ...args: (number | bigint)[]): number;
  setCred(cred: { uid: number; gid?: number; caps?: bigint }): void;
}

export async function bootVfs(ramMib = 64): Promise<Vfs> {
  const kernel = await loadKernel({ ramBytes: ramMib * MIB, linearBytes: LINEAR_BYTES });
  const { exports, machine } = kernel;
  bootMemory(kernel, { ramBytes: ramMib * MIB, task: TASK, heapStart: HEAP_BASE, heapEnd: LINEAR_BYTES });
  machine.override(flatUser(kernel));
  const view = new DataView(kernel.memory.buffer);
  exports.mmHooksInit();
  view.setBigUint64(TASK + TASK_AT.stackTop!, LINEAR_BASE + BigInt(STACK), true);
  exports.vfsInit();

  const vfs: Vfs = {
    ...kernel,
    sys: (name, ...args) => Number(exports[name]!(...args)),
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
    inUse: () => {
      // Twice: names used since the last look get a second chance.
      for (let idle = 0; idle < 2;) idle = exports.dcacheShrink(0x7fffffff) ? 0 : idle + 1;
      exports.slabTrim();
      exports.pageCacheDrain();
      let objects = 0;
      let slabPages = 0;
      const v = new DataView(kernel.memory.buffer);
      for (let i = 0; i < exports.slabCount(); i++) {
        const at = exports.slabAt(i) as number;
        objects += v.getUint32(at + SLAB_AT.inUse!, true);
        slabPages += v.getUint32(at + SLAB_AT.slabCount!, true) << v.getUint32(at + SLAB_AT.order!, true);
      }
      const heap = exports.heapTotalPages() as number;
      return {
        objects,
        large: heap - (exports.heapFreePages() as number) - slabPages,
        pages: Number(exports.totalPageCount()) - Number(exports.freePageCount()) - heap,
      };
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

/** User memory without an address space: user addresses in BUFFER are that linear memory, all others fault. */
function flatUser(kernel: Kernel): Intrinsics {
  const EFAULT = -14;
  const bytes = (): Uint8Array => new Uint8Array(kernel.memory.buffer);
  const room = (va: bigint): number => (va >= BigInt(BUFFER) && va < BigInt(BUFFER + BUFFER_BYTES) ? BUFFER + BUFFER_BYTES - Number(va) : 0);
  const copy = (va: bigint, size: number, move: (at: number, n: number) => void): number => {
    const n = Math.min(size, room(va));
    if (n > 0) move(Number(va), n);
    return size - n;
  };
  const pa = (at: bigint, n: number): Uint8Array => kernel.machine.bytes(at, n);
  return {
    user_copy_in: (ptr: number, va: bigint, size: number) => (copy(va, size, (at, n) => bytes().copyWithin(ptr, at, at + n)) ? EFAULT : 0),
    user_copy_out: (va: bigint, ptr: number, size: number) => (copy(va, size, (at, n) => bytes().copyWithin(at, ptr, ptr + n)) ? EFAULT : 0),
    user_copy_to_phys: (dst: bigint, va: bigint, size: number) => copy(va, size, (at, n) => pa(dst, n).set(bytes().subarray(at, at + n))),
    user_copy_from_phys: (va: bigint, src: bigint, size: number) => copy(va, size, (at, n) => bytes().set(pa(src, n), at)),
    user_zero: (va: bigint, size: number) => copy(va, size, (at, n) => bytes().fill(0, at, at + n)),
    user_copy_string: (ptr: number, va: bigint, max: number) => {
      const left = room(va);
      const end = bytes().indexOf(0, Number(va)) - Number(va);
      if (left <= 0 || end >= left) return EFAULT;
      if (end >= max) return -36;
      bytes().copyWithin(ptr, Number(va), Number(va) + end + 1);
      return end;
    },
    user_store64: (va: bigint, value: bigint) => copy(va, 8, (at) => new DataView(kernel.memory.buffer).setBigInt64(at, value, true)) ? EFAULT : 0,
    user_store32: (va: bigint, value: number) => copy(va, 4, (at) => new DataView(kernel.memory.buffer).setInt32(at, value, true)) ? EFAULT : 0,
    user_load32: (ptr: number, va: bigint) => (copy(va, 4, (at) => bytes().copyWithin(ptr, at, at + 4)) ? EFAULT : 0),
    user_load64: (ptr: number, va: bigint) => (copy(va, 8, (at) => bytes().copyWithin(ptr, at, at + 8)) ? EFAULT : 0),
  };
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
