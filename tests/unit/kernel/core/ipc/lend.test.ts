/**
 * What callers lend: three histories in which a loan was once lost, and random ones against the rule (E8 of endpoint.ts): whoever works
 * for others runs at the most of what is its own, its caller's and, if it took the last call, those of the callers that wait.
 *
 * SEED=n replays a failure, LEND_HISTORIES=n runs more of them.
 */
import { random } from "../../../support/random.ts";
import { STATE } from "../sched/sched-machine.ts";
import { CALL_STATE, ERRNO, IpcMachine, type Thread, type Way, WAYS } from "./ipc-machine.ts";

const MS = 1_000_000n;
const SEED = Number(process.env["SEED"] ?? 20261125);
const HISTORIES = Number(process.env["LEND_HISTORIES"] ?? 12);
const STEPS = 300;
const FIFO = 1;
const RR = 2;
const NORMAL = 0;
const CLASS = { FAIR: 1, RT: 2 } as const;
const CALLERS = 6;
const ENDPOINTS = 2;

interface Effect {
  readonly schedClass: number;
  readonly priority: number;
  readonly weight: number;
}

function runsAt(m: IpcMachine, { task }: Thread): Effect {
  return { schedClass: m.sim.field(task, "schedClass"), priority: m.sim.field(task, "rtEffective"), weight: m.sim.field(task, "weight") };
}

function fifo(m: IpcMachine, thread: Thread, priority: number): void {
  m.sim.k.schedSetPolicy(thread.task, FIFO, priority);
  m.settle();
}

describe.each(WAYS)("the %s way", (way) => {
  /** A server on CPU 0 that owes an answer to the first of three callers, each on a CPU of its own. */
  async function busy(): Promise<{ m: IpcMachine; ep: number; server: Thread; callers: readonly [Thread, Thread, Thread] }> {
    const m = await IpcMachine.start(4, way);
    const ep = m.endpoint();
    const server = m.thread(1n);
    m.replyWait(server, ep, 0, 0n);
    const callers = [m.thread(2n), m.thread(4n), m.thread(8n)] as const;
    return { m, ep, server, callers };
  }

  test("a heavier caller that waits takes no real-time loan away", async () => {
    const { m, ep, server, callers: [urgent, heavy] } = await busy();
    fifo(m, urgent, 20);
    m.call(urgent, ep, 1, 1n);
    m.goAll();
    m.sim.k.schedSetNice(heavy.task, -5);
    m.call(heavy, ep, 2, 2n);
    expect(runsAt(m, server)).toEqual({ schedClass: CLASS.RT, priority: 20, weight: runsAt(m, heavy).weight });
    expect(m.problem(ep)).toBe("");
  });

  test("when the first caller gives up, the urgent one that waits lends on", async () => {
    const { m, ep, server, callers: [first, urgent] } = await busy();
    m.call(first, ep, 1, 1n);
    m.goAll();
    fifo(m, urgent, 30);
    m.call(urgent, ep, 2, 2n);
    m.signal(first);
    m.goAll();
    expect([first.result, runsAt(m, server).priority]).toEqual([ERRNO.INTR, 30]);
    m.signal(urgent);
    m.goAll();
    expect([urgent.result, runsAt(m, server).schedClass, m.problem(ep)]).toEqual([ERRNO.INTR, CLASS.FAIR, ""]);
  });

  test("the second in line lends while the first one is served", async () => {
    const { m, ep, server, callers: [first, low, urgent] } = await busy();
    m.call(first, ep, 1, 1n);
    m.goAll();
    m.call(low, ep, 2, 2n);
    fifo(m, urgent, 30);
    m.call(urgent, ep, 3, 3n);
    m.replyWait(server, ep, 9, 9n);
    m.goAll();
    expect([m.label(server), runsAt(m, server).priority]).toEqual([2, 30]);
    m.replyWait(server, ep, 9, 9n);
    m.goAll();
    expect([m.label(server), runsAt(m, server).priority]).toEqual([3, 30]);
    m.replyWait(server, ep, 9, 9n);
    m.goAll();
    expect([urgent.result, runsAt(m, server).schedClass, m.problem(ep)]).toEqual([9, CLASS.FAIR, ""]);
  });

  test("a second server that takes a call takes over what those that still wait lend", async () => {
    const { m, ep, server, callers: [first, low, urgent] } = await busy();
    m.call(first, ep, 1, 1n);
    m.goAll();
    m.call(low, ep, 2, 2n);
    fifo(m, urgent, 30);
    m.call(urgent, ep, 3, 3n);
    const other = m.thread(1n);
    while (!m.isRunning(other)) {
      m.sim.cpu = 0;
      m.sim.sleep(STATE.UNINTERRUPTIBLE); // the first server waits for its device
    }
    m.replyWait(other, ep, 0, 0n);
    expect([m.label(other), runsAt(m, other).priority, runsAt(m, server).schedClass]).toEqual([2, 30, CLASS.FAIR]);
    expect(m.problem(ep)).toBe("");
  });
});

/** Threads that call, answer, leave and die at random. */
class History {
  private readonly pick: (below: number) => number;
  private readonly m: IpcMachine;
  private readonly eps: readonly number[];
  private readonly servers: Thread[] = [];
  private readonly callers: Thread[] = [];
  private readonly ended: Thread[] = [];

