/** Mutexes and wait queues with tasks on several simulated CPUs. */
import fc from "fast-check";
import { SchedMachine, STATE } from "../sched/sched-machine.ts";

const MUTEX_BYTES = 32;

/** A machine whose tasks run, one per CPU, and a mutex. */
async function mutexMachine(cpus: number): Promise<{ sim: SchedMachine; mutex: number }> {
  const sim = await SchedMachine.start(cpus);
  const mutex = sim.alloc(MUTEX_BYTES);
  sim.k.mutexInit(mutex);
  for (let cpu = 0; cpu < cpus; cpu++) {
    sim.cpu = cpu;
    const task = sim.task();
    sim.k.schedSetAffinity(task, 1n << BigInt(cpu));
    sim.k.taskStart(task);
    sim.rescheduleIfAsked();
  }
  return { sim, mutex };
}

describe("mutex", () => {
  test("taken when free, refused when not", async () => {
    const { sim, mutex } = await mutexMachine(2);
    sim.cpu = 0;
    expect(sim.k.mutexTryLock(mutex)).toBe(1);
    sim.cpu = 1;
    expect(sim.k.mutexTryLock(mutex)).toBe(0);
    sim.cpu = 0;
    sim.k.mutexUnlock(mutex);
    sim.cpu = 1;
    expect(sim.k.mutexTryLock(mutex)).toBe(1);
  });

  test("locking it twice or unlocking another's is a trap", async () => {
    const { sim, mutex } = await mutexMachine(2);
    sim.cpu = 0;
    sim.k.mutexLock(mutex);
    expect(() => sim.k.mutexLock(mutex)).toThrow(WebAssembly.RuntimeError);
    sim.cpu = 1;
    expect(() => sim.k.mutexUnlock(mutex)).toThrow(WebAssembly.RuntimeError);
  });

  test("one owner at a time, in the order of arrival, nobody forgotten", async () => {
    const cpus = 6;
    const { sim, mutex } = await mutexMachine(cpus);
    const own = sim.tasks.slice();
    let owner = -1;
    let queue: number[] = [];
    const unlock = (): void => {
      sim.cpu = owner;
      sim.k.mutexUnlock(mutex);
      owner = queue.length ? queue.shift()! : -1;
      if (owner < 0) return;
      sim.cpu = owner; // the first in line wakes on its CPU and takes the free mutex
      sim.rescheduleIfAsked();
      expect(sim.current()).toBe(own[owner]);
      expect(sim.k.mutexClaim(mutex)).toBe(1);
      expect(sim.field(own[owner]!, "state")).toBe(STATE.RUNNABLE);
    };
    fc.assert(
      fc.property(fc.array(fc.nat(cpus - 1), { maxLength: 100 }), (order) => {
        for (const cpu of order) {
          if (cpu === owner) unlock();
          else if (!queue.includes(cpu)) {
            sim.cpu = cpu;
            const blocked = sim.run(() => sim.k.mutexLock(mutex));
            expect(blocked).toBe(owner >= 0);
            if (blocked) queue.push(cpu);
            else owner = cpu;
          }
          expect(sim.k.mutexOwner(mutex)).toBe(owner < 0 ? 0 : own[owner]);
          expect(sim.problem()).toBe("");
        }
        while (owner >= 0) unlock();
        queue = [];
      }),
      { numRuns: 80 },
    );
  });
});

test("a mutex goes to whoever runs, but a waiter that keeps losing is handed it", async () => {
  const { sim, mutex } = await mutexMachine(2);
  const [first, waiter] = sim.tasks as [number, number];
  sim.cpu = 0;
  sim.k.mutexLock(mutex);
  sim.cpu = 1;
  expect(sim.run(() => sim.k.mutexLock(mutex))).toBe(true);
  let losses = 0;
  for (; sim.k.mutexOwner(mutex) === first; losses++) {
    sim.cpu = 0;
    sim.k.mutexUnlock(mutex);
    if (sim.k.mutexOwner(mutex) !== 0) break;
    expect(sim.k.mutexTryLock(mutex)).toBe(1); // before the waiter gets to it
    sim.cpu = 1;
    sim.rescheduleIfAsked();
    expect(sim.k.mutexClaim(mutex)).toBe(0);
    expect(sim.run(() => sim.k.schedule())).toBe(true);
    expect(losses).toBeLessThan(10);
  }
  expect(losses).toBeGreaterThan(0);
  expect(sim.k.mutexOwner(mutex)).toBe(waiter);
});

describe("wait queue", () => {
  test("a sleeper is woken once; a timeout, a signal and an event are told apart", async () => {
    const sim = await SchedMachine.start(1);
    const wq = sim.alloc(32);
    const lock = sim.alloc(16);
    sim.k.waitQueueInit(wq);
    const task = sim.task();
    sim.k.taskStart(task);
    sim.rescheduleIfAsked();
    sim.k.spinLock(lock);
    expect(sim.run(() => sim.k.waitSleep(wq, lock, 0n))).toBe(true);
    expect(sim.k.spinIsHeld(lock)).toBe(0); // given up while asleep
    sim.k.wakeUpAll(wq);
    expect(sim.k.waitQueueActive(wq)).toBe(0);
    sim.rescheduleIfAsked();
    expect(sim.current()).toBe(task);
  });

  test("a passed deadline does not sleep", async () => {
    const sim = await SchedMachine.start(1);
    const wq = sim.alloc(32);
    const lock = sim.alloc(16);
    sim.k.waitQueueInit(wq);
    sim.k.taskStart(sim.task());
    sim.rescheduleIfAsked();
    sim.k.spinLock(lock);
    let result = 0;
    expect(sim.run(() => (result = sim.k.waitSleep(wq, lock, 1n) as number))).toBe(false);
    expect(result).toBe(-110);
    expect(sim.k.waitQueueActive(wq)).toBe(0);
  });

  test("the alarm ends a sleep", async () => {
    const sim = await SchedMachine.start(1);
    const task = sim.task();
    sim.k.taskStart(task);
    sim.rescheduleIfAsked();
    sim.fieldSet(task, "state", STATE.SLEEPING);
    const deadline = sim.nowNs + 1000n;
    expect(sim.run(() => sim.k.schedTimeout(deadline))).toBe(true);
    expect(sim.alarmNs()).toBeLessThanOrEqual(deadline + 1n);
    sim.pass(0, 2000n);
    expect(sim.current()).toBe(task);
    expect(sim.field(task, "sleepTimedOut")).toBe(1);
  });

  test("wakeUpOne wakes one exclusive sleeper, in the order of arrival", async () => {
    const sim = await SchedMachine.start(3);
    const wq = sim.alloc(32);
    const lock = sim.alloc(16);
    sim.k.waitQueueInit(wq);
    for (let cpu = 0; cpu < 3; cpu++) {
      sim.cpu = cpu;
      const task = sim.task();
      sim.k.schedSetAffinity(task, 1n << BigInt(cpu));
      sim.k.taskStart(task);
      sim.rescheduleIfAsked();
      sim.k.spinLock(lock);
      sim.run(() => sim.k.waitSleep(wq, lock, 0n));
    }
    for (let woken = 1; woken <= 3; woken++) {
      sim.cpu = 0;
      sim.k.wakeUpOne(wq);
      const states = sim.tasks.map((task) => sim.field(task, "state"));
      expect(states).toEqual(sim.tasks.map((_, i) => (i < woken ? STATE.RUNNABLE : STATE.SLEEPING)));
    }
  });
});
