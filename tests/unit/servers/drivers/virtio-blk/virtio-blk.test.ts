/** The virtio-blk server against a simulated disk, clean and dirty. SEED=n replays the random one. */
import { bits, loadServer, Notification, type Outcome, type Scenario, type Server } from "../../../support/server.ts";
import { F_INDIRECT, F_VERSION_1 } from "../../../support/virtio-pci.ts";
import { DiskDevice, type DiskOptions, FEATURE, RESULT } from "./disk-device.ts";
import { KernelRings, OP, type Put } from "./kernel-ring.ts";
import { random } from "../../../support/random.ts";

const SECTOR = 512;
const DOORBELL = 1n;
const EINVAL = -22;
const EIO = -5;
const EOPNOTSUPP = -95;
const FLAG = { READ_ONLY: 1, FLUSH: 2, DISCARD: 8, WRITE_ZEROES: 16 } as const;

/** RAM of programs, beside the driver's own memory. */
const RAM_BUS = 0x9000_0000_0000n;

class Bench {
  readonly server: Server;
  readonly rings: KernelRings;
  readonly device: DiskDevice;
  readonly ram: Uint8Array = new Uint8Array(1 << 20);

  constructor(options: DiskOptions = {}, cpus = 1) {
    this.rings = new KernelRings(() => this.server, 7, cpus);
    this.device = new DiskDevice(options, (bus, size) => this.dma(bus, size));
    const capabilities = { pci: this.device, block: this.rings, quota: {}, notification: new Notification() };
    this.server = loadServer("virtio-blk", { capabilities, numbers: {} });
  }

  private dma(bus: bigint, size: number): DataView | undefined {
    const at = Number(bus - RAM_BUS);
    if (at >= 0 && at + size <= this.ram.length) return new DataView(this.ram.buffer, at, size);
    return this.server.dma(bus, size);
  }

  run(scenario: () => Scenario): Outcome {
    return this.server.run(scenario);
  }

  /** A transfer of whole sectors in pieces of RAM from byte `at` on. */
  transfer(op: number, sector: number, sectors: number, at: number, pieceBytes = 4096): Put {
    const segments: { bus: bigint; bytes: number }[] = [];
    for (let done = 0; done < sectors * SECTOR; done += pieceBytes) {
      segments.push({ bus: RAM_BUS + BigInt(at + done), bytes: Math.min(pieceBytes, sectors * SECTOR - done) });
    }
    return { op, sector, sectors, segments };
  }
}

test("it brings the device up by the book and offers its disk", () => {
  const bench = new Bench({ sectors: 100, queues: 4 }, 2);
  expect(bench.run(function* () { /* it waits: that is all */ })).toEqual({ kind: "stopped" });
  expect(bench.rings.geometry).toEqual({
    sectors: 100, queues: 4, flags: FLAG.FLUSH | FLAG.DISCARD | FLAG.WRITE_ZEROES, maxDiscard: 2048, maxZeroes: 4096,
  });
  expect(bench.device.status).toBe(1 | 2 | 4 | 8);
  expect(bench.device.queues.map(({ isEnabled }) => isEnabled)).toEqual([true, true, false, false]);
  expect(bench.rings.isStarted).toBe(true);
});

test("sectors are read and written in place, with no byte through the driver", () => {
  const bench = new Bench();
  bench.ram.fill(0x5a, 0, 8192);
  const outcome = bench.run(function* () {
    bench.rings.put(0, 0, bench.transfer(OP.WRITE, 16, 16, 0));
    yield bits(DOORBELL);
    bench.device.finishAll();
    yield bits(bench.device.bitsTake());
    expect(bench.rings.answers()).toEqual([[0, 0]]);
    bench.rings.put(0, 5, bench.transfer(OP.READ, 17, 3, 65536, 512));
    yield bits(DOORBELL);
    bench.device.finishAll();
    yield bits(bench.device.bitsTake());
    expect(bench.rings.answers()).toEqual([[5, 0]]);
  });
  expect(outcome).toEqual({ kind: "stopped" });
  expect(bench.device.done).toEqual(["OUT 16+16", "IN 17+3"]);
  expect(bench.device.contents.subarray(16 * SECTOR, 32 * SECTOR).every((byte) => byte === 0x5a)).toBe(true);
  expect(bench.ram.subarray(65536, 65536 + 3 * SECTOR).every((byte) => byte === 0x5a)).toBe(true);
});

