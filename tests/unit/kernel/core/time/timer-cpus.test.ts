/** One timer, several CPUs: whoever starts and cancels it at the same time, it is in one queue or in none, and rings when it was last told to. */
import fc from "fast-check";
import { hookOf } from "../../../support/kernel.ts";
import { structLayout } from "../../../support/struct-layout.ts";
import { SchedMachine } from "../sched/sched-machine.ts";

const TIMER = structLayout("kernel/core/time/timer.ts", "Timer");
const LOCK = structLayout("kernel/lib/spinlock.ts", "SpinLock");
const RANK_TIMER = 64;
const MOVING = 0xffffffff;
const HOOKS = 0xbf0000; // words of linear memory above the static data
const CPUS = 3;
const COUNT = 4;
const FAR = 1n << 40n;
const NEVER = (1n << 64n) - 1n;

interface Step { readonly op: "start" | "cancel" | "expire"; readonly timer: number; readonly cpu: number; readonly ns: number }

class Timers {
  readonly timers: number[];
  /** When each of those that are queued rings. */
  readonly due = new Map<number, bigint>();
  /** What other CPUs do before this one gets the next lock. */
  interruptions: Step[] = [];
  /** What the function of a timer does. */
  onRing: (timer: number) => void = () => {};

  private constructor(readonly sim: SchedMachine) {
    const hook = (index: number, call: (value: number) => void): number => hookOf(sim.kernel, HOOKS + index * 4, 1, call);
    const idle = hookOf(sim.kernel, HOOKS, 0, () => {});
    const rang = hook(1, (index) => this.rang(index));
    sim.k.spinHooksSet(idle, hook(2, (lock) => this.taken(lock)), hook(3, () => {}), 1);
    this.timers = Array.from({ length: COUNT }, (_, index) => {
      const timer = sim.alloc(TIMER.sizeof!);
      sim.k.timerInit(timer, rang, index);
      return timer;
    });
  }

  static async start(): Promise<Timers> {
    return new Timers(await SchedMachine.start(CPUS));
  }

  cpuOf(timer: number): number { return this.sim.u32(this.timers[timer]! + TIMER.cpu!); }

  private rang(index: number): void {
    expect(this.due.get(index) ?? NEVER).toBeLessThanOrEqual(this.sim.nowNs);
    this.due.delete(index);
    this.onRing(index);
  }

  /** As if this CPU came second. */
  private taken(lock: number): void {
    if (this.sim.u32(lock + LOCK["rank"]!) !== RANK_TIMER) return;
    const step = this.interruptions.pop();
    if (!step || this.cpuOf(step.timer) === MOVING) return; // it would wait
    const { cpu } = this.sim;
    this.sim.u32Set(lock, 0);
    this.do({ ...step, cpu: (cpu + 1 + step.cpu % (CPUS - 1)) % CPUS });
    this.sim.cpu = cpu;
    this.sim.u32Set(lock, 1);
  }

  do({ op, timer, cpu, ns }: Step): void {
    const { sim } = this;
    sim.cpu = cpu;
    if (op === "start") {
      const deadline = sim.nowNs + BigInt(ns);
      sim.k.timerStart(this.timers[timer]!, deadline);
      this.due.set(timer, deadline);
    } else if (op === "cancel") {
      expect(sim.k.timerCancel(this.timers[timer]!)).toBe(this.due.has(timer) ? 1 : 0);
      this.due.delete(timer);
    } else {
      sim.nowNs += BigInt(ns);
      sim.k.timerExpire();
    }
  }

  /** Everything that is queued anywhere rings. */
  drain(): void {
    this.interruptions = [];
    this.sim.nowNs += FAR;
    for (let cpu = 0; cpu < CPUS; cpu++) this.do({ op: "expire", timer: 0, cpu, ns: 0 });
    expect(this.due.size).toBe(0);
  }
}

const steps = fc.array(
  fc.record({ op: fc.constantFrom("start" as const, "start" as const, "cancel" as const, "expire" as const), timer: fc.nat(COUNT - 1), cpu: fc.nat(CPUS - 1), ns: fc.nat(500) }),
  { maxLength: 60 },
);

test("CPUs that start and cancel the same timers come between each other's steps", async () => {
  const machine = await Timers.start();
  fc.assert(
    fc.property(steps, steps, (own, others) => {
      machine.interruptions = [...others];
      for (const step of own) machine.do(step);
      machine.drain();
    }),
    { numRuns: 400 },
  );
});

test("a timer that is started while its function runs stays with the CPU that runs it", async () => {
  const machine = await Timers.start();
  machine.onRing = (timer) => {
    machine.onRing = () => {};
    machine.do({ op: "start", timer, cpu: 2, ns: 10 });
    machine.sim.cpu = 1;
    expect(machine.cpuOf(timer)).toBe(1);
  };
  machine.do({ op: "start", timer: 0, cpu: 1, ns: 5 });
  machine.do({ op: "expire", timer: 0, cpu: 1, ns: 5 });
  expect(machine.sim.alarmNs()).toBeLessThanOrEqual(machine.due.get(0)! + 1n);
  machine.drain();
});
