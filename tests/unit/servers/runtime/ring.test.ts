/** Rings in shared memory: both ends in V8 on one memory, and a test that writes garbage where the other side may (SEED=n replays). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { random } from "../../support/random.ts";

const SEED = Number(process.env["SEED"] ?? 20261125);
const ROUNDS = 400;
const OK = 0;
const NOTHING = 1;
const BROKEN = 2;
const [HEAD, TAIL, SLEEPS, ENTRIES] = [64, 128, 192, 256];
const AT = 0x100000;
const PRIVATE = 0x80000; // entries on their way in and out
const BYTES = 65536;
const ENTRY = 24;
const COUNT = 8;

type Call = (...args: number[]) => number;

class Rings {
  readonly memory: WebAssembly.Memory;
  private readonly call: (name: string) => Call;

  constructor(module: WebAssembly.Module) {
    const nothing = (): number => 0;
    const imports: Record<string, Record<string, () => number>> = {};
    for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = nothing;
    const { exports } = new WebAssembly.Instance(module, imports);
    this.memory = exports["memory"] as WebAssembly.Memory;
    (exports["_initialize"] as Call)();
    this.call = (name) => exports[name] as Call;
  }

  view(): DataView { return new DataView(this.memory.buffer); }
  bytes(): Uint8Array { return new Uint8Array(this.memory.buffer); }
  make(bytes: number, entry: number, entries: number): number { return this.call("ringMake")(AT, bytes, entry, entries); }
  open(bytes: number, entry: number): number { return this.call("ringOpen")(AT, bytes, entry); }
  put(ring: number): number { return this.call("ringPut")(ring, PRIVATE); }
  take(ring: number): number { return this.call("ringTake")(ring, PRIVATE + ENTRY * 2); }
  bell(ring: number): boolean { return this.call("ringBell")(ring) !== 0; }
  sleepBegin(ring: number): boolean { return this.call("ringSleepBegin")(ring) !== 0; }

  putValue(ring: number, value: number): number {
    this.view().setUint32(PRIVATE, value, true);
    this.view().setUint32(PRIVATE + ENTRY - 4, ~value >>> 0, true);
    return this.put(ring);
  }

  taken(): [number, number] {
    const view = this.view();
    return [view.getUint32(PRIVATE + ENTRY * 2, true), ~view.getUint32(PRIVATE + ENTRY * 3 - 4, true) >>> 0];
  }
}

const wasm = new WebAssembly.Module(readFileSync(join(process.cwd(), "build/servers/runtime-test.wasm")));

function pair(): { rings: Rings; putter: number; taker: number } {
  const rings = new Rings(wasm);
  const putter = rings.make(BYTES, ENTRY, COUNT);
  return { rings, putter, taker: rings.open(BYTES, ENTRY) };
}

test("entries arrive in order, once, and a full ring says so; indices wrap", () => {
  const { rings, putter, taker } = pair();
  const pick = random(SEED);
  const model: number[] = [];
  for (let i = 0, next = 1; i < 20_000; i++) {
    if (pick(2)) {
      const result = rings.putValue(putter, next);
      expect(result).toBe(model.length === COUNT ? NOTHING : OK);
      if (result === OK) model.push(next++);
    } else {
      const result = rings.take(taker);
      expect(result).toBe(model.length === 0 ? NOTHING : OK);
      if (result === OK) expect(rings.taken()).toEqual([model[0], model.shift()]);
    }
  }
});

test("a doorbell rings once for a sleeper, and nobody sleeps on a ring with entries", () => {
  const { rings, putter, taker } = pair();
  expect(rings.bell(putter)).toBe(false);
  expect(rings.sleepBegin(taker)).toBe(true);
  expect(rings.putValue(putter, 1)).toBe(OK);
  expect([rings.bell(putter), rings.bell(putter)]).toEqual([true, false]);
  expect(rings.sleepBegin(taker)).toBe(false);
  expect(rings.take(taker)).toBe(OK);
  expect(rings.sleepBegin(taker)).toBe(true);
});

test("no ring is made or opened that does not fit its memory", () => {
  const rings = new Rings(wasm);
  for (const [bytes, entry, entries] of [[100, 8, 1], [BYTES, 0, 8], [BYTES, 12, 8], [BYTES, 8, 6], [BYTES, 8, 8192], [BYTES, 8, 0], [255, 8, 8]] as const) {
    expect([bytes, entry, entries, rings.make(bytes, entry, entries)]).toEqual([bytes, entry, entries, 0]);
  }
  expect(rings.open(BYTES, ENTRY)).toBe(0);
  rings.make(BYTES, ENTRY, COUNT);
  expect(rings.open(ENTRIES + ENTRY * COUNT - 1, ENTRY)).toBe(0);
  expect(rings.open(BYTES, ENTRY + 8)).toBe(0);
  expect(rings.open(ENTRIES + ENTRY * COUNT, ENTRY)).not.toBe(0);
});

test(`${ROUNDS} other sides that write garbage: nothing outside the ring is touched (seed ${SEED})`, () => {
  for (let round = 0; round < ROUNDS; round++) {
    const pick = random(SEED + round);
    const { rings, putter, taker } = pair();
    const end = AT + ENTRIES + ENTRY * COUNT;
    rings.bytes().fill(0x5a, end, end + 4096);
    rings.bytes().fill(0x5a, AT - 4096, AT);
    let put = 0;
    let taken = 0;
    for (let i = 0; i < 60; i++) {
      const side = pick(5);
      if (side === 0) garbage(rings, pick);
      else if (side < 3) put += rings.put(putter) === OK ? 1 : 0;
      else taken += rings.take(taker) === OK ? 1 : 0;
      if (pick(6) === 0) rings.sleepBegin(taker);
      if (pick(6) === 0) rings.bell(putter);
    }
    const around = [...rings.bytes().subarray(end, end + 4096), ...rings.bytes().subarray(AT - 4096, AT)];
    if (!around.every((byte) => byte === 0x5a)) throw new Error(`SEED=${SEED + round}: a store outside the ring`);
    expect(put + taken).toBeLessThanOrEqual(60);
  }
});

/** What a broken or hostile other side does: any word of the ring, most often an index. */
function garbage(rings: Rings, pick: (below: number) => number): void {
  const at = AT + [HEAD, TAIL, SLEEPS, 4, 8, ENTRIES + pick(ENTRY * COUNT / 4) * 4][pick(6)]!;
  const value = pick(3) === 0 ? rings.view().getUint32(at, true) + pick(2 * COUNT) - COUNT : pick(2 ** 32 - 1);
  rings.view().setUint32(at, value >>> 0, true);
}

test("an index that cannot be true breaks the ring for good", () => {
  const { rings, putter, taker } = pair();
  expect(rings.putValue(putter, 1)).toBe(OK);
  rings.view().setUint32(AT + HEAD, COUNT + 1, true);
  expect(rings.take(taker)).toBe(BROKEN);
  rings.view().setUint32(AT + HEAD, 1, true);
  expect(rings.take(taker)).toBe(BROKEN);
  rings.view().setUint32(AT + TAIL, 2, true);
  expect(rings.put(putter)).toBe(BROKEN);
  expect([rings.sleepBegin(taker), rings.bell(putter)]).toEqual([false, false]);
});
