/** Timers against a sorted list: what is due fires, in order, and the alarm never rings too late. */
import fc from "fast-check";
import { structLayout } from "../../../support/struct-layout.ts";
import { SchedMachine, STATE, TASK } from "../sched/sched-machine.ts";

const TIMER = structLayout("kernel/core/time/timer.ts", "Timer");
const COUNT = 24;
const NEVER = (1n << 64n) - 1n;

/** The scheduler's own function for timers marks a task; these tasks only serve as marks. */
async function timerMachine(): Promise<{ sim: SchedMachine; timers: number[]; marks: number[] }> {
  const sim = await SchedMachine.start();
  const sleeper = sim.task();
  sim.k.taskStart(sleeper);
  sim.rescheduleIfAsked();
  sim.fieldSet(sleeper, "state", STATE.SLEEPING);
  sim.run(() => sim.k.schedTimeout(sim.nowNs + 10n));
  const fn = sim.u32(sleeper + TASK.sleepTimer! + TIMER.fn!);
  sim.pass(0, 100n);
  sim.sleep(STATE.UNINTERRUPTIBLE);
  const marks = Array.from({ length: COUNT }, () => sim.alloc(1024));
  const timers = marks.map((mark) => {
    const timer = sim.alloc(40);
    sim.k.timerInit(timer, fn, mark);
    return timer;
  });
  return { sim, timers, marks };
}

test("any history of starting, cancelling and waiting", async () => {
  const { sim, timers, marks } = await timerMachine();
  sim.pass(0, 1_000_000_000n); // what was left of the scheduler's tick
  const step = fc.record({
    op: fc.constantFrom("start", "start", "cancel", "wait"), timer: fc.nat(COUNT - 1), ns: fc.nat(5000),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const due = new Map<number, bigint>();
      for (const { op, timer, ns } of steps) {
        if (op === "start") {
          sim.k.timerStart(timers[timer]!, sim.nowNs + BigInt(ns));
          due.set(timer, sim.nowNs + BigInt(ns));
        } else if (op === "cancel") {
          expect(sim.k.timerCancel(timers[timer]!)).toBe(due.has(timer) ? 1 : 0);
          due.delete(timer);
        } else {
          sim.nowNs += BigInt(ns);
          expect(sim.k.timerExpire()).toBe(0);
          for (const [index, mark] of marks.entries()) {
            const fired = sim.field(mark, "sleepTimedOut") === 1;
            sim.fieldSet(mark, "sleepTimedOut", 0);
            const isDue = (due.get(index) ?? NEVER) <= sim.nowNs;
            expect(fired).toBe(isDue);
            if (isDue) due.delete(index);
          }
        }
        const first = [...due.values()].reduce((a, b) => (a < b ? a : b), NEVER);
        if (first !== NEVER) expect(sim.alarmNs()).toBeLessThanOrEqual(first + 1n);
      }
      for (const timer of timers) sim.k.timerCancel(timer);
    }),
    { numRuns: 80 },
  );
});

test("a tick and a timer share the alarm", async () => {
  const { sim, timers } = await timerMachine();
  sim.pass(0, 1_000_000_000n);
  sim.k.timerTickSet(sim.nowNs + 100n);
  sim.k.timerStart(timers[0]!, sim.nowNs + 50n);
  sim.nowNs += 60n;
  expect(sim.k.timerExpire()).toBe(0);
  sim.nowNs += 60n;
  expect(sim.k.timerExpire()).toBe(1);
  expect(sim.k.timerExpire()).toBe(0);
});
