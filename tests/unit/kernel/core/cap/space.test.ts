/**
 * Capability spaces against a reference model: random histories, other CPUs between any two sections under the lock.
 *
 * SEED=n replays a failure, CAP_HISTORIES=n runs more of them.
 */
import { CapMachine } from "./cap-machine.ts";
import { ERRNO, handleOf, HOW, KIND, type ModelObject, type ModelSlot, type ModelSpace, RIGHT } from "./cap-model.ts";
import { random } from "../../../support/random.ts";

const SEED = Number(process.env["SEED"] ?? 20261125);
const HISTORIES = Number(process.env["CAP_HISTORIES"] ?? 30);
const OPERATIONS = 300;
const SPACES = 3;
const CPUS = 4;
/** Operations of other CPUs that come between the sections of one operation, at most, and how deep they interrupt each other. */
const INTERRUPTIONS = 8;
const NESTED_MAX = 3;
const OBJECTS_MIN = 5;
const GENERATIONS = 0x7fff;
const SLOTS = 4096;
const CHUNK_SLOTS = 64;
const SLOT_BYTES = 48;
const TEST_MS = 600_000;

class History {
  private readonly pick: (below: number) => number;
  private readonly stale: number[] = [1, 0, 0xffffffff];
  private readonly held: ModelObject[] = [];
  /** Messages under way. */
  private readonly sent: ModelSlot[][] = [];
  private interruptions = 0;

  constructor(private readonly machine: CapMachine, seed: number) {
    this.pick = random(seed);
    for (let i = 0; i < SPACES; i++) this.spaceAdd();
    machine.interrupt = (depth) => {
      if (depth > NESTED_MAX || this.interruptions === 0 || this.pick(6) > 0) return;
      this.interruptions--;
      this.operation();
    };
  }

  /** A space whose first chunk is nearly full: that it fills up while others look on is the rare case. */
  private spaceAdd(): void {
    const space = this.machine.newSpace();
    for (let left = CHUNK_SLOTS - this.pick(6); left > 0; left--) this.insert(space);
  }

  private one<T>(list: readonly T[]): T { return list[this.pick(list.length)]!; }
  private space(): ModelSpace { return this.one(this.machine.model.spaces); }
  private rights(): number { return this.pick(3) === 0 ? this.pick(RIGHT.ALL + 1) : RIGHT.ALL; }
  private badge(): bigint { return this.pick(4) === 0 ? BigInt(this.pick(5)) : 0n; }

  /** Mostly a handle of the space; sometimes one that was, one of another space, or any number. */
  private handle(space: ModelSpace): number {
    const used = (this.pick(8) === 0 ? this.space() : space).slots.filter((slot) => slot.object);
    if (used.length === 0 || this.pick(8) === 0) return this.pick(4) === 0 ? this.pick(1 << 20) : this.one(this.stale);
    const handle = handleOf(this.one(used));
    if (this.pick(8) === 0) this.stale.push(handle);
    return handle;
  }

  private object(): ModelObject {
    const known = this.held.filter((object) => !object.isDestroyed);
    if (known.length >= OBJECTS_MIN && this.pick(4) > 0) return this.one(known);
    const object = this.machine.newObject(this.one(Object.values(KIND)));
    this.held.push(object);
    return object;
  }

  /** One operation and what other CPUs do meanwhile. */
  step(): void {
    this.interruptions = INTERRUPTIONS;
    this.operation();
  }

  private operation(): void {
    const [space, to] = [this.space(), this.space()];
    const kind = this.pick(100);
    if (kind < 10) this.insert(space);
    else if (kind < 15) this.insertUnder(space);
    else if (kind < 45) this.derive(space, to);
    else if (kind < 60) this.simple("capDrop", space);
    else if (kind < 68) this.simple("capRevoke", space);
    else if (kind < 78) this.lookup(space);
    else if (kind < 86) this.send(space);
    else if (kind < 93) this.receive(to);
    else if (kind < 98) this.letGo();
    else this.close(space);
  }

  private insert(space: ModelSpace): void {
    const [object, rights, badge] = [this.object(), this.rights(), this.badge()];
    const { model, memory } = this.machine;
    this.machine.hold(object); // as its maker does: another CPU may let go of it meanwhile
    this.machine.run("insert", () => model.insert(space, object, rights, badge),
      () => memory.k["capInsert"]!(space.address, object.address, rights, badge) as number);
    this.machine.letGo(object);
  }

