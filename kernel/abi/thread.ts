/** Threads as THREAD capabilities show them (thread_info of native.ts). */
import { CRASH_FRAMES } from "./capability";

/** STOPPED: by job control.  SUSPENDED: by thread_suspend, seen once the thread stands in the kernel and waits for nothing else. */
export const enum ThreadState { RUNNING = 0, READY = 1, WAITING = 2, STOPPED = 3, SUSPENDED = 4 }

/** What a thread that is WAITING waits in: a call of its own, or a fault of its memory. */
export const enum ThreadWait { NONE = 0, CALL = 1, FAULT = 2 }

@final @unmanaged
export class ThreadInfo {
  tid: u32;
  state: u32;        // ThreadState
  waits: u32;        // ThreadWait
  call: u32;         // CALL: its number, Linux's or a native one
  cpu: u32;          // it runs on, or ran on last
  policy: u32;       // SCHED_*
  priority: u32;     // real-time priority, 0 for the other policies
  nice: i32;
  userNs: u64;
  systemNs: u64;
  hasRegisters: u32; // the thread stands: what follows is where
  frames: u32;       // how many of frame0… are there
  rip: u64;
  rsp: u64;
  frame0: u64;       // CRASH_FRAMES of them: offsets from the start of its code, innermost first, as in CrashInfo
}
if (CRASH_FRAMES != 16) ERROR("THREAD_INFO_BYTES counts 16 frames");

export const THREAD_INFO_BYTES: u32 = 200;
if (offsetof<ThreadInfo>("frame0") != 72) ERROR("THREAD_INFO_BYTES is 72 + 16 * 8");
