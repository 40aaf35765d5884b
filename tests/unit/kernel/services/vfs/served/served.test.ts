/**
 * Mounts whose servers die, and lie: what a lawful server keeps is found again; what an unlawful one says ends in an errno, touches nothing
 * but its own device, and leaves nothing behind. SEED=n replays, SERVED_STEPS=n is the length of each of the rounds.
 */
import { Random } from "../../../../support/random.ts";
import { Liar } from "./liar.ts";
import { RandomProgram } from "./random-program.ts";
import { ServedMachine } from "./served-machine.ts";
import { TreeServer } from "./tree-server.ts";

const SEED = Number(process.env["SEED"] ?? 20261126);
const STEPS = Number(process.env["SERVED_STEPS"] ?? 400);
const ROUNDS = 5;
const TAME = 0;
const WILD = 1;

function trees(): TreeServer[] { return [new TreeServer(512, 4096, 2000), new TreeServer(1024, 8192, 1000)]; }

test("a file written through a lawful server is there after the next mount", async () => {
  const machine = await ServedMachine.start(trees());
  const before = machine.vfs.inUse();
  expect(machine.mount(TAME)).toBe(0);
  const bytes = Uint8Array.from({ length: 20_000 }, (_, i) => i % 251);
  const fd = machine.path("sysOpen", "/tame/a", 0o102, 0o644);
  expect(machine.pwrite(fd, bytes, 100)).toBe(bytes.length);
  machine.vfs.sys("sysClose", fd);
  expect(machine.unmount(TAME)).toBe(0);
  expect(machine.mount(TAME)).toBe(0);
  const again = machine.path("sysOpen", "/tame/a", 0, 0);
  expect(machine.pread(again, 30_000, 100)).toEqual(bytes);
  machine.vfs.sys("sysClose", again);
  expect(machine.unmount(TAME)).toBe(0);
  expect(machine.trespasses).toEqual([]);
  expect(machine.vfs.inUse()).toEqual(before);
});

test("servers that die at any moment of a call: programs see files as the model has them", async () => {
  const random = new Random(SEED);
  const machine = await ServedMachine.start(trees());
  const before = machine.vfs.inUse();
  const server = machine.servers[TAME]!;
  server.isKilledBefore = () => random.chance(3);
  server.spoil = (call) => { if (random.chance(3)) call.status = "die"; };
  expect(machine.mount(TAME)).toBe(0);
  const program = new RandomProgram(machine, random, "/tame", true);
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < STEPS; i++) program.step();
    program.end();
    program.compare();
    expect(machine.unmount(TAME)).toBe(0);
    expect(machine.mount(TAME)).toBe(0);
    program.compare();
  }
  expect(machine.unmount(TAME)).toBe(0);
  expect(server.ended).toBeGreaterThan(20);
  expect(machine.trespasses).toEqual([]);
  expect(machine.vfs.inUse()).toEqual(before);
}, 60_000);

test("servers that answer anything at all", async () => {
  const machine = await ServedMachine.start(trees());
  const tame = new RandomProgram(machine, new Random(SEED), "/tame", true);
  expect(machine.mount(TAME)).toBe(0);
  for (let i = 0; i < STEPS; i++) tame.step();
  tame.end();
  const before = machine.vfs.inUse();
  const told = new Map<string, number>();
  let mounted = 0;
  for (let round = 0; round < ROUNDS * 12; round++) {
    const random = new Random(SEED + round);
    const server = machine.servers[WILD]!;
    server.tree = trees()[WILD]!;
    const liar = new Liar(random);
    const [percent, isMountLied] = [random.pick([1, 5, 30, 100]), random.chance(30)];
    server.spoil = (call) => { if (random.chance(percent) && (isMountLied || !/mount|attach/.test(call.method))) liar.spoil(call); };
    machine.allowed = [WILD];
    if (machine.mount(WILD) === 0) {
      mounted++;
      const program = new RandomProgram(machine, random, "/wild", false);
      for (let i = 0; i < STEPS / 4; i++) program.step();
      program.end();
      expect({ round, unmounted: machine.unmount(WILD) }).toEqual({ round, unmounted: 0 });
    }
    machine.allowed = [TAME, WILD];
    liar.told.forEach((count, kind) => told.set(kind, (told.get(kind) ?? 0) + count));
    expect({ round, trespasses: machine.trespasses }).toEqual({ round, trespasses: [] });
    expect({ round, ...machine.vfs.inUse() }).toEqual({ round, ...before });
  }
  tame.compare();
  expect(machine.unmount(TAME)).toBe(0);
  expect(mounted).toBeGreaterThan(ROUNDS * 6);
  expect([...told.values()].every((count) => count > 20) && told.size).toBe(9);
}, 60_000);
