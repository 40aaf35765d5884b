/**
 * Several CPUs for tests of the scheduler: one kernel in V8, a clock that the test moves, tasks without stacks.
 *
 * A context switch throws Blocked out of the kernel and `run` ends it with finishSwitch, as the new stack would: what a
 * blocked task would do after waking is up to the test.
 */
import { type Kernel, type KernelExports, loadKernel } from "../../../support/kernel.ts";
import { structLayout } from "../../../support/struct-layout.ts";

export const TASK: Record<string, number> = structLayout("kernel/core/sched/task.ts", "Task");
const CPU = structLayout("kernel/core/sched/cpu.ts", "Cpu");
const RQ = structLayout("kernel/core/sched/run-queue.ts", "RunQueue");
export const STATE = { RUNNABLE: 0, SLEEPING: 1, UNINTERRUPTIBLE: 2, DEAD: 5 } as const;
export const RESCHED = 1;

const ARENA = 0xc00000; // linear memory above the static data
const TASK_BYTES = 1024;
const MSR_TSC_DEADLINE = 0x6e0;
const LAPIC = 0xfee00000n;

class Blocked extends Error {}
/** The kernel left by another task's system call: nobody's stack has to be let go any more. */
class Resumed extends Error {}

export class SchedMachine {
  readonly k: KernelExports;
  readonly tasks: number[] = [];
  nowNs = 1_000_000n;
  cpu = 0;
  private next = ARENA;

  private constructor(readonly kernel: Kernel, readonly cpus: number) {
    this.k = kernel.exports;
  }

  static async start(cpus = 1): Promise<SchedMachine> {
    const kernel = await loadKernel();
    const machine = new SchedMachine(kernel, cpus);
    kernel.machine.mmio.push({ base: LAPIC, size: 4096n, load: () => 0n, store: () => {} });
    kernel.machine.override({
      rdtsc: () => machine.nowNs,
      this_cpu: () => machine.cpuPtr(machine.cpu),
      current_task: () => machine.current(),
      context_switch: () => { throw new Blocked(); },
      syscall_resume: (prev: number, frame: number, lock: number) => machine.resume(prev, frame, lock),
    });
    machine.clockInit();
    for (let cpu = 0; cpu < cpus; cpu++) {
      machine.u32Set(machine.cpuPtr(cpu) + CPU.id!, cpu);
      machine.view().setBigUint64(machine.cpuPtr(cpu) + CPU.bit!, 1n << BigInt(cpu), true);
    }
    machine.k.schedInit();
    for (let cpu = 0; cpu < cpus; cpu++) {
      machine.cpu = cpu;
      machine.k.schedCpuOnline(cpu);
    }
    machine.cpu = 0;
    return machine;
  }

  /** One ns per TSC tick, and a deadline timer whose MSR the test can read. */
  private clockInit(): void {
    const keeper = structLayout("arch/x86_64/timer.ts", "Timekeeper");
    const at = this.kernel.constant("TIMEKEEPER");
    this.view().setBigUint64(at + keeper.mult!, 1n << 28n, true);
    this.view().setBigUint64(at + keeper.tscHz!, 1_000_000_000n, true);
    this.u32Set(at + keeper.isDeadlineMode!, 1);
  }

  view(): DataView { return new DataView(this.kernel.memory.buffer); }
  u32(at: number): number { return this.view().getUint32(at >>> 0, true); }
  u32Set(at: number, value: number): void { this.view().setUint32(at >>> 0, value, true); }
  u64(at: number): bigint { return this.view().getBigUint64(at >>> 0, true); }

  private cpuPtr(cpu: number): number { return this.k.cpuAt(cpu) as number; }
  rq(cpu: number): number { return this.k.runQueueAt(cpu) as number; }
  rqField(cpu: number, name: string): number { return this.u32(this.rq(cpu) + RQ[name]!); }
  current(cpu: number = this.cpu): number { return this.u32(this.cpuPtr(cpu) + CPU.current!); }
  idle(cpu: number = this.cpu): number { return this.u32(this.cpuPtr(cpu) + CPU.idleTask!); }
  field(task: number, name: string): number { return this.u32(task + TASK[name]!); }
  fieldSet(task: number, name: string, value: number): void { this.u32Set(task + TASK[name]!, value); }
  runNs(task: number): bigint { return this.k.taskRunNs(task) as bigint; }
  /** The timer of a task's sleeps. */
  timerOf(task: number): number { return task + TASK.sleepTimer!; }
  /** What the alarm of the simulated CPU is set to. */
  alarmNs(): bigint { return this.kernel.machine.msrs.get(MSR_TSC_DEADLINE) ?? 0n; }

