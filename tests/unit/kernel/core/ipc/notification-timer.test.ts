/** A notification's timer: who stops it hears no more of it, and who wants short periods pays for each. */
import { hookOf } from "../../../support/kernel.ts";
import { structLayout } from "../../../support/struct-layout.ts";
import { SchedMachine } from "../sched/sched-machine.ts";

const LOCK = structLayout("kernel/lib/spinlock.ts", "SpinLock");
const NOTIFICATION = structLayout("kernel/core/ipc/notification.ts", "Notification");
const TIMER = structLayout("kernel/core/time/timer.ts", "Timer");
const RANK_NOTIFICATION = 54;
const HOOKS = 0xbf0000;
const MS = 1_000_000n;

class Machine {
  readonly n: number;
  /** What another CPU does before this one gets the notification's lock. */
  before: (() => void) | null = null;

  private constructor(readonly sim: SchedMachine) {
    const { k, kernel } = sim;
    this.n = sim.alloc(NOTIFICATION.sizeof!);
    k.objectInit(this.n, 3);
    k.spinInit(this.n + NOTIFICATION.lock!, RANK_NOTIFICATION);
    k.waitQueueInit(this.n + NOTIFICATION.wait!);
    // as notificationCreate, which needs a heap, does it; its function is not exported
    const rang = hookOf(kernel, HOOKS + 12, 1, (at) => k.notificationTimerRang(at));
    k.timerInit(this.n + NOTIFICATION.timer!, rang, this.n);
    const taken = (lock: number): void => {
      const { before } = this;
      if (sim.u32(lock + LOCK["rank"]!) !== RANK_NOTIFICATION || !before) return;
      this.before = null;
      sim.u32Set(lock, 0);
      sim.cpu = 1;
      before();
      sim.cpu = 0;
      sim.u32Set(lock, 1);
    };
    k.spinHooksSet(hookOf(kernel, HOOKS, 0, () => {}), hookOf(kernel, HOOKS + 4, 1, taken), hookOf(kernel, HOOKS + 8, 1, () => {}), 1);
  }

  static async start(): Promise<Machine> {
    return new Machine(await SchedMachine.start(2));
  }

  set(bits: bigint, afterNs: bigint, periodNs: bigint): void {
    this.sim.k.notificationTimer(this.n, bits, afterNs === 0n ? 0n : this.sim.nowNs + afterNs, periodNs);
  }

  take(): bigint { return this.sim.k.notificationTake(this.n) as bigint; }
  isQueued(): boolean { return this.sim.u32(this.n + NOTIFICATION.timer! + TIMER.state!) === 1; }

  pass(ns: bigint): void {
    this.sim.nowNs += ns;
    this.sim.k.timerExpire();
  }
}

test("a timer that is stopped while it rings signals nothing", async () => {
  const machine = await Machine.start();
  machine.set(1n, 5n, 7n);
  machine.before = () => machine.set(0n, 0n, 0n);
  machine.pass(10n);
  expect(machine.before).toBeNull();
  expect([machine.take(), machine.isQueued()]).toEqual([0n, false]);
  machine.pass(1000n);
  expect(machine.take()).toBe(0n);
});

test("a timer that is set anew while it rings signals at the new time only", async () => {
  const machine = await Machine.start();
  machine.set(1n, 5n, 0n);
  machine.before = () => machine.set(2n, MS, 0n);
  machine.pass(10n);
  expect(machine.take()).toBe(0n);
  for (const cpu of [0, 1]) {
    machine.sim.cpu = cpu;
    machine.pass(MS);
  }
  expect([machine.take(), machine.isQueued()]).toEqual([2n, false]);
});

test("a period goes on when its bits were taken, at the next whole period", async () => {
  const machine = await Machine.start();
  machine.set(4n, 100n, 100n);
  machine.pass(100n);
  expect(machine.isQueued()).toBe(false);
  machine.pass(250n); // two periods go by
  expect(machine.take()).toBe(4n);
  machine.pass(49n);
  expect([machine.take(), machine.isQueued()]).toEqual([0n, true]);
  machine.pass(1n);
  expect(machine.take()).toBe(4n);
});

test("a period of 1 ns costs one interrupt for each taking", async () => {
  const machine = await Machine.start();
  machine.set(1n, 1n, 1n);
  for (let i = 0; i < 100; i++) {
    machine.pass(MS);
    expect(machine.isQueued()).toBe(false);
  }
  expect(machine.take()).toBe(1n);
  expect(machine.isQueued()).toBe(true);
});

test("periods without end do not wrap round", async () => {
  const machine = await Machine.start();
  machine.set(1n, 1n, (1n << 64n) - 1n);
  machine.pass(10n);
  expect(machine.take()).toBe(1n);
  machine.pass(1n << 50n);
  expect(machine.take()).toBe(0n);
});
