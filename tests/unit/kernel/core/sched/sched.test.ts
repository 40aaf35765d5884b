/** The scheduler on simulated CPUs: shares, invariants under random histories, sleeping and waking. */
import fc from "fast-check";
import { RESCHED, SchedMachine, STATE } from "./sched-machine.ts";

const MS = 1_000_000n;

describe("one CPU", () => {
  test("equal tasks get equal shares", async () => {
    const sim = await SchedMachine.start();
    const tasks = [0, 0, 0, 0].map((nice) => sim.task(nice));
    tasks.forEach((task) => sim.k.taskStart(task));
    for (let i = 0; i < 3000; i++) sim.pass(0, MS);
    for (const task of tasks) expect(Number(sim.runNs(task) / MS)).toBeGreaterThan(700);
  });

  test("shares follow the weights of the nice values", async () => {
    const sim = await SchedMachine.start();
    const nice0 = sim.task(0);
    const nice5 = sim.task(5);
    [nice0, nice5].forEach((task) => sim.k.taskStart(task));
    for (let i = 0; i < 8000; i++) sim.pass(0, MS);
    const ratio = Number(sim.runNs(nice0)) / Number(sim.runNs(nice5));
    expect(ratio).toBeGreaterThan((1024 / 335) * 0.93);
    expect(ratio).toBeLessThan((1024 / 335) * 1.07);
  });

  test("a sleeper that wakes preempts a hog, and sleeping saves up no claim", async () => {
    const sim = await SchedMachine.start();
    const hog = sim.task();
    const sleeper = sim.task();
    sim.k.taskStart(hog);
    sim.rescheduleIfAsked();
    for (let i = 0; i < 1000; i++) sim.pass(0, MS);
    expect(sim.k.taskWake(sleeper, 0)).toBe(1);
    sim.rescheduleIfAsked();
    expect(sim.current()).toBe(sleeper);
    for (let i = 0; i < 100; i++) sim.pass(0, MS); // it turns into a hog: a second of sleep must not starve the other
    expect(Number(sim.runNs(sleeper) / MS)).toBeLessThan(70);
  });

  test("a real-time task runs before all others, by priority", async () => {
    const sim = await SchedMachine.start();
    const [fair, low, high] = [sim.task(), sim.task(), sim.task()] as [number, number, number];
    [fair, low, high].forEach((task) => sim.k.taskStart(task));
    sim.k.schedSetPolicy(low, 1, 10);
    sim.k.schedSetPolicy(high, 1, 20);
    sim.rescheduleIfAsked();
    expect(sim.problem()).toBe("");
    for (let i = 0; i < 50; i++) sim.pass(0, 4n * MS);
    expect(sim.current()).toBe(high);
    sim.sleep(STATE.SLEEPING);
    expect(sim.current()).toBe(low);
    sim.sleep(STATE.SLEEPING);
    expect(sim.current()).toBe(fair);
    sim.k.taskWake(low, 0);
    expect(sim.u32(fair) & RESCHED).toBe(RESCHED);
  });

  test("an interruptible sleep does not begin while a signal is pending; a deaf one does", async () => {
    const sim = await SchedMachine.start();
    const task = sim.task();
    sim.k.taskStart(task);
    sim.rescheduleIfAsked();
    sim.u32Set(task, 2); // TaskWork.SIGNAL
    sim.sleep(STATE.SLEEPING);
    expect(sim.current()).toBe(task);
    sim.sleep(STATE.UNINTERRUPTIBLE);
    expect(sim.current()).toBe(sim.idle());
    expect(sim.k.taskWake(task, 1)).toBe(0); // WakeReason.SIGNAL
    expect(sim.k.taskWake(task, 0)).toBe(1);
  });

  test("a wake-up between the decision to sleep and the switch is not lost", async () => {
    const sim = await SchedMachine.start();
    const task = sim.task();
    sim.k.taskStart(task);
    sim.rescheduleIfAsked();
    sim.fieldSet(task, "state", STATE.SLEEPING); // decided; the waker comes now
    expect(sim.k.taskWake(task, 0)).toBe(1);
    sim.run(() => sim.k.schedule());
    expect(sim.current()).toBe(task);
  });

  test("a writer of small pieces is not switched away from at each of them", async () => {
    // Cause: `yes | head` typed at a prompt writes lines of two bytes, and each woke a reader that ran before the next.
    const sim = await SchedMachine.start();
    const [writer, reader] = [sim.task(), sim.task()] as [number, number];
    sim.k.taskStart(writer);
    sim.rescheduleIfAsked();
    for (let i = 0; i < 50; i++) sim.pass(0, MS);
    let switches = 0;
    for (let piece = 0; piece < 1000; piece++) {
      if (sim.field(reader, "state") !== STATE.RUNNABLE) sim.k.taskWake(reader, 0);
      sim.rescheduleIfAsked();
      if (sim.current() === reader) {
        switches++;
        sim.nowNs += 2000n;
        sim.sleep(STATE.SLEEPING);
      }
      sim.pass(0, 2000n);
    }
    expect(switches).toBeGreaterThan(0);
    expect(switches).toBeLessThan(20);
  });

  test("an interrupt's wake-up preempts however short a task ran", async () => {
    const sim = await SchedMachine.start();
    const [hog, sleeper] = [sim.task(), sim.task()] as [number, number];
    sim.k.taskStart(hog);
    sim.rescheduleIfAsked();
    for (let i = 0; i < 50; i++) sim.pass(0, MS);
    sim.inInterrupt(() => sim.k.taskWake(sleeper, 0));
    sim.rescheduleIfAsked();
    sim.sleep(STATE.SLEEPING);
    sim.nowNs += 2000n; // the hog is hardly back
    sim.inInterrupt(() => sim.k.taskWake(sleeper, 0));
    sim.rescheduleIfAsked();
    expect(sim.current()).toBe(sleeper);
  });

  test("an idle CPU sets no tick, a busy one does", async () => {
    const sim = await SchedMachine.start();
    expect(sim.alarmNs()).toBe(0n);
    sim.k.taskStart(sim.task());
    sim.rescheduleIfAsked();
    expect(Number(sim.alarmNs())).toBeGreaterThan(Number(sim.nowNs));
    sim.sleep(STATE.SLEEPING);
    sim.pass(0, 5n * MS);
    sim.kernel.machine.msrs.set(0x6e0, 0n);
    sim.pass(0, 100n * MS);
    expect(sim.alarmNs()).toBe(0n);
  });
});