  private insertUnder(space: ModelSpace): void {
    const [handle, object, rights] = [this.handle(space), this.object(), this.rights()];
    const { model, memory } = this.machine;
    this.machine.hold(object);
    this.machine.run(`insert under ${handle.toString(16)}`, () => model.insertUnder(space, handle, object, rights),
      () => memory.k["capInsertUnder"]!(space.address, handle, object.address, rights) as number);
    this.machine.letGo(object);
  }

  private derive(from: ModelSpace, to: ModelSpace): void {
    const [handle, rights, badge] = [this.handle(from), this.rights(), this.badge()];
    const { model, memory } = this.machine;
    this.machine.run(`derive ${handle.toString(16)}`, () => model.derive(from, handle, to, rights, badge),
      () => memory.k["capDerive"]!(from.address, handle, to.address, rights, badge) as number);
  }

  /** A message with one to four capabilities sets out; when one of them cannot, the others come back. */
  private send(from: ModelSpace): void {
    const { model, memory } = this.machine;
    const transits = this.machine.newTransits(1 + this.pick(4));
    for (const transit of transits) {
      const [handle, how, rights, badge] = [this.handle(from), this.one(Object.values(HOW)), this.rights(), this.badge()];
      this.machine.wish(transit, rights, badge);
      const result = this.machine.run(`depart ${handle.toString(16)}`, (events) => model.depart(from, handle, transit, how, rights, badge, events),
        () => memory.k["capDepart"]!(from.address, handle, transit.index, how) as number);
      if (result !== 0) return this.comeBack(transits);
    }
    this.sent.push(transits);
  }

  private receive(to: ModelSpace): void {
    const [transits] = this.sent.splice(this.pick(this.sent.length), 1);
    if (!transits) return;
    if (this.pick(4) === 0) return this.comeBack(transits);
    const { model, memory } = this.machine;
    const handles: number[] = [];
    const room = this.machine.memory.k["kzalloc"]!(16) as number;
    const result = this.machine.run("arrive", () => model.arrive(transits, to, handles),
      () => memory.k["capsArrive"]!(transits[0]!.index, transits.length, to.address, room) as number);
    const got = handles.map((_, i) => this.machine.u32(room + i * 4));
    if (got.join() !== handles.join()) throw new Error(`arrive: handles ${got.join()} instead of ${handles.join()}`);
    memory.k["kfree"]!(room);
    if (result === 0) this.machine.freeTransits(transits);
    else this.comeBack(transits);
  }

  private comeBack(transits: readonly ModelSlot[]): void {
    const { model, memory } = this.machine;
    for (const transit of transits) {
      this.machine.run("come back", (events) => model.comeBack(transit, events), () => {
        memory.k["capReturn"]!(transit.index);
        return 0;
      });
    }
    this.machine.freeTransits(transits);
  }

  private simple(name: "capDrop" | "capRevoke", space: ModelSpace): void {
    const handle = this.handle(space);
    const { model, memory } = this.machine;
    this.machine.run(`${name} ${handle.toString(16)}`,
      (events) => (name === "capDrop" ? model.drop(space, handle, events) : model.revoke(space, handle, events)),
      () => memory.k[name]!(space.address, handle) as number);
  }

  private lookup(space: ModelSpace): void {
    const [handle, kind, rights] = [this.handle(space), this.one(Object.values(KIND)), this.pick(3) === 0 ? this.rights() : 0];
    const { model, memory } = this.machine;
    const found = this.machine.run(`lookup ${handle.toString(16)}`, () => model.lookup(space, handle, kind, rights),
      () => memory.k["capLookup"]!(space.address, handle, kind, rights) as number);
    if (found > 0) this.held.push(model.objects.find((object) => object.address === found && !object.isDestroyed)!);
  }

  private letGo(): void {
    if (this.held.length === 0) return;
    const [object] = this.held.splice(this.pick(this.held.length), 1);
    this.machine.letGo(object!);
  }

  /** The end of a process; a new space takes its place. */
  private close(space: ModelSpace): void {
    this.closeOne(space);
    if (this.machine.model.spaces.filter(({ isClosed }) => !isClosed).length < SPACES) this.spaceAdd();
  }

  private closeOne(space: ModelSpace): void {
    const { model, memory } = this.machine;
    this.machine.run("close", (events) => model.close(space, events), () => {
      memory.k["capSpaceClose"]!(space.address);
      return 0;
    });
  }

