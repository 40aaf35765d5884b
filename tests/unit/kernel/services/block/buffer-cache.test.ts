/** The page cache of disks: equal to a model under random work, in order on the medium, with errors told once. SEED=n replays. */
import { DiskMachine, FEATURE, HonestDriver, OP } from "./disk-machine.ts";
import { BUFFER } from "../vfs/vfs-machine.ts";
import { structLayout } from "../../../support/struct-layout.ts";
import { random } from "../../../support/random.ts";

const SEED = Number(process.env["SEED"] ?? 20261125);
const SECTOR = 512;
const SECTORS = 2048;
const EIO = -5;
const LOOKS_MOST = 1000;
const CPU = structLayout("kernel/core/sched/cpu.ts", "Cpu");
const WRITE = structLayout("kernel/abi/block-ring.ts", "BlockWrite");
/** Places in BUFFER: data of reads and puts, BlockWrite records, data of commits. */
const DATA = BUFFER + 0x10000;
const WRITES = BUFFER + 0x40000;
const COMMIT = BUFFER + 0x50000;
const LINEAR_BASE = 0xffffffff80000000n;
const KERNEL_VA = (ptr: number): bigint => LINEAR_BASE + BigInt(ptr);

interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly stage?: number;
}

class CacheMachine {
  private constructor(readonly machine: DiskMachine, readonly driver: HonestDriver) {}

  static async start(features: number = FEATURE.FLUSH): Promise<CacheMachine> {
    const machine = await DiskMachine.start();
    machine.vfs.exports.bufferTableInit();
    machine.sleepingInit();
    const driver = new HonestDriver(machine, SECTORS, features, 2);
    driver.serve();
    return new CacheMachine(machine, driver);
  }

  private memory(at: number, size: number): Uint8Array { return new Uint8Array(this.machine.vfs.memory.buffer, at, size); }
  private call(name: string, ...args: (number | bigint)[]): number { return this.machine.vfs.call(name, this.machine.disk, ...args); }

  read(offset: number, size: number, ahead = 0): Uint8Array | number {
    const result = this.call("buffersReadAhead", BigInt(offset), KERNEL_VA(DATA), size, ahead);
    return result < 0 ? result : this.memory(DATA, size).slice();
  }

  /** As a write to the device's node: at most to the end of a page. */
  put(offset: number, bytes: Uint8Array): number {
    const page = this.machine.vfs.exports.pageAlloc() as number;
    const pa = BigInt(page) << 12n;
    this.machine.vfs.machine.bytes(pa, bytes.length).set(bytes);
    const result = this.call("buffersPut", BigInt(offset), pa, bytes.length);
    this.machine.vfs.exports.framePut(page);
    return result;
  }

  commit(pieces: readonly Piece[]): number {
    const view = this.machine.vfs.view();
    let at = COMMIT;
    pieces.forEach(({ offset, bytes, stage = 0 }, index) => {
      const record = WRITES + index * WRITE.sizeof!;
      view.setBigUint64(record + WRITE.offset!, BigInt(offset), true);
      view.setUint32(record + WRITE.bytes!, bytes.length, true);
      view.setUint32(record + WRITE.stage!, stage, true);
      this.memory(at, bytes.length).set(bytes);
      at += bytes.length;
    });
    return this.call("buffersCommit", WRITES, pieces.length, COMMIT);
  }

  write(): number { return this.call("buffersWrite"); }
  forget(offset: number, bytes: number): void { this.call("buffersForget", BigInt(offset), BigInt(bytes)); }
  dropClean(): void { this.call("buffersDropClean", 0n, BigInt(SECTORS * SECTOR)); }
  dropAll(): void { this.call("buffersDropAll", 0n, BigInt(SECTORS * SECTOR)); }
  dirty(): number { return this.machine.vfs.call("buffersDirty"); }
  /** What the driver did since the last look. */
  done(): string[] { return this.driver.done.splice(0); }
}

const filled = (size: number, value: number): Uint8Array => new Uint8Array(size).fill(value);

test("what was read once is not read again, and one request reads ahead", async () => {
  const cache = await CacheMachine.start();
  cache.driver.contents.set(filled(8192, 7), 4096);
  expect(cache.read(4096, 100, 3)).toEqual(filled(100, 7));
  expect(cache.done()).toEqual(["READ 8+32"]);
  expect(cache.read(8192, 4096)).toEqual(filled(4096, 7));
  expect(cache.done()).toEqual([]);
});

