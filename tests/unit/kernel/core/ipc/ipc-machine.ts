/**
 * Threads that call and receive on simulated CPUs. What a thread would do after its context switch is lost (sched-machine.ts), but both
 * ends of an endpoint can be entered again from any point at which they wake: that is what `go` does when a blocked thread runs.
 *
 * Plain calls go the way of system calls: first the short way of fast.ts, then the long way. Machines of Way.LONG know the long way only.
 */
import { structLayout } from "../../../support/struct-layout.ts";
import { SchedMachine, TASK } from "../sched/sched-machine.ts";

const CALL = structLayout("kernel/core/ipc/endpoint.ts", "IpcCall");
const ENDPOINT = structLayout("kernel/core/ipc/endpoint.ts", "Endpoint");
const NOTIFICATION = structLayout("kernel/core/ipc/notification.ts", "Notification");
const FRAME = structLayout("arch/x86_64/trap-frame.ts", "TrapFrame");
const RANK_ENDPOINT = 56;
const RANK_NOTIFICATION = 54;
const FRAME_BYTES = 176;
export const KIND_ENDPOINT = 2;
export const ERRNO = { INTR: -4, PIPE: -32, TIMEDOUT: -110 } as const;
export const RECEIVED = { CALL: 0, BITS: 1, AGAIN: 2 } as const;
export const CALL_STATE = { QUEUED: 0, TAKEN: 1, DONE: 2, REFUSED: 3 } as const;
export const WORK = { RESCHED: 1, SIGNAL: 2 } as const;
const WAKE_SIGNAL = 1;

export const WAYS = ["fast", "long"] as const;
export type Way = (typeof WAYS)[number];

export const NR = { CALL: 0x1011n, REPLY_WAIT: 0x1012n } as const;

export interface Thread {
  readonly task: number;
  readonly call: number;
  readonly frame: number;
  /** What it is blocked in. */
  blocked: "call" | "receive" | null;
  endpoint: number;
  deadlineNs: bigint;
  /** Result of the last call or receive that ended. */
  result: number;
  /** Of the call it took last. */
  label: number;
  /** Its call ended by a resume that `go` has not told yet. */
  isResumed: boolean;
}

export class IpcMachine {
  readonly threads: Thread[] = [];

  /** Calls and replies that went the short way. */
  resumes = 0;

  private constructor(readonly sim: SchedMachine, readonly way: Way) {
    sim.onResume = (frame) => this.resumed(frame);
  }

  static async start(cpus: number, way: Way = "fast"): Promise<IpcMachine> {
    const machine = new IpcMachine(await SchedMachine.start(cpus), way);
    machine.sim.k.capInit();
    machine.sim.k.endpointsInit();
    return machine;
  }

  /** A thread that may run on `affinity`'s CPUs, started there. */
  thread(affinity = 1n): Thread {
    const { sim } = this;
    const task = sim.task();
    const frame = sim.alloc(FRAME_BYTES + CALL.sizeof!);
    const thread: Thread = {
      task, call: frame + FRAME_BYTES, frame, blocked: null, endpoint: 0, deadlineNs: 0n, result: 0, label: 0, isResumed: false,
    };
    sim.fieldSet(task, "frame", thread.frame);
    sim.k.schedSetAffinity(task, affinity);
    sim.k.taskStart(task);
    this.threads.push(thread);
    this.settle();
    return thread;
  }

  endpoint(): number {
    const { k } = this.sim;
    const at = this.sim.alloc(ENDPOINT.sizeof!);
    k.objectInit(at, KIND_ENDPOINT);
    k.spinInit(at + ENDPOINT.lock!, RANK_ENDPOINT);
    k.listInit(at + ENDPOINT.receivers!);
    k.listInit(at + ENDPOINT.queue!);
    return at;
  }

  notification(): number {
    const { k } = this.sim;
    const at = this.sim.alloc(NOTIFICATION.sizeof!);
    k.objectInit(at, 3);
    k.spinInit(at + NOTIFICATION.lock!, RANK_NOTIFICATION);
    k.waitQueueInit(at + NOTIFICATION.wait!);
    return at;
  }

  bits(n: number): bigint { return this.sim.u64(n + NOTIFICATION.bits!); }
  callState(thread: Thread): number { return this.sim.u32(thread.call + CALL.state!); }
  serverOf(caller: Thread): number { return this.sim.u32(caller.call + CALL.server!); }
  /** Who took the last call, if it is still there. */
  lastServer(ep: number): number { return this.sim.u32(ep + ENDPOINT.server!); }
  owes(thread: Thread): boolean { return this.sim.field(thread.task, "ipcCall") !== 0; }
  word(thread: Thread): bigint { return this.sim.u64(thread.frame + FRAME.rdx!); }
  badge(thread: Thread): bigint { return this.sim.u64(thread.frame + FRAME.rdi!); }
  label(thread: Thread): number { return thread.label; }
  isRunning(thread: Thread): boolean { return this.sim.current(this.sim.field(thread.task, "cpu")) === thread.task; }

