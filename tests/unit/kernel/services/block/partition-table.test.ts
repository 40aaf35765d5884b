/** Partition tables, made here and damaged at random: what is told lies within the disk and does not overlap. SEED=n replays. */
import { structLayout } from "../../../support/struct-layout.ts";
import { BUFFER } from "../vfs/vfs-machine.ts";
import { DiskMachine, HonestDriver } from "./disk-machine.ts";
import { random } from "../../../support/random.ts";

const SEED = Number(process.env["SEED"] ?? 20261125);
const SECTOR = 512;
const SECTORS = 8192;
const LIST = structLayout("kernel/services/block/partition-table.ts", "PartitionList");
const LIST_BYTES = LIST.first! + 16 * 16;
const LINUX = 0x83;
const EXTENDED = 0x05;

interface Range {
  readonly start: number;
  readonly sectors: number;
  readonly type?: number;
}

interface Found {
  readonly partitions: Record<number, [number, number]>;
  readonly problem: string;
  readonly usesBackup: boolean;
  readonly ignored: number;
}

class Tables {
  readonly image: Uint8Array;
  private constructor(readonly machine: DiskMachine, readonly driver: HonestDriver) {
    this.image = driver.contents;
  }

  static async start(sectors = SECTORS): Promise<Tables> {
    const machine = await DiskMachine.start();
    machine.vfs.exports.bufferTableInit();
    machine.sleepingInit();
    const driver = new HonestDriver(machine, sectors);
    driver.serve();
    return new Tables(machine, driver);
  }

  read(): Found {
    const { vfs, disk } = this.machine;
    vfs.call("buffersDropAll", disk, 0n, BigInt(this.image.length));
    new Uint8Array(vfs.memory.buffer, BUFFER, LIST_BYTES).fill(0);
    expect(vfs.call("partitionsRead", disk, BUFFER)).toBe(0);
    const view = vfs.view();
    const partitions: Record<number, [number, number]> = {};
    for (let number = 1; number < 16; number++) {
      const at = BUFFER + LIST.first! + number * 16;
      const sectors = Number(view.getBigUint64(at + 8, true));
      if (sectors > 0) partitions[number] = [Number(view.getBigUint64(at, true)), sectors];
    }
    const problem = view.getUint32(BUFFER + LIST.problem!, true);
    return {
      partitions: problem === 0 ? partitions : {},
      problem: problem === 0 ? "" : this.text(problem),
      usesBackup: view.getUint32(BUFFER + LIST.usesBackup!, true) !== 0,
      ignored: view.getUint32(BUFFER + LIST.ignored!, true),
    };
  }

  private text(at: number): string {
    const size = this.machine.vfs.view().getUint32(at - 4, true);
    return new TextDecoder("utf-16le").decode(new Uint8Array(this.machine.vfs.memory.buffer, at, size));
  }

  /** A boot record with these entries, whose starts are written as they are. */
  record(sector: number, entries: readonly (Range | undefined)[]): void {
    const view = new DataView(this.image.buffer, sector * SECTOR, SECTOR);
    entries.forEach((entry, index) => {
      if (!entry) return;
      view.setUint8(446 + index * 16 + 4, entry.type ?? LINUX);
      view.setUint32(446 + index * 16 + 8, entry.start, true);
      view.setUint32(446 + index * 16 + 12, entry.sectors, true);
    });
    view.setUint16(510, 0xaa55, true);
  }

  gpt(partitions: readonly (Range | undefined)[], entryBytes = 128): void {
    const total = this.image.length / SECTOR;
    this.record(0, [{ type: 0xee, start: 1, sectors: total - 1 }]);
    const entries = new Uint8Array(128 * entryBytes);
    const view = new DataView(entries.buffer);
    partitions.forEach((partition, index) => {
      if (!partition) return;
      entries.fill(0xa5, index * entryBytes, index * entryBytes + 32);
      view.setBigUint64(index * entryBytes + 32, BigInt(partition.start), true);
      view.setBigUint64(index * entryBytes + 40, BigInt(partition.start + partition.sectors - 1), true);
    });
    const tableSectors = entries.length / SECTOR;
    this.gptAt(1, 2, entries, entryBytes, tableSectors);
    this.gptAt(total - 1, total - 1 - tableSectors, entries, entryBytes, tableSectors);
  }

  private gptAt(lba: number, entriesLba: number, entries: Uint8Array, entryBytes: number, tableSectors: number): void {
    const total = this.image.length / SECTOR;
    this.image.set(entries, entriesLba * SECTOR);
    const header = new DataView(this.image.buffer, lba * SECTOR, SECTOR);
    header.setBigUint64(0, 0x5452415020494645n, true);
    header.setUint32(8, 0x10000, true);
    header.setUint32(12, 92, true);
    header.setBigUint64(24, BigInt(lba), true);
    header.setBigUint64(32, BigInt(lba === 1 ? total - 1 : 1), true);
    header.setBigUint64(40, BigInt(2 + tableSectors), true);
    header.setBigUint64(48, BigInt(total - 2 - tableSectors), true);
    header.setBigUint64(72, BigInt(entriesLba), true);
    header.setUint32(80, entries.length / entryBytes, true);
    header.setUint32(84, entryBytes, true);
    header.setUint32(88, crc32(entries), true);
    this.seal(lba);
  }

