/**
 * A kernel in V8 with one disk, and the driver's side of its rings as the test plays it, honest or not.
 *
 * Waiting works: when the kernel's one task sleeps, `onSleep` runs (a driver's turn) until something woke the task.
 */
import { structLayout } from "../../../support/struct-layout.ts";
import { bootVfs, BUFFER, PROCESS, type Vfs } from "../vfs/vfs-machine.ts";

const RING = "kernel/abi/block-ring.ts";
const HEADER = structLayout(RING, "BlockRing");
const GEOMETRY = structLayout(RING, "BlockGeometry");
const DISK = structLayout("kernel/services/block/disk.ts", "Disk");
const REQUEST = structLayout("kernel/services/block/request.ts", "Request");
const CPU = structLayout("kernel/core/sched/cpu.ts", "Cpu");
const PROCESS_AT = structLayout("kernel/services/process/process.ts", "Process");
const TASK = structLayout("kernel/core/sched/task.ts", "Task");
const ENTRIES = 128;
const ENTRY_BYTES = 1024;
const PAGE = 4096;
const COMPLETIONS_AT = PAGE + ENTRIES * ENTRY_BYTES;
const RING_PAGES = COMPLETIONS_AT / PAGE + 1;
export const OP = { READ: 0, WRITE: 1, FLUSH: 2, DISCARD: 3, WRITE_ZEROES: 4 } as const;
export const STATE = { WAITING: 0, ISSUED: 1, DONE: 2 } as const;
export const FEATURE = { READ_ONLY: 1, FLUSH: 2, FUA: 4, DISCARD: 8, WRITE_ZEROES: 16 } as const;
export const REPLAY = 2;

export interface RingRequest {
  readonly queue: number;
  readonly id: bigint;
  readonly op: number;
  readonly flags: number;
  readonly sector: number;
  readonly sectors: number;
  readonly segments: readonly { pa: bigint; bytes: number }[];
}

export class DiskMachine {
  readonly disk: number;
  /** The driver's turn while the kernel's task sleeps. */
  onSleep: (() => void) | undefined;
  private readonly notification: number;

  private constructor(readonly vfs: Vfs) {
    const { exports } = vfs;
    exports.objectKindsInit();
    exports.memoryObjectsInit();
    exports.endpointsInit();
    exports.disksInit();
    this.disk = exports.diskAt(0) as number;
    vfs.view().setUint32(vfs.machine.currentTask + TASK.process!, PROCESS, true); // who attaches drivers, and never goes
    vfs.view().setUint32(PROCESS + PROCESS_AT.refs!, 1, true);
    this.notification = exports.notificationCreate() as number;
  }

  static async start(): Promise<DiskMachine> {
    return new DiskMachine(await bootVfs());
  }

  private u32(at: number): number { return this.vfs.view().getUint32(at >>> 0, true); }

  diskField(name: string): number { return this.u32(this.disk + DISK[name]!); }
  requestField(request: number, name: string): number { return this.u32(request + REQUEST[name]!); }
  requestSet(request: number, name: string, value: number): void { this.vfs.view().setUint32((request + REQUEST[name]!) >>> 0, value, true); }
  /** The CPU that submits from now on. */
  cpuSet(id: number): void { this.vfs.view().setUint32(this.vfs.machine.thisCpu + CPU.id!, id, true); }

  /** Requests on the disk's list, oldest first. */
  listed(): number[] {
    const head = this.disk + DISK.requests!;
    const found: number[] = [];
    for (let node = this.u32(head); node !== head; node = this.u32(node)) found.push(node);
    return found;
  }

  /** Attaches a driver; its queues or a negated errno. Rings are looked at by `ring`. */
  attach({ sectors = 4096, features = FEATURE.FLUSH, queues = 1 }: { sectors?: number; features?: number; queues?: number } = {}): number {
    const view = this.vfs.view();
    for (let at = 0; at < GEOMETRY.sizeof!; at += 4) view.setUint32(BUFFER + at, 0, true);
    view.setBigUint64(BUFFER + GEOMETRY.sectors!, BigInt(sectors), true);
    view.setUint32(BUFFER + GEOMETRY.flags!, features, true);
    this.vfs.exports.objectGet(this.notification); // the disk takes one over
    const result = this.vfs.call("diskAttach", this.disk, BUFFER, queues, this.notification);
    if (result < 0) this.vfs.exports.objectPut(this.notification);
    return result;
  }

  start(): number { return this.vfs.call("diskStart", this.disk, this.diskField("generation")); }
  detach(): void { this.vfs.call("diskDetach", this.disk, this.diskField("generation")); }
  complete(queue: number, generation: number = this.diskField("generation")): number {
    return this.vfs.call("diskComplete", this.disk, generation, queue);
  }

  // ---- The rings, as the driver sees them ----

  /** Physical addresses of a ring's pages. */
  private pages(queue: number): bigint[] {
    const ring = this.vfs.exports.diskRing(this.disk, this.diskField("generation"), queue) as number;
    const pages = Array.from({ length: RING_PAGES }, (_, page) => BigInt.asUintN(64, this.vfs.exports.memoryObjectPa(ring, page) as bigint));
    this.vfs.exports.objectPut(ring);
    return pages;
  }

  ring(queue: number): DriverRing { return new DriverRing(this.vfs, queue, this.pages(queue)); }

  // ---- Sleeping ----

