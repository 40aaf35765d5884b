/** The few calls of Linux that an unconfined server (the supervisor) makes. Results: a negated errno on failure. */
import { linearVa, serverCall } from "./intrinsics";

const enum Nr {
  READ = 0, WRITE = 1, OPEN = 2, CLOSE = 3, GETPID = 39, FORK = 57, EXECVE = 59, EXIT = 60, WAIT4 = 61, KILL = 62, RENAME = 82, UNLINK = 87,
  GETPPID = 110, MKNOD = 133, SCHED_SETSCHEDULER = 144, PRCTL = 157, SETRLIMIT = 160, PIPE2 = 293,
}
const S_IFIFO: u32 = 0o10000;
const PR_SET_PDEATHSIG: u64 = 1;
const SIGKILL: u64 = 9;
const WNOHANG: u32 = 1;
const FILE_MOST: i32 = 16384;
export const O_RDONLY: u32 = 0;
export const O_WRONLY_CREATE: u32 = 0x241; // O_WRONLY | O_CREAT | O_TRUNC
export const O_RDWR_NONBLOCK: u32 = 0x80802; // O_RDWR | O_NONBLOCK | O_CLOEXEC

/** What pipe2 fills. */
@unmanaged
export class Pipe {
  readEnd: i32;
  writeEnd: i32;
}

/** The word wait4 fills. */
@unmanaged
export class Status { word: u32; }

/** What setrlimit reads. */
@unmanaged
class Limit {
  soft: u64;
  hard: u64;
}
const LIMIT = changetype<Limit>(memory.data(offsetof<Limit>(), 8));
const RLIMIT_DATA: u64 = 2;

/** Bytes of `text` with a NUL, for as long as the array is held. */
export function cString(text: string): ArrayBuffer { return String.UTF8.encode(text, true); }
export function vaOf(bytes: ArrayBuffer): u64 { return linearVa(changetype<usize>(bytes)); }

export function linuxOpen(path: string, flags: u32, mode: u32): i32 {
  const name = cString(path);
  return <i32>serverCall(Nr.OPEN, vaOf(name), flags, mode, 0, 0, 0);
}
export function linuxClose(fd: i32): void { serverCall(Nr.CLOSE, fd, 0, 0, 0, 0, 0); }
export function linuxRead(fd: i32, ptr: usize, bytes: u32): i32 { return <i32>serverCall(Nr.READ, fd, linearVa(ptr), bytes, 0, 0, 0); }
export function linuxWrite(fd: i32, ptr: usize, bytes: u32): i32 { return <i32>serverCall(Nr.WRITE, fd, linearVa(ptr), bytes, 0, 0, 0); }
export function linuxFork(): i32 { return <i32>serverCall(Nr.FORK, 0, 0, 0, 0, 0, 0); }
export function linuxExit(status: i32): void { serverCall(Nr.EXIT, status, 0, 0, 0, 0, 0); }
export function linuxSelf(): i32 { return <i32>serverCall(Nr.GETPID, 0, 0, 0, 0, 0, 0); }
export function linuxParent(): i32 { return <i32>serverCall(Nr.GETPPID, 0, 0, 0, 0, 0, 0); }
/** The caller is killed when its parent dies. */
export function linuxDieWithParent(): void { serverCall(Nr.PRCTL, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0); }
/** The caller and what it execs have at most `bytes` of private memory. */
export function linuxLimitMemory(bytes: u64): void {
  LIMIT.soft = bytes;
  LIMIT.hard = bytes;
  serverCall(Nr.SETRLIMIT, RLIMIT_DATA, linearVa(changetype<usize>(LIMIT)), 0, 0, 0, 0);
}
/** What sched_setscheduler reads. */
@unmanaged
class SchedParam { priority: i32; }
const SCHED_PARAM = changetype<SchedParam>(memory.data(offsetof<SchedParam>(), 8));
const SCHED_FIFO: u64 = 1;
/** From now on the caller runs before whatever has less priority. */
export function linuxRunFirst(priority: i32): void {
  SCHED_PARAM.priority = priority;
  serverCall(Nr.SCHED_SETSCHEDULER, 0, SCHED_FIFO, linearVa(changetype<usize>(SCHED_PARAM)), 0, 0, 0);
}
export function linuxKill(pid: i32): void { serverCall(Nr.KILL, pid, SIGKILL, 0, 0, 0, 0); }
/** Waits for child `pid` to end: its pid, or -ECHILD. The status word lands at `ptr`. */
export function linuxWait(pid: i32, ptr: usize): i32 { return <i32>serverCall(Nr.WAIT4, pid, linearVa(ptr), 0, 0, 0, 0); }
/** Takes the status of dead child `pid` if it is one: its pid, 0, or -ECHILD. The status word lands at `ptr`. */
export function linuxReap(pid: i32, ptr: usize): i32 { return <i32>serverCall(Nr.WAIT4, pid, linearVa(ptr), WNOHANG, 0, 0, 0); }
/** Two descriptors, closed by execve, as i32 at `ptr`. */
export function linuxPipe(ptr: usize): i32 { return <i32>serverCall(Nr.PIPE2, linearVa(ptr), 0x80000, 0, 0, 0, 0); }

export function linuxRename(from: string, to: string): i32 {
  const a = cString(from);
  const b = cString(to);
  return <i32>serverCall(Nr.RENAME, vaOf(a), vaOf(b), 0, 0, 0, 0);
}

export function linuxUnlink(path: string): void {
  const name = cString(path);
  serverCall(Nr.UNLINK, vaOf(name), 0, 0, 0, 0, 0);
}
export function linuxMakeFifo(path: string, mode: u32): i32 {
  const name = cString(path);
  return <i32>serverCall(Nr.MKNOD, vaOf(name), S_IFIFO | mode, 0, 0, 0, 0);
}

/** execve with no environment; returns only when it fails. */
export function linuxExec(path: string, args: string[]): i32 {
  const name = cString(path);
  const texts = args.map<ArrayBuffer>((argument) => cString(argument));
  const vector = new StaticArray<u64>(args.length + 2);
  for (let i = 0; i < texts.length; i++) vector[i] = vaOf(texts[i]);
  const end = linearVa(changetype<usize>(vector)) + (<u64>(args.length + 1) << 3);
  return <i32>serverCall(Nr.EXECVE, vaOf(name), linearVa(changetype<usize>(vector)), end, 0, 0, 0);
}

/** The text of a file up to `most` bytes, or "" when it cannot be read. */
export function fileText(path: string, most: i32 = FILE_MOST): string {
  const fd = linuxOpen(path, O_RDONLY, 0);
  if (fd < 0) return "";
  const buffer = new ArrayBuffer(most);
  let length = 0;
  while (length < most) {
    const n = linuxRead(fd, changetype<usize>(buffer) + length, most - length);
    if (n <= 0) break;
    length += n;
  }
  linuxClose(fd);
  return String.UTF8.decodeUnsafe(changetype<usize>(buffer), length);
}

/** Replaces a file in one step. */
export function fileReplace(path: string, text: string): void {
  const fd = linuxOpen(path + ".new", O_WRONLY_CREATE, 0o644);
  if (fd < 0) return;
  const bytes = String.UTF8.encode(text);
  linuxWrite(fd, changetype<usize>(bytes), bytes.byteLength);
  linuxClose(fd);
  linuxRename(path + ".new", path);
}