  constructor(m: IpcMachine, serverCount: number, seed: number) {
    this.m = m;
    this.pick = random(seed);
    this.eps = Array.from({ length: ENDPOINTS }, () => m.endpoint());
    for (const ep of this.eps) for (let i = 0; i < STEPS; i++) m.sim.k.objectGet(ep); // threads that end give back what they kept
    for (let i = 0; i < serverCount; i++) this.servers.push(this.thread());
    for (let i = 0; i < CALLERS; i++) this.callers.push(this.thread());
  }

  private one<T>(list: readonly T[]): T { return list[this.pick(list.length)]!; }

  private thread(): Thread {
    const thread = this.m.thread((1n << BigInt(this.m.sim.cpus)) - 1n);
    this.policySet(thread);
    return thread;
  }

  private policySet(thread: Thread): void {
    const { k } = this.m.sim;
    if (this.pick(3) === 0) k.schedSetPolicy(thread.task, this.one([FIFO, RR]), 1 + this.pick(4));
    else k.schedSetPolicy(thread.task, NORMAL, 0);
    k.schedSetNice(thread.task, this.one([-5, 0, 0, 0, 5]));
    this.m.settle();
  }

  step(): void {
    const { m } = this;
    const kind = this.pick(100);
    if (kind < 15) m.sim.pass(this.pick(m.sim.cpus), BigInt(this.pick(64)) * MS / 8n);
    else if (kind < 22) m.signal(this.one([...this.servers, ...this.callers]));
    else this.act();
    m.settle();
  }

  private act(): void {
    const { m } = this;
    for (const thread of this.ended.filter((candidate) => m.isRunning(candidate))) {
      m.sim.cpu = m.sim.field(thread.task, "cpu");
      m.sim.sleep(STATE.UNINTERRUPTIBLE); // for ever
    }
    const running = [...this.servers, ...this.callers].filter((thread) => m.isRunning(thread));
    if (running.length === 0) return;
    const thread = this.one(running);
    const isServer = this.servers.includes(thread);
    m.wasResumed(thread);
    if (thread.blocked) m.go(thread);
    else if (this.pick(25) === 0) this.end(thread, isServer ? this.servers : this.callers);
    else if (isServer) this.serve(thread);
    else {
      this.policySet(thread);
      if (m.isRunning(thread)) m.call(thread, this.one(this.eps), 1, 1n, this.pick(3) === 0 ? m.sim.nowNs + BigInt(this.pick(40)) * MS / 8n : 0n);
    }
    if (!thread.blocked) m.signalDone(thread);
  }

  private serve(thread: Thread): void {
    const ep = this.one([this.eps[0]!, this.one(this.eps)]);
    if (this.pick(4) > 0) this.m.replyWait(thread, ep, 1, 1n);
    else this.m.replyReceive(thread, ep, 1, this.pick(2) === 0 ? 0n : this.m.sim.nowNs + BigInt(this.pick(40)) * MS / 8n);
  }

  private end(thread: Thread, among: Thread[]): void {
    this.m.end(thread);
    this.ended.push(thread);
    among[among.indexOf(thread)] = this.thread();
  }

  /** What E8 says `server` runs at. */
  private due(server: Thread): Effect {
    const { m } = this;
    const own = m.sim.field(server.task, "rtPriority");
    const owed = this.callers.filter((caller) => caller.blocked === "call" && m.callState(caller) === CALL_STATE.TAKEN && m.serverOf(caller) === server.task);
    const waiting = this.callers.filter((caller) => caller.blocked === "call" && m.callState(caller) === CALL_STATE.QUEUED && m.lastServer(caller.endpoint) === server.task);
    const lenders = [...owed, ...waiting].map((caller) => runsAt(m, caller));
    const priority = Math.max(own, ...lenders.map((effect) => effect.priority));
    const weight = Math.max(m.sim.k.niceToWeight(m.sim.field(server.task, "nice") | 0) as number, ...lenders.map((effect) => effect.weight));
    return { schedClass: priority > 0 ? CLASS.RT : CLASS.FAIR, priority, weight };
  }

  check(): void {
    for (const ep of this.eps) expect(this.m.problem(ep)).toBe("");
    for (const server of this.servers) expect(runsAt(this.m, server)).toEqual(this.due(server));
  }

  /** Real-time loans at work just now. */
  loans(): number {
    return this.servers.filter((server) => runsAt(this.m, server).priority > this.m.sim.field(server.task, "rtPriority")).length;
  }
}

const machines: readonly (readonly [number, number, Way])[] = [[1, 1, "fast"], [2, 1, "long"], [4, 2, "fast"], [4, 3, "long"]];
test.each(machines)(`${HISTORIES} histories on %i CPUs with %i servers, the %s way (seed ${SEED})`, async (cpus, servers, way) => {
  let loans = 0;
  for (let round = 0; round < HISTORIES; round++) {
    const history = new History(await IpcMachine.start(cpus, way), servers, SEED + round);
    for (let i = 0; i < STEPS; i++) {
      try {
        history.step();
        history.check();
      } catch (error) {
        throw new Error(`SEED=${SEED + round}, step ${i}: ${(error as Error).message}`, { cause: error });
      }
      loans += history.loans();
    }
  }
  expect(loans).toBeGreaterThan(HISTORIES * STEPS / 50);
}, 120_000);
