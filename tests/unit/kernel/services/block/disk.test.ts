/**
 * Disks behind drivers that lie, die and come back: no request is lost, none is completed twice, every frame comes home. SEED=n replays, STEPS=n
 * is the length of the random run.
 */
import { DiskMachine, DriverRing, HonestDriver, OP, REPLAY, type RingRequest, STATE } from "./disk-machine.ts";
import { random } from "../../../support/random.ts";

const EIO = -5;
const EBUSY = -16;
const EINVAL = -22;
const EPROTO = -71;
const EOPNOTSUPP = -95;
const ESTALE = -116;
const SEED = Number(process.env["SEED"] ?? 20261125);
const STEPS = Number(process.env["STEPS"] ?? 2500);
const CPUS = 8;
/** Lives that one poisonous request may cost. */
const DRIVERS_MOST = 20;

function submit(machine: DiskMachine, op: number, sector: number, sectors: number): number {
  const { vfs, disk } = machine;
  const request = op === OP.READ || op === OP.WRITE
    ? vfs.call("requestCreatePages", op, BigInt(sector), sectors * 512) : vfs.call("requestCreate", op, BigInt(sector));
  expect(request).not.toBe(0);
  vfs.exports.diskSubmit(disk, request);
  return request;
}

test("a request waits for a driver to come, and for it to be ready", async () => {
  const machine = await DiskMachine.start();
  const request = submit(machine, OP.READ, 8, 8);
  expect(machine.attach()).toBe(1);
  expect(machine.requestField(request, "state")).toBe(STATE.WAITING);
  machine.start();
  expect(machine.requestField(request, "state")).toBe(STATE.ISSUED);
  const ring = machine.ring(0);
  const [taken] = ring.take();
  expect(taken).toMatchObject({ op: OP.READ, sector: 8, sectors: 8, flags: 0 });
  ring.answer(taken!.id, 0);
  expect(machine.complete(0)).toBe(1);
  expect(machine.requestField(request, "state")).toBe(STATE.DONE);
});

test("a second driver is refused while the first is there, and one of before has no say", async () => {
  const machine = await DiskMachine.start();
  expect(machine.attach()).toBe(1);
  expect(machine.attach()).toBe(EBUSY);
  const old = machine.diskField("generation");
  machine.detach();
  expect(machine.attach()).toBe(1);
  expect(machine.complete(0, old)).toBe(ESTALE);
  expect(machine.vfs.call("diskRing", machine.disk, old, 0)).toBe(ESTALE);
  expect(machine.vfs.call("diskRing", machine.disk, machine.diskField("generation"), 1)).toBe(EINVAL);
  machine.vfs.call("diskDetach", machine.disk, old);
  expect(machine.diskField("queues")).toBe(1);
});

test("what a dead driver had taken comes to the next one first, in order and marked", async () => {
  const machine = await DiskMachine.start();
  machine.attach({ queues: 2 });
  machine.start();
  const requests = Array.from({ length: 300 }, (_, i) => {
    machine.cpuSet(i % 2);
    return submit(machine, OP.WRITE, i, 1);
  });
  expect(machine.ring(0).take()).toHaveLength(128); // no more tags: the rest waits
  machine.detach();
  machine.attach({ queues: 1 });
  machine.start();
  const taken = machine.ring(0).take();
  expect(taken.map(({ sector }) => sector)).toEqual(Array.from({ length: 128 }, (_, i) => i));
  expect(taken.every(({ flags }) => flags === REPLAY)).toBe(true);
  const seen = new Set<number>();
  for (let queue: readonly RingRequest[] = taken; queue.length > 0; queue = machine.ring(0).take()) {
    const ring = machine.ring(0);
    for (const { id, sector } of queue) {
      expect(seen.has(sector)).toBe(false);
      seen.add(sector);
      ring.answer(id, 0);
    }
    expect(machine.complete(0)).toBe(queue.length);
  }
  expect(seen.size).toBe(300);
  expect(requests.every((request) => machine.requestField(request, "state") === STATE.DONE)).toBe(true);
});

test.each([
  ["success", 0, 0], ["an error", EIO, EIO], ["what the device cannot do", EOPNOTSUPP, EOPNOTSUPP],
  ["an errno of the driver's fancy", -1, EIO], ["a positive number", 7, EIO], ["the lowest number", -0x80000000, EIO],
])("a status is %s", async (_name, told, status) => {
  const machine = await DiskMachine.start();
  machine.attach();
  machine.start();
  const request = submit(machine, OP.READ, 0, 1);
  const ring = machine.ring(0);
  ring.answer(ring.take()[0]!.id, told);
  machine.complete(0);
  expect(machine.requestField(request, "status") | 0).toBe(status);
});

