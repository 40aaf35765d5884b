/** When the short way of a call is not taken, and what is kept of look-ups. */
import { NATIVE_CALLS } from "../../../../../kernel/abi/native.ts";
import { loadMemory } from "../mm/memory.ts";
import { STATE, TASK } from "../sched/sched-machine.ts";
import { CALL_STATE, ERRNO, IpcMachine, KIND_ENDPOINT, NR, RECEIVED, type Thread } from "./ipc-machine.ts";

const RIGHTS_ALL = 0x1ff;

/** A server and a caller that have exchanged one message, so that either may be resumed. */
async function warm(cpus = 1): Promise<{ m: IpcMachine; ep: number; server: Thread; caller: Thread }> {
  const m = await IpcMachine.start(cpus);
  const ep = m.endpoint();
  const server = m.thread();
  m.replyWait(server, ep, 0, 0n);
  const caller = m.thread();
  round(m, ep, server, caller);
  expect(m.resumes).toBe(2);
  return { m, ep, server, caller };
}

/** One call and its reply, whichever way they go. */
function round(m: IpcMachine, ep: number, server: Thread, caller: Thread): void {
  m.call(caller, ep, 3, 30n);
  m.goAll();
  expect([server.result, server.label, m.word(server)]).toEqual([RECEIVED.CALL, 3, 30n]);
  m.replyWait(server, ep, 4, 40n);
  m.goAll();
  expect([caller.result, m.word(caller)]).toEqual([4, 40n]);
  expect(m.problem(ep)).toBe("");
}

test("the numbers of the two calls are those of kernel/abi/native.ts", () => {
  const numbers = ["ipc_call", "ipc_reply_wait"].map((name) => BigInt(NATIVE_CALLS.find((row) => row.name === name)!.nr));
  expect(numbers).toEqual([NR.CALL, NR.REPLY_WAIT]);
});

describe("the long way instead", () => {
  test.each([
    ["a real-time server", (m: IpcMachine, server: Thread) => m.sim.k.schedSetPolicy(server.task, 1, 5)],
    ["a real-time caller", (m: IpcMachine, _: Thread, caller: Thread) => m.sim.k.schedSetPolicy(caller.task, 1, 20)],
    ["a server of another weight", (m: IpcMachine, server: Thread) => m.sim.k.schedSetNice(server.task, 5)],
    ["a server whose CPUs were changed", (m: IpcMachine, server: Thread) => m.sim.k.schedSetAffinity(server.task, 3n)],
    ["a traced caller", (m: IpcMachine, _: Thread, caller: Thread) => m.sim.u32Set(caller.task, 4)],
    ["a suspended server", (m: IpcMachine, server: Thread) => m.sim.u32Set(server.task, 256)],
    ["a locked run queue", (m: IpcMachine) => m.sim.u32Set(m.sim.rq(0), 1), (m: IpcMachine) => m.sim.u32Set(m.sim.rq(0), 0)],
  ])("%s", async (_, change, undo = (_: IpcMachine): void => {}) => {
    const { m, ep, server, caller } = await warm();
    change(m, server, caller);
    const before = m.resumes;
    m.sim.cpu = 0;
    m.enter(caller, NR.CALL, ep, 1, 1n);
    expect(m.sim.run(() => m.sim.k.ipcFast(caller.frame))).toBe(false);
    undo(m);
    expect(m.sim.field(caller.task, "state")).toBe(STATE.RUNNABLE);
    expect([m.resumes, m.sim.problem(), m.problem(ep)]).toEqual([before, "", ""]);
  });

  test("a call of a real-time caller, which is lent on until the reply", async () => {
    const { m, ep, server, caller } = await warm();
    m.sim.k.schedSetPolicy(caller.task, 1, 20);
    m.settle();
    const before = m.resumes;
    m.call(caller, ep, 1, 1n);
    m.goAll();
    expect([m.sim.field(server.task, "schedClass"), m.sim.field(server.task, "rtEffective"), m.problem(ep)]).toEqual([2, 20, ""]);
    m.replyWait(server, ep, 2, 2n);
    m.goAll();
    expect([caller.result, m.resumes, m.sim.field(server.task, "schedClass"), m.problem(ep)]).toEqual([2, before, 1, ""]);
  });

  test("a receiver that was woken by a signal and has not run yet", async () => {
    const { m, ep, server, caller } = await warm();
    m.sim.u32Set(server.task, 2);
    m.sim.k.taskWake(server.task, 1);
    const before = m.resumes;
    m.call(caller, ep, 1, 9n);
    m.goAll();
    expect(m.resumes).toBe(before);
    expect([server.result, m.word(server)]).toEqual([RECEIVED.CALL, 9n]);
  });

  test("bits for the server before it replies", async () => {
    const { m, ep, server, caller } = await warm();
    const n = m.notification();
    m.sim.k.endpointBind(ep, n);
    m.call(caller, ep, 1, 1n);
    m.sim.k.notificationSignal(n, 1n);
    const before = m.resumes;
    m.replyWait(server, ep, 2, 2n);
    m.goAll();
    expect([m.resumes, server.result, m.callState(caller)]).toEqual([before, RECEIVED.BITS, CALL_STATE.DONE]);
  });
});