  /** Makes a changed header's checksum right again. */
  seal(lba: number): void {
    const header = new DataView(this.image.buffer, lba * SECTOR, SECTOR);
    header.setUint32(16, 0, true);
    header.setUint32(16, crc32(this.image.subarray(lba * SECTOR, lba * SECTOR + 92)), true);
  }
}

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

const NOTHING: Found = { partitions: {}, problem: "", usesBackup: false, ignored: 0 };

test("the checksum is the known one", async () => {
  const tables = await Tables.start();
  new Uint8Array(tables.machine.vfs.memory.buffer, BUFFER, 9).set(new TextEncoder().encode("123456789"));
  expect(tables.machine.vfs.call("crc32", BUFFER, 9) >>> 0).toBe(0xcbf43926);
});

test("a disk without a table has no partitions, nor has a file system's boot sector", async () => {
  const tables = await Tables.start();
  expect(tables.read()).toEqual(NOTHING);
  tables.image.fill(0x6f, 0, 510); // code where the entries would be
  new DataView(tables.image.buffer).setUint16(510, 0xaa55, true);
  expect(tables.read()).toEqual(NOTHING);
});

test("primary partitions keep their numbers", async () => {
  const tables = await Tables.start();
  tables.record(0, [{ start: 63, sectors: 1000 }, undefined, { start: 4096, sectors: 4096 }]);
  expect(tables.read()).toEqual({ ...NOTHING, partitions: { 1: [63, 1000], 3: [4096, 4096] } });
});

/** Three logical partitions in an extended one of 4000 sectors from 2000 on. */
function logical(tables: Tables): void {
  tables.record(0, [{ start: 63, sectors: 1000 }, { type: EXTENDED, start: 2000, sectors: 4000 }]);
  tables.record(2000, [{ start: 10, sectors: 500 }, { type: EXTENDED, start: 600, sectors: 700 }]);
  tables.record(2600, [{ start: 10, sectors: 600 }, { type: EXTENDED, start: 1400, sectors: 900 }]);
  tables.record(3400, [{ start: 2, sectors: 800 }]);
}

test("logical partitions follow the chain, from 5 on", async () => {
  const tables = await Tables.start();
  logical(tables);
  expect(tables.read().partitions).toEqual({ 1: [63, 1000], 5: [2010, 500], 6: [2610, 600], 7: [3402, 800] });
});

test("more than fifteen partitions are told of as ignored", async () => {
  const tables = await Tables.start();
  tables.record(0, [{ type: EXTENDED, start: 100, sectors: 8000 }]);
  for (let i = 0; i < 20; i++) {
    tables.record(100 + i * 100, [{ start: 1, sectors: 50 }, ...(i < 19 ? [{ type: EXTENDED, start: (i + 1) * 100, sectors: 100 }] : [])]);
  }
  const found = tables.read();
  expect(Object.keys(found.partitions)).toHaveLength(11); // 5 … 15
  expect(found.ignored).toBe(9);
});

describe("an MBR that makes no sense is refused", () => {
  const cases: [string, (tables: Tables) => void, string][] = [
    ["a partition behind the end", (t) => t.record(0, [{ start: 8000, sectors: 200 }]), "a partition leaves the disk"],
    ["a partition that wraps", (t) => t.record(0, [{ start: 0xffffff00, sectors: 0x200 }]), "a partition leaves the disk"],
    ["a partition over the table", (t) => t.record(0, [{ start: 0, sectors: 200 }]), "a partition leaves the disk"],
    ["two that overlap", (t) => t.record(0, [{ start: 100, sectors: 200 }, { start: 299, sectors: 10 }]), "partitions overlap"],
    ["two extended ones", (t) => t.record(0, [{ type: 5, start: 100, sectors: 50 }, { type: 15, start: 200, sectors: 50 }]), "two extended partitions"],
    ["an extended one behind the end", (t) => t.record(0, [{ type: 5, start: 8000, sectors: 500 }]), "the extended partition leaves the disk"],
    ["a broken chain", (t) => { logical(t); t.image[2600 * SECTOR + 510] = 0; }, "the chain of logical partitions is broken"],
    ["a chain that leaves", (t) => { logical(t); t.record(2000, [undefined, { type: 5, start: 5000, sectors: 1 }]); }, "the chain of logical partitions leaves the extended one"],
    ["a logical one that leaves", (t) => { logical(t); t.record(3400, [{ start: 2, sectors: 3000 }]); }, "a logical partition leaves the extended one"],
    ["a chain that bites its tail", (t) => {
      t.record(0, [{ type: 5, start: 100, sectors: 4000 }]);
      t.record(100, [undefined, { type: 5, start: 100, sectors: 10 }]);
      t.record(200, [undefined, { type: 5, start: 100, sectors: 10 }]);
    }, "the chain of logical partitions has no end"],
  ];
  test.each(cases)("%s", async (_name, spoil, problem) => {
    const tables = await Tables.start();
    spoil(tables);
    expect(tables.read()).toMatchObject({ partitions: {}, problem });
  });
});