test("a write of a part of a sector reads that sector's page first, one of whole sectors reads nothing", async () => {
  const cache = await CacheMachine.start();
  cache.driver.contents.fill(1);
  expect(cache.put(1024, filled(512, 9))).toBe(0);
  expect(cache.done()).toEqual([]);
  expect(cache.put(4096 + 100, filled(10, 8))).toBe(0);
  expect(cache.done()).toEqual(["READ 8+8"]);
  expect(cache.write()).toBe(0);
  expect(cache.done()).toEqual(["WRITE 2+1", "WRITE 8+1", "FLUSH 0+0"]);
  expect(cache.driver.contents.subarray(1024, 1536)).toEqual(filled(512, 9));
  expect([...cache.driver.contents.subarray(4096 + 98, 4096 + 112)]).toEqual([1, 1, ...filled(10, 8), 1, 1]);
  expect(cache.dirty()).toBe(0);
});

test("a sector that is newer than the disk's stays so when its page is read", async () => {
  const cache = await CacheMachine.start();
  cache.driver.contents.fill(1);
  cache.put(512, filled(512, 9));
  expect(cache.read(0, 4096)).toEqual(Uint8Array.of(...filled(512, 1), ...filled(512, 9), ...filled(3072, 1)));
});

test("adjacent dirty pages go in one request", async () => {
  const cache = await CacheMachine.start();
  for (const page of [5, 3, 4, 6]) cache.put(page * 4096, filled(4096, page));
  cache.write();
  expect(cache.done()).toEqual(["WRITE 24+32", "FLUSH 0+0"]);
});

test("stages reach the medium one after the other, with a flush between them", async () => {
  const cache = await CacheMachine.start();
  cache.commit([{ offset: 8192, bytes: filled(512, 1), stage: 0 }, { offset: 0, bytes: filled(512, 2), stage: 1 }, { offset: 4096, bytes: filled(512, 3), stage: 2 }]);
  cache.write();
  expect(cache.done()).toEqual(["WRITE 16+1", "FLUSH 0+0", "WRITE 0+1", "FLUSH 0+0", "WRITE 8+1", "FLUSH 0+0"]);
});

test("a commit that leads to what an earlier one made follows it; what is clean holds up nobody", async () => {
  const [leads, waits] = [0x100, 0x200];
  const cache = await CacheMachine.start();
  const made = [{ offset: 8192, bytes: filled(512, 1), stage: 0 }, { offset: 12288, bytes: filled(512, 2), stage: 1 | leads }, { offset: 4096, bytes: filled(512, 3), stage: 2 }];
  cache.commit(made);
  cache.commit([{ offset: 0, bytes: filled(512, 4), stage: 0 | waits }]);
  cache.write();
  expect(cache.done()).toEqual(["WRITE 16+1", "FLUSH 0+0", "WRITE 24+1", "FLUSH 0+0", "WRITE 8+1", "WRITE 0+1", "FLUSH 0+0"]);
  // A sector that others wait for cannot wait itself: all goes out first.
  cache.commit(made);
  cache.commit([{ offset: 12288, bytes: filled(512, 5), stage: 0 | waits }]);
  expect(cache.done()).toEqual(["WRITE 16+1", "FLUSH 0+0", "WRITE 24+1", "FLUSH 0+0", "WRITE 8+1", "FLUSH 0+0"]);
  cache.write();
  expect(cache.done()).toEqual(["WRITE 24+1", "FLUSH 0+0"]);
});

test("forgotten sectors are neither written nor read from memory", async () => {
  const cache = await CacheMachine.start();
  cache.driver.contents.fill(4);
  cache.put(0, filled(4096, 9));
  cache.forget(512, 1024);
  cache.write();
  expect(cache.done()).toEqual(["WRITE 0+1", "WRITE 3+5", "FLUSH 0+0"]);
  expect(cache.read(512, 1024)).toEqual(filled(1024, 4));
});

test("a read whose sectors are forgotten meanwhile is made again", async () => {
  const cache = await CacheMachine.start();
  cache.driver.contents.fill(1);
  cache.put(64 * 4096, filled(4096, 9)); // something to forget
  const turn = cache.machine.onSleep!;
  let turns = 0;
  cache.machine.onSleep = () => {
    turn();
    if (turns++ === 0) {
      cache.driver.contents.fill(2); // file data went there, past the cache
      cache.forget(64 * 4096, 512);
    }
  };
  expect(cache.read(0, 512)).toEqual(filled(512, 2));
  expect(cache.done()).toEqual(["READ 0+8", "READ 0+8"]);
});

