/**
 * Corrupt images: whatever bytes a volume is made of, each call ends with an answer, after bounded work, and the server lives on.
 *
 * FAT_FUZZ=100000 makes it longer.
 */
import type { Node } from "../../../support/file-system.gen.ts";
import { text, utf8, type MethodName, type Reply, type Request } from "../../../support/protocol.ts";
import { FatClient, NOW } from "./fat-client.ts";
import { fatFormat, fatGet, fatPut, geometryOf, SMALL_FAT12, SMALL_FAT16, SMALL_FAT32, type FatShape } from "./fat-image.ts";
import { FatMachine } from "./fat-machine.ts";
import { Model } from "./fat-model.ts";
import { Random } from "../../../support/random.ts";

const IMAGES = Number(process.env["FAT_FUZZ"] ?? 10_000);
/** Calls into the kernel that one call may make on such a small volume. */
const WORK_MOST = 6000;
const VISITS_MOST = 24;
/** EIO, ENOENT, EEXIST, ENOTDIR, EINVAL, ENOSPC, ENOTEMPTY, EROFS. */
const ANSWERS = new Set([0, -5, -2, -17, -20, -22, -28, -39, -30]);
const SHAPES: readonly FatShape[] = [
  { ...SMALL_FAT32, clusters: 300 }, { ...SMALL_FAT16, clusters: 4200 }, { ...SMALL_FAT12, clusters: 300 }, { ...SMALL_FAT32, clusters: 300, fats: 1, clusterSectors: 2 },
];

/** A sound volume with a tree on it. */
function populated(shape: FatShape, seed: number): Uint8Array {
  const machine = new FatMachine(fatFormat(shape));
  const client = new FatClient(machine);
  const model = new Model(client, new Random(seed));
  for (let i = 0; i < 60; i++) model.step();
  machine.unmount();
  return machine.disk;
}

/** Damages the image in one to four places; what was done. */
function damage(image: Uint8Array, random: Random): string[] {
  const geometry = geometryOf(image);
  const view = new DataView(image.buffer);
  const done: string[] = [];
  const byte = (from: number, to: number): void => {
    const at = from + random.below(to - from);
    image[at] = random.chance(30) ? random.pick([0, 1, 0x0f, 0x10, 0x2e, 0x40, 0x7f, 0x80, 0xe5, 0xff]) : random.below(256);
    done.push(`byte ${at}=${image[at]}`);
  };
  const slot = (): number => {
    // Somewhere in the root or in the first clusters, where directories are.
    const area = random.chance(30) && geometry.rootBytes > 0 ? geometry.rootStart : geometry.dataStart + random.below(60) * geometry.clusterBytes;
    return area + random.below(16) * 32;
  };
  const kinds: readonly (() => void)[] = [
    () => byte(11, 90),
    () => byte(geometry.fatStart, geometry.fatStart + Math.min(geometry.fatBytes, 300)),
    () => {
      const cluster = 2 + random.below(80);
      const value = random.chance(60) ? 2 + random.below(90) : random.pick([0, 1, fatGet(image, geometry, 1), geometry.clusters + 2, 0x0ffffff7, 0x0fffffff]);
      fatPut(image, geometry, cluster, value & { 12: 0xfff, 16: 0xffff, 32: 0x0fffffff }[geometry.bits]);
      done.push(`FAT[${cluster}]=${value}`);
    },
    () => byte(slot(), slot() + 32),
    () => {
      const at = slot();
      const field = random.pick([0, 11, 12, 13, 20, 26, 28]);
      if (field === 28) view.setUint32(at + field, random.word(), true);
      else if (field === 26) view.setUint16(at + field, random.below(90), true);
      else image[at + field] = random.pick([0, 0x05, 0x0f, 0x08, 0x10, 0x41, 0x54, 0x2e, 0xe5, 0xff, random.below(256)]);
      done.push(`slot ${at}.${field}`);
    },
    () => {
      const [from, to] = [slot(), slot()];
      image.copyWithin(to, from, from + 32);
      done.push(`slot ${from} to ${to}`);
    },
    () => {
      const at = slot();
      image.set(random.bytes(32), at);
      done.push(`slot ${at} random`);
    },
    () => geometry.infoAt > 0 && byte(geometry.infoAt, geometry.infoAt + 512),
  ];
  for (let count = 1 + random.below(4); count > 0; count--) random.pick(kinds)();
  return done;
}

class Prober {
  private visits = 0;
  private readonly nodes: { dir: Node; node: Node; name: Uint8Array; isDirectory: boolean; blocks: bigint }[] = [];
  constructor(private readonly machine: FatMachine, private readonly random: Random) {}