describe("nonsense is seen, and changes nothing", () => {
  const cases: [string, (ring: DriverRing, id: bigint) => void][] = [
    ["a counter far ahead", (ring) => ring.counterSet("completeHead", 129)],
    ["a counter that went back", (ring) => ring.counterSet("completeHead", 0xffffffff)],
    ["an id of another generation", (ring, id) => ring.answer(id + (1n << 32n), 0)],
    ["a tag too large", (ring, id) => ring.answer((id & ~0xffffffffn) | 128n, 0)],
    ["a tag that is free", (ring, id) => ring.answer(id + 5n, 0)],
  ];
  test.each(cases)("%s", async (_name, spoil) => {
    const machine = await DiskMachine.start();
    machine.attach();
    machine.start();
    const request = submit(machine, OP.READ, 0, 1);
    const ring = machine.ring(0);
    spoil(ring, ring.take()[0]!.id);
    expect(machine.complete(0)).toBe(EPROTO);
    expect(machine.requestField(request, "state")).toBe(STATE.ISSUED);
    expect(machine.listed()).toEqual([request]);
  });
});

test("a request whose caller was killed keeps its frames until the device let go of them", async () => {
  const machine = await DiskMachine.start();
  const before = machine.vfs.inUse();
  machine.attach();
  machine.start();
  const request = submit(machine, OP.READ, 0, 256);
  machine.requestSet(request, "isAbandoned", 1);
  machine.detach();
  expect(machine.vfs.inUse().pages).toBeGreaterThanOrEqual(before.pages + 32);
  machine.attach();
  machine.start();
  const ring = machine.ring(0);
  ring.answer(ring.take()[0]!.id, 0);
  expect(machine.complete(0)).toBe(1);
  machine.detach();
  expect(machine.vfs.inUse()).toEqual(before);
});

test("a caller that waits is woken with the status", async () => {
  const machine = await DiskMachine.start();
  machine.sleepingInit();
  const driver = new HonestDriver(machine);
  driver.contents.fill(0x42, 512, 1024);
  driver.serve();
  const request = machine.vfs.call("requestCreatePages", OP.READ, 1n, 512);
  expect(machine.vfs.call("diskTransfer", machine.disk, request)).toBe(0);
  const pa = BigInt.asUintN(64, machine.vfs.exports.requestPiecePa(request, 0) as bigint);
  expect(machine.vfs.machine.bytes(pa, 512).every((byte) => byte === 0x42)).toBe(true);
  machine.vfs.exports.requestFree(request);
  expect(machine.vfs.call("diskFlush", machine.disk)).toBe(0);
  expect(driver.done).toEqual(["READ 1+1", "FLUSH 0+0"]);
});

/** D1 and D2 as they show from outside; requests are told apart by address, which no other has while it is listed. */
function check(machine: DiskMachine, open: readonly number[]): void {
  const listed = machine.listed();
  expect(listed).toEqual(open); // D1: all that are not done, in order of submission
  const issued = listed.filter((request) => machine.requestField(request, "state") === STATE.ISSUED);
  const tags = new Set(issued.map((request) => machine.requestField(request, "queue") * 1000 + machine.requestField(request, "tag")));
  expect(tags.size).toBe(issued.length); // D2
  if (machine.diskField("queues") === 0) expect(issued).toHaveLength(0);
  expect(machine.diskField("waiting")).toBe(listed.length - issued.length);
}

/** What is in use when no CPU keeps a stock of objects and pages. */
function leftInUse(machine: DiskMachine): ReturnType<DiskMachine["vfs"]["inUse"]> {
  for (let id = CPUS - 1; id > 0; id--) {
    machine.cpuSet(id);
    machine.vfs.inUse();
  }
  machine.cpuSet(0);
  return machine.vfs.inUse();
}

test("a request that every driver dies of fails alone, after a limited number of drivers; all others are done", async () => {
  const POISON = 77;
  const machine = await DiskMachine.start();
  const requests = Array.from({ length: 40 }, (_, i) => submit(machine, OP.READ, i === 20 ? POISON : 1000 + i, 1));
  const poisoned = requests[20]!;
  let deaths = 0;
  for (; machine.listed().length > 0; deaths++) {
    expect(deaths).toBeLessThan(DRIVERS_MOST);
    machine.attach();
    machine.start();
    const ring = machine.ring(0);
    for (let taken = ring.take(); taken.length > 0 && !taken.some(({ sector }) => sector === POISON); taken = ring.take()) {
      for (const { id } of taken) ring.answer(id, 0);
      machine.complete(0);
    }
    machine.detach(); // it has met the poison before it could answer what came with it
  }
  expect(deaths).toBeGreaterThan(2); // one death is nothing
  for (const request of requests) expect(machine.requestField(request, "status") | 0).toBe(request === poisoned ? EIO : 0);
  expect([machine.diskField("suspects"), machine.diskField("inFlight"), machine.diskField("waiting")]).toEqual([0, 0, 0]);
});