test("flush, discard and write-zeroes carry what the device needs", () => {
  const bench = new Bench();
  bench.device.contents.fill(1);
  bench.run(function* () {
    bench.rings.put(0, 0, { op: OP.FLUSH, sector: 0, sectors: 0 });
    bench.rings.put(0, 1, { op: OP.DISCARD, sector: 8, sectors: 16 });
    bench.rings.put(0, 2, { op: OP.WRITE_ZEROES, sector: 32, sectors: 4 });
    yield bits(DOORBELL);
    bench.device.finishAll();
    yield bits(bench.device.bitsTake());
    expect(bench.rings.answers()).toEqual([[0, 0], [1, 0], [2, 0]]);
  });
  expect(bench.device.done).toEqual(["FLUSH", "DISCARD 8+16", "WRITE_ZEROES 32+4"]);
  expect(bench.device.contents.subarray(32 * SECTOR, 36 * SECTOR).some((byte) => byte !== 0)).toBe(false);
  expect(bench.device.contents[36 * SECTOR]).toBe(1);
});

test("answers may come in any order, many at one message, and are reported with one call", () => {
  const bench = new Bench();
  bench.run(function* () {
    for (let tag = 0; tag < 128; tag++) bench.rings.put(0, tag, bench.transfer(OP.READ, tag, 1, tag * SECTOR));
    yield bits(DOORBELL);
    expect(bench.device.pending).toHaveLength(128);
    while (bench.device.pending.length > 0) bench.device.finish(bench.device.pending.length - 1);
    yield bits(bench.device.bitsTake());
    expect(bench.rings.answers().map(([tag]) => tag)).toEqual(Array.from({ length: 128 }, (_, tag) => 127 - tag));
    expect(bench.rings.completions).toBe(1);
  });
});

test("each queue has its ring, its doorbell and its message", () => {
  const bench = new Bench({ queues: 4 }, 4);
  bench.run(function* () {
    for (let queue = 0; queue < 4; queue++) bench.rings.put(queue, 9, bench.transfer(OP.READ, queue, 1, queue * SECTOR));
    yield bits(DOORBELL << 2n);
    expect(bench.device.pending.map(({ queue }) => queue)).toEqual([2]);
    yield bits(0xbn);
    expect(bench.device.pending.map(({ queue }) => queue)).toEqual([2, 0, 1, 3]);
    bench.device.finish(3);
    yield bits(bench.device.bitsTake());
    expect([0, 1, 2, 3].map((queue) => bench.rings.answers(queue))).toEqual([[], [], [], [[9, 0]]]);
  });
});

test("the device's errors are the requests' errors", () => {
  const bench = new Bench();
  bench.device.resultOf = (kind) => (kind === "IN" ? RESULT.IOERR : kind === "FLUSH" ? RESULT.UNSUPPORTED : 77);
  bench.run(function* () {
    bench.rings.put(0, 0, bench.transfer(OP.READ, 0, 1, 0));
    bench.rings.put(0, 1, { op: OP.FLUSH, sector: 0, sectors: 0 });
    bench.rings.put(0, 2, bench.transfer(OP.WRITE, 0, 1, 0));
    yield bits(DOORBELL);
    bench.device.finishAll();
    yield bits(bench.device.bitsTake());
    expect(bench.rings.answers()).toEqual([[0, EIO], [1, EOPNOTSUPP], [2, EIO]]);
  });
});

