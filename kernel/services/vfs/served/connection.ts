/**
 * Connections: one to each type of file system that a server offers ("vfat"), which outlives the servers.
 *
 *   caller ──request──▶ [window] ──▶ server        the server dies: the next one is told of every live mount (ATTACH),
 *          ◀──reply───  [window] ◀──               then the call that was under way is repeated
 *
 * What callers see is copies: a request is built in memory of the kernel and copied into the window for each try, the reply is copied
 * out before anybody looks at it, so a server can change neither while it is used.
 *
 * Invariants  C1  a call is repeated until one server has answered it, SERVERS_MOST have ended over it, or none has come for GIVE_UP_NS.
 *             C2  no call but ATTACH reaches a server that does not know all live mounts.
 * Locking     Connection.mutex around each call with its request and reply. Connection.lock (Rank.SERVER_FS): which server is there.
 */
import { monoNowNs, physCopyIn, physCopyOut } from "../../../../arch/current";
import { Errno } from "../../../abi/errno";
import { FsAttach, FsMethod, FsNode, FS_NAME_BYTES, FS_REPLY_OFFSET, FS_WINDOW_BYTES } from "../../../abi/file-system.gen";
import { FS_MOUNTS, FS_REPEATED } from "../../../abi/file-system";
import { MemoryObject, memoryObjectAt, memoryObjectCreate, memoryObjectHead, memoryObjectPa } from "../../../core/cap/memory-object";
import { objectAt, objectGet, objectPut } from "../../../core/cap/object";
import { endpointCallSure, KernelMessage } from "../../../core/ipc/call";
import { endpointAt } from "../../../core/ipc/endpoint";
import { kmalloc } from "../../../core/mm/slab";
import { scratchPop, scratchPush } from "../../../core/sched/scratch";
import { Mutex, mutexAt, mutexInit, mutexLock, mutexUnlock } from "../../../core/sync/mutex";
import { WaitQueue, waitQueueAt, waitQueueInit, waitSleepUninterruptible, wakeUpAll } from "../../../core/sync/wait-queue";
import { bytesCopy, bytesFill, wordAt32, wordAt64, wordPut16, wordPut32, wordPut64 } from "../../../lib/bytes";
import { Rank } from "../../../lib/lock-rank";
import { LogLevel, logBegin, logDec, logEnd, logKeyDec, logStr } from "../../../lib/log";
import { SpinLock, spinInit, spinLock, spinLockAt, spinUnlock } from "../../../lib/spinlock";
import { wordAt, wordSet } from "../../../lib/words";
import { serverDistrust } from "../../native/distrust";
import { currentProcess, processOf } from "../../process/process";
import { processGet, processPut } from "../../process/process-table";
import { MountFlag } from "../mount";
import { superOf } from "../types";
import { replySpoil } from "./reply-fault";

@final @unmanaged
export class Connection {
  mutex: u64;        // a Mutex held by value
  mutex1: u64;
  mutex2: u64;
  mutex3: u64;
  lock: u64;         // a SpinLock held by value
  lock1: u64;
  wait: u64;         // a WaitQueue held by value: callers without a server
  wait1: u64;
  wait2: u64;
  wait3: u64;
  emptySinceNs: u64; // 0: a server is there, or was never missed
  calls: u64;
  callBeganNs: u64;  // when the server took the call it owes an answer to; 0: none
  callActiveNs: u64; // its last sign of life since: a request to its device is done; 0: it waits for one
  faultSeed: u64;
  fault: u32;        // ReplyFault of the next answer (kernel/services/debug), 0: none
  process: u32;      // Process of the server, one reference; 0: none
  typeName: u32;     // a string; 0: the connection is free
  endpoint: u32;     // of the server, one reference; 0: none
  window: u32;       // MemoryObject, one reference
  generation: u32;   // servers so far
  attached: u32;     // generation that knows all mounts (C2)
  request: u32;      // linear, FS_REPLY_OFFSET bytes
  reply: u32;        // linear, the rest of the window
  isGivenUp: u32;
  mounts: u32;       // linear: FS_MOUNTS addresses of ServedMount
  attachRequest: u32; // linear, FsAttach.REQUEST_END bytes
  pad: u32;
}

