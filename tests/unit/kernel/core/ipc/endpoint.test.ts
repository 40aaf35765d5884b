/**
 * Endpoints on simulated CPUs: the hand-over, deaths and deadlines in each state of a call, bits of a bound notification, what callers
 * lend their servers, and random histories (SEED=n replays one).
 */
import fc from "fast-check";
import { STATE } from "../sched/sched-machine.ts";
import { CALL_STATE, ERRNO, IpcMachine, RECEIVED, type Thread, WAYS } from "./ipc-machine.ts";

const MS = 1_000_000n;
const SEED = Number(process.env["SEED"] ?? 20261125);
const SCHED = { FIFO: 1, RR: 2 } as const;
const CLASS = { FAIR: 1, RT: 2 } as const;

describe.each(WAYS)("the %s way", (way) => {
  /** A server that waits on an endpoint, and a caller; both on CPU 0. */
  async function pair(): Promise<{ m: IpcMachine; ep: number; server: Thread; caller: Thread }> {
    const m = await IpcMachine.start(1, way);
    const ep = m.endpoint();
    const server = m.thread();
    expect(m.replyWait(server, ep, 0, 0n)).toBe(false);
    return { m, ep, server, caller: m.thread() };
  }

  describe("one CPU", () => {
    test("a call hands its CPU to the receiver, the reply hands it back, and nobody is chosen in between", async () => {
      const { m, ep, server, caller } = await pair();
      const before = m.sim.rqField(0, "handoffs");
      for (let i = 0n; i < 5n; i++) {
        m.call(caller, ep, 7, 100n + i);
        expect(m.sim.current()).toBe(server.task);
        expect(m.go(server)).toBe(true);
        expect([server.result, m.label(server), m.word(server), m.badge(server)]).toEqual([RECEIVED.CALL, 7, 100n + i, BigInt(caller.task)]);
        m.replyWait(server, ep, 9, 200n + i);
        expect(m.sim.current()).toBe(caller.task);
        expect(m.go(caller)).toBe(true);
        expect([caller.result, m.word(caller)]).toEqual([9, 200n + i]);
        expect(m.problem(ep)).toBe("");
      }
      expect(m.sim.rqField(0, "handoffs") - before).toBe(10);
      expect(m.resumes).toBe(way === "fast" ? 10 : 0);
    });

    test("time is charged to who used it", async () => {
      const { m, ep, server, caller } = await pair();
      for (let i = 0; i < 10; i++) {
        m.sim.nowNs += 3n * MS;
        m.call(caller, ep, 1, 0n);
        m.go(server);
        m.sim.nowNs += 5n * MS;
        m.replyWait(server, ep, 1, 0n);
        m.go(caller);
      }
      expect(m.sim.runNs(server.task) / MS).toBe(50n);
      expect(m.sim.runNs(caller.task) / MS).toBeGreaterThanOrEqual(30n);
    });

    test("two that call each other for ever do not starve a third", async () => {
      const { m, ep, server, caller } = await pair();
      const hog = m.thread();
      for (let i = 0; i < 4000; i++) {
        m.sim.pass(0, MS / 4n);
        m.goAll();
        if (m.isRunning(caller) && !caller.blocked) m.call(caller, ep, 1, 0n);
        else if (m.isRunning(server) && !server.blocked) m.replyWait(server, ep, 1, 0n);
      }
      expect(Number(m.sim.runNs(hog.task) / MS)).toBeGreaterThan(280);
      expect(Number(m.sim.runNs(caller.task) / MS)).toBeGreaterThan(280);
    });

    test("a real-time task that waits runs before the receiver", async () => {
      const { m, ep, server, caller } = await pair();
      const urgent = m.thread();
      m.sim.k.schedSetPolicy(urgent.task, SCHED.FIFO, 10);
      m.settle();
      m.sim.sleep(STATE.SLEEPING);
      expect(m.isRunning(caller)).toBe(true);
      m.sim.k.taskWake(urgent.task, 0); // comes before the caller is back in user mode
      m.call(caller, ep, 1, 5n);
      expect(m.sim.current()).toBe(urgent.task);
      m.sim.sleep(STATE.SLEEPING);
      m.goAll();
      expect([server.result, m.word(server)]).toEqual([RECEIVED.CALL, 5n]);
    });
  });

  describe("who goes away", () => {
    test("a caller by signal: off the queue, or out of its server's hands", async () => {
      const m = await IpcMachine.start(2, way);
      const ep = m.endpoint();
      const [caller, server] = [m.thread(1n), m.thread(2n)];
      m.call(caller, ep, 1, 1n);
      expect(m.callState(caller)).toBe(CALL_STATE.QUEUED);
      m.signal(caller);
      expect([m.go(caller), caller.result]).toEqual([true, ERRNO.INTR]);
      m.signalDone(caller);
      expect(m.problem(ep)).toBe("");
      m.replyWait(server, ep, 0, 0n);
      m.call(caller, ep, 2, 2n);
      m.go(server);
      expect(m.owes(server)).toBe(true);
      m.signal(caller);
      expect([m.go(caller), caller.result, m.owes(server)]).toEqual([true, ERRNO.INTR, false]);
      m.signalDone(caller);
      expect(m.replyWait(server, ep, 5, 9n)).toBe(false); // an answer for nobody
      m.call(caller, ep, 3, 3n);
      m.goAll();
      expect([m.word(server), m.problem(ep)]).toEqual([3n, ""]);
    });

    test("a call with a signal pending does not begin", async () => {
      const { m, ep, server, caller } = await pair();
      m.signal(caller);
      expect([m.call(caller, ep, 1, 1n), caller.result]).toEqual([true, ERRNO.INTR]);
      expect(server.blocked).toBe("receive");
      expect(m.problem(ep)).toBe("");
    });

    test("a server that owes an answer: its caller gets -EPIPE", async () => {
      const { m, ep, server, caller } = await pair();
      m.call(caller, ep, 1, 1n);
      m.go(server);
      m.end(server);
      m.sim.sleep(STATE.UNINTERRUPTIBLE); // for ever
      m.goAll();
      expect([caller.blocked, caller.result]).toEqual([null, ERRNO.PIPE]);
    });

    test("the endpoint: callers and receivers are told, and a taken call is still answered", async () => {
      const m = await IpcMachine.start(4, way);
      const ep = m.endpoint();
      const [server, idle, taken, queued] = [m.thread(1n), m.thread(2n), m.thread(4n), m.thread(8n)];
      m.replyWait(server, ep, 0, 0n);
      m.call(taken, ep, 1, 1n);
      m.go(server);
      m.call(queued, ep, 2, 2n);
      m.sim.k.objectDeafened(ep);
      m.settle();
      m.goAll();
      expect([queued.blocked, queued.result]).toEqual([null, ERRNO.PIPE]);
      expect([m.replyWait(idle, ep, 0, 0n), idle.result]).toEqual([true, ERRNO.PIPE]);
      expect([m.replyWait(server, ep, 6, 6n), server.result]).toEqual([true, ERRNO.PIPE]);
      m.goAll();
      expect([taken.blocked, taken.result, m.word(taken)]).toEqual([null, 6, 6n]);
      expect([m.call(taken, ep, 1, 1n), taken.result]).toEqual([true, ERRNO.PIPE]);
    });

    test("a receiver of several by signal: the others still receive", async () => {
      const m = await IpcMachine.start(3, way);
      const ep = m.endpoint();
      const [first, second, caller] = [m.thread(1n), m.thread(2n), m.thread(4n)];
      m.replyWait(first, ep, 0, 0n);
      m.replyWait(second, ep, 0, 0n);
      m.signal(second);
      m.goAll();
      expect([second.blocked, second.result]).toEqual([null, ERRNO.INTR]);
      m.call(caller, ep, 4, 4n);
      m.goAll();
      expect([first.result, m.word(first)]).toEqual([RECEIVED.CALL, 4n]);
    });

    test("a right to receive: who waits looks its handle up again, and takes nothing before", async () => {
      const m = await IpcMachine.start(3, way);
      const ep = m.endpoint();
      const [first, second, caller] = [m.thread(1n), m.thread(2n), m.thread(4n)];
      m.replyWait(first, ep, 0, 0n);
      m.receive(second, ep, m.sim.nowNs + 1000n * MS);
      m.receiverGoes(ep);
      m.call(caller, ep, 1, 7n);
      m.goAll();
      expect([first.result, second.result, m.callState(caller), m.problem(ep)]).toEqual([RECEIVED.AGAIN, RECEIVED.AGAIN, CALL_STATE.QUEUED, ""]);
      expect([m.replyWait(second, ep, 0, 0n), second.result, m.word(second)]).toEqual([true, RECEIVED.CALL, 7n]); // it has another
      m.replyWait(second, ep, 3, 0n);
      m.goAll();
      expect([caller.result, m.problem(ep)]).toEqual([3, ""]);
    });

    test("a right to receive, between the look-up and the wait: the reply is made, the wait does not begin", async () => {
      const { m, ep, server, caller } = await pair();
      for (let i = 0; i < 2; i++) {
        m.call(caller, ep, 1, 1n);
        m.goAll();
        m.replyWait(server, ep, 2, 2n, () => m.sim.k.epochNoteLocked(ep));
        expect([server.blocked, server.result]).toEqual([null, RECEIVED.AGAIN]);
        m.sim.cpu = 0;
        m.sim.run(() => m.sim.k.schedYield());
        m.goAll();
        expect([caller.result, m.word(caller)]).toEqual([2, 2n]);
        m.sim.run(() => m.sim.k.schedYield());
        m.replyWait(server, ep, 0, 0n);
      }
      expect(m.problem(ep)).toBe("");
    });

    test("a right to receive, of who was roused for bits: another is roused", async () => {
      const m = await IpcMachine.start(2, way);
      const ep = m.endpoint();
      const n = m.notification();
      const [first, second] = [m.thread(1n), m.thread(2n)];
      m.sim.k.endpointBind(ep, n);
      m.replyWait(second, ep, 0, 0n);
      m.replyWait(first, ep, 0, 0n);
      m.sim.k.notificationSignal(n, 4n);
      m.sim.k.epochNoteLocked(ep);
      m.settle();
      m.go(first);
      expect(first.result).toBe(RECEIVED.AGAIN);
      m.settle();
      m.go(second);
      expect([second.blocked, second.result]).toEqual([null, RECEIVED.AGAIN]); // it looks its handle up as well
      expect([m.replyWait(second, ep, 0, 0n), second.result, m.word(second)]).toEqual([true, RECEIVED.BITS, 4n]);
    });

    test("a call that reaches a receiver together with a signal is not lost", async () => {
      const m = await IpcMachine.start(2, way);
      const ep = m.endpoint();
      const [server, caller] = [m.thread(1n), m.thread(2n)];
      m.replyWait(server, ep, 0, 0n);
      m.signal(server);
      m.call(caller, ep, 8, 8n);
      m.goAll();
      expect([server.blocked, server.result, m.word(server)]).toEqual([null, RECEIVED.CALL, 8n]);
    });
  });

  describe("deadlines and bits", () => {
    test("a deadline ends a call in either state, and a receive", async () => {
      const m = await IpcMachine.start(2, way);
      const ep = m.endpoint();
      const [server, caller] = [m.thread(1n), m.thread(2n)];
      const expire = (): void => {
        m.sim.pass(1, 3n * MS);
        m.settle();
        m.goAll();
      };
      m.call(caller, ep, 1, 1n, m.sim.nowNs + 2n * MS);
      expire();
      expect([caller.blocked, caller.result, m.problem(ep)]).toEqual([null, ERRNO.TIMEDOUT, ""]);
      m.replyWait(server, ep, 0, 0n);
      m.call(caller, ep, 2, 2n, m.sim.nowNs + 2n * MS);
      m.goAll();
      expect(m.owes(server)).toBe(true);
      expire();
      expect([caller.blocked, caller.result, m.owes(server)]).toEqual([null, ERRNO.TIMEDOUT, false]);
      m.receive(caller, ep, m.sim.nowNs + 2n * MS);
      expire();
      expect([caller.blocked, caller.result, m.problem(ep)]).toEqual([null, ERRNO.TIMEDOUT, ""]);
    });

    test("bits of the bound notification end a receive, before calls do, and go to one receiver", async () => {
      const m = await IpcMachine.start(4, way);
      const ep = m.endpoint();
      const n = m.notification();
      const [first, second, caller] = [m.thread(1n), m.thread(2n), m.thread(4n)];
      m.sim.k.endpointBind(ep, n);
      m.replyWait(first, ep, 0, 0n);
      m.replyWait(second, ep, 0, 0n);
      m.sim.k.notificationSignal(n, 5n);
      m.settle();
      m.call(caller, ep, 3, 3n);
      m.goAll();
      const results = [first, second].map((thread) => [thread.result, m.word(thread)]);
      expect(results).toContainEqual([RECEIVED.BITS, 5n]);
      expect(results).toContainEqual([RECEIVED.CALL, 3n]);
      expect(m.bits(n)).toBe(0n);
      m.sim.k.notificationSignal(n, 2n);
      m.sim.k.notificationSignal(n, 8n);
      expect([m.replyWait(first, ep, 1, 0n), first.result, m.word(first)]).toEqual([true, RECEIVED.BITS, 10n]);
    });
  });

  describe("what a caller lends", () => {
    /** caller (FIFO 20) calls front, which calls back; a hog of the fair class wants the CPU all the time. */
    async function chain(): Promise<{ m: IpcMachine; eps: number[]; caller: Thread; front: Thread; back: Thread; hog: Thread }> {
      const m = await IpcMachine.start(1, way);
      const eps = [m.endpoint(), m.endpoint()];
      const front = m.thread();
      m.replyWait(front, eps[0]!, 0, 0n);
      const back = m.thread();
      m.replyWait(back, eps[1]!, 0, 0n);
      const hog = m.thread();
      const caller = m.thread();
      m.sim.k.schedSetPolicy(caller.task, SCHED.FIFO, 20);
      m.settle();
      expect(m.sim.current()).toBe(caller.task);
      return { m, eps, caller, front, back, hog };
    }

    const runsAt = (m: IpcMachine, thread: Thread): number[] => [m.sim.field(thread.task, "schedClass"), m.sim.field(thread.task, "rtEffective")];

    test("servers down the line run at its priority until they answer, whatever else wants to run", async () => {
      const { m, eps, caller, front, back, hog } = await chain();
      m.call(caller, eps[0]!, 1, 1n);
      expect(m.sim.current()).toBe(front.task);
      m.go(front);
      expect(runsAt(m, front)).toEqual([CLASS.RT, 20]);
      for (let i = 0; i < 30; i++) m.sim.pass(0, 4n * MS);
      expect(m.sim.current()).toBe(front.task);
      m.call(front, eps[1]!, 2, 2n);
      expect(m.sim.current()).toBe(back.task);
      m.go(back);
      for (let i = 0; i < 30; i++) m.sim.pass(0, 4n * MS);
      expect([m.sim.current(), ...runsAt(m, back)]).toEqual([back.task, CLASS.RT, 20]);
      m.replyWait(back, eps[1]!, 3, 3n);
      expect([m.sim.current(), ...runsAt(m, back)]).toEqual([front.task, CLASS.FAIR, 0]);
      m.go(front);
      m.replyWait(front, eps[0]!, 4, 4n);
      expect([m.sim.current(), ...runsAt(m, front)]).toEqual([caller.task, CLASS.FAIR, 0]);
      m.go(caller);
      expect(caller.result).toBe(4);
      expect(m.sim.runNs(hog.task) / MS).toBeLessThan(10n);
      expect(m.sim.problem()).toBe("");
    });

    test("a caller that goes away takes back what it lent, and so does a server's end", async () => {
      const { m, eps, caller, front } = await chain();
      m.call(caller, eps[0]!, 1, 1n);
      m.go(front);
      m.signal(caller);
      m.sim.run(() => m.sim.k.schedYield()); // equals in the real-time class take turns by themselves
      m.goAll();
      expect([caller.result, ...runsAt(m, front)]).toEqual([ERRNO.INTR, CLASS.FAIR, 0]);
      expect(m.sim.problem()).toBe("");
    });

    test("a call that waits for a busy server lends it what its caller runs at", async () => {
      const { m, ep, server, caller } = await pair();
      const hog = m.thread();
      const urgent = m.thread();
      m.sim.k.schedSetPolicy(urgent.task, SCHED.FIFO, 30);
      m.settle();
      m.sim.sleep(STATE.SLEEPING);
      while (!m.isRunning(caller)) m.sim.pass(0, 4n * MS);
      m.call(caller, ep, 1, 1n);
      m.goAll();
      while (!m.isRunning(server)) m.sim.pass(0, 4n * MS);
      m.goAll();
      expect([server.blocked, ...runsAt(m, server)]).toEqual([null, CLASS.FAIR, 0]);
      m.sim.k.taskWake(urgent.task, 0);
      m.settle();
      m.call(urgent, ep, 2, 2n);
      expect([m.sim.current(), ...runsAt(m, server)]).toEqual([server.task, CLASS.RT, 30]);
      const before = m.sim.runNs(hog.task);
      for (let i = 0; i < 30; i++) m.sim.pass(0, 4n * MS);
      expect(m.sim.runNs(hog.task)).toBe(before);
      m.replyWait(server, ep, 9, 9n);
      expect([server.result, m.label(server), ...runsAt(m, server)]).toEqual([RECEIVED.CALL, 2, CLASS.RT, 30]);
      m.replyWait(server, ep, 8, 8n);
      m.goAll();
      expect([urgent.result, ...runsAt(m, server)]).toEqual([8, CLASS.FAIR, 0]);
      expect(m.problem(ep)).toBe("");
    });

    test("weight is lent within the fair class, and a change of the server's own nice value is kept", async () => {
      const { m, ep, server, caller } = await pair();
      m.sim.k.schedSetNice(server.task, 10);
      m.sim.k.schedSetNice(caller.task, -5);
      m.call(caller, ep, 1, 1n);
      m.go(server);
      expect(m.sim.field(server.task, "weight")).toBe(m.sim.field(caller.task, "weight"));
      m.sim.k.schedSetNice(server.task, 5);
      expect(m.sim.field(server.task, "weight")).toBe(m.sim.field(caller.task, "weight"));
      m.replyWait(server, ep, 1, 0n);
      expect(m.sim.field(server.task, "weight")).toBe(335);
      expect(m.problem(ep)).toBe("");
    });
  });

  const sizes = [[1, 1, 2], [3, 2, 5]] as const;
  test.each(sizes)(`any history of %i CPUs, %i servers, %i callers answers every call once (seed ${SEED})`, async (cpus, serverCount, callerCount) => {
    const step = fc.record({ op: fc.constantFrom("go", "go", "go", "signal", "bits", "pass", "deadline"), thread: fc.nat(6), value: fc.nat(63) });
    const m = await IpcMachine.start(cpus, way);
    const ep = m.endpoint();
    const n = m.notification();
    m.sim.k.endpointBind(ep, n);
    const servers = Array.from({ length: serverCount }, () => m.thread(7n));
    const callers = Array.from({ length: callerCount }, () => m.thread(7n));
    const asked = new Map<Thread, bigint>();
    let next = 1n;

    const begin = (thread: Thread, deadlineNs: bigint): void => {
      if (servers.includes(thread)) {
        if (!thread.blocked) m.replyWait(thread, ep, m.owes(thread) ? 1 : 0, m.word(thread) * 2n);
        return;
      }
      asked.set(thread, next);
      m.call(thread, ep, 1, next++, deadlineNs);
      finish(thread);
    };
    const finish = (thread: Thread): void => {
      if (thread.blocked || !callers.includes(thread)) return;
      const wanted = thread.result === 1 ? asked.get(thread)! * 2n : m.word(thread);
      expect([1, ERRNO.INTR, ERRNO.TIMEDOUT]).toContain(thread.result);
      expect(m.word(thread)).toBe(wanted);
    };
    fc.assert(fc.property(fc.array(step, { minLength: 100, maxLength: 200 }), (steps) => {
      for (const { op, thread: index, value } of steps) {
        const running = m.threads.filter((candidate) => m.isRunning(candidate));
        const thread = running[index % running.length];
        if (op === "pass") m.sim.pass(value % cpus, BigInt(value) * MS / 4n);
        else if (op === "bits") m.sim.k.notificationSignal(n, 1n);
        else if (op === "signal") m.signal(m.threads[index % m.threads.length]!);
        else if (thread) {
          if (thread.blocked) m.go(thread);
          else begin(thread, op === "deadline" ? m.sim.nowNs + BigInt(value) * MS / 8n : 0n);
          if (!thread.blocked) m.signalDone(thread);
          finish(thread);
        }
        for (const caller of callers) if (m.wasResumed(caller)) finish(caller);
        m.settle();
        expect(m.problem(ep)).toBe("");
      }
    }), { numRuns: 60, seed: SEED });
    expect(next).toBeGreaterThan(1000n);
    if (way === "fast") expect(m.resumes).toBeGreaterThan(50);
  });
});