  /** From now on the kernel's task may sleep: the scheduler runs, with an idle task in which `onSleep` is called. */
  sleepingInit(): void {
    const { vfs } = this;
    const { exports, machine } = vfs;
    const cpu = machine.thisCpu;
    const task = machine.currentTask;
    const stackTop = vfs.view().getBigUint64(task + TASK.stackTop!, true);
    const process = this.u32(task + TASK.process!);
    machine.mmio.push({ base: 0xfee00000n, size: 4096n, load: () => 0n, store: () => {} });
    const isThrown = Symbol("on the way back");
    let depth = 0;
    machine.override({
      current_task: () => this.u32(cpu + CPU.current!),
      context_switch: () => {
        if (depth > 0) throw isThrown; // the idle task ends: the sleeper goes on where it slept
        depth++;
        exports.finishSwitch();
        for (let turns = 0; (this.u32(task + TASK.state!) !== 0); turns++) {
          if (turns > 1000 || !this.onSleep) throw new Error("the kernel sleeps and nobody wakes it");
          this.onSleep();
        }
        try {
          exports.schedule();
          throw new Error("the idle task has nothing to go to");
        } catch (error) {
          if (error !== isThrown) throw error;
        } finally {
          depth--;
        }
      },
    });
    exports.schedInit();
    exports.schedCpuOnline(0);
    exports.taskDefaults(task);
    vfs.view().setUint32(task + TASK.process!, process, true);
    exports.taskStart(task);
    depth = 1;
    try {
      exports.schedule();
    } catch (error) {
      if (error !== isThrown) throw error;
    }
    exports.finishSwitch();
    depth = 0;
    vfs.view().setBigUint64(task + TASK.stackTop!, stackTop, true);
  }
}

export class DriverRing {
  constructor(private readonly vfs: Vfs, readonly queue: number, private readonly pages: readonly bigint[]) {}

  /** Where byte `offset` of the ring lies in RAM. */
  private view(offset: number, size: number): DataView {
    const bytes = this.vfs.machine.bytes(this.pages[Math.floor(offset / PAGE)]! + BigInt(offset % PAGE), size);
    return new DataView(bytes.buffer, bytes.byteOffset, size);
  }

  counter(name: string): number { return this.view(HEADER[name]!, 4).getUint32(0, true); }
  counterSet(name: string, value: number): void { this.view(HEADER[name]!, 4).setUint32(0, value >>> 0, true); }
  /** Writes anything anywhere. */
  poke(offset: number, value: number): void { this.view(offset, 4).setUint32(0, value >>> 0, true); }
  static readonly bytes: number = RING_PAGES * PAGE;
  static readonly completionsAt: number = COMPLETIONS_AT;

  /** The requests that were not taken yet. */
  take(): RingRequest[] {
    const found: RingRequest[] = [];
    const head = this.counter("submitHead");
    for (let tail = this.counter("submitTail"); tail !== head && found.length < ENTRIES; tail = (tail + 1) >>> 0) {
      const at = PAGE + (tail % ENTRIES) * ENTRY_BYTES;
      const entry = this.view(at, ENTRY_BYTES);
      const segments = Array.from({ length: entry.getUint32(28, true) }, (_, i) => ({
        pa: entry.getBigUint64(32 + i * 16, true), bytes: entry.getUint32(40 + i * 16, true),
      }));
      found.push({
        queue: this.queue, id: entry.getBigUint64(0, true), op: entry.getUint32(8, true), flags: entry.getUint32(12, true),
        sector: Number(entry.getBigUint64(16, true)), sectors: entry.getUint32(24, true), segments,
      });
      this.counterSet("submitTail", tail + 1);
    }
    return found;
  }

  /** Puts an answer; diskComplete takes it. */
  answer(id: bigint, status: number): void {
    const head = this.counter("completeHead");
    const entry = this.view(COMPLETIONS_AT + (head % ENTRIES) * 16, 16);
    entry.setBigUint64(0, id, true);
    entry.setInt32(8, status, true);
    this.counterSet("completeHead", head + 1);
  }
}

/** An honest driver with a disk in memory. */
export class HonestDriver {
  readonly contents: Uint8Array;
  /** Requests done, in order: "READ 8+2". */
  readonly done: string[] = [];
  /** What a request ends with: 0 or a negated errno. */
  statusOf: ((request: RingRequest) => number) | undefined;

  constructor(readonly machine: DiskMachine, readonly sectors = 4096, readonly features: number = FEATURE.FLUSH, readonly queues = 1) {
    this.contents = new Uint8Array(sectors * 512);
  }

  /** Attaches, starts, and serves whenever the kernel sleeps. */
  serve(): void {
    const { machine, sectors, features, queues } = this;
    machine.attach({ sectors, features, queues });
    machine.start();
    machine.onSleep = () => this.turn();
  }

  turn(): void {
    for (let queue = 0; queue < this.queues; queue++) {
      const ring = this.machine.ring(queue);
      const requests = ring.take();
      for (const request of requests) ring.answer(request.id, this.perform(request));
      if (requests.length > 0) this.machine.complete(queue);
    }
  }

  private perform(request: RingRequest): number {
    const status = this.statusOf?.(request) ?? 0;
    this.done.push(`${Object.keys(OP)[request.op]} ${request.sector}+${request.sectors}${status === 0 ? "" : ` ${status}`}`);
    if (status !== 0) return status;
    let at = request.sector * 512;
    if (request.op === OP.WRITE_ZEROES) this.contents.fill(0, at, at + request.sectors * 512);
    for (const { pa, bytes } of request.segments) {
      const memory = this.machine.vfs.machine.bytes(pa, bytes);
      if (at + bytes > this.contents.length) return -5;
      if (request.op === OP.READ) memory.set(this.contents.subarray(at, at + bytes));
      else this.contents.set(memory, at);
      at += bytes;
    }
    return 0;
  }
}