/** What a connection must know of a mount to attach it; the head of ServedSuper. */
@final @unmanaged
export class ServedMount {
  connection: u32;
  mount: u32;        // its number
  isReadOnly: u32;
  isBroken: u32;     // it could not be attached: every call answers EIO
  options: u32;      // linear, FS_NAME_BYTES + 4: as the request's field
  pad: u32;
  sb: u32;           // SuperBlock, 0: not yet
}

export const CONNECTIONS: u32 = 4;
const CONNECTION_BYTES: u32 = 192;
const TABLE: usize = memory.data(4 * 192, 8);
if (offsetof<Connection>() > 192) ERROR("TABLE has 192 bytes a connection");
/** Names as strings: a length before each. */
const NAMES: usize = memory.data(4 * 64, 8);
const NAME_MOST: u32 = 15;
const PAGE: u32 = 4096;
const WINDOW_PAGES: u32 = FS_WINDOW_BYTES / PAGE;
/** As long as the supervisor may take to restart a server, and longer. */
const GIVE_UP_NS: u64 = 60_000_000_000;
/** A call over which so many servers ended is not tried on another: whoever made it gets EIO, the others their service. */
const SERVERS_MOST: u32 = 8;
/** A server that shows no sign of life for so long while it owes an answer, or owes one for so long in all, is ended. */
const SILENT_NS: u64 = 10_000_000_000;
const OVERDUE_NS: u64 = 120_000_000_000;
/** Errnos a method may answer: bit i for errno i. Whoever answers another one is not to be believed. */
const LAWFUL: u64 = 1 << Errno.PERM | 1 << Errno.NOENT | 1 << Errno.IO | 1 << Errno.NOMEM | 1 << Errno.EXIST | 1 << Errno.NOTDIR | 1 << Errno.INVAL |
  1 << Errno.FBIG | 1 << Errno.NOSPC | 1 << Errno.ROFS | <u64>1 << Errno.NAMETOOLONG | <u64>1 << Errno.NOTEMPTY;

/** Connection `index` (< CONNECTIONS). */
export function connectionAt(index: u32): Connection {
  return changetype<Connection>(TABLE + index * CONNECTION_BYTES); // SAFETY: index < CONNECTIONS
}
/** Calls of all servers since boot. */
export function connectionCalls(): u64 {
  let calls: u64 = 0;
  for (let i: u32 = 0; i < CONNECTIONS; i++) calls += connectionAt(i).calls;
  return calls;
}
export function servedMountAt(address: usize): ServedMount { return changetype<ServedMount>(address); } // SAFETY: the caller names one
function mutexOf(c: Connection): Mutex { return mutexAt(changetype<usize>(c)); }
function lockOf(c: Connection): SpinLock { return spinLockAt(changetype<usize>(c) + offsetof<Connection>("lock")); }
function waitOf(c: Connection): WaitQueue { return waitQueueAt(changetype<usize>(c) + offsetof<Connection>("wait")); }

export function connectionsInit(): void {
  for (let i: u32 = 0; i < CONNECTIONS; i++) {
    mutexInit(mutexOf(connectionAt(i)));
    spinInit(lockOf(connectionAt(i)), Rank.SERVER_FS);
    waitQueueInit(waitOf(connectionAt(i)));
  }
}

/** Makes connection `index` the one of type `name` (`length` bytes of ASCII). The name as a string, 0 when memory is full. */
export function connectionCreate(index: u32, name: usize, length: u32): usize {
  const c = connectionAt(index);
  c.request = <u32>kmalloc(FS_REPLY_OFFSET);
  c.reply = <u32>kmalloc(FS_WINDOW_BYTES - FS_REPLY_OFFSET);
  c.mounts = <u32>kmalloc(FS_MOUNTS << 2);
  c.attachRequest = <u32>kmalloc(FsAttach.REQUEST_END);
  if (c.attachRequest == 0 || c.request == 0 || c.reply == 0 || c.mounts == 0 || length > NAME_MOST) return 0;
  bytesFill(c.mounts, 0, FS_MOUNTS << 2);
  const text = NAMES + index * 64 + 16;
  wordPut32(text - 4, length << 1); // a string's length in bytes stands before it
  for (let i: u32 = 0; i < length; i++) wordPut16(text + (i << 1), wordAt32(name + i) & 0xff);
  c.typeName = <u32>text;
  return text;
}