  /** Everything goes: nothing may be left. */
  end(): void {
    const { model, memory } = this.machine;
    this.machine.interrupt = null;
    for (const space of model.spaces) this.closeOne(space);
    for (const transits of this.sent.splice(0)) this.comeBack(transits);
    expect(memory.k["capCountAll"]!()).toBe(0);
    while (this.held.length > 0) this.letGo();
  }
}

test(`${HISTORIES} histories on ${CPUS} CPUs do what the model says (seed ${SEED})`, async () => {
  for (let round = 0; round < HISTORIES; round++) {
    const machine = await CapMachine.start(CPUS);
    const history = new History(machine, SEED + round);
    for (let i = 0; i < OPERATIONS; i++) {
      try {
        history.step();
        if (machine.problem()) throw new Error(machine.problem());
      } catch (error) {
        throw new Error(`SEED=${SEED + round}, operation ${i}: ${(error as Error).message}`, { cause: error });
      }
    }
    history.end();
    expect({ seed: SEED + round, problem: machine.problem() }).toEqual({ seed: SEED + round, problem: "" });
    expect(machine.model.objects.every((object) => object.isDestroyed)).toBe(true);
  }
}, TEST_MS);

async function oneObject(): Promise<{ machine: CapMachine; space: ModelSpace; object: ModelObject }> {
  const machine = await CapMachine.start(1);
  return { machine, space: machine.newSpace(), object: machine.newObject(KIND.ENDPOINT) };
}

test("a handle names nothing until its slot's generations have gone round", async () => {
  const { machine, space, object } = await oneObject();
  const { k } = machine.memory;
  const first = k["capInsert"]!(space.address, object.address, RIGHT.ALL, 0n) as number;
  for (let left = CHUNK_SLOTS - 2; left > 0; left--) k["capInsert"]!(space.address, object.address, RIGHT.ALL, 0n); // one slot is free
  const second = k["capDerive"]!(space.address, first, space.address, RIGHT.ALL, 0n) as number;
  for (let i = 1, handle = second; i < GENERATIONS; i++) {
    expect(k["capDrop"]!(space.address, handle)).toBe(0);
    handle = k["capDerive"]!(space.address, first, space.address, RIGHT.ALL, 0n) as number;
    if (handle <= 0 || (handle & 0xffff) !== (second & 0xffff)) throw new Error(`handle ${handle.toString(16)}`);
    if (k["capLookup"]!(space.address, second, KIND.ENDPOINT, 0) !== ERRNO.BADF) throw new Error(`stale after ${i}`);
    if (i === GENERATIONS - 1) expect(k["capDrop"]!(space.address, handle)).toBe(0);
  }
  expect(k["capDerive"]!(space.address, first, space.address, RIGHT.ALL, 0n)).toBe(second);
});

test("slots are used again in the order in which they were freed", async () => {
  const { machine, space, object } = await oneObject();
  const { k } = machine.memory;
  const insert = (): number => k["capInsert"]!(space.address, object.address, RIGHT.ALL, 0n) as number;
  const handles = Array.from({ length: CHUNK_SLOTS }, insert);
  for (const index of [9, 3, 40]) k["capDrop"]!(space.address, handles[index]);
  const again = insert();
  expect(again).toBe(handles[9]! + 0x10000);
  k["capDrop"]!(space.address, again);
  expect([insert(), insert(), insert()].map((handle) => [handle & 0xffff, handle >> 16])).toEqual([[3, 2], [40, 2], [9, 3]]);
});