test("a page that changes while it is with the device is written again", async () => {
  const cache = await CacheMachine.start();
  cache.put(0, filled(4096, 1));
  const turn = cache.machine.onSleep!;
  cache.machine.onSleep = () => {
    cache.machine.onSleep = turn;
    turn();
    cache.put(512, filled(512, 2));
  };
  expect(cache.write()).toBe(0);
  expect(cache.dirty()).toBe(1);
  expect(cache.write()).toBe(0);
  expect(cache.driver.contents.subarray(512, 1024)).toEqual(filled(512, 2));
  expect(cache.done().filter((line) => line.startsWith("WRITE"))).toEqual(["WRITE 0+8", "WRITE 1+1"]);
});

test("while a page is with the device, one of another disk is written and changes again: all of this disk is written", async () => {
  const cache = await CacheMachine.start();
  const { vfs } = cache.machine;
  const other = vfs.call("diskAt", 1);
  const page = vfs.exports.pageAlloc() as number;
  const putOther = (): void => { expect(vfs.call("buffersPut", other, 0n, BigInt(page) << 12n, 4096)).toBe(0); };
  putOther(); // dirty before the others
  for (const at of [0, 16384, 32768]) cache.put(at, filled(4096, 1));
  const turn = cache.machine.onSleep!;
  cache.machine.onSleep = () => {
    turn();
    vfs.exports.dirtySet(vfs.call("bufferFind", other, 0), 0);
    putOther();
  };
  expect(cache.write()).toBe(0);
  expect(cache.done()).toEqual(["WRITE 0+8", "WRITE 32+8", "WRITE 64+8", "FLUSH 0+0"]);
  expect(cache.dirty()).toBe(1);
});

test("who has nothing to write waits for the flush of who is writing", async () => {
  const cache = await CacheMachine.start();
  const BLOCKED = new Error("it waits");
  let second: unknown = "not tried";
  cache.put(0, filled(4096, 1));
  cache.driver.statusOf = ({ op }) => {
    if (op !== OP.FLUSH) return 0;
    expect(cache.dirty()).toBe(0);
    const { vfs } = cache.machine;
    let looks = 0;
    vfs.machine.override({
      current_task: () => { // a sleeper with nobody to go to looks at it again and again
        if (++looks > LOOKS_MOST) throw BLOCKED;
        return vfs.view().getUint32(vfs.machine.thisCpu + CPU.current!, true);
      },
    });
    try {
      second = cache.write();
    } catch (error) {
      second = error;
    }
    throw BLOCKED; // this machine cannot go on
  };
  expect(() => cache.write()).toThrow(BLOCKED);
  expect(second).toBe(BLOCKED);
});

test("a sector that cannot be read ahead is no error of who wants those before it", async () => {
  const cache = await CacheMachine.start();
  cache.driver.statusOf = ({ sector, sectors }) => (sector <= 40 && 40 < sector + sectors ? EIO : 0);
  expect(cache.read(0, 4096, 16)).toEqual(filled(4096, 0));
  expect(cache.done()).toEqual(["READ 0+136 -5", "READ 0+8"]);
  expect(cache.read(0, 24576, 0)).toBe(EIO);
  expect(cache.read(6 * 4096, 4096, 16)).toEqual(filled(4096, 0));
});

