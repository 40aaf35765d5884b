/** Parcels: bytes and capabilities all arrive or none does, whatever is wrong with either side, and nothing is left behind. */
import { structLayout } from "../../../support/struct-layout.ts";
import { loadMemory, MAP, type Memory, PROT, userSpace } from "../mm/memory.ts";

const COUNTERS = structLayout("kernel/core/ipc/parcel.ts", "IpcCounters");
const MESSAGE = structLayout("kernel/abi/capability.ts", "IpcMessage");
const ERRNO = { BADF: -9, NOMEM: -12, ACCES: -13, FAULT: -14, BUSY: -16, INVAL: -22, MSGSIZE: -90, STALE: -116 } as const;
const RIGHT = { GRANT: 128, ALL: 0x1ff } as const;
const KIND = { MEMORY: 4, ENDPOINT: 2 } as const;
const SEND = 0x200000n;
const RECEIVE = 0x300000n;
const BAD = 0x7000_0000n;
const ROOM = 65536;
const SENT = 0xe00000; // an IpcMessage, in linear memory above the static data
const ARRIVED = 0xe00100;
const [COPY, MOVE, MINT] = [0, 1, 2];

class Sides {
  readonly from: number;
  readonly to: number;

  private constructor(readonly memory: Memory) {
    const { k } = memory;
    k["capInit"]!();
    k["memoryObjectsInit"]!();
    const mm = userSpace(memory);
    for (const va of [SEND, RECEIVE]) k["mmMap"]!(mm, va, BigInt(ROOM), PROT.READ | PROT.WRITE, MAP.PRIVATE | MAP.ANONYMOUS | MAP.FIXED, 0, 0n);
    this.from = k["capSpaceCreate"]!() as number;
    this.to = k["capSpaceCreate"]!() as number;
  }

  static async start(): Promise<Sides> { return new Sides(await loadMemory()); }

  /** A capability of the sender's on `pages` of memory. */
  memoryCap(pages: number, rights: number = RIGHT.ALL): number {
    const { k } = this.memory;
    const object = k["memoryObjectCreate"]!(pages, 0, 0) as number;
    const handle = k["capInsert"]!(this.from, object, rights, 0n) as number;
    k["objectPut"]!(object);
    return handle;
  }

  /** `how`: SendHow of each capability, COPY unless told; `rights` and `badge` are those of whatever is minted. */
  pack(va: bigint, bytes: number, caps: number[], how: number[] = [], rights = 0, badge = 0n): number {
    const { view } = this.memory;
    new Uint8Array(view.buffer, SENT, MESSAGE.sizeof).fill(0);
    view.setBigUint64(SENT + MESSAGE.sendVa!, va, true);
    view.setUint32(SENT + MESSAGE.sendBytes!, bytes, true);
    view.setUint32(SENT + MESSAGE.sendCaps!, caps.length, true);
    view.setUint32(SENT + MESSAGE.sendHow!, how.reduce((word, each, i) => word | (each << (4 * i)), 0), true);
    for (let i = 0; i < 4; i++) {
      view.setUint32(SENT + MESSAGE.cap0! + i * 4, caps[i] ?? 0, true);
      view.setUint32(SENT + MESSAGE.rights0! + i * 4, rights, true);
      view.setBigUint64(SENT + MESSAGE.badge0! + i * 8, badge, true);
    }
    return this.memory.k["parcelPack"]!(SENT, this.from) as number;
  }

  open(parcel: number, va: bigint): number { return this.memory.k["parcelOpen"]!(parcel, va, this.to, ARRIVED) as number; }
  arrived(index: number): number { return this.memory.view.getUint32(ARRIVED + index * 4, true); }
  caps(): number { return this.memory.k["capCountAll"]!() as number; }
  counter(name: string): bigint { return this.memory.view.getBigUint64(this.memory.kernel.constant("IPC_COUNTERS") + COUNTERS[name]!, true); }
}

test("bytes and capabilities arrive; granted pages are counted, not copied", async () => {
  const sides = await Sides.start();
  const { k, machine } = sides.memory;
  const text = new TextEncoder().encode("a parcel");
  machine.userWrite(SEND, text);
  const caps = [sides.memoryCap(16), sides.memoryCap(3)];
  const parcel = sides.pack(SEND, text.length, caps);
  expect(parcel).toBeGreaterThan(0);
  machine.userWrite(SEND, new Uint8Array(text.length)); // what was sent is sent
  expect(sides.open(parcel, RECEIVE)).toBe(0);
  expect(new TextDecoder().decode(machine.userRead(RECEIVE, text.length))).toBe("a parcel");
  expect([sides.counter("bytesCopied"), sides.counter("capsSent"), sides.counter("pagesGranted")]).toEqual([BigInt(text.length), 2n, 19n]);
  for (let i = 0; i < 2; i++) expect(k["capLookup"]!(sides.to, sides.arrived(i), KIND.MEMORY, RIGHT.ALL)).toBeGreaterThan(0);
  expect(k["capRevoke"]!(sides.from, caps[0])).toBe(1);
  expect(k["capLookup"]!(sides.to, sides.arrived(0), KIND.MEMORY, 0)).toBe(ERRNO.STALE);
});