  private registerSet(thread: Thread, name: string, value: bigint): void {
    this.sim.view().setBigUint64(thread.frame + FRAME[name]!, BigInt.asUintN(64, value), true);
  }

  /** The thread of this frame runs in user mode again: its call is answered, or it has got one. */
  private resumed(frame: number): void {
    const thread = this.threads.find((candidate) => candidate.frame === frame);
    if (!thread?.blocked) throw new Error("a thread that waits for nothing was resumed");
    const value = Number(BigInt.asIntN(32, this.sim.u64(frame + FRAME.rax!)));
    thread.result = thread.blocked === "call" ? value : RECEIVED.CALL;
    thread.label = value;
    thread.blocked = null;
    thread.isResumed = true;
    this.resumes++;
  }

  /** Every CPU turns to whom it should run. */
  settle(): void {
    const { sim } = this;
    for (let cpu = 0; cpu < sim.cpus; cpu++) {
      sim.cpu = cpu;
      sim.rescheduleIfAsked();
    }
  }

  /** Runs kernel code as the thread, which must be running; false when it blocked. */
  private as(thread: Thread, call: () => number): boolean {
    const { sim } = this;
    sim.cpu = sim.field(thread.task, "cpu");
    if (sim.current() !== thread.task) throw new Error("the thread does not run");
    const isBlocked = sim.run(() => (thread.result = call()));
    if (!isBlocked) {
      if (thread.blocked === "receive") thread.label = sim.field(thread.task, "ipcLabel") | 0;
      thread.blocked = null;
      sim.fieldSet(thread.task, "resumeCpu", 0);
    }
    this.settle();
    return !isBlocked;
  }

  /** A handle that names the endpoint now. */
  private lookUp(thread: Thread, kind: "ipcCall" | "ipcWait", ep: number): void {
    const { sim } = this;
    sim.fieldSet(thread.task, `${kind}Handle`, ep);
    sim.fieldSet(thread.task, `${kind}Target`, ep);
    sim.view().setBigUint64(thread.task + TASK[`${kind}Epoch`]!, sim.k.capEpoch() as bigint, true);
  }

  /** A capability goes by which somebody could receive on `ep`: whether it was a thread's own, its look-up says (RECEIVED.AGAIN). */
  receiverGoes(ep: number): void {
    this.sim.k.epochNoteLocked(ep);
    this.sim.k.objectUnheard(ep);
    this.settle();
  }

  /** The registers of a plain system call, and its handle looked up. */
  enter(thread: Thread, nr: bigint, ep: number, label: number, word: bigint): void {
    const { sim } = this;
    const registers = { vector: nr, rdi: BigInt(ep), rsi: BigInt(label), rdx: word };
    for (const [name, value] of Object.entries(registers)) this.registerSet(thread, name, value);
    this.lookUp(thread, nr === NR.CALL ? "ipcCall" : "ipcWait", ep);
    sim.view().setBigUint64(thread.task + TASK.ipcCallBadge!, BigInt(thread.task), true);
  }

  /** What a plain call does: the short way if it can be had (it does not come back then), else the long one. */
  private plain(thread: Thread, long: () => number): number {
    if (this.way === "fast") {
      this.sim.k.ipcFast(thread.frame);
      this.sim.k.resumeAllow(thread.task);
    }
    return long();
  }

  /** ipc_call with `label` and `word`. */
  call(thread: Thread, ep: number, label: number, word: bigint, deadlineNs = 0n): boolean {
    const { sim } = this;
    Object.assign(thread, { blocked: "call", endpoint: ep, deadlineNs });
    this.enter(thread, NR.CALL, ep, label, word);
    const long = (): number => {
      const set = (name: string, value: number): void => sim.u32Set(thread.call + CALL[name]!, value);
      Object.entries({ label, registers: thread.frame, parcel: 0, roomBytes: 0, roomCaps: 0 }).forEach(([name, value]) => set(name, value));
      sim.view().setBigUint64(thread.call + CALL.badge!, BigInt(thread.task), true);
      return sim.k.endpointCallUser(ep, thread.call, deadlineNs) as number;
    };
    return this.as(thread, () => (deadlineNs === 0n ? this.plain(thread, long) : long()));
  }