test("a request that cannot be told to the device is refused, those beside it are not", () => {
  const bench = new Bench();
  bench.run(function* () {
    bench.rings.put(0, 0, { op: 9, sector: 0, sectors: 1 });
    bench.rings.put(0, 1, bench.transfer(OP.READ, 0, 63, 0, 512));
    bench.rings.put(0, 200, bench.transfer(OP.READ, 0, 1, 0));
    bench.rings.put(0, 3, bench.transfer(OP.READ, 0, 1, 0));
    bench.rings.put(0, 3, bench.transfer(OP.READ, 1, 1, 0)); // its tag is taken
    yield bits(DOORBELL);
    expect(bench.rings.answers()).toEqual([[0, EINVAL], [1, EINVAL], [200, EINVAL], [3, EINVAL]]);
    bench.device.finishAll();
    yield bits(bench.device.bitsTake());
    expect(bench.rings.answers()).toEqual([[3, 0]]);
  });
  expect(bench.device.done).toEqual(["IN 0+1"]);
});

describe("devices it does not take", () => {
  const cases: [string, (bench: Bench) => void, DiskOptions, string][] = [
    ["none that is modern", (bench) => { bench.device.hasStructures = false; }, {}, "it has no modern virtio structures"],
    ["one that does not reset", (bench) => { bench.device.neverResets = true; bench.device.reset(); }, {}, "it does not reset"],
    ["a legacy one", () => {}, { features: F_INDIRECT }, "it is a legacy device"],
    ["one without indirect descriptors", () => {}, { features: F_VERSION_1 }, "it offers no indirect descriptors"],
    ["one that refuses what it offered", (bench) => { bench.device.refusesFeatures = true; }, {}, "it refuses the features"],
    ["one with short queues", () => {}, { queueSize: 64 }, "its queue is too short"],
    ["one without messages", (bench) => { bench.device.refusesVectors = true; }, {}, "it takes no interrupt vector"],
    ["one the kernel has a driver for", (bench) => { bench.rings.refusal = -16; }, {}, "the kernel takes no disk from it: 0x10"],
  ];
  test.each(cases)("%s", (_name, spoil, options, reason) => {
    const bench = new Bench(options);
    spoil(bench);
    expect(bench.run(function* () { yield bits(DOORBELL); })).toEqual({ kind: "exited", status: 1 });
    expect(bench.server.log).toEqual([reason]);
    expect(bench.rings.isStarted).toBe(false);
  });
});

describe("devices that go wrong under way: the driver dies, and its successor gets the requests", () => {
  const cases: [string, (device: DiskDevice) => void][] = [
    ["a used entry of no descriptor", (device) => device.usedPut(0, 4711, 1)],
    ["a used entry of a free slot", (device) => device.usedPut(0, 8, 1)],
    ["the same request twice", (device) => { const { head } = device.pending[0]!; device.finish(); device.usedPut(0, head, 1); }],
    ["a used index far ahead", (device) => { device.queues[0]!.used += 1000; device.usedPut(0, 0, 1); }],
    ["a wish to be reset", (device) => device.needReset()],
  ];
  test.each(cases)("%s", (_name, spoil) => {
    const bench = new Bench();
    const outcome = bench.run(function* () {
      bench.rings.put(0, 2, bench.transfer(OP.READ, 0, 1, 0));
      yield bits(DOORBELL);
      spoil(bench.device);
      yield bits(bench.device.bitsTake());
      yield bits(0n);
    });
    expect(outcome.kind).toBe("died");
    expect(bench.server.log.at(-1)).toMatch(/^the device /);
  });
});

test("a ring with more requests than there is room for ends the driver: its successor gets another", () => {
  const bench = new Bench();
  const outcome = bench.run(function* () {
    bench.rings.put(0, 2, bench.transfer(OP.READ, 0, 1, 0));
    bench.rings.spoil(0);
    yield bits(DOORBELL);
    yield bits(0n);
  });
  expect(outcome.kind).toBe("died");
});