  private call<M extends MethodName>(method: M, request: Request<M>): Reply<M> | undefined {
    const { status, reply } = this.machine.call(method, request);
    if (!ANSWERS.has(status)) throw new Error(`${method} answers ${status}`);
    return status === 0 ? reply : undefined;
  }

  /** Mounts, looks at everything, changes this and that, unmounts. */
  run(): void {
    const mounted = this.call("mount", { readOnly: 0, options: utf8("") });
    if (!mounted) return;
    this.list(mounted.root, 0);
    for (let i = 0; i < 8; i++) this.change(mounted.root);
    this.call("statfs", {});
    this.call("sync", { clean: 1 });
    this.call("unmount", {});
  }

  private list(dir: Node, depth: number): void {
    let position = 0n;
    while (this.visits < VISITS_MOST) {
      const reply = this.call("readdir", { dir, position });
      if (!reply || reply.entries.length === 0) return;
      for (const { name, position: next } of reply.entries) {
        if (next <= position) throw new Error("readdir stands still");
        position = next;
        if (++this.visits < VISITS_MOST) this.look(dir, name, depth);
      }
    }
  }

  private look(dir: Node, name: Uint8Array, depth: number): void {
    if (name.length === 0 || name.includes(0x2f) || name.includes(0)) throw new Error(`readdir names ${JSON.stringify(text(name))}`);
    const found = this.call("lookup", { dir, name });
    if (!found) return;
    const isDirectory = (found.attributes.mode & 0x4000) !== 0;
    this.nodes.push({ dir, node: found.node, name, isDirectory, blocks: found.attributes.blocks });
    if (isDirectory && depth < 4) this.list(found.node, depth + 1);
    else if (!isDirectory) this.call("extents", { node: found.node, fileBlock: 0n, blocks: found.attributes.blocks });
  }

  private change(root: Node): void {
    const { random } = this;
    const some = this.nodes.length > 0 && random.chance(80) ? random.pick(this.nodes) : undefined;
    const dirs = [root, ...this.nodes.filter(({ isDirectory }) => isDirectory).map(({ node }) => node)];
    const dir = random.pick(dirs);
    const fresh = utf8(random.pick(["fresh", "another fresh file.text", "x.y.z"]));
    if (!some || random.chance(30)) {
      const made = this.call(random.chance(50) ? "create" : "mkdir", { dir, timeNs: NOW, mode: 0o644, name: fresh });
      if (made) this.call("allocate", { node: made.node, have: 0n, blocks: 3n, size: 700n, timeNs: NOW });
      return;
    }
    const { node, name, blocks } = some;
    const request = { dir: some.dir, node, timeNs: NOW, name };
    switch (random.below(5)) {
      case 0: return void this.call("allocate", { node, have: blocks, blocks: blocks + 2n, size: 100n, timeNs: NOW });
      case 1: return void this.call("truncate", { node, blocks: BigInt(random.below(3)), size: 10n, timeNs: NOW, tailBlock: BigInt(random.below(90)) });
      case 2: return void this.call("setattr", { node, atimeNs: NOW, mtimeNs: NOW, valid: 7, mode: random.below(512) });
      case 3: return void this.call("rename", { oldDir: some.dir, node, newDir: dir, victim: { n0: 0n, n1: 0n }, timeNs: NOW, hasVictim: 0, oldName: name, newName: fresh });
      default: {
        const gone = this.call(some.isDirectory ? "rmdir" : "unlink", request);
        if (gone) this.call("release", { node: gone.node });
      }
    }
  }
}

test(`${IMAGES} corrupt images: every call ends, nothing traps`, () => {
  const bases = SHAPES.map((shape, i) => populated(shape, 900 + i));
  const machine = new FatMachine(bases[0]!.slice());
  machine.workMost = WORK_MOST;
  let mounted = 0;
  for (let seed = 0; seed < IMAGES; seed++) {
    const random = new Random(seed * 7919 + 13);
    machine.disk = bases[seed % bases.length]!.slice();
    const done = damage(machine.disk, random);
    try {
      new Prober(machine, random).run();
    } catch (error) {
      throw new Error(`seed ${seed} (${done.join(", ")}): ${String(error)}`, { cause: error });
    }
    mounted += machine.stub.counts.get("statfs") ?? 0;
    machine.stub.counts.clear();
  }
  expect(mounted).toBeGreaterThan(IMAGES / 2);
}, 300_000);
