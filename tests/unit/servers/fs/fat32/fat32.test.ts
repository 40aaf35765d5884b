/** The FAT server against a model: random operations, the image judged by a checker of our own and by fsck.fat and mtools. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FatClient } from "./fat-client.ts";
import { fatCheck } from "./fat-check.ts";
import { fatFormat, SMALL_FAT12, SMALL_FAT16, SMALL_FAT32, type FatShape } from "./fat-image.ts";
import { FatMachine } from "./fat-machine.ts";
import { differences, Model } from "./fat-model.ts";
import { Random } from "../../../support/random.ts";

const STEPS = 150;

interface Run {
  machine: FatMachine;
  model: Model;
  image: Uint8Array;
}

/** A random run, with the server killed at each point with `killPercent`; the image is that of an unmounted volume. */
function run(shape: FatShape, seed: number, killPercent: number, steps = STEPS): Run {
  const random = new Random(seed);
  const kills = new Random(seed + 1);
  const machine = new FatMachine(fatFormat(shape));
  const client = new FatClient(machine);
  const model = new Model(client, random, killPercent > 0);
  machine.killAt = () => kills.chance(killPercent);
  for (let i = 0; i < steps; i++) {
    let done = "";
    try {
      done = model.step();
    } catch (error) {
      throw new Error(`seed ${seed}, step ${i}: ${String(error)}`, { cause: error });
    }
    if (i % 25 === 0) expectSound(machine.disk, model, `seed ${seed}, step ${i}: ${done}`);
  }
  machine.killAt = () => false;
  machine.unmount();
  return { machine, model, image: machine.disk };
}

function expectSound(image: Uint8Array, model: Model, where: string): void {
  const report = fatCheck(image);
  expect({ where, problems: report.problems, differences: differences(model.root, report) }).toEqual({ where, problems: [], differences: [] });
}

function expectClean(image: Uint8Array, model: Model, where: string): void {
  expectSound(image, model, where);
  const { lost, isDirty, isCountRight } = fatCheck(image);
  expect({ where, lost, isDirty, isCountRight }).toEqual({ where, lost: 0, isDirty: false, isCountRight: true });
}

const SHAPES: Record<string, FatShape> = {
  "FAT32, 512-byte clusters": SMALL_FAT32,
  FAT12: SMALL_FAT12,
  "FAT16, clusters of 2 sectors": { ...SMALL_FAT16, clusterSectors: 2 },
  "FAT32, 4 KiB sectors": { ...SMALL_FAT32, sectorBytes: 4096, clusters: 300 },
  "FAT32, clusters of 4 sectors, one FAT": { ...SMALL_FAT32, clusterSectors: 4, clusters: 700, fats: 1 },
};

describe.each(Object.entries(SHAPES))("%s", (_, shape) => {
  test("random operations answer as the model does, and leave a clean volume", () => {
    for (let seed = 1; seed <= 8; seed++) {
      const { model, image } = run(shape, seed, 0);
      expectClean(image, model, `seed ${seed}`);
    }
  });

  test("the same while the server is killed at its commits and replies: each call is done exactly once", () => {
    let restarts = 0;
    for (let seed = 101; seed <= 105; seed++) {
      const { machine, model, image } = run(shape, seed, 15);
      expectClean(image, model, `seed ${seed}`);
      restarts += machine.restarts;
    }
    expect(restarts).toBeGreaterThan(100);
  });
});

test("what fsck.fat and mtools say of such a volume", () => {
  const folder = mkdtempSync(join(tmpdir(), "fat-"));
  try {
    for (const [seed, shape] of [[501, { ...SMALL_FAT32, clusters: 66_000 }], [502, SMALL_FAT16], [503, SMALL_FAT12]] as const) {
      const { model, image } = run(shape, seed, 5);
      const path = join(folder, "image");
      writeFileSync(path, image);
      execFileSync("fsck.fat", ["-n", path]); // throws unless it is clean
      execFileSync("mcopy", ["-n", "-s", "-i", path, "::/", join(folder, "copy")]);
      for (const { name, children, content } of model.root.children!.values()) {
        if (!children && /^[ -~]*$/.test(name)) expect(Buffer.compare(readFileSync(join(folder, "copy", name)), content)).toBe(0);
      }
      rmSync(join(folder, "copy"), { recursive: true });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