  /** ipc_reply_wait: answers with `label` and `word` what the thread owes, if anything. */
  replyWait(thread: Thread, ep: number, label: number, word: bigint, afterLookUp = (): void => {}): boolean {
    const { sim } = this;
    Object.assign(thread, { blocked: "receive", endpoint: ep, deadlineNs: 0n });
    this.enter(thread, NR.REPLY_WAIT, ep, label, word);
    afterLookUp();
    return this.as(thread, () => this.plain(thread, () => {
      sim.fieldSet(thread.task, "ipcRegisters", thread.frame);
      return sim.k.endpointReplyReceive(ep, label, thread.frame) as number;
    }));
  }

  /** A receive with a deadline, as ipc_reply_wait_extra makes it. */
  receive(thread: Thread, ep: number, deadlineNs: bigint): boolean {
    this.sim.k.objectGet(ep);
    this.lookUp(thread, "ipcWait", ep);
    this.sim.fieldSet(thread.task, "ipcRegisters", thread.frame);
    Object.assign(thread, { blocked: "receive", endpoint: ep, deadlineNs });
    return this.as(thread, () => this.sim.k.endpointReceive(ep, deadlineNs) as number);
  }

  /** An answer, then a receive with a deadline. */
  replyReceive(thread: Thread, ep: number, label: number, deadlineNs: bigint): boolean {
    const { sim } = this;
    this.lookUp(thread, "ipcWait", ep);
    sim.fieldSet(thread.task, "ipcRegisters", thread.frame);
    Object.assign(thread, { blocked: "receive", endpoint: ep, deadlineNs });
    return this.as(thread, () => {
      sim.k.endpointReply(label, thread.frame, 0);
      sim.k.objectGet(ep);
      return sim.k.endpointReceive(ep, deadlineNs) as number;
    });
  }

  /** True once after the thread's call ended by a resume. */
  wasResumed(thread: Thread): boolean {
    const { isResumed } = thread;
    thread.isResumed = false;
    return isResumed;
  }

  /** A blocked thread that runs again goes on; true when it is through. */
  go(thread: Thread): boolean {
    const { sim } = this;
    if (this.wasResumed(thread)) return true;
    if (!thread.blocked || !this.isRunning(thread)) return false;
    sim.cpu = sim.field(thread.task, "cpu");
    sim.fieldSet(thread.task, "resumeCpu", 0);
    if (thread.deadlineNs !== 0n) sim.k.timerCancelSync(sim.timerOf(thread.task));
    if (thread.blocked === "call") return this.as(thread, () => sim.k.callFinish(thread.endpoint, thread.call, thread.deadlineNs, 0) as number);
    return this.as(thread, () => sim.k.endpointReceiveOn(thread.endpoint, thread.deadlineNs) as number);
  }

  /** Lets all woken threads go on until nobody can. */
  goAll(): void {
    while (this.threads.some((thread) => this.go(thread)));
  }

  /** A signal reaches the thread: its sleep ends. */
  signal(thread: Thread): void {
    const { sim } = this;
    sim.u32Set(thread.task, sim.u32(thread.task) | WORK.SIGNAL);
    sim.k.taskWake(thread.task, WAKE_SIGNAL);
    this.settle();
  }

  /** Its handler ran. */
  signalDone(thread: Thread): void {
    this.sim.u32Set(thread.task, this.sim.u32(thread.task) & ~WORK.SIGNAL);
  }

  /** The thread ends; it must be running, in user mode. */
  end(thread: Thread): void {
    this.as(thread, () => {
      this.sim.k.ipcThreadExit();
      return 0;
    });
  }

  /** Invariants E1, E4 and E5 of endpoint.ts; what is wrong, or "". */
  problem(ep: number): string {
    const list = (head: number): number[] => {
      const nodes: number[] = [];
      for (let at = this.sim.u32(head); at !== head; at = this.sim.u32(at)) nodes.push(at);
      return nodes;
    };
    const queue = list(ep + ENDPOINT.queue!);
    const receivers = list(ep + ENDPOINT.receivers!);
    if (queue.length > 0 && receivers.length > 0) return "calls and receivers wait for each other (E4)";
    if (queue.some((call) => this.sim.u32(call + CALL.state!) !== CALL_STATE.QUEUED)) return "a call on the queue is not QUEUED (E1)";
    const waiting = this.threads.filter(({ task, endpoint }) => endpoint === ep && this.sim.field(task, "ipcState") === 1).length;
    if (waiting !== receivers.length) return "who is WAITING is not who is on the list (E5)";
    const taken = this.threads.filter((thread) => thread.blocked === "call" && this.callState(thread) === CALL_STATE.TAKEN);
    const lost = taken.find(({ call }) => this.sim.field(this.sim.u32(call + CALL.server!), "ipcCall") !== call);
    return lost ? "a TAKEN call is not its server's (E1)" : this.sim.problem();
  }
}
