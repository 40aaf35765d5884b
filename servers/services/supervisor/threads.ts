/**
 * The threads of a server: how they are scheduled, and where they stand when it hangs.
 *
 * A hanging server is stopped first, so that what is told of it is true of one moment; it is killed then, and never goes on.
 */
import { CRASH_FRAMES } from "../../../kernel/abi/capability";
import { THREAD_INFO_BYTES, ThreadInfo, ThreadState } from "../../../kernel/abi/thread";
import { get64 } from "../../runtime/memory";
import { capDrop, threadInfo, threadNext, threadOpen, threadSchedule, threadSuspend } from "../../runtime/native-calls";
import { hex } from "../../runtime/start";

/** So many threads of a server are looked at. */
const THREADS_MOST: i32 = 8;
/** THREAD_INFO_BYTES, for the compiler. */
const INFO: usize = memory.data(200, 8);
if (THREAD_INFO_BYTES != 200) ERROR("INFO has room for a ThreadInfo");

/** Where one thread was, for people. */
export class Stand {
  /** What it did. */
  doing: string = "";
  /** Offsets from the start of its code, innermost first. */
  frames: u64[] = [];
  /** The THREAD capability by which it is suspended, for as long as it is kept. */
  thread: u32 = 0;
}

/** Stops each thread of a process, until standsDrop, and tells where it stands. */
export function threadsStand(process: u32): Stand[] {
  const stands: Stand[] = [];
  let tid: i64 = 0;
  while (stands.length < THREADS_MOST && (tid = threadNext(process, <u32>tid)) > 0) {
    const thread = threadOpen(process, <u32>tid);
    if (thread < 0) continue; // it ended just now
    const stand = standOf(<u32>thread);
    if (stand) stands.push(stand);
    else capDrop(<u32>thread);
  }
  return stands;
}

/** Lets go of the threads: they are dead. */
export function standsDrop(stands: Stand[]): void {
  for (let i = 0; i < stands.length; i++) capDrop(stands[i].thread);
}

function standOf(thread: u32): Stand | null {
  if (threadInfo(thread, INFO) < 0) return null;
  const info = changetype<ThreadInfo>(INFO); // SAFETY: storage of that size
  const stand = new Stand();
  stand.thread = thread;
  stand.doing = doingText(info.state, info.call);
  if (threadSuspend(thread) < 0 || threadInfo(thread, INFO) < 0) return stand;
  for (let i: u32 = 0; i < min<u32>(info.frames, CRASH_FRAMES); i++) {
    stand.frames.push(get64(INFO + offsetof<ThreadInfo>("frame0") + (<usize>i << 3)));
  }
  return stand;
}

/** `call`: the number of the call it waits in, 0 for none. */
export function doingText(state: u32, call: u32): string {
  switch (state) {
    case ThreadState.WAITING: return call != 0 ? "waiting in call " + hex(call) : "waiting for memory";
    case ThreadState.STOPPED: return "stopped";
    case ThreadState.SUSPENDED: return "suspended";
    default: return "running";
  }
}

/** Puts a policy into force on the one thread of a new process: 0 or a negated errno. */
export function scheduleAs(process: u32, pid: i32, policy: u32, priority: u32): i64 {
  const thread = threadOpen(process, <u32>pid);
  if (thread < 0) return thread;
  const result = threadSchedule(<u32>thread, policy, priority);
  capDrop(<u32>thread);
  return result;
}