describe("several CPUs", () => {
  const step = fc.record({
    op: fc.constantFrom("pass", "pass", "sleep", "deaf", "wake", "wake", "affinity", "nice", "policy", "yield"),
    cpu: fc.nat(3), task: fc.nat(11), value: fc.nat(255),
  });

  test("any history keeps every task in exactly one place, and wakes what is woken", async () => {
    const sim = await SchedMachine.start(4);
    const tasks = Array.from({ length: 12 }, () => sim.task());
    tasks.forEach((task) => sim.k.taskStart(task));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        for (const { op, cpu, task: index, value } of steps) {
          sim.cpu = cpu;
          sim.nowNs += BigInt(value) * 1000n;
          const task = tasks[index]!;
          const isBusy = sim.current() !== sim.idle();
          if (op === "pass") sim.pass(cpu, BigInt(value) * 40_000n);
          else if (op === "sleep" && isBusy) sim.sleep(STATE.SLEEPING);
          else if (op === "deaf" && isBusy) sim.sleep(STATE.UNINTERRUPTIBLE);
          else if (op === "wake") {
            const sleeps = sim.field(task, "state") !== STATE.RUNNABLE;
            if ((sim.k.taskWake(task, 0) === 1) !== sleeps) throw new Error("wake-up lost or invented");
          } else if (op === "affinity") sim.k.schedSetAffinity(task, BigInt((value & 15) || 15));
          else if (op === "nice") sim.k.schedSetNice(task, (value % 40) - 20);
          else if (op === "policy") sim.k.schedSetPolicy(task, value & 1, value & 1 ? (value % 99) + 1 : 0);
          else if (op === "yield" && isBusy) sim.run(() => sim.k.schedYield());
          for (let other = 0; other < 4; other++) {
            sim.cpu = other;
            sim.rescheduleIfAsked();
          }
          expect(sim.problem()).toBe("");
        }
      }),
      { numRuns: 60 },
    );
  });

  test("tasks that may run anywhere leave no CPU idle while two share one", async () => {
    const sim = await SchedMachine.start(4);
    const tasks = Array.from({ length: 8 }, () => sim.task());
    tasks.forEach((task) => {
      sim.k.schedSetAffinity(task, 1n);
      sim.k.taskStart(task);
    });
    tasks.forEach((task) => sim.k.schedSetAffinity(task, 15n));
    for (let i = 0; i < 200; i++) for (let cpu = 0; cpu < 4; cpu++) sim.pass(cpu, MS);
    const busy = [0, 1, 2, 3].filter((cpu) => sim.current(cpu) !== sim.idle(cpu));
    expect(busy).toEqual([0, 1, 2, 3]);
    const counts = [0, 1, 2, 3].map((cpu) => sim.rqField(cpu, "count"));
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThan(2);
  });

  test("a waker and whom it wakes stay on one CPU when they take turns", async () => {
    const sim = await SchedMachine.start(4);
    const [ping, pong] = [sim.task(), sim.task()] as [number, number];
    sim.k.taskStart(ping);
    sim.rescheduleIfAsked();
    sim.fieldSet(ping, "burstNs", 5000);
    sim.fieldSet(pong, "burstNs", 5000);
    sim.fieldSet(pong, "cpu", 2);
    sim.k.taskWake(pong, 0);
    expect(sim.field(pong, "cpu")).toBe(0);
    expect(sim.problem()).toBe("");
  });
});