describe("labels", () => {
  const EINVAL = -22n;
  const NOTIFIED = 0x40000000;
  const MOST = NOTIFIED - 1;

  test.each([-1, ERRNO.INTR, ERRNO.PIPE, -4096, -0x80000000, NOTIFIED, 0x7fffffff])("no request may bear %i", async (label) => {
    const { m, ep, server, caller } = await warm();
    m.enter(caller, NR.CALL, ep, label, 1n);
    expect(m.sim.run(() => m.sim.k.ipcFast(caller.frame))).toBe(false);
    expect(m.sim.k.nativeIpcCall(ep, label, 1n, 0n, 0n, 0n)).toBe(EINVAL);
    expect([m.isRunning(caller), server.blocked, m.problem(ep)]).toEqual([true, "receive", ""]);
  });

  test.each([-4096, -0x80000000, NOTIFIED, 0x7fffffff])("no reply may bear %i: it is still owed", async (label) => {
    const { m, ep, server, caller } = await warm();
    m.call(caller, ep, 1, 1n);
    m.goAll();
    m.enter(server, NR.REPLY_WAIT, ep, label, 1n);
    expect(m.sim.run(() => m.sim.k.ipcFast(server.frame))).toBe(false);
    expect(m.sim.k.nativeIpcReplyWait(ep, label, 1n, 0n, 0n, 0n)).toBe(EINVAL);
    expect([m.owes(server), caller.blocked, m.problem(ep)]).toEqual([true, "call", ""]);
  });

  test("the others arrive by the short way", async () => {
    const { m, ep, server, caller } = await warm();
    for (const [request, reply] of [[0, 0], [MOST, MOST], [1, -1], [2, -4095]] as const) {
      const before = m.resumes;
      m.call(caller, ep, request, 1n);
      m.goAll();
      m.replyWait(server, ep, reply, 1n);
      m.goAll();
      expect([server.result, server.label, caller.result, m.resumes]).toEqual([RECEIVED.CALL, request, reply, before + 2]);
    }
  });
});

test("time spent in turns that end by a resume is charged in full, and read while it is still a debt", async () => {
  const { m, ep, server, caller } = await warm();
  const before = [m.sim.runNs(caller.task), m.sim.runNs(server.task)] as const;
  for (let i = 0; i < 50; i++) {
    m.sim.nowNs += 300n;
    m.call(caller, ep, 1, 1n);
    m.sim.nowNs += 700n;
    m.replyWait(server, ep, 1, 1n);
  }
  expect([m.sim.runNs(caller.task) - before[0], m.sim.runNs(server.task) - before[1]]).toEqual([15_000n, 35_000n]);
  m.sim.pass(0, 5_000_000n);
  expect(m.sim.runNs(caller.task) - before[0]).toBe(5_015_000n);
});

test("a look-up is kept until a capability on any endpoint goes", async () => {
  const { k } = await loadMemory();
  k["capInit"]!();
  const space = k["capSpaceCreate"]!() as number;
  const handles = [0, 1].map(() => {
    const object = k["kzalloc"]!(256) as number;
    k["objectInit"]!(object, KIND_ENDPOINT);
    return [k["capInsert"]!(space, object, RIGHTS_ALL, 0n) as number, object] as const;
  });
  const [[first, ep], [second]] = handles as [readonly [number, number], readonly [number, number]];
  const task = k["kzalloc"]!(TASK.sizeof!) as number;
  k["callTargetKeep"]!(task, first, ep, k["capEpoch"]!());
  expect([k["callTargetIsKnown"]!(task, first), k["callTargetIsKnown"]!(task, second)]).toEqual([1, 0]);
  k["capDrop"]!(space, second);
  expect(k["callTargetIsKnown"]!(task, first)).toBe(0);
});