test("a device that claims wrong lengths fools nobody: the status decides", () => {
  const bench = new Bench();
  bench.run(function* () {
    bench.rings.put(0, 2, bench.transfer(OP.READ, 0, 1, 0));
    yield bits(DOORBELL);
    const [chain] = bench.device.pending;
    chain!.buffers.at(-1)!.bytes.setUint8(0, RESULT.OK);
    bench.device.usedPut(0, chain!.head, 0xffffffff);
    yield bits(bench.device.bitsTake());
    expect(bench.rings.answers()).toEqual([[2, 0]]);
  });
});

test("a message without news and a doorbell without requests change nothing", () => {
  const bench = new Bench();
  expect(bench.run(function* () {
    yield bits(1n << 32n);
    yield bits(DOORBELL);
    yield bits(~0n >> 1n & ~(1n << 62n) & ~(1n << 63n));
    expect(bench.rings.answers()).toEqual([]);
  })).toEqual({ kind: "stopped" });
});

test("a read-only disk is offered as one", () => {
  const bench = new Bench({ features: F_VERSION_1 | F_INDIRECT | FEATURE.READ_ONLY });
  bench.run(function* () { /* it waits */ });
  expect(bench.rings.geometry?.flags).toBe(FLAG.READ_ONLY);
});

test("random work on random queues equals a model", () => {
  const next = random(Number(process.env["SEED"] ?? 20261125));
  const sectors = 256;
  const bench = new Bench({ sectors, queues: 4 }, 4);
  const model = new Uint8Array(sectors * SECTOR);
  /** Requests under way, by queue and tag; no two overlap, as no order holds among them. */
  const open = new Map<string, { queue: number; tag: number; first: number; count: number; op: number; at: number }>();
  let checked = 0;
  const settle = (): void => {
    for (let queue = 0; queue < 4; queue++) {
      for (const [tag, status] of bench.rings.answers(queue)) {
        const request = open.get(`${queue}/${tag}`)!;
        expect([status, request]).toEqual([0, expect.anything()]);
        open.delete(`${queue}/${tag}`);
        const [from, to] = [request.first * SECTOR, (request.first + request.count) * SECTOR];
        const ram = bench.ram.subarray(request.at, request.at + to - from);
        if (request.op === OP.READ) expect(Buffer.compare(ram, model.subarray(from, to))).toBe(0);
        checked++;
      }
    }
  };
  const outcome = bench.run(function* () {
    for (let round = 0; round < 3000; round++) {
      const [first, count, op] = [next(sectors - 16), 1 + next(16), next(2)];
      const isBusy = [...open.values()].some((other) => first < other.first + other.count && other.first < first + count);
      const queue = next(4);
      const tag = [...Array(128).keys()].find((candidate) => !open.has(`${queue}/${candidate}`));
      let doorbells = 0n;
      if (!isBusy && tag !== undefined) {
        const at = (queue * 128 + tag) * 2048 % (bench.ram.length - 8192);
        const isRoomFree = ![...open.values()].some((other) => Math.abs(other.at - at) < 8192);
        if (isRoomFree) {
          if (op === OP.WRITE) {
            for (let i = 0; i < count * SECTOR; i++) bench.ram[at + i] = next(256);
            model.set(bench.ram.subarray(at, at + count * SECTOR), first * SECTOR);
          }
          open.set(`${queue}/${tag}`, { queue, tag, first, count, op, at });
          bench.rings.put(queue, tag, bench.transfer(op, first, count, at, [512, 1024, 4096][next(3)]!));
          doorbells |= DOORBELL << BigInt(queue);
        }
      }
      if (bench.device.pending.length > 0 && next(3) > 0) bench.device.finish(next(bench.device.pending.length));
      yield bits(doorbells | bench.device.bitsTake());
      settle();
    }
    bench.device.finishAll();
    yield bits(bench.device.bitsTake());
    settle();
  });
  expect(outcome).toEqual({ kind: "stopped" });
  expect(open.size).toBe(0);
  expect(checked).toBeGreaterThan(500);
  expect(Buffer.compare(bench.device.contents, model)).toBe(0);
});