test("drivers that are killed while they get work done make no request fail", async () => {
  const machine = await DiskMachine.start();
  const requests = Array.from({ length: 200 }, (_, i) => submit(machine, OP.READ, i, 1));
  for (let kills = 0; machine.listed().length > 0; kills++) {
    expect(kills).toBeLessThan(300);
    machine.attach();
    machine.start();
    const ring = machine.ring(0);
    const [first] = ring.take();
    ring.answer(first!.id, 0); // one request a life
    machine.complete(0);
    ring.take();
    machine.detach();
  }
  for (const request of requests) expect(machine.requestField(request, "status")).toBe(0);
});

test("drivers that write garbage, answer twice and die at any moment lose and double nothing", async () => {
  const next = random(SEED);
  const machine = await DiskMachine.start();
  const before = machine.vfs.inUse();
  let open: number[] = [];
  const abandoned = new Set<number>();
  /** Ids a driver saw, of any generation: what a liar or a late one would answer with. */
  const seen: [number, bigint][] = [];
  const counts = { done: 0, nonsense: 0, deaths: 0, lies: 0 };

  /** After anything the driver may have finished: those that left the list are done, once. */
  const settle = (): void => {
    const listed = new Set(machine.listed());
    open = open.filter((request) => {
      if (listed.has(request)) return true;
      counts.done++;
      if (abandoned.delete(request)) return false; // it freed itself
      expect(machine.requestField(request, "state")).toBe(STATE.DONE);
      machine.vfs.exports.requestFree(request);
      return false;
    });
    check(machine, open);
  };
  const complete = (queue: number): void => {
    const result = machine.complete(queue);
    settle();
    if (result !== EPROTO) return;
    counts.nonsense++;
    machine.detach();
    settle();
  };
  const steps: (() => void)[] = [
    () => {
      if (open.length > 400) return;
      machine.cpuSet(next(CPUS));
      const op = next(4) === 0 ? OP.FLUSH : next(2);
      open.push(submit(machine, op, next(4000), 1 + next(24)));
    },
    () => {
      const request = open[next(open.length || 1)];
      if (request === undefined || next(4) !== 0) return;
      machine.requestSet(request, "isAbandoned", 1);
      abandoned.add(request);
    },
    () => {
      if (machine.attach({ queues: 1 + next(CPUS) }) < 0) return;
      if (next(4) > 0) machine.start();
    },
    () => { if (machine.diskField("queues") > 0) machine.start(); },
    () => {
      if (next(8) > 0 || machine.diskField("queues") === 0) return;
      counts.deaths++;
      machine.detach();
      settle(); // a request that too many had died of has failed
    },
    () => { // honest, in any order
      const queues = machine.diskField("queues");
      if (queues === 0) return;
      const queue = next(queues);
      const ring = machine.ring(queue);
      if (((ring.counter("submitHead") - ring.counter("submitTail")) >>> 0) > 128) return; // a counter was spoilt
      const taken = ring.take().sort(() => next(3) - 1);
      for (const { id } of taken) {
        seen.push([queue, id]);
        if (next(5) > 0) ring.answer(id, next(6) === 0 ? EIO : 0);
      }
      complete(queue);
    },
    () => { // again, late, or never given
      const queues = machine.diskField("queues");
      if (queues === 0 || next(4) > 0) return;
      const [queue, id] = seen[next(seen.length || 1)] ?? [0, 0n];
      counts.lies++;
      machine.ring(queue % queues).answer(next(3) > 0 ? id : (BigInt(next(1 << 30)) << 32n) | BigInt(next(200)), next(100) - 50);
      complete(queue % queues);
    },
    () => { // anything anywhere
      const queues = machine.diskField("queues");
      if (queues === 0 || next(6) > 0) return;
      const queue = next(queues);
      const ring = machine.ring(queue);
      const place = next(3);
      for (let i = 0; i < 1 + next(8); i++) {
        const at = place === 0 ? next(8) * 4 : place === 1 ? DriverRing.completionsAt + next(512) * 4 : next(DriverRing.bytes / 4) * 4;
        ring.poke(at, next(4) > 0 ? next(0x7fffffff) * 2 : next(300));
      }
      counts.lies++;
      complete(queue);
    },
  ];
  for (let step = 0; step < STEPS; step++) {
    steps[next(steps.length)]!();
    check(machine, open);
  }

  machine.detach();
  machine.attach({ queues: 4 });
  machine.start();
  for (let round = 0; round < 500 && open.length > 0; round++) { // one at a time, while one is suspect
    for (let queue = 0; queue < 4; queue++) {
      const ring = machine.ring(queue);
      for (const { id } of ring.take()) ring.answer(id, 0);
      expect(machine.complete(queue)).toBeGreaterThanOrEqual(0);
      settle();
    }
  }
  machine.detach();
  expect(open).toEqual([]);
  expect(leftInUse(machine)).toEqual(before);
  expect(Math.min(...Object.values(counts))).toBeGreaterThan(3);
}, 60_000);