  /** `size` bytes of linear memory, zero. */
  alloc(size: number): number {
    const at = this.next;
    this.next += (size + 63) & ~63;
    return at;
  }

  /** A task that sleeps deaf; start it with k.taskStart or wake it. */
  task(nice = 0): number {
    const task = this.alloc(TASK_BYTES);
    this.k.taskDefaults(task);
    this.tasks.push(task);
    this.fieldSet(task, "tid", this.tasks.length);
    this.k.schedSetNice(task, nice);
    return task;
  }

  /** Told of the TrapFrame of each task whose system call ends by a resume. */
  onResume: (frame: number) => void = () => {};

  private resume(prev: number, frame: number, lock: number): never {
    this.fieldSet(prev, "onCpu", 0);
    this.u32Set(lock, 0);
    this.onResume(frame);
    throw new Resumed();
  }

  /** Calls into the kernel as the running task; true when it blocked, and another task is current now. */
  run(call: () => void): boolean {
    try {
      call();
      return false;
    } catch (error) {
      if (error instanceof Resumed) return true;
      if (!(error instanceof Blocked)) throw error;
      const homeless = this.k.finishSwitch() as number;
      if (homeless !== 0) this.k.taskPlace(homeless);
      return true;
    }
  }

  /** Lets time pass on `cpu`: the tick if it is due, then the way back to user mode or idle. */
  pass(cpu: number, ns: bigint): void {
    this.cpu = cpu;
    this.nowNs += ns;
    this.k.timerInterrupt(1);
    this.rescheduleIfAsked();
  }

  /** Calls into the kernel as a device's interrupt does. */
  inInterrupt(call: () => void): void {
    this.u32Set(this.cpuPtr(this.cpu) + CPU.irqDepth!, 1);
    call();
    this.u32Set(this.cpuPtr(this.cpu) + CPU.irqDepth!, 0);
  }

  rescheduleIfAsked(): void {
    if (this.u32(this.current()) & RESCHED) this.run(() => this.k.schedule());
  }

  /** The running task sleeps. */
  sleep(state: number): void {
    this.fieldSet(this.current(), "state", state);
    this.run(() => this.k.schedule());
  }

  /** Every invariant of run-queue.ts, for all CPUs; what is wrong, or "". */
  problem(): string {
    let counted = 0;
    for (let cpu = 0; cpu < this.cpus; cpu++) {
      const waiting = this.treeOf(cpu, "fairTree").concat(this.treeOf(cpu, "rtTree"));
      const current = this.rqField(cpu, "current");
      if (current !== this.current(cpu)) return `cpu ${cpu}: two opinions of who runs`;
      if (waiting.includes(current)) return `cpu ${cpu}: the running task waits in a tree (Q2)`;
      const own = waiting.concat(current === this.idle(cpu) ? [] : [current]);
      if (own.length !== this.rqField(cpu, "count")) return `cpu ${cpu}: count (Q1)`;
      const stray = own.find((task) => this.field(task, "cpu") !== cpu || this.field(task, "isQueued") !== 1);
      if (stray !== undefined) return `cpu ${cpu}: task ${this.field(stray, "tid")} does not know where it is`;
      const weight = own.filter((task) => this.field(task, "schedClass") === 1).reduce((sum, task) => sum + this.field(task, "weight"), 0);
      if (weight !== this.rqField(cpu, "fairLoad")) return `cpu ${cpu}: fairLoad`;
      if (own.filter((task) => this.field(task, "schedClass") === 2).length !== this.rqField(cpu, "rtCount")) return `cpu ${cpu}: rtCount`;
      counted += own.length;
    }
    const queued = this.tasks.filter((task) => this.field(task, "isQueued") === 1).length;
    return counted === queued ? "" : `${queued} tasks are queued, ${counted} were found`;
  }

  private treeOf(cpu: number, name: string): number[] {
    const list: number[] = [];
    const walk = (node: number): void => {
      if (node === 0) return;
      walk(this.u32(node + 8));
      list.push(node - TASK.rqNode!);
      walk(this.u32(node + 12));
    };
    walk(this.u32(this.rq(cpu) + RQ[name]!));
    return list;
  }
}