// ---- The server's side ----

/** A server takes the connection over: its endpoint (reference consumed on success). Its window, one reference more; EEXIST, ENOMEM as pointer. */
export function connectionServe(c: Connection, endpoint: u32): usize {
  const window = memoryObjectCreate(WINDOW_PAGES, false, 0);
  if (!window) return <usize>-Errno.NOMEM;
  spinLock(lockOf(c));
  const oldEndpoint = c.endpoint;
  const oldWindow = c.window;
  const oldProcess = c.process;
  const isFree = oldEndpoint == 0 || endpointAt(oldEndpoint).isDead != 0;
  if (isFree) {
    c.endpoint = endpoint;
    c.window = <u32>changetype<usize>(window);
    c.generation++;
    c.isGivenUp = 0;
    c.emptySinceNs = 0;
    objectGet(memoryObjectHead(window));
    c.process = <u32>changetype<usize>(currentProcess());
    processGet(currentProcess());
    wakeUpAll(waitOf(c));
  }
  spinUnlock(lockOf(c));
  if (!isFree) {
    objectPut(memoryObjectHead(window));
    return <usize>-Errno.EXIST;
  }
  serverPut(oldEndpoint, oldWindow);
  if (oldProcess != 0) processPut(processOf(oldProcess));
  return changetype<usize>(window);
}

/** The server of `generation` is gone. */
export function connectionLeft(c: Connection, generation: u32): void {
  spinLock(lockOf(c));
  const isCurrent = c.generation == generation;
  const endpoint = isCurrent ? c.endpoint : 0;
  const window = isCurrent ? c.window : 0;
  const process = isCurrent ? c.process : 0;
  if (isCurrent) {
    c.endpoint = 0;
    c.window = 0;
    c.process = 0;
    c.emptySinceNs = monoNowNs();
  }
  spinUnlock(lockOf(c));
  serverPut(endpoint, window);
  if (process != 0) processPut(processOf(process));
}

function serverPut(endpoint: u32, window: u32): void {
  if (endpoint != 0) objectPut(objectAt(endpoint));
  if (window != 0) objectPut(objectAt(window));
}

/** Every now and then: ends servers that owe an answer, and lets callers go that have waited GIVE_UP_NS for a server. */
export function connectionsWatch(): void {
  for (let i: u32 = 0; i < CONNECTIONS; i++) {
    const c = connectionAt(i);
    if (isOverdue(c, monoNowNs())) connectionDistrust(c, c.generation, "does not answer a call");
    if (c.emptySinceNs == 0) continue;
    spinLock(lockOf(c));
    const isOver = c.endpoint == 0 && c.isGivenUp == 0 && c.emptySinceNs != 0 && monoNowNs() - c.emptySinceNs > GIVE_UP_NS;
    if (isOver) {
      c.isGivenUp = 1;
      wakeUpAll(waitOf(c));
    }
    spinUnlock(lockOf(c));
  }
}

function isOverdue(c: Connection, now: u64): bool {
  const began = atomic.load<u64>(changetype<usize>(c) + offsetof<Connection>("callBeganNs"));
  const active = atomic.load<u64>(changetype<usize>(c) + offsetof<Connection>("callActiveNs"));
  if (began == 0 || now < began) return false;
  return now - began > OVERDUE_NS || (active != 0 && now > active && now - active > SILENT_NS);
}

/** The server of `c` waits for its device (`isWaiting`), or has got what it waited for: it is not to blame for that time. */
export function connectionDeviceWait(c: Connection, isWaiting: bool): void {
  atomic.store<u64>(changetype<usize>(c) + offsetof<Connection>("callActiveNs"), isWaiting ? 0 : monoNowNs());
}

/** Ends the server of `generation`, if it is still there. */
function connectionDistrust(c: Connection, generation: u32, why: string): void {
  spinLock(lockOf(c));
  const process = c.generation == generation ? c.process : 0;
  if (process != 0) processGet(processOf(process));
  spinUnlock(lockOf(c));
  if (process == 0) return;
  serverDistrust(processOf(process), why);
  processPut(processOf(process));
}