describe("a handle that names nothing", () => {
  const WILD = [0, 1, 0x10fff, 0xffffffff, 0x7fff0000];

  /** What every operation that takes a handle says to this one. */
  function answers(machine: CapMachine, space: ModelSpace, handle: number): number[] {
    const { k } = machine.memory;
    const room = k["kzalloc"]!(SLOT_BYTES) as number;
    const object = machine.newObject(KIND.MEMORY);
    const badge = k["kzalloc"]!(8) as number;
    return [
      k["capLookup"]!(space.address, handle, KIND.ENDPOINT, 0), k["capLookupBadge"]!(space.address, handle, KIND.ENDPOINT, 0, badge),
      k["capDescribe"]!(space.address, handle, room), k["capDrop"]!(space.address, handle), k["capRevoke"]!(space.address, handle),
      k["capDerive"]!(space.address, handle, space.address, RIGHT.ALL, 0n), k["capInsertUnder"]!(space.address, handle, object.address, RIGHT.ALL),
      k["capDepart"]!(space.address, handle, room, HOW.COPY),
    ] as number[];
  }

  test("is ESTALE when it was revoked, EBADF when it was dropped, moved away, or never given", async () => {
    const { machine, space, object } = await oneObject();
    const { k } = machine.memory;
    const root = k["capInsert"]!(space.address, object.address, RIGHT.ALL, 0n) as number;
    const derive = (): number => k["capDerive"]!(space.address, root, space.address, RIGHT.ALL, 0n) as number;
    const [dropped, moved, revoked] = [derive(), derive(), derive()];
    const room = k["kzalloc"]!(SLOT_BYTES) as number;
    const handles = k["kzalloc"]!(4) as number;
    k["capDrop"]!(space.address, dropped);
    expect([k["capDepart"]!(space.address, moved, room, HOW.MOVE), k["capsArrive"]!(room, 1, machine.newSpace().address, handles)]).toEqual([0, 0]);
    expect(k["capRevoke"]!(space.address, root)).toBe(2);
    expect(new Set(answers(machine, space, revoked))).toEqual(new Set([ERRNO.STALE]));
    for (const handle of [...WILD, dropped, moved, revoked + 0x10000]) expect(new Set(answers(machine, space, handle))).toEqual(new Set([ERRNO.BADF]));
  });

  test("is ESTALE when it was revoked on its way", async () => {
    const { machine, space, object } = await oneObject();
    const { k } = machine.memory;
    const root = k["capInsert"]!(space.address, object.address, RIGHT.ALL, 0n) as number;
    const moved = k["capDerive"]!(space.address, root, space.address, RIGHT.ALL, 0n) as number;
    const room = k["kzalloc"]!(SLOT_BYTES) as number;
    k["capDepart"]!(space.address, moved, room, HOW.MOVE);
    expect(k["capRevoke"]!(space.address, root)).toBe(1);
    expect(k["capLookup"]!(space.address, moved, KIND.ENDPOINT, 0)).toBe(ERRNO.STALE);
    k["capReturn"]!(room);
    expect(k["capLookup"]!(space.address, moved, KIND.ENDPOINT, 0)).toBe(ERRNO.STALE);
  });

  test("is EBADF again when something else was revoked in its slot", async () => {
    const { machine, space, object } = await oneObject();
    const { k } = machine.memory;
    const root = k["capInsert"]!(space.address, object.address, RIGHT.ALL, 0n) as number;
    for (let left = CHUNK_SLOTS - 2; left > 0; left--) k["capInsert"]!(space.address, object.address, RIGHT.ALL, 0n);
    const handles = [0, 1].map(() => {
      const handle = k["capDerive"]!(space.address, root, space.address, RIGHT.ALL, 0n) as number;
      k["capRevoke"]!(space.address, root);
      return handle;
    });
    expect(handles.map((handle) => k["capLookup"]!(space.address, handle, KIND.ENDPOINT, 0))).toEqual([ERRNO.BADF, ERRNO.STALE]);
  });
});

test("a full space says so and takes more once something went", async () => {
  const { machine, space, object } = await oneObject();
  const { k } = machine.memory;
  const insert = (): number => k["capInsert"]!(space.address, object.address, RIGHT.ALL, 0n) as number;
  const handles = Array.from({ length: SLOTS }, insert);
  expect(new Set(handles).size).toBe(SLOTS);
  expect(insert()).toBe(ERRNO.NOMEM);
  expect(k["capDerive"]!(space.address, handles[0], space.address, RIGHT.ALL, 0n)).toBe(ERRNO.NOMEM);
  expect(k["capDrop"]!(space.address, handles[7])).toBe(0);
  expect(insert() & 0xffff).toBe(handles[7]! & 0xffff);
});

test("a closed space takes nothing, and a space outlives whoever still uses it", async () => {
  const { machine, space, object } = await oneObject();
  const { k } = machine.memory;
  k["capSpaceGet"]!(space.address);
  const other = machine.newSpace();
  const handle = k["capInsert"]!(other.address, object.address, RIGHT.ALL, 0n) as number;
  k["capSpaceClose"]!(space.address);
  k["capSpacePut"]!(space.address);
  expect(k["capDerive"]!(other.address, handle, space.address, RIGHT.ALL, 0n)).toBe(ERRNO.STALE);
  expect(k["capInsert"]!(space.address, object.address, RIGHT.ALL, 0n)).toBe(ERRNO.STALE);
  k["capSpacePut"]!(space.address);
});