test("what cannot be packed leaves nothing behind", async () => {
  const sides = await Sides.start();
  const good = sides.memoryCap(1);
  const narrow = sides.memoryCap(1, RIGHT.ALL & ~RIGHT.GRANT);
  sides.memory.k["parcelFree"]!(sides.pack(SEND + BigInt(ROOM) - 8n, 8, [good])); // page tables and slabs are there to stay
  sides.memory.k["parcelFree"]!(sides.pack(SEND, 8, [good]));
  const before = [sides.caps(), sides.memory.free()];
  expect(sides.pack(SEND, 0, [])).toBe(0);
  expect(sides.pack(SEND, ROOM + 1, [])).toBe(ERRNO.MSGSIZE);
  expect(sides.pack(SEND, 1, [good, good, good, good, good])).toBe(ERRNO.MSGSIZE);
  expect(sides.pack(BAD, 10, [good])).toBe(ERRNO.FAULT);
  expect(sides.pack(1n << 63n, 10, [])).toBe(ERRNO.FAULT);
  expect(sides.pack(SEND + BigInt(ROOM) - 4n, 8, [good])).toBe(ERRNO.FAULT);
  expect(sides.pack(SEND, 8, [good, narrow])).toBe(ERRNO.ACCES);
  expect(sides.pack(SEND, 8, [good, 0x7777])).toBe(ERRNO.BADF);
  expect(sides.memory.k["capRevoke"]!(sides.from, good)).toBe(0); // nothing was derived from it
  expect([sides.caps(), sides.memory.free()]).toEqual(before);
});

test("what cannot be opened does not arrive in part", async () => {
  const sides = await Sides.start();
  const { k } = sides.memory;
  const [first, second] = [sides.memoryCap(1), sides.memoryCap(1)];
  const before = sides.caps();
  expect(sides.open(sides.pack(SEND, 8, [first]), BAD)).toBe(ERRNO.FAULT);
  const revoked = sides.pack(SEND, 0, [first, second]);
  expect(k["capRevoke"]!(sides.from, second)).toBe(1);
  expect(sides.open(revoked, RECEIVE)).toBe(ERRNO.STALE);
  expect(sides.caps()).toBe(before);
  const late = sides.pack(SEND, 0, [first]);
  k["capSpaceClose"]!(sides.to);
  expect(sides.open(late, RECEIVE)).toBe(ERRNO.STALE);
  expect([sides.caps(), k["capRevoke"]!(sides.from, first)]).toEqual([before, 0]);
});

test("a capability in transit outlives the sender's, and goes with the parcel", async () => {
  const sides = await Sides.start();
  const { k } = sides.memory;
  const handle = sides.memoryCap(4);
  const kept = sides.pack(SEND, 0, [handle]);
  const dropped = sides.pack(SEND, 0, [handle]);
  expect(k["capDrop"]!(sides.from, handle)).toBe(0);
  expect(sides.open(kept, RECEIVE)).toBe(0);
  k["parcelFree"]!(dropped);
  const object = k["capLookup"]!(sides.to, sides.arrived(0), KIND.MEMORY, 0) as number;
  expect(sides.memory.view.getUint32(object + 4, true)).toBe(2); // the slot's and the look-up's
  const free = sides.memory.free();
  k["objectPut"]!(object);
  k["capDrop"]!(sides.to, sides.arrived(0));
  expect(sides.memory.free()).toBeGreaterThanOrEqual(free + 4); // and perhaps a slab's
});

test("what moves is the receiver's alone, with what was derived from it below", async () => {
  const sides = await Sides.start();
  const { k } = sides.memory;
  const [kept, moved] = [sides.memoryCap(1), sides.memoryCap(2)];
  const child = k["capDerive"]!(sides.from, moved, sides.from, RIGHT.ALL, 0n) as number;
  const before = sides.caps();
  const parcel = sides.pack(SEND, 0, [kept, moved], [COPY, MOVE]);
  expect([k["capLookup"]!(sides.from, moved, KIND.MEMORY, 0), k["capRevoke"]!(sides.from, moved)]).toEqual([ERRNO.BADF, ERRNO.BADF]);
  expect(sides.open(parcel, RECEIVE)).toBe(0);
  expect(sides.caps()).toBe(before + 1); // the copy
  expect(k["capRevoke"]!(sides.to, sides.arrived(1))).toBe(1); // the child is the receiver's to revoke
  expect([k["capLookup"]!(sides.from, child, KIND.MEMORY, 0), k["capLookup"]!(sides.from, moved, KIND.MEMORY, 0)]).toEqual([ERRNO.STALE, ERRNO.BADF]);
});