/** The server's next answer is spoilt (kernel/services/debug): ReplyFault and what decides how. */
export function connectionFaultArm(c: Connection, fault: u32, seed: u64): void {
  c.faultSeed = seed;
  atomic.store<u32>(changetype<usize>(c) + offsetof<Connection>("fault"), fault);
}

function faultTake(c: Connection, label: i32, window: MemoryObject, replyEnd: u32): i32 {
  const fault = c.fault;
  c.fault = 0;
  return fault != 0 ? replySpoil(fault, c.faultSeed, label, window, replyEnd) : label;
}

// ---- Calls ----

/** Begins a call on the connection of `m`: the request's fields may be put now. */
export function callBegin(m: ServedMount): Connection {
  const c = changetype<Connection>(<usize>m.connection); // SAFETY: set at mount, connections stay
  mutexLock(mutexOf(c));
  return c;
}

export function callEnd(c: Connection): void { mutexUnlock(mutexOf(c)); }

export function requestPut32(c: Connection, field: u32, value: u32): void { wordPut32(<usize>c.request + field, value); }
export function requestPut64(c: Connection, field: u32, value: u64): void { wordPut64(<usize>c.request + field, value); }
export function requestPutNode(c: Connection, field: u32, n0: u64, n1: u64): void {
  requestPut64(c, field + FsNode.N0, n0);
  requestPut64(c, field + FsNode.N1, n1);
}

/** A name of at most FS_NAME_BYTES. */
export function requestPutName(c: Connection, field: u32, name: usize, length: u32): void {
  requestPut32(c, field, length);
  bytesCopy(<usize>c.request + field + 4, name, min<u32>(length, FS_NAME_BYTES));
}

/** Fields of the reply, valid until callEnd, after a call that answered 0. */
export function reply32(c: Connection, field: u32): u32 { return wordAt32(<usize>c.reply + field - FS_REPLY_OFFSET); }
export function reply64(c: Connection, field: u32): u64 { return wordAt64(<usize>c.reply + field - FS_REPLY_OFFSET); }
/** Linear address of a structure in the reply. */
export function replyAt(c: Connection, field: u32): usize { return <usize>c.reply + field - FS_REPLY_OFFSET; }

/**
 * Makes the call whose request was put (its first `requestBytes`), however many servers it takes (C1); `replyEnd` is the offset behind
 * the reply's last fixed field. 0 or a negated errno.
 */
export function callMake(c: Connection, m: ServedMount, method: u32, requestBytes: u32, replyEnd: u32): i32 {
  let failedIn: u32 = 0;
  let flags: u64 = 0;
  c.calls++;
  for (let ended: u32 = 0; ended < SERVERS_MOST && m.isBroken == 0; ended++) {
    const generation = serverAwait(c, failedIn);
    if (generation == 0) return -Errno.IO;
    if (c.attached != generation && !mountsAttach(c, generation)) {
      failedIn = generation;
      continue;
    }
    const result = callOnce(c, generation, m.mount, method, flags, c.request, requestBytes, replyEnd);
    if (result == -Errno.UCLEAN) return mountDamaged(m);
    if (result != -Errno.PIPE) return result;
    failedIn = generation;
    flags = FS_REPEATED;
  }
  return -Errno.IO;
}

/** Waits for a server other than that of `failedIn`: its generation, 0 when there is none for too long. */
function serverAwait(c: Connection, failedIn: u32): u32 {
  spinLock(lockOf(c));
  while ((c.endpoint == 0 || c.generation == failedIn) && c.isGivenUp == 0) {
    if (c.emptySinceNs == 0) c.emptySinceNs = monoNowNs();
    waitSleepUninterruptible(waitOf(c), lockOf(c));
  }
  const generation = c.isGivenUp ? 0 : c.generation;
  spinUnlock(lockOf(c));
  return generation;
}