describe("errors", () => {
  const word = BUFFER + 0x8000;
  const failing = async (at: number): Promise<CacheMachine> => {
    const cache = await CacheMachine.start();
    cache.driver.statusOf = ({ op, sector, sectors }) => (op === OP.WRITE && sector <= at && at < sector + sectors ? EIO : 0);
    return cache;
  };
  const errors = (cache: CacheMachine): number => cache.machine.vfs.call("diskErrors", cache.machine.disk);
  const sample = (cache: CacheMachine): number => cache.machine.vfs.call("errseqSample", errors(cache));
  const check = (cache: CacheMachine, since: number): [number, number] => {
    cache.machine.vfs.view().setUint32(word, since, true);
    return [cache.machine.vfs.call("errseqCheck", errors(cache), word), cache.machine.vfs.view().getUint32(word, true)];
  };

  test("what cannot be written is given up, the rest is written, and each who was there hears of it once", async () => {
    const cache = await failing(8);
    const [first, second] = [sample(cache), sample(cache)];
    cache.put(0, filled(512, 1));
    cache.put(4096, filled(512, 2));
    cache.put(8192, filled(512, 3));
    expect(cache.write()).toBe(EIO);
    expect(cache.dirty()).toBe(0);
    expect(cache.driver.contents[8192]).toBe(3);
    expect(cache.read(4096, 512)).toEqual(filled(512, 2)); // it stays readable
    const [told, seen] = check(cache, first);
    expect(told).toBe(EIO);
    expect(check(cache, seen)[0]).toBe(0);
    expect(check(cache, second)[0]).toBe(EIO);
    expect(check(cache, sample(cache))[0]).toBe(0); // who comes later was not there
  });

  test("an error nobody was told of is told to who comes later", async () => {
    const cache = await failing(8);
    cache.put(4096, filled(512, 2));
    cache.write();
    expect(check(cache, sample(cache))[0]).toBe(EIO);
  });

  test("what follows a sector that cannot be written waits, and comes when it can", async () => {
    const cache = await failing(8);
    cache.commit([{ offset: 4096, bytes: filled(512, 2), stage: 0 }, { offset: 0, bytes: filled(512, 3), stage: 1 }]);
    expect(cache.write()).toBe(EIO);
    expect(cache.driver.contents[0]).toBe(0);
    expect(cache.dirty()).toBe(2);
    cache.driver.statusOf = undefined;
    expect(cache.write()).toBe(0);
    expect(cache.driver.contents[0]).toBe(3);
  });

  test("a read that fails is the reader's alone", async () => {
    const cache = await CacheMachine.start();
    cache.driver.statusOf = ({ op }) => (op === OP.READ ? EIO : 0);
    expect(cache.read(0, 512)).toBe(EIO);
    expect(check(cache, sample(cache))[0]).toBe(0);
    cache.driver.statusOf = undefined;
    expect(cache.read(0, 512)).toEqual(filled(512, 0));
  });
});

test("random work equals a model, and every page comes home", async () => {
  const next = random(SEED);
  const cache = await CacheMachine.start();
  cache.read(0, 512);
  cache.dropAll();
  const before = cache.machine.vfs.inUse();
  /** The device as its node shows it, and as the medium has it where nothing is dirty. */
  const model = new Uint8Array(SECTORS * SECTOR);
  const bytes = (size: number): Uint8Array => Uint8Array.from({ length: size }, () => next(256));
  for (let step = 0; step < 2000; step++) {
    const offset = next(SECTORS * SECTOR - 8192);
    switch (next(10)) {
      case 0: case 1: case 2: {
        const size = 1 + next(8192);
        expect(Buffer.compare(cache.read(offset, size, next(4)) as Uint8Array, model.subarray(offset, offset + size))).toBe(0);
        break;
      }
      case 3: case 4: case 5: {
        const data = bytes(1 + next(4096 - (offset % 4096)));
        expect(cache.put(offset, data)).toBe(0);
        model.set(data, offset);
        break;
      }
      case 6: case 7: {
        const pieces = Array.from({ length: 1 + next(4) }, (_, stage) => ({ offset: next(SECTORS * SECTOR - 6000), bytes: bytes(1 + next(6000)), stage: stage >> 1 }));
        expect(cache.commit(pieces)).toBe(0);
        for (const piece of pieces) model.set(piece.bytes, piece.offset);
        break;
      }
      case 8: {
        if (next(4) > 0) break;
        expect(cache.write()).toBe(0);
        expect(Buffer.compare(cache.driver.contents, model)).toBe(0);
        break;
      }
      default: { // data goes there past the cache, as a file's does
        const [first, count] = [Math.floor(offset / SECTOR), 1 + next(12)];
        const data = bytes(count * SECTOR);
        cache.forget(first * SECTOR, data.length);
        cache.driver.contents.set(data, first * SECTOR);
        model.set(data, first * SECTOR);
        if (next(8) === 0) cache.dropClean();
      }
    }
  }
  expect(cache.write()).toBe(0);
  expect(Buffer.compare(cache.driver.contents, model)).toBe(0);
  cache.dropAll();
  expect(cache.machine.vfs.inUse()).toEqual(before);
}, 60_000);
