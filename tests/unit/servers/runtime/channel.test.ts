/** Channels: both ends in V8, the kernel between them played by the test; guests that die, guests that lie, and callers that send nonsense (SEED=n replays). */
import { channel } from "../../support/channel.gen.ts";
import { COMPILE_MS, loadManaged, type Managed } from "../../support/managed.ts";
import { MessageKernel } from "../../support/message-kernel.ts";
import { random } from "../../support/random.ts";
import { utf8 } from "../../support/protocol.ts";
import type { Message } from "../../support/protocol-stubs.ts";

const SEED = Number(process.env["SEED"] ?? 20261126);
const ENTRIES = 8;
const [OK, NOTHING, BROKEN] = [0, 1, 2];
const [EIO, EINVAL, ESTALE, ENOSYS] = [-5, -22, -116, -38];
const ENDPOINT = 0x10001;
const ENTRY = 0x3f0000;
const AT = 0x300000;
const [HOST_BITS, GUEST_BITS] = [2n, 4n];

class World {
  readonly kernel: MessageKernel;
  /** What may spoil a message on its way; an answer instead of the host's. */
  onCall: (message: Message) => Message;
  readonly module: Managed;
  private guestBell = { rung: 0n };

  static async open(): Promise<World> {
    const kernel = new MessageKernel();
    return new World(await loadManaged("tests/unit/servers/runtime/channel.as.ts", kernel.imports()), kernel);
  }

  constructor(module: Managed, kernel: MessageKernel) {
    this.module = module;
    this.kernel = kernel;
    this.onCall = (message) => this.host(message);
    kernel.open(module.memory, (_, message) => this.onCall(message));
    kernel.give(7, { rung: 0n }); // the host's bell
    module.exports["hostOpen"](kernel.give(kernel.next(), { quota: true }), ENTRIES);
  }

  /** One call of the host. */
  host(message: Message): Message {
    const at = this.module.exports["hostMessage"]() as number;
    this.kernel.deliver(at, message);
    const label = this.module.exports["hostServe"](message.label) as number;
    return this.kernel.sent(at, label);
  }

  call(name: string, ...args: number[]): number { return Number(this.module.exports[name](...args)); }

  attach(): boolean {
    this.guestBell = { rung: 0n };
    return this.call("attach", ENDPOINT, this.kernel.give(this.kernel.next(), this.guestBell)) !== 0;
  }

  bells(): { guest: bigint; host: bigint } { return { guest: this.guestBell.rung, host: (this.kernel.object(7) as { rung: bigint }).rung }; }
  entry(): { number: bigint; value: bigint } {
    const view = new DataView(this.module.memory.buffer);
    return { number: view.getBigUint64(ENTRY, true), value: view.getBigUint64(ENTRY + 8, true) };
  }
  entrySet(number: bigint, value: bigint): void {
    const view = new DataView(this.module.memory.buffer);
    view.setBigUint64(ENTRY, number, true);
    view.setBigUint64(ENTRY + 8, value, true);
  }
}

test(`each piece of work is answered once, whatever becomes of its guests (seed ${SEED})`, async () => {
  const pick = random(SEED);
  const world = await World.open();
  expect(world.attach()).toBe(true);
  let put = 0n;
  let inHand: bigint[] = [];
  const answered = new Map<bigint, number>();
  for (let step = 0; step < 20_000; step++) {
    const what = pick(40);
    if (what === 0) {
      inHand = [];
      expect(world.attach()).toBe(true);
    } else if (what < 14) {
      world.entrySet(0n, put + 1000n);
      const isIn = world.call("put", ENTRY) !== 0;
      expect(isIn).toBe(Number(put) - oldestOf(answered, put) < ENTRIES);
      if (isIn) put++;
    } else if (what < 26) {
      if (world.call("workTake", ENTRY) !== OK) continue;
      const { number, value } = world.entry();
      expect(value).toBe(number + 1000n);
      expect(answered.has(number) || inHand.includes(number)).toBe(false);
      inHand.push(number);
    } else if (what < 33 && inHand.length > 0) {
      const [number] = inHand.splice(pick(inHand.length), 1); // in any order
      world.entrySet(number!, number! * 2n);
      expect(world.call("answer", ENTRY)).toBe(OK);
    } else if (world.call("take", ENTRY) === OK) {
      const { number, value } = world.entry();
      expect(value).toBe(number * 2n);
      answered.set(number, (answered.get(number) ?? 0) + 1);
    }
  }
  expect(new Set(answered.values())).toEqual(new Set([1]));
  expect(answered.size).toBeGreaterThan(1000);
  expect(world.call("repeated")).toBeGreaterThan(100);
}, COMPILE_MS);

/** The first number that is not answered. */
function oldestOf(answered: ReadonlyMap<bigint, number>, put: bigint): number {
  let oldest = 0n;
  while (oldest < put && answered.has(oldest)) oldest++;
  return Number(oldest);
}