/** One try. -EPIPE: the server of `generation` is gone, or behaves as if it were. */
function callOnce(
  c: Connection, generation: u32, mount: u32, method: u32, flags: u64, request: usize, requestBytes: u32, replyEnd: u32,
): i32 {
  spinLock(lockOf(c));
  const isCurrent = c.generation == generation && c.endpoint != 0;
  const endpoint = isCurrent ? c.endpoint : 0;
  const window = isCurrent ? c.window : 0;
  if (isCurrent) {
    objectGet(objectAt(endpoint));
    objectGet(objectAt(window));
  }
  spinUnlock(lockOf(c));
  if (!isCurrent) return -Errno.PIPE;
  windowMove(memoryObjectAt(window), 0, request, requestBytes, true);
  const message = changetype<KernelMessage>(scratchPush(offsetof<KernelMessage>())); // SAFETY: scratch of that size
  message.label = method;
  message.w0 = mount;
  message.w1 = flags;
  message.w2 = 0;
  message.w3 = 0;
  callClock(c, monoNowNs());
  const answer = endpointCallSure(endpointAt(endpoint), message);
  callClock(c, 0);
  const label = faultTake(c, answer, memoryObjectAt(window), replyEnd);
  scratchPop(offsetof<KernelMessage>());
  if (label == 0) windowMove(memoryObjectAt(window), FS_REPLY_OFFSET, c.reply, replyEnd - FS_REPLY_OFFSET, false);
  serverPut(endpoint, window);
  if (isLawful(label)) return label;
  connectionDistrust(c, generation, "answers nonsense"); // EPIPE of a server that died comes here too: nothing is left to end
  return -Errno.PIPE;
}

function callClock(c: Connection, now: u64): void {
  atomic.store<u64>(changetype<usize>(c) + offsetof<Connection>("callActiveNs"), now);
  atomic.store<u64>(changetype<usize>(c) + offsetof<Connection>("callBeganNs"), now);
}

function isLawful(label: i32): bool {
  return label == 0 || label == -Errno.UCLEAN || (label < 0 && label > -64 && (LAWFUL >> <u64>-label & 1) != 0);
}

/** Copies between the window at `offset` and linear memory. */
function windowMove(window: MemoryObject, offset: u32, ptr: usize, bytes: u32, isToWindow: bool): void {
  for (let done: u32 = 0; done < bytes;) {
    const at = offset + done;
    const part = min<u32>(PAGE - at % PAGE, bytes - done);
    const pa = memoryObjectPa(window, at / PAGE) + at % PAGE;
    if (isToWindow) physCopyOut(pa, ptr + done, part);
    else physCopyIn(ptr + done, pa, part);
    done += part;
  }
}

/** Tells the server of `generation` every live mount (C2). False: it is gone already. */
function mountsAttach(c: Connection, generation: u32): bool {
  const request = <usize>c.attachRequest;
  let isThere = true;
  for (let i: u32 = 0; i < FS_MOUNTS && isThere; i++) {
    const address = wordAt(c.mounts, i);
    if (address == 0 || servedMountAt(address).isBroken) continue;
    const m = servedMountAt(address);
    wordPut32(request + FsAttach.READ_ONLY, m.isReadOnly);
    bytesCopy(request + FsAttach.OPTIONS, m.options, 4 + FS_NAME_BYTES);
    const result = callOnce(c, generation, m.mount, FsMethod.ATTACH, 0, request, FsAttach.REQUEST_END, FsAttach.REPLY_END);
    if (result == -Errno.PIPE) isThere = false;
    else if (result < 0) mountBreak(m);
  }
  if (isThere) c.attached = generation;
  return isThere;
}

/** The server found the volume damaged: nothing is written to it any more. */
function mountDamaged(m: ServedMount): i32 {
  if (m.isReadOnly || m.sb == 0) return -Errno.IO;
  m.isReadOnly = 1;
  superOf(m.sb).flags |= MountFlag.RDONLY;
  logBegin(LogLevel.ERR, "fs");
  logStr("the volume is damaged, and read-only from now on");
  logKeyDec("mount", m.mount);
  logEnd();
  return -Errno.IO;
}

function mountBreak(m: ServedMount): void {
  m.isBroken = 1;
  logBegin(LogLevel.ERR, "fs");
  logStr("the restarted server cannot take up mount ");
  logDec(m.mount);
  logEnd();
}