test("what was to move is back under its old handle when anything goes wrong", async () => {
  const sides = await Sides.start();
  const { k } = sides.memory;
  const [first, second] = [sides.memoryCap(1), sides.memoryCap(1)];
  const narrow = sides.memoryCap(1, RIGHT.ALL & ~RIGHT.GRANT);
  const before = sides.caps();
  const isHere = (handle: number): boolean => {
    const object = k["capLookup"]!(sides.from, handle, KIND.MEMORY, RIGHT.ALL) as number;
    if (object > 0) k["objectPut"]!(object);
    return object > 0;
  };
  expect(sides.pack(SEND, 0, [first, narrow], [MOVE, MOVE])).toBe(ERRNO.ACCES);
  expect(sides.pack(SEND, 0, [first, first], [MOVE, COPY])).toBe(ERRNO.BADF);
  expect(sides.pack(SEND, 0, [first], [3])).toBe(ERRNO.INVAL);
  expect(sides.pack(SEND, 0, [first], [MOVE, MOVE])).toBe(ERRNO.INVAL);
  k["parcelFree"]!(sides.pack(SEND, 8, [first, second], [MOVE, MOVE])); // nobody took it
  expect(sides.open(sides.pack(SEND, 8, [first, second], [MOVE, MOVE]), BAD)).toBe(ERRNO.FAULT);
  const revoked = sides.pack(SEND, 0, [first, second], [MOVE, COPY]);
  expect(k["capRevoke"]!(sides.from, second)).toBe(1);
  expect(sides.open(revoked, RECEIVE)).toBe(ERRNO.STALE);
  expect([isHere(first), isHere(second), sides.caps()]).toEqual([true, true, before]);
});

test("what moves goes with its owner's parent, and an owner that ended gets nothing back", async () => {
  const sides = await Sides.start();
  const { k } = sides.memory;
  const parent = sides.memoryCap(1);
  const derived = k["capDerive"]!(sides.from, parent, sides.from, RIGHT.ALL, 0n) as number;
  const parcel = sides.pack(SEND, 0, [derived], [MOVE]);
  expect(k["capRevoke"]!(sides.from, parent)).toBe(1); // on its way
  expect(sides.open(parcel, RECEIVE)).toBe(ERRNO.STALE);
  expect(k["capRevoke"]!(sides.from, derived)).toBe(ERRNO.STALE);
  const late = sides.pack(SEND, 0, [parent], [MOVE]);
  k["capSpaceClose"]!(sides.from);
  k["capSpacePut"]!(sides.from); // the parcel still holds it
  k["parcelFree"]!(late);
  expect(sides.caps()).toBe(0);
});

test("memory moves only while nobody has it mapped or looks at it", async () => {
  const sides = await Sides.start();
  const { k } = sides.memory;
  const handle = sides.memoryCap(1);
  const object = k["capLookup"]!(sides.from, handle, KIND.MEMORY, 0) as number; // as a mapping does
  expect(sides.pack(SEND, 0, [handle], [MOVE])).toBe(ERRNO.BUSY);
  const copied = sides.pack(SEND, 0, [handle], [COPY]);
  expect(copied).toBeGreaterThan(0);
  k["parcelFree"]!(copied);
  k["objectPut"]!(object);
  expect(sides.open(sides.pack(SEND, 0, [handle], [MOVE]), RECEIVE)).toBe(0);
});

test("what is minted has fewer rights, and a badge once", async () => {
  const sides = await Sides.start();
  const { k } = sides.memory;
  const handle = sides.memoryCap(1);
  expect(sides.open(sides.pack(SEND, 0, [handle], [MINT], RIGHT.GRANT | 1, 77n), RECEIVE)).toBe(0);
  const minted = sides.arrived(0);
  expect(k["capLookup"]!(sides.to, minted, KIND.MEMORY, 2)).toBe(ERRNO.ACCES);
  expect(k["capDerive"]!(sides.to, minted, sides.from, RIGHT.ALL, 78n)).toBe(ERRNO.ACCES); // it has one
  const again = k["capDerive"]!(sides.to, minted, sides.from, RIGHT.ALL, 0n) as number;
  expect(sides.pack(SEND, 0, [again], [MINT], RIGHT.ALL, 78n)).toBe(ERRNO.ACCES);
  expect(sides.pack(SEND, 0, [again], [MINT], RIGHT.ALL, 0n)).toBeGreaterThan(0);
  expect(k["capRevoke"]!(sides.from, handle)).toBe(3);
});