test("work that waits for its first guest reaches it; bells ring for sleepers only, who a host without a guest is", async () => {
  const world = await World.open();
  expect(world.call("put", ENTRY)).toBe(1);
  expect(world.attach()).toBe(true);
  expect(world.call("workTake", ENTRY)).toBe(OK);
  world.call("answer", ENTRY);
  expect(world.bells().host).toBe(0n);
  world.call("ringHost");
  expect(world.bells().host).toBe(HOST_BITS);
  expect(world.call("take", ENTRY)).toBe(OK);
  expect(world.call("workTake", ENTRY)).toBe(NOTHING);
  world.call("put", ENTRY);
  world.call("ringGuest");
  expect(world.bells().guest).toBe(0n);
  expect(world.call("workTake", ENTRY)).toBe(OK);
  expect([world.call("guestMaySleep"), world.call("sleep")]).toEqual([1, 1]);
  world.call("put", ENTRY);
  world.call("ringGuest");
  world.call("answer", ENTRY);
  world.call("ringHost");
  expect(world.bells()).toEqual({ guest: GUEST_BITS, host: HOST_BITS });
}, COMPILE_MS);

test("a guest that answers what nobody asked is not heard any more; the next one does its work", async () => {
  const world = await World.open();
  world.attach();
  world.call("put", ENTRY);
  expect(world.call("workTake", ENTRY)).toBe(OK);
  const { number } = world.entry();
  for (const wrong of [number + 1n, 1n << 40n]) {
    world.attach();
    world.entrySet(wrong, 0n);
    world.call("answer", ENTRY);
    world.entrySet(number, 0n);
    world.call("answer", ENTRY);
    expect([world.call("take", ENTRY), world.call("take", ENTRY)]).toEqual([BROKEN, BROKEN]);
  }
  world.attach();
  expect(world.call("workTake", ENTRY)).toBe(OK);
  expect(world.entry().number).toBe(number);
  world.call("answer", ENTRY);
  expect(world.call("take", ENTRY)).toBe(OK);
  world.call("answer", ENTRY); // a second time
  expect(world.call("take", ENTRY)).toBe(BROKEN);
}, COMPILE_MS);

test("a guest whose place was taken, or whose host is gone, hears so; its memory is the host's no longer", async () => {
  const world = await World.open();
  world.attach();
  expect(world.call("isWelcome")).toBe(1);
  const [first] = world.kernel.memories();
  expect(channel.answer("attach", world.host(channel.call("attach", { ...ATTACH, bell: {} }))).reply.generation).toBe(2);
  expect(world.call("isWelcome")).toBe(0);
  expect(first!.isRevoked).toBe(true);
  expect(channel.answer("check", world.host(channel.call("check", { generation: 1 }))).status).toBe(ESTALE);
  expect(channel.answer("check", world.host(channel.call("check", { generation: 2 }))).status).toBe(0);
}, COMPILE_MS);

const ATTACH = { workBytes: 16, answerBytes: 16, bits: 1n, name: utf8("other") };

test("the server's stub refuses malformed requests and unknown methods, and lets go of what came with them", async () => {
  const world = await World.open();
  const good = channel.call("attach", { ...ATTACH, bell: {} });
  const long = new Uint8Array(good.bytes);
  new DataView(long.buffer).setUint32(16, 769, true);
  const spoilt: [Message, number][] = [
    [{ ...good, bytes: good.bytes.subarray(8) }, EINVAL], [{ ...good, bytes: new Uint8Array(0) }, EINVAL], [{ ...good, caps: [] }, EINVAL],
    [{ ...good, caps: [{}, {}] }, EINVAL], [{ ...good, bytes: long }, EINVAL], [{ ...good, label: 3 }, ENOSYS], [{ ...good, label: 0 }, ENOSYS],
    [channel.call("attach", { ...ATTACH, workBytes: 24, bell: {} }), EINVAL],
  ];
  for (const [message, status] of spoilt) {
    const answer = world.host(message);
    expect([answer.label, answer.bytes.length, answer.caps.length]).toEqual([status, 0, 0]);
    expect(world.kernel.dropped.splice(0)).toEqual(message.caps);
  }
}, COMPILE_MS);

test("the client's stub believes no answer that is none", async () => {
  const world = await World.open();
  const reply = { generation: 1, bytes: 8192, answersAt: 4096, bits: 1n, memory: {}, bell: {} };
  const good = channel.serve({ attach: () => reply });
  const answers: ((message: Message) => Message)[] = [
    (message) => ({ ...good(message), label: 1 }), (message) => ({ ...good(message), label: -4096 }),
    (message) => ({ ...good(message), bytes: new Uint8Array(16) }), (message) => ({ ...good(message), caps: [{}] }),
    (message) => ({ ...good(message), caps: [{}, {}, {}] }), channel.serve({ attach: () => EIO }), channel.serve({}),
  ];
  for (const answer of answers) {
    world.onCall = answer;
    expect(world.attach()).toBe(false);
  }
  world.onCall = good;
  expect(world.attach()).toBe(false); // the memory has no rings in it
  expect(new DataView(world.module.memory.buffer).getUint32(AT, true)).toBe(0);
}, COMPILE_MS);
