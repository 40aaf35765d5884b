/**
 * Power cuts: at every flush, with any part of the sectors under way on the medium, the volume mounts, has no cluster twice, and every
 * byte that was synced and left alone since.
 *
 * Twice: with sectors that arrive whole or not at all, and with sectors of which the first part arrives.
 *
 * FAT_CUTS=50 makes it so many seeds.
 */
import { CrashDisk } from "./crash-disk.ts";
import { fatCheck, type Report } from "./fat-check.ts";
import { text } from "../../../support/protocol.ts";
import { EIO, FatClient, type Inode } from "./fat-client.ts";
import { fatFormat, SMALL_FAT12, SMALL_FAT16, SMALL_FAT32, type FatShape } from "./fat-image.ts";
import { FatMachine } from "./fat-machine.ts";
import { Model } from "./fat-model.ts";
import { Random } from "../../../support/random.ts";

const SEEDS = Number(process.env["FAT_CUTS"] ?? 3);
const STEPS = 160;
/** How much of what is under way reaches the medium. */
const PARTS = [0, 30, 70, 95];
const TEAR = 40;

class CrashRun {
  cuts = 0;
  lost = 0;
  /** Cuts after which something is EIO. */
  torn = 0;
  private readonly random: Random;
  private readonly machine: FatMachine;
  private readonly client: FatClient;
  private readonly model: Model;
  private readonly survivor: FatMachine;
  private disk!: CrashDisk;
  private step = "";

  /** `tear`: so many percent of the sectors that are under way arrive in part. */
  constructor(shape: FatShape, private readonly seed: number, private readonly tear: number) {
    this.random = new Random(seed);
    this.machine = new FatMachine(fatFormat(shape));
    this.survivor = new FatMachine(this.machine.disk);
    this.client = new FatClient(this.machine);
    this.client.doomed = [];
    this.model = new Model(this.client, this.random);
  }

  async run(): Promise<CrashDisk> {
    this.disk = await CrashDisk.attach(this.machine, () => this.look());
    this.client.onData = (offset, bytes) => this.disk.data(offset, bytes.length);
    for (let i = 0; i < STEPS; i++) {
      this.step = `seed ${this.seed}, step ${i}: ${this.model.step()}`;
      if (this.random.chance(8)) this.disk.writeOut();
      if (this.random.chance(6)) this.sync();
    }
    this.sync();
    return this.disk;
  }

  /** As servedSync does it. */
  private sync(): void {
    this.disk.flush();
    this.disk.writeOut();
    const doomed = this.client.doomed!.splice(0);
    for (const node of doomed) this.client.releaseNow(node);
    this.disk.writeOut();
    this.model.synced();
  }

  private look(): void {
    const image = this.disk.cut(new Random(this.random.word()), this.random.pick(PARTS), this.tear);
    this.cuts++;
    const before = fatCheck(image);
    this.survivor.disk = image;
    const again = new FatClient(this.survivor);
    if (this.tear > 0) return this.lookTorn(again, image);
    this.everything(again);
    this.survivor.unmount();
    const after = fatCheck(image);
    // Of a new name some parts did not arrive: every reader passes over the others, and shows the short name.
    const problems = after.problems.filter((problem) => !/parts|checksum of the long name/.test(problem));
    const where = this.step;
    expect({ where, isDirty: before.isDirty, problems, isCountRight: after.isCountRight }).toEqual({ where, isDirty: true, problems: [], isCountRight: true });
    expect({ where, gone: this.gone(after) }).toEqual({ where, gone: [] });
    this.lost = Math.max(this.lost, after.lost);
  }

  /** What stood in a torn sector may be in pieces, and answer EIO; all else that was synced is there. */
  private lookTorn(client: FatClient, image: Uint8Array): void {
    this.torn += this.readable(client, client.root) ? 0 : 1;
    this.survivor.unmount();
    expect({ where: this.step, gone: this.gone(fatCheck(image)) }).toEqual({ where: this.step, gone: [] });
  }

  /** False when something below `dir` is EIO. */
  private readable(client: FatClient, dir: Inode): boolean {
    const { status, reply } = client.machine.call("readdir", { dir: dir.node, position: 0n });
    expect([0, EIO]).toContain(status);
    return status === 0 && reply.entries.map(({ name }) => {
      const inode = client.lookup(dir, text(name));
      if (typeof inode === "number") expect({ where: this.step, name: text(name), inode }).toMatchObject({ inode: EIO });
      return typeof inode !== "number" && (!inode.isDirectory || this.readable(client, inode));
    }).every(Boolean);
  }

  private everything(client: FatClient, dir = client.root): void {
    for (const { name } of client.list(dir)) {
      const inode = client.lookup(dir, name);
      if (typeof inode === "number") throw new Error(`${this.step}: ${name} is listed and answers ${inode}`);
      if (inode.isDirectory) this.everything(client, inode);
      else client.read(inode);
    }
  }

  /** Synced files whose bytes are nowhere. A torn sector may have lost an entry's old name and not got the new one. */
  private gone(report: Report): string[] {
    const there = new Set([...report.tree.values()].map(({ content }) => Buffer.from(content).toString("base64")));
    return this.model.files(this.tear > 0).filter(({ synced }) => synced && !there.has(Buffer.from(synced).toString("base64"))).map(({ name }) => name);
  }
}

const SHAPES: Record<string, FatShape> = {
  "FAT32, 512-byte clusters": SMALL_FAT32, FAT12: SMALL_FAT12, "FAT16, clusters of 4 sectors": { ...SMALL_FAT16, clusterSectors: 4 },
};

const WHOLE = Object.entries(SHAPES).map(([name, shape]) => ({ name, shape, tear: 0 }));
/** Not FAT12: its entries lie across words, so that a torn sector spoils neighbours. */
const TORN = [{ name: "FAT32, torn sectors", shape: SMALL_FAT32, tear: TEAR }, { name: "FAT16, torn sectors", shape: SMALL_FAT16, tear: TEAR }];

test.each([...WHOLE, ...TORN])("$name: power cut at every flush", async ({ name, shape, tear }) => {
  let cuts = 0;
  let lost = 0;
  let conflicts = 0;
  let torn = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const run = new CrashRun(shape, 7000 + seed, tear);
    const disk = await run.run();
    cuts += run.cuts;
    conflicts += disk.conflicts;
    lost = Math.max(lost, run.lost);
    torn += run.torn;
  }
  if (process.env["FAT_CUTS"]) console.log(`${name}: ${cuts} cuts, ${conflicts} early write-outs, at most ${lost} clusters lost, ${torn} times something was in pieces`);
  expect(cuts).toBeGreaterThan(SEEDS * 50);
}, 600_000);