test("GPT partitions, with entries of any size there is", async () => {
  const tables = await Tables.start();
  tables.gpt([{ start: 100, sectors: 900 }, undefined, { start: 2048, sectors: 1 }]);
  expect(tables.read()).toEqual({ ...NOTHING, partitions: { 1: [100, 900], 3: [2048, 1] } });
  tables.image.fill(0);
  tables.gpt([{ start: 300, sectors: 900 }], 256);
  expect(tables.read()).toEqual({ ...NOTHING, partitions: { 1: [300, 900] } });
});

test.each([
  ["its header", (t: Tables) => { t.image[SECTOR + 60]! ^= 1; }],
  ["its entries", (t: Tables) => { t.image[2 * SECTOR + 33]! ^= 4; }],
  ["all of it", (t: Tables) => { t.image.fill(0, SECTOR, 34 * SECTOR); }],
])("where the primary GPT is damaged (%s) the backup counts", async (_name, spoil) => {
  const tables = await Tables.start();
  tables.gpt([{ start: 100, sectors: 900 }]);
  spoil(tables);
  expect(tables.read()).toEqual({ ...NOTHING, partitions: { 1: [100, 900] }, usesBackup: true });
});

test("where both are damaged there are no partitions, and the primary's trouble is told", async () => {
  const tables = await Tables.start();
  tables.gpt([{ start: 100, sectors: 900 }]);
  tables.image[SECTOR + 60]! ^= 1;
  tables.image[(SECTORS - 1) * SECTOR] = 0;
  expect(tables.read()).toMatchObject({ partitions: {}, problem: "the GPT header is damaged", usesBackup: false });
});

describe("a GPT whose checksums are right and whose words are not", () => {
  const header = (t: Tables, at: number, value: bigint): void => {
    for (const lba of [1, SECTORS - 1]) {
      new DataView(t.image.buffer).setBigUint64(lba * SECTOR + at, value, true);
      t.seal(lba);
    }
  };
  const cases: [string, (t: Tables) => void, string][] = [
    ["entries behind the end", (t) => header(t, 72, 8190n), "the GPT's entries leave the disk"],
    ["entries far away", (t) => header(t, 72, 0xffffffffffffffffn), "the GPT's entries leave the disk"],
    ["a million entries", (t) => header(t, 80, (128n << 32n) | 0x100000n), "the GPT has entries of another size"],
    ["entries of no size", (t) => header(t, 80, 128n), "the GPT has entries of another size"],
    ["a range behind the end", (t) => header(t, 48, 9000n), "the GPT's range leaves the disk"],
    ["partitions that overlap", (t) => t.gpt([{ start: 100, sectors: 100 }, { start: 150, sectors: 10 }]), "partitions overlap"],
    ["a partition over the table", (t) => t.gpt([{ start: 10, sectors: 100 }]), "a partition leaves the GPT's range"],
    ["a partition that ends before it begins", (t) => t.gpt([{ start: 1000, sectors: -5 }]), "a partition leaves the GPT's range"],
  ];
  test.each(cases)("%s", async (_name, spoil, problem) => {
    const tables = await Tables.start();
    tables.gpt([{ start: 100, sectors: 900 }]);
    spoil(tables);
    expect(tables.read()).toMatchObject({ partitions: {}, problem });
  });
});

test("whatever stands in the tables, what is told lies within the disk and does not overlap", async () => {
  const next = random(SEED);
  const tables = await Tables.start();
  const before = tables.machine.vfs.inUse();
  let told = 0;
  for (let round = 0; round < 500; round++) {
    tables.image.fill(0);
    const isGpt = next(2) === 0;
    if (isGpt) tables.gpt([{ start: 100, sectors: 900 }, { start: 2000, sectors: 10 }]);
    else logical(tables);
    for (let i = 0; i < 1 + next(4); i++) {
      const places = isGpt ? [446 + next(64), SECTOR + next(92), 2 * SECTOR + next(256), (SECTORS - 1) * SECTOR + next(92)]
        : [446 + next(66), 2000 * SECTOR + 446 + next(66), 2600 * SECTOR + 446 + next(66), 3400 * SECTOR + 446 + next(66)];
      const at = places[next(4)]!;
      tables.image[at] = next(2) ? next(256) : tables.image[at]! ^ (1 << next(8));
    }
    if (isGpt && next(2) === 0) [1, SECTORS - 1].forEach((lba) => tables.seal(lba));
    const ranges = Object.values(tables.read().partitions).sort(([a], [b]) => a - b);
    told += ranges.length;
    let end = 1;
    for (const [start, sectors] of ranges) {
      expect(start).toBeGreaterThanOrEqual(end);
      end = start + sectors;
    }
    expect(end).toBeLessThanOrEqual(SECTORS);
  }
  expect(told).toBeGreaterThan(200);
  tables.machine.vfs.call("buffersDropAll", tables.machine.disk, 0n, BigInt(tables.image.length));
  expect(tables.machine.vfs.inUse()).toEqual(before);
}, 60_000);
